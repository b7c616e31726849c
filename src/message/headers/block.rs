//! Where headers end and the body begins (RFC 5322 section 2.1), also where the blank line between
//! them is missing.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

/// How many octets of a header block are read: real ones end long before.
pub(in crate::message) const HEADERS_MAX: usize = 256 * 1024;

/// Some programs put it before a message that they save as UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the headers belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) enum Owner {
    /// A message as the server sent it.
    Message,
    /// A message within another one; blank lines may precede its headers.
    Nested,
    /// A part of a multipart: without headers it is text.
    Part,
}

/// The octets up to and including the blank line that ends the headers, or all of them if there is
/// none.
///
/// A line that is no field ends the headers too, if no field follows it or if it is a boundary:
/// some mailers forget the blank line. But where such a line is between two fields, those above the
/// blank line are header lines, too. A line of white space counts as the blank line where text
/// follows it. Lines end in CRLF or LF; in a message without LF a bare CR ends a line.
pub fn header_block(message: &[u8]) -> &[u8] {
    let block = &message[..length(&with_lf(message), Owner::Message)];
    // By itself the block may look as if a bare CR ended its lines, and is read so.
    let is_reread = block.len() < message.len() && has_bare_cr_lines(block);
    if is_reread && !has_bare_cr_lines(message) {
        header_block(block)
    } else {
        block
    }
}

/// A message in which a bare CR ends the lines, with LF instead: each octet stays at its place. Any
/// other message is not changed.
pub(in crate::message) fn with_lf(message: &[u8]) -> Cow<'_, [u8]> {
    if !has_bare_cr_lines(message) {
        return Cow::Borrowed(message);
    }
    let mut lines = message.to_vec();
    for at in 0..lines.len() {
        if lines[at] == b'\r' && lines.get(at + 1) != Some(&b'\n') {
            lines[at] = b'\n';
        }
    }
    Cow::Owned(lines)
}

/// Whether there is no LF but at the very end, where servers add one.
fn has_bare_cr_lines(message: &[u8]) -> bool {
    let content = message.strip_suffix(b"\n").unwrap_or(message);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    memchr(b'\n', content).is_none() && memchr(b'\r', content).is_some()
}

/// How many octets are headers, with the blank line.
pub(in crate::message) fn length(octets: &[u8], owner: Owner) -> usize {
    let mut scan = BlockScan::new(owner);
    let mut start = 0;
    for end in memchr_iter(b'\n', octets).map(|at| at + 1) {
        if let Some(length) = scan.line(&octets[start..end], start) {
            return length;
        }
        start = end;
    }
    let ended = match &octets[start..] {
        [] => None,
        last => scan.line(last, start),
    };
    ended.unwrap_or_else(|| scan.without_blank_line(octets.len()))
}

fn without_final_crs(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&octet| octet != b'\r');
    &line[..end.map_or(0, |last| last + 1)]
}

/// Goes through the lines of a header block.
struct BlockScan {
    owner: Owner,
    has_fields: bool,
    /// Where the first line begins that is no field, after the last field.
    junk: Option<usize>,
    /// Whether there is such a line between two fields: continuation lines may have lost their
    /// indentation.
    has_inner_junk: bool,
    /// Where the first line of white space ends, after the last field.
    white_space: Option<usize>,
    /// Whether the last line was in `white_space`.
    is_behind_white_space: bool,
}

impl BlockScan {
    fn new(owner: Owner) -> Self {
        Self {
            owner,
            has_fields: false,
            junk: None,
            has_inner_junk: false,
            white_space: None,
            is_behind_white_space: false,
        }
    }

