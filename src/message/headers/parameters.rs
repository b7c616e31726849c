//! Values with parameters: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183).
//!
//! mail-parser decodes each section of an RFC 2231 parameter by itself: that breaks characters that
//! two sections share, and loses the charset after the first section. So the sections are joined
//! here.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};

use super::encoded_words;
use crate::message::charset;

/// The parameters in which mailers write encoded words, though RFC 2047 section 5 forbids it. In
/// others, such as a boundary, `=?` stands for itself.
const NAMES: [&str; 2] = ["name", "filename"];

/// Begins an escape sequence (RFC 1468).
const ESCAPE: u8 = 0x1b;

/// A value with parameters: `text/plain; charset=utf-8`, or `attachment; filename=a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::message) struct Parameterized {
    /// In lower case, without parameters, white space and control characters. Empty only if there
    /// are parameters.
    pub(in crate::message) value: String,
    /// Names in lower case; values decoded and not empty. A value may have any character.
    parameters: BTreeMap<String, String>,
}

/// A section of a parameter (RFC 2231 section 3); a parameter that is not continued has one
/// section.
struct Section {
    number: u32,
    form: Form,
    octets: Vec<u8>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Form {
    /// Not encoded.
    Plain,
    /// Percent-encoded; the first section begins with a charset and a language (RFC 2231 section
    /// 4).
    Extended,
}

impl Parameterized {
    /// Of a field's value; None if it is empty. Raw octets of file names are of the charset of the
    /// message.
    pub(in crate::message) fn read(field: &[u8], message: Option<&str>) -> Option<Self> {
        let (value, mut rest) = split_behind_value(field);
        let value = value_of(&String::from_utf8_lossy(value));
        let mut sections: BTreeMap<String, Vec<Section>> = BTreeMap::new();
        while !rest.is_empty() {
            let (parameter, behind) = split_at_semicolon(rest);
            rest = behind;
            if let Some((name, section)) = section(parameter) {
                sections.entry(name).or_default().push(section);
            }
        }
        let parameters = sections.into_iter().map(|(name, sections)| {
            let value = joined(&name, sections, message);
            (name, value)
        });
        let read = Self {
            value,
            parameters: parameters.filter(|(_, value)| !value.is_empty()).collect(),
        };
        (!read.value.is_empty() || !read.parameters.is_empty()).then_some(read)
    }

    /// A value without parameters.
    pub(in crate::message) fn of_value(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            parameters: BTreeMap::new(),
        }
    }

    /// A value with one parameter.
    pub(in crate::message) fn new(value: &str, name: &str, parameter: String) -> Self {
        Self {
            value: value.to_owned(),
            parameters: BTreeMap::from([(name.to_owned(), parameter)]),
        }
    }

    /// The same but for the parameter of the name.
    pub(in crate::message) fn without_parameter(&self, name: &str) -> Self {
        let mut changed = self.clone();
        changed.parameters.remove(name);
        changed
    }

    /// The parameter of that name in lower case.
    pub(in crate::message) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// Characters of two octets between escape sequences (ISO-2022-JP, RFC 1468). Mailers in Japan
/// write them raw, and each of their octets may look like a quotation mark, a semicolon or a
/// backslash.
#[derive(Default)]
struct WideCharacters {
    are_on: bool,
    previous: u8,
}

impl WideCharacters {
    /// Whether the next octet is one of such a character, or of an escape sequence before it.
    fn have(&mut self, octet: u8) -> bool {
        if self.previous == ESCAPE && matches!(octet, b'$' | b'(') {
            self.are_on = octet == b'$';
        }
        self.previous = octet;
        self.are_on
    }
}

/// The value, and the parameters behind it. Some mailers forget the semicolon between the two, or
/// write a comma; some forget the value.
fn split_behind_value(field: &[u8]) -> (&[u8], &[u8]) {
    let (value, rest) = split_at_semicolon(field);
    let start = value.len() - value.trim_ascii_start().len();
    let is_behind = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, b',' | b'(');
    let word = value[start..].iter().position(is_behind);
    let end = word.map_or(value.len(), |length| start + length);
    match memchr(b'=', value) {
        Some(equals) if equals < end => (&[], field),
        Some(equals) if !value[..equals].contains(&b'(') => {
            let behind = &field[end..];
            (&value[..end], behind.strip_prefix(b",").unwrap_or(behind))
        }
        _ => (value, rest),
    }
}

