//! How a body lies in its file, and what the file is called.
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

/// The octets in front of the body: magic and version, checksum, length; big endian.
pub(super) const HEADER: usize = 20;
/// What a file that is not complete is called at the beginning.
pub(super) const TEMPORARY: &str = "incoming-";
/// The last octet is the version of the format.
const MAGIC: &[u8; 8] = b"pop3fs\n\x01";

/// What tells a whole body from a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u64,
    pub(super) checksum: u32,
}

impl Header {
    pub(super) fn octets(self) -> [u8; HEADER] {
        let mut octets = [0; HEADER];
        octets[..8].copy_from_slice(MAGIC);
        octets[8..12].copy_from_slice(&self.checksum.to_be_bytes());
        octets[12..].copy_from_slice(&self.length.to_be_bytes());
        octets
    }

    pub(super) fn parse(octets: [u8; HEADER]) -> Option<Self> {
        let (magic, rest) = octets.split_first_chunk::<8>()?;
        let (checksum, rest) = rest.split_first_chunk::<4>()?;
        let length = rest.first_chunk::<8>()?;
        (magic == MAGIC).then(|| Self {
            length: u64::from_be_bytes(*length),
            checksum: u32::from_be_bytes(*checksum),
        })
    }

    pub(super) fn write(self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.octets(), 0)
    }
}

/// A body's place in the cache of its account: the same whatever inode number it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyKey([u8; 16]);

impl BodyKey {
    /// Of the message that is the `ordinal`-th of those with this unique-id.
    pub fn new(uidl: &[u8], ordinal: u32) -> Self {
        let digest = Sha256::new()
            .chain_update(ordinal.to_be_bytes())
            .chain_update(uidl)
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }

    pub(super) fn file_name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_that_is_written_is_format_1() {
        let header = Header {
            length: 3,
            checksum: 0x0102_0304,
        };
        let expected = *b"pop3fs\n\x01\x01\x02\x03\x04\0\0\0\0\0\0\0\x03";
        assert_eq!(header.octets(), expected, "version bump required");
        assert_eq!(Header::parse(expected), Some(header));
        let name = BodyKey::new(b"uid", 1).file_name();
        assert_eq!(name, BodyKey::new(b"uid", 1).file_name());
        assert_ne!(name, BodyKey::new(b"uid", 2).file_name());
        assert_eq!(name.len(), 32);
    }

    #[test]
    fn another_format_is_not_read() {
        let mut octets = Header {
            length: 3,
            checksum: 4,
        }
        .octets();
        octets[7] = 2;
        assert_eq!(Header::parse(octets), None);
    }
}
