//! Dates as header fields write them: RFC 5322 sections 3.3 and 4.3, the form of asctime(3), ISO
//! 8601, and what careless mailers make of these.
//!
//! The words of a date are told apart by what they look like. So they may stand in either order,
//! and what stands behind the date does not matter. jiff knows the calendar.

use jiff::civil;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// A point of time in the zone of its writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::message) struct WrittenDate {
    local: civil::DateTime,
    offset: Offset,
}

/// The years that are taken for real.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=3000;
/// How many words a date may have, zone included; no date has so many.
const WORDS: usize = 12;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Zones by name, in hours. RFC 5322 section 4.3 has those of North America; the others are as
/// usual as unambiguous. AST is none of them: it is of Arabia or of the Atlantic.
const ZONES: [(&str, i8); 41] = [
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("wet", 0),
    ("est", -5),
    ("edt", -4),
    ("cst", -6),
    ("cdt", -5),
    ("mst", -7),
    ("mdt", -6),
    ("pst", -8),
    ("pdt", -7),
    ("akst", -9),
    ("akdt", -8),
    ("hst", -10),
    ("west", 1),
    ("bst", 1),
    ("cet", 1),
    ("met", 1),
    ("mez", 1),
    ("cest", 2),
    ("mest", 2),
    ("mesz", 2),
    ("eet", 2),
    ("sast", 2),
    ("eest", 3),
    ("idt", 3),
    ("eat", 3),
    ("msk", 3),
    ("msd", 4),
    ("gst", 4),
    ("ict", 7),
    ("hkt", 8),
    ("sgt", 8),
    ("jst", 9),
    ("kst", 9),
    ("aest", 10),
    ("aedt", 11),
    ("nzst", 12),
    ("nzdt", 13),
];

impl WrittenDate {
    /// Unix seconds.
    pub(super) fn timestamp(self) -> Option<i64> {
        let timestamp = self.offset.to_timestamp(self.local).ok()?;
        Some(timestamp.as_second())
    }

    /// ISO 8601 with the offset of the writer's own zone: `2024-05-02T12:00:00+02:00`.
    pub(in crate::message) fn iso(self) -> String {
        let seconds = self.offset.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        let local = self.local.strftime("%Y-%m-%dT%H:%M:%S");
        format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// The date at the start of a text. None if there is none, or if no calendar has the day or the
/// time.
pub(super) fn read(text: &str) -> Option<WrittenDate> {
    let text = without_comments(text);
    let words = words(&text);
    date_of(&words[..words.len().min(WORDS)])
}

/// The first date within a text.
pub(super) fn find(text: &str) -> Option<WrittenDate> {
    let text = without_comments(text);
    let words = words(&text);
    let starts = (0..words.len()).filter(|at| {
        let is_day = day(words[*at]).is_some()
            && words.get(at + 1).is_some_and(|word| month(word).is_some());
        is_day
            || (month(words[*at]).is_some()
                && words.get(at + 1).is_some_and(|word| day(word).is_some()))
    });
    starts
        .filter_map(|at| date_of(&words[at..words.len().min(at + WORDS)]))
        .next()
}

/// The text without what stands in parentheses (RFC 5322 section 3.2.2), except a zone behind the
/// time. One that is left open ends the text.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut comment = String::new();
    let mut depth = 0_usize;
    let (mut is_quoted, mut has_time) = (false, false);
    for character in text.chars() {
        match character {
            _ if is_quoted => is_quoted = false,
            '\\' => is_quoted = true,
            '(' => {
                depth += 1;
                comment.clear();
            }
            ')' => {
                if depth == 1 && has_time && is_sure_zone(comment.trim()) {
                    kept.push(' ');
                    kept.push_str(comment.trim());
                }
                depth = depth.saturating_sub(1);
                kept.push(' ');
            }
            _ if depth == 0 => {
                has_time |= character == ':';
                kept.push(character);
            }
            _ => comment.push(character),
        }
    }
    without_space_at_colons(&kept)
}

/// `10 : 00` as `10:00`: RFC 5322 section 4.3 allows the space.
fn without_space_at_colons(text: &str) -> String {
    let pieces: Vec<&str> = text.split(':').map(str::trim).collect();
    pieces.join(":")
}

/// The words, without quotation marks; those of `2-May-2024` one by one.
fn words(text: &str) -> Vec<&str> {
    let is_between = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | ';');
    let mut words = Vec::new();
    let written = text.split(is_between).flat_map(at_commas);
    for word in written.filter(|word| !word.is_empty()) {
        let pieces: Vec<&str> = word.splitn(4, '-').collect();
        match pieces.as_slice() {
            [first, name, year] if month(name).is_some() && !first.is_empty() => {
                words.extend([first, name, year]);
            }
            _ => words.push(word),
        }
    }
    words
}

