//! The messages of the model, generated from serial number and size.

use std::fmt;
use std::sync::Arc;

/// A message of the server. If the message behind a unique-id changes, it gets a new serial number.
#[derive(Clone)]
pub(crate) struct Mail {
    pub(crate) serial: u32,
    pub(crate) uidl: Arc<str>,
    /// The size that LIST gives. Two different contents with one unique-id never have the same
    /// size, because a client could not tell them apart.
    pub(crate) listed: u64,
    pub(crate) content: Arc<[u8]>,
}

/// A message before the server has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    /// Approximate size in octets.
    pub(crate) octets: u32,
    /// How many octets LIST gives more than RETR sends.
    pub(crate) overstated: i8,
    pub(crate) uidl: UidlForm,
}

/// The form of a unique-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UidlForm {
    /// Like that of most servers.
    Plain,
    /// With octets that a file name must not contain.
    Hostile,
}

/// Unix time; message `serial` arrived `serial` seconds later.
pub(crate) const EPOCH: i64 = 1_700_000_000;
const ARRIVED: &[u8] = b"X-Arrived: ";
/// Pieces of bodies that are hard for a decoder.
const PIECES: [&[u8]; 12] = [
    b".",
    b"..",
    b"\r\n",
    b"\r\n.\r\n",
    b"\r\n..\r\n",
    b"\n.\n",
    b"\n.\r\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"+OK 5 octets\r\n",
    b"the quick brown fox jumps over the lazy dog",
];

impl Mail {
    /// Whether a client cannot tell the two apart.
    pub(crate) fn is_twin_of(&self, other: &Mail) -> bool {
        self.uidl == other.uidl && self.listed == other.listed
    }

    /// Whether it is this message, still with the same unique-id.
    pub(crate) fn is_the_same_for_a_client(&self, other: &Mail) -> bool {
        self.serial == other.serial && self.uidl == other.uidl
    }

    /// Whether it has the unique-id and the octets of the other one.
    pub(crate) fn is_copy_of(&self, other: &Mail) -> bool {
        self.uidl == other.uidl && self.content == other.content
    }

    /// The headers with the empty line.
    pub(crate) fn headers(&self) -> &[u8] {
        headers(&self.content)
    }

    /// When it arrived, as Unix time.
    pub(crate) fn arrived(&self) -> i64 {
        arrived(&self.content).expect("the header that every message has")
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (serial, uidl, listed) = (self.serial, &self.uidl, self.listed);
        write!(f, "#{serial} {uidl:?} ({listed}, {})", self.content.len())
    }
}

impl Draft {
    pub(crate) fn uidl(self, serial: u32) -> Arc<str> {
        // New messages sort between the existing ones.
        let place = serial.wrapping_mul(37) % 256;
        match self.uidl {
            UidlForm::Plain => format!("{place:02x}-{serial}").into(),
            UidlForm::Hostile => format!(".{place:02x}/~2%{serial}").into(),
        }
    }

    pub(crate) fn content(self, serial: u32) -> Arc<[u8]> {
        let mut random = fastrand::Rng::with_seed(u64::from(serial));
        let mut content = format!(
            "Subject: {serial}\r\nX-Arrived: {}\r\n\r\n",
            EPOCH + i64::from(serial)
        )
        .into_bytes();
        while content.len() < self.octets as usize {
            content.extend_from_slice(PIECES[random.usize(..PIECES.len())]);
        }
        content.extend_from_slice(b"\r\n");
        content.into()
    }
}

/// The headers of a message with the empty line.
pub(crate) fn headers(content: &[u8]) -> &[u8] {
    let end = content.windows(4).position(|four| four == b"\r\n\r\n");
    &content[..end.map_or(content.len(), |at| at + 4)]
}

/// A message of exactly this length; `None` if that is too short for its headers.
pub(crate) fn of_length(serial: u32, length: usize) -> Option<Arc<[u8]>> {
    let draft = Draft {
        octets: 0,
        overstated: 0,
        uidl: UidlForm::Plain,
    };
    let bare = draft.content(serial);
    let missing = length.checked_sub(bare.len())?;
    let (headers, end) = bare.split_at(bare.len() - 2);
    Some([headers, &vec![b'y'; missing], end].concat().into())
}

/// The date that the mounts of the model read from the headers.
pub(crate) fn arrived(headers: &[u8]) -> Option<i64> {
    let line = headers
        .split(|&octet| octet == b'\n')
        .find(|line| line.starts_with(ARRIVED))?;
    std::str::from_utf8(&line[ARRIVED.len()..])
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The file name of the `ordinal`-th message with a unique-id.
pub(crate) fn name(uidl: &str, ordinal: u32) -> String {
    let escaped: String = uidl
        .bytes()
        .enumerate()
        .map(|(at, octet)| escape(at, octet))
        .collect();
    match ordinal {
        1 => format!("{escaped}.eml"),
        _ => format!("{escaped}~{ordinal}.eml"),
    }
}

fn escape(at: usize, octet: u8) -> String {
    let is_safe = octet.is_ascii_alphanumeric() || octet == b'-' || (octet == b'.' && at > 0);
    match is_safe {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    }
}