    /// The length of the headers if they end with this line or before it.
    fn line(&mut self, line: &[u8], start: usize) -> Option<usize> {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = match start {
            0 => content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content),
            _ => content,
        };
        // Where lines end in CR CR LF, a reader with LF is shown CR LF.
        let content = without_final_crs(content);
        if content.is_empty() {
            let is_leading = self.owner == Owner::Nested && !self.has_fields && self.junk.is_none();
            let end = start + line.len();
            let cut = match self.has_inner_junk {
                true => None,
                false => self.cut(),
            };
            return (!is_leading).then(|| cut.unwrap_or(end));
        }
        let was_behind_white_space = std::mem::take(&mut self.is_behind_white_space);
        if content.trim_ascii().is_empty() {
            self.white_space.get_or_insert(start + line.len());
            self.is_behind_white_space = true;
        } else if self.is_boundary(content) {
            return Some(self.without_blank_line(start));
        } else if self.is_field(content) {
            self.has_inner_junk |= self.has_fields && self.junk.is_some();
            self.has_fields = true;
            self.junk = None;
            self.white_space = None;
        } else if self.is_junk(content) {
            self.junk.get_or_insert(start);
            if was_behind_white_space && self.has_fields {
                return self.cut();
            }
        }
        None
    }

    /// A line of nothing but dashes is junk. Before the first field, so is a line of words between
    /// dashes.
    fn is_boundary(&self, line: &[u8]) -> bool {
        line.starts_with(b"--")
            && line.iter().any(|octet| *octet != b'-')
            && (self.has_fields || !line.contains(&b' '))
    }

    /// An indented line goes on with the field above it.
    fn is_junk(&self, line: &[u8]) -> bool {
        let is_fold = line[0].is_ascii_whitespace() && self.has_fields;
        !is_fold && !is_envelope(line)
    }

    /// Behind a line that is no field, only a field of a known name counts: text, too, has words
    /// with a colon behind them.
    fn is_field(&self, line: &[u8]) -> bool {
        let Some(name) = field_name(line) else {
            return false;
        };
        let is_leading = self.junk.is_none() && self.white_space.is_none();
        match self.owner {
            Owner::Part if self.has_fields || is_leading => is_leading || is_known(name),
            Owner::Part => starts_with(name, "content-"),
            Owner::Message | Owner::Nested => is_leading || is_known(name),
        }
    }

    /// Where the headers end before what is no field, if there is such a line.
    fn cut(&self) -> Option<usize> {
        let junk = self.junk?;
        if !self.has_fields && self.white_space.is_none() {
            return Some(0);
        }
        let white_space = self.white_space.filter(|end| *end <= junk);
        Some(white_space.unwrap_or(junk))
    }

    /// The length of headers that end at `end` at the latest, where no blank line ended them.
    fn without_blank_line(&self, end: usize) -> usize {
        let indented = self
            .white_space
            .filter(|behind| *behind < end && self.has_fields);
        self.cut().or(indented).unwrap_or(end)
    }
}

