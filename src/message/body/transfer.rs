//! Content-Transfer-Encoding (RFC 2045 section 6).

use std::borrow::Cow;

use crate::message::base64;

/// How many zeros are filled in for lost spaces of uuencode at most, and how many for each octet of
/// the file. One octet of a hostile file may stand for 63 of them.
const FILLED: usize = 16 * 1024 * 1024;
const FILLED_FOR_OCTET: usize = 4;

/// How the octets of a part are encoded in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::message) enum Encoding {
    /// 7bit, 8bit, binary, and any unknown name: not encoded.
    #[default]
    Identity,
    Base64,
    QuotedPrintable,
    /// The encoding of uuencode(1), as mailers had it before MIME, and some after. No standard has
    /// it, so it has many names.
    Uuencode,
    /// Base64 between the lines of uuencode(1), with its option `-m`.
    UuBase64,
    /// The encoding of binary files in news, which some gateways pass on.
    YEnc,
}

impl Encoding {
    /// By the field's value: its first word in any case, also with other punctuation.
    pub(in crate::message) fn of(field: &str) -> Self {
        let word = field
            .split([' ', ';', '('])
            .find(|word| !word.is_empty())
            .unwrap_or_default();
        let letters = word.chars().filter(char::is_ascii_alphanumeric);
        let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        match name.strip_prefix('x').unwrap_or(&name) {
            "base64" => Self::Base64,
            "quotedprintable" => Self::QuotedPrintable,
            "uuencode" | "uue" => Self::Uuencode,
            "yenc" => Self::YEnc,
            _ => Self::Identity,
        }
    }

    /// The encoding of a text that is said to be encoded so.
    pub(in crate::message) fn of_text(self, body: &[u8]) -> Self {
        match self {
            Self::Base64 if base64::is_prose(body) => Self::Identity,
            _ => self,
        }
    }

    /// The decoded octets. Malformed octets are skipped in base64 and kept in quoted-printable.
    pub(in crate::message) fn decode<'a>(self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Identity => Cow::Borrowed(octets),
            Self::Base64 => Cow::Owned(base64::decoded(octets)),
            Self::QuotedPrintable => Cow::Owned(quoted_printable(octets)),
            Self::Uuencode => uuencode(octets),
            Self::UuBase64 => Cow::Owned(uu_base64(octets)),
            Self::YEnc => Cow::Owned(yenc(octets)),
        }
    }

    /// How many octets [`Self::decode`] returns.
    pub(in crate::message) fn decoded_size(self, octets: &[u8]) -> u64 {
        match self {
            Self::Identity => octets.len() as u64,
            Self::Base64 => base64::decoded_size(octets),
            Self::QuotedPrintable => quoted_printable(octets).len() as u64,
            Self::Uuencode => uuencode(octets).len() as u64,
            Self::UuBase64 => uu_base64(octets).len() as u64,
            Self::YEnc => yenc(octets).len() as u64,
        }
    }
}

/// RFC 2045 section 6.7: white space before a line end and soft line breaks are removed.
fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(octets.len());
    for line in lines(octets) {
        let (content, end) = line.split_at(line.trim_ascii_end().len());
        let soft = content.last() == Some(&b'=');
        unescape(&content[..content.len() - usize::from(soft)], &mut decoded);
        if !soft {
            decoded.extend_from_slice(line_end(end));
        }
    }
    decoded
}

/// With their ends: CRLF, LF, or a bare CR, which is a line end to old Macs and no character of the
/// encoding.
fn lines(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let length = match memchr::memchr2(b'\r', b'\n', rest) {
            Some(at) if rest[at] == b'\n' => at + 1,
            Some(at) => {
                // CRLF, and the CR CR LF that some gateways make of it.
                let returns = rest[at..]
                    .iter()
                    .take_while(|octet| **octet == b'\r')
                    .count();
                match rest.get(at + returns) {
                    Some(b'\n') => at + returns + 1,
                    _ => at + 1,
                }
            }
            None => rest.len(),
        };
        let (line, behind) = rest.split_at(length);
        rest = behind;
        (!line.is_empty()).then_some(line)
    })
}