/// The first word in lower case. Some mailers put it in quotation marks, or white space around the
/// slash.
fn value_of(written: &str) -> String {
    let pieces: Vec<&str> = written.split('/').map(str::trim).collect();
    let joined = pieces.join("/").to_ascii_lowercase();
    let is_between = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '(' | '"' | ',');
    let mut words = joined.split(is_between).filter(|word| !word.is_empty());
    words.next().unwrap_or_default().to_owned()
}

/// What stands before the first semicolon outside of quotation marks, and what stands behind it.
fn split_at_semicolon(field: &[u8]) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped) = (false, false);
    let mut characters = WideCharacters::default();
    for (at, octet) in field.iter().enumerate() {
        match octet {
            _ if characters.have(*octet) => (),
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return (&field[..at], &field[at + 1..]),
            _ => (),
        }
    }
    (field, &[])
}

/// `name`, `name*`, `name*0` or `name*0*`, then `=` and the value.
fn section(parameter: &[u8]) -> Option<(String, Section)> {
    let equals = memchr(b'=', parameter)?;
    let name = String::from_utf8_lossy(parameter[..equals].trim_ascii()).to_ascii_lowercase();
    let value = without_comment(&name, parameter[equals + 1..].trim_ascii());
    let octets = unquoted(without_encoded_equals(value));
    let (name, form) = match name.strip_suffix('*') {
        Some(name) => (name, Form::Extended),
        None => (name.as_str(), Form::Plain),
    };
    let (name, number) = match name.split_once('*') {
        Some((name, number)) => (name, number.parse().ok()?),
        None => (name, 0),
    };
    let section = Section {
        number,
        form,
        octets,
    };
    Some((name.to_owned(), section))
}

/// Without folds, quotation marks, and the backslashes that quote a quotation mark or a backslash;
/// other backslashes are of a path. What follows the closing quotation mark is not of the value.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let inner = value.strip_prefix(b"\"");
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = inner.unwrap_or(value);
    let mut characters = WideCharacters::default();
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, behind) {
            _ if characters.have(octet) => plain.push(octet),
            (b'\r' | b'\n', _) => (),
            (b'"', _) if inner.is_some() && is_end(behind) => break,
            (b'\\', [quoted @ (b'"' | b'\\'), behind @ ..]) if inner.is_some() => {
                plain.push(*quoted);
                rest = behind;
            }
            _ => plain.push(octet),
        }
    }
    plain
}

/// Whether at most a comment follows. Some mailers do not quote the quotation marks in a name.
fn is_end(behind: &[u8]) -> bool {
    matches!(behind.trim_ascii_start(), [] | [b'(', ..])
}

/// Some mailers encode the whole header as quoted-printable: `=3D"` is `="`.
fn without_encoded_equals(value: &[u8]) -> &[u8] {
    let quoted = value.strip_prefix(b"3D");
    quoted
        .filter(|quoted| quoted.starts_with(b"\""))
        .unwrap_or(value)
}

/// A word without the comment behind it. File names have parentheses.
fn without_comment<'a>(name: &str, value: &'a [u8]) -> &'a [u8] {
    let comment = memmem::find(value, b" (").filter(|_| !NAMES.contains(&name));
    let is_quoted = value.starts_with(b"\"");
    match comment {
        Some(at) if !is_quoted => value[..at].trim_ascii_end(),
        _ => value,
    }
}

/// Whether the value of a plain parameter has the form of RFC 2231: `utf-8''a%20b.pdf`. Some mailers
/// forget the asterisk.
fn is_extended(octets: &[u8]) -> bool {
    let (label, value) = charset_and_value(octets);
    let is_known = label.is_some_and(|label| charset::is_known(&label));
    is_known && value.contains(&b'%')
}

