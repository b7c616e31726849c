//! One SASL exchange (RFC 4422), from AUTH to the status line. The only door to `rsasl`.
//!
//! # Theory of operation
//!
//! A mechanism is a row of [`Turn`]s: what the client says, one turn a challenge. Where the first turn needs no challenge it
//! goes with the AUTH command if it fits. Whatever the server says beyond the last turn ends the exchange, so no server
//! keeps us talking.
//!
//! ```text
//! AUTH PLAIN AGFsaWNlAHNlY3JldA==      opening()      ─▶ +OK / -ERR                                     conclude()
//! AUTH SCRAM-SHA-256 biwsbj1…          opening()      ─▶ + cj1…   respond() ─▶ + dj1…  respond() ─▶ +OK  conclude()
//! AUTH XOAUTH2                         (too long)     ─▶ +        respond() ─▶ + eyJ…  respond() ─▶ -ERR conclude()
//! ```
//!
//! rsasl makes the messages. What the server sends reaches it only after a look at its form: rsasl 2.3 panics at a short
//! attribute and counts as many iterations as the server asks for.

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

/// A message of the client, before its base64.
pub(super) type Response = Zeroizing<Vec<u8>>;

/// RFC 7677 section 4 demands 4,096. Many more are there to keep us busy: this many take seconds.
const ITERATIONS: RangeInclusive<u32> = 4_096..=5_000_000;

/// Room for what a mechanism writes around user name and secret: no half of a secret stays behind in a buffer that was
/// too small.
const FRAMING: usize = 1024;

/// An exchange under way.
pub(super) struct Exchange {
    mechanism: SaslMechanism,
    answers: Answers,
    /// None for CRAM-MD5, which rsasl lacks.
    session: Option<Session>,
    /// The opening that was not said yet.
    opening: Option<Response>,
    turns: &'static [Turn],
    has_spoken: bool,
    server: ServerProof,
    /// Why the server is going to refuse the token.
    denial: Option<ServerText>,
}

/// What the client says next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// What needs no challenge. Where the server has to ask for it, it has nothing to say (RFC 4422 section 3.3).
    Opening,
    /// What LOGIN's challenge asks for, in whatever words: first the user name, then the password.
    Login,
    /// The digest of CRAM-MD5.
    Digest,
    /// SCRAM's proof, to salt and iterations.
    ScramProof,
    /// Nothing, once the server's signature was checked.
    ScramEnd,
    /// What an error report has to be answered with before the -ERR comes.
    Denied(&'static [u8]),
}

/// Whether the server has shown that it knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerProof {
    /// The mechanism has no such thing.
    NotDue,
    Due,
    Given,
}

impl SaslMechanism {
    fn turns(self) -> &'static [Turn] {
        match self {
            SaslMechanism::Plain => &[Turn::Opening],
            // Some servers know no initial response here, so the server asks first.
            SaslMechanism::Login => &[Turn::Login, Turn::Login],
            SaslMechanism::CramMd5 => &[Turn::Digest],
            SaslMechanism::ScramSha1 | SaslMechanism::ScramSha256 => {
                &[Turn::Opening, Turn::ScramProof, Turn::ScramEnd]
            }
            SaslMechanism::Xoauth2 => &[Turn::Opening, Turn::Denied(b"")],
            // RFC 7628 section 3.2.3
            SaslMechanism::Oauthbearer => &[Turn::Opening, Turn::Denied(b"\x01")],
        }
    }

    fn is_of_tokens(self) -> bool {
        matches!(self, SaslMechanism::Xoauth2 | SaslMechanism::Oauthbearer)
    }
}

