//! Octets of a charset as text. The crates that decode and guess charsets are used only here.

mod detect;
mod iso_2022;
mod label;

use std::borrow::Cow;
use std::str;

use charset::UTF_7;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use detect::detected;
use iso_2022::Stateful;
use label::Charset;

/// How many octets of an HTML part are searched for a charset (as the HTML standard's prescan).
const PRESCAN: usize = 1024;
/// About how many octets of UTF-7 are decoded at once.
const UTF_7_PIECE: usize = 4096;
/// Fewer octets outside of US-ASCII than this are too few for the detector.
const DETECTABLE: usize = 12;

/// The text in the charset of that label. A character that cannot be decoded becomes U+FFFD.
///
/// The octets win over the label where they contradict it: UTF-8 and ISO-2022-JP are not shown as
/// another charset, and eight bits are not read in a charset of seven. Without a known label the
/// charset is guessed.
pub(super) fn decode(label: Option<&str>, octets: &[u8]) -> String {
    match label.and_then(Charset::of_label) {
        Some(charset) if !charset.is_contradicted(octets) => charset.decode(octets),
        _ => guess(octets),
    }
}

/// Whether the text in the charset of that label is not guessed.
pub(super) fn is_followed(label: &str, octets: &[u8]) -> bool {
    Charset::of_label(label).is_some_and(|charset| !charset.is_contradicted(octets))
}

/// Whether a character may be cut between texts of the two labels: `utf8` and `UTF-8` are one.
pub(super) fn are_of_one(one: &str, other: &str) -> bool {
    let encoding = |label| match Charset::of_label(label) {
        Some(Charset::Web(encoding)) => Some(encoding),
        _ => None,
    };
    one.eq_ignore_ascii_case(other)
        || encoding(one).is_some_and(|encoding_of_one| encoding(other) == Some(encoding_of_one))
}

/// Whether a charset goes by that label.
pub(super) fn is_known(label: &str) -> bool {
    Charset::of_label(label).is_some()
}

/// The text of octets that have no label of their own: UTF-8 if they are that (RFC 6532), else in
/// the charset of the message. Only escape sequences tell that US-ASCII is something else: an
/// address may have the plus sign of UTF-7.
pub(super) fn decode_unlabelled(message: Option<&str>, octets: &[u8]) -> String {
    let charset = message.and_then(Charset::of_label);
    let is_utf_8 = str::from_utf8(octets).is_ok();
    match charset {
        Some(Charset::Stateful(stateful)) if octets.contains(&0x1b) => stateful.decode(octets),
        Some(charset) if !is_utf_8 && !charset.is_contradicted(octets) && !charset.is_utf_8() => {
            charset.decode(octets)
        }
        _ => guess(octets),
    }
}

