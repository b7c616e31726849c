//! The sample mails, and which of them are left.

use parking_lot::Mutex;

/// A message as it is served.
#[derive(Debug)]
pub(super) struct Message {
    /// RFC 1939 §7. The file's name, thus the same in every session and after every start.
    pub(super) unique_id: &'static str,
    /// With CRLF, not dot-stuffed: as LIST counts it (RFC 1939 §11).
    pub(super) octets: Vec<u8>,
}

/// The messages in order. Whoever holds the lock has RFC 1939's exclusive access: nothing else adds or removes meanwhile,
/// so a position is a message-number less one for as long.
#[derive(Debug)]
pub(super) struct Maildrop {
    pub(super) messages: Vec<Message>,
}

impl Maildrop {
    /// All the samples, unlocked.
    pub(super) fn of_samples() -> Mutex<Self> {
        let messages = SAMPLES.iter().map(|&(unique_id, text)| Message {
            unique_id,
            octets: with_crlf(text),
        });
        Mutex::new(Self {
            messages: messages.collect(),
        })
    }
}

/// `text` with each LF as CRLF. The files have LF alone, which survives every git setting; none holds a CR.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        octets.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// Each name with its file of `mails/`.
macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("mails/", $name, ".eml")))),*]
    };
}

/// In order of arrival. Each is here for what it is hard on.
const SAMPLES: &[(&str, &[u8])] = samples![
    "01-welcome",          // plain text
    "02-leap-day-concert", // HTML and nothing else
    "03-bakery-news",      // multipart/alternative
    "04-invoice",          // a CSV attachment; two Received lines
    "05-picture",          // a PNG attachment
    "06-books-from-lodz",  // base64 text: a plain grep does not see its "invoice"
    "07-april-fish",       // quoted-printable with soft line breaks
    "08-night-train",      // RFC 2047 in subject, sender and Cc, with two charsets
    "09-dots",             // lines that begin with dots, or are one
    "10-one-breath",       // lines of more than 2,000 octets
    "11-boots",            // ISO-8859-1, 8bit
    "12-forwarded",        // message/rfc822
    "13-cloud-digest",     // multipart/digest of a mailing list
    "14-no-subject",       // no Subject
    "15-raffle",           // one to delete
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_stored_with_lf_and_ends_in_one() {
        for (name, text) in SAMPLES {
            assert!(text.ends_with(b"\n") && !text.contains(&b'\r'), "{name}");
        }
    }

    #[test]
    fn every_sample_says_when_it_arrived_and_who_it_is() {
        for (name, text) in SAMPLES {
            let text = String::from_utf8_lossy(text);
            let (header, _) = text.split_once("\n\n").unwrap();
            assert!(header.starts_with("Received: "), "{name}");
            assert!(
                header.contains("\nDate: ") && header.contains("\nMessage-ID: <"),
                "{name}"
            );
        }
    }

    #[test]
    fn unique_ids_are_unique_and_printable() {
        let mut names: Vec<_> = SAMPLES.iter().map(|(name, _)| *name).collect();
        assert!(
            names
                .iter()
                .all(|name| name.len() <= 70 && name.bytes().all(|octet| octet.is_ascii_graphic()))
        );
        names.dedup();
        assert_eq!(names.len(), SAMPLES.len());
        assert!(names.is_sorted());
    }

    #[test]
    fn every_line_gets_a_crlf() {
        assert_eq!(with_crlf(b"a\n\n.\n"), b"a\r\n\r\n.\r\n");
    }
}
