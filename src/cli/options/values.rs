//! Sizes, durations and paths as people write them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// A size in octets: `64M`, `1G`, or the plain number. The letters `K M G T` count in powers of
/// 1,024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataSize(u64);

impl DataSize {
    /// From a count of octets.
    pub const fn new(octets: u64) -> Self {
        Self(octets)
    }

    /// From a count of KiB below 2^54.
    pub const fn kib(count: u64) -> Self {
        Self(count * KIB)
    }

    /// From a count of MiB below 2^44.
    pub const fn mib(count: u64) -> Self {
        Self(count * MIB)
    }

    /// From a count of GiB below 2^34.
    pub const fn gib(count: u64) -> Self {
        Self(count * GIB)
    }

    /// The count of octets.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for DataSize {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let (digits, unit) = match text.char_indices().next_back() {
            Some((at, 'k' | 'K')) => (&text[..at], KIB),
            Some((at, 'm' | 'M')) => (&text[..at], MIB),
            Some((at, 'g' | 'G')) => (&text[..at], GIB),
            Some((at, 't' | 'T')) => (&text[..at], TIB),
            _ => (text, 1),
        };
        let count: u64 = unsigned(digits)?;
        count.checked_mul(unit).map(Self).ok_or(Unreadable)
    }
}

/// Shown in the largest unit that divides the size.
impl fmt::Display for DataSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(TIB, "T"), (GIB, "G"), (MIB, "M"), (KIB, "K")];
        let whole = |(unit, _): &&(u64, &str)| self.0 >= *unit && self.0.is_multiple_of(*unit);
        match units.iter().find(whole) {
            Some((unit, letter)) => write!(f, "{}{letter}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A span of time: `30s`, `5m`, `500ms`, `1h 30m`, or plain seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(Duration);

impl TimeSpan {
    /// From a count of seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// As the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for TimeSpan {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        if let Ok(seconds) = unsigned(text) {
            return Ok(Self::seconds(seconds));
        }
        match humantime::parse_duration(text) {
            Ok(duration) => Ok(Self(duration)),
            Err(_) => Err(Unreadable),
        }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// The text has none of the forms of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not readable")]
pub struct Unreadable;

/// Makes a path absolute, because the daemon's working directory is `/`. Replaces `~/` by the home,
/// because no shell expands it in `-o password_file=~/x`. None where the home is unknown.
pub(super) fn path(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    let path = match text.strip_prefix("~/") {
        Some(rest) => home?.join(rest),
        None => PathBuf::from(text),
    };
    std::path::absolute(path).ok()
}

/// Digits only: no sign, as `u64::from_str` would allow.
fn unsigned(text: &str) -> Result<u64, Unreadable> {
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Unreadable);
    }
    text.parse().map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_octets_or_binary_multiples() {
        for (text, octets) in [
            ("0", 0),
            ("4096", 4096),
            ("64M", 64 << 20),
            ("1g", 1 << 30),
            ("2T", 2 << 40),
            ("8k", 8192),
        ] {
            assert_eq!(text.parse::<DataSize>().unwrap().get(), octets, "{text}");
        }
        for text in ["", "M", "-1", "+1", "1.5G", "1MB", "99999999999T", "1 M"] {
            assert!(text.parse::<DataSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_whole_unit() {
        for text in ["1000", "1K", "64M", "1G", "0", "1025M"] {
            assert_eq!(text.parse::<DataSize>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn durations_are_seconds_unless_they_name_a_unit() {
        for (text, milliseconds) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1m 30s", 90_000),
        ] {
            let period: TimeSpan = text.parse().unwrap();
            assert_eq!(period.get(), Duration::from_millis(milliseconds), "{text}");
        }
        for text in [
            "",
            "s",
            "-1",
            "+5",
            "1.5",
            "5 parsecs",
            "99999999999999999999",
        ] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_become_absolute_and_a_tilde_is_home() {
        let home = Some(Path::new("/home/al"));
        assert_eq!(path("~/pw", home), Some("/home/al/pw".into()));
        assert_eq!(path("/etc/pw", home), Some("/etc/pw".into()));
        let here = std::env::current_dir().unwrap();
        assert_eq!(path("pw", home), Some(here.join("pw")));
        assert_eq!(path("", home), None);
        assert_eq!(path("~/pw", None), None);
        assert_eq!(path("/etc/pw", None), Some("/etc/pw".into()));
    }
}
