//! Tests of what each mechanism sends and which challenges it accepts.

use super::*;
use crate::pop3::Command;

fn exchange(mechanism: SaslMechanism) -> Exchange {
    let secret = Secret::new(Zeroizing::new(b"secret".to_vec()));
    Exchange::new(mechanism, "al,i=ce", secret).unwrap()
}

fn opening(exchange: &mut Exchange) -> Vec<u8> {
    exchange.opening(|_| true).unwrap().to_vec()
}

/// The message in base64, as the server sends it.
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

/// The server's first SCRAM message: the client's nonce, followed by `rest`.
fn server_first(exchange: &mut Exchange, rest: &str) -> Vec<u8> {
    let first = String::from_utf8(opening(exchange)).unwrap();
    let (_, nonce) = first.split_once("r=").unwrap();
    format!("r={nonce}{rest}").into_bytes()
}

/// A SCRAM exchange in which only the server's signature is missing.
fn scram_before_its_end() -> Exchange {
    let mut exchange = exchange(SaslMechanism::ScramSha1);
    let message = server_first(&mut exchange, "x,s=QSXCR+Q6sek8bf92,i=4096");
    respond(&mut exchange, &message).unwrap();
    exchange
}

#[test]
fn each_mechanism_sends_its_own_first_message() {
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
fn a_first_message_that_does_not_fit_answers_a_challenge() {
    let mut exchange = exchange(SaslMechanism::Plain);
    assert!(exchange.opening(|_| false).is_none());
    assert_eq!(respond(&mut exchange, b"").unwrap(), b"\0al,i=ce\0secret");
    let error = respond(&mut exchange, b"").unwrap_err();
    assert!(error.contains("more challenges"), "{error}");
}

#[test]
fn login_sends_the_user_name_the_password_and_no_more() {
    let mut exchange = exchange(SaslMechanism::Login);
    assert!(exchange.opening(|_| true).is_none());
    assert_eq!(respond(&mut exchange, b"Username:").unwrap(), b"al,i=ce");
    assert_eq!(respond(&mut exchange, b"Password:").unwrap(), b"secret");
    assert!(
        respond(&mut exchange, b"More:")
            .unwrap_err()
            .contains("more challenges")
    );
}

#[test]
fn scram_refuses_malformed_and_costly_first_messages() {
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
fn a_malformed_first_message_of_scram_is_explained() {
    for (rest, reason) in [
        ("x", "its first message has no nonce and salt"),
        (
            "x,s=QSXCR+Q6sek8bf92,i=1",
            "it asks for too few or too many iterations",
        ),
    ] {
        let mut exchange = exchange(SaslMechanism::ScramSha256);
        let message = server_first(&mut exchange, rest);
        let error = respond(&mut exchange, &message).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let mut digest = exchange(SaslMechanism::CramMd5);
    assert!(digest.opening(|_| true).is_none());
    let error = respond(&mut digest, b"").unwrap_err();
    assert!(error.contains("its challenge is empty"), "{error}");
}

#[test]
fn a_scram_server_without_a_valid_signature_is_refused() {
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
fn a_refused_token_is_reported_with_the_servers_reasons() {
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
fn err_means_a_refused_login_only_after_a_secret_was_sent() {
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
fn a_token_with_a_space_or_special_character_is_unusable() {
    for token in ["a\x01b", "a b", "t\u{e9}"] {
        let secret = Secret::new(Zeroizing::new(token.as_bytes().to_vec()));
        let error = Exchange::new(SaslMechanism::Xoauth2, "alice", secret);
        assert!(
            matches!(error, Err(AuthenticationError::Unusable { .. })),
            "{token:?}"
        );
    }
}
