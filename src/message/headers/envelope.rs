//! Senders, recipients, subject and mailing list of a message, for a search.

use super::block::{header_block, with_lf};
use super::fields::Fields;

/// Header fields, each decoded, on one line and without control characters; None if the message has
/// no such field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// All authors: `Alice Smith <alice@example.org>, bob@example.net`.
    pub from: Option<String>,
    /// All recipients in To (RFC 5322 section 3.6.3).
    pub to: Option<String>,
    /// All recipients in Cc.
    pub cc: Option<String>,
    /// RFC 5322 section 3.6.5.
    pub subject: Option<String>,
    /// The mailing list: List-Id (RFC 2919) and List-Post (RFC 2369).
    pub list: Option<String>,
}

/// The envelope of a message. `headers` may include the body, which is not read.
pub fn envelope(headers: &[u8]) -> Envelope {
    let headers = with_lf(header_block(headers));
    let fields = Fields::of(&headers);
    let list: Vec<String> = ["list-id", "list-post"]
        .iter()
        .filter_map(|name| fields.text(name))
        .collect();
    Envelope {
        from: fields.address_line("from"),
        to: fields.address_line("to"),
        cc: fields.address_line("cc"),
        subject: fields.text("subject"),
        list: (!list.is_empty()).then(|| list.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_does_not_read_the_body() {
        let message = b"To: =?utf-8?q?J=C3=B6rg?= <j@example.org>,\r\n b@example.org\r\nCc: c@example.org\r\n\
            List-Id: Fish =?utf-8?q?=26_chips?= <fish.example.org>\r\n\
            List-Post: <mailto:fish@example.org>\r\n\r\nFrom: x@example.org\r\n";
        let envelope = envelope(message);
        assert_eq!(
            envelope.to.as_deref(),
            Some("Jörg <j@example.org>, b@example.org")
        );
        assert_eq!(envelope.cc.as_deref(), Some("c@example.org"));
        let list = "Fish & chips <fish.example.org> <mailto:fish@example.org>";
        assert_eq!(envelope.list.as_deref(), Some(list));
        assert_eq!((envelope.from, envelope.subject), (None, None));
    }

    #[test]
    fn what_is_missing_is_none() {
        for headers in [&b""[..], b"\r\n", b"X: y\r\n\r\nTo: z\r\n"] {
            assert_eq!(envelope(headers), Envelope::default());
        }
    }
}
