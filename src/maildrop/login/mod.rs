//! From nothing to TRANSACTION state.
//!
//! ```text
//! connect ─▶ (TLS) ─▶ greeting ─▶ CAPA ─▶ (STLS, TLS, CAPA) ─▶ (UTF8) ─▶ authentication ─▶ CAPA
//! ```
//! CAPA is asked anew after each step that may change it: what was said in clear does not hold under TLS (RFC 2595
//! section 4), and Gmail offers PIPELINING only after the login. UTF8 goes before the authentication where it is offered,
//! or a server may serve a surrogate of another size than LIST says (Courier).

mod authentication;
mod digest;
pub(super) mod mechanism;
mod sasl;
mod secret;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use crate::maildrop::fault::authentication::AuthenticationError;
pub use mechanism::{Mechanism, Method, SaslMechanism};
pub use secret::{Credential, Renewal, Secret};

use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::quirks::{CapaTime, Quirks};
use crate::maildrop::fault::Fault;
use crate::net::{Protection, Route, Stream, Tls};
use crate::pop3::reply::greeting_timestamp;
use crate::pop3::{Capabilities, Command, Indicator, Status};
use authentication::Attempt;

/// How to log in, any number of times.
#[derive(Debug)]
pub struct Login {
    /// The way to the server.
    pub route: Route,
    /// How the password is protected on its way.
    pub security: Security,
    /// Whose maildrop.
    pub user: String,
    /// What proves it.
    pub credential: Credential,
    /// How it is proven.
    pub mechanism: Mechanism,
    /// The longest silence of the server, in connecting, shaking hands and each reply.
    pub timeout: Duration,
}

/// Who may read the password on its way.
#[derive(Debug)]
pub enum Security {
    /// TLS from the first octet (RFC 8314 section 3.3).
    Implicit(Tls),
    /// STLS before anything else; a server that refuses it gets nothing (RFC 2595 section 4).
    Starttls(Tls),
    /// Everybody: the user asked for that.
    Clear,
}

/// A server that is ready to know who the user is.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) link: Link,
    /// Of the greeting, for APOP.
    timestamp: Option<Vec<u8>>,
    pub(super) capabilities: Capabilities,
}

/// A session in TRANSACTION state.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    /// How the user has proven who they are.
    pub(super) method: Method,
}

