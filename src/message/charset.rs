//! Octets of a charset as text. The charset crate is used here only.

use std::borrow::Cow;

use charset::{Charset, UTF_7};
use mail_parser::decoders::charsets::map::charset_decoder;

/// How far an HTML part is looked at for its own word on its charset, in octets (as the HTML standard's prescan).
const PRESCAN: usize = 1024;
/// How many octets of UTF-7 are decoded at once, and some.
const UTF_7_PIECE: usize = 4096;

/// The text in a charset by its label (RFC 2045, and the names that mailers use). What cannot be decoded becomes U+FFFD. A label
/// that is not known, or none, means UTF-8, and so does US-ASCII where the octets are UTF-8.
pub(super) fn decode(label: Option<&str>, octets: &[u8]) -> String {
    let label = label.map(str::trim).unwrap_or_default();
    if let Some(text) = miscalled_ascii(label, octets) {
        return text.to_owned();
    }
    if let Some(charset) = Charset::for_label_no_replacement(label.as_bytes()) {
        if charset == UTF_7 && Charset::for_bom(octets).is_none() {
            return utf_7(octets);
        }
        return charset.decode(octets).0.into_owned();
    }
    match known_to_mail_parser(label) {
        Some(decoder) => decoder(octets),
        None => without_byte_order_mark(String::from_utf8_lossy(octets)),
    }
}

/// In pieces: at each shift the crate goes through all the memory that it has taken for the text, and 8 MB of shifts would take
/// 16 times as long as 2 MB.
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

/// Behind an octet that is none of base64 no shift is open (RFC 2152), and the rest stands for itself.
fn utf_7_piece(octets: &[u8]) -> usize {
    let is_of_shift = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let start = UTF_7_PIECE.min(octets.len());
    let end = octets[start..].iter().position(|octet| !is_of_shift(octet));
    end.map_or(octets.len(), |end| start + end + 1)
}

/// The charset that an HTML document states itself, in a `meta` element.
pub(super) fn stated_in_html(octets: &[u8]) -> Option<String> {
    let start = octets[..octets.len().min(PRESCAN)].to_ascii_lowercase();
    let at = memchr::memmem::find(&start, b"charset=")? + b"charset=".len();
    let value = start[at..].trim_ascii_start();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let is_of_label = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_:.".contains(octet);
    let length = value.iter().take_while(|octet| is_of_label(octet)).count();
    String::from_utf8(value[..length].to_vec()).ok()
}

/// Mailers say US-ASCII of whatever they are given.
fn miscalled_ascii<'a>(label: &str, octets: &'a [u8]) -> Option<&'a str> {
    let is_ascii = ["us-ascii", "ascii"]
        .iter()
        .any(|name| label.eq_ignore_ascii_case(name));
    std::str::from_utf8(octets).ok().filter(|_| is_ascii)
}

/// Those that the web knows not, as IBM850. What the web refuses (ISO-2022-KR, HZ) would be one U+FFFD in all; as
/// UTF-8 its ASCII stays readable.
fn known_to_mail_parser(label: &str) -> Option<fn(&[u8]) -> String> {
    let refused = Charset::for_label(label.as_bytes()).is_some();
    charset_decoder(label.as_bytes()).filter(|_| !refused)
}

fn without_byte_order_mark(text: Cow<'_, str>) -> String {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text.into_owned(),
    }
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
    fn without_a_known_label_it_is_utf_8() {
        for label in [
            None,
            Some(""),
            Some("x-unknown"),
            Some("iso-2022-kr"),
            Some("\u{0}"),
        ] {
            assert_eq!(
                decode(label, b"\xef\xbb\xbfcaf\xc3\xa9 caf\xe9"),
                "café caf\u{fffd}"
            );
        }
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
