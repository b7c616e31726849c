//! How counts, sizes, names and paths are written for people.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// `1 message`, `2 messages`.
pub(super) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    match count == N::from(1) {
        true => format!("1 {noun}"),
        false => format!("{count} {noun}s"),
    }
}

/// `99 bytes`, `1.5 KiB`, `267 KiB`: in the largest unit of which there is one, with a digit after
/// the point below 10.
pub(super) fn size(octets: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if octets < 1024 {
        return counted(octets, "byte");
    }
    // Below 2^53, a float is exact; above, nobody sees the difference.
    #[allow(clippy::cast_precision_loss)]
    let mut amount = octets as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1023.5 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(amount < 9.95);
    let text = format!("{amount:.digits$}");
    format!(
        "{} {}",
        text.strip_suffix(".0").unwrap_or(&text),
        UNITS[unit]
    )
}

/// Unix seconds as `2026-11-28T22:10:00Z`.
pub(super) fn time(seconds: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    at.map_or_else(String::new, |at| {
        humantime::format_rfc3339_seconds(at).to_string()
    })
}

/// The first `most` names, and how many more there are.
pub(super) fn first(names: &[String], most: usize) -> String {
    let told: Vec<String> = names.iter().take(most).map(|text| name(text)).collect();
    match names.len() - told.len() {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// The name of a message: without control characters, which could move the cursor of a terminal.
pub(super) fn name(name: &str) -> String {
    name.escape_debug().to_string()
}

/// A path as a shell takes it.
pub(super) fn path(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=~".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(0_u64, "message"), "0 messages");
    }

    #[test]
    fn a_size_is_in_the_largest_unit() {
        for (octets, shown) in [
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (273_670, "267 KiB"),
            (10_239, "10 KiB"),
            (1_048_575, "1 MiB"),
            (1 << 30, "1 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(size(octets), shown, "{octets}");
        }
    }

    #[test]
    fn names_are_cut_off_and_counted() {
        let names = ["a", "b\x1b", "c"].map(str::to_owned);
        assert_eq!(first(&names, 3), "a, b\\u{1b}, c");
        assert_eq!(first(&names, 2), "a, b\\u{1b} and 1 more");
    }

    #[test]
    fn a_path_can_be_copied_into_a_shell() {
        assert_eq!(path(Path::new("/home/al/mail")), "/home/al/mail");
        assert_eq!(path(Path::new("/my mail's")), "'/my mail'\\''s'");
    }
}
