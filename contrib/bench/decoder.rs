//! How many octets of bodies a second the decoder takes, by what the bodies look like and how the
//! socket cuts them.
//!
//! `cargo bench --bench decoder`

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pop3fs::pop3::{Decoder, Event, Shape};

/// Of each input; more than any cache below memory holds.
const INPUT: usize = 64 << 20;

/// As much as is read from a socket at once.
const READ: usize = 256 << 10;

const KINDS: [Kind; 4] = [
    Kind::Attachment,
    Kind::Text,
    Kind::EveryLineStuffed,
    Kind::SmallMessages,
];

fn main() {
    divan::main();
}

/// What the bodies hold.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One message in base64: lines of 76, no dot.
    Attachment,
    /// One message of lines of prose, of which one in 20 begins with a dot.
    Text,
    /// One message, the worst: short lines that all begin with a dot.
    EveryLineStuffed,
    /// Replies to a pipeline of RETR, 4 kB each.
    SmallMessages,
}

/// Replies as they come from a server.
struct Input {
    octets: Vec<u8>,
    replies: usize,
}

impl Kind {
    fn input(self) -> Input {
        match self {
            Self::Attachment => replies(1, INPUT, &|_| line(b'A', 76)),
            Self::Text => replies(1, INPUT, &|number| match number % 20 {
                0 => [b"..".as_slice(), &line(b'a', 40)].concat(),
                _ => line(b'a', 30 + number % 45),
            }),
            Self::EveryLineStuffed => replies(1, INPUT, &|_| b"..a\r\n".to_vec()),
            Self::SmallMessages => replies(INPUT / 4096, 4096, &|number| line(b'a', number % 76)),
        }
    }
}

fn replies(count: usize, octets_each: usize, line: &dyn Fn(usize) -> Vec<u8>) -> Input {
    let mut octets = Vec::with_capacity(count * octets_each + octets_each);
    for _ in 0..count {
        octets.extend_from_slice(b"+OK\r\n");
        let end = octets.len() + octets_each;
        for number in 0.. {
            if octets.len() >= end {
                break;
            }
            octets.extend_from_slice(&line(number));
        }
        octets.extend_from_slice(b".\r\n");
    }
    Input {
        octets,
        replies: count,
    }
}

fn line(octet: u8, length: usize) -> Vec<u8> {
    let mut line = vec![octet; length];
    line.extend_from_slice(b"\r\n");
    line
}

#[divan::bench(args = KINDS, sample_count = 20)]
fn in_reads_of_256_kib(bencher: Bencher<'_, '_>, kind: Kind) {
    decode(bencher, &kind.input(), READ);
}

/// A packet of Ethernet at a time, as from a slow link.
#[divan::bench(args = KINDS, sample_count = 20)]
fn in_packets(bencher: Bencher<'_, '_>, kind: Kind) {
    decode(bencher, &kind.input(), 1460);
}

fn decode(bencher: Bencher<'_, '_>, input: &Input, read: usize) {
    bencher
        .counter(BytesCount::new(input.octets.len()))
        .bench(|| body_octets(black_box(input), read));
}

/// How many octets the bodies have. Panics where the decoder takes the input for broken: then
/// nothing was measured.
fn body_octets(input: &Input, read: usize) -> usize {
    let mut decoder = Decoder::new();
    (0..input.replies).for_each(|_| decoder.expect(Shape::Body));
    let mut octets = 0;
    for mut chunk in input.octets.chunks(read) {
        while let Some(event) = decoder.next(&mut chunk).expect("replies without a fault") {
            if let Event::Body(piece) = event {
                octets += black_box(piece).len();
            }
        }
    }
    assert_eq!(decoder.owed(), 0, "every reply has its end");
    octets
}