impl Login {
    /// Logs in on a new connection; gives what the server can do after that. A token that the server has accepted before
    /// and now refuses has expired: with a fresh one it is tried once more. No other secret that was refused is.
    pub(super) fn open(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<LoggedIn, Fault> {
        quirks.doubt();
        let secret = self.credential.secret()?;
        match self.attempt(&secret, last_heard, quirks) {
            Err(_) if self.credential.has_expired() => {
                self.attempt(&self.credential.secret()?, last_heard, quirks)
            }
            outcome => outcome,
        }
    }

    /// Once more without CAPA where that was answered by the end of the connection, and never otherwise.
    fn attempt(
        &self,
        secret: &Secret,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<LoggedIn, Fault> {
        let known = quirks.capas_avoided();
        let mut avoided = known;
        loop {
            let outcome = self.log_in(secret, last_heard, quirks);
            let found = quirks.capas_avoided();
            if outcome.is_ok() || found == avoided {
                if outcome.is_err() && found > known {
                    quirks.absolve_capa();
                }
                return outcome;
            }
            log::info!("the server closes the connection on CAPA: trying without");
            avoided = found;
        }
    }

    fn log_in(
        &self,
        secret: &Secret,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<LoggedIn, Fault> {
        let mut reached = self.reach(last_heard, quirks)?;
        let method = self.authenticate(&mut reached, secret)?;
        let Reached {
            mut link,
            capabilities,
            ..
        } = reached;
        let after = self::capabilities(&mut link, CapaTime::AfterLogin, quirks)?;
        Ok(LoggedIn {
            link,
            capabilities: capabilities.renewed(after),
            method,
        })
    }

    /// Everything in front of the authentication: a secret may go over the link that this gives.
    pub(super) fn reach(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<Reached, Fault> {
        let mut reached = self.greet(last_heard, quirks)?;
        if let Security::Starttls(tls) = &self.security {
            let secured = start_tls(reached.link, tls);
            reached.link = secured.map_err(|fault| self.look_again(fault, last_heard, quirks))?;
            reached.capabilities = capabilities(&mut reached.link, CapaTime::BeforeLogin, quirks)?;
        }
        if reached.capabilities.utf8 {
            let link = &mut reached.link;
            link.status(&Command::Utf8, |_refusal_is_no_harm| ())?;
        }
        Ok(reached)
    }

    /// Everything in front of STLS.
    fn greet(&self, last_heard: &LastHeard, quirks: &mut Quirks) -> Result<Reached, Fault> {
        let mut link = self.connect(last_heard)?;
        let timestamp = greeting(&mut link)?;
        let capabilities = capabilities(&mut link, CapaTime::BeforeLogin, quirks)?;
        Ok(Reached {
            link,
            timestamp,
            capabilities,
        })
    }

    /// Has the fault tell of the certificate, where one did not convince behind STLS.
    fn look_again(&self, fault: Fault, last_heard: &LastHeard, quirks: &mut Quirks) -> Fault {
        let Fault::Link(error) = fault else {
            return fault;
        };
        let again =
            |nobody: &Tls| match start_tls(self.greet(last_heard, quirks).ok()?.link, nobody) {
                Err(Fault::Link(error)) => Arc::into_inner(error),
                _ => None,
            };
        match Arc::try_unwrap(error) {
            Ok(error) => error.look_again(again).into(),
            Err(shared) => Fault::Link(shared),
        }
    }

    fn connect(&self, last_heard: &LastHeard) -> Result<Link, Fault> {
        let stream = match &self.security {
            Security::Implicit(tls) => Stream::connect_secure(&self.route, tls, self.timeout)?,
            Security::Starttls(_) | Security::Clear => Stream::connect(&self.route, self.timeout)?,
        };
        Ok(Link::new(stream, self.timeout, last_heard.clone()))
    }

    fn authenticate(&self, reached: &mut Reached, secret: &Secret) -> Result<Method, Fault> {
        let link = &mut reached.link;
        self.check_protection(link)?;
        let attempt = Attempt {
            user: &self.user,
            secret,
            timestamp: reached.timestamp.as_deref(),
            offer: &reached.capabilities,
        };
        let method = self.mechanism.choose(attempt.offer)?;
        if method.shows_the_secret() && link.protection() == Protection::Clear {
            self.warn_of_listeners();
        }
        log::debug!("authentication: {method}");
        match attempt.make(link, method) {
            Ok(()) => self.credential.was_accepted(),
            Err(fault) => {
                if fault.is_refusal() {
                    self.credential.was_refused();
                }
                return Err(fault);
            }
        }
        Ok(method)
    }

    /// The last look before a password goes out.
    fn check_protection(&self, link: &Link) -> Result<(), Fault> {
        match (&self.security, link.protection()) {
            (Security::Clear, _) | (_, Protection::Tls) => Ok(()),
            (_, Protection::Clear) => Err(Fault::Unsupported(
                "the connection is not secure, so the password stays here",
            )),
        }
    }

    /// Once a mount, and not where nobody but this machine listens.
    fn warn_of_listeners(&self) {
        if self.credential.is_untried() && !is_loopback(&self.route.endpoint().host) {
            log::warn!(
                "the password goes to {} in clear, for everybody on the way to read",
                self.route.endpoint()
            );
        }
    }
}

/// Whether what goes there never leaves this machine.
fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// The timestamp for APOP, where the greeting has one.
fn greeting(link: &mut Link) -> Result<Option<Vec<u8>>, Fault> {
    link.reply(|greeting| {
        if greeting.is_ok() {
            return Ok(greeting_timestamp(greeting.text).map(<[u8]>::to_vec));
        }
        Err(Fault::of_greeting(greeting))
    })?
}

/// None where the server does not know CAPA.
fn capabilities(
    link: &mut Link,
    time: CapaTime,
    quirks: &mut Quirks,
) -> Result<Capabilities, Fault> {
    let mut found = Capabilities::new();
    if quirks.avoids_capa(time) {
        return Ok(found);
    }
    let refuse = |_: &Status<'_>| Fault::Unsupported("the server has no CAPA");
    let answer = link.lines(&Command::Capa, refuse, |line| {
        found.add(line);
        Ok(())
    });
    match answer {
        Ok(()) | Err(Fault::Unsupported(_)) => {
            quirks.capa_was_answered(time);
            quirks.login_delay = found.login_delay.or(quirks.login_delay);
            Ok(found)
        }
        Err(fault) => {
            quirks.capa_failed(time, &fault);
            Err(fault)
        }
    }
}

/// Never goes on in clear, whatever the server says or offers.
fn start_tls(mut link: Link, tls: &Tls) -> Result<Link, Fault> {
    let agreed = link.status(&Command::Stls, |status| status.indicator)?;
    if agreed == Indicator::Err {
        return Err(Fault::StlsRefused);
    }
    link.secure(tls)
}
