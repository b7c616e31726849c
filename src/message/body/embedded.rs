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
    /// As its first line has it, in the charset of the text.
    pub(super) name: Vec<u8>,
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
        name: name.to_vec(),
    })
}

/// The line with its line end.
fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start..];
    &rest[..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)]
}

/// `begin 644 name`, `begin-base64 644 name`
fn uu_header(line: &[u8]) -> Option<(Encoding, &[u8])> {
    let mut words = line.trim_ascii_end().splitn(3, |octet| *octet == b' ');
    let encoding = match words.next()? {
        b"begin" => Encoding::Uuencode,
        b"begin-base64" => Encoding::UuBase64,
        _ => return None,
    };
    let mode = words.next()?;
    let is_mode =
        (3..=4).contains(&mode.len()) && mode.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    let name = words
        .next()
        .map(<[u8]>::trim_ascii)
        .filter(|name| is_mode && !name.is_empty())?;
    Some((encoding, name))
}

/// `=ybegin line=128 size=123 name=a.bin`: the name comes last and may have spaces.
fn yenc_name(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"=ybegin ")?;
    let at = memmem::find(line, b"name=")?;
    let name = line[at + b"name=".len()..].trim_ascii();
    let name = name.strip_prefix(b"\"").unwrap_or(name);
    let name = name.strip_suffix(b"\"").unwrap_or(name);
    (memmem::find(&line[..at], b"size=").is_some() && !name.is_empty()).then_some(name)
}

/// Where the file ends: behind the line `end`, or behind the last line that is surely of it. Where
/// not even one line is, it is no file: no prose has such a line.
fn uuencoded(text: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start;
    let mut has_data = false;
    // Where the lines begin that are of the file only if it has an end.
    let mut doubtful = None;
    while at < text.len() {
        let line = line_at(text, at);
        let content = without_line_end(line);
        if content.trim_ascii_end() == b"end" {
            return Ok(at + line.len());
        }
        if !matches!(content.trim_ascii(), b"" | b"`") {
            match UuLine::of(content) {
                Some(UuLine::Whole) => has_data |= doubtful.is_none(),
                Some(UuLine::Stripped) => _ = doubtful.get_or_insert(at),
                None => break,
            }
        }
        at += line.len();
    }
    let end = doubtful.unwrap_or(at);
    if has_data { Ok(end) } else { Err(at) }
}

/// A line of data.
enum UuLine {
    /// It has all of its characters, or nearly.
    Whole,
    /// It lacks so many that it may be prose in capitals.
    Stripped,
}

impl UuLine {
    /// The first octet counts the octets that the rest encodes, four characters for three. Spaces
    /// at the end may be lost, and some encoders add a checksum.
    fn of(line: &[u8]) -> Option<Self> {
        let (length, sextets) = line.split_first()?;
        let groups = usize::from(length.wrapping_sub(b' ') & 63).div_ceil(3);
        let is_sextet = |octet: &u8| (b' '..=b'`').contains(octet);
        let is_line = is_sextet(length)
            && groups > 0
            && sextets.len() <= groups * 4 + 2
            && sextets.iter().all(is_sextet);
        match sextets.len() + 8 >= groups * 4 {
            _ if !is_line => None,
            true => Some(Self::Whole),
            false => Some(Self::Stripped),
        }
    }
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
        let named = |file: EmbeddedFile| (String::from_utf8(file.name).unwrap(), &text[file.range]);
        files.map(named).collect()
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
    fn lines_of_a_file_may_lack_the_spaces_at_their_end() {
        let file = "begin 644 zeros.bin\n*86\nM\n#:&5L\nM_P\n`\nend\n";
        let text = format!("hello\n{file}bye\n");
        assert_eq!(found(&text), [("zeros.bin".to_owned(), file)]);
        let cut = "begin 644 cut.bin\n#:&5L\nMORE THAN DATA\n";
        let data = &cut[..cut.len() - "MORE THAN DATA\n".len()];
        assert_eq!(found(cut), [("cut.bin".to_owned(), data)]);
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
            "begin 644 x\nTHIS IS PROSE\n",
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
