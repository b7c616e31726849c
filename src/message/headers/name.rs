//! Names for people: `2024-05-01T0930 Alice Smith - Re invoice ~6b02a91c.eml`.
//!
//! A name is made only of the message's own headers, arrival and identity, so it does not change
//! when other mail comes or goes.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::block::{header_block, with_lf};
use super::fields::{Correspondent, Fields};
use crate::message::file_name::{NAME_MAX, is_unfit, prefix};

/// The most octets of the sender in a name.
const SENDER_MAX: usize = 64;
/// The name shown if no header has a sender.
pub const UNKNOWN_SENDER: &str = "unknown sender";
/// The end of each name.
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

    /// ISO 8601 to the minute, without the colon, which other systems do not allow in names.
    fn minute(&self, seconds: i64) -> Option<String> {
        let time = Timestamp::from_second(seconds).ok()?;
        let local = time.to_zoned(self.0.clone());
        Some(local.strftime("%Y-%m-%dT%H%M").to_string())
    }
}

/// Sender and subject: `Alice Smith - Re invoice`. `headers` may include the body, which is not
/// read. The title is safe on every system: it has no control or invisible characters, none of
/// `/\:*?"<>|`, no white space but single spaces, and at most 255 octets.
pub fn title(headers: &[u8]) -> String {
    let headers = with_lf(header_block(headers));
    let fields = Fields::of(&headers);
    let mut title = prefix(&sender(&fields), SENDER_MAX).trim_end().to_owned();
    if let Some(subject) = fields.text("subject").map(|subject| harmless(&subject)) {
        title.push_str(" - ");
        title.push_str(&subject);
    }
    prefix(&title, NAME_MAX).to_owned()
}

/// The name of a message: its arrival (in Unix seconds), its [`title`], and a tag that is unique in
/// the mailbox. The tag is made of the message's identity, so that other mail never renames the
/// message. The name begins with a digit or with `undated` and has at most 255 octets if the tag is
/// short.
pub fn name(title: &str, arrival: Option<i64>, zone: &Zone, tag: &str) -> String {
    let time = arrival.and_then(|seconds| zone.minute(seconds));
    let time = time.unwrap_or_else(|| "undated".to_owned());
    let name = format!("{time} {title}");
    let ending = format!(" ~{tag}{EXTENSION}");
    let start = prefix(&name, NAME_MAX.saturating_sub(ending.len()));
    format!("{}{ending}", start.trim_end_matches([' ', '-', '.']))
}

/// The tag in a [`name`].
pub fn tag(name: &str) -> Option<&str> {
    let (_, tag) = name.strip_suffix(EXTENSION)?.rsplit_once(" ~")?;
    Some(tag)
}

fn sender(fields: &Fields<'_>) -> String {
    let from = fields
        .first_mailbox("from")
        .or_else(|| fields.first_mailbox("sender"));
    let shown = |Correspondent { name, address }| name.or(address);
    let sender = from.and_then(shown).map(|sender| harmless(&sender));
    sender
        .filter(|sender| !sender.is_empty())
        .unwrap_or_else(|| UNKNOWN_SENDER.to_owned())
}

/// Replaces separators by dashes and removes what other systems do not allow in a name.
fn harmless(text: &str) -> String {
    let replaced: String = text
        .chars()
        .filter(|character| !is_unfit(*character) && !":*?\"<>".contains(*character))
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
        name(
            &title(headers.as_bytes()),
            Some(ARRIVAL),
            &Zone::utc(),
            "6b02a91c",
        )
    }

    #[test]
    fn a_name_has_arrival_sender_and_subject() {
        let headers = "From: Alice Smith <alice@example.org>\r\nSubject: Re: invoice\r\n\r\n";
        assert_eq!(
            named(headers),
            "2024-05-01T0730 Alice Smith - Re invoice ~6b02a91c.eml"
        );
    }

    #[test]
    fn the_time_is_local() {
        let berlin = Zone::named("Europe/Berlin").expect("the time zone database");
        let name = |arrival| name("x", Some(arrival), &berlin, "0");
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
    fn what_is_missing_has_a_substitute() {
        assert_eq!(named(""), "2024-05-01T0730 unknown sender ~6b02a91c.eml");
        assert_eq!(
            named("From: <a@b.example>\r\nSubject: \r\n"),
            "2024-05-01T0730 a@b.example ~6b02a91c.eml"
        );
        assert_eq!(
            named("Sender: Bot <b@c>\r\nSubject: x"),
            "2024-05-01T0730 Bot - x ~6b02a91c.eml"
        );
        assert_eq!(name("x", None, &Zone::utc(), "1"), "undated x ~1.eml");
        assert_eq!(
            name("x", Some(i64::MAX), &Zone::utc(), "1"),
            "undated x ~1.eml"
        );
    }

    #[test]
    fn a_name_has_no_character_that_is_not_allowed() {
        let headers = "From: \"a/../b: <c>\" <x@y>\r\nSubject: =?utf-8?q?1/2=00=0A=1B\"=E2=80=AE*?= \\?|z\r\n\r\n";
        assert_eq!(
            named(headers),
            "2024-05-01T0730 a-..-b c - 1-2␀ ␛ --z ~6b02a91c.eml"
        );
    }

    #[test]
    fn a_long_name_is_cut_before_its_tag() {
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
    fn the_tag_is_read_from_a_name() {
        assert_eq!(tag(&named("Subject: a ~b.eml ~c\r\n")), Some("6b02a91c"));
        assert_eq!(tag("2024-05-01T0730 x.eml"), None);
        assert_eq!(tag("2024-05-01T0730 x ~6b02a91c"), None);
    }

    proptest! {
        #[test]
        fn every_name_is_safe(headers in prop::collection::vec(any::<u8>(), 0..80), subject in "\\PC{0,300}", arrival in any::<i64>()) {
            let block = [b"Subject: ", subject.as_bytes(), b"\r\nFrom: ", &headers].concat();
            let name = name(&title(&block), Some(arrival), &Zone::utc(), "6b02a91c");
            prop_assert!(name.len() <= NAME_MAX && name.ends_with(EXTENSION));
            prop_assert!(!name.contains(|c: char| c.is_control() || is_unfit(c) || "/\\:*?\"<>|".contains(c)));
            prop_assert!(!name.contains("  ") && !name.starts_with(['.', '-', ' ']));
        }
    }
}
