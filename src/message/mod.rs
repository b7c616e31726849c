//! What a message says: when it arrived, and all that the views show of it. Octets in, structures and text out: no file, no
//! network, no clock. mail-parser is used here only.
//!
//! | of | function | what it gives |
//! |---|---|---|
//! | headers | [`arrival()`] | Unix seconds |
//! | headers | [`summary()`] | subject, author, identifier |
//! | headers | [`envelope()`] | all who wrote and were written to, subject, mailing list |
//! | headers | [`outline()`] | of that, what is kept |
//! | headers | [`title()`], [`name()`] | a file name for people |
//! | message | [`text()`] | all that can be read of it, in UTF-8 |
//! | message | [`parts()`] | a tree of files, which know their size and where their octets are |
//!
//! A message is hostile input: any octets, any length. Nothing here fails or panics; what cannot be read is left out, what is
//! too much ([`parts`](mod@parts) has the bounds) is told of and not looked at. Time and memory are those of the message, times a
//! constant.

mod body;
mod charset;
mod file_name;
mod headers;
pub mod parts;
mod text;
mod visible;

pub use headers::{
    DatePreference, Envelope, Outlined, Summary, UNKNOWN_SENDER, Zone, arrival, envelope, name,
    outline, summary, tag, title,
};
pub use parts::parts;
pub use text::text;

use memchr::memchr_iter;

/// How far headers are looked at, in octets: real ones end long before.
const HEADERS_MAX: usize = 256 * 1024;

/// The octets up to and including the blank line that ends the headers (RFC 5322 section 2.1), or all of them where there
/// is none. A line ends in CRLF or in LF; a bare CR ends none.
pub fn header_block(message: &[u8]) -> &[u8] {
    let mut line = 0;
    for end in memchr_iter(b'\n', message) {
        if matches!(&message[line..end], b"" | b"\r") {
            return &message[..=end];
        }
        line = end + 1;
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_blank_line_ends_the_header_block() {
        for (block, body) in [
            ("A: b\r\n\r\n", "C: d\r\n\r\n"),
            ("A: b\n\n", "C: d\n\n"),
            ("A: b\r\n\n", "C: d"),
            ("A: b\n\r\n", "C: d"),
            ("\r\n", "A: b\r\n\r\n"),
            ("\n", "\n"),
            ("A: b\r\r\n\r\n", "C: d"),
            ("A: b\r\n \r\n\r\n", "C: d"),
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
        for message in [
            "",
            "\r",
            "A: b",
            "A: b\r\n",
            "A: b\r\rC: d\r\r",
            "A: b\r\n\r",
        ] {
            assert_eq!(header_block(message.as_bytes()), message.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn a_header_block_is_its_own_header_block(message in "[a\r\n]{0,20}") {
            let block = header_block(message.as_bytes());
            prop_assert!(message.as_bytes().starts_with(block));
            prop_assert_eq!(header_block(block), block);
        }
    }
}
