//! Times of a query.

use std::ops::Range;

use jiff::civil::Date;
use jiff::{Span, ToSpan, Zoned};

use super::clock::Clock;

/// When a message arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Period {
    pub(super) relation: Relation,
    pub(super) time: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    After,
    Before,
    During,
}

/// A time as a user writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Time {
    /// A year, a month or a day: from its first day to the first one behind it.
    Days(Date, Date),
    /// This long ago.
    Ago(i32, Unit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    /// In Unix seconds, the end not included.
    pub(crate) fn seconds(&self, clock: &Clock) -> Range<i64> {
        let (start, end) = match &self.time {
            Time::Days(first, next) => (start(*first, clock), start(*next, clock)),
            Time::Ago(count, unit) => (ago(*count, *unit, clock), i64::MAX),
        };
        match self.relation {
            Relation::After => start..i64::MAX,
            Relation::Before => i64::MIN..start,
            Relation::During => start..end,
        }
    }
}

impl Time {
    /// `2024`, `2024-05`, `2024-05-01` or `7d`; None for all else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let unit = text.chars().next_back().and_then(Unit::read);
        match unit {
            Some(unit) => Some(Self::Ago(number(&text[..text.len() - 1], 5)?, unit)),
            None => Self::read_days(text),
        }
    }

    fn read_days(text: &str) -> Option<Self> {
        let mut numbers = text.split('-');
        let year = numbers.next().filter(|year| year.len() == 4);
        let year = i16::try_from(number(year?, 4)?).ok()?;
        let month = numbers.next().map(small);
        let day = numbers.next().map(small);
        if numbers.next().is_some() {
            return None;
        }
        let (length, month, day) = match (month, day) {
            (None, _) => (1.year(), 1, 1),
            (Some(month), None) => (1.month(), month?, 1),
            (Some(month), Some(day)) => (1.day(), month?, day?),
        };
        let first = Date::new(year, month, day).ok()?;
        // The last year that there is ends with the calendar.
        Some(Self::Days(first, first.saturating_add(length)))
    }
}

impl Unit {
    fn read(letter: char) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            'h' => Self::Hour,
            'd' => Self::Day,
            'w' => Self::Week,
            'm' => Self::Month,
            'y' => Self::Year,
            _ => return None,
        })
    }

    fn span(self, count: i32) -> Option<Span> {
        let span = Span::new();
        let span = match self {
            Self::Hour => span.try_hours(count),
            Self::Day => span.try_days(count),
            Self::Week => span.try_weeks(count),
            Self::Month => span.try_months(count),
            Self::Year => span.try_years(count),
        };
        span.ok()
    }
}

/// Digits and nothing else, at most this many.
fn number(text: &str, digits: usize) -> Option<i32> {
    let is_number = (1..=digits).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn small(text: &str) -> Option<i8> {
    i8::try_from(number(text, 2)?).ok()
}

/// When the day begins.
fn start(day: Date, clock: &Clock) -> i64 {
    let zoned = day.to_zoned(clock.zone.clone());
    zoned.map_or(i64::MAX, |start| start.timestamp().as_second())
}

/// A time before there was a calendar is the beginning of all time.
fn ago(count: i32, unit: Unit, clock: &Clock) -> i64 {
    let now = Zoned::new(clock.now, clock.zone.clone());
    let then = unit.span(count).and_then(|span| now.checked_sub(span).ok());
    then.map_or(i64::MIN, |then| then.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-05-15T12:00:00Z
    const NOW: i64 = 1_715_774_400;
    const DAY: i64 = 86_400;

    fn during(text: &str, clock: &Clock) -> Range<i64> {
        let (relation, time) = (Relation::During, Time::read(text).unwrap());
        Period { relation, time }.seconds(clock)
    }

    #[test]
    fn a_year_a_month_and_a_day_have_their_length() {
        let clock = Clock::utc(NOW);
        assert_eq!(
            during("2024", &clock),
            1_704_067_200..1_704_067_200 + 366 * DAY
        );
        assert_eq!(
            during("2024-02", &clock),
            1_706_745_600..1_706_745_600 + 29 * DAY
        );
        assert_eq!(
            during("2024-02-29", &clock),
            1_709_164_800..1_709_164_800 + DAY
        );
        assert_eq!(during("2024-2-29", &clock), during("2024-02-29", &clock));
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let berlin = Clock::named(NOW, "Europe/Berlin").expect("the time zone database");
        let utc = Clock::utc(NOW);
        assert_eq!(
            during("2024-05-01", &berlin).start,
            during("2024-05-01", &utc).start - 7200
        );
        // The clocks go forward on this day.
        let day = during("2024-03-31", &berlin);
        assert_eq!(day.end - day.start, 23 * 3600);
    }

    #[test]
    fn a_time_ago_is_counted_from_now() {
        let clock = Clock::utc(NOW);
        for (text, start) in [
            ("0d", NOW),
            ("7d", NOW - 7 * DAY),
            ("2w", NOW - 14 * DAY),
            ("36h", NOW - 36 * 3600),
            ("1m", NOW - 30 * DAY),
            ("1y", NOW - 366 * DAY),
            ("7D", NOW - 7 * DAY),
        ] {
            assert_eq!(during(text, &clock), start..i64::MAX, "{text}");
        }
        assert_eq!(during("99999y", &clock).start, i64::MIN);
    }

    #[test]
    fn after_begins_where_before_ends() {
        let clock = Clock::utc(NOW);
        let seconds = |relation| {
            let time = Time::read("2024-05").unwrap();
            Period { relation, time }.seconds(&clock)
        };
        assert_eq!(
            seconds(Relation::After).start,
            seconds(Relation::Before).end
        );
        assert_eq!(
            seconds(Relation::After).start,
            seconds(Relation::During).start
        );
    }

    #[test]
    fn what_no_calendar_has_is_no_time() {
        for text in [
            "",
            "d",
            "x",
            "-1d",
            "2024-13",
            "2023-02-29",
            "2024-00",
            "24",
            "20240501",
            "2024-05-01-01",
            "2024-",
            "+024",
            "100000d",
            "2024-05-x",
            "7dd",
            "٧d",
            "20é",
        ] {
            assert_eq!(Time::read(text), None, "{text}");
        }
        assert!(Time::read("9999").is_some() && Time::read("0000-01-01").is_some());
    }
}
