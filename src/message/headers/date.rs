//! Dates as header fields write them.

use mail_parser::DateTime;
use mail_parser::parsers::fields::date::MONTH;

/// RFC 5322 sections 3.3 and 4.3: with or without the day's name, seconds and comments, with obsolete zones and years. None
/// for a day or time that no calendar has.
pub(in crate::message) fn read(text: &str) -> Option<DateTime> {
    // The space ends the last word, which mail-parser otherwise takes for unfinished.
    let date = DateTime::parse_rfc822(&format!("{text} "))?;
    if !states(text, &date) {
        return None;
    }
    in_our_calendar(date)
}

/// ISO 8601 with the offset of the writer's own zone: `2024-05-02T12:00:00+02:00`.
pub(in crate::message) fn iso(date: &DateTime) -> String {
    let sign = if date.tz_before_gmt { '-' } else { '+' };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
        date.year,
        date.month,
        date.day,
        date.hour,
        date.minute,
        date.second,
        date.tz_hour,
        date.tz_minute
    )
}

/// mail-parser reads `Thu May  2 10:00:00 +0000 2024` and `2 May 0000` as a day in the year 2000, and `2 Foo` as one in
/// January. So the month must stand before the time, and the year, in full or as its last two digits.
fn states(text: &str, date: &DateTime) -> bool {
    let Some((day, _)) = text.split_once(':') else {
        return false;
    };
    let Some(month) = MONTH.get(usize::from(date.month).wrapping_sub(1)) else {
        return false;
    };
    let (full, short) = (date.year.to_string(), format!("{:02}", date.year % 100));
    let mut words = day.split(|c: char| !c.is_ascii_alphanumeric());
    words.by_ref().any(|word| word.eq_ignore_ascii_case(month))
        && words.any(|word| word == full || word == short)
}

/// The date with a full year and no leap second, if there was such a day and time.
fn in_our_calendar(mut date: DateTime) -> Option<DateTime> {
    if (100..1000).contains(&date.year) {
        date.year += 1900; // RFC 5322 section 4.3, and clocks that counted on after 99.
    }
    if date.second == 60 {
        date.second = 59;
    }
    let same_day = DateTime::from_timestamp(date.to_timestamp_local()).day == date.day;
    (date.is_valid() && same_day).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(
                read(text).map(|date| iso(&date)).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "31 Feb 2024 10:00:00 +0000"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
