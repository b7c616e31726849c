//! What a message says of itself in a few words.
use super::fields::Fields;
use super::header_block;

/// Of the headers, each decoded, on one line and without control characters; None where the message has no such field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// RFC 5322 section 3.6.5.
    pub subject: Option<String>,
    /// All authors: `Alice Smith <alice@example.org>, bob@example.net`.
    pub from: Option<String>,
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// The media type of the message's content, in lower case and without parameters: `multipart/mixed`. `text/plain` where none
    /// is stated (RFC 2045 section 5.2).
    pub mime_type: String,
}

/// The summary of headers, which may go on with the body: that is not looked at.
pub fn summary(headers: &[u8]) -> Summary {
    let fields = Fields::of(header_block(headers));
    let stated = fields.parameterized("content-type");
    let mime_type = stated.map(|stated| stated.value);
    Summary {
        subject: fields.text("subject"),
        from: fields.address_line("from"),
        message_id: fields.identifier("message-id"),
        mime_type: mime_type
            .filter(|name| name.contains('/'))
            .unwrap_or_else(|| "text/plain".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_of_the_headers_alone() {
        let message = b"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nSubject: caf=?utf-8?q?=C3=A9?=\r\n x\r\n\
            Message-ID: <1@example.org>\r\nContent-Type: Text/HTML; charset=x\r\n\r\nMessage-ID: <2@example.org>\r\n";
        let summary = summary(message);
        assert_eq!(summary.from.as_deref(), Some("Jörg <j@example.org>"));
        assert_eq!(summary.message_id.as_deref(), Some("1@example.org"));
        assert_eq!(summary.mime_type, "text/html");
    }

    #[test]
    fn what_is_missing_is_none() {
        let expected = Summary {
            mime_type: "text/plain".to_owned(),
            ..Summary::default()
        };
        for headers in [
            &b""[..],
            b"\r\n",
            b"X: y\r\n\r\n",
            b"Content-Type: nonsense\r\n\r\nSubject: a",
        ] {
            assert_eq!(summary(headers), expected);
        }
    }
}
