//! The first octets from a TLS server. native-tls tells neither the version of TLS, nor that the
//! server asked for a client certificate, so both are read from a recording.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use parking_lot::Mutex;

/// A version of TLS that this program accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
    /// The recorded octets do not tell.
    Unknown,
}

/// As OpenSSL writes it.
impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
            Self::Unknown => "TLS",
        })
    }
}

/// The octets that are recorded: more than a handshake of TLS 1.2 takes as a rule.
const MOST_RECORDED: usize = 16 * 1024;
/// The type, version and length in front of a TLS record.
const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE_REQUEST: u8 = 13;
/// The type and length in front of a handshake message.
const MESSAGE_HEADER: usize = 4;
/// The extension that holds the version from TLS 1.3 on (RFC 8446 section 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;

/// A non-blocking socket that records the first octets from the server.
#[derive(Debug)]
pub(super) struct RecordingSocket {
    pub(super) socket: TcpStream,
    recording: Recording,
    /// The last call, which tells what a handshake waits for.
    pub(super) last_call: SocketCall,
}

/// The recording, which outlives a handshake that fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Recording(Arc<Mutex<Vec<u8>>>);

/// A call that TLS made to the socket. An unfinished handshake does not say which one would block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketCall {
    Read,
    Write,
}

impl RecordingSocket {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            recording: Recording::default(),
            last_call: SocketCall::Write,
        }
    }

    /// What is recorded, now and later.
    pub(super) fn recording(&self) -> Recording {
        self.recording.clone()
    }

    /// The version after a successful handshake.
    pub(super) fn version(&self) -> TlsVersion {
        server_hello(&self.recording.0.lock()).unwrap_or(TlsVersion::Unknown)
    }
}

impl Recording {
    fn push(&self, octets: &[u8]) {
        let mut recorded = self.0.lock();
        let room = MOST_RECORDED - recorded.len();
        recorded.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    /// Whether the server asked for a client certificate. TLS 1.3 encrypts that message, but says
    /// later by an alert what it misses.
    pub(super) fn asks_for_certificate(&self) -> bool {
        let messages = handshake_messages(&self.0.lock());
        has_message(&messages, CERTIFICATE_REQUEST)
    }
}

impl Read for RecordingSocket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.last_call = SocketCall::Read;
        let octets = self.socket.read(into)?;
        self.recording.push(&into[..octets]);
        Ok(octets)
    }
}

impl Write for RecordingSocket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.last_call = SocketCall::Write;
        self.socket.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// ```text
/// ServerHello = legacy_version(2) random(32) session_id<0..32> cipher_suite(2) compression(1) extensions<0..2^16-1>
/// ```
/// RFC 8446 section 4.1.3, behind a record's header and `type(1) length(3)` of the handshake.
fn server_hello(recorded: &[u8]) -> Option<TlsVersion> {
    let message = recorded.get(RECORD_HEADER..)?;
    if *recorded.first()? != HANDSHAKE || *message.first()? != SERVER_HELLO {
        return None;
    }
    let session_id = usize::from(*message.get(38)?);
    let extensions = message.get(39 + session_id + 2 + 1 + 2..).unwrap_or(&[]);
    match supported_version(extensions) {
        Some(0x0304) => Some(TlsVersion::V1_3),
        None if message.get(4..6)? == [3, 3] => Some(TlsVersion::V1_2),
        Some(_) | None => None,
    }
}

fn supported_version(mut extensions: &[u8]) -> Option<u16> {
    let number = |octets: &[u8], at| Some(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?));
    while let (Some(kind), Some(length)) = (number(extensions, 0), number(extensions, 2)) {
        if kind == SUPPORTED_VERSIONS {
            return number(extensions, 4);
        }
        extensions = extensions.get(4 + usize::from(length)..)?;
    }
    None
}

/// The handshake messages in the records at the front (RFC 5246 section 6.2.1), without the
/// records.
fn handshake_messages(recorded: &[u8]) -> Vec<u8> {
    let (mut messages, mut rest) = (Vec::new(), recorded);
    while let [HANDSHAKE, _, _, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (fragment, next) = behind.split_at(length);
        messages.extend_from_slice(fragment);
        rest = next;
    }
    messages
}

/// Whether one of the messages has this type (RFC 5246 section 7.4).
fn has_message(mut messages: &[u8], wanted: u8) -> bool {
    while let [kind, high, middle, low, ..] = messages {
        if *kind == wanted {
            return true;
        }
        let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        messages = messages.get(MESSAGE_HEADER + length..).unwrap_or(&[]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ServerHello with a session id of four octets and these extensions.
    fn hello(extensions: &[u8]) -> Vec<u8> {
        let message = [
            &[SERVER_HELLO, 0, 0, 0, 3, 3][..],
            &[7; 32],
            &[4, 1, 2, 3, 4],
            &[0x13, 0x01, 0],
            &u16::try_from(extensions.len()).unwrap().to_be_bytes(),
            extensions,
        ];
        [&[HANDSHAKE, 3, 3, 0, 0][..], &message.concat()].concat()
    }

    #[test]
    fn the_version_is_in_the_extension_or_else_in_the_old_field() {
        let key_share = [0, 51, 0, 2, 9, 9];
        let versions = [0, 43, 0, 2, 3, 4];
        let with = hello(&[key_share, versions].concat());
        assert_eq!(server_hello(&with), Some(TlsVersion::V1_3));
        assert_eq!(server_hello(&hello(&key_share)), Some(TlsVersion::V1_2));
    }

    #[test]
    fn a_request_for_a_certificate_is_found_across_records() {
        let hello = [SERVER_HELLO, 0, 0, 2, 9, 9];
        let request = [CERTIFICATE_REQUEST, 0, 0, 1, 7];
        let records = |messages: &[u8], at: usize| {
            let (one, other) = messages.split_at(at);
            let mut wire = Vec::new();
            for fragment in [one, other] {
                wire.extend([HANDSHAKE, 3, 3, 0, fragment.len() as u8]);
                wire.extend(fragment);
            }
            wire.extend(b"\x15\x03\x03\0\x02\x02\x28");
            wire
        };
        let both = [&hello[..], &request].concat();
        for at in 0..both.len() {
            let recording = Recording::default();
            recording.push(&records(&both, at));
            assert!(recording.asks_for_certificate(), "{at}");
        }
        for at in 0..hello.len() {
            let recording = Recording::default();
            recording.push(&records(&hello, at));
            assert!(!recording.asks_for_certificate(), "{at}");
        }
    }

    #[test]
    fn a_truncated_or_foreign_answer_has_no_version() {
        let whole = hello(&[0, 43, 0, 2, 3, 4]);
        for end in 0..whole.len() {
            assert_ne!(server_hello(&whole[..end]), Some(TlsVersion::V1_3), "{end}");
        }
        assert_eq!(server_hello(b"+OK ready\r\n"), None);
    }
}
