//! Replies as they go over the wire.

/// What a reply is.
pub(super) enum Reply {
    Line(String),
    /// A line, and what follows, without its dots.
    Lines(String, Vec<u8>),
}

impl Reply {
    pub(super) fn octets(&self) -> Vec<u8> {
        match self {
            Reply::Line(line) => format!("{line}\r\n").into_bytes(),
            Reply::Lines(line, lines) => {
                let mut octets = format!("{line}\r\n").into_bytes();
                stuff(lines, &mut octets);
                octets.extend_from_slice(b".\r\n");
                octets
            }
        }
    }
}

/// RFC 1939 section 3: a dot that begins a line is doubled. A line ends with CRLF.
fn stuff(lines: &[u8], into: &mut Vec<u8>) {
    let mut is_start = true;
    for (at, &octet) in lines.iter().enumerate() {
        if is_start && octet == b'.' {
            into.push(b'.');
        }
        into.push(octet);
        is_start = octet == b'\n' && at > 0 && lines[at - 1] == b'\r';
    }
}