/// The sections in their order. If a number occurs in both forms, the one with the charset counts:
/// the plain one is for programs that do not know RFC 2231 (RFC 6266 section 4.3).
fn joined(name: &str, mut sections: Vec<Section>, message: Option<&str>) -> String {
    sections.sort_by_key(|section| (section.number, section.form == Form::Plain));
    sections.dedup_by_key(|section| section.number);
    if sections.iter().all(|section| section.form == Form::Plain) {
        let octets: Vec<u8> = sections
            .into_iter()
            .flat_map(|section| section.octets)
            .collect();
        if !NAMES.contains(&name) {
            return String::from_utf8_lossy(&octets).into_owned();
        }
        if !is_extended(&octets) {
            return encoded_words::text(&octets, message);
        }
        sections = vec![Section {
            number: 0,
            form: Form::Extended,
            octets,
        }];
    }
    let mut label = None;
    let mut octets = Vec::new();
    for (at, section) in sections.into_iter().enumerate() {
        match section.form {
            Form::Plain => octets.extend(section.octets),
            Form::Extended if at == 0 => {
                let (charset, value) = charset_and_value(&section.octets);
                label = charset;
                percent_decode(value, &mut octets);
            }
            Form::Extended => percent_decode(&section.octets, &mut octets),
        }
    }
    match label.filter(|label| !label.is_empty()) {
        Some(label) => charset::decode(Some(&label), &octets),
        None => charset::decode_unlabelled(message, &octets),
    }
}

/// `charset'language'value`; without the apostrophes all of it is the value.
fn charset_and_value(section: &[u8]) -> (Option<String>, &[u8]) {
    let mut pieces = section.splitn(3, |octet| *octet == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(_), Some(value)) => {
            (Some(String::from_utf8_lossy(charset).into_owned()), value)
        }
        _ => (None, section),
    }
}

