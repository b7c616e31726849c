//! Names of attachments: the sender's name, made harmless.

use std::collections::HashMap;

use super::visible;

/// The most octets of a name, as of every Linux filesystem.
pub(in crate::message) const NAME_MAX: usize = 255;
/// The most octets of an extension, with the dot: `.geojson` is one, the end of a sentence is not.
const EXTENSION_MAX: usize = 20;

/// The names in one directory: each is given once.
#[derive(Debug, Default)]
pub(in crate::message) struct GivenNames {
    /// For each name that was asked for or given: the next number.
    next: HashMap<String, usize>,
}

impl GivenNames {
    /// The name, or `name (2).pdf` and so on if it is already given.
    pub(in crate::message) fn give(&mut self, name: &str) -> String {
        let mut number = self.next.get(name).copied().unwrap_or(1);
        let given = loop {
            let candidate = numbered(name, number);
            number += 1;
            if !self.next.contains_key(&candidate) {
                break candidate;
            }
        };
        self.next.insert(name.to_owned(), number);
        self.next.entry(given.clone()).or_insert(2);
        given
    }
}

/// The sender's name as a safe file name: the last component of a path, without control characters,
/// invisible characters and line separators, without a dot or `-` at the start and without two dots
/// in a row, at most [`NAME_MAX`] octets; a cut name keeps its extension. None if nothing is left.
pub(in crate::message) fn safe(name: &str) -> Option<String> {
    let component = name
        .rsplit(['/', '\\'])
        .find(|part| !part.trim().is_empty())?;
    let mut safe = String::with_capacity(component.len());
    for character in component.chars().filter(|character| !is_unfit(*character)) {
        match character {
            '.' if safe.ends_with('.') => (),
            _ if character.is_whitespace() && safe.ends_with(' ') => (),
            _ if character.is_whitespace() => safe.push(' '),
            _ => safe.push(character),
        }
    }
    let safe = safe
        .trim_start_matches(['.', '-', ' '])
        .trim_end_matches(['.', ' ']);
    (!safe.is_empty()).then(|| shortened(safe, NAME_MAX))
}

/// A name for an attachment that has none, made of its position in the message and its media type:
/// `part-3.pdf`.
pub(in crate::message) fn made_up(ordinal: usize, media_type: &str) -> String {
    format!("part-{ordinal}.{}", extension(media_type))
}

/// Characters that no name may have: invisible ones, and control characters that are no white
/// space.
pub(in crate::message) fn is_unfit(character: char) -> bool {
    visible::is_invisible(character) || (character.is_control() && !character.is_whitespace())
}

/// The longest start of the text that has at most that many octets.
pub(in crate::message) fn prefix(text: &str, octets: usize) -> &str {
    let mut end = octets.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn numbered(name: &str, number: usize) -> String {
    if number == 1 {
        return name.to_owned();
    }
    let suffix = format!(" ({number})");
    let (stem, extension) = split_extension(name);
    let stem = prefix(stem, NAME_MAX - suffix.len() - extension.len());
    format!("{stem}{suffix}{extension}")
}

fn shortened(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let stem = prefix(stem, most - extension.len());
    format!("{}{extension}", stem.trim_end_matches(['.', ' ']))
}

/// The extension has its dot, or is empty.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_MAX => name.split_at(at),
        _ => (name, ""),
    }
}

