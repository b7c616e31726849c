//! The login: from opening a connection to TRANSACTION state.
//!
//! ```text
//! connect ─▶ (TLS) ─▶ greeting ─▶ CAPA ─▶ (STLS, TLS, CAPA) ─▶ (UTF8) ─▶ authentication ─▶ CAPA
//! ```
//! The client sends CAPA again after each step that may change the answer. Capabilities announced
//! before TLS are void once TLS is active (RFC 2595 section 4). Gmail offers PIPELINING only after
//! the login.
//!
//! If the server offers UTF8, the client sends it before it authenticates. Without it, Courier
//! replaces a message with a surrogate whose size differs from what LIST says.

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
use secret::Refusal;

/// How to log in. It can be used any number of times.
#[derive(Debug)]
pub struct Login {
    /// The way to the server.
    pub route: Route,
    /// How the connection protects the password.
    pub security: Security,
    /// The user name.
    pub user: String,
    /// The password or token.
    pub credential: Credential,
    /// Which authentication method to use.
    pub mechanism: Mechanism,
    /// How long the server may be silent while connecting, during the TLS handshake, and before
    /// each reply.
    pub timeout: Duration,
}

/// How the connection protects the password.
#[derive(Debug)]
pub enum Security {
    /// TLS from the first octet (RFC 8314 section 3.3).
    Implicit(Tls),
    /// STLS before the login. If the server refuses it, no user name or password is sent (RFC 2595
    /// section 4).
    Starttls(Tls),
    /// No TLS, because the user asked for that. An eavesdropper can read everything.
    Clear,
}

/// A connection on which the client may authenticate now.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) link: Link,
    /// The timestamp in the server's greeting, for APOP.
    timestamp: Option<Vec<u8>>,
    pub(super) capabilities: Capabilities,
}

/// A session in TRANSACTION state.
#[derive(Debug)]
pub(super) struct LoggedIn {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    /// How the client authenticated.
    pub(super) method: Method,
}

impl Login {
    /// Logs in on a new connection. A token that the server accepted earlier and now refuses has
    /// expired, so a fresh token is tried once. A connection that broke while the answer to a secret
    /// was due is tried once more, because the network may have broken it. Any other refused secret
    /// is not tried again here.
    pub(super) fn open(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<LoggedIn, Fault> {
        quirks.allow_capa_again();
        let secret = self.credential.secret()?;
        match self.attempt(&secret, last_heard, quirks) {
            Err(_) if self.credential.has_expired() => {
                self.attempt(&self.credential.secret()?, last_heard, quirks)
            }
            Err(fault @ Fault::PasswordUnanswered(_)) => {
                log::info!("logging in once more: {fault}");
                self.attempt(&secret, last_heard, quirks)
            }
            outcome => outcome,
        }
    }

    /// Logs in, and tries again without CAPA if the server closed the connection on CAPA. No other
    /// failure is retried here.
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
                    quirks.forget_capa_failures();
                }
                return outcome;
            }
            log::info!("the server closed the connection on CAPA: logging in without it");
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

    /// Does everything that comes before the authentication. A secret may be sent over the link
    /// that this returns.
    pub(super) fn reach(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<Reached, Fault> {
        let mut reached = self.greet(last_heard, quirks)?;
        if let Security::Starttls(tls) = &self.security {
            let secured = start_tls(reached.link, tls);
            reached.link =
                secured.map_err(|fault| self.add_certificate(fault, last_heard, quirks))?;
            reached.capabilities = capabilities(&mut reached.link, CapaTime::BeforeLogin, quirks)?;
        }
        if reached.capabilities.utf8 {
            let link = &mut reached.link;
            link.status(&Command::Utf8, |_refusal_is_no_harm| ())?;
        }
        Ok(reached)
    }

    /// Connects, reads the greeting and asks for the capabilities: everything that comes before
    /// STLS.
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

    /// Adds the server's certificate to a fault that says that the certificate is not trusted. A
    /// second connection fetches it, because native-tls does not give it out after a failure.
    fn add_certificate(&self, fault: Fault, last_heard: &LastHeard, quirks: &mut Quirks) -> Fault {
        let Fault::Link(error) = fault else {
            return fault;
        };
        // `distrusting` accepts no certificate, so this handshake always fails.
        let again = |distrusting: &Tls| {
            let reached = self.greet(last_heard, quirks).ok()?;
            match start_tls(reached.link, distrusting) {
                Err(Fault::Link(error)) => Arc::into_inner(error),
                _ => None,
            }
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
            self.warn_of_eavesdroppers();
        }
        log::debug!("authentication: {method}");
        match attempt.make(link, method) {
            Ok(()) => {
                self.credential.note_accepted();
                Ok(method)
            }
            Err(fault) if !fault.is_refusal() => Err(fault),
            Err(refusal) => Err(match self.credential.note_refused() {
                Refusal::AtFirst => refusal,
                Refusal::AfterAcceptance => refusal.after_acceptance(),
            }),
        }
    }

    /// The last check before a secret is sent: the connection has TLS unless the user asked for
    /// none.
    fn check_protection(&self, link: &Link) -> Result<(), Fault> {
        match (&self.security, link.protection()) {
            (Security::Clear, _) | (_, Protection::Tls) => Ok(()),
            (_, Protection::Clear) => Err(Fault::Unsupported(
                "the connection is not encrypted, so the password was not sent",
            )),
        }
    }

    /// Warns before the first login that sends the secret unencrypted over a network.
    fn warn_of_eavesdroppers(&self) {
        if self.credential.is_untried() && !is_loopback(&self.route.endpoint().host) {
            log::warn!(
                "the password goes to {} in the clear: anyone on the network can read it",
                self.route.endpoint()
            );
        }
    }
}

/// Whether data sent to this host never leaves this machine.
fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Reads the greeting. Returns its timestamp for APOP, if it has one.
fn greeting(link: &mut Link) -> Result<Option<Vec<u8>>, Fault> {
    link.reply(|greeting| {
        if greeting.is_ok() {
            return Ok(greeting_timestamp(greeting.text).map(<[u8]>::to_vec));
        }
        Err(Fault::of_greeting(greeting))
    })?
}

/// Asks for the capabilities. They are empty if the server does not know CAPA.
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
            quirks.note_capa_answered(time);
            quirks.login_delay = found.login_delay.or(quirks.login_delay);
            Ok(found)
        }
        Err(fault) => {
            quirks.note_capa_failed(time, &fault);
            Err(fault)
        }
    }
}

/// Starts TLS with STLS, or fails. It never continues unencrypted.
fn start_tls(mut link: Link, tls: &Tls) -> Result<Link, Fault> {
    let agreed = link.status(&Command::Stls, |status| status.indicator)?;
    if agreed == Indicator::Err {
        return Err(Fault::StlsRefused);
    }
    link.secure(tls)
}