/// The pieces between commas. In `12:00:00,250` the comma is that of ISO 8601: a year, which may
/// stand there, has four digits.
fn at_commas(text: &str) -> Vec<&str> {
    let is_fraction = |time: &str, behind: &str| {
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        time.matches(':').count() == 2 && !matches!(digits, 0 | 4)
    };
    match text.split_once(',') {
        Some((time, behind)) if is_fraction(time, behind) => vec![text],
        _ => text.split(',').collect(),
    }
}

/// What was read of a date so far.
#[derive(Default)]
struct Found {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    time: Option<civil::Time>,
    offset: Option<Offset>,
}

fn date_of(words: &[&str]) -> Option<WrittenDate> {
    if let Some(date) = iso_8601(words) {
        return Some(date);
    }
    let mut found = Found::default();
    let mut words = words.iter().peekable();
    if words.peek().is_some_and(|word| is_weekday(word)) {
        words.next();
    }
    while let Some(word) = words.next() {
        if found.is_complete() && found.offset.is_some() {
            found.take_summer_time(word);
            break;
        }
        if !found.take(word, words.peek().copied()) {
            // No zone is 30 hours ahead. A comment behind it may name the zone.
            if found.is_complete() && is_like_offset(word) {
                continue;
            }
            // Behind the time only a zone or a year is of the date.
            if found.is_complete() {
                break;
            }
            return None;
        }
    }
    found.date()
}

impl Found {
    fn is_complete(&self) -> bool {
        self.day.is_some() && self.month.is_some() && self.year.is_some() && self.time.is_some()
    }

    /// False if the word is of no date.
    fn take(&mut self, word: &str, next: Option<&&str>) -> bool {
        let has_date = self.month.is_some() && self.day.is_some();
        if self.month.is_none() && month(word).is_some() {
            self.month = month(word);
        } else if self.day.is_none() && day(word).is_some() {
            self.day = day(word);
        } else if has_date && self.time.is_none() && word.contains(':') {
            return self.take_time(word, next);
        } else if has_date && self.year.is_none() && year(word).is_some() {
            self.year = year(word);
        } else if self.time.is_some() && is_half_of_day(word) {
            return true; // `take_time` has looked at it.
        } else if self.time.is_none() && has_date && is_between(word) {
            return true;
        } else if self.time.is_some() && self.offset.is_none() {
            self.offset = zone(word);
            return self.offset.is_some();
        } else {
            return false;
        }
        true
    }

    /// `10:00`, `10:00:00`, `10:00:00.250`, perhaps with the zone or `PM` right behind it.
    fn take_time(&mut self, word: &str, next: Option<&&str>) -> bool {
        let end = word.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')));
        let (clock, behind) = word.split_at(end.unwrap_or(word.len()));
        let half = if behind.is_empty() {
            next.copied()
        } else {
            Some(behind)
        };
        self.time = clock_time(clock, half.filter(|half| is_half_of_day(half)));
        if !behind.is_empty() && !is_half_of_day(behind) {
            self.offset = zone(behind);
            return self.time.is_some() && self.offset.is_some();
        }
        self.time.is_some()
    }

    /// `MET DST`
    fn take_summer_time(&mut self, word: &str) {
        if word.eq_ignore_ascii_case("dst") {
            let seconds = self.offset.map(|offset| offset.seconds() + 3600);
            self.offset = seconds.and_then(|seconds| Offset::from_seconds(seconds).ok());
        }
    }

    fn date(self) -> Option<WrittenDate> {
        let date = civil::Date::new(self.year?, self.month?, self.day?).ok()?;
        written(
            date.to_datetime(self.time?),
            self.offset.unwrap_or(Offset::UTC),
        )
    }
}

