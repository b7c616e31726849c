//! One SASL exchange (RFC 4422), from AUTH to the status line. No other module uses the crate
//! `rsasl`.
//!
//! # Theory of operation
//!
//! A mechanism is a list of [`Turn`]s. In each turn the client answers one challenge. If the first
//! turn needs no challenge, its message is sent with the AUTH command if it fits there. A challenge
//! after the last turn ends the exchange, so a server cannot prolong it for ever.
//!
//! ```text
//! AUTH PLAIN AGFs…    opening()  ─▶ +OK / -ERR                              conclude()
//! AUTH SCRAM… biws…   opening()  ─▶ + cj1… respond() ─▶ + dj1… respond() ─▶ +OK  conclude()
//! AUTH XOAUTH2        (too long) ─▶ +      respond() ─▶ + eyJ… respond() ─▶ -ERR conclude()
//! ```
//!
//! rsasl makes the messages. It sees a server's SCRAM message only after this module has checked
//! the form: rsasl 2.3 panics on a short attribute, and computes as many iterations as the server
//! asks for.

use std::ops::RangeInclusive;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig, Session, SessionError};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password};
use zeroize::Zeroizing;

use crate::maildrop::fault::Fault;
use crate::maildrop::fault::authentication::AuthenticationError;
use crate::maildrop::login::digest;
use crate::maildrop::login::mechanism::SaslMechanism;
use crate::maildrop::login::secret::Secret;
use crate::pop3::reply::challenge;
use crate::pop3::{ServerText, Status};

/// A message from the client, not yet in base64.
pub(super) type Response = Zeroizing<Vec<u8>>;

/// How many iterations a server may ask for. RFC 7677 section 4 demands at least 4,096. The upper
/// limit takes seconds to compute; a server that asks for more wastes our time.
const ITERATIONS: RangeInclusive<u32> = 4_096..=5_000_000;

/// Octets reserved for what a mechanism writes around the user name and the secret. With enough
/// room the buffer never grows, so no copy of the secret remains in memory that was freed.
const FRAMING: usize = 1024;

/// The state of an exchange.
pub(super) struct Exchange {
    mechanism: SaslMechanism,
    answers: Answers,
    /// `None` for CRAM-MD5, which rsasl does not implement.
    session: Option<Session>,
    /// The first message, until it is sent.
    opening: Option<Response>,
    /// The turns that are left.
    turns: &'static [Turn],
    /// The client has sent a message of the mechanism.
    has_spoken: bool,
    server: ServerProof,
    /// The server's error report about the token. It comes before the -ERR.
    denial: Option<ServerText>,
}

/// What the client sends next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// A message that needs no challenge. If it was not sent with AUTH, the server asks for it with
    /// an empty challenge (RFC 4422 section 3.3).
    Opening,
    /// The user name in LOGIN's first turn, the password in its second. Servers word these
    /// challenges differently, so their text is ignored.
    Login,
    /// The digest of CRAM-MD5.
    Digest,
    /// SCRAM's client proof, in answer to the salt and the iteration count.
    ScramProof,
    /// An empty message, after the client has checked the server's SCRAM signature.
    ScramEnd,
    /// The fixed answer to an error report. The server sends its -ERR after it.
    Denied(&'static [u8]),
}

/// Whether the server has proved that it knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerProof {
    /// The mechanism has no such proof.
    NotDue,
    /// The server has to prove it before the exchange ends.
    Due,
    /// The server has proved it.
    Given,
}

impl SaslMechanism {
    fn turns(self) -> &'static [Turn] {
        match self {
            Self::Plain => &[Turn::Opening],
            // Some servers accept no initial response for LOGIN, so the client waits to be asked.
            Self::Login => &[Turn::Login, Turn::Login],
            Self::CramMd5 => &[Turn::Digest],
            Self::ScramSha1 | Self::ScramSha256 => {
                &[Turn::Opening, Turn::ScramProof, Turn::ScramEnd]
            }
            Self::Xoauth2 => &[Turn::Opening, Turn::Denied(b"")],
            // RFC 7628 section 3.2.3.
            Self::Oauthbearer => &[Turn::Opening, Turn::Denied(b"\x01")],
        }
    }

    fn is_of_tokens(self) -> bool {
        matches!(self, Self::Xoauth2 | Self::Oauthbearer)
    }
}