fn line_end(white_space: &[u8]) -> &[u8] {
    match white_space {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\n'] => b"\n",
        [.., b'\r'] => b"\r",
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

/// The lines between `begin` and `end`; all octets unchanged if there is no `begin`.
fn uuencode(octets: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = octets.split_inclusive(|octet| *octet == b'\n');
    if !lines.any(|line| line.starts_with(b"begin ")) {
        return Cow::Borrowed(octets);
    }
    let mut decoded = Vec::new();
    let mut fillable = FILLED.min(octets.len() * FILLED_FOR_OCTET);
    for line in lines.take_while(|line| line.trim_ascii() != b"end") {
        let (octets, lost) = uuencoded_line(line);
        decoded.extend(octets);
        // A line without a line end was cut off.
        if line.ends_with(b"\n") {
            let zeros = lost.min(fillable);
            fillable -= zeros;
            decoded.resize(decoded.len() + zeros, 0);
        }
    }
    Cow::Owned(decoded)
}

/// The lines between `begin-base64` and `====`.
fn uu_base64(octets: &[u8]) -> Vec<u8> {
    let data = memchr::memchr(b'\n', octets).map_or(&octets[..0], |end| &octets[end + 1..]);
    base64::decode(base64::sextets(data).collect())
}

/// The lines between `=ybegin` and `=yend`: each octet is 42 more than it was, and behind `=`
/// another 64 more.
fn yenc(octets: &[u8]) -> Vec<u8> {
    let is_data = |line: &&[u8]| {
        !line.starts_with(b"=ybegin ")
            && !line.starts_with(b"=ypart ")
            && !line.starts_with(b"=yend")
    };
    let mut decoded = Vec::with_capacity(octets.len());
    let mut is_escaped = false;
    for line in octets.split(|octet| *octet == b'\n').filter(is_data) {
        for octet in line.strip_suffix(b"\r").unwrap_or(line) {
            match octet {
                b'=' if !is_escaped => is_escaped = true,
                _ => {
                    let shift = if std::mem::take(&mut is_escaped) {
                        42 + 64
                    } else {
                        42
                    };
                    decoded.push(octet.wrapping_sub(shift));
                }
            }
        }
    }
    decoded
}

/// `length *sextet`: a sextet is counted from the space; some encoders write a grave accent for
/// zero. The length does not count what fills up the last group. Returns the octets of the groups
/// that are there, and how many the length counts behind them: zeros, whose spaces at the end of the
/// line were lost.
fn uuencoded_line(line: &[u8]) -> (impl Iterator<Item = u8>, usize) {
    let sextet = |octet: &u8| octet.wrapping_sub(b' ') & 63;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let (length, sextets) = line
        .strip_suffix(b"\r")
        .unwrap_or(line)
        .split_first()
        .unwrap_or((&b' ', &[]));
    let length = usize::from(sextet(length));
    let octets = sextets.chunks(4).flat_map(move |group| {
        let bits = (0..4).fold(0, |bits, at| {
            bits << 6 | u32::from(group.get(at).map_or(0, sextet))
        });
        bits.to_be_bytes().into_iter().skip(1)
    });
    let lost = length.saturating_sub(sextets.len().div_ceil(4) * 3);
    (octets.take(length), lost)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Encoding::{Base64, Identity, QuotedPrintable, UuBase64, Uuencode, YEnc};
    use super::*;

    #[test]
    fn the_field_names_the_encoding() {
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
    fn base64_is_decoded() {
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
    fn quoted_printable_is_decoded() {
        for (octets, decoded) in [
            (&b"caf=C3=A9 =3d\r\n"[..], &b"caf\xc3\xa9 =\r\n"[..]),
            (b"soft =\r\nbreak=  \r\ns=\nx", b"soft breaksx"),
            (b"trailing \t\r\nspace \n", b"trailing\r\nspace\n"),
            (b"=ZZ == =4", b"=ZZ == =4"),
            (b"end=", b"end"),
            (b"raw \xe9", b"raw \xe9"),
            (b"old=\r Mac\r\rlines =C3\r", b"old Mac\r\rlines \xc3\r"),
            (b"a \r\r\nb", b"a\r\nb"),
            (b"", b""),
        ] {
            assert_eq!(&*QuotedPrintable.decode(octets), decoded, "{octets:?}");
        }
    }

    #[test]
    fn uuencode_is_decoded() {
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
            (
                b"begin 644 stripped\r\n*86\r\n#:&5L\r\n#\r\n`\r\nend\r\n",
                b"a`\0\0\0\0\0\0\0\0hel\0\0\0",
            ),
            (b"begin", b"begin"),
            (b"", b""),
        ] {
            let shown = octets.escape_ascii();
            assert_eq!(&*Uuencode.decode(octets), decoded, "{shown}");
        }
    }

    #[test]
    fn zeros_of_lost_spaces_are_bounded() {
        let hostile = |lines| format!("begin 644 a\n{}", "_\n".repeat(lines));
        for lines in [1000, 100_000] {
            let octets = hostile(lines);
            let size = octets.len() * FILLED_FOR_OCTET;
            assert_eq!(Uuencode.decoded_size(octets.as_bytes()), size as u64);
        }
        let octets = hostile(3_000_000);
        assert_eq!(Uuencode.decoded_size(octets.as_bytes()), FILLED as u64);
    }

    #[test]
    fn yenc_is_decoded() {
        for (octets, decoded) in [
            (
                &b"=ybegin line=128 size=5 name=a\r\n\x92\x8f\x96\r\n\x96\x99\r\n=yend size=5\r\n"
                    [..],
                &b"hello"[..],
            ),
            (
                b"=ybegin part=1 line=128 size=2 name=a\n=ypart begin=1 end=2\n=}=@\n=yend",
                b"\x13\xd6",
            ),
            (b"", b""),
        ] {
            assert_eq!(&*YEnc.decode(octets), decoded);
        }
        assert_eq!(
            &*UuBase64.decode(b"begin-base64 644 a\naGVs\nbG8=\n====\n"),
            b"hello"
        );
    }

    proptest! {
        #[test]
        fn the_size_is_that_of_the_octets(octets in prop::collection::vec(prop::sample::select(b"=aA4+/ \r\n\xff".to_vec()), 0..60)) {
            for encoding in [Identity, Base64, QuotedPrintable, Uuencode, UuBase64, YEnc] {
                prop_assert_eq!(encoding.decoded_size(&octets), encoding.decode(&octets).len() as u64);
            }
        }

        #[test]
        fn base64_is_read_back(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let encoded = base64::encode(&octets);
            let decoded = Base64.decode(encoded.as_bytes());
            prop_assert_eq!(decoded.as_ref(), octets.as_slice());
        }
    }
}
