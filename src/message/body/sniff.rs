//! Whether octets are text or a file of another kind, where their type does not tell.

/// How many octets are looked at.
pub(super) const SAMPLE: usize = 1024;

/// How files begin that may have no octet which text cannot have.
const MAGIC: [&[u8]; 9] = [
    b"%PDF-",
    b"%!PS",
    b"GIF8",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"RIFF",
    b"\xd0\xcf\x11\xe0",
    b"{\\rtf",
];

/// Control characters that stand in texts: white space, backspace, and the shifts of ISO-2022.
const OF_TEXT: [u8; 9] = [b'\t', b'\n', b'\r', 0x08, 0x0b, 0x0c, 0x0e, 0x0f, 0x1b];

/// Whether the octets begin as files of a known kind do.
pub(super) fn is_known_file(start: &[u8]) -> bool {
    MAGIC.iter().any(|magic| start.starts_with(magic))
}

/// Whether octets at the start of a file are no text: they have zeros or many control characters.
pub(super) fn is_binary(start: &[u8]) -> bool {
    let has_mark = [&b"\xff\xfe"[..], b"\xfe\xff"]
        .iter()
        .any(|mark| start.starts_with(mark));
    is_known_file(start) || (!has_mark && has_controls(start))
}

/// Whether octets have zeros or many control characters.
pub(super) fn has_controls(start: &[u8]) -> bool {
    let is_control = |octet: &&u8| **octet < b' ' && !OF_TEXT.contains(octet);
    start.contains(&0) || start.iter().filter(is_control).count() * 20 > start.len()
}

/// Whether mailers give this type to texts, by whatever program the name belongs to. Others say that
/// the octets are encoded (application/mac-binhex40).
pub(super) fn is_type_of_texts(media_type: &str) -> bool {
    const SUBTYPES: [&str; 14] = [
        "octet-stream",
        "x-unknown",
        "text",
        "plain",
        "ics",
        "csv",
        "json",
        "xml",
        "yaml",
        "x-patch",
        "x-diff",
        "x-sh",
        "x-python",
        "vnd.ms-excel",
    ];
    let subtype = media_type.strip_prefix("application/");
    subtype.is_some_and(|subtype| SUBTYPES.contains(&subtype))
}

/// Whether files of that name are text that people read.
pub(super) fn is_text_name(name: &str) -> bool {
    const EXTENSIONS: [&str; 21] = [
        "txt", "text", "csv", "tsv", "log", "md", "patch", "diff", "ics", "vcf", "json", "xml",
        "yaml", "yml", "ini", "conf", "c", "h", "py", "sh", "pl",
    ];
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_other_files() {
        for text in [
            &b""[..],
            b"a\tb\r\n",
            b"caf\xe9",
            "日本".as_bytes(),
            b"\x1b$B%F\x1b(B",
            b"\xff\xfea\0",
        ] {
            assert!(!is_binary(text), "{}", text.escape_ascii());
        }
        for file in [
            &b"%PDF-1.4\n"[..],
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            b"GIF89a",
            b"a\0b",
            b"a\x01",
        ] {
            assert!(is_binary(file), "{}", file.escape_ascii());
        }
    }

    #[test]
    fn a_name_may_tell_that_a_file_is_text() {
        assert!(is_text_name("a.TXT") && is_text_name("a.b.csv"));
        assert!(!is_text_name("a.jpg") && !is_text_name("txt") && !is_text_name(""));
    }
}
