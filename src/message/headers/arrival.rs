//! When a message arrived, according to its headers: which field tells it. What a date says is in
//! date.rs. A time that was shown once stays (`learn_headers` in the catalogue).

use super::block::{header_block, with_lf};
use super::date::{self, WrittenDate};
use super::fields::Fields;

/// Which date is looked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DatePreference {
    /// When the last server took the message; else when it was written.
    #[default]
    Received,
    /// When the message was written; else when the last server took it.
    Date,
    /// No date at all.
    None,
}

/// When a message arrived, in Unix seconds, never negative: the topmost Received field that has a
/// date, or the Date field, in the order of the preference (RFC 5322 sections 3.6.1 and 3.6.7).
/// `headers` may include the body, which is not read. A date that no calendar has, or before 1970,
/// is skipped.
pub fn arrival(headers: &[u8], preference: DatePreference) -> Option<i64> {
    let order: [fn(&Fields<'_>) -> Option<i64>; 2] = match preference {
        DatePreference::Received => [received, written],
        DatePreference::Date => [written, received],
        DatePreference::None => return None,
    };
    let headers = with_lf(header_block(headers));
    let fields = Fields::of(&headers);
    order.iter().find_map(|date| date(&fields))
}

/// Servers add their Received field on top, so the first one is of the last server.
fn received(fields: &Fields<'_>) -> Option<i64> {
    let dates = fields.values("received").map(String::from_utf8_lossy);
    dates.filter_map(|value| timestamp(date_of(&value)?)).next()
}

fn written(fields: &Fields<'_>) -> Option<i64> {
    fields.dates("date").filter_map(timestamp).next()
}

/// Some servers leave out the semicolon before the date, or write another clause behind it.
fn date_of(received: &str) -> Option<WrittenDate> {
    let clause = date_clause(received).and_then(date::read);
    clause.or_else(|| date::find(received))
}

/// What follows the last `;` outside of comments; the last `;` of all where a parenthesis is not
/// closed.
fn date_clause(received: &str) -> Option<&str> {
    let (mut depth, mut is_quoted, mut outside) = (0_usize, false, None);
    for (at, octet) in received.bytes().enumerate() {
        match octet {
            _ if is_quoted => is_quoted = false,
            b'\\' => is_quoted = true,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => outside = Some(at),
            _ => (),
        }
    }
    let semicolon = if depth == 0 {
        outside
    } else {
        received.rfind(';')
    };
    semicolon.map(|at| &received[at + 1..])
}

fn timestamp(date: WrittenDate) -> Option<i64> {
    date.timestamp().filter(|seconds| *seconds >= 0)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::block::HEADERS_MAX;
    use super::*;

    /// 2024-05-02 10:00:00 UTC.
    const MAY: i64 = 1_714_644_000;

    fn by_received(headers: &str) -> Option<i64> {
        arrival(headers.as_bytes(), DatePreference::Received)
    }

    fn dated(date: &str) -> Option<i64> {
        by_received(&format!(
            "Subject: a\r\nDate: {date}\r\nX-Other: 1 Jan 2001 00:00:00 +0000\r\n\r\n"
        ))
    }

    const TRANSPORTED: &str = "Return-Path: <bob@example.org>\r\n\
        Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\
        \tby mail.example.net (Postfix) with ESMTPS id 4VYx\r\n\
        \tfor <alice@example.net>; Thu,  2 May 2024 12:00:00 +0200 (CEST)\r\n\
        Received: from laptop by mx.example.org; Thu, 2 May 2024 09:59:00 +0000\r\n\
        Date: Wed, 1 May 2024 10:00:00 +0000\r\n\
        Subject: Received: not this; 3 May 2024 10:00:00 +0000\r\n\r\n\
        Received: nor this; 4 May 2024 10:00:00 +0000\r\n";

    #[test]
    fn the_topmost_received_field_tells_the_arrival() {
        assert_eq!(by_received(TRANSPORTED), Some(MAY));
    }

    #[test]
    fn date_goes_first_where_it_is_preferred() {
        assert_eq!(
            arrival(TRANSPORTED.as_bytes(), DatePreference::Date),
            Some(MAY - 86_400)
        );
        let undated = TRANSPORTED.replace("Date: ", "X-Date: ");
        assert_eq!(arrival(undated.as_bytes(), DatePreference::Date), Some(MAY));
    }

    #[test]
    fn without_a_preference_there_is_no_date() {
        assert_eq!(arrival(TRANSPORTED.as_bytes(), DatePreference::None), None);
    }

    #[test]
    fn date_serves_where_no_server_left_its_field() {
        assert_eq!(
            by_received("From: a\r\nDate: Thu, 2 May 2024 10:00:00 +0000\r\n"),
            Some(MAY)
        );
        assert_eq!(
            by_received("From: a\r\n\r\nDate: Thu, 2 May 2024 10:00:00 +0000\r\n"),
            None
        );
        assert_eq!(by_received(""), None);
    }

    #[test]
    fn a_received_field_without_a_date_is_passed_over() {
        for useless in [
            "by a",
            "by a with b id c",
            "by a; yesterday",
            "by a;",
            "",
            "by a; 31 Feb 2024 10:00:00 +0000",
        ] {
            let headers = format!(
                "Received: {useless}\r\nReceived: by c; 2 May 2024 10:00:00 +0000\r\nDate: 1 May 2024 10:00:00 +0000\r\n\r\n"
            );
            assert_eq!(by_received(&headers), Some(MAY), "{useless}");
        }
    }

    #[test]
    fn the_date_of_a_received_field_follows_its_last_semicolon_outside_a_comment() {
        for field in [
            "(qmail 1 invoked by uid 89); 2 May 2024 10:00:00 -0000",
            "from a ([192.0.2.1]) by b; id c; Thu, 2 May 2024 10:00:00 +0000",
            "by a (envelope-from <b;c>); Thu, 2 May 2024 10:00:00 +0000",
            "by a; Thu, 2 May 2024 10:00:00 +0000 (a; 3 May 2024 10:00:00 +0000)",
            "by a (b \\); c); Thu, 2 May 2024 10:00:00 +0000",
            "from a (helo=:( by b; Thu, 2 May 2024 10:00:00 +0000",
            "from 1 May 2024 09:00:00 +0000 by a; Thu, 2 May 2024 10:00:00 +0000",
        ] {
            assert_eq!(
                by_received(&format!("Received: {field}\r\n\r\n")),
                Some(MAY),
                "{field}"
            );
        }
    }

    #[test]
    fn the_forms_that_real_mail_has_are_read() {
        for date in [
            "Thu, 2 May 2024 10:00:00 +0000",
            "Thu, 02 May 2024 10:00:00 -0000",
            "2 May 2024 10:00:00 +0000",
            "2 May 2024 10:00 +0000",
            "2 May 2024 10:00:00",
            "Thu, 2 May 24 10:00:00 +0000",
            "Thu, 2 May 124 10:00:00 +0000",
            "Thu,2 May 2024 10:00:00 +0000",
            "thu, 2 MAY 2024 10:00:00 gmt",
            "Thu, 2 May 2024 10:00:00 GMT",
            "Thu, 2 May 2024 10:00:00 UT",
            "Thu, 2 May 2024 10:00:00 Z",
            "Thu, 2 May 2024 10:00:00 \"GMT\"",
            "Thu, 2 May 2024 05:00:00 EST",
            "Thu, 2 May 2024 03:00:00 PDT (Pacific: summer)",
            "Thu, 2 May 2024 15:30:00 +0530",
            "Thu, 2 May 2024 15:30:00 +05:30",
            "Thu, 2 May 2024 11:00:00 +100",
            "Thu, 2 May 2024 12:00:00+0200",
            "Thu, 2 May 2024 10:00:00.250 +0000",
            "Thu (day), 2 (of) May 2024 10:00:00 (UTC) +0000",
            "Thu,\r\n\t2 May 2024\r\n 10:00:00 +0000",
            "  Thu ,  2   May   2024   10:00:00   +0000  ",
            "Thu, 2 May 2024 10:00:00 +0000\r",
            "Thu, May 2 2024 10:00:00 +0000",
            "Thu May  2 10:00:00 +0000 2024",
            "Thu May  2 10:00:00 2024",
            "2024-05-02 10:00:00 +0000",
            "2024-05-02T10:00:00Z",
        ] {
            assert_eq!(dated(date), Some(MAY), "{date}");
        }
    }

    #[test]
    fn a_military_zone_is_utc() {
        // RFC 5322 section 4.3: their signs were published wrong, so they say nothing.
        assert_eq!(dated("Thu, 2 May 2024 10:00:00 A"), Some(MAY));
        assert_eq!(dated("Thu, 2 May 2024 10:00:00 Y"), Some(MAY));
    }

    #[test]
    fn a_leap_second_is_the_second_before() {
        assert_eq!(
            dated("31 Dec 2016 23:59:60 +0000"),
            dated("31 Dec 2016 23:59:59 +0000")
        );
        assert_eq!(dated("31 Dec 2016 23:59:59 +0000"), Some(1_483_228_799));
    }

    #[test]
    fn a_two_digit_year_is_of_our_time() {
        assert_eq!(
            dated("Tue, 2 May 95 10:00:00 +0000"),
            dated("Tue, 2 May 1995 10:00:00 +0000")
        );
        assert_eq!(dated("1 Jan 00 00:00:00 +0000"), Some(946_684_800));
    }

    #[test]
    fn what_is_no_date_is_passed_over() {
        for date in [
            "",
            "yesterday",
            "Thu, 2 May 0000 10:00:00 +0000",
            "Thu, 2 May 9999 10:00:00 +0000",
            "Thu, 2 May 20240 10:00:00 +0000",
            "Wed, 31 Dec 1969 23:59:59 +0000",
            "Thu, 1 Jan 1970 00:30:00 +0100",
            "2 May 1901 10:00:00 +0000",
            "0 May 2024 10:00:00 +0000",
            "32 May 2024 10:00:00 +0000",
            "31 Apr 2024 10:00:00 +0000",
            "30 Feb 2024 10:00:00 +0000",
            "29 Feb 2023 10:00:00 +0000",
            "2 13 2024 10:00:00 +0000",
            "2 Foo 2024 10:00:00 +0000",
            "2 Okt 2024 10:00:00 +0000",
            "2 May 2024 24:00:00 +0000",
            "2 May 2024 10:60:00 +0000",
            "2 May 2024 10:00:61 +0000",
            "2 May 2024",
            "2 May 2024 9.30.00 +0000",
            "(2 May 2024 10:00:00 +0000",
        ] {
            assert_eq!(dated(date), None, "{date}");
        }
    }

    #[test]
    fn a_leap_day_is_a_day() {
        assert_eq!(dated("29 Feb 2024 00:00:00 +0000"), Some(1_709_164_800));
    }

    #[test]
    fn any_octets_may_stand_around_the_date() {
        let date = b"Date: Thu, 2 May 2024 10:00:00 +0000\n";
        for before in [
            &b"Subject: \xff\xfe \xe4\xf6\xfc\r\n"[..],
            b"Subject: a\0b\0\n\0: \0\n",
            b"no colon here\r\n: nor a name\r\n",
            b"From alice Thu May  2 09:00:00 2024\n",
            b"Subject: a\rReceived: by b; 1 May 2024 10:00:00 +0000\r\n",
            b" \t folded before anything\r\n",
        ] {
            assert_eq!(
                arrival(&[before, date].concat(), DatePreference::Received),
                Some(MAY),
                "{before:?}"
            );
        }
        assert_eq!(
            dated("Thu, 2 May 2024 10:00:00 +0000 \u{e4}\0\r\n \u{f6}"),
            Some(MAY)
        );
    }

    #[test]
    fn the_same_date_is_read_whatever_ends_the_lines() {
        for end in ["\n", "\r\n", "\r\r\n", "\r"] {
            assert_eq!(
                by_received(&TRANSPORTED.replace("\r\n", end)),
                Some(MAY),
                "{end:?}"
            );
        }
    }

    #[test]
    fn nothing_is_read_past_the_limit() {
        let date = "Date: Thu, 2 May 2024 10:00:00 +0000\r\n";
        let within = format!("X: {}\r\n{date}", "a".repeat(HEADERS_MAX - 100));
        let beyond = format!("X: {}\r\n{date}", "a\r\n ".repeat(2_500_000));
        assert_eq!(by_received(&format!("{within}X: {beyond}")), Some(MAY));
        assert_eq!(by_received(&beyond), None);
    }

    #[test]
    fn a_date_that_the_limit_cuts_is_not_read() {
        let cut = "Date: Thu, 2 May 2024 10:00:00 -0";
        let headers = format!(
            "X: {}\r\n{cut}700\r\n\r\n",
            "a".repeat(HEADERS_MAX - cut.len() - 5)
        );
        assert_eq!(&headers[HEADERS_MAX - 2..HEADERS_MAX], "-0");
        assert_eq!(by_received(&headers), None);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            for name in ["Date:", "Received:", "Received: ;"] {
                let headers = [name.as_bytes(), &octets].concat();
                for preference in [DatePreference::Received, DatePreference::Date, DatePreference::None] {
                    prop_assert!(arrival(&headers, preference).is_none_or(|seconds| seconds >= 0));
                }
            }
        }

        #[test]
        fn nothing_like_a_date_makes_it_panic(date in "[0-9A-Za-z:;+(), \\\\\r\n-]{0,60}") {
            prop_assert!(dated(&date).is_none_or(|seconds| seconds >= 0));
            let received = format!("Received: {date}\r\n");
            prop_assert!(by_received(&received).is_none_or(|seconds| seconds >= 0));
        }

        #[test]
        fn every_second_of_our_time_is_read_back(seconds in 0_i64..4_102_444_800) {
            prop_assert_eq!(dated(&Timestamp::from_second(seconds).unwrap().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()), Some(seconds));
        }
    }
}