fn percent_decode(value: &[u8], octets: &mut Vec<u8>) {
    octets.extend(percent_encoding::percent_decode(value));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file_name(parameters: &str) -> Option<String> {
        let field = format!(" attachment; {parameters}\r\n");
        let disposition = Parameterized::read(field.as_bytes(), None)?;
        disposition.parameter("filename").map(str::to_owned)
    }

    #[test]
    fn raw_japanese_characters_hide_no_syntax() {
        for (name, raw) in [
            ("あ.txt", "\x1b$B$\"\x1b(B.txt"),
            ("山.txt", "\x1b$B;3\x1b(B.txt"),
        ] {
            for charset in [Some("iso-2022-jp"), None] {
                let field = format!("attachment; filename=\"{raw}\"; size=3");
                let read = Parameterized::read(field.as_bytes(), charset).unwrap();
                assert_eq!(read.parameter("filename"), Some(name), "{charset:?}");
                assert_eq!(read.parameter("size"), Some("3"));
            }
        }
    }

    #[test]
    fn a_value_is_a_word_in_lower_case() {
        for (field, value) in [
            (" Text/HTML; charset=x\r\n", Some("text/html")),
            ("text/plain (comment; here)", Some("text/plain")),
            ("text", Some("text")),
            ("\0text/\x1bplain", Some("text/")),
            ("", None),
            (" \r\n ", None),
            (" \r\n ; a=b", Some("")),
        ] {
            let read = Parameterized::read(field.as_bytes(), None);
            assert_eq!(
                read.as_ref().map(|read| read.value.as_str()),
                value,
                "{field:?}"
            );
        }
    }

    #[test]
    fn a_plain_parameter_is_a_token_or_a_quoted_string() {
        for (parameters, name) in [
            ("filename=a.pdf", "a.pdf"),
            ("FILENAME = a.pdf ; size=3", "a.pdf"),
            ("filename=two words.pdf; x", "two words.pdf"),
            ("filename=\"a;\\\"b\\\".pdf\"; size=3", "a;\"b\".pdf"),
            ("filename=\"C:\\dir\\a.pdf\"", "C:\\dir\\a.pdf"),
            ("filename=\"unfinished", "unfinished"),
            ("filename=3D\"a.pdf\"; size=3D3", "a.pdf"),
            ("filename=3D.pdf", "3D.pdf"),
            ("filename=\"folded\r\n name.pdf\"", "folded name.pdf"),
            ("filename=caf\u{e9}.txt", "café.txt"),
            ("x=y;; =; filename=a", "a"),
        ] {
            assert_eq!(
                file_name(parameters).as_deref(),
                Some(name),
                "{parameters:?}"
            );
        }
        assert_eq!(file_name("filename=\"\""), None);
        assert_eq!(file_name("name=a"), None);
    }

    #[test]
    fn an_extended_parameter_has_a_charset() {
        for (parameters, name) in [
            (
                "filename*=UTF-8''na%C3%AFve%20caf%C3%A9.txt",
                "naïve café.txt",
            ),
            ("filename*=iso-8859-1'fr'caf%E9.txt", "café.txt"),
            ("filename*=koi8-r''%F0%D2", "Пр"),
            ("filename*=no-charset%20a", "no-charset a"),
            (
                "filename=\"caf?.txt\"; filename*=utf-8''caf%C3%A9.txt",
                "café.txt",
            ),
            ("filename*=utf-8''100%25%zz", "100%%zz"),
        ] {
            assert_eq!(
                file_name(parameters).as_deref(),
                Some(name),
                "{parameters:?}"
            );
        }
    }

    #[test]
    fn a_continued_parameter_is_put_together() {
        for (parameters, name) in [
            (
                "filename*0=\"very \";\r\n filename*1=\"long.pdf\"",
                "very long.pdf",
            ),
            (
                "filename*1=b; filename*0=a; filename*10=d; filename*2=c",
                "abcd",
            ),
            (
                "filename*0*=UTF-8''caf%C3;\r\n filename*1*=%A9.pdf",
                "café.pdf",
            ),
            (
                "filename*0*=koi8-r''%F0; filename*1*=%D2; filename*2=.txt",
                "Пр.txt",
            ),
            (
                "filename*0=UTF-8''caf%C3; filename*1=%A9%20; filename*2=b.pdf",
                "café b.pdf",
            ),
            (
                "filename*0=\"100%\"; filename*1=\" 50%.pdf\"",
                "100% 50%.pdf",
            ),
        ] {
            assert_eq!(
                file_name(parameters).as_deref(),
                Some(name),
                "{parameters:?}"
            );
        }
    }

    #[test]
    fn an_encoded_word_is_decoded_as_mailers_write_it() {
        for parameters in [
            "filename=\"=?utf-8?Q?r=C3=A9sum=C3=A9.pdf?=\"",
            "filename==?utf-8?B?csOpc3Vtw6kucGRm?=",
            "filename=\"=?iso-8859-1?Q?r=E9sum?=\r\n =?iso-8859-1?Q?=E9.pdf?=\"",
        ] {
            assert_eq!(
                file_name(parameters).as_deref(),
                Some("résumé.pdf"),
                "{parameters:?}"
            );
        }
    }

    #[test]
    fn a_boundary_is_not_decoded() {
        let field = b"multipart/mixed; boundary=\"=?utf-8?q?a?=  b\"";
        let media = Parameterized::read(field, None).unwrap();
        assert_eq!(media.parameter("boundary"), Some("=?utf-8?q?a?=  b"));
    }

    proptest! {
        #[test]
        fn nothing_in_a_field_makes_it_panic(field in prop::collection::vec(prop::sample::select(b"ab;=\"\\*'%01?\r\n \xc3".to_vec()), 0..60)) {
            let read = Parameterized::read(&field, None);
            prop_assert!(read.is_none_or(|read| !read.value.is_empty() || !read.parameters.is_empty()));
        }
    }
}
