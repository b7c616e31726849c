//! A small body that stays in its segment: each read is one system call.

use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

use nix::sys::uio::preadv;

use super::format::{BodyKey, HEADER, verify};
use super::line_ends::LineEnds;

/// The octets that a check of a whole body reads at once.
const CHUNK: usize = 256 * 1024;
/// A body of at most this many octets is read and verified as a whole for each read: the kernel
/// reads as much ahead.
pub const READ_WHOLE: u64 = 128 * 1024;

/// A body in an open segment. The first read verifies all of it, and of a short one each read does;
/// only then are octets given out.
pub(super) struct SegmentBody {
    file: Arc<File>,
    key: BodyKey,
    /// The offset of the record.
    offset: u64,
    length: u64,
    /// How many CRLFs the body has, as the index says.
    crlfs: u64,
    /// Filled when the body is verified.
    verified: OnceLock<LineEnds>,
}

impl SegmentBody {
    pub(super) fn new(file: Arc<File>, key: BodyKey, offset: u64, length: u64, crlfs: u64) -> Self {
        Self {
            file,
            key,
            offset,
            length,
            crlfs,
            verified: OnceLock::new(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn crlfs(&self) -> u64 {
        self.crlfs
    }

    /// Reads octets of the body from `at` on; all of them must exist.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the body is damaged.
    pub(super) fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        if at == 0 && into.len() as u64 == self.length {
            return self.read_whole(into);
        }
        if self.length <= READ_WHOLE {
            let mut whole = vec![0; self.length as usize];
            self.read_whole(&mut whole)?;
            into.copy_from_slice(&whole[at as usize..][..into.len()]);
            return Ok(());
        }
        self.line_ends()?;
        self.file.read_exact_at(into, self.start() + at)
    }

    /// The line ends of the verified body.
    ///
    /// # Errors
    /// As [`SegmentBody::read_exact_at`].
    pub(super) fn line_ends(&self) -> io::Result<&LineEnds> {
        if let Some(line_ends) = self.verified.get() {
            return Ok(line_ends);
        }
        let mut head = [0; HEADER];
        self.file.read_exact_at(&mut head, self.offset)?;
        let (mut checksum, mut line_ends) = (crc32fast::Hasher::new(), LineEnds::default());
        let mut chunk = vec![0; CHUNK.min(self.length as usize)];
        let mut at = 0;
        while at < self.length {
            let length = (self.length - at).min(chunk.len() as u64) as usize;
            self.file
                .read_exact_at(&mut chunk[..length], self.start() + at)?;
            checksum.update(&chunk[..length]);
            line_ends.push(&chunk[..length]);
            at += length as u64;
        }
        self.accept(&head, checksum.finalize(), line_ends)
    }

    /// Reads header and body at once, and verifies them.
    fn read_whole(&self, into: &mut [u8]) -> io::Result<()> {
        let mut head = [0; HEADER];
        let at = i64::try_from(self.offset).map_err(io::Error::other)?;
        let read = preadv(
            &*self.file,
            &mut [IoSliceMut::new(&mut head), IoSliceMut::new(into)],
            at,
        )?;
        if read < HEADER + into.len() {
            self.file.read_exact_at(&mut head, self.offset)?;
            self.file.read_exact_at(into, self.start())?;
        }
        let checksum = crc32fast::hash(into);
        if self.verified.get().is_some() {
            return verify(&head, &self.key, self.length, checksum);
        }
        self.accept(&head, checksum, LineEnds::of(into))?;
        Ok(())
    }

    fn accept(
        &self,
        head: &[u8; HEADER],
        checksum: u32,
        line_ends: LineEnds,
    ) -> io::Result<&LineEnds> {
        verify(head, &self.key, self.length, checksum)?;
        if line_ends.crlfs() != self.crlfs {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(self.verified.get_or_init(|| line_ends))
    }

    fn start(&self) -> u64 {
        self.offset + HEADER as u64
    }
}
