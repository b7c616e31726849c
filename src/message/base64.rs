//! Base64 as mail has it: whatever is not of the alphabet is ignored (RFC 2045 section 6.8), and
//! padding may be missing.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bits that are left over and missing padding cost no octet.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The octets of the alphabet, up to the padding.
pub(super) fn sextets(octets: &[u8]) -> impl Iterator<Item = u8> {
    let end = memchr::memchr(b'=', octets).unwrap_or(octets.len());
    octets[..end].iter().copied().filter(is_of_alphabet)
}

/// What octets of the alphabet say.
pub(super) fn decode(mut sextets: Vec<u8>) -> Vec<u8> {
    if sextets.len() % 4 == 1 {
        sextets.pop(); // Six bits make no octet.
    }
    BASE64.decode(sextets).unwrap_or_default()
}

pub(super) fn encode(octets: &[u8]) -> String {
    BASE64.encode(octets)
}

/// Whether the last of the sextets holds bits that belong to no octet: then the text was cut there.
pub(super) fn is_cut(sextets: &[u8]) -> bool {
    let spare = match sextets.len() % 4 {
        0 => return false,
        1 => return true,
        2 => 0b1111,
        _ => 0b11,
    };
    sextets.last().is_some_and(|last| value(*last) & spare != 0)
}

fn is_of_alphabet(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

fn value(sextet: u8) -> u8 {
    match sextet {
        b'A'..=b'Z' => sextet - b'A',
        b'a'..=b'z' => sextet - b'a' + 26,
        b'0'..=b'9' => sextet - b'0' + 52,
        b'+' => 62,
        _ => 63,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cut_text_leaves_bits_over() {
        for (text, cut) in [
            ("aGVsbG8", false),
            ("aGVsbA", false),
            ("aGVs", false),
            ("", false),
            ("aGVsb", true),
            ("aGVsbG9", true),
            ("aGVsbF", true),
        ] {
            assert_eq!(is_cut(text.as_bytes()), cut, "{text}");
        }
    }
}
