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

use crate::maildrop::connection::capa::{CapaTime, CapaUse};
use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::fault::Fault;
use crate::net::{Protection, Route, Stream, Tls};
use crate::pop3::reply::greeting_timestamp;
use crate::pop3::{Capabilities, Command, Status};
use authentication::Attempt;
use secret::RefusedSecret;

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
    /// Whether CAPA was sent after the login.
    pub(super) has_sent_capa: bool,
    /// How the client authenticated.
    pub(super) method: Method,
}

/// Why an attempt to log in, or to reach the server, has failed.
enum LoginStop {
    /// The connection failed while the answer to CAPA was due.
    AtCapa(CapaTime, Fault),
    /// Anything else failed.
    Elsewhere(Fault),
}

impl From<Fault> for LoginStop {
    fn from(fault: Fault) -> Self {
        Self::Elsewhere(fault)
    }
}

impl Login {
    /// Logs in on a new connection. A token that the server accepted earlier and now refuses has
    /// expired, so a fresh token is tried once. A connection that broke while the answer to a
    /// secret was due is tried once more, because the network may have broken it. Any other refused
    /// secret is not tried again here.
    pub(super) fn open(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<LoggedIn, Fault> {
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

    /// Logs in with this secret.
    fn attempt(
        &self,
        secret: &Secret,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<LoggedIn, Fault> {
        without_failing_capa(quirks, |quirks, capa| {
            self.log_in(secret, last_heard, quirks, capa)
        })
    }

    fn log_in(
        &self,
        secret: &Secret,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
        capa: CapaUse,
    ) -> Result<LoggedIn, LoginStop> {
        let mut reached = self.reach_once(last_heard, quirks, capa)?;
        let method = self.authenticate(&mut reached, secret)?;
        let Reached {
            mut link,
            capabilities,
            ..
        } = reached;
        let has_sent_capa = capa.includes(CapaTime::AfterLogin);
        let after = if has_sent_capa {
            ask_capa(&mut link, CapaTime::AfterLogin, quirks)?
        } else {
            Capabilities::new()
        };
        Ok(LoggedIn {
            link,
            capabilities: capabilities.renewed(after),
            has_sent_capa,
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
        without_failing_capa(quirks, |quirks, capa| {
            self.reach_once(last_heard, quirks, capa)
        })
    }

    fn reach_once(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
        capa: CapaUse,
    ) -> Result<Reached, LoginStop> {
        let mut reached = self.greet(last_heard, quirks, capa)?;
        if let Security::Starttls(tls) = &self.security {
            let secured = start_tls(reached.link, tls);
            reached.link =
                secured.map_err(|fault| self.add_certificate(fault, last_heard, quirks, capa))?;
            reached.capabilities = capabilities(&mut reached.link, quirks, capa)?;
        }
        if reached.capabilities.utf8 {
            let link = &mut reached.link;
            link.status(&Command::Utf8, |_refusal_is_no_harm| ())?;
        }
        Ok(reached)
    }

    /// Connects, reads the greeting and asks for the capabilities: everything that comes before
    /// STLS.
    fn greet(
        &self,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
        capa: CapaUse,
    ) -> Result<Reached, LoginStop> {
        let mut link = self.connect(last_heard)?;
        let timestamp = greeting(&mut link)?;
        let capabilities = capabilities(&mut link, quirks, capa)?;
        Ok(Reached {
            link,
            timestamp,
            capabilities,
        })
    }

    /// Adds the server's certificate to a fault that says that the certificate is not trusted. A
    /// second connection fetches it, because native-tls does not give it out after a failure.
    fn add_certificate(
        &self,
        fault: Fault,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
        capa: CapaUse,
    ) -> Fault {
        let Fault::Link(error) = fault else {
            return fault;
        };
        // `distrusting` accepts no certificate, so this handshake always fails.
        let again = |distrusting: &Tls| {
            let reached = self.greet(last_heard, quirks, capa).ok()?;
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
                RefusedSecret::AtFirst => refusal,
                RefusedSecret::AfterAcceptance => refusal.after_acceptance(),
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

/// Makes an attempt. If the connection fails on CAPA, and the server has never answered CAPA, this
/// makes another attempt without it.
fn without_failing_capa<T>(
    quirks: &mut Quirks,
    attempt: impl Fn(&mut Quirks, CapaUse) -> Result<T, LoginStop>,
) -> Result<T, Fault> {
    let mut capa = quirks.capa.next_use();
    let mut failure = None;
    let outcome = loop {
        match attempt(quirks, capa) {
            Err(LoginStop::AtCapa(time, fault)) if quirks.capa.may_cause(&fault, time) => {
                log::info!("the server failed on CAPA ({fault}): connecting again without it");
                capa = time.left_out();
                failure = Some((time, fault));
            }
            Err(LoginStop::AtCapa(_, fault) | LoginStop::Elsewhere(fault)) => break Err(fault),
            Ok(done) => break Ok(done),
        }
    };
    // A server that is busy has been reached, and CAPA was the cause.
    let is_reached = outcome.as_ref().map_or_else(Fault::passes, |_| true);
    if let Some((time, fault)) = failure
        && is_reached
    {
        quirks.capa.note_failure(&fault, time);
    }
    outcome
}

/// The capabilities before the login. They are empty if CAPA is not to be sent.
fn capabilities(
    link: &mut Link,
    quirks: &mut Quirks,
    capa: CapaUse,
) -> Result<Capabilities, LoginStop> {
    match capa.includes(CapaTime::BeforeLogin) {
        true => ask_capa(link, CapaTime::BeforeLogin, quirks),
        false => Ok(Capabilities::new()),
    }
}

/// Sends CAPA. The capabilities are empty if the server does not know it.
fn ask_capa(
    link: &mut Link,
    time: CapaTime,
    quirks: &mut Quirks,
) -> Result<Capabilities, LoginStop> {
    let mut found = Capabilities::new();
    let refuse = |status: &Status<'_>| Fault::Refused {
        command: "CAPA",
        text: status.server_text(),
    };
    let answer = link.lines(&Command::Capa, refuse, |line| {
        found.add(line);
        Ok(())
    });
    // A dot line too many, for example, must not be taken for the reply to the next command.
    let answer = match answer {
        Ok(()) | Err(Fault::Refused { .. }) => link.refuse_what_is_unasked(),
        Err(fault) => Err(fault),
    };
    match answer {
        Ok(()) => {
            quirks.capa.note_answer(time);
            quirks.login_delay = found.login_delay.or(quirks.login_delay);
            Ok(found)
        }
        Err(fault) => Err(LoginStop::AtCapa(time, fault)),
    }
}

/// Starts TLS with STLS, or fails. It never continues unencrypted.
fn start_tls(mut link: Link, tls: &Tls) -> Result<Link, Fault> {
    link.status(&Command::Stls, |status| match status.is_ok() {
        true => Ok(()),
        false => Err(Fault::of_stls(status)),
    })??;
    link.secure(tls)
}
