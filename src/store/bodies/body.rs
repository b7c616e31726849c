//! A body: the octets of one message.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use parking_lot::Mutex;
use tempfile::TempPath;

use super::budget::MemoryShare;
use super::format::{BodyKey, Header, RecordContent};
use super::line_ends::{self, LineEnds};
use super::record::SegmentBody;

/// A complete message as the server sent it. It never changes, so it is shared as `Arc<Body>`.
pub struct Body(Storage);

enum Storage {
    Memory {
        octets: Box<[u8]>,
        /// Counted at the first use.
        line_ends: OnceLock<LineEnds>,
        /// Computed at the first use.
        checksum: OnceLock<u32>,
        /// Gives the memory back. None for a body that no budget counts.
        _share: Option<MemoryShare>,
    },
    File(FileBody),
    Segment(SegmentBody),
}

/// Where a body is that is not in memory.
pub(super) enum OnDisk<'a> {
    File(&'a FileBody),
    Segment,
}

/// A body that is too large for memory, or that is on disk anyway.
pub(super) struct FileBody {
    pub(super) file: File,
    /// The offset in the file where the body begins.
    pub(super) start: u64,
    pub(super) length: u64,
    /// The CRC-32 of the body.
    pub(super) checksum: u32,
    pub(super) line_ends: LineEnds,
    /// The temporary name of a file that is not in the cache yet. A file without one is removed
    /// with its last reader.
    pub(super) temporary: Mutex<Option<TempPath>>,
}

impl Body {
    /// A body in memory.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Storage::Memory {
            octets: octets.into(),
            line_ends: OnceLock::new(),
            checksum: OnceLock::new(),
            _share: None,
        })
    }

    /// A body in memory, which a budget counts.
    pub(super) fn in_memory_of(octets: Vec<u8>, mut share: MemoryShare) -> Self {
        share.resize(octets.len() as u64);
        Self(Storage::Memory {
            octets: octets.into(),
            line_ends: OnceLock::new(),
            checksum: OnceLock::new(),
            _share: Some(share),
        })
    }

    pub(super) fn in_file(file: FileBody) -> Self {
        Self(Storage::File(file))
    }

    pub(super) fn in_segment(record: SegmentBody) -> Self {
        Self(Storage::Segment(record))
    }

    /// Its length in octets.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Storage::Memory { octets, .. } => octets.len() as u64,
            Storage::File(file) => file.length,
            Storage::Segment(record) => record.len(),
        }
    }

    /// How many CRLFs it has.
    pub fn crlfs(&self) -> u64 {
        match &self.0 {
            Storage::Memory {
                octets, line_ends, ..
            } => counted(octets, line_ends).crlfs(),
            Storage::File(file) => file.line_ends.crlfs(),
            Storage::Segment(record) => record.crlfs(),
        }
    }

    /// Whether it has no octets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The CRC-32 of its octets. None for one in a segment, which would have to be read.
    pub fn checksum(&self) -> Option<u32> {
        match &self.0 {
            Storage::Memory {
                octets, checksum, ..
            } => Some(*checksum.get_or_init(|| crc32fast::hash(octets))),
            Storage::File(file) => Some(file.checksum),
            Storage::Segment(_) => None,
        }
    }

    /// The octets of memory that it takes.
    pub fn in_memory(&self) -> u64 {
        match &self.0 {
            Storage::Memory { octets, .. } => octets.len() as u64,
            Storage::File(_) | Storage::Segment(_) => 0,
        }
    }

    /// Whether it is in a file of its own, as large ones are.
    pub fn has_own_file(&self) -> bool {
        matches!(self.0, Storage::File(_))
    }

    /// At most `length` octets from `offset` on: fewer at the end, none behind it. Octets that are
    /// not in memory are read into `buffer`. Pass the same buffer each time: to allocate a new one
    /// costs as much as the read.
    ///
    /// # Errors
    /// The file of the cache cannot be read, or the body in it is damaged.
    pub fn read_at<'a>(
        &'a self,
        offset: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        let start = offset.min(self.len());
        let end = start.saturating_add(length as u64).min(self.len());
        match &self.0 {
            // Both ends are bounded by the length of the octets, a usize.
            Storage::Memory { octets, .. } => Ok(&octets[start as usize..end as usize]),
            Storage::File(file) => {
                let read = front_of(buffer, (end - start) as usize);
                file.file.read_exact_at(read, file.start + start)?;
                Ok(read)
            }
            Storage::Segment(record) => {
                let read = front_of(buffer, (end - start) as usize);
                record.read_exact_at(read, start)?;
                Ok(read)
            }
        }
    }

    /// As [`Body::read_at`], of the body with an LF in place of every CRLF.
    pub(super) fn read_lf_at<'a>(
        &'a self,
        offset: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        if self.crlfs() == 0 {
            return self.read_at(offset, length, buffer);
        }
        let end = self.len() - self.crlfs();
        let offset = offset.min(end);
        let length = (length as u64).min(end - offset);
        let range = self.line_ends()?.range_of(offset, length);
        let read = front_of(buffer, range.length);
        match &self.0 {
            Storage::Memory { octets, .. } => {
                let start = range.start as usize;
                read.copy_from_slice(&octets[start..start + range.length]);
            }
            Storage::File(file) => file.file.read_exact_at(read, file.start + range.start)?,
            Storage::Segment(record) => record.read_exact_at(read, range.start)?,
        }
        line_ends::to_lf(read);
        Ok(&read[range.ahead..][..length as usize])
    }

    fn line_ends(&self) -> io::Result<&LineEnds> {
        match &self.0 {
            Storage::Memory {
                octets, line_ends, ..
            } => Ok(counted(octets, line_ends)),
            Storage::File(file) => Ok(&file.line_ends),
            Storage::Segment(record) => record.line_ends(),
        }
    }

    /// All octets at once, in memory.
    ///
    /// # Errors
    /// As [`Body::read_at`].
    pub fn whole(&self) -> io::Result<Cow<'_, [u8]>> {
        match &self.0 {
            Storage::Memory { octets, .. } => Ok(Cow::Borrowed(octets)),
            Storage::File(file) => {
                let mut read = vec![0; file.length as usize];
                file.file.read_exact_at(&mut read, file.start)?;
                Ok(Cow::Owned(read))
            }
            Storage::Segment(record) => {
                let mut read = vec![0; record.len() as usize];
                record.read_exact_at(&mut read, 0)?;
                Ok(Cow::Owned(read))
            }
        }
    }

    /// The cache does not keep it: its file loses its name, and goes with its last reader.
    pub(super) fn leave_cache(&self) {
        if let Err(OnDisk::File(file)) = self.octets() {
            drop(file.temporary.lock().take());
        }
    }

    /// Whether its file is in the cache already, or has no name and can never be.
    pub(super) fn is_settled(&self) -> bool {
        match self.octets() {
            Ok(_) => false,
            Err(OnDisk::File(file)) => file.temporary.lock().is_none(),
            Err(OnDisk::Segment) => true,
        }
    }

    /// The octets in memory, or else where they are.
    pub(super) fn octets(&self) -> Result<&[u8], OnDisk<'_>> {
        match &self.0 {
            Storage::Memory { octets, .. } => Ok(octets),
            Storage::File(file) => Err(OnDisk::File(file)),
            Storage::Segment(_) => Err(OnDisk::Segment),
        }
    }
}

