//! Damages inputs at random. The seed decides how, so every run does the same.

use fastrand::Rng;

/// Pieces that are hard for parsers.
const PIECES: [&[u8]; 52] = [
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
    b".",
    b"\r\n.\r\n",
    b"\r\n..",
    b"\n.\n",
    b"+OK\r\n",
    b"-ERR\r\n",
    b"+ \r\n",
    b"4294967296",
    b"18446744073709551615",
    b"%",
    b"%0a",
    b"~2",
    b"~=",
    b"@",
    b"//",
    b"[::1]",
    b",",
    b"\\",
    b"999999999999y",
    b"+1460",
    b"begin 644 a.txt\r\n#:&5L\r\n",
    b"=ybegin line=128 size=5 name=a\r\n",
    b"\x1b$)C\x0e",
    b"~{",
    b"charset=iso-2022-kr",
    b"=?utf-7?b?KwBB?= =?utf-7?q?+AOQ?=",
    b"\r\n \r\n",
    b"2-May-2024 1:00 PM GMT+0200",
];

/// The input with one to eight damages: a piece inserted, octets removed or repeated, or a bit
/// flipped.
pub(crate) fn damaged(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut damaged = input.to_vec();
    for _ in 0..rng.usize(1..=8) {
        damage(&mut damaged, rng);
    }
    damaged
}

fn damage(input: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.usize(0..=input.len());
    let end = (at + rng.usize(0..40)).min(input.len());
    match rng.u8(0..4) {
        0 => {
            let piece = rng.choice(PIECES).unwrap_or_default();
            input.splice(at..at, piece.iter().copied());
        }
        1 => drop(input.drain(at..end)),
        2 => input.extend_from_within(at..end),
        _ if at < input.len() => input[at] ^= 1 << rng.u8(0..8),
        _ => (),
    }
}
