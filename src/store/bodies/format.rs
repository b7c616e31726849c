//! How bodies lie in the files of the cache, and what the files are called.
//!
//! ```text
//! segment = *record                    ; "NUMBER-PID.segment", bodies one behind the other
//! large   = record                     ; "KEY.large", one body
//! record  = magic key checksum length octets
//! magic   = "pop3fs" LF version        ; 8 octets
//! key     = 16 octets                  ; of the unique-id and the ordinal
//!         / "TOP" LF 12octets          ; the same of the headers alone, as TOP shows them
//! checksum, length                     ; 4 and 8 octets, big endian
//! ```
//! The checksum is the CRC-32 of the octets, combined by exclusive or with the CRC-32 of key and
//! length. Without the second, a body of no octets would have the checksum 0, and a header that a
//! disk filled with zeros would look like one.
//!
//! A record whose length is all ones says that the message has no body in the cache any more.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The octets of a record in front of the body.
pub(super) const HEADER: usize = 36;
/// The prefix of the name of a file that is not complete.
pub(super) const TEMPORARY: &str = "incoming-";
const SEGMENT: &str = "segment";
const LARGE: &str = "large";
/// The last octet is the version of the format.
const MAGIC: &[u8; 8] = b"pop3fs\n\x02";
const FORGOTTEN: u64 = u64::MAX;
/// The first octets of the key of headers.
const HEADERS_MARK: &[u8; 4] = b"TOP\n";

/// The name of a body in the cache of its account. It does not depend on the inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyKey([u8; 16]);

impl BodyKey {
    /// The key of a message: `ordinal` is its position among those with the same unique-id.
    pub fn new(uidl: &[u8], ordinal: u32) -> Self {
        let digest = Sha256::new()
            .chain_update(ordinal.to_be_bytes())
            .chain_update(uidl)
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }

    /// The key of the headers of a message, as TOP shows them: they are kept apart from its body.
    pub fn of_headers(uidl: &[u8], ordinal: u32) -> Self {
        let Self(mut key) = Self::new(uidl, ordinal);
        key[..HEADERS_MARK.len()].copy_from_slice(HEADERS_MARK);
        Self(key)
    }

    /// Whether this is the key of headers. One in four billion bodies has such a key, too.
    pub(super) fn is_of_headers(&self) -> bool {
        self.0.starts_with(HEADERS_MARK)
    }

    /// The first octets, which are as good as random.
    pub fn prefix(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The octets of the key, to be stored elsewhere.
    pub(in crate::store) fn octets(&self) -> [u8; 16] {
        self.0
    }

    /// A key whose octets were stored.
    pub(in crate::store) fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Combined with the checksum of a body, this ties it to its key and length.
    fn mask(&self, length: u64) -> u32 {
        let mut mask = crc32fast::Hasher::new();
        mask.update(&self.0);
        mask.update(&length.to_be_bytes());
        mask.finalize()
    }

    /// The name of the file of a large body.
    pub(super) fn large_name(&self) -> String {
        format!("{}.{LARGE}", hex::encode(self.0))
    }

    /// The key in the name of a large body's file.
    pub(super) fn from_large_name(name: &OsStr) -> Option<Self> {
        let digits = name.to_str()?.strip_suffix(LARGE)?.strip_suffix('.')?;
        let mut key = [0; 16];
        hex::decode_to_slice(digits, &mut key).ok()?;
        Some(Self(key))
    }
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) key: BodyKey,
    pub(super) content: RecordContent,
}

/// What a record says of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordContent {
    /// Its body follows; the checksum is the CRC-32 of the body alone.
    Body { length: u64, checksum: u32 },
    /// Earlier records no longer hold.
    Forgotten,
}

/// The name of a segment that the process begins. Names sort by `number`, so that a later record of
/// a message is found after an earlier one.
pub(super) fn segment_name(number: u128, process: u32) -> String {
    format!("{number:024}-{process}.{SEGMENT}")
}

/// Whether this is the name of a segment.
pub(super) fn is_segment(name: &OsStr) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|kind| kind == SEGMENT)
}

