//! Subject, authors and identifier of a message.

use super::block::{header_block, with_lf};
use super::fields::Fields;
use crate::message::file_name::prefix;

/// Header fields, each decoded, on one line and without control or invisible characters; None if
/// the message has no such field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// RFC 5322 section 3.6.5.
    pub subject: Option<String>,
    /// All authors: `Alice Smith <alice@example.org>, bob@example.net`.
    pub from: Option<String>,
    /// Without angle brackets.
    pub message_id: Option<String>,
}

/// The summary of a message. `headers` may include the body, which is not read.
pub fn summary(headers: &[u8]) -> Summary {
    let headers = with_lf(header_block(headers));
    let fields = Fields::of(&headers);
    Summary {
        subject: fields.text("subject"),
        from: fields.address_line("from"),
        message_id: fields.identifier("message-id"),
    }
}

/// The most octets in a line of an [`outline()`]: a file system to which attributes are copied may
/// have only 4 KiB for all of them (ext4).
const LINE_MAX: usize = 1000;

/// A line of an outline, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlined {
    /// As [`Summary::subject`].
    Subject,
    /// As [`Summary::from`].
    From,
    /// As [`Summary::message_id`].
    MessageId,
}

impl Outlined {
    /// The line in the outline; None if it is empty.
    pub fn of(self, outline: &str) -> Option<&str> {
        let line = outline.split('\n').nth(self as usize);
        line.filter(|line| !line.is_empty())
    }
}

/// Subject, authors and identifier, one on each line, in the form that the index keeps. A line
/// without a value is empty. A value over 1,000 octets is cut; an identifier of that length is left
/// out, because a cut one would be a different identifier.
pub fn outline(headers: &[u8]) -> String {
    let summary = summary(headers);
    let cut = |line: Option<String>| {
        line.map(|line| prefix(&line, LINE_MAX).to_owned())
            .unwrap_or_default()
    };
    let message_id = summary.message_id.filter(|id| id.len() <= LINE_MAX);
    let lines = [
        cut(summary.subject),
        cut(summary.from),
        message_id.unwrap_or_default(),
    ];
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_does_not_read_the_body() {
        let message = b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nSubject: caf=?utf-8?q?=C3=A9?=\r\n x\r\n\
            Message-ID: <1@example.org>\r\n\r\nMessage-ID: <2@example.org>\r\n";
        let summary = summary(message);
        assert_eq!(summary.from.as_deref(), Some("Jörg <j@example.org>"));
        assert_eq!(summary.message_id.as_deref(), Some("1@example.org"));
    }

    const ALL: [Outlined; 3] = [Outlined::Subject, Outlined::From, Outlined::MessageId];

    #[test]
    fn an_outline_has_the_lines_of_the_summary() {
        let outline = outline(b"Subject: a\r\n b\r\nMessage-ID: <1@example.org>\r\n\r\n");
        let told = ALL.map(|outlined| outlined.of(&outline));
        assert_eq!(told, [Some("a b"), None, Some("1@example.org")]);
        assert_eq!(ALL.map(|outlined| outlined.of("")), [None; 3]);
    }

    #[test]
    fn an_outline_is_short_whatever_the_headers_are() {
        let long = "\u{fc}x".repeat(1000);
        let headers = format!("Subject: {long}\r\nFrom: {long}\r\nMessage-ID: <{long}>\r\n\r\n");
        let outline = outline(headers.as_bytes());
        let [subject, from, message_id] = ALL.map(|outlined| outlined.of(&outline));
        for cut in [subject, from] {
            assert!(cut.is_some_and(|cut| cut.len() > 990 && long.starts_with(cut)));
        }
        assert_eq!(message_id, None);
        assert!(outline.len() <= 3 * LINE_MAX);
    }

    #[test]
    fn what_is_missing_is_none() {
        for headers in [
            &b""[..],
            b"\r\n",
            b"X: y\r\n\r\n",
            b"Content-Type: nonsense\r\n\r\nSubject: a",
        ] {
            assert_eq!(summary(headers), Summary::default());
        }
    }
}