impl FileBody {
    /// Writes the header of a record in front of the body.
    pub(super) fn write_header(&self, key: &BodyKey) -> io::Result<()> {
        let content = RecordContent::Body {
            length: self.length,
            checksum: self.checksum,
        };
        self.file
            .write_all_at(&Header { key: *key, content }.octets(), 0)
    }
}

/// The line ends of octets in memory, which are counted at the first use.
fn counted<'a>(octets: &[u8], line_ends: &'a OnceLock<LineEnds>) -> &'a LineEnds {
    line_ends.get_or_init(|| LineEnds::of(octets))
}

/// The first `length` octets of the buffer, which grows if it is shorter.
fn front_of(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}

/// Shows the length only, so that no mail gets into a log.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} octets)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(octets: &[u8]) -> [Body; 2] {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"head", 0).unwrap();
        file.write_all_at(octets, 4).unwrap();
        let in_file = FileBody {
            file,
            start: 4,
            length: octets.len() as u64,
            checksum: 0,
            line_ends: LineEnds::of(octets),
            temporary: Mutex::new(None),
        };
        [Body::new(octets.to_vec()), Body::in_file(in_file)]
    }

    #[test]
    fn a_read_stops_at_the_end_of_the_body() {
        for body in both(b"0123456789") {
            assert_eq!(body.read_at(0, 4, &mut Vec::new()).unwrap(), b"0123");
            assert_eq!(body.read_at(8, 4, &mut Vec::new()).unwrap(), b"89");
            assert_eq!(
                body.read_at(3, usize::MAX, &mut Vec::new()).unwrap(),
                b"3456789"
            );
        }
    }

    #[test]
    fn a_read_behind_the_end_gives_no_octets() {
        for body in both(b"0123456789") {
            assert!(body.read_at(10, 4, &mut Vec::new()).unwrap().is_empty());
            assert!(
                body.read_at(u64::MAX, usize::MAX, &mut Vec::new())
                    .unwrap()
                    .is_empty()
            );
        }
        assert!(both(b"").iter().all(Body::is_empty));
    }

    #[test]
    fn a_read_with_lf_equals_that_range_of_the_text_with_lf() {
        let mut octets = Vec::new();
        for length in [0, 1, 70, 65_533, 65_534, 65_535, 65_536, 3, 130_000] {
            octets.extend(std::iter::repeat_n(b'x', length));
            octets.extend_from_slice(b"\r\n\r\r\n\n\r");
        }
        let text = String::from_utf8(octets.clone()).unwrap();
        let text = text.replace("\r\n", "\n").into_bytes();
        let (end, mut buffer) = (text.len(), Vec::new());
        for body in both(&octets) {
            assert_eq!(body.len() - body.crlfs(), end as u64);
            for offset in (0..end + 10).step_by(997).chain(65_400..65_600) {
                for length in [0, 1, 4096, 131_072, usize::MAX] {
                    let read = body.read_lf_at(offset as u64, length, &mut buffer).unwrap();
                    let from = offset.min(end);
                    let expected = &text[from..from.saturating_add(length).min(end)];
                    assert!(read == expected, "{length} at {offset}");
                }
            }
        }
    }

    #[test]
    fn debug_shows_no_mail() {
        assert_eq!(
            format!("{:?}", Body::new(b"secret".to_vec())),
            "Body(6 octets)"
        );
    }
}