/// The number in the name of a segment.
pub(super) fn segment_number(name: &OsStr) -> Option<u128> {
    let (number, _) = name.to_str()?.split_once('-')?;
    number.parse().ok()
}

impl Header {
    pub(super) fn octets(self) -> [u8; HEADER] {
        let (length, checksum) = match self.content {
            RecordContent::Body { length, checksum } => (length, checksum ^ self.key.mask(length)),
            RecordContent::Forgotten => (FORGOTTEN, 0),
        };
        let mut octets = [0; HEADER];
        octets[..8].copy_from_slice(MAGIC);
        octets[8..24].copy_from_slice(&self.key.0);
        octets[24..28].copy_from_slice(&checksum.to_be_bytes());
        octets[28..].copy_from_slice(&length.to_be_bytes());
        octets
    }

    /// None if the octets are no header of this version.
    pub(super) fn parse(octets: &[u8; HEADER]) -> Option<Self> {
        let (magic, rest) = octets.split_first_chunk::<8>()?;
        let (key, rest) = rest.split_first_chunk::<16>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        let (key, length) = (BodyKey(*key), u64::from_be_bytes(*rest.first_chunk::<8>()?));
        let content = match length {
            FORGOTTEN => RecordContent::Forgotten,
            _ => RecordContent::Body {
                length,
                checksum: u32::from_be_bytes(*checksum) ^ key.mask(length),
            },
        };
        (magic == MAGIC).then_some(Self { key, content })
    }
}

/// Checks that the header is the one of this body.
///
/// # Errors
/// [`ErrorKind::InvalidData`].
pub(super) fn verify(
    head: &[u8; HEADER],
    key: &BodyKey,
    length: u64,
    checksum: u32,
) -> io::Result<()> {
    let content = RecordContent::Body { length, checksum };
    let whole = Header { key: *key, content };
    match Header::parse(head) == Some(whole) {
        true => Ok(()),
        false => Err(ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_in_format_2() {
        let key = BodyKey(*b"sixteen  octets.");
        let content = RecordContent::Body {
            length: 3,
            checksum: 0x0102_0304,
        };
        let expected = *b"pop3fs\n\x02sixteen  octets.\x93\xf3\x96\xa2\0\0\0\0\0\0\0\x03";
        assert_eq!(
            Header { key, content }.octets(),
            expected,
            "version bump required"
        );
        assert_eq!(Header::parse(&expected), Some(Header { key, content }));
        let forgotten = Header {
            key,
            content: RecordContent::Forgotten,
        };
        assert_eq!(Header::parse(&forgotten.octets()), Some(forgotten));
    }

    #[test]
    fn a_header_that_ends_in_zeros_describes_no_body() {
        let (key, checksum) = (BodyKey::new(b"uid", 1), crc32fast::hash(b""));
        let empty = RecordContent::Body {
            length: 0,
            checksum,
        };
        let mut octets = Header {
            key,
            content: empty,
        }
        .octets();
        octets[24..].fill(0);
        assert_ne!(
            Header::parse(&octets).map(|header| header.content),
            Some(empty)
        );
    }

    #[test]
    fn another_format_is_not_read() {
        let content = RecordContent::Forgotten;
        let mut octets = Header {
            key: BodyKey::new(b"uid", 1),
            content,
        }
        .octets();
        octets[7] = 1;
        assert_eq!(Header::parse(&octets), None);
    }

    #[test]
    fn headers_have_a_key_of_their_own() {
        let (headers, body) = (BodyKey::of_headers(b"uid", 1), BodyKey::new(b"uid", 1));
        assert!(headers.is_of_headers() && !body.is_of_headers());
        assert_eq!(headers.0[4..], body.0[4..]);
        assert_ne!(headers, BodyKey::of_headers(b"uid", 2));
    }

    #[test]
    fn the_name_of_a_large_file_holds_its_key() {
        let key = BodyKey::new(b"uid", 1);
        assert_ne!(key, BodyKey::new(b"uid", 2));
        assert_eq!(
            BodyKey::from_large_name(key.large_name().as_ref()),
            Some(key)
        );
        assert_eq!(BodyKey::from_large_name("0.large".as_ref()), None);
        assert_eq!(BodyKey::from_large_name("x.segment".as_ref()), None);
    }
}