impl Exchange {
    /// Starts an exchange, without sending anything.
    ///
    /// # Errors
    /// [`AuthenticationError::Unusable`] if the mechanism cannot carry the user name or the secret.
    pub(super) fn new(
        mechanism: SaslMechanism,
        user: &str,
        secret: Secret,
    ) -> Result<Self, AuthenticationError> {
        let answers = Answers::new(mechanism, user, secret)?;
        let server = if mechanism.turns().contains(&Turn::ScramEnd) {
            ServerProof::Due
        } else {
            ServerProof::NotDue
        };
        let mut exchange = Self {
            session: session(mechanism, &answers)?,
            mechanism,
            answers,
            opening: None,
            turns: mechanism.turns(),
            has_spoken: false,
            server,
            denial: None,
        };
        if exchange.turns.first() == Some(&Turn::Opening) {
            exchange.opening = Some(exchange.say(None)?);
        }
        Ok(exchange)
    }

    /// The first message, for the AUTH command, if it exists and `fits` accepts it. Otherwise
    /// [`Exchange::respond`] returns it later.
    pub(super) fn opening(&mut self, fits: impl FnOnce(&[u8]) -> bool) -> Option<Response> {
        let opening = self.opening.take_if(|opening| fits(opening))?;
        self.turns = &self.turns[1..];
        self.has_spoken = true;
        Some(opening)
    }

    /// The answer to a challenge. `encoded` is in base64.
    ///
    /// # Errors
    /// The challenge is wrong. The caller has to cancel the exchange.
    pub(super) fn respond(&mut self, encoded: &[u8]) -> Result<Response, AuthenticationError> {
        let message = match (challenge(encoded), self.turns.first()) {
            (Some(message), _) => message,
            // The server only asks for the next message. Some do so in plain words (`+ go ahead`).
            (None, Some(Turn::Opening)) => Vec::new(),
            (None, _) => return Err(self.bad("its challenge is not base64")),
        };
        let Some((turn, rest)) = self.turns.split_first() else {
            return Err(self.bad("it sent more challenges than the mechanism has"));
        };
        self.turns = rest;
        let response = self.take_turn(*turn, &message)?;
        self.has_spoken = true;
        Ok(response)
    }

    /// Ends the exchange with the server's status line.
    ///
    /// # Errors
    /// The server refused the user, or did not prove that it knows the password.
    pub(super) fn conclude(&mut self, status: &Status<'_>) -> Result<(), Fault> {
        if !status.is_ok() {
            return Err(self.refusal(status));
        }
        if self.turns == [Turn::ScramEnd] {
            self.check_proof_after_ok(status.text)?;
        }
        match self.server {
            ServerProof::Due => Err(AuthenticationError::ServerUnproven.into()),
            ServerProof::NotDue | ServerProof::Given => Ok(()),
        }
    }

    fn take_turn(&mut self, turn: Turn, message: &[u8]) -> Result<Response, AuthenticationError> {
        match turn {
            Turn::Opening => Ok(self.opening.take().unwrap_or_default()),
            Turn::Login => self.say(None),
            Turn::Digest if message.is_empty() => Err(self.bad("its challenge is empty")),
            Turn::Digest => Ok(self.answers.cram_md5(message)),
            Turn::ScramProof => {
                check_server_first(message).map_err(|reason| self.bad(reason))?;
                self.say(Some(message))
            }
            // A `server-error`. The -ERR that follows reports the same failure.
            Turn::ScramEnd if message.starts_with(b"e=") => Ok(Response::default()),
            Turn::ScramEnd => self.check_proof(message),
            Turn::Denied(answer) => {
                self.denial = Some(ServerText::from(message));
                Ok(Response::new(answer.to_vec()))
            }
        }
    }

    /// Checks the server's signature, `verifier = "v=" base64` (RFC 5802 section 7).
    fn check_proof(&mut self, message: &[u8]) -> Result<Response, AuthenticationError> {
        if !message.starts_with(b"v=") || self.step(Some(message)).is_err() {
            return Err(AuthenticationError::ServerUnproven);
        }
        self.server = ServerProof::Given;
        Ok(Response::default())
    }

    /// Checks a signature that follows +OK. Some servers send it there to save a round trip.
    fn check_proof_after_ok(&mut self, text: &[u8]) -> Result<(), AuthenticationError> {
        let word = text.split(u8::is_ascii_whitespace).next();
        let message = word.and_then(challenge);
        self.check_proof(&message.unwrap_or_default()).map(drop)
    }