fn written(local: civil::DateTime, offset: Offset) -> Option<WrittenDate> {
    YEARS
        .contains(&local.year())
        .then_some(WrittenDate { local, offset })
}

/// `2024-05-02T12:00:00Z`, `2024-05-02 12:00:00 +0200`; the time may not be missing.
fn iso_8601(words: &[&str]) -> Option<WrittenDate> {
    let first = words.first()?;
    if let Some(date) = iso_8601_basic(first) {
        return Some(date);
    }
    let (date, time) = match first.split_once(['T', 't']) {
        Some((date, time)) => (date, time),
        None => (*first, *words.get(1)?),
    };
    let behind = if time.len() < first.len() && first.ends_with(time) {
        1
    } else {
        2
    };
    let mut numbers = date.split(['-', '/']);
    let (year, month, day) = (numbers.next()?, numbers.next()?, numbers.next()?);
    if year.len() != 4 || numbers.next().is_some() {
        return None;
    }
    let number = |digits: &str| digits.parse::<i8>().ok().filter(|_| digits.len() <= 2);
    let date = civil::Date::new(year.parse().ok()?, number(month)?, number(day)?).ok()?;
    let mut found = Found::default();
    if !found.take_time(time, None) {
        return None;
    }
    let zone_word = words.get(behind).and_then(|word| zone(word));
    let offset = found.offset.or(zone_word).unwrap_or(Offset::UTC);
    written(date.to_datetime(found.time?), offset)
}

/// `20240502T120000Z`
fn iso_8601_basic(word: &str) -> Option<WrittenDate> {
    let date = word.split_once('T').map(|(date, _)| date)?;
    let is_basic = date.len() == 8 && date.bytes().all(|octet| octet.is_ascii_digit());
    let pieces = Pieces::parse(word).ok().filter(|_| is_basic)?;
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    written(pieces.date().to_datetime(pieces.time()?), offset)
}

/// By its first three letters or more: `Thu`, `Thurs`, `Thursday.`
fn is_weekday(word: &str) -> bool {
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    let days = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    word.len() >= 3 && days.iter().any(|day| day.starts_with(&word))
}

/// From 1. `Sept.` has four letters in some mailers.
fn month(word: &str) -> Option<i8> {
    let word = word.strip_suffix('.').unwrap_or(word);
    if word.len() < 3 || !word.bytes().all(|octet| octet.is_ascii_alphabetic()) {
        return None;
    }
    let word = word.to_ascii_lowercase();
    let numbered = MONTHS.iter().zip(1..);
    numbered
        .filter(|(name, _)| name.starts_with(&word))
        .map(|(_, number)| number)
        .next()
}

/// `2`, `02`, `2.`, `2nd`
fn day(word: &str) -> Option<i8> {
    let word = [".", "st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))
        .unwrap_or(word);
    let is_number =
        (1..=2).contains(&word.len()) && word.bytes().all(|octet| octet.is_ascii_digit());
    word.parse()
        .ok()
        .filter(|day| is_number && (1..=31).contains(day))
}

/// Two digits are of 1950 to 2049, three count from 1900 (RFC 5322 section 4.3).
fn year(word: &str) -> Option<i16> {
    let is_number =
        (2..=4).contains(&word.len()) && word.bytes().all(|octet| octet.is_ascii_digit());
    let year: i16 = word.parse().ok().filter(|_| is_number)?;
    Some(match word.len() {
        2 if year < 50 => year + 2000,
        2 | 3 => year + 1900,
        _ => year,
    })
}

/// A leap second is the second before. A fraction of the seconds may stand behind any mark.
fn clock_time(clock: &str, half: Option<&str>) -> Option<civil::Time> {
    let mut numbers = clock.split(':');
    let (hour, minute, second) = (numbers.next()?, numbers.next()?, numbers.next());
    let second = second.unwrap_or("0").split(['.', ',']).next()?;
    let _fraction = numbers.next();
    if numbers.next().is_some() {
        return None;
    }
    let number = |digits: &str| digits.parse::<i8>().ok().filter(|_| digits.len() <= 2);
    let hour = match (
        number(hour)?,
        half.map(|half| half.as_bytes()[0].to_ascii_lowercase()),
    ) {
        (hour @ 1..=12, Some(b'p')) => hour % 12 + 12,
        (hour @ 1..=12, Some(_)) => hour % 12,
        (hour, _) => hour,
    };
    let second = match number(second)? {
        60 => 59,
        second => second,
    };
    civil::Time::new(hour, number(minute)?, second, 0).ok()
}

/// Whether the word stands between the day and the time and says nothing: `at`, `--`.
fn is_between(word: &str) -> bool {
    word.eq_ignore_ascii_case("at") || word.bytes().all(|octet| octet == b'-')
}

fn is_half_of_day(word: &str) -> bool {
    word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm")
}

/// `+0200`, `-05:30`, `GMT`, `GMT+0200`. Names that nobody knows, and those of one letter, say
/// nothing (RFC 5322 section 4.3): they are taken for UTC.
fn zone(word: &str) -> Option<Offset> {
    let name_length = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, behind) = word.split_at(name_length);
    match behind.chars().next() {
        Some('+' | '-')
            if matches!(
                name.to_ascii_uppercase().as_str(),
                "" | "GMT" | "UTC" | "UT"
            ) =>
        {
            numeric_zone(behind)
        }
        Some('0'..='9') if name.is_empty() && is_bare_offset(behind) => {
            numeric_zone(&format!("+{behind}"))
        }
        // A word with a hyphen in it is no zone.
        Some('+' | '-' | '_' | '.' | '0'..='9' | '@' | '/') | None if name.is_empty() => None,
        None | Some('.' | ')' | ']') => named_zone(name),
        Some(_) => None,
    }
}

