//! The sample mails that have not been deleted.

use parking_lot::Mutex;

/// A mail as the server sends it.
#[derive(Debug)]
pub(super) struct SampleMail {
    /// RFC 1939 section 7. It is the file's name, so it is the same in every session and after
    /// every start.
    pub(super) unique_id: &'static str,
    /// With CRLF line ends and without dot-stuffing: LIST counts these octets (RFC 1939 section
    /// 11).
    pub(super) octets: Vec<u8>,
}

/// The mails in order. A session holds the lock while it is logged in (RFC 1939's exclusive
/// access), so positions do not change during a session: position + 1 is the message-number.
#[derive(Debug)]
pub(super) struct DemoMaildrop {
    pub(super) messages: Vec<SampleMail>,
}

impl DemoMaildrop {
    /// All samples, not locked by any session.
    pub(super) fn of_samples() -> Mutex<Self> {
        let messages = SAMPLES.iter().map(|&(unique_id, text)| SampleMail {
            unique_id,
            octets: with_crlf(text),
        });
        Mutex::new(Self {
            messages: messages.collect(),
        })
    }
}

/// `text` with each LF as CRLF. The files have LF only, because some git settings change CRLF; they
/// contain no CR.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        octets.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

/// Pairs each name with the file in `mails/`.
macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("mails/", $name, ".eml")))),*]
    };
}

/// In order of arrival. The comments say what each mail shows.
const SAMPLES: &[(&str, &[u8])] = samples![
    "01-welcome",          // plain text
    "02-leap-day-concert", // HTML and nothing else
    "03-bakery-news",      // multipart/alternative
    "04-invoice",          // a CSV attachment; two Received lines
    "05-picture",          // a PNG attachment
    "06-books-from-lodz",  // base64 text: a plain grep does not find its "invoice"
    "07-april-fish",       // quoted-printable with soft line breaks
    "08-night-train",      // RFC 2047 in subject, sender and Cc, with two charsets
    "09-dots",             // lines that begin with dots, or are one
    "10-one-breath",       // lines of more than 2,000 octets
    "11-boots",            // ISO-8859-1, 8bit
    "12-forwarded",        // message/rfc822
    "13-cloud-digest",     // multipart/digest of a mailing list
    "14-no-subject",       // no Subject
    "15-raffle",           // a mail to delete
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_lf_line_ends_and_ends_with_one() {
        for (name, text) in SAMPLES {
            assert!(text.ends_with(b"\n") && !text.contains(&b'\r'), "{name}");
        }
    }

    #[test]
    fn every_sample_has_received_date_and_message_id() {
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
