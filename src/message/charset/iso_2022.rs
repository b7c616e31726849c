//! Charsets of seven bits that switch between character sets: ISO-2022-JP and its extensions (RFC
//! 1468, RFC 1554, RFC 2237), ISO-2022-KR (RFC 1557), ISO-2022-CN (RFC 1922), HZ (RFC 1843).
//!
//! The decoder of the web gives U+FFFD where one escape sequence follows another, which mail does
//! at every border of two words. Here the characters of one set are collected and decoded together,
//! as the eight-bit encoding of the same set.

use std::borrow::Cow;

use encoding_rs::{EUC_JP, EUC_KR, Encoding, GBK, ISO_8859_7, SHIFT_JIS, WINDOWS_1252};

const ESCAPE: u8 = 0x1b;
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;

/// A family of charsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stateful {
    /// ISO-2022-JP, -1, -2, -3.
    Iso2022,
    Iso2022Kr,
    Iso2022Cn,
    Hz,
}

/// A character set that an escape sequence selects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Set {
    Ascii,
    /// JIS X 0201: one octet for a half-width katakana.
    Katakana,
    /// JIS X 0208, and JIS X 0213 as far as it is the same.
    Japanese,
    /// JIS X 0212.
    JapaneseSupplement,
    Chinese,
    Korean,
    /// ISO 8859-1 or -7, of which ESC N selects one character.
    Latin,
    Greek,
}

impl Stateful {
    /// Whether the text begins by leaving a set: then it goes on with the set that an earlier piece
    /// selected.
    pub(super) fn begins_within_set(self, octets: &[u8]) -> Option<bool> {
        let first = match self {
            Self::Hz => octets
                .windows(2)
                .find(|two| matches!(two, [b'~', b'{' | b'}']))?,
            Self::Iso2022Kr | Self::Iso2022Cn => octets
                .chunks(1)
                .find(|one| matches!(one[0], SHIFT_OUT | SHIFT_IN))?,
            Self::Iso2022 => {
                let at = memchr::memchr(ESCAPE, octets)?;
                octets.get(at..at + 2)?
            }
        };
        Some(matches!(first, [b'~', b'}'] | [SHIFT_IN] | [ESCAPE, b'(']))
    }

    /// The text of octets of eight bits, which the charset does not have: mailers put the eight-bit
    /// form of the same characters under its label. None if that has errors, too, or if they are
    /// UTF-8.
    pub(super) fn eight_bit_text(self, octets: &[u8]) -> Option<String> {
        if octets.is_ascii() || std::str::from_utf8(octets).is_ok() {
            return None;
        }
        let forms: &[&Encoding] = match self {
            Self::Iso2022 => &[EUC_JP, SHIFT_JIS],
            Self::Iso2022Kr => &[EUC_KR],
            Self::Iso2022Cn | Self::Hz => &[GBK],
        };
        let texts = forms
            .iter()
            .map(|form| form.decode_without_bom_handling(octets));
        let mut whole = texts.filter(|(_, has_errors)| !has_errors);
        whole.next().map(|(text, _)| text.into_owned())
    }

    /// The octets that return to US-ASCII.
    pub(super) fn reset(self) -> &'static [u8] {
        match self {
            Self::Iso2022 => b"\x1b(B",
            Self::Iso2022Kr | Self::Iso2022Cn => b"\x0f",
            Self::Hz => b"~}",
        }
    }

    /// The text; U+FFFD for what is no character of its set.
    pub(super) fn decode(self, octets: &[u8]) -> String {
        if self == Self::Hz {
            return hz(octets);
        }
        let mut decoder = StatefulDecoder::of(self);
        let mut rest = octets;
        while let Some((&octet, behind)) = rest.split_first() {
            rest = match octet {
                ESCAPE => decoder.escape(rest),
                SHIFT_OUT | SHIFT_IN if decoder.shifted.is_some() => {
                    decoder.shift(octet == SHIFT_OUT);
                    behind
                }
                _ => {
                    decoder.push(octet);
                    behind
                }
            };
        }
        decoder.finish()
    }
}

struct StatefulDecoder {
    text: String,
    /// Octets of the current set that are not decoded yet.
    run: Vec<u8>,
    set: Set,
    /// The set that SO selects; None in the charsets that do not shift.
    shifted: Option<Set>,
    /// The set of which ESC N selects one character.
    single: Option<Set>,
}

