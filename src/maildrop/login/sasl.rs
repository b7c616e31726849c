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

use super::digest;
use super::error::AuthenticationError;
use super::mechanism::SaslMechanism;
use super::secret::Secret;
use crate::maildrop::fault::Fault;
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
    /// Why the server is going to refuse, where the mechanism lets it say so.
    denial: Option<ServerText>,
}

/// What the client says next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// What needs no challenge. Where the server has to ask for it, it asks with an empty one (RFC 4422 section 3.3).
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
            Turn::Opening if !message.is_empty() => Err(self.bad("it asks for something else")),
            Turn::Opening => Ok(self.opening.take().unwrap_or_default()),
            Turn::Login => self.say(None),
            Turn::Digest if message.is_empty() => Err(self.bad("its challenge is empty")),
            Turn::Digest => Ok(self.answers.cram_md5(message)),
            Turn::ScramProof => {
                check_server_first(message).map_err(|reason| self.bad(reason))?;
                self.say(Some(message))
            }
            Turn::ScramEnd if message.starts_with(b"e=") => {
                self.denial = Some(ServerText::from(message));
                Ok(Response::default())
            }
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
mod tests {
    use super::*;
    use crate::pop3::Command;

    fn exchange(mechanism: SaslMechanism) -> Exchange {
        let secret = Secret::new(Zeroizing::new("secret".to_owned()));
        Exchange::new(mechanism, "al,i=ce", secret).unwrap()
    }

    fn opening(exchange: &mut Exchange) -> Vec<u8> {
        exchange.opening(|_| true).unwrap().to_vec()
    }

    /// As the server writes it.
    fn encoded(message: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        Command::SaslResponse(message).encode(&mut line).unwrap();
        line
    }

    fn respond(exchange: &mut Exchange, message: &[u8]) -> Result<Vec<u8>, String> {
        let response = exchange.respond(&encoded(message));
        response
            .map(|response| response.to_vec())
            .map_err(|error| error.to_string())
    }

    fn conclude(exchange: &mut Exchange, line: &[u8]) -> Result<(), String> {
        let status = Status::parse(line).unwrap();
        exchange
            .conclude(&status)
            .map_err(|fault| fault.to_string())
    }

    /// SCRAM's first message of a server that has added `rest` to our nonce.
    fn server_first(exchange: &mut Exchange, rest: &str) -> Vec<u8> {
        let first = String::from_utf8(opening(exchange)).unwrap();
        let (_, nonce) = first.split_once("r=").unwrap();
        format!("r={nonce}{rest}").into_bytes()
    }

    /// An exchange that waits for the server's proof.
    fn scram_before_its_end() -> Exchange {
        let mut exchange = exchange(SaslMechanism::ScramSha1);
        let message = server_first(&mut exchange, "x,s=QSXCR+Q6sek8bf92,i=4096");
        respond(&mut exchange, &message).unwrap();
        exchange
    }

    #[test]
    fn each_mechanism_opens_in_its_own_form() {
        for (mechanism, expected) in [
            (SaslMechanism::Plain, &b"\0al,i=ce\0secret"[..]),
            (
                SaslMechanism::Xoauth2,
                b"user=al,i=ce\x01auth=Bearer secret\x01\x01",
            ),
            (
                SaslMechanism::Oauthbearer,
                b"n,a=al=2Ci=3Dce,\x01auth=Bearer secret\x01\x01",
            ),
        ] {
            assert_eq!(opening(&mut exchange(mechanism)), expected);
        }
        for mechanism in [SaslMechanism::ScramSha1, SaslMechanism::ScramSha256] {
            let opening = opening(&mut exchange(mechanism));
            assert!(opening.starts_with(b"n,,n=al=2Ci=3Dce,r="), "{opening:?}");
        }
    }

    #[test]
    fn an_opening_that_does_not_fit_is_given_when_it_is_asked_for() {
        let mut exchange = exchange(SaslMechanism::Plain);
        assert!(exchange.opening(|_| false).is_none());
        assert_eq!(respond(&mut exchange, b"").unwrap(), b"\0al,i=ce\0secret");
        assert!(respond(&mut exchange, b"").unwrap_err().contains("goes on"));
    }

    #[test]
    fn login_gives_name_and_password_and_no_more() {
        let mut exchange = exchange(SaslMechanism::Login);
        assert!(exchange.opening(|_| true).is_none());
        assert_eq!(respond(&mut exchange, b"Username:").unwrap(), b"al,i=ce");
        assert_eq!(respond(&mut exchange, b"Password:").unwrap(), b"secret");
        assert!(
            respond(&mut exchange, b"More:")
                .unwrap_err()
                .contains("goes on")
        );
    }

