//! The replies of a server: the same events in whatever chunks they come.
//!
//! ```text
//! input    = lengths shapes wire
//! lengths  = OCTET            ; of the chunks: how far they are from 1
//! shapes   = 2OCTET           ; of the replies that are owed: eight times two bits
//! ```

use pop3fs::pop3::{Capabilities, Shape, Status, UniqueId, reply};

use super::decoding::{Seen, Session, stuffed};

const SHAPES: [Shape; 4] = [Shape::Status, Shape::Lines, Shape::Body, Shape::Sasl];

pub fn check(octets: &[u8]) {
    let [lengths, low, high, wire @ ..] = octets else {
        return;
    };
    let shapes = shapes(u16::from_le_bytes([*low, *high]));
    let lengths = chunk_lengths(*lengths);
    is_decoded_alike(&shapes, wire, &lengths);
    is_decoded_to_itself(wire, &lengths);
    is_decoded_by_the_letter(wire, &lengths);
}

fn shapes(bits: u16) -> Vec<Shape> {
    (0..8)
        .map(|place| SHAPES[usize::from(bits >> (2 * place) & 3)])
        .collect()
}

/// Odd and even ones, so that every place of the input is an end sooner or later.
fn chunk_lengths(octet: u8) -> [usize; 3] {
    let octet = usize::from(octet);
    [1 + octet % 7, 1 + octet % 16, 1 + octet]
}

fn is_decoded_alike(shapes: &[Shape], wire: &[u8], lengths: &[usize]) {
    let mut whole = Session::expecting(shapes);
    whole.feed(wire);
    for lengths in [lengths, &[1]] {
        let mut cut = Session::expecting(shapes);
        cut.feed_in_chunks(wire, lengths);
        assert_eq!(whole.seen, cut.seen, "in chunks of {lengths:?}");
        assert_eq!(whole.decoder.owed(), cut.decoder.owed());
    }
    let octets: usize = whole.seen.iter().map(read).sum();
    assert!(octets <= wire.len(), "{octets} came out of {}", wire.len());
}

/// Looks into what was seen, as the layers above do; returns how many octets of the wire it is.
fn read(seen: &Seen) -> usize {
    match seen {
        Seen::Line(line) => {
            read_line(line);
            line.len()
        }
        Seen::Done(line) | Seen::Opened(line) => {
            read_status(line);
            // The space and what the indicator is spelt like are the recorder's.
            line.len().saturating_sub(2)
        }
        Seen::Challenge(octets) | Seen::Body(octets) => octets.len(),
        Seen::End => 0,
        Seen::Error(error) => {
            assert!(!error.to_string().contains(char::is_control), "{error}");
            0
        }
    }
}

fn read_status(line: &[u8]) {
    let status = Status::parse(line).expect("what was a status line is one again");
    assert!(is_printable(status.server_text().as_str()));
    let _may_be_none = reply::stat(status.text);
    if let Some(timestamp) = reply::greeting_timestamp(status.text) {
        assert!(timestamp.starts_with(b"<") && timestamp.ends_with(b">"));
        assert!(timestamp.is_ascii());
    }
}

fn read_line(line: &[u8]) {
    if let Ok((message, octets)) = reply::list_line(line) {
        let octets_written = octets.map_or("?".to_owned(), |octets| octets.to_string());
        let written = format!("{message} {octets_written}");
        assert_eq!(reply::list_line(written.as_bytes()), Ok((message, octets)));
    }
    if let Ok((message, unique_id)) = reply::uidl_line(line) {
        assert!(unique_id.as_bytes().len() < line.len());
        let written = [message.to_string().as_bytes(), b" ", unique_id.as_bytes()].concat();
        assert_eq!(
            reply::uidl_line(&written),
            Ok((message, UniqueId::from_wire(unique_id.as_bytes())))
        );
    }
    let mut capabilities = Capabilities::new();
    capabilities.add(line);
    assert!(is_printable(&capabilities.to_string()));
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}

