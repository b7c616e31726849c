//! SCRAM with servers that know the password and with servers that do not.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::guard::{Guard, Visitor, decoded};
use crate::{assert_says, count, in_the_clear, refusal};

const OFFER: &[&str] = &["SASL SCRAM-SHA-256"];
const SALT: &[u8] = b"salt of sixteen.";
const ITERATIONS: u32 = 4096;

/// Runs the exchange up to the client's proof; returns the server's signature (RFC 5802 section 3).
fn signature(visitor: &mut Visitor<'_>, auth: &str) -> io::Result<String> {
    let initial = auth.rsplit(' ').next().unwrap_or_default();
    let client_first = decoded(initial);
    let client_first = client_first.strip_prefix("n,,").expect("a GS2 header");
    let (_, nonce) = client_first.split_once(",r=").expect("a nonce");
    let salt = STANDARD.encode(SALT);
    let server_first = format!("r={nonce}server,s={salt},i={ITERATIONS}");
    visitor.challenge(&server_first)?;
    let client_final = visitor.hear_response()?;
    let (without_proof, _) = client_final.split_once(",p=").expect("a proof");
    let server_key = mac(&salted_password(), b"Server Key");
    let message = format!("{client_first},{server_first},{without_proof}");
    Ok(STANDARD.encode(mac(&server_key, message.as_bytes())))
}

/// `Hi(password, salt, i)`.
fn salted_password() -> [u8; 32] {
    let mut block = mac(b"secret", &[SALT, &[0, 0, 0, 1]].concat());
    let mut salted = block;
    for _ in 1..ITERATIONS {
        block = mac(b"secret", &block);
        salted
            .iter_mut()
            .zip(block)
            .for_each(|(sum, octet)| *sum ^= octet);
    }
    salted
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    keyed.chain_update(message).finalize().into_bytes().into()
}

#[test]
fn a_signature_in_a_challenge_is_accepted() {
    let guard = Guard::start(OFFER, |visitor, auth| {
        let signature = signature(visitor, auth)?;
        visitor.challenge(&format!("v={signature}"))?;
        assert_eq!(visitor.hear()?, "");
        visitor.say("+OK welcome")
    });
    let mount = in_the_clear(&guard.source(), "scram-sha-256").mount();
    assert_eq!(count(&mount), 0);
}

#[test]
fn a_signature_after_ok_is_accepted() {
    let guard = Guard::start(OFFER, |visitor, auth| {
        let signature = signature(visitor, auth)?;
        let last = STANDARD.encode(format!("v={signature}"));
        visitor.say(&format!("+OK {last}"))
    });
    let mount = in_the_clear(&guard.source(), "scram-sha-256").mount();
    assert_eq!(count(&mount), 0);
}

/// What pop3fs says about a server that gets the client's proof and then continues with `last`.
fn cheated(last: fn(&mut Visitor<'_>) -> io::Result<()>) -> (String, Guard) {
    let guard = Guard::start(OFFER, move |visitor, auth| {
        signature(visitor, auth)?;
        last(visitor)
    });
    let said = refusal(in_the_clear(&guard.source(), "auto"));
    (said, guard)
}

#[test]
fn a_wrong_signature_ends_the_session() {
    let (said, guard) = cheated(|visitor| {
        visitor.challenge(&format!("v={}", STANDARD.encode([7; 32])))?;
        assert_eq!(visitor.hear()?, "*");
        visitor.say("+OK come in all the same")
    });
    assert_says(&said, &["could not prove that it knows the password"]);
    assert_eq!((guard.count("AUTH"), guard.count("STAT")), (1, 0));
}

#[test]
fn an_ok_without_a_signature_is_refused() {
    let wrong = format!("+OK {}", STANDARD.encode("v=AAAA"));
    let lines: [&'static str; 3] = ["+OK", "+OK welcome, trust me", wrong.leak()];
    for line in lines {
        let guard = Guard::start(OFFER, move |visitor, auth| {
            signature(visitor, auth)?;
            visitor.say(line)
        });
        let said = refusal(in_the_clear(&guard.source(), "auto"));
        assert_says(&said, &["could not prove that it knows the password"]);
        assert_eq!(guard.count("STAT"), 0, "{line}");
    }
}

#[test]
fn an_ok_before_any_challenge_is_refused() {
    let guard = Guard::start(OFFER, |visitor, _| visitor.say("+OK welcome"));
    let said = refusal(in_the_clear(&guard.source(), "auto"));
    assert_says(&said, &["could not prove that it knows the password"]);
    assert_eq!(guard.count("STAT"), 0);
}

#[test]
fn an_error_attribute_of_the_server_is_a_refused_password() {
    let (said, guard) = cheated(|visitor| {
        visitor.challenge("e=invalid-proof")?;
        assert_eq!(visitor.hear()?, "");
        visitor.say("-ERR no")
    });
    assert_says(&said, &["refused the login"]);
    assert_eq!(guard.count("AUTH"), 1);
}

#[test]
fn malformed_or_extreme_challenges_are_refused() {
    for rest in [
        "",
        ",",
        ",s",
        ",s=,i",
        ",s=QQ==,i=1",
        ",s=QQ==,i=4294967295",
    ] {
        let guard = Guard::start(OFFER, move |visitor, auth| {
            let client_first = decoded(auth.rsplit(' ').next().unwrap_or_default());
            let (_, nonce) = client_first.split_once(",r=").expect("a nonce");
            visitor.challenge(&format!("r={nonce}x{rest}"))?;
            assert_eq!(visitor.hear()?, "*");
            visitor.say("-ERR cancelled")
        });
        let said = refusal(in_the_clear(&guard.source(), "auto"));
        assert_says(&said, &["AUTH SCRAM-SHA-256 is wrong"]);
    }
}
