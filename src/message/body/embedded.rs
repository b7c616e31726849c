//! Files that stand within a plain text: uuencode, as mail had it before MIME, and yEnc, as news
//! has it.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::transfer::Encoding;

/// A file within a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EmbeddedFile {
    /// All of its lines.
    pub(super) range: Range<usize>,
    pub(super) encoding: Encoding,
    /// As its first line has it; any characters.
    pub(super) name: String,
}

/// All files in a text, in its order. Takes one pass over the octets.
pub(super) fn files(text: &[u8]) -> Vec<EmbeddedFile> {
    let mut files = Vec::new();
    let mut at = 0;
    while let Some(start) = next_start(text, at) {
        match file_at(text, start) {
            Ok(file) => {
                at = file.range.end;
                files.push(file);
            }
            // What was looked at holds no other start.
            Err(behind) => at = behind,
        }
    }
    files
}

/// Where the next line begins that may begin a file.
fn next_start(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        let line = &text[at..];
        if line.starts_with(b"begin") || line.starts_with(b"=ybegin ") {
            return Some(at);
        }
        at += memchr(b'\n', line)? + 1;
    }
    None
}

/// The file that begins there, or where to look for the next one.
fn file_at(text: &[u8], start: usize) -> Result<EmbeddedFile, usize> {
    let first = line_at(text, start);
    let behind = start + first.len();
    let file = match uu_header(first) {
        Some((Encoding::Uuencode, name)) => (uuencoded(text, behind), Encoding::Uuencode, name),
        Some((encoding, name)) => (base64_encoded(text, behind), encoding, name),
        None => match yenc_name(first) {
            Some(name) => (yencoded(text, behind), Encoding::YEnc, name),
            None => return Err(behind),
        },
    };
    let (end, encoding, name) = file;
    Ok(EmbeddedFile {
        range: start..end?,
        encoding,
        name,
    })
}

/// The line with its line end.
fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start..];
    &rest[..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)]
}

/// `begin 644 name`, `begin-base64 644 name`
fn uu_header(line: &[u8]) -> Option<(Encoding, String)> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.trim_end().splitn(3, ' ');
    let encoding = match words.next()? {
        "begin" => Encoding::Uuencode,
        "begin-base64" => Encoding::UuBase64,
        _ => return None,
    };
    let mode = words.next()?;
    let is_mode =
        (3..=4).contains(&mode.len()) && mode.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let name = words
        .next()
        .map(str::trim)
        .filter(|name| is_mode && !name.is_empty())?;
    Some((encoding, name.to_owned()))
}

/// `=ybegin line=128 size=123 name=a.bin`: the name comes last and may have spaces.
fn yenc_name(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line.strip_prefix(b"=ybegin ")?);
    let (parameters, name) = line.trim_end().split_once("name=")?;
    let name = name.trim().trim_matches('"');
    (parameters.contains("size=") && !name.is_empty()).then(|| name.to_owned())
}

/// Where the file ends: behind the line `end`, or behind the last line that is of it. Where not
/// even one line is, it is no file: no prose has such a line.
fn uuencoded(text: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start;
    let mut has_data = false;
    while at < text.len() {
        let line = line_at(text, at);
        let content = without_line_end(line);
        if content.trim_ascii_end() == b"end" {
            return Ok(at + line.len());
        }
        let has_only_end = matches!(content.trim_ascii(), b"" | b"`");
        if !has_only_end && !is_uuencoded(content) {
            break;
        }
        has_data |= !has_only_end;
        at += line.len();
    }
    if has_data { Ok(at) } else { Err(at) }
}

/// The first octet counts the octets that the rest encodes, four characters for three. Spaces at
/// the end may be lost, and some encoders add a checksum.
fn is_uuencoded(line: &[u8]) -> bool {
    let Some((length, sextets)) = line.split_first() else {
        return false;
    };
    let groups = usize::from(length.wrapping_sub(b' ') & 63).div_ceil(3);
    let is_sextet = |octet: &u8| (b' '..=b'`').contains(octet);
    let is_length = is_sextet(length) && groups > 0;
    let is_padded = sextets.len() >= groups * 4 && sextets.len() <= groups * 4 + 2;
    let is_stripped = sextets.len() < groups * 4 && sextets.len() + 8 >= groups * 4;
    is_length && (is_padded || is_stripped) && sextets.iter().all(is_sextet)
}

/// Up to the line of four padding signs.
fn base64_encoded(text: &[u8], start: usize) -> Result<usize, usize> {
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
    let mut at = start;
    while at < text.len() {
        let line = line_at(text, at);
        let content = without_line_end(line);
        if content == b"====" {
            return Ok(at + line.len());
        }
        if content.is_empty() || !content.iter().all(is_base64) {
            return Err(at);
        }
        at += line.len();
    }
    Err(at)
}

/// Up to the line that begins with `=yend`.
fn yencoded(text: &[u8], start: usize) -> Result<usize, usize> {
    match memmem::find(&text[start..], b"\n=yend") {
        Some(found) => {
            let end = start + found + 1;
            Ok(end + line_at(text, end).len())
        }
        None => Err(text.len()),
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        let files = files(text.as_bytes()).into_iter();
        files.map(|file| (file.name, &text[file.range])).collect()
    }

    #[test]
    fn uuencoded_files_are_found_between_the_lines() {
        let file = "begin 644 hello.txt\r\n,:&5L;&\\@=V]R;&0*\r\n`\r\nend\r\n";
        let text = format!("hello\r\n{file}bye\r\n{file}");
        let files = found(&text);
        assert_eq!(files.len(), 2);
        for (name, lines) in files {
            assert_eq!((name.as_str(), lines), ("hello.txt", file));
        }
        let posix = "begin-base64 644 a b.bin\naGVsbG8=\n====\n";
        assert_eq!(found(posix), [("a b.bin".to_owned(), posix)]);
        let cut = "begin 600 cut.bin\n,:&5L;&\\@=V]R;&0*\n";
        assert_eq!(found(cut), [("cut.bin".to_owned(), cut)]);
    }

    #[test]
    fn yencoded_files_are_found() {
        let file = "=ybegin line=128 size=3 name=a b.bin\r\n\u{8b}\r\n=yend size=3\r\n";
        let text = format!("text\r\n{file}more");
        assert_eq!(found(&text), [("a b.bin".to_owned(), file)]);
    }

    #[test]
    fn prose_is_no_file() {
        for text in [
            "begin with a cup of tea\n",
            "begin 644 x\nthis is prose\nend\n",
            "begin 644\n",
            "beginning\n",
            "begin-base64 644 x\nnot base64\n",
            "=ybegin line=128 size=3 name=x\nno end",
            "=ybegin of a text\n",
            "",
        ] {
            assert_eq!(found(text), [], "{text:?}");
        }
    }
}