/// The line that an mbox file has before each message.
fn is_envelope(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

/// What stands before the colon if that is a field's name: printable US-ASCII without brackets,
/// quotes and the like, which text has, perhaps with white space behind it (RFC 5322 section
/// 4.5.8).
pub(super) fn field_name(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at(memchr(b':', line)?);
    let word = name.trim_ascii_end();
    let is_of_name =
        |octet: &u8| octet.is_ascii_graphic() && !b"<>()[]{}@,;\"\\/=?".contains(octet);
    let is_name = !word.is_empty() && word.iter().all(is_of_name);
    let is_link = value.starts_with(b"://");
    (is_name && !is_link).then_some(name)
}

fn starts_with(name: &[u8], prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Whether mail has fields of this name.
fn is_known(name: &[u8]) -> bool {
    let name = name.trim_ascii_end();
    PREFIXES.iter().any(|prefix| starts_with(name, prefix))
        || NAMES
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

const PREFIXES: [&str; 16] = [
    "x-",
    "content-",
    "list-",
    "resent-",
    "arc-",
    "received-",
    "dkim-",
    "domainkey-",
    "authentication-",
    "delivered-",
    "envelope-",
    "original-",
    "thread-",
    "autocrypt",
    "disposition-notification-",
    "mime-",
];

const NAMES: [&str; 37] = [
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "sender",
    "reply-to",
    "message-id",
    "in-reply-to",
    "references",
    "received",
    "return-path",
    "comments",
    "keywords",
    "lines",
    "status",
    "organization",
    "organisation",
    "user-agent",
    "mailing-list",
    "mail-followup-to",
    "mail-reply-to",
    "followup-to",
    "newsgroups",
    "path",
    "xref",
    "precedence",
    "priority",
    "importance",
    "sensitivity",
    "errors-to",
    "return-receipt-to",
    "feedback-id",
    "auto-submitted",
    "apparently-to",
    "archived-at",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(message: &str) -> &str {
        &message[..length(message.as_bytes(), Owner::Nested)]
    }

    fn part(message: &str) -> &str {
        &message[..length(message.as_bytes(), Owner::Part)]
    }

    #[test]
    fn the_blank_line_ends_the_headers() {
        for (block, body) in [
            ("A: b\r\n\r\n", "C: d\r\n\r\n"),
            ("A: b\n\n", "C: d\n\n"),
            ("A: b\r\n\n", "C: d"),
            ("A: b\n\r\n", "C: d"),
            ("\r\n", "A: b\r\n\r\n"),
            ("\n", "\n"),
            ("A: b\r\r\n\r\n", "C: d"),
            ("A: b\r\r\n\r\r\n", "C: d"),
            ("A: b\r\n\r\r\r\n", "C: d\r\n\r\n"),
            ("A: b\r\n \r\n\r\n", "C: d"),
            ("A: b\r\r", "C: d\r\r"),
        ] {
            let message = format!("{block}{body}");
            assert_eq!(
                header_block(message.as_bytes()),
                block.as_bytes(),
                "{message:?}"
            );
        }
    }

    #[test]
    fn without_a_blank_line_all_is_header() {
        for message in ["", "\r", "A: b", "A: b\r\n", "A: b\rC: d\r", "A: b\r\n\r"] {
            assert_eq!(header_block(message.as_bytes()), message.as_bytes());
        }
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_headers() {
        for (block, body) in [
            ("A: b\r\n", "a line of text\r\n"),
            ("A: b\r\n", "text\r\n\r\nmore text\r\n"),
            (
                "A: b\r\n",
                "text\r\nNote: this is text\r\nhttp://a.example/\r\n",
            ),
            ("A: b\r\n c\r\n", "text\r\n"),
            ("A: b\r\n", "http://a.example/\r\n"),
            ("A: b\r\n", "-----\r\ntext\r\n"),
            (
                "A: b\r\n",
                "--boundary\r\nContent-Type: text/plain\r\n\r\ntext",
            ),
            ("A: b\njunk\nSubject: c\n", "text\n"),
            ("", "text\r\n\r\nA: b\r\n"),
            ("", "  indented text\r\n\r\nA: b\r\n"),
        ] {
            let message = format!("{block}{body}");
            assert_eq!(
                header_block(message.as_bytes()),
                block.as_bytes(),
                "{message:?}"
            );
        }
    }

    #[test]
    fn a_line_of_white_space_ends_the_headers_before_text() {
        for (block, body) in [
            ("A: b\r\n \t\r\n", "text\r\n"),
            ("A: b\r\n \r\n", "text\r\nSubject: of the text\r\n\r\n"),
            ("A: b\r\n \r\n", "  indented\r\ntext\r\n\r\nmore\r\n"),
            ("A: b\r\n \r\n", "  indented\r\n"),
            ("A: b\r\n \r\n", " \r\n--boundary\r\n"),
        ] {
            let message = format!("{block}{body}");
            assert_eq!(
                header_block(message.as_bytes()),
                block.as_bytes(),
                "{message:?}"
            );
        }
    }

    #[test]
    fn junk_between_fields_does_not_end_the_headers() {
        for block in [
            "Received: from a\r\nby b\r\nSubject: c\r\nReceived: from d\r\nby e;\r\nMon\r\n\r\n",
            "A: b\r\njunk\r\nSubject: c\r\n\r\n",
            "A: b\r\n-----\r\nSubject: c\r\n\r\n",
            "A: b\r\n \r\nSubject: c\r\n\r\n",
            "   \r\nSubject: c\r\n\r\n",
            "junk\r\nSubject: c\r\n\r\n",
            " folded junk\r\nSubject: c\r\n\r\n",
            "From a@b Thu May  2 09:00:00 2024\nA: b\n\n",
            ">From a@b Thu May  2 09:00:00 2024\nA: b\n\n",
            "A: b\r\nX-Spam: yes\r\n: no name\r\nReceived: by c\r\n\r\n",
        ] {
            let message = format!("{block}text\r\n");
            assert_eq!(
                header_block(message.as_bytes()),
                block.as_bytes(),
                "{message:?}"
            );
        }
    }

    #[test]
    fn blank_lines_may_precede_a_nested_message() {
        assert_eq!(nested("\r\n\r\nA: b\r\n\r\ntext"), "\r\n\r\nA: b\r\n\r\n");
        assert_eq!(
            nested("\r\njunk\r\nSubject: b\r\n\r\ntext"),
            "\r\njunk\r\nSubject: b\r\n\r\n"
        );
    }

    #[test]
    fn a_part_without_headers_is_text() {
        assert_eq!(part("text\r\nSubject: of the text\r\n\r\n"), "");
        assert_eq!(part("\r\ntext\r\n"), "\r\n");
        let headers = "junk\r\nContent-Type: text/plain\r\n\r\n";
        assert_eq!(part(&format!("{headers}text")), headers);
    }

    proptest! {
        #[test]
        fn a_header_block_is_its_own_header_block(message in "([a: -]|\r\n|\n|\r|To: x\r\n|--b){0,20}") {
            let block = header_block(message.as_bytes());
            prop_assert!(message.as_bytes().starts_with(block));
            prop_assert_eq!(header_block(block), block);
        }
    }
}