    #[test]
    fn what_a_server_may_say_first_in_scram_is_bounded() {
        for (rest, is_taken) in [
            ("x,s=QSXCR+Q6sek8bf92,i=4096", true),
            ("x,s=QSXCR+Q6sek8bf92,i=4096,extension", true),
            (",s=QSXCR+Q6sek8bf92,i=4096", false),
            ("x,s=QSXCR+Q6sek8bf92,i=4095", false),
            ("x,s=QSXCR+Q6sek8bf92,i=4294967295", false),
            ("x,s=QSXCR+Q6sek8bf92,i=99999999999", false),
            ("x,s=QSXCR+Q6sek8bf92,i=-5000", false),
            ("x,s=QSXCR+Q6sek8bf92,", false),
            ("x,s=QSXCR+Q6sek8bf92", false),
            ("x,s=!,i=4096", false),
            ("x,,", false),
            ("x,s", false),
            ("", false),
        ] {
            let mut exchange = exchange(SaslMechanism::ScramSha256);
            let message = server_first(&mut exchange, rest);
            let response = respond(&mut exchange, &message);
            assert_eq!(response.is_ok(), is_taken, "{rest}: {response:?}");
        }
        for message in ["", "r", "r=", "m=x", "r=another,s=QSXCR+Q6sek8bf92,i=4096"] {
            let mut exchange = exchange(SaslMechanism::ScramSha256);
            opening(&mut exchange);
            assert!(
                respond(&mut exchange, message.as_bytes()).is_err(),
                "{message}"
            );
        }
    }

    #[test]
    fn a_server_that_proves_nothing_is_not_trusted() {
        let mut opened = exchange(SaslMechanism::ScramSha256);
        opening(&mut opened);
        let mut denied = scram_before_its_end();
        assert_eq!(respond(&mut denied, b"e=other-error").unwrap(), b"");
        for mut exchange in [opened, scram_before_its_end(), denied] {
            for line in [&b"+OK"[..], b"+OK v", b"+OK dj1B", b"+OK logged in"] {
                let error = conclude(&mut exchange, line).unwrap_err();
                assert!(error.contains("could not prove"), "{error}");
            }
        }
        for message in [&b""[..], b"v", b"v=", b"v=AAAA", b"x=AAAA"] {
            let error = respond(&mut scram_before_its_end(), message).unwrap_err();
            assert!(error.contains("could not prove"), "{error}");
        }
    }

    #[test]
    fn a_refused_token_is_told_with_the_servers_reasons() {
        for (mechanism, answer) in [
            (SaslMechanism::Xoauth2, &b""[..]),
            (SaslMechanism::Oauthbearer, b"\x01"),
        ] {
            let mut exchange = exchange(mechanism);
            opening(&mut exchange);
            let reasons = b"{\"status\":\"invalid_token\"}\x1b[2J";
            assert_eq!(respond(&mut exchange, reasons).unwrap(), answer);
            let error = conclude(&mut exchange, b"-ERR [AUTH] no").unwrap_err();
            assert!(error.contains("refused the token"), "{error}");
            assert!(
                error.contains(r#"{"status":"invalid_token"}\x1b[2J"#),
                "{error}"
            );
        }
    }

    #[test]
    fn an_err_means_a_wrong_password_only_after_one_was_sent() {
        let mut silent = exchange(SaslMechanism::Login);
        let error = conclude(&mut silent, b"-ERR unknown command").unwrap_err();
        assert!(error.contains("refuses AUTH LOGIN"), "{error}");
        let mut plain = exchange(SaslMechanism::Plain);
        opening(&mut plain);
        let error = conclude(&mut plain, b"-ERR no").unwrap_err();
        assert!(error.contains("refused the login"), "{error}");
        let mut busy = exchange(SaslMechanism::Xoauth2);
        opening(&mut busy);
        let error = conclude(&mut busy, b"-ERR [IN-USE] no").unwrap_err();
        assert!(error.contains("busy"), "{error}");
    }

    #[test]
    fn a_token_that_would_end_its_field_is_refused() {
        for token in ["a\x01b", "a b", "t\u{e9}"] {
            let secret = Secret::new(Zeroizing::new(token.to_owned()));
            let error = Exchange::new(SaslMechanism::Xoauth2, "alice", secret);
            assert!(
                matches!(error, Err(AuthenticationError::Unusable { .. })),
                "{token:?}"
            );
        }
    }
}
