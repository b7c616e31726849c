//! Where each body of the cache lies, and how it is read from there.

use std::collections::HashMap;
use std::fs::{self, DirEntry, File, FileTimes};
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nix::sys::uio::preadv;
use parking_lot::Mutex;

use super::Body;
use super::body::FileBody;
use super::format::{BodyKey, HEADER, Header, RecordContent, is_segment, verify};
use super::line_ends::LineEnds;
use super::record::SegmentBody;
use super::segment_files::SegmentFiles;

/// The mtime of a file tells when it was read last, this precisely.
pub(super) const READ_TIME_PRECISION: Duration = Duration::from_secs(600);

/// Where all bodies of an account lie, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct BodyLocations {
    by_key: HashMap<BodyKey, BodyLocation>,
}

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    read: Mutex<LastRead>,
}

/// When a file was read last, as its mtime says or is about to say.
#[derive(Debug)]
struct LastRead(SystemTime);

/// Where a body lies.
#[derive(Debug, Clone)]
pub(super) enum BodyLocation {
    /// In a record at this offset of a segment; `length` counts the octets of the body.
    Segment {
        segment: Arc<Segment>,
        offset: u64,
        length: u64,
    },
    /// In a file of its own.
    Large(PathBuf),
}

impl BodyLocations {
    /// Reads the folder. The last record of a message overrides earlier ones, and a file of its own
    /// overrides all records.
    pub(super) fn scan(folder: &Path) -> io::Result<Self> {
        let mut locations = Self::default();
        let mut entries: Vec<DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in &entries {
            if !is_segment(&entry.file_name()) {
                continue;
            }
            // Another mount may have removed the file by now.
            if let Err(error) = locations.scan_segment(entry.path()) {
                log::debug!("skipping a segment of the cache: {error}");
            }
        }
        for entry in entries {
            if let Some(key) = BodyKey::from_large_name(&entry.file_name()) {
                locations.put(key, BodyLocation::Large(entry.path()));
            }
        }
        Ok(locations)
    }

    /// Reads the header of each record. What lies behind a damaged or incomplete record is lost.
    fn scan_segment(&mut self, path: PathBuf) -> io::Result<()> {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        let end = metadata.len();
        let segment = Arc::new(Segment::new(path, metadata.modified()?));
        let mut at = 0;
        while at + HEADER as u64 <= end {
            let mut head = [0; HEADER];
            file.read_exact_at(&mut head, at)?;
            let Some(Header { key, content }) = Header::parse(&head) else {
                break;
            };
            let offset = at;
            at += HEADER as u64;
            match content {
                RecordContent::Forgotten => self.remove(&key),
                RecordContent::Body { length, .. } if length > end - at => break,
                RecordContent::Body { length, .. } => {
                    let segment = Arc::clone(&segment);
                    let location = BodyLocation::Segment {
                        segment,
                        offset,
                        length,
                    };
                    self.put(key, location);
                    at += length;
                }
            }
        }
        Ok(())
    }

    /// How many bodies there are; headers do not count.
    pub(super) fn bodies(&self) -> usize {
        let keys = self.by_key.keys();
        keys.filter(|key| !key.is_of_headers()).count()
    }

    pub(super) fn get(&self, key: &BodyKey) -> Option<BodyLocation> {
        self.by_key.get(key).cloned()
    }

    pub(super) fn contains(&self, key: &BodyKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(super) fn put(&mut self, key: BodyKey, location: BodyLocation) {
        self.by_key.insert(key, location);
    }

    pub(super) fn remove(&mut self, key: &BodyKey) {
        self.by_key.remove(key);
    }

    /// The file was removed, and all bodies in it.
    pub(super) fn remove_file(&mut self, path: &Path) {
        self.by_key.retain(|_, location| location.path() != path);
    }
}

impl BodyLocation {
    /// The verified body: a small one is read into memory, a large one is read through and stays in
    /// its file.
    pub(super) fn read(&self, key: &BodyKey, segment_files: &SegmentFiles) -> io::Result<Body> {
        match self {
            Self::Segment {
                segment,
                offset,
                length,
            } => segment.read_record(key, *offset, *length, segment_files),
            Self::Large(path) => read_large(path, key),
        }
    }

    /// The file that the body lies in.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Segment { segment, .. } => &segment.path,
            Self::Large(path) => path,
        }
    }
}

impl Segment {
    /// A segment that was read last at `read`.
    pub(super) fn new(path: PathBuf, read: SystemTime) -> Self {
        Self {
            path,
            read: Mutex::new(LastRead(read)),
        }
    }

    /// A body that is read later, and verified then.
    pub(super) fn open_record(
        &self,
        key: &BodyKey,
        offset: u64,
        length: u64,
        crlfs: u64,
        segment_files: &SegmentFiles,
    ) -> io::Result<SegmentBody> {
        let file = segment_files.get(&self.path)?;
        self.read.lock().set_now(&file);
        Ok(SegmentBody::new(file, *key, offset, length, crlfs))
    }

    fn read_record(
        &self,
        key: &BodyKey,
        offset: u64,
        length: u64,
        segment_files: &SegmentFiles,
    ) -> io::Result<Body> {
        let file = segment_files.get(&self.path)?;
        let mut head = [0; HEADER];
        let mut octets = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let at = i64::try_from(offset).map_err(io::Error::other)?;
        let mut slices = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut octets)];
        let read = preadv(&file, &mut slices, at)?;
        if read < HEADER + octets.len() {
            file.read_exact_at(&mut head, offset)?;
            file.read_exact_at(&mut octets, offset + HEADER as u64)?;
        }
        verify(&head, key, length, crc32fast::hash(&octets))?;
        self.read.lock().set_now(&file);
        Ok(Body::new(octets))
    }
}

impl LastRead {
    /// Notes that the file was read. Like relatime, this writes so seldom that it costs nothing. A
    /// time in the future, from a clock that ran ahead, is replaced.
    fn set_now(&mut self, file: &File) {
        let is_recent = |age: Duration| age <= READ_TIME_PRECISION;
        if self.0.elapsed().is_ok_and(is_recent) {
            return;
        }
        self.0 = SystemTime::now();
        if let Err(error) = file.set_times(FileTimes::new().set_modified(self.0)) {
            log::debug!("cannot note when a file of the cache was read: {error}");
        }
    }
}

fn read_large(path: &Path, key: &BodyKey) -> io::Result<Body> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, 0)?;
    let start = HEADER as u64;
    let length = metadata.len().checked_sub(start);
    let length = length.ok_or(ErrorKind::UnexpectedEof)?;
    let (checksum, line_ends) = read_through(&file, start)?;
    verify(&head, key, length, checksum)?;
    LastRead(metadata.modified()?).set_now(&file);
    Ok(Body::in_file(FileBody {
        file,
        start,
        length,
        checksum,
        line_ends,
        temporary: Mutex::new(None),
    }))
}

/// The checksum and the line ends of everything from `at` to the end of the file.
fn read_through(file: &File, mut at: u64) -> io::Result<(u32, LineEnds)> {
    let (mut checksum, mut line_ends) = (crc32fast::Hasher::new(), LineEnds::default());
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read_at(&mut chunk, at)? {
            0 => return Ok((checksum.finalize(), line_ends)),
            read => {
                checksum.update(&chunk[..read]);
                line_ends.push(&chunk[..read]);
                at += read as u64;
            }
        }
    }
}
