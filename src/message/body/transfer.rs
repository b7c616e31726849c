//! Content-Transfer-Encoding (RFC 2045 section 6).

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Leftover bits and missing padding are what a cut or careless sender leaves: they cost no octet that is there.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// No standard has it, so it has many names.
const UUENCODE: [&str; 4] = ["x-uuencode", "uuencode", "x-uue", "uue"];

/// How the octets of a part are written in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::message) enum Encoding {
    /// 7bit, 8bit, binary, and any name that is not known: as they are.
    #[default]
    Identity,
    Base64,
    QuotedPrintable,
    /// The encoding of uuencode(1), as mailers had it before MIME, and some after.
    Uuencode,
}

impl Encoding {
    /// By the field's value, whatever its case; comments and what else follows the name are not looked at.
    pub(in crate::message) fn of(field: &str) -> Self {
        let name = field.split([' ', ';', '(']).find(|word| !word.is_empty());
        match name {
            Some(name) if name.eq_ignore_ascii_case("base64") => Self::Base64,
            Some(name) if name.eq_ignore_ascii_case("quoted-printable") => Self::QuotedPrintable,
            Some(name) if UUENCODE.iter().any(|uue| name.eq_ignore_ascii_case(uue)) => {
                Self::Uuencode
            }
            _ => Self::Identity,
        }
    }

    /// The octets that were encoded. What is malformed is passed over in base64 and stays as it is in quoted-printable.
    pub(in crate::message) fn decode<'a>(self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Identity => Cow::Borrowed(octets),
            Self::Base64 => Cow::Owned(base64(octets)),
            Self::QuotedPrintable => Cow::Owned(quoted_printable(octets)),
            Self::Uuencode => uuencode(octets),
        }
    }

    /// How many octets [`Self::decode`] gives.
    pub(in crate::message) fn decoded_size(self, octets: &[u8]) -> u64 {
        match self {
            Self::Identity => octets.len() as u64,
            Self::Base64 => base64_size(octets),
            Self::QuotedPrintable => quoted_printable(octets).len() as u64,
            Self::Uuencode => uuencode(octets).len() as u64,
        }
    }
}

/// The octets up to the padding that are of the alphabet: RFC 2045 section 6.8 has the others ignored.
fn sextets(octets: &[u8]) -> impl Iterator<Item = u8> {
    let end = memchr::memchr(b'=', octets).unwrap_or(octets.len());
    let of_alphabet = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    octets[..end].iter().copied().filter(of_alphabet)
}

fn base64(octets: &[u8]) -> Vec<u8> {
    let mut sextets: Vec<u8> = sextets(octets).collect();
    if sextets.len() % 4 == 1 {
        sextets.pop(); // Six bits make no octet.
    }
    BASE64.decode(sextets).unwrap_or_default()
}

fn base64_size(octets: &[u8]) -> u64 {
    sextets(octets).count() as u64 * 3 / 4
}

/// RFC 2045 section 6.7: white space before a line's end goes, and so does a soft line break.
fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let (content, end) = line.split_at(line.trim_ascii_end().len());
        let soft = content.last() == Some(&b'=');
        unescape(&content[..content.len() - usize::from(soft)], &mut decoded);
        if !soft {
            decoded.extend_from_slice(line_end(end));
        }
    }
    decoded
}

fn line_end(white_space: &[u8]) -> &[u8] {
    match white_space {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\n'] => b"\n",
        last_line => last_line,
    }
}

fn unescape(mut content: &[u8], decoded: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'=', content) {
        decoded.extend_from_slice(&content[..at]);
        let escape = &content[at..];
        let length = match hexadecimal(escape) {
            Some(octet) => {
                decoded.push(octet);
                3
            }
            None => {
                decoded.push(b'=');
                1
            }
        };
        content = &escape[length..];
    }
    decoded.extend_from_slice(content);
}

