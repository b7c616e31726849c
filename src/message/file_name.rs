//! Names of attachments: what a sender calls a file, made harmless.

use std::collections::HashMap;

/// The most octets of a name, as of every Linux filesystem.
pub(in crate::message) const NAME_MAX: usize = 255;
/// The most octets of what counts as an extension, with the dot: `.geojson`, not the end of a sentence.
const EXTENSION_MAX: usize = 20;

/// The names in one directory, each given once.
#[derive(Debug, Default)]
pub(in crate::message) struct Names {
    /// The next number for each name that was asked for or given.
    next: HashMap<String, usize>,
}

impl Names {
    /// The name, or where it is given already `name (2).pdf`, and so on.
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

/// The sender's name as one of a file in a directory of ours: the last component of a path, without control characters, bidi
/// controls and line separators, beginning neither with a dot nor with `-`, without two dots together, and at most [`NAME_MAX`]
/// octets, the extension kept. None where nothing is left.
pub(in crate::message) fn safe(name: &str) -> Option<String> {
    let component = name
        .rsplit(['/', '\\'])
        .find(|part| !part.trim().is_empty())?;
    let mut safe = String::with_capacity(component.len());
    for character in component
        .chars()
        .filter(|character| !is_invisible(*character))
    {
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

/// For an attachment without a name, by its place in the message and its media type: `part-3.pdf`.
pub(in crate::message) fn made_up(ordinal: usize, media_type: &str) -> String {
    format!("part-{ordinal}.{}", extension(media_type))
}

/// Control characters that are no white space, and those that change the order in which a name is shown: U+202A to U+202E and
/// U+2066 to U+2069 can make `exe.fdp` look like a PDF.
pub(in crate::message) fn is_invisible(character: char) -> bool {
    let is_bidi_control = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_bidi_control
        || character == '\u{feff}'
        || (character.is_control() && !character.is_whitespace())
}

/// The longest start of the text that has at most so many octets.
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

/// Those that mail has most often; others go by their subtype where it looks like an extension.
fn extension(media_type: &str) -> &str {
    let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
    match (kind, subtype) {
        ("text", "plain" | "rfc822-headers") | ("message", "delivery-status") => "txt",
        ("message", "rfc822" | "global") => "eml",
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
    fn a_name_of_which_nothing_is_left_is_none() {
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
        let mut names = Names::default();
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
            let mut names = Names::default();
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
