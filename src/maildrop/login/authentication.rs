//! AUTHORIZATION state: one attempt to prove who the user is.

use crate::maildrop::connection::link::Link;
use crate::maildrop::fault::Fault;
use crate::maildrop::fault::authentication::AuthenticationError;
use crate::maildrop::login::digest;
use crate::maildrop::login::mechanism::{Method, SaslMechanism};
use crate::maildrop::login::sasl::{Exchange, Response};
use crate::maildrop::login::secret::Secret;
use crate::pop3::{Capabilities, Command, Event};

/// What there is to prove it with.
pub(super) struct Attempt<'a> {
    pub(super) user: &'a str,
    pub(super) secret: &'a Secret,
    /// Of the greeting, for APOP.
    pub(super) timestamp: Option<&'a [u8]>,
    pub(super) offer: &'a Capabilities,
}

impl Attempt<'_> {
    /// Ends in TRANSACTION state, or with why not. Whether the link may carry it is the caller's to know.
    pub(super) fn make(&self, link: &mut Link, method: Method) -> Result<(), Fault> {
        match method {
            Method::UserPass => {
                accepted(link, &Command::User(self.user))?;
                accepted(link, &Command::Pass(self.secret.as_str()))
            }
            Method::Apop => self.apop(link),
            Method::Sasl(mechanism) => self.sasl(link, mechanism),
        }
    }

    fn apop(&self, link: &mut Link) -> Result<(), Fault> {
        let timestamp = self.timestamp.ok_or(AuthenticationError::NoTimestamp)?;
        let digest = digest::apop(timestamp, self.secret.as_str());
        let command = Command::Apop {
            user: self.user,
            digest: &digest,
        };
        accepted(link, &command)
    }

    fn sasl(&self, link: &mut Link, mechanism: SaslMechanism) -> Result<(), Fault> {
        let mut exchange = Exchange::new(mechanism, self.user, self.secret.clone())?;
        let opening = exchange.opening(|response| self.may_open(mechanism, response));
        link.queue(&Command::Auth {
            mechanism: mechanism.name(),
            initial: opening.as_deref().map(Vec::as_slice),
        })?;
        loop {
            match next_move(link, &mut exchange)? {
                Move::Wait => {
                    link.exchange(None, None)?;
                }
                Move::Answer(response) => link.queue(&Command::SaslResponse(&response))?,
                Move::Cancel(why) => return Err(cancelled(link, why)),
                Move::Done => return Ok(()),
            }
        }
    }

    /// SASL in CAPA means that AUTH takes an initial response (RFC 5034 section 3); the AUTH of RFC 1734 takes none.
    fn may_open(&self, mechanism: SaslMechanism, response: &[u8]) -> bool {
        self.offer.offers_sasl(mechanism.name())
            && Command::initial_response_fits(mechanism.name(), response)
    }
}

/// What the client does next in an exchange.
enum Move {
    Wait,
    Answer(Response),
    Cancel(AuthenticationError),
    Done,
}

fn next_move(link: &mut Link, exchange: &mut Exchange) -> Result<Move, Fault> {
    Ok(match link.next_event()? {
        Some(Event::Challenge(challenge)) => match exchange.respond(challenge) {
            Ok(response) => Move::Answer(response),
            Err(why) => Move::Cancel(why),
        },
        Some(Event::Done(status)) => {
            exchange.conclude(&status)?;
            Move::Done
        }
        Some(_) | None => Move::Wait,
    })
}

/// `*` ends the exchange, and the server answers -ERR (RFC 5034 section 4).
fn cancelled(link: &mut Link, why: AuthenticationError) -> Fault {
    if let Err(fault) = link.status(&Command::SaslCancel, |_| ()) {
        log::debug!("the cancelled exchange: {fault}");
    }
    why.into()
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
