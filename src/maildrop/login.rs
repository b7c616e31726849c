//! From nothing to TRANSACTION state.
//!
//! ```text
//! connect ─▶ (TLS) ─▶ greeting ─▶ CAPA ─▶ (STLS, TLS, CAPA) ─▶ (UTF8) ─▶ authentication ─▶ CAPA
//! ```
//! CAPA is asked anew after each step that may change it: what was said in clear does not hold under TLS (RFC 2595
//! section 4), and Gmail offers PIPELINING only after the login. UTF8 goes before the authentication where it is offered,
//! or a server may serve a surrogate of another size than LIST says (Courier).

use std::time::Duration;

use zeroize::Zeroizing;

use super::fault::Fault;
use super::link::Link;
use super::quirks::{CapaTime, Quirks};
use super::state::Pulse;
use crate::net::{Endpoint, Protection, Stream, Tls};
use crate::pop3::{Capabilities, Command, Event, Indicator, Status};

/// How to log in, any number of times.
#[derive(Debug)]
pub struct Login {
    /// The server.
    pub endpoint: Endpoint,
    /// How the password is protected on its way.
    pub security: Security,
    /// Whose maildrop.
    pub user: String,
    /// What proves it.
    pub password: Secret,
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

/// How the user proves who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// PLAIN where the server offers it, USER and PASS otherwise.
    #[default]
    Auto,
    /// USER and PASS (RFC 1939 section 7).
    User,
    /// AUTH PLAIN (RFC 4616).
    Plain,
}

/// A password. It is wiped from memory when dropped and never shown.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the password.
    #[must_use]
    pub fn new(password: Zeroizing<String>) -> Secret {
        Secret(password)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Login {
    /// Logs in on a new connection; gives what the server can do after that. Where CAPA was answered by the end of the
    /// connection, and never otherwise, once more without it.
    pub(super) fn open(
        &self,
        pulse: &Pulse,
        quirks: &mut Quirks,
    ) -> Result<(Link, Capabilities), Fault> {
        let known = quirks.capas_avoided();
        let mut avoided = known;
        loop {
            let attempt = self.attempt(pulse, quirks);
            let found = quirks.capas_avoided();
            if attempt.is_ok() || found == avoided {
                if attempt.is_err() && found > known {
                    quirks.absolve_capa();
                }
                return attempt;
            }
            log::info!("the server closes the connection on CAPA: trying without");
            avoided = found;
        }
    }

    fn attempt(&self, pulse: &Pulse, quirks: &mut Quirks) -> Result<(Link, Capabilities), Fault> {
        let mut link = self.connect(pulse)?;
        link.reply(|greeting| {
            if greeting.is_ok() {
                Ok(())
            } else {
                Err(Fault::of_greeting(greeting))
            }
        })??;
        let mut capabilities = capabilities(&mut link, CapaTime::BeforeLogin, quirks)?;
        if let Security::Starttls(tls) = &self.security {
            link = start_tls(link, tls)?;
            capabilities = self::capabilities(&mut link, CapaTime::BeforeLogin, quirks)?;
        }
        if capabilities.utf8 {
            link.status(&Command::Utf8, |_refusal_is_no_harm| ())?;
        }
        self.authenticate(&mut link, &capabilities)?;
        let after = self::capabilities(&mut link, CapaTime::AfterLogin, quirks)?;
        Ok((link, capabilities.renewed(after)))
    }

    fn connect(&self, pulse: &Pulse) -> Result<Link, Fault> {
        let stream = match &self.security {
            Security::Implicit(tls) => Stream::connect_secure(&self.endpoint, tls, self.timeout)?,
            Security::Starttls(_) | Security::Clear => {
                Stream::connect(&self.endpoint, self.timeout)?
            }
        };
        Ok(Link::new(stream, self.timeout, pulse.clone()))
    }

    fn authenticate(&self, link: &mut Link, capabilities: &Capabilities) -> Result<(), Fault> {
        self.check_protection(link)?;
        match self.mechanism {
            Mechanism::Plain => self.plain(link),
            Mechanism::Auto if capabilities.offers_sasl("PLAIN") => self.plain(link),
            Mechanism::Auto | Mechanism::User => self.user_and_pass(link),
        }
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

    fn user_and_pass(&self, link: &mut Link) -> Result<(), Fault> {
        accepted(link, &Command::User(&self.user))?;
        accepted(link, &Command::Pass(&self.password.0))
    }

    /// `message = [authzid] NUL authcid NUL passwd` (RFC 4616), at once where it fits into the command.
    fn plain(&self, link: &mut Link) -> Result<(), Fault> {
        let response = Zeroizing::new(format!("\0{}\0{}", self.user, self.password.0.as_str()));
        let initial = Command::initial_response_fits("PLAIN", response.as_bytes())
            .then_some(response.as_bytes());
        link.queue(&Command::Auth {
            mechanism: "PLAIN",
            initial,
        })?;
        loop {
            match link.next_event()? {
                Some(Event::Challenge(_)) => {
                    link.queue(&Command::SaslResponse(response.as_bytes()))?;
                }
                Some(Event::Done(status)) if status.is_ok() => return Ok(()),
                Some(Event::Done(status)) => return Err(Fault::of_login(&status)),
                Some(_) => {}
                None => {
                    link.exchange(None, None)?;
                }
            }
        }
    }
}

fn accepted(link: &mut Link, command: &Command<'_>) -> Result<(), Fault> {
    link.status(command, |status| {
        if status.is_ok() {
            Ok(())
        } else {
            Err(Fault::of_login(status))
        }
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
        return Err(Fault::Unsupported(
            "the server refuses STLS: try the pops:// scheme, or -o tls=off if the password may go in clear",
        ));
    }
    link.secure(tls)
}
