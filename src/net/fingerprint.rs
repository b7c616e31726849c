//! The digest that identifies a certificate.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

/// Octets of a SHA-256.
const OCTETS: usize = 32;

/// The SHA-256 of a whole certificate in DER: what `openssl x509 -fingerprint -sha256` prints and
/// mpop's `tls_fingerprint` takes.
///
/// Written `sha256:` and then 64 hexadecimal digits, with or without colons between the octets, or
/// 44 characters of base64. Displayed as the first of these, with colons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; OCTETS]);

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "sha256: and 64 hexadecimal digits (colons between them are fine) or 44 characters of base64"
)]
pub struct NoFingerprint;

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub(super) fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let (algorithm, digest) = text.split_once(':').ok_or(NoFingerprint)?;
        if !algorithm.eq_ignore_ascii_case("sha256") {
            return Err(NoFingerprint);
        }
        let octets = hexadecimal(digest).or_else(|| BASE64.decode(digest).ok());
        let octets = octets.ok_or(NoFingerprint)?;
        octets.try_into().map(Self).map_err(|_| NoFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256")?;
        self.0
            .iter()
            .try_for_each(|octet| write!(f, ":{octet:02X}"))
    }
}

/// The octets of `AB:CD…` or `ABCD…`, in upper or lower case.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let pairs: Vec<&[u8]> = match text.contains(':') {
        true => text.split(':').map(str::as_bytes).collect(),
        false => text.as_bytes().chunks(2).collect(),
    };
    pairs.into_iter().map(octet).collect()
}

fn octet(pair: &[u8]) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16);
    match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fingerprint of no octets.
    const COLONS: &str = "sha256:E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
    const DIGITS: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const BASE64: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn all_three_notations_give_the_same_fingerprint() {
        for text in [COLONS, DIGITS, BASE64] {
            assert_eq!(text.parse(), Ok(Fingerprint::of(b"")), "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_displayed_as_openssl_writes_it() {
        assert_eq!(Fingerprint::of(b"").to_string(), COLONS);
    }

    #[test]
    fn anything_but_a_whole_digest_is_refused() {
        for text in [
            "",
            "sha256:",
            &DIGITS[7..],
            &DIGITS[..DIGITS.len() - 2],
            &DIGITS[..DIGITS.len() - 1],
            &COLONS[..COLONS.len() - 1],
            &format!("{DIGITS}00"),
            &format!("{COLONS}:00"),
            &format!("{COLONS}:"),
            &DIGITS.replace("e3", "+3"),
            &DIGITS.replace("e3", "é"),
            &DIGITS.replace("sha256", "sha1"),
            &BASE64.replace('=', ""),
            &BASE64.replace("SHA256:", "sha256//"),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(NoFingerprint), "{text}");
        }
    }
}
