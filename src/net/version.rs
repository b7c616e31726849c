//! Which version of TLS a connection speaks. native-tls does not tell, so the server's first words are overheard.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A version of TLS that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
    /// What was overheard tells of neither.
    Unknown,
}

/// As OpenSSL names it.
impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsVersion::V1_2 => "TLSv1.2",
            TlsVersion::V1_3 => "TLSv1.3",
            TlsVersion::Unknown => "TLS",
        })
    }
}

/// The octets of a ServerHello that are kept; its extensions need about a hundred.
const MOST_OVERHEARD: usize = 512;
/// In front of a record: its type, version and length.
const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// The extension that names the version, where that is 1.3 or newer (RFC 8446 section 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;

/// A non-blocking socket whose first octets from the server are kept.
#[derive(Debug)]
pub(super) struct Overheard {
    pub(super) socket: TcpStream,
    heard: Vec<u8>,
    /// What the socket was asked for last.
    pub(super) asked: Asked,
}

/// What TLS needs of the socket to go on: a handshake that is not finished does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Octets,
    Room,
}

impl Overheard {
    pub(super) fn new(socket: TcpStream) -> Overheard {
        Overheard {
            socket,
            heard: Vec::new(),
            asked: Asked::Room,
        }
    }

    /// Of a handshake that has succeeded.
    pub(super) fn version(&self) -> TlsVersion {
        server_hello(&self.heard).unwrap_or(TlsVersion::Unknown)
    }
}

impl Read for Overheard {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.asked = Asked::Octets;
        let octets = self.socket.read(into)?;
        let room = MOST_OVERHEARD - self.heard.len();
        self.heard.extend_from_slice(&into[..octets.min(room)]);
        Ok(octets)
    }
}

impl Write for Overheard {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.asked = Asked::Room;
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
fn server_hello(heard: &[u8]) -> Option<TlsVersion> {
    let message = heard.get(RECORD_HEADER..)?;
    if *heard.first()? != HANDSHAKE || *message.first()? != SERVER_HELLO {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// With a session id of four octets and these extensions.
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
    fn the_extension_names_the_version_and_without_it_the_old_field_does() {
        let key_share = [0, 51, 0, 2, 9, 9];
        let versions = [0, 43, 0, 2, 3, 4];
        let with = hello(&[key_share, versions].concat());
        assert_eq!(server_hello(&with), Some(TlsVersion::V1_3));
        assert_eq!(server_hello(&hello(&key_share)), Some(TlsVersion::V1_2));
    }

    #[test]
    fn whatever_is_cut_short_or_something_else_is_no_version_and_no_panic() {
        let whole = hello(&[0, 43, 0, 2, 3, 4]);
        for end in 0..whole.len() {
            assert_ne!(server_hello(&whole[..end]), Some(TlsVersion::V1_3), "{end}");
        }
        assert_eq!(server_hello(b"+OK ready\r\n"), None);
    }
}
