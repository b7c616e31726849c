//! Messages generated for the tests as a POP3 server has them: CRLF line ends, not dot-stuffed.

/// A message whose dates a test can compare with a file's mtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realistic {
    /// The whole message.
    pub octets: Vec<u8>,
    /// The decoded subject; unique within a seed.
    pub subject: String,
    /// The date of the topmost Received header as Unix time.
    pub received: i64,
    /// The date of the Date header as Unix time; earlier than `received`.
    pub dated: i64,
}

/// `count` ordinary messages of 0.5 to 40 kB, always the same for a seed, each an hour younger than
/// the last.
pub fn realistic(seed: u64, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| realistic_message(seed, index).octets)
        .collect()
}

/// The message at `index` of [`realistic`] with its subject and dates.
pub fn realistic_message(seed: u64, index: usize) -> Realistic {
    let mut random = Random::new(seed, index);
    let sender = random.pick(&["Alice Smith", "Bob Jones", "Carol Nguyen", "Dan O'Neill"]);
    let topic = random.pick(&[
        "invoice",
        "lunch",
        "build failed",
        "holiday photos",
        "minutes",
    ]);
    let subject = format!("Re: {topic} {seed}-{index}");
    let received = 1_704_067_200 + i64::try_from(index).unwrap_or(0) * 3600;
    let dated = received - 90;
    let mut text = format!(
        "Return-Path: <sender{index}@example.org>\r\n\
         Received: from relay.example.org (relay.example.org [192.0.2.7])\r\n\
         \tby mx.example.net with ESMTPS id {seed:x}{index:06x}\r\n\
         \tfor <user@example.net>; {}\r\n\
         Received: from desk.example.org by relay.example.org; {}\r\n\
         From: {sender} <sender{index}@example.org>\r\n\
         To: user@example.net\r\n\
         Subject: {subject}\r\n\
         Date: {}\r\n\
         Message-ID: <{seed:x}.{index}@example.org>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n",
        rfc5322_date(received),
        rfc5322_date(received - 30),
        rfc5322_date(dated),
    );
    let lines = if random.below(10) == 0 {
        600
    } else {
        1 + random.below(60)
    };
    for _ in 0..lines {
        text.push_str(&random.sentence());
        text.push_str("\r\n");
    }
    Realistic {
        octets: text.into_bytes(),
        subject,
        received,
        dated,
    }
}

/// Kinds of message that broke some client, by name. A server that stores files may change some of
/// them; the liar does not.
pub fn awkward() -> Vec<(&'static str, Vec<u8>)> {
    let mut shapes = storable();
    shapes.extend([
        ("bare LF", with_body(b"unix\nline ends\n\nhere\r\n")),
        (
            "LF and CR in the wrong order",
            with_body(b"a\n\rb\r\r\nc\r\n"),
        ),
        ("LF dot LF", with_body(b"before\n.\nafter\r\n")),
        ("nothing at all", Vec::new()),
    ]);
    shapes
}

/// The kinds that survive being stored with LF and sent with CRLF, except for a final line end that
/// the server may add.
pub fn storable() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a dot alone", with_body(b"before\r\n.\r\nafter\r\n")),
        ("leading dots", with_body(b".foo\r\n..\r\n...bar\r\n .\r\n")),
        ("ends in a dot line", with_body(b"text\r\n.\r\n")),
        ("NUL", with_body(b"a\0b\0\0c\r\n")),
        ("bare CR", with_body(b"a\rb\rc\r\n")),
        ("a line of 70 kB", with_body(&long_line(70_000))),
        ("no final line end", with_body(b"cut short")),
        ("8-bit headers", b"From: J\xf6rg <j@example.org>\r\nSubject: \xe4\xf6\xfc \xc3\xa4\r\n\r\nGr\xfc\xdfe\r\n".to_vec()),
        ("empty body", b"Subject: empty\r\n\r\n".to_vec()),
        ("headers only", b"Subject: headers only\r\n".to_vec()),
        ("no header", b"\r\nno header at all\r\n".to_vec()),
        ("looks like an mbox", with_body(b"x\r\n\r\nFrom a@b Thu Jan  1 00:00:00 2024\r\n>From c\r\n")),
        ("a twin", with_body(b"we are two\r\n")),
        ("its twin", with_body(b"we are two\r\n")),
    ]
}

/// The messages without their names.
pub fn octets(named: &[(&str, Vec<u8>)]) -> Vec<Vec<u8>> {
    named.iter().map(|(_, octets)| octets.clone()).collect()
}

/// A message of a little over `octets` octets, in lines of 76.
pub fn large(octets: usize) -> Vec<u8> {
    let mut random = Random::new(octets as u64, 0);
    let mut body = Vec::with_capacity(octets + 100);
    while body.len() < octets {
        body.extend((0..76).map(|_| b'A' + random.below(26) as u8));
        body.extend_from_slice(b"\r\n");
    }
    with_body(&body)
}

/// A message with three headers and this body.
pub fn with_body(body: &[u8]) -> Vec<u8> {
    let mut message =
        b"From: a@example.org\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: test\r\n\r\n"
            .to_vec();
    message.extend_from_slice(body);
    message
}

/// Replaces each CRLF by LF, as a Unix server stores messages.
pub fn with_lf(message: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(message.len());
    for &octet in message {
        if octet == b'\n' && stored.last() == Some(&b'\r') {
            stored.pop();
        }
        stored.push(octet);
    }
    stored
}

/// Replaces each LF by CRLF; the inverse of [`with_lf`] for messages without bare LF.
pub fn with_crlf(stored: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(stored.len() + stored.len() / 32);
    for &octet in stored {
        if octet == b'\n' {
            message.push(b'\r');
        }
        message.push(octet);
    }
    message
}

fn long_line(octets: usize) -> Vec<u8> {
    let mut line = vec![b'x'; octets];
    line.extend_from_slice(b"\r\n");
    line
}

/// `1 Jan 2024 00:00:00 +0000`: the name of the day is optional (RFC 5322 section 3.3).
fn rfc5322_date(unix: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, month, day) = civil_date(unix.div_euclid(86_400));
    let second = unix.rem_euclid(86_400);
    format!(
        "{day} {} {year} {:02}:{:02}:{:02} +0000",
        MONTHS[month],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month (from 0) and day (from 1) of a day counted from 1970-01-01.
fn civil_date(days: i64) -> (i64, usize, i64) {
    let (mut year, mut left) = (1970, days);
    while left >= 365 + leap_day(year) {
        left -= 365 + leap_day(year);
        year += 1;
    }
    let lengths = [
        31,
        28 + leap_day(year),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    (year, month, left + 1)
}

fn leap_day(year: i64) -> i64 {
    i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
}

/// A xorshift generator, so that the messages are the same on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64, index: usize) -> Self {
        let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (index as u64 + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut random = Self(mixed | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn sentence(&mut self) -> String {
        const WORDS: [&str; 16] = [
            "the",
            "invoice",
            "arrived",
            "yesterday",
            "please",
            "find",
            "attached",
            "our",
            "plan",
            "for",
            "spring",
            "naïve",
            "and",
            "thanks",
            "meeting",
            "Zürich",
        ];
        let words: Vec<&str> = (0..4 + self.below(8)).map(|_| self.pick(&WORDS)).collect();
        words.join(" ")
    }
}
