//! One authentication attempt, in AUTHORIZATION state (RFC 1939 section 4).

use crate::maildrop::connection::link::Link;
use crate::maildrop::fault::Fault;
use crate::maildrop::fault::authentication::AuthenticationError;
use crate::maildrop::login::digest;
use crate::maildrop::login::mechanism::{Method, SaslMechanism};
use crate::maildrop::login::sasl::{Exchange, Response};
use crate::maildrop::login::secret::Secret;
use crate::pop3::{Capabilities, Command, Event};

/// What an attempt needs to know.
pub(super) struct Attempt<'a> {
    pub(super) user: &'a str,
    pub(super) secret: &'a Secret,
    /// The timestamp in the server's greeting, for APOP.
    pub(super) timestamp: Option<&'a [u8]>,
    /// What the server offered on this connection.
    pub(super) offer: &'a Capabilities,
}

impl Attempt<'_> {
    /// Authenticates. On success the session is in TRANSACTION state. The caller has checked that
    /// the secret may be sent over this link.
    pub(super) fn make(&self, link: &mut Link, method: Method) -> Result<(), Fault> {
        match method {
            Method::UserPass => {
                require_ok(link, &Command::User(self.user))?;
                require_ok(link, &Command::Pass(self.secret.as_bytes()))
            }
            Method::Apop => self.apop(link),
            Method::Sasl(mechanism) => self.sasl(link, mechanism),
        }
        .map_err(Fault::awaiting_login)
    }

    fn apop(&self, link: &mut Link) -> Result<(), Fault> {
        let timestamp = self.timestamp.ok_or(AuthenticationError::NoTimestamp)?;
        let digest = digest::apop(timestamp, self.secret.as_bytes());
        let command = Command::Apop {
            user: self.user,
            digest: &digest,
        };
        require_ok(link, &command)
    }

    fn sasl(&self, link: &mut Link, mechanism: SaslMechanism) -> Result<(), Fault> {
        let mut exchange = Exchange::new(mechanism, self.user, self.secret.clone())?;
        let opening = exchange.opening(|response| self.can_send_initial(mechanism, response));
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
                Move::Cancel(why) => return Err(cancel(link, why)),
                Move::Done => return Ok(()),
            }
        }
    }

    /// A server that lists the mechanism under SASL in CAPA accepts an initial response (RFC 5034
    /// section 3). A server that knows only the AUTH of RFC 1734 does not.
    fn can_send_initial(&self, mechanism: SaslMechanism, response: &[u8]) -> bool {
        self.offer.offers_sasl(mechanism.name())
            && Command::initial_response_fits(mechanism.name(), response)
    }
}

/// What the client does next in an exchange.
enum Move {
    /// Wait for the server.
    Wait,
    /// Answer the server's challenge.
    Answer(Response),
    /// Cancel the exchange, because the server's challenge is wrong.
    Cancel(AuthenticationError),
    /// Nothing: the server accepted the user.
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

/// Sends `*`, to which the server answers -ERR (RFC 5034 section 4). Returns the reason as a fault.
fn cancel(link: &mut Link, why: AuthenticationError) -> Fault {
    if let Err(fault) = link.status(&Command::SaslCancel, |_| ()) {
        log::debug!("cancelling AUTH: {fault}");
    }
    why.into()
}

/// Sends the command and waits for +OK.
fn require_ok(link: &mut Link, command: &Command<'_>) -> Result<(), Fault> {
    link.status(command, |status| {
        if status.is_ok() {
            Ok(())
        } else {
            Err(Fault::of_login(status))
        }
    })?
}