impl Exchange {
    /// Nothing is said yet.
    ///
    /// # Errors
    /// [`AuthenticationError::Unusable`]
    pub(super) fn new(
        mechanism: SaslMechanism,
        user: &str,
        secret: Secret,
    ) -> Result<Exchange, AuthenticationError> {
        let answers = Answers::new(mechanism, user, secret)?;
        let server = if mechanism.turns().contains(&Turn::ScramEnd) {
            ServerProof::Due
        } else {
            ServerProof::NotDue
        };
        let mut exchange = Exchange {
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

    /// What goes with the AUTH command where `fits` says so; otherwise [`Exchange::respond`] gives it.
    pub(super) fn opening(&mut self, fits: impl FnOnce(&[u8]) -> bool) -> Option<Response> {
        let opening = self.opening.take_if(|opening| fits(opening))?;
        self.turns = &self.turns[1..];
        self.has_spoken = true;
        Some(opening)
    }

    /// The answer to a challenge, which is still in base64.
    ///
    /// # Errors
    /// The exchange is to be cancelled.
    pub(super) fn respond(&mut self, encoded: &[u8]) -> Result<Response, AuthenticationError> {
        let Some(message) = challenge(encoded) else {
            return Err(self.bad("it is not base64"));
        };
        let Some((turn, rest)) = self.turns.split_first() else {
            return Err(self.bad("it goes on after the end"));
        };
        self.turns = rest;
        let response = self.take_turn(*turn, &message)?;
        self.has_spoken = true;
        Ok(response)
    }

    /// What the status line makes of the exchange.
    ///
    /// # Errors
    /// The user is not let in, or the server is not to be trusted.
    pub(super) fn conclude(&mut self, status: &Status<'_>) -> Result<(), Fault> {
        if !status.is_ok() {
            return Err(self.refusal(status));
        }
        if self.turns == [Turn::ScramEnd] {
            self.check_proof_beside(status.text)?;
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
            // `server-error`: the -ERR that follows says it again.
            Turn::ScramEnd if message.starts_with(b"e=") => Ok(Response::default()),
            Turn::ScramEnd => self.check_proof(message),
            Turn::Denied(answer) => {
                self.denial = Some(ServerText::from(message));
                Ok(Response::new(answer.to_vec()))
            }
        }
    }

    /// `verifier = "v=" base64` (RFC 5802 section 7).
    fn check_proof(&mut self, message: &[u8]) -> Result<Response, AuthenticationError> {
        if !message.starts_with(b"v=") || self.step(Some(message)).is_err() {
            return Err(AuthenticationError::ServerUnproven);
        }
        self.server = ServerProof::Given;
        Ok(Response::default())
    }

    /// Some servers save the last round trip and put the proof behind +OK.
    fn check_proof_beside(&mut self, text: &[u8]) -> Result<(), AuthenticationError> {
        let word = text.split(u8::is_ascii_whitespace).next();
        let message = word.and_then(challenge);
        self.check_proof(&message.unwrap_or_default()).map(drop)
    }

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

    /// The message that rsasl makes, of a challenge if it needs one.
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

/// What rsasl may ask for.
#[derive(Clone)]
struct Answers {
    user: String,
    /// Of OAUTHBEARER alone, where the user name has no other place.
    identity: Option<String>,
    secret: Secret,
}

impl Answers {
    fn new(
        mechanism: SaslMechanism,
        user: &str,
        secret: Secret,
    ) -> Result<Answers, AuthenticationError> {
        if mechanism.is_of_tokens() && !secret.as_str().bytes().all(|o| o.is_ascii_graphic()) {
            return Err(unusable(
                mechanism,
                "the token has a space or a special character",
            ));
        }
        Ok(Answers {
            user: user.to_owned(),
            identity: (mechanism == SaslMechanism::Oauthbearer).then(|| saslname(user)),
            secret,
        })
    }

    fn cram_md5(&self, challenge: &[u8]) -> Response {
        digest::cram_md5(&self.user, self.secret.as_str(), challenge)
    }

    fn len(&self) -> usize {
        self.user.len() + self.secret.as_str().len()
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
            .satisfy::<Password>(self.secret.as_str().as_bytes())?
            .satisfy::<OAuthBearerToken>(self.secret.as_str())?;
        Ok(())
    }
}

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

/// A comma and an equal sign mean something else in a GS2 header (RFC 5801 section 4).
fn saslname(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

/// ```text
/// server-first-message = nonce "," salt "," iteration-count ["," extensions]      ; RFC 5802 section 7
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