    /// The fault for an -ERR that ended the exchange.
    fn refusal(&mut self, status: &Status<'_>) -> Fault {
        let mechanism = self.mechanism.name();
        match Fault::of_login(status) {
            Fault::LoginRefused(text) if !self.has_spoken && status.code.is_none() => {
                AuthenticationError::MechanismRefused { mechanism, text }.into()
            }
            Fault::LoginRefused(text) if self.mechanism.is_of_tokens() => {
                let details = self.denial.take();
                AuthenticationError::TokenRefused { text, details }.into()
            }
            fault => fault,
        }
    }

    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Response, SessionError> {
        let session = self.session.as_mut().ok_or(SessionError::MechanismDone)?;
        let mut response = Response::new(Vec::with_capacity(self.answers.len() + FRAMING));
        session.step(challenge, &mut *response)?;
        Ok(response)
    }

    /// Has rsasl make the next message, from the challenge if it needs one.
    fn say(&mut self, challenge: Option<&[u8]>) -> Result<Response, AuthenticationError> {
        let made = self.step(challenge);
        made.map_err(|error| match challenge {
            Some(_) => self.bad(&error),
            None => unusable(self.mechanism, &error),
        })
    }

    fn bad(&self, reason: &(impl ToString + ?Sized)) -> AuthenticationError {
        AuthenticationError::BadChallenge {
            mechanism: self.mechanism.name(),
            reason: reason.to_string(),
        }
    }
}

/// What rsasl may ask for while it makes a message.
#[derive(Clone)]
struct Answers {
    user: String,
    /// The authorization identity. Only OAUTHBEARER needs it, to carry the user name.
    identity: Option<String>,
    secret: Secret,
}

impl Answers {
    fn new(
        mechanism: SaslMechanism,
        user: &str,
        secret: Secret,
    ) -> Result<Self, AuthenticationError> {
        if mechanism.is_of_tokens() && !secret.as_bytes().iter().all(u8::is_ascii_graphic) {
            return Err(unusable(
                mechanism,
                "the token has a space or a special character",
            ));
        }
        Ok(Self {
            user: user.to_owned(),
            identity: (mechanism == SaslMechanism::Oauthbearer).then(|| saslname(user)),
            secret,
        })
    }

    fn cram_md5(&self, challenge: &[u8]) -> Response {
        digest::cram_md5(&self.user, self.secret.as_bytes(), challenge)
    }

    fn len(&self) -> usize {
        self.user.len() + self.secret.as_bytes().len()
    }
}

impl SessionCallback for Answers {
    fn callback(
        &self,
        _: &SessionData,
        _: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if let Some(identity) = &self.identity {
            request.satisfy::<AuthzId>(identity)?;
        }
        request
            .satisfy::<AuthId>(&self.user)?
            .satisfy::<Password>(self.secret.as_bytes())?;
        // A password may have other octets, but `Answers::new` has checked a token.
        if let Ok(token) = std::str::from_utf8(self.secret.as_bytes()) {
            request.satisfy::<OAuthBearerToken>(token)?;
        }
        Ok(())
    }
}

/// The rsasl session. `None` for CRAM-MD5, which rsasl does not implement.
fn session(
    mechanism: SaslMechanism,
    answers: &Answers,
) -> Result<Option<Session>, AuthenticationError> {
    if mechanism == SaslMechanism::CramMd5 {
        return Ok(None);
    }
    let name = Mechname::parse(mechanism.name().as_bytes());
    let name = name.map_err(|error| unusable(mechanism, &error))?;
    let config = SASLConfig::builder()
        .with_defaults()
        .with_callback(answers.clone())
        .map_err(|error| unusable(mechanism, &error))?;
    SASLClient::new(config)
        .start_suggested_iter([name])
        .map(Some)
        .map_err(|error| unusable(mechanism, &error))
}

fn unusable(mechanism: SaslMechanism, reason: &(impl ToString + ?Sized)) -> AuthenticationError {
    AuthenticationError::Unusable {
        mechanism: mechanism.name(),
        reason: reason.to_string(),
    }
}

/// Escapes the comma and the equal sign, which have a meaning in a GS2 header (RFC 5801 section 4).
fn saslname(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

/// Checks the server's first SCRAM message (RFC 5802 section 7):
/// ```text
/// server-first-message = nonce "," salt "," iteration-count ["," extensions]
/// ```
fn check_server_first(message: &[u8]) -> Result<(), &'static str> {
    let mut attributes = message.split(|&octet| octet == b',');
    let mut next = |name: &[u8]| attributes.next()?.strip_prefix(name);
    if next(b"r=").is_none() || next(b"s=").is_none() {
        return Err("its first message has no nonce and salt");
    }
    let count = next(b"i=").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    match count {
        Some(count) if ITERATIONS.contains(&count) => Ok(()),
        _ => Err("it asks for too few or too many iterations"),
    }
}

#[cfg(test)]
mod tests;
