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

/// The octets that a body encodes. Text behind the data is left out: some mailing lists put their
/// footer there.
pub(super) fn decoded(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    for run in runs(body) {
        octets.append(&mut decode(sextets(run).collect()));
    }
    octets
}

/// How many octets [`decoded`] returns.
pub(super) fn decoded_size(body: &[u8]) -> u64 {
    runs(body)
        .map(|run| sextets(run).count() as u64 * 3 / 4)
        .sum()
}

/// Whether a body is no base64 at all: some gateways decode it, and leave the field.
pub(super) fn is_prose(body: &[u8]) -> bool {
    let line = body.trim_ascii_start();
    let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
    line.starts_with(b"<") || (line.trim_ascii().contains(&b' ') && is_foreign(line))
}

/// What stands between the paddings: some mailers encode their text piece by piece. Behind the
/// first padding only what is whole again counts.
fn runs(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(&body[..end_of_data(body)]);
    let mut is_first = true;
    std::iter::from_fn(move || {
        let octets = rest?;
        let end = memchr::memchr(b'=', octets).unwrap_or(octets.len());
        let (run, behind) = octets.split_at(end);
        let is_padding = |octet: &&u8| **octet == b'=' || octet.is_ascii_whitespace();
        let padding = behind.iter().take_while(is_padding);
        let signs = padding.clone().filter(|octet| **octet == b'=').count();
        rest = Some(&behind[padding.count()..]).filter(|rest| !rest.is_empty());
        let is_whole = || (sextets(run).count() + signs).is_multiple_of(4);
        (std::mem::take(&mut is_first) || is_whole()).then_some(run)
    })
}

/// Where text begins that is no data: at a line with other octets, behind a blank line or padding.
fn end_of_data(body: &[u8]) -> usize {
    let (mut start, mut has_data, mut may_end) = (0, false, false);
    while start < body.len() {
        let rest = &body[start..];
        let line = &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)];
        let is_blank = line.trim_ascii().is_empty();
        if may_end && is_foreign(line) {
            return start;
        }
        has_data |= !is_blank;
        may_end |= (is_blank && has_data) || memchr::memchr(b'=', line).is_some();
        start += line.len();
    }
    body.len()
}

/// Whether a line has octets that no encoder writes.
fn is_foreign(line: &[u8]) -> bool {
    let is_written =
        |octet: &u8| is_of_alphabet(octet) || matches!(octet, b'=' | b' ' | b'\t' | b'\r' | b'\n');
    !line.iter().all(is_written)
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
    fn data_ends_where_text_follows() {
        for (body, octets) in [
            (&b"aGVs\nbG8=\n\n____\nlist footer\n"[..], &b"hello"[..]),
            (b"aGVs\nbG8g\n\n____\nlist footer\n", b"hello "),
            (b"aGVs\n\nbG8g\n", b"hello "),
            (b"aGVsbG8=\nfooter", b"hello"),
            (b"aGVsbA==\nbyB3\nb3JsZA==\n-- \nsignature", b"hello world"),
            (b"aGVsbA= =bw= =", b"hello"),
            (b"====", b""),
        ] {
            assert_eq!(decoded(body), octets, "{}", body.escape_ascii());
            assert_eq!(decoded_size(body), octets.len() as u64);
        }
    }

    #[test]
    fn prose_is_no_base64() {
        assert!(is_prose(b"\r\nHello all, this is\r\n") && is_prose(b"<html>"));
        assert!(!is_prose(b"aGVs bG8=") && !is_prose(b"a!b") && !is_prose(b""));
    }

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
