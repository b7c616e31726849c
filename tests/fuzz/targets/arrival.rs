//! The dates of a message: within our calendar, and read from the headers alone.

use std::sync::Arc;

use pop3fs::message::{self, DatePreference};
use pop3fs::store::{Body, BodyReader, Eol};

use super::mails;

/// The first second of the year 10000.
const YEAR_10000: i64 = 253_402_300_800;

pub fn check(octets: &[u8]) {
    let block = message::header_block(octets);
    let [received, date] = [DatePreference::Received, DatePreference::Date]
        .map(|preference| message::arrival(octets, preference));
    assert_eq!(
        received.is_some(),
        date.is_some(),
        "each is the other's substitute"
    );
    for seconds in [received, date].into_iter().flatten() {
        assert!((0..YEAR_10000).contains(&seconds), "{seconds}");
    }
    assert_eq!(message::arrival(octets, DatePreference::None), None);
    assert_eq!(message::arrival(block, DatePreference::Received), received);
    let body = BodyReader::new(Arc::new(Body::new(block.to_vec())), Eol::Lf);
    let mut buffer = Vec::new();
    let lf = body
        .read_at(0, usize::MAX, &mut buffer)
        .expect("what is in memory");
    assert_eq!(lf.len() as u64, body.len());
    assert_eq!(
        message::arrival(lf, DatePreference::Received),
        received,
        "with LF"
    );
}

pub fn seeds() -> Vec<Vec<u8>> {
    const DATES: [&str; 12] = [
        "Wed, 1 May 2024 09:30:00 +0200",
        "1 May 24 09:30 GMT",
        "Fri, 29 Feb 2024 23:59:60 -0330 (NST)",
        "31 Apr 2024 10:00:00 +0000",
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "Thu, 31 Dec 1969 23:59:59 Z",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Sat, 1 Jan 124 00:00:00 EST",
        "Thu May  2 10:00:00 +0000 2024",
        "2024-05-01T09:30:00+02:00",
        "1 May 2024 09:30:00 +9999",
        "1 (a (nested) comment) May (\\)) 2024\r\n 09 : 30 : 00 +0200",
    ];
    let fields = |date: &&str| {
        format!("Received: from a (b; c) by d; {date}\r\nDate: {date}\r\n\r\n").into_bytes()
    };
    DATES.iter().map(fields).chain(mails::octets()).collect()
}