/// The text of pieces that stand one after another, as the encoded words of a header do. A
/// character may be cut between two of them.
pub(super) fn decode_pieces(label: &str, pieces: &[Cow<'_, [u8]>]) -> String {
    match Charset::of_label(label) {
        Some(Charset::Stateful(charset)) => decode(Some(label), &iso_2022::joined(charset, pieces)),
        Some(Charset::Utf7) => decode(Some(label), &joined_utf_7(pieces)),
        _ => decode(Some(label), &pieces.concat()),
    }
}

impl Charset {
    fn decode(self, octets: &[u8]) -> String {
        match self {
            Self::UsAscii => guess(octets),
            Self::Utf7 => utf_7(octets),
            Self::Utf32 { big_endian } => utf_32(octets, big_endian),
            Self::Web(encoding) if encoding == UTF_16LE && is_utf_16_be(octets) => {
                UTF_16BE.decode(octets).0.into_owned()
            }
            Self::Web(encoding) => encoding.decode(octets).0.into_owned(),
            Self::Dos(table) => table.decode_string_lossy(octets),
            Self::Stateful(charset) => charset
                .eight_bit_text(octets)
                .unwrap_or_else(|| charset.decode(octets)),
        }
    }

    fn is_utf_8(self) -> bool {
        matches!(self, Self::Web(encoding) if encoding == UTF_8)
    }

    fn is_wide(self) -> bool {
        match self {
            Self::Utf32 { .. } => true,
            Self::Web(encoding) => encoding == UTF_16LE || encoding == UTF_16BE,
            _ => false,
        }
    }

    /// Whether the octets cannot be what the label says.
    fn is_contradicted(self, octets: &[u8]) -> bool {
        if octets.is_ascii() && iso_2022::is_japanese(octets) {
            return !matches!(self, Self::Stateful(_));
        }
        match self {
            Self::Utf32 { .. } => !octets.contains(&0) && str::from_utf8(octets).is_ok(),
            Self::UsAscii | Self::Utf7 => !octets.is_ascii(),
            Self::Stateful(stateful) => {
                !octets.is_ascii() && stateful.eight_bit_text(octets).is_none()
            }
            Self::Dos(_) => Utf8::in_(octets).is_some_and(|utf_8| utf_8.characters >= 3),
            Self::Web(encoding) if encoding == UTF_8 => is_no_utf_8(octets),
            Self::Web(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => {
                !octets.contains(&0) && str::from_utf8(octets).is_ok()
            }
            Self::Web(encoding) => match Utf8::in_(octets) {
                Some(utf_8) => utf_8.contradicts(encoding, octets),
                None => is_mostly_broken(encoding, octets),
            },
        }
    }
}

/// What octets outside of US-ASCII tell, where all of them are valid UTF-8.
struct Utf8 {
    characters: usize,
    /// Whether one of the characters has three octets or more.
    has_long: bool,
}

impl Utf8 {
    /// None where the octets are US-ASCII or not UTF-8.
    fn in_(octets: &[u8]) -> Option<Self> {
        let text = str::from_utf8(octets)
            .ok()
            .filter(|text| !text.is_ascii())?;
        let characters = text.chars().filter(|character| !character.is_ascii());
        Some(Self {
            characters: characters.clone().count(),
            has_long: characters.clone().any(|character| character.len_utf8() > 2),
        })
    }

    /// Text of another charset is UTF-8 by chance only where it is very short.
    fn contradicts(&self, encoding: &'static Encoding, octets: &[u8]) -> bool {
        if self.has_long || encoding == WINDOWS_1252 {
            return true;
        }
        let has_errors = encoding.decode_without_bom_handling(octets).1;
        has_errors || (encoding.is_single_byte() && self.characters >= 3)
    }
}

/// Whether half of the octets outside of US-ASCII, or more, are of no UTF-8. One alone tells only if
/// it is a letter of western Europe, and the start of a character that was cut off tells nothing.
fn is_no_utf_8(octets: &[u8]) -> bool {
    let (valid, invalid) = shares_of_utf_8(octets);
    let is_letter = |octet: &u8| matches!(octet, 0xc0..=0xfe);
    match invalid {
        0 => false,
        1 => valid == 0 && octets.iter().any(is_letter),
        2 | 3 if is_cut_in_character(octets) => false,
        _ => valid <= invalid,
    }
}

fn is_cut_in_character(octets: &[u8]) -> bool {
    let last = octets.utf8_chunks().last();
    let error = last.and_then(|last| str::from_utf8(last.invalid()).err());
    error.is_some_and(|error| error.error_len().is_none())
}

/// Whether half of the octets outside of US-ASCII, or more, are errors in an encoding of several
/// octets a character.
fn is_mostly_broken(encoding: &'static Encoding, octets: &[u8]) -> bool {
    if encoding.is_single_byte() || octets.is_ascii() {
        return false;
    }
    let text = encoding.decode_without_bom_handling(octets).0;
    let errors = text.matches(char::REPLACEMENT_CHARACTER).count();
    let outside = octets.iter().filter(|octet| !octet.is_ascii()).count();
    errors >= 2 && errors * 2 >= outside
}

/// Whether UTF-16 without a byte order mark begins with the high octets: they are zeros in western
/// text (RFC 2781 section 4.3 has this order, most mailers have the other one).
fn is_utf_16_be(octets: &[u8]) -> bool {
    let zeros = |start: usize| {
        let every_second = octets.iter().skip(start).step_by(2);
        every_second.filter(|octet| **octet == 0).count()
    };
    Encoding::for_bom(octets).is_none() && zeros(0) > zeros(1)
}

/// The text of octets without a known charset: UTF-8 if they are that, else what the detector finds
/// in them, else windows-1252. Seven bits are US-ASCII, or ISO-2022-JP by their escape sequences.
fn guess(octets: &[u8]) -> String {
    if let Ok(text) = str::from_utf8(octets) {
        return match text.is_ascii() && iso_2022::is_japanese(octets) {
            true => Stateful::Iso2022.decode(octets),
            false => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        };
    }
    if let Some((encoding, _)) =
        Encoding::for_bom(octets).filter(|(encoding, _)| *encoding != UTF_8)
    {
        return encoding.decode(octets).0.into_owned();
    }
    let (valid, invalid) = shares_of_utf_8(octets);
    let detected = Some(octets)
        .filter(|_| invalid >= DETECTABLE)
        .map_or(WINDOWS_1252, detected);
    // Text of one octet a character is UTF-8 by chance in about one character of ten. In Asian text
    // it is more, but hardly anything else is without errors in an Asian encoding.
    let is_utf_8 = if detected == WINDOWS_1252 {
        valid >= invalid * 4 || is_western_utf_8(octets) || has_word_of_utf_8(octets)
    } else {
        valid * 2 >= invalid
            && (detected.is_single_byte() || detected.decode_without_bom_handling(octets).1)
    };
    if is_utf_8 {
        return mixed(octets);
    }
    detected.decode_without_bom_handling(octets).0.into_owned()
}

/// Whether UTF-8 stands in the octets, and all of it is letters and marks of western Europe. In
/// windows-1252 these octets are a capital letter and a sign (`Ã³`, `â€™`), which no word has.
fn is_western_utf_8(octets: &[u8]) -> bool {
    let valid = octets.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    let mut outside = valid.filter(|character| !character.is_ascii()).peekable();
    let is_western =
        |character| matches!(character, '\u{a1}'..='\u{ff}' | '\u{2010}'..='\u{203a}' | '\u{feff}');
    outside.peek().is_some() && outside.all(is_western)
}

/// Whether three characters of UTF-8 outside of US-ASCII follow one another. By chance French in
/// windows-1252 has single ones: an accented letter, a space that breaks no line, and a guillemet.
fn has_word_of_utf_8(octets: &[u8]) -> bool {
    octets.utf8_chunks().any(|chunk| {
        let mut words = chunk.valid().split(|character: char| character.is_ascii());
        words.any(|word| word.chars().nth(2).is_some())
    })
}

/// How many octets outside of US-ASCII are of UTF-8 characters, and how many are not.
fn shares_of_utf_8(octets: &[u8]) -> (usize, usize) {
    let mut shares = (0, 0);
    for chunk in octets.utf8_chunks() {
        shares.0 += chunk
            .valid()
            .bytes()
            .filter(|octet| !octet.is_ascii())
            .count();
        shares.1 += chunk.invalid().len();
    }
    shares
}

/// UTF-8 into which somebody put octets of windows-1252, as the footer of a mailing list.
fn mixed(octets: &[u8]) -> String {
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    text
}

/// The octets in a numbered order, or in that of their byte order mark.
fn utf_32(octets: &[u8], big_endian: bool) -> String {
    let (octets, big_endian) = match octets {
        [0, 0, 0xfe, 0xff, rest @ ..] => (rest, true),
        [0xff, 0xfe, 0, 0, rest @ ..] => (rest, false),
        _ => (octets, big_endian),
    };
    let characters = octets.chunks(4).map(|unit| {
        let Ok(unit) = <[u8; 4]>::try_from(unit) else {
            return char::REPLACEMENT_CHARACTER;
        };
        let value = if big_endian {
            u32::from_be_bytes(unit)
        } else {
            u32::from_le_bytes(unit)
        };
        char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    characters.collect()
}

/// Decodes piece by piece: at every shift the crate walks through all memory that it has reserved,
/// so that the time for the whole text would grow with its square.
fn utf_7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(utf_7_piece(rest));
        text.push_str(&UTF_7.decode_without_bom_handling(piece).0);
        rest = behind;
    }
    text
}

/// A piece ends behind an octet that is not of base64: no shift is open there (RFC 2152).
fn utf_7_piece(octets: &[u8]) -> usize {
    let start = UTF_7_PIECE.min(octets.len());
    let end = octets[start..].iter().position(|octet| !is_of_shift(octet));
    end.map_or(octets.len(), |end| start + end + 1)
}

fn is_of_shift(octet: &u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/')
}

/// A shift that is open at the end of a piece is closed there if it holds whole characters.
fn joined_utf_7(pieces: &[Cow<'_, [u8]>]) -> Vec<u8> {
    let mut joined = Vec::new();
    for piece in pieces {
        joined.extend_from_slice(piece);
        let start = piece
            .iter()
            .rposition(|octet| !is_of_shift(octet))
            .map_or(0, |at| at + 1);
        let shift = memchr::memchr(b'+', &piece[start..]).map(|at| piece.len() - start - at - 1);
        if shift.is_some_and(|sextets| sextets * 6 % 16 < 6) {
            joined.push(b'-');
        }
    }
    joined
}

/// The charset that an HTML document states in a `meta` element or an XML declaration. It is none of
/// two octets a character, in which the statement could not be found; Outlook writes `unicode`.
pub(super) fn stated_in_html(octets: &[u8]) -> Option<String> {
    let start = octets[..octets.len().min(PRESCAN)].to_ascii_lowercase();
    let behind = |name: &[u8]| {
        let at = memchr::memmem::find(&start, name)? + name.len();
        Some(start[at..].trim_ascii_start())
    };
    let is_xml = start.trim_ascii_start().starts_with(b"<?xml");
    let declared = Some(b"encoding=").filter(|_| is_xml);
    let value = behind(b"charset=").or_else(|| behind(declared?))?;
    let value = value
        .strip_prefix(b"\"")
        .or_else(|| value.strip_prefix(b"'"))
        .unwrap_or(value);
    let is_of_label = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_:.".contains(octet);
    let length = value.iter().take_while(|octet| is_of_label(octet)).count();
    let label = String::from_utf8(value[..length].to_vec()).ok()?;
    let is_wide = Charset::of_label(&label).is_some_and(Charset::is_wide);
    (!is_wide).then_some(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_charsets_of_real_mail_are_read() {
        for (label, octets, text) in [
            ("utf-8", &b"caf\xc3\xa9"[..], "café"),
            ("ISO-8859-1", b"caf\xe9", "café"),
            ("iso-8859-15", b"\xa4", "€"),
            ("Windows-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
            ("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
            ("ISO-2022-JP", b"\x1b$B%O%m!<\x1b(B!", "ハロー!"),
            ("shift_jis", b"\x83n\x83\x8d\x81[", "ハロー"),
            ("euc-kr", b"\xbe\xc8\xb3\xe7", "안녕"),
            ("GB18030", b"\xc4\xe3\xba\xc3\x81\x39\xef\x34", "你好㐅"),
            ("gb2312", b"\xc4\xe3\xba\xc3", "你好"),
            ("big5", b"\xa7A\xa6n", "你好"),
            ("utf-7", b"Hi +APw,+APw- a+-b +Jjo", "Hi ü,ü a+b ☺"),
            ("utf-16le", b"a\0\xe9\0", "aé"),
            ("ibm850", b"\x82", "é"),
            ("us-ascii", b"caf\xc3\xa9", "café"),
            ("us-ascii", b"caf\xe9", "café"),
        ] {
            assert_eq!(decode(Some(label), octets), text, "{label}");
        }
    }

    #[test]
    fn escape_sequences_of_iso_2022_jp_contradict_other_labels() {
        for label in [
            "utf-8",
            "iso-8859-1",
            "shift_jis",
            "euc-jp",
            "us-ascii",
            "ibm850",
            "utf-7",
            "x",
        ] {
            assert_eq!(decode(Some(label), b"\x1b$B%F%9\x1b(B"), "テス", "{label}");
            assert_eq!(
                decode(Some(label), b"\x1b[1mbold\x1b[m"),
                "\x1b[1mbold\x1b[m"
            );
        }
        assert_eq!(decode(Some("utf-8"), b"\xc3\xa9 \x1b$B"), "é \x1b$B");
    }

    #[test]
    fn without_a_known_label_the_charset_is_guessed() {
        for label in [
            None,
            Some(""),
            Some("x-unknown"),
            Some("iso-2022-kr"),
            Some("\u{0}"),
        ] {
            assert_eq!(
                decode(label, b"\xef\xbb\xbfcaf\xc3\xa9 caf\xe9"),
                "café café"
            );
        }
    }

    #[test]
    fn utf_8_and_windows_1252_in_one_text_are_both_read() {
        for (octets, text) in [
            (
                &b"Atenci\xc3\xb3n: n\xe3o s\xe3o informa\xe7\xf5es v\xe1lidas"[..],
                "Atención: não são informações válidas",
            ),
            (
                b"it\xe2\x80\x99s f\xfcr \xd6l \xe4\xe4\xe4",
                "it’s für Öl äää",
            ),
            (b"\xe9t\xe9, no\xebl, d\xc3\xa9j\xc3\xa0", "été, noël, déjà"),
            ("Привет".as_bytes(), "Привет"),
            (
                b"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xe9\xe9\xe9\xe9",
                "日本語 éééé",
            ),
        ] {
            assert_eq!(decode(None, octets), text);
            assert_eq!(decode(Some("us-ascii"), octets), text);
        }
    }

    #[test]
    fn damaged_utf_8_is_not_read_as_another_charset() {
        for (octets, text) in [
            (&b"za\xc5 \xc3\xb3\xc5\x82\xc4\x87"[..], "za\u{fffd} ółć"),
            (
                b"\xd0\x9f\xd1 \xd1\x80\xd0 \xd0\xb2",
                "П\u{fffd} р\u{fffd} в",
            ),
            (b"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa", "日本\u{fffd}"),
        ] {
            assert_eq!(decode(Some("utf-8"), octets), text);
        }
    }

    #[test]
    fn french_is_no_utf_8_where_single_characters_could_be() {
        for text in [
            "«CAFÉ» été LIBERTÉ\u{a0}!",
            "«\u{a0}Il a été\u{a0}» dit-elle",
            "É» É\u{a0}: déjà à l’été\u{a0}»",
            "là-bas, «\u{a0}l’ÉTÉ\u{a0}» ÎLE",
        ] {
            let octets = WINDOWS_1252.encode(text).0;
            assert!(str::from_utf8(&octets).is_err(), "{text}");
            assert_eq!(decode(None, &octets), text);
            assert_eq!(decode(Some("iso-8859-1"), &octets), text);
        }
        let french = b"\xab\xa0Il a \xe9t\xe9\xa0\xbb dit-elle";
        assert_eq!(
            decode(Some("utf-8"), french),
            "«\u{a0}Il a été\u{a0}» dit-elle"
        );
    }

    #[test]
    fn what_cannot_be_decoded_is_a_replacement_character() {
        assert_eq!(decode(Some("utf-8"), b"a\xffb"), "a\u{fffd}b");
        assert_eq!(decode(Some("euc-jp"), b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn much_utf_7_is_decoded_a_little_at_a_time() {
        let octets = b"+AOQ-".repeat(5000);
        assert!(utf_7_piece(&octets) <= UTF_7_PIECE + 5);
        assert_eq!(decode(Some("utf-7"), &octets), "ä".repeat(5000));
    }

    #[test]
    fn an_html_document_may_state_its_charset() {
        for (html, label) in [
            (r#"<meta charset="KOI8-R">"#, Some("koi8-r")),
            (
                "<META content='text/html; charset= windows-1251'>",
                Some("windows-1251"),
            ),
            ("<meta charset=unicode>", None),
            ("<p>a</p>", None),
        ] {
            assert_eq!(stated_in_html(html.as_bytes()).as_deref(), label, "{html}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_and_no_label_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..40), label in prop::sample::select(vec![
            "utf-8", "utf-7", "utf-16", "utf-16be", "iso-2022-jp", "gb18030", "gbk", "big5", "euc-jp", "euc-kr", "shift_jis",
            "ibm850", "ibm866", "x-user-defined", "hz-gb-2312", "us-ascii", "windows-1252", "x",
        ])) {
            decode(Some(label), &octets);
        }

        #[test]
        fn utf_7_in_pieces_is_utf_7(octets in prop::collection::vec(prop::sample::select(b"+-AOQ/ \n\xff".to_vec()), 1..12)) {
            let octets = octets.repeat(UTF_7_PIECE);
            prop_assert!(utf_7(&octets) == UTF_7.decode_without_bom_handling(&octets).0);
        }
    }
}
