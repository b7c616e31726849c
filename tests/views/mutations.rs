//! A smoke test without a fuzzer: the corpus, damaged in ways that a seed decides, so that every run does the same.
//! The entry point for a fuzzer is the same: [`super::hostile::survive`].

use fastrand::Rng;

use super::corpus::corpus;
use super::hostile::survive;

/// Damaged messages; all of them take a few seconds without optimisation.
const CASES: u64 = 3_000;

/// Pieces that parsers stumble over.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"--",
    b"=?utf-8?q?=",
    b"?=",
    b"=",
    b"\"",
    b";",
    b":",
    b"(",
    b"<",
    b"&#",
    b"+",
    b"\x1b$B",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"; filename*0*=utf-7''+",
    b"format=flowed",
    b"\r\n\r\n",
    b"charset=iso-2022-jp",
];

/// One to eight times: a piece put in, octets taken out or doubled, one bit changed.
fn damage(message: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..=8) {
        let at = rng.usize(0..=message.len());
        let end = (at + rng.usize(0..40)).min(message.len());
        match rng.u8(0..4) {
            0 => drop(message.splice(
                at..at,
                rng.choice(PIECES).unwrap_or_default().iter().copied(),
            )),
            1 => drop(message.drain(at..end)),
            2 => message.extend_from_within(at..end),
            _ if at < message.len() => message[at] ^= 1 << rng.u8(0..8),
            _ => (),
        }
    }
}

#[test]
fn no_damage_makes_any_function_panic() {
    let corpus = corpus();
    for seed in 0..CASES {
        let mut rng = Rng::with_seed(seed);
        let mut message = rng.choice(&corpus).expect("a message").octets.clone();
        damage(&mut message, &mut rng);
        survive(&message);
    }
}

#[test]
fn a_message_cut_anywhere_is_read() {
    for made in corpus() {
        for end in (0..made.octets.len()).step_by(7) {
            survive(&made.octets[..end]);
        }
    }
}
