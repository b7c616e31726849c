//! The MD5 digests of APOP and CRAM-MD5. No other module uses the crates `md-5` and `hmac`.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// The APOP digest (RFC 1939 section 7), in hexadecimal. `timestamp` includes its angle brackets.
pub(super) fn apop(timestamp: &[u8], secret: &[u8]) -> Zeroizing<String> {
    let digest = Md5::new()
        .chain_update(timestamp)
        .chain_update(secret)
        .finalize();
    Zeroizing::new(hex::encode(digest))
}

/// The CRAM-MD5 response, `user SP digest` (RFC 2195 section 2).
pub(super) fn cram_md5(user: &str, secret: &[u8], challenge: &[u8]) -> Zeroizing<Vec<u8>> {
    let keyed = Hmac::<Md5>::new_from_slice(secret);
    let digest = keyed
        .expect("HMAC takes a key of any length")
        .chain_update(challenge)
        .finalize()
        .into_bytes();
    Zeroizing::new(format!("{user} {}", hex::encode(digest)).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_match_the_examples_in_the_rfcs() {
        let timestamp = b"<1896.697170952@dbc.mtview.ca.us>";
        assert_eq!(
            apop(timestamp, b"tanstaaf").as_str(),
            "c4c9334bac560ecc979e58001b3e22fb"
        );
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(
            cram_md5("tim", b"tanstaaftanstaaf", challenge).as_slice(),
            b"tim b913a602c7eda7a495b4e6e7334d3890"
        );
    }
}