fn hexadecimal(escape: &[u8]) -> Option<u8> {
    let [_, high, low, ..] = *escape else {
        return None;
    };
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The lines between `begin` and `end`; all octets as they are where nothing begins.
fn uuencode(octets: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = octets.split(|octet| *octet == b'\n');
    if !lines.any(|line| line.starts_with(b"begin ")) {
        return Cow::Borrowed(octets);
    }
    let encoded = lines.take_while(|line| line.trim_ascii() != b"end");
    Cow::Owned(encoded.flat_map(uuencoded_line).collect())
}

/// `length *sextet`: sextets are counted from the space, for which some write a grave accent. What fills the last group is
/// behind the length.
fn uuencoded_line(line: &[u8]) -> impl Iterator<Item = u8> {
    let sextet = |octet: &u8| octet.wrapping_sub(b' ') & 63;
    let (length, sextets) = line
        .strip_suffix(b"\r")
        .unwrap_or(line)
        .split_first()
        .unwrap_or((&b' ', &[]));
    let octets = sextets.chunks(4).flat_map(move |group| {
        let bits = (0..4).fold(0, |bits, at| {
            bits << 6 | u32::from(group.get(at).map_or(0, sextet))
        });
        bits.to_be_bytes().into_iter().skip(1)
    });
    octets.take(usize::from(sextet(length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Encoding::{Base64, Identity, QuotedPrintable, Uuencode};
    use super::*;

    #[test]
    fn the_fields_value_names_the_encoding() {
        for (field, encoding) in [
            ("base64", Base64),
            (" BASE64 (really)", Base64),
            ("Quoted-Printable;", QuotedPrintable),
            ("8bit", Identity),
            ("X-uuencode", Uuencode),
            ("x-unheard-of", Identity),
            ("", Identity),
        ] {
            assert_eq!(Encoding::of(field), encoding, "{field:?}");
        }
    }

    #[test]
    fn base64_gives_what_is_there() {
        for (octets, decoded) in [
            (&b"aGVsbG8="[..], &b"hello"[..]),
            (b"aGVs\r\nbG8=\r\n", b"hello"),
            (b"aGVsbG8", b"hello"),
            (b"aGVsbG8=\r\n-- \r\nmailing list footer", b"hello"),
            (b"a!G\xffV*s", b"hel"),
            (b"aGVsb", b"hel"),
            (b"", b""),
            (b"=", b""),
        ] {
            assert_eq!(&*Base64.decode(octets), decoded);
        }
    }

    #[test]
    fn quoted_printable_gives_what_is_there() {
        for (octets, decoded) in [
            (&b"caf=C3=A9 =3d\r\n"[..], &b"caf\xc3\xa9 =\r\n"[..]),
            (b"soft =\r\nbreak=  \r\ns=\nx", b"soft breaksx"),
            (b"trailing \t\r\nspace \n", b"trailing\r\nspace\n"),
            (b"=ZZ == =4", b"=ZZ == =4"),
            (b"end=", b"end"),
            (b"raw \xe9", b"raw \xe9"),
            (b"", b""),
        ] {
            assert_eq!(&*QuotedPrintable.decode(octets), decoded, "{octets:?}");
        }
    }

    #[test]
    fn uuencode_gives_what_is_there() {
        for (octets, decoded) in [
            (
                &b"begin 644 a.txt\r\n%:&5L;&\\ \r\n`\r\nend\r\n"[..],
                &b"hello"[..],
            ),
            (
                b"words\nbegin 644 a\n#:&5L\n\";&\\\n \nend\n#:&5L\n",
                b"hello",
            ),
            (b"begin 644 a\n#:&5L\n#;&", b"hell`\0"),
            (b"begin 644 zeros\r\n&````    \r\n#", b"\0\0\0\0\0\0"),
            (b"begin", b"begin"),
            (b"", b""),
        ] {
            let shown = octets.escape_ascii();
            assert_eq!(&*Uuencode.decode(octets), decoded, "{shown}");
        }
    }

    proptest! {
        #[test]
        fn the_size_is_that_of_the_octets(octets in prop::collection::vec(prop::sample::select(b"=aA4+/ \r\n\xff".to_vec()), 0..60)) {
            for encoding in [Identity, Base64, QuotedPrintable, Uuencode] {
                prop_assert_eq!(encoding.decoded_size(&octets), encoding.decode(&octets).len() as u64);
            }
        }

        #[test]
        fn base64_is_read_back(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let encoded = BASE64.encode(&octets);
            let decoded = Base64.decode(encoded.as_bytes());
            prop_assert_eq!(decoded.as_ref(), octets.as_slice());
        }
    }
}
