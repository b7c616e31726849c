//! Bearer tokens as an identity provider issues them: JSON Web Tokens (RFC 7519) with HS256.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::dovecot::Dovecot;

/// The key that the provider and the server share.
pub(super) const KEY: &[u8] = b"the key of the identity provider of the tests";

/// A token of [`Dovecot::USER`] that is valid until `expiry`.
pub fn until(expiry: SystemTime) -> String {
    with_claims(expiry, "")
}

/// A token that is valid for an hour and longer than this many octets.
pub fn longer_than(octets: usize) -> String {
    with_claims(
        in_an_hour(),
        &format!(",\"scope\":\"{}\"", "x".repeat(octets)),
    )
}

/// Expiry of tokens that must not expire during a test.
pub fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

fn with_claims(expiry: SystemTime, more: &str) -> String {
    let claims = format!(
        r#"{{"sub":"{}","iat":{},"exp":{}{more}}}"#,
        Dovecot::USER,
        seconds(SystemTime::now()) - 60,
        seconds(expiry)
    );
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let key = Hmac::<Sha256>::new_from_slice(KEY).expect("HMAC takes a key of any length");
    let signature = key.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .expect("a time after 1970")
        .as_secs()
}