/// The most frequent types of mail; for others the subtype if it looks like an extension.
fn extension(media_type: &str) -> &str {
    let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
    match (kind, subtype) {
        ("message", "rfc822" | "global" | "news") => "eml",
        ("message", "external-body") => "bin",
        ("text", "plain" | "rfc822-headers") | ("message", _) => "txt",
        ("text", "calendar") => "ics",
        ("text", "vcard" | "x-vcard" | "directory") => "vcf",
        ("text", "markdown") => "md",
        ("text", "x-patch" | "x-diff") => "patch",
        ("image", "jpeg") => "jpg",
        ("image", "svg+xml") => "svg",
        ("image", "tiff") => "tif",
        ("audio", "mpeg") => "mp3",
        ("audio" | "video", "mp4") => "mp4",
        (_, "x-zip-compressed") => "zip",
        (_, "gzip" | "x-gzip") => "gz",
        (_, "msword") => "doc",
        (_, "vnd.ms-excel") => "xls",
        (_, "vnd.ms-powerpoint") => "ppt",
        (_, "vnd.openxmlformats-officedocument.wordprocessingml.document") => "docx",
        (_, "vnd.openxmlformats-officedocument.spreadsheetml.sheet") => "xlsx",
        (_, "vnd.openxmlformats-officedocument.presentationml.presentation") => "pptx",
        (_, "vnd.oasis.opendocument.text") => "odt",
        (_, "vnd.oasis.opendocument.spreadsheet") => "ods",
        (_, "pgp-signature" | "pgp-encrypted" | "pgp-keys") => "asc",
        (_, "pkcs7-signature" | "x-pkcs7-signature") => "p7s",
        (_, "pkcs7-mime" | "x-pkcs7-mime") => "p7m",
        ("text", _) if !looks_like_extension(subtype) => "txt",
        ("multipart", _) => "bin",
        _ if looks_like_extension(subtype) => subtype,
        _ => "bin",
    }
}

fn looks_like_extension(subtype: &str) -> bool {
    (2..=4).contains(&subtype.len()) && subtype.bytes().all(|octet| octet.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_harmless_name_stays() {
        for name in [
            "a.pdf",
            "Rechnung März 2024.pdf",
            "日本語.txt",
            "a-b_c+d (1).tar.gz",
            "x",
        ] {
            assert_eq!(safe(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_hostile_name_is_made_harmless() {
        for (name, expected) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\a\\b.doc", "b.doc"),
            ("/etc/", "etc"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            (" .-. x", "x"),
            ("a..b...c", "a.b.c"),
            ("a\0b\x1b[31m\r\n c.txt", "ab[31m c.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\u{2028}b\tc", "a b c"),
            ("dot. ", "dot"),
        ] {
            assert_eq!(safe(name).as_deref(), Some(expected), "{name:?}");
        }
    }

    #[test]
    fn a_name_without_any_fit_character_is_none() {
        for name in ["", ".", "..", "///", "\\", "\0", " - ", "\u{202e}"] {
            assert_eq!(safe(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = safe(&format!("{}.geojson", "ü".repeat(200))).unwrap();
        assert!(
            name.len() <= NAME_MAX && name.ends_with("ü.geojson"),
            "{name}"
        );
        let name = safe(&format!("a.{}", "b".repeat(400))).unwrap();
        assert_eq!(name.len(), NAME_MAX);
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = GivenNames::default();
        let given: Vec<String> = ["a.pdf", "a.pdf", "a (2).pdf", "a.pdf", "b", "b"]
            .iter()
            .map(|name| names.give(name))
            .collect();
        assert_eq!(
            given,
            [
                "a.pdf",
                "a (2).pdf",
                "a (2) (2).pdf",
                "a (3).pdf",
                "b",
                "b (2)"
            ]
        );
    }

    #[test]
    fn a_media_type_makes_up_an_extension() {
        for (media_type, name) in [
            ("application/pdf", "part-3.pdf"),
            ("image/jpeg", "part-3.jpg"),
            ("image/png", "part-3.png"),
            ("application/octet-stream", "part-3.bin"),
            ("text/x-unheard-of", "part-3.txt"),
            ("text/csv", "part-3.csv"),
            ("x/../../y", "part-3.bin"),
            ("", "part-3.bin"),
        ] {
            assert_eq!(made_up(3, media_type), name);
        }
    }

    proptest! {
        #[test]
        fn every_name_is_safe_and_given_once(wished in prop::collection::vec(".{0,8}|[a./\\\\-]{0,6}|(ü|x\\.){250}", 1..12)) {
            let mut names = GivenNames::default();
            let mut given = std::collections::HashSet::new();
            for name in wished.iter().filter_map(|name| safe(name)) {
                let name = names.give(&name);
                prop_assert!(!name.is_empty() && name.len() <= NAME_MAX);
                prop_assert!(!name.starts_with(['.', '-']) && !name.contains(".."));
                prop_assert!(!name.contains(|c: char| c == '/' || c.is_control()));
                prop_assert!(given.insert(name));
            }
        }
    }
}