/// The octets as a message whose first and last line end with CRLF.
fn is_decoded_to_itself(octets: &[u8], lengths: &[usize]) {
    let message = [b"Received: x\r\n", octets, b"\r\n"].concat();
    let wire = [b"+OK\r\n", &stuffed(&message)[..]].concat();
    let mut session = Session::expecting(&[Shape::Body]);
    session.feed_in_chunks(&wire, lengths);
    let expected = [
        Seen::Opened(b"+OK ".trim_ascii().to_vec()),
        Seen::Body(message),
        Seen::End,
    ];
    assert_eq!(session.seen, expected);
}

/// The octets as a body, unstuffed or not, with our reading of RFC 1939 done line by line.
fn is_decoded_by_the_letter(wire: &[u8], lengths: &[usize]) {
    let mut session = Session::expecting(&[Shape::Body]);
    session.feed(b"+OK\r\n");
    session.feed_in_chunks(wire, lengths);
    let mut seen = session.seen.into_iter().skip(1).peekable();
    let (body, end) = body(wire);
    let decoded = seen.next_if(|seen| matches!(seen, Seen::Body(_)));
    assert_eq!(decoded.unwrap_or(Seen::Body(Vec::new())), Seen::Body(body));
    assert_eq!(seen.next() == Some(Seen::End), end);
}

/// What a body says up to its dot line, and whether that is there. Its status line ended with CRLF, so all lines do; only the
/// dot line may end with LF.
fn body(wire: &[u8]) -> (Vec<u8>, bool) {
    let end = b"\r\n";
    let (mut body, mut rest) = (Vec::new(), wire);
    while !rest.is_empty() {
        if rest.starts_with(b".\r\n") || rest.starts_with(b".\n") {
            return (body, true);
        }
        if matches!(rest, b"." | b".\r") {
            break;
        }
        let line = rest.strip_prefix(b".").unwrap_or(rest);
        let length = memchr::memmem::find(line, end).map_or(line.len(), |at| at + end.len());
        body.extend_from_slice(&line[..length]);
        rest = &line[length..];
    }
    (body, false)
}

pub fn seeds() -> Vec<Vec<u8>> {
    const ALL_STATUS: u16 = 0;
    const LISTING: u16 = 0b0100;
    const RETRIEVAL: u16 = 0b1000;
    const LOGIN: u16 = 0b1100;
    [
        (ALL_STATUS, &b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n+OK 2 320\r\n-ERR [IN-USE] locked\r\n"[..]),
        (LISTING, b"+OK\r\n+OK 2 messages (320 octets)\r\n1 120\r\n2 18446744073709551615\r\n.\r\n"),
        (LISTING, b"+OK\r\n+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n4294967295 ..a b\r\n..\r\n.\r\n"),
        (LISTING, b"+OK\r\n+OK\r\nTOP\r\nSASL PLAIN SCRAM-SHA-256\r\nEXPIRE 60 USER\r\nLOGIN-DELAY 900\r\nUTF8 USER\r\n.\r\n"),
        (RETRIEVAL, b"+OK\r\n+OK 4294967295 octets\r\nReceived: x\r\n\r\n..dot\r\n.\rb\r\na\n.\r\n..\r\n.\r\n-ERR [SYS/TEMP] no\r\n"),
        (RETRIEVAL, b"+OK\n+OK\nReceived: x\n\n..dot\na\n..\n.\n+OK\n"),
        (LOGIN, b"+OK\r\n+ \r\n+ cj1yT3ByTkdm\r\n+OK logged in\r\n"),
        (RETRIEVAL, b"+OK\r\n-ERR no such message\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n-ERR Disconnected for inactivity.\r\n"),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, (shapes, wire))| [&[at as u8 * 3], &shapes.to_le_bytes()[..], wire].concat())
    .collect()
}
