//! Replies and their octets on the wire.

/// A reply of one or of many lines.
pub(super) enum WireReply {
    Line(String),
    /// A status line and the text after it, not dot-stuffed and without the dot line.
    Lines(String, Vec<u8>),
    /// Octets as they are.
    Raw(Vec<u8>),
}

impl WireReply {
    pub(super) fn octets(&self) -> Vec<u8> {
        match self {
            WireReply::Line(line) => format!("{line}\r\n").into_bytes(),
            WireReply::Raw(octets) => octets.clone(),
            WireReply::Lines(line, lines) => {
                let mut octets = format!("{line}\r\n").into_bytes();
                stuff(lines, &mut octets);
                octets.extend_from_slice(b".\r\n");
                octets
            }
        }
    }
}

/// Doubles each dot at the start of a line (RFC 1939 section 3). A line ends with CRLF.
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
