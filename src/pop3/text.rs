//! A server's text, made safe for logs and terminals.

use std::fmt;

use zeroize::Zeroizing;

use super::limits::MAX_SERVER_TEXT;

/// Replaces the rest of a text.
const CUT: &str = "...";

/// A server's text for people: printable ASCII unchanged, a backslash doubled, every other octet as
/// `\xNN`, and `...` after [`MAX_SERVER_TEXT`] characters.
/// So no server can move the cursor of a terminal, forge a log line or fill the log (CVE-2008-2711,
/// CVE-2021-36386 in fetchmail).
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ServerText(Box<str>);

impl ServerText {
    /// The escaped text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text contains these octets, or is cut within them.
    pub fn shows(&self, octets: &[u8]) -> bool {
        let mut sought = Zeroizing::new(String::new());
        for &octet in octets {
            push_escaped(&mut sought, octet);
        }
        let begins = |shown: &str| {
            (1..=sought.len().min(shown.len()))
                .any(|length| shown.as_bytes().ends_with(&sought.as_bytes()[..length]))
        };
        self.0.contains(sought.as_str()) || self.0.strip_suffix(CUT).is_some_and(begins)
    }
}

impl From<&[u8]> for ServerText {
    fn from(octets: &[u8]) -> Self {
        let mut text = String::new();
        for &octet in octets {
            let before = text.len();
            push_escaped(&mut text, octet);
            if text.len() > MAX_SERVER_TEXT {
                text.truncate(before);
                text.push_str(CUT);
                break;
            }
        }
        Self(text.into())
    }
}

impl fmt::Display for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

fn push_escaped(text: &mut String, octet: u8) {
    match octet {
        b'\\' => text.push_str("\\\\"),
        b' '..=b'~' => text.push(char::from(octet)),
        _ => text.push_str(&format!("\\x{octet:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_non_ascii_are_escaped() {
        let text = ServerText::from(&b"a\x1b[2J\r\n\0\\ \xc3\xa9~"[..]);
        assert_eq!(text.as_str(), r"a\x1b[2J\x0d\x0a\x00\\ \xc3\xa9~");
    }

    #[test]
    fn shows_finds_escaped_and_cut_octets() {
        let text = |octets: &[u8]| ServerText::from(octets);
        assert!(text(b"500 PASS a\\b\xe9c?").shows(b"a\\b\xe9c"));
        assert!(!text(b"500 PASS a\\b").shows(b"a\\b\xe9c"));
        for cut in 0..10 {
            let words = [
                "-".repeat(MAX_SERVER_TEXT - cut),
                "a\u{1}bcdefghi".to_owned(),
            ]
            .concat();
            let is_shown = text(words.as_bytes()).as_str().contains("-a");
            assert_eq!(
                text(words.as_bytes()).shows(b"a\x01bcdefghi"),
                is_shown,
                "{cut}"
            );
        }
    }

    #[test]
    fn a_long_text_is_cut_between_escapes() {
        let text = ServerText::from(&[0xff; 1000][..]);
        assert_eq!(
            text.as_str(),
            format!("{}...", r"\xff".repeat(MAX_SERVER_TEXT / 4))
        );
        let fits = "x".repeat(MAX_SERVER_TEXT);
        assert_eq!(ServerText::from(fits.as_bytes()).as_str(), fits);
    }
}
