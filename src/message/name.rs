//! Names for people: `2024-05-01T0930 Alice Smith - Re invoice ~6b02a91c.eml`.
//!
//! A name is made of the message's own headers, arrival and identity, and of nothing else: so it stays the same whatever
//! mail comes and goes. jiff is used here only.
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::fields::{Fields, Mailbox};
use super::header_block;
use super::parts::file_name::{NAME_MAX, is_invisible, prefix};

/// The most octets of the sender in a name.
const SENDER_MAX: usize = 64;
/// Octets of a digest that one attempt at a suffix adds.
const SUFFIX_OCTETS: usize = 4;
/// What a name ends in.
const EXTENSION: &str = ".eml";

/// The time zone in which arrivals are shown.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// The machine's: `TZ`, else `/etc/localtime`, else UTC.
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// By its name in the machine's time zone database: `Europe/Berlin`.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// ISO 8601 to the minute, without the colon that other systems do not allow in names.
    fn minute(&self, seconds: i64) -> Option<String> {
        let time = Timestamp::from_second(seconds).ok()?;
        let local = time.to_zoned(self.0.clone());
        Some(local.strftime("%Y-%m-%dT%H%M").to_string())
    }
}

/// The name of a message: when it arrived (`arrival` in Unix seconds), who sent it, its subject and the [`suffix`] that makes it the
/// only one in its mailbox. `headers` may go on with the body, which is not looked at. Safe on every system: no control or bidi
/// control characters, none of `/\:*?"<>|`, no white space but single spaces; begins with a digit or with `undated`; at most 255
/// octets.
pub fn name(headers: &[u8], arrival: Option<i64>, zone: &Zone, suffix: &str) -> String {
    let fields = Fields::of(header_block(headers));
    let time = arrival.and_then(|seconds| zone.minute(seconds));
    let mut name = time.unwrap_or_else(|| "undated".to_owned());
    name.push(' ');
    name.push_str(prefix(&sender(&fields), SENDER_MAX).trim_end());
    if let Some(subject) = fields.text("subject").map(|subject| harmless(&subject)) {
        name.push_str(" - ");
        name.push_str(&subject);
    }
    let ending = format!(" {suffix}{EXTENSION}");
    let start = prefix(&name, NAME_MAX.saturating_sub(ending.len()));
    format!("{}{ending}", start.trim_end_matches([' ', '-', '.']))
}

/// A digest of what identifies the message within its mailbox: `~` and eight hexadecimal digits, and eight more with every attempt
/// (up to 64). The first attempt is the name to use: two messages of one minute, sender and subject have the same one once in
/// four thousand million times. Where a name is taken nevertheless, the later message in maildrop order takes the next attempt,
/// so that the arrival of mail never renames what is there.
pub fn suffix(identity: &[u8], attempt: usize) -> String {
    let digest = Sha256::digest(identity);
    let octets = (attempt + 1)
        .saturating_mul(SUFFIX_OCTETS)
        .min(digest.len());
    let digits = digest[..octets].iter().map(|octet| format!("{octet:02x}"));
    std::iter::once("~".to_owned()).chain(digits).collect()
}

fn sender(fields: &Fields<'_>) -> String {
    let from = fields
        .first_mailbox("from")
        .or_else(|| fields.first_mailbox("sender"));
    let shown = |Mailbox { name, address }| name.or(address);
    let sender = from.and_then(shown).map(|sender| harmless(&sender));
    sender
        .filter(|sender| !sender.is_empty())
        .unwrap_or_else(|| "unknown sender".to_owned())
}

