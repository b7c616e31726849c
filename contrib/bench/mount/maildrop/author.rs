//! Who writes the messages: the same ones for the same seed, on every machine.

use std::fmt::{self, Display, Write as _};
use std::str::FromStr;

use fastrand::Rng;
use mail_parser::DateTime;

use super::holds_needle;

/// A word that no message holds by chance.
pub(crate) const NEEDLE: &str = "Wolpertinger";

/// When the first message arrived, in Unix seconds; each next one arrived 17 minutes later.
const FIRST_ARRIVAL: i64 = 1_500_000_000;
const BETWEEN_ARRIVALS: i64 = 17 * 60;

const WORDS: [&str; 48] = [
    "the",
    "a",
    "and",
    "of",
    "to",
    "in",
    "we",
    "you",
    "it",
    "is",
    "that",
    "for",
    "with",
    "on",
    "please",
    "thanks",
    "meeting",
    "invoice",
    "attached",
    "tomorrow",
    "yesterday",
    "review",
    "release",
    "build",
    "server",
    "customer",
    "contract",
    "holiday",
    "train",
    "ticket",
    "number",
    "question",
    "answer",
    "budget",
    "quarter",
    "photos",
    "family",
    "dinner",
    "garden",
    "spring",
    "before",
    "after",
    "because",
    "however",
    "could",
    "should",
    "Zürich",
    "naïve",
];

/// What the messages are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everyday mail: most have 2 to 8 kB, some hundreds of kB, few are MBs; 21 kB on average.
    Realistic,
    /// Notes of 1 to 2 kB.
    Small,
}

/// Where the choices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Realistic => "realistic",
            Self::Small => "small",
        })
    }
}

/// The message at `index`, with LF line ends.
pub(super) fn write(kind: Kind, seed: Seed, index: u32) -> String {
    let mut author = Author {
        random: Rng::with_seed(
            seed.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(index) << 20),
        ),
        text: String::new(),
    };
    let octets = author.length(kind);
    author.text.reserve(octets + octets / 8);
    author.trace(index);
    match kind {
        Kind::Realistic if octets > 50_000 => author.with_attachment(index, octets),
        Kind::Realistic | Kind::Small => author.plain(octets),
    }
    if holds_needle(index) {
        author.line(NEEDLE);
    }
    author.text
}

struct Author {
    random: Rng,
    text: String,
}

impl Author {
    /// Octets of the whole message, about.
    fn length(&mut self, kind: Kind) -> usize {
        match (kind, self.random.u32(..1000)) {
            (Kind::Small, _) => 200,
            (Kind::Realistic, ..800) => self.between(2_000, 8_000),
            (Kind::Realistic, ..945) => self.between(8_000, 50_000),
            (Kind::Realistic, ..997) => self.between(50_000, 500_000),
            (Kind::Realistic, _) => self.between(500_000, 4_000_000),
        }
    }

    /// Each order of magnitude is as likely as the other.
    fn between(&mut self, least: u32, most: u32) -> usize {
        let ratio = f64::from(most) / f64::from(least);
        let length = f64::from(least) * ratio.powf(self.random.f64());
        length as usize
    }

    /// What the servers on the way and the sender's program have written.
    fn trace(&mut self, index: u32) {
        let arrival = FIRST_ARRIVAL + i64::from(index) * BETWEEN_ARRIVALS;
        let number = self.random.u32(..);
        self.field("Return-Path", &format!("<sender{index}@example.org>"));
        for (hop, seconds) in ["mx.example.net", "relay.example.org", "desk.example.org"]
            .iter()
            .zip([0, 2, 5])
        {
            let date = DateTime::from_timestamp(arrival - seconds).to_rfc822();
            self.field(
                "Received",
                &format!(
                    "from {hop} ({hop} [192.0.2.{}])\n\tby mx.example.net (Postfix) with ESMTPS id {number:08X}\n\t\
                     for <alice@example.net>; {date}",
                    index % 250
                ),
            );
        }
        let signature = format!(
            "v=1; a=rsa-sha256; d=example.org; s=2024;\n\th=from:to:subject:date; b={}",
            self.digits(344).join("\n\t")
        );
        self.field("DKIM-Signature", &signature);
        let date = DateTime::from_timestamp(arrival - 9).to_rfc822();
        self.field(
            "From",
            &format!("Sender {index} <sender{index}@example.org>"),
        );
        self.field("To", "Alice <alice@example.net>");
        let subject = self.sentence(40);
        self.field("Subject", subject.trim_end());
        self.field("Date", &date);
        self.field("Message-ID", &format!("<{number:08x}.{index}@example.org>"));
        self.field("MIME-Version", "1.0");
    }

    fn plain(&mut self, octets: usize) {
        self.field("Content-Type", "text/plain; charset=utf-8");
        self.field("Content-Transfer-Encoding", "8bit");
        self.line("");
        let end = self.text.len().max(octets);
        self.prose(end);
    }

    fn with_attachment(&mut self, index: u32, octets: usize) {
        let boundary = format!("=_part_{index}");
        self.field(
            "Content-Type",
            &format!("multipart/mixed; boundary=\"{boundary}\""),
        );
        self.line(&format!(
            "\n--{boundary}\nContent-Type: text/plain; charset=utf-8\n"
        ));
        let end = self.text.len() + 1_500;
        self.prose(end);
        self.line(&format!(
            "--{boundary}\nContent-Type: application/pdf; name=\"file.pdf\"\nContent-Transfer-Encoding: base64\n"
        ));
        let left = octets.saturating_sub(self.text.len());
        for digits in self.digits(left) {
            self.line(&digits);
        }
        self.line(&format!("--{boundary}--"));
    }

    /// Lines up to that length of the message. A line in 40 begins with a dot, which POP3 has to
    /// stuff.
    fn prose(&mut self, end: usize) {
        while self.text.len() < end {
            if self.random.u32(..40) == 0 {
                self.text.push_str(".. ");
            }
            let width = self.random.usize(20..76);
            let sentence = self.sentence(width);
            self.line(sentence.trim_end());
        }
    }

    fn sentence(&mut self, octets: usize) -> String {
        let mut sentence = String::with_capacity(octets + 12);
        while sentence.len() < octets {
            sentence.push_str(WORDS[self.random.usize(..WORDS.len())]);
            sentence.push(' ');
        }
        sentence
    }

    /// Base64 of so many octets, in lines of 76 digits.
    fn digits(&mut self, octets: usize) -> Vec<String> {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..octets / 77)
            .map(|_| {
                let mut line = [0; 76];
                self.random.fill(&mut line);
                line.map(|octet| char::from(ALPHABET[usize::from(octet % 64)]))
                    .into_iter()
                    .collect()
            })
            .collect()
    }

    fn field(&mut self, name: &str, value: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name}: {value}");
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }
}