impl StatefulDecoder {
    fn of(charset: Stateful) -> Self {
        Self {
            text: String::new(),
            run: Vec::new(),
            set: Set::Ascii,
            shifted: match charset {
                Stateful::Iso2022Kr => Some(Set::Korean),
                Stateful::Iso2022Cn => Some(Set::Chinese),
                // JIS X 0201, as mail had it before RFC 1468.
                Stateful::Iso2022 => Some(Set::Katakana),
                Stateful::Hz => None,
            },
            single: None,
        }
    }

    /// `rest` begins with ESC. Returns what follows the sequence; an unknown one is text.
    fn escape<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let (set, length) = match rest[1..] {
            [b'(', b'B' | b'J' | b'H', ..] => (Set::Ascii, 3),
            [b'(', b'I', ..] => (Set::Katakana, 3),
            [b'$', b'@' | b'B', ..] => (Set::Japanese, 3),
            [b'$', b'A', ..] | [b'$', b'(', b'A', ..] => {
                (Set::Chinese, if rest[2] == b'(' { 4 } else { 3 })
            }
            [b'$', b'(', b'@' | b'B' | b'O' | b'Q', ..] => (Set::Japanese, 4),
            [b'$', b'(', b'D', ..] => (Set::JapaneseSupplement, 4),
            [b'$', b'(', b'C', ..] => (Set::Korean, 4),
            // ISO-2022-KR and -CN say once for all which set SO selects.
            [b'$', b')', b'C' | b'A', ..] if self.shifted.is_some() => {
                return &rest[4..];
            }
            [b'.', b'A' | b'F', ..] => {
                self.single = Some(if rest[2] == b'A' {
                    Set::Latin
                } else {
                    Set::Greek
                });
                return &rest[3..];
            }
            [b'N', character, ..] if self.single.is_some() => {
                self.push_single(character);
                return &rest[3..];
            }
            _ => {
                self.select(Set::Ascii);
                self.run.push(ESCAPE);
                return &rest[1..];
            }
        };
        self.select(set);
        &rest[length..]
    }

    fn shift(&mut self, out: bool) {
        let set = self.shifted.filter(|_| out).unwrap_or(Set::Ascii);
        self.select(set);
    }

    fn select(&mut self, set: Set) {
        if self.set != set {
            self.flush();
            self.set = set;
        }
    }

    /// Control characters and the space stand for themselves in every set.
    fn push(&mut self, octet: u8) {
        if octet > b' ' || self.set == Set::Ascii {
            self.run.push(octet);
            return;
        }
        self.flush();
        self.text.push(char::from(octet));
    }

    fn push_single(&mut self, octet: u8) {
        self.flush();
        let set = std::mem::replace(&mut self.set, self.single.unwrap_or(Set::Latin));
        self.run.push(octet);
        self.flush();
        self.set = set;
    }

    fn flush(&mut self) {
        if !self.run.is_empty() {
            let run = std::mem::take(&mut self.run);
            self.text.push_str(&self.set.text(&run));
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}

impl Set {
    fn text(self, run: &[u8]) -> String {
        let (encoding, prefix): (&Encoding, &[u8]) = match self {
            Self::Ascii => return String::from_utf8_lossy(run).into_owned(),
            Self::Katakana => return with_prefix(EUC_JP, &[0x8e], run, 1),
            Self::JapaneseSupplement => return with_prefix(EUC_JP, &[0x8f], run, 2),
            Self::Japanese => (EUC_JP, &[]),
            Self::Chinese => (GBK, &[]),
            Self::Korean => (EUC_KR, &[]),
            Self::Latin => (WINDOWS_1252, &[]),
            Self::Greek => (ISO_8859_7, &[]),
        };
        with_prefix(encoding, prefix, run, run.len())
    }
}

/// Each character of this many octets with the high bit set and the prefix before it.
fn with_prefix(encoding: &'static Encoding, prefix: &[u8], run: &[u8], octets: usize) -> String {
    let mut eight_bit = Vec::with_capacity(run.len() * 2);
    for character in run.chunks(octets.max(1)) {
        eight_bit.extend_from_slice(prefix);
        eight_bit.extend(character.iter().map(|octet| octet | 0x80));
    }
    encoding
        .decode_without_bom_handling(&eight_bit)
        .0
        .into_owned()
}

/// `~{` begins GB 2312, `~}` ends it, `~~` is a tilde, and a tilde at a line's end joins the lines.
fn hz(octets: &[u8]) -> String {
    let mut decoder = StatefulDecoder::of(Stateful::Hz);
    let mut rest = octets;
    while let Some((&octet, behind)) = rest.split_first() {
        let length = match (rest, decoder.set) {
            ([b'~', b'{', ..], Set::Ascii) => {
                decoder.select(Set::Chinese);
                2
            }
            ([b'~', b'}', ..], _) => {
                decoder.select(Set::Ascii);
                2
            }
            ([b'~', b'~', ..], Set::Ascii) => {
                decoder.push(b'~');
                2
            }
            ([b'~', b'\n', ..], Set::Ascii) => 2,
            ([b'~', b'\r', b'\n', ..], Set::Ascii) => 3,
            _ => {
                decoder.push(octet);
                1
            }
        };
        rest = behind.get(length - 1..).unwrap_or_default();
    }
    decoder.finish()
}

/// Whether unlabelled seven-bit octets are ISO-2022-JP: mail from before MIME is.
pub(super) fn is_japanese(octets: &[u8]) -> bool {
    [&b"\x1b$B"[..], b"\x1b$@"]
        .iter()
        .any(|escape| memchr::memmem::find(octets, escape).is_some())
}

/// Pieces of one text, each of which begins in US-ASCII unless it begins by leaving another set.
pub(super) fn joined<'a>(charset: Stateful, pieces: &[Cow<'a, [u8]>]) -> Vec<u8> {
    let mut goes_on = false;
    let mut continues = vec![false; pieces.len()];
    for (at, piece) in pieces.iter().enumerate().rev() {
        goes_on = charset.begins_within_set(piece).unwrap_or(goes_on);
        continues[at] = goes_on;
    }
    let mut joined = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 && !continues[at] {
            joined.extend_from_slice(charset.reset());
        }
        joined.extend_from_slice(piece);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::Stateful::{Hz, Iso2022, Iso2022Cn, Iso2022Kr};
    use super::*;

    #[test]
    fn every_set_is_decoded() {
        for (charset, octets, text) in [
            (Iso2022, &b"a \x1b$B%F%9%H\x1b(B b"[..], "a テスト b"),
            (Iso2022, b"\x1b$B%F\x1b(B\x1b$B%9\x1b(J", "テス"),
            (Iso2022, b"\x1b(I\x43\x1b(B", "ﾃ"),
            (Iso2022, b"\x1b$(D0!\x1b(B", "丂"),
            (Iso2022, b"\x1b$A<W\x1b$(C0!\x1b(B", "甲가"),
            (Iso2022, b"\x1b.A\x1bNi\x1b.F\x1bNa", "éα"),
            (Iso2022, b"\x1b$(Q%F\x1b(B", "テ"),
            (Iso2022, b"\x1b$B%F\r\n%9", "テ\r\nス"),
            (Iso2022, b"a\x1b[31m", "a\x1b[31m"),
            (Iso2022Kr, b"\x1b$)C\x0eGQ1[\x0f a", "한글 a"),
            (Iso2022Cn, b"\x1b$)A\x0eVPND\x0f", "中文"),
            (Hz, b"~{VPND~} a~~b~\nc", "中文 a~bc"),
        ] {
            assert_eq!(charset.decode(octets), text, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn a_cut_character_is_a_replacement_character() {
        assert_eq!(Iso2022.decode(b"\x1b$B%F%\x1b(Ba"), "テ\u{fffd}a");
        assert_eq!(Hz.decode(b"~{V~}"), "\u{fffd}");
    }

    #[test]
    fn a_piece_begins_in_ascii_unless_it_leaves_a_set() {
        let text = |pieces: &[&[u8]]| {
            let pieces: Vec<Cow<'_, [u8]>> =
                pieces.iter().map(|piece| Cow::Borrowed(*piece)).collect();
            Iso2022.decode(&joined(Iso2022, &pieces))
        };
        assert_eq!(text(&[b"\x1b$B%F", b"%9\x1b(B"]), "テス");
        assert_eq!(text(&[b"\x1b$B%F", b"%9", b"%H\x1b(B"]), "テスト");
        assert_eq!(text(&[b"\x1b$B%F", b"abc"]), "テabc");
        assert_eq!(text(&[b"\x1b$B%F\x1b(B", b"\x1b$B%9\x1b(B"]), "テス");
    }
}