/// A separator becomes a dash, and what cannot be in a name on other systems goes.
fn harmless(text: &str) -> String {
    let replaced: String = text
        .chars()
        .filter(|character| !is_invisible(*character) && !":*?\"<>".contains(*character))
        .map(|character| {
            if "/\\|".contains(character) {
                '-'
            } else {
                character
            }
        })
        .collect();
    replaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2024-05-01 07:30:59 UTC.
    const ARRIVAL: i64 = 1_714_548_659;

    fn named(headers: &str) -> String {
        name(headers.as_bytes(), Some(ARRIVAL), &Zone::utc(), "~6b02a91c")
    }

    #[test]
    fn a_name_tells_when_who_and_what() {
        let headers = "From: Alice Smith <alice@example.org>\r\nSubject: Re: invoice\r\n\r\n";
        assert_eq!(
            named(headers),
            "2024-05-01T0730 Alice Smith - Re invoice ~6b02a91c.eml"
        );
    }

    #[test]
    fn the_time_is_local() {
        let berlin = Zone::named("Europe/Berlin").expect("the time zone database");
        let name = |arrival| name(b"", Some(arrival), &berlin, "~0");
        assert!(
            name(ARRIVAL).starts_with("2024-05-01T0930 "),
            "{}",
            name(ARRIVAL)
        );
        assert!(
            name(1_706_745_600).starts_with("2024-02-01T0100 "),
            "in winter"
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(named(""), "2024-05-01T0730 unknown sender ~6b02a91c.eml");
        assert_eq!(
            named("From: <a@b.example>\r\nSubject: \r\n"),
            "2024-05-01T0730 a@b.example ~6b02a91c.eml"
        );
        assert_eq!(
            named("Sender: Bot <b@c>\r\nSubject: x"),
            "2024-05-01T0730 Bot - x ~6b02a91c.eml"
        );
        assert_eq!(
            name(b"", None, &Zone::utc(), "~1"),
            "undated unknown sender ~1.eml"
        );
        assert_eq!(
            name(b"", Some(i64::MAX), &Zone::utc(), "~1"),
            "undated unknown sender ~1.eml"
        );
    }

    #[test]
    fn what_no_name_may_hold_is_not_in_it() {
        let headers = "From: \"a/../b: <c>\" <x@y>\r\nSubject: =?utf-8?q?1/2=00=0A=1B\"=E2=80=AE*?= \\?|z\r\n\r\n";
        assert_eq!(
            named(headers),
            "2024-05-01T0730 a-..-b c - 1-2␀ ␛ --z ~6b02a91c.eml"
        );
    }

    #[test]
    fn a_long_name_is_cut_before_its_suffix() {
        let headers = format!(
            "From: {} <x@y>\r\nSubject: {}\r\n\r\n",
            "ä".repeat(100),
            "ü".repeat(300)
        );
        let name = named(&headers);
        assert!((250..=NAME_MAX).contains(&name.len()), "{name}");
        assert!(
            name.ends_with("ü ~6b02a91c.eml") && name.contains("ä - ü"),
            "{name}"
        );
    }

    #[test]
    fn a_suffix_is_the_start_of_the_next_attempt() {
        let first = suffix(b"a message", 0);
        assert_eq!(first.len(), 9);
        assert!(first[1..].bytes().all(|octet| octet.is_ascii_hexdigit()));
        assert!(suffix(b"a message", 1).starts_with(&first));
        assert_eq!(suffix(b"a message", 1).len(), 17);
        assert_eq!(suffix(b"a message", usize::MAX - 1).len(), 65);
        assert_ne!(first, suffix(b"another", 0));
    }

    proptest! {
        #[test]
        fn every_name_is_safe(headers in prop::collection::vec(any::<u8>(), 0..80), subject in "\\PC{0,300}", arrival in any::<i64>()) {
            let block = [b"Subject: ", subject.as_bytes(), b"\r\nFrom: ", &headers].concat();
            let name = name(&block, Some(arrival), &Zone::utc(), &suffix(&headers, 0));
            prop_assert!(name.len() <= NAME_MAX && name.ends_with(EXTENSION));
            prop_assert!(!name.contains(|c: char| c.is_control() || is_invisible(c) || "/\\:*?\"<>|".contains(c)));
            prop_assert!(!name.contains("  ") && !name.starts_with(['.', '-', ' ']));
        }
    }
}