/// `0200`, of the times that zones have.
fn is_bare_offset(word: &str) -> bool {
    let is_number = word.len() == 4 && word.bytes().all(|octet| octet.is_ascii_digit());
    is_number && matches!(&word[2..], "00" | "30" | "45") && word[..2] <= *"14"
}

fn named_zone(name: &str) -> Option<Offset> {
    let is_name = (1..=5).contains(&name.len());
    is_name.then(|| known_zone(name).unwrap_or(Offset::UTC))
}

fn known_zone(name: &str) -> Option<Offset> {
    let known = ZONES
        .iter()
        .find(|(zone, _)| zone.eq_ignore_ascii_case(name));
    known.map(|(_, hours)| Offset::constant(*hours))
}

/// Whether a comment is nothing but a zone: `CST`, `GMT+1`.
fn is_sure_zone(comment: &str) -> bool {
    let has_sign = comment.contains(['+', '-']);
    known_zone(comment).is_some() || (has_sign && zone(comment).is_some())
}

fn is_like_offset(word: &str) -> bool {
    let digits = word.strip_prefix(['+', '-']);
    digits.is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
}

/// A sign, then `200`, `0200`, `02:00`, `02:00:00` or `2`.
fn numeric_zone(word: &str) -> Option<Offset> {
    let (sign, value) = word.split_at(1);
    let digits: String = value
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ':')
        .filter(char::is_ascii_digit)
        .collect();
    let digits = match value.len() {
        // Seconds, which no zone has in our time.
        8 if digits.len() == 6 => &digits[..4],
        _ => &digits,
    };
    let number: i32 = digits.parse().ok().filter(|_| digits.len() <= 4)?;
    let (hours, minutes) = match digits.len() {
        1 | 2 => (number, 0),
        _ => (number / 100, number % 100),
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> Option<String> {
        read(text).map(WrittenDate::iso)
    }

    #[test]
    fn a_date_keeps_its_own_zone() {
        for (text, expected) in [
            (
                "Thu, 2 May 2024 12:00:00 +0200",
                "2024-05-02T12:00:00+02:00",
            ),
            ("2 May 2024 04:30 -0530", "2024-05-02T04:30:00-05:30"),
            ("2 May 24 10:00:00 GMT", "2024-05-02T10:00:00+00:00"),
            ("2 May 2024 10:00:00 EST", "2024-05-02T10:00:00-05:00"),
        ] {
            assert_eq!(iso(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn every_usual_form_is_read() {
        for text in [
            "Thu, 2 May 2024 12:00:00 -0800 by mx-1.example.org",
            "Thu, 2 May 2024 12:00:00 -0800-",
            "Thu, 2 May 2024 12:00:00 -0800 - queue-1",
            "Thu, 2 May 2024 12:00:00 pst",
            "Thu, 2 May 2024 12:00:00 GMT-0800",
            "Thu, 2 May 2024 12:00:00 UTC-8",
            "Thu, 2 May 2024 12:00:00 GMT-08:00",
            "Thu May  2 12:00:00 -0800 2024",
            "Thu May  2 12:00:00 2024 -0800",
            "Thu May 2 12:00:00 PST 2024",
            "Thursday, 2 May 2024 12:00:00 -0800",
            "Thursday, May 2, 2024 12:00:00 PM -0800",
            "2-May-2024 12:00:00 -0800",
            "Thu, 02-May-24 12:00:00 PST",
            "2024-05-02T12:00:00-08:00",
            "2024-05-02 12:00:00 -0800",
            "2024-05-02T12:00:00.123-0800",
            "2024-05-02T20:00:00Z",
            "2024-05-02t20:00:00z",
            "2 May 2024 20:00:00 +0000 (UTC)",
            "2 May 2024 08:00 PM",
            "Thu, 2 May 2024 20:00:00:123 +0000",
            "2024-05-02T12:00:00,123-08:00",
            "2024-05-02 12:00:00,123456 -0800",
            "Thu, 2 May 2024 22:00:00 0200",
            "2024-05-03 01:45:00 0545",
            "Thu May 2 20:00:00,2024",
            "May 2,2024 20:00:00",
            "Thu, 2 May 2024 21:00:00 BST",
            "Fri, 3 May 2024 08:00:00 NZST",
            "Fri, 3 May 2024 04:00:00 HKT",
        ] {
            let date = read(text).and_then(WrittenDate::timestamp);
            assert_eq!(date, Some(1_714_680_000), "{text}");
        }
        let september = read("Sept 2 2024 10:00:00").or_else(|| read("2 September 2024 10:00:00"));
        assert_eq!(
            september.map(WrittenDate::iso).as_deref(),
            Some("2024-09-02T10:00:00+00:00")
        );
    }

    #[test]
    fn a_number_that_no_zone_has_is_no_zone() {
        for text in [
            "2 May 2024 12:00:00 2024",
            "2 May 2024 12:00:00 0210",
            "2 May 2024 12:00:00 02",
            "2 May 2024 12:00:00 AST",
        ] {
            assert_eq!(
                iso(text).as_deref(),
                Some("2024-05-02T12:00:00+00:00"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_comment_tells_a_zone_that_is_missing_or_impossible() {
        for (text, zone) in [
            ("2 May 2024 12:00:00 -3000 (CST)", "-06:00"),
            ("2 May 2024 12:00:00 +2460 (JST)", "+09:00"),
            ("2 May 2024 12:00:00 (MESZ)", "+02:00"),
            ("2 May 2024 12:00:00 ( GMT+5 )", "+05:00"),
            ("Thu May 2 12:00:00 (PDT) 2024", "-07:00"),
            ("2024-05-02 12:00:00 (+0530)", "+05:30"),
            ("2 May 2024 12:00:00 -3000", "+00:00"),
            ("2 May 2024 12:00:00 +0100 (CST)", "+01:00"),
            ("2 May 2024 12:00:00 -0000 (CST)", "+00:00"),
            ("2 May 2024 (CST) 12:00:00 (of the clock)", "+00:00"),
            ("2 May 2024 12:00:00 (the (EST) time)", "+00:00"),
            ("2 May 2024 12:00:00 (a)", "+00:00"),
        ] {
            let expected = format!("2024-05-02T12:00:00{zone}");
            assert_eq!(iso(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "31 Feb 2024 10:00:00 +0000",
            "2024-05-02",
            "2024-13-02T10:00:00Z",
            "2 May 2024",
            "2 May 2024 10:00:00:12:34:56",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_is_found_within_a_text() {
        for text in [
            "from a by b id 12 Thu, 2 May 2024 12:00:00 +0200",
            "by a (b; c) with SMTP id 2 May 2024 12:00:00 +0200",
            "by 3 at Thu May 2 12:00:00 2024 +0200",
        ] {
            let found = find(text).map(WrittenDate::iso);
            assert_eq!(
                found.as_deref(),
                Some("2024-05-02T12:00:00+02:00"),
                "{text}"
            );
        }
        assert_eq!(find("by a with b id 2 c"), None);
    }
}
