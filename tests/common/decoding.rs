//! Records the events of the decoder for a server's octets, however they are split.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary that includes this uses only a part of it"
)]

use pop3fs::pop3::{Decoder, Event, ProtocolError, ServerText, Shape};

/// An event of the decoder; all pieces of a body are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Done(Vec<u8>),
    Opened(Vec<u8>),
    Challenge(Vec<u8>),
    Line(Vec<u8>),
    Body(Vec<u8>),
    End,
    Error(ProtocolError),
}

impl Seen {
    /// The line of a transcript that expects this event.
    pub fn described(&self) -> String {
        let escaped = |octets: &[u8]| ServerText::from(octets);
        let description = match self {
            Self::Done(text) => format!("done {}", escaped(text)),
            Self::Opened(text) => format!("opened {}", escaped(text)),
            Self::Challenge(text) => format!("challenge {}", escaped(text)),
            Self::Line(line) => format!("line {}", escaped(line)),
            Self::Body(octets) => format!("body {}", escaped(octets)),
            Self::End => "end".to_owned(),
            Self::Error(error) => format!("error {error}"),
        };
        description.trim_end().to_owned()
    }
}

#[derive(Default)]
pub struct Session {
    pub decoder: Decoder,
    pub seen: Vec<Seen>,
    pub failed: bool,
}

impl Session {
    pub fn expecting(shapes: &[Shape]) -> Self {
        let mut session = Self::default();
        shapes
            .iter()
            .for_each(|&shape| session.decoder.expect(shape));
        session
    }

    pub fn feed(&mut self, mut input: &[u8]) {
        while !self.failed {
            match self.decoder.next(&mut input) {
                Ok(Some(event)) => record(&mut self.seen, event),
                Ok(None) => {
                    assert!(
                        input.is_empty(),
                        "octets were left although more are wanted"
                    );
                    return;
                }
                Err(error) => {
                    self.seen.push(Seen::Error(error));
                    self.failed = true;
                }
            }
        }
    }

    pub fn feed_in_chunks(&mut self, input: &[u8], lengths: &[usize]) {
        let mut rest = input;
        for &length in lengths.iter().cycle() {
            if rest.is_empty() {
                return;
            }
            let (chunk, behind) = rest.split_at(length.min(rest.len()));
            self.feed(chunk);
            rest = behind;
        }
    }
}

fn record(seen: &mut Vec<Seen>, event: Event<'_>) {
    let status_line = |status: pop3fs::pop3::Status<'_>| {
        let indicator: &[u8] = if status.is_ok() { b"+OK " } else { b"-ERR " };
        [indicator, status.text].concat().trim_ascii_end().to_vec()
    };
    match event {
        Event::Done(status) => seen.push(Seen::Done(status_line(status))),
        Event::Opened(status) => seen.push(Seen::Opened(status_line(status))),
        Event::Challenge(text) => seen.push(Seen::Challenge(text.to_vec())),
        Event::Line(line) => seen.push(Seen::Line(line.to_vec())),
        Event::Body(octets) => {
            assert!(!octets.is_empty(), "an empty piece of a body");
            match seen.last_mut() {
                Some(Seen::Body(body)) => body.extend_from_slice(octets),
                _ => seen.push(Seen::Body(octets.to_vec())),
            }
        }
        Event::End => seen.push(Seen::End),
    }
}

/// A direct implementation of RFC 1939 section 3: doubles the dot at the start of each line, then
/// adds the dot line.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for (index, &octet) in message.iter().enumerate() {
        let starts_a_line = index == 0 || message[..index].ends_with(b"\r\n");
        if starts_a_line && octet == b'.' {
            wire.push(b'.');
        }
        wire.push(octet);
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
