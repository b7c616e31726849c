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
use super::body::InFile;
use super::format::{BodyKey, Content, HEADER, Header, is_segment};
use super::line_ends::LineEnds;

/// How exactly it is known when a file was read last.
pub(super) const READ_GRAIN: Duration = Duration::from_secs(600);

/// The places of all bodies of an account that this process knows of.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    places: HashMap<BodyKey, Place>,
}

/// A segment. It is opened for each reading: each mount begins one, and the descriptors of many would run out.
#[derive(Debug)]
pub(super) struct Shelved {
    pub(super) path: PathBuf,
    read: Mutex<LastRead>,
}

/// The mtime that a file has, or is going to have: when it was read last.
#[derive(Debug)]
struct LastRead(SystemTime);

/// Where a body lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Segment {
        segment: Arc<Shelved>,
        offset: u64,
        length: u64,
    },
    Large(PathBuf),
}

impl Shelf {
    /// Looks through the folder. The last record of a message counts, and a file of its own more than any.
    pub(super) fn look(folder: &Path) -> io::Result<Self> {
        let mut shelf = Self::default();
        let mut entries: Vec<DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in &entries {
            if !is_segment(&entry.file_name()) {
                continue;
            }
            // Another mount may have removed it by now.
            if let Err(error) = shelf.add_segment(entry.path()) {
                log::debug!("a segment of the cache is passed over: {error}");
            }
        }
        for entry in entries {
            if let Some(key) = BodyKey::of_large(&entry.file_name()) {
                shelf.put(key, Place::Large(entry.path()));
            }
        }
        Ok(shelf)
    }

    /// Walks from record to record. Behind one that is damaged, or was not written to its end, nothing is found.
    fn add_segment(&mut self, path: PathBuf) -> io::Result<()> {
        let file = File::open(&path)?;
        let metadata = file.metadata()?;
        let (end, read) = (metadata.len(), metadata.modified()?);
        let segment = Arc::new(Shelved::new(path, read));
        let mut at = 0;
        while at + HEADER as u64 <= end {
            let mut head = [0; HEADER];
            file.read_exact_at(&mut head, at)?;
            let Some(Header { key, content }) = Header::parse(&head) else {
                break;
            };
            at += HEADER as u64;
            match content {
                Content::Forgotten => self.remove(&key),
                Content::Body { length, .. } if length > end - at => break,
                Content::Body { length, .. } => {
                    let offset = at - HEADER as u64;
                    self.put(
                        key,
                        Place::Segment {
                            segment: Arc::clone(&segment),
                            offset,
                            length,
                        },
                    );
                    at += length;
                }
            }
        }
        Ok(())
    }

    /// How many bodies are found.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn place(&self, key: &BodyKey) -> Option<Place> {
        self.places.get(key).cloned()
    }

    pub(super) fn contains(&self, key: &BodyKey) -> bool {
        self.places.contains_key(key)
    }

    pub(super) fn put(&mut self, key: BodyKey, place: Place) {
        self.places.insert(key, place);
    }

    pub(super) fn remove(&mut self, key: &BodyKey) {
        self.places.remove(key);
    }

    /// The file is gone, with all that was in it.
    pub(super) fn remove_file(&mut self, path: &Path) {
        self.places.retain(|_, place| match place {
            Place::Segment { segment, .. } => segment.path != path,
            Place::Large(large) => large != path,
        });
    }
}

impl Place {
    /// The body, verified: a small one comes into the memory, a large one is read once and stays where it is.
    pub(super) fn read(&self, key: &BodyKey) -> io::Result<Body> {
        match self {
            Self::Segment {
                segment,
                offset,
                length,
            } => segment.read_record(key, *offset, *length),
            Self::Large(path) => read_large(path, key),
        }
    }

    /// The file that it lies in.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Segment { segment, .. } => &segment.path,
            Self::Large(path) => path,
        }
    }
}

impl Shelved {
    pub(super) fn new(path: PathBuf, read: SystemTime) -> Self {
        Self {
            path,
            read: Mutex::new(LastRead(read)),
        }
    }

    fn read_record(&self, key: &BodyKey, offset: u64, length: u64) -> io::Result<Body> {
        let file = File::open(&self.path)?;
        let mut head = [0; HEADER];
        let mut octets = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let at = i64::try_from(offset).map_err(io::Error::other)?;
        let read = preadv(
            &file,
            &mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut octets)],
            at,
        )?;
        if read < HEADER + octets.len() {
            file.read_exact_at(&mut head, offset)?;
            file.read_exact_at(&mut octets, offset + HEADER as u64)?;
        }
        check(&head, key, length, crc32fast::hash(&octets))?;
        self.read.lock().is_now(&file);
        Ok(Body::new(octets))
    }
}

impl LastRead {
    /// As relatime does: seldom enough to cost nothing. A time to come, of a clock that ran ahead, is none.
    fn is_now(&mut self, file: &File) {
        if self.0.elapsed().is_ok_and(|age| age <= READ_GRAIN) {
            return;
        }
        self.0 = SystemTime::now();
        if let Err(error) = file.set_times(FileTimes::new().set_modified(self.0)) {
            log::debug!("the cache's time of reading is not kept: {error}");
        }
    }
}

fn read_large(path: &Path, key: &BodyKey) -> io::Result<Body> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, 0)?;
    let start = HEADER as u64;
    let length = metadata
        .len()
        .checked_sub(start)
        .ok_or(ErrorKind::UnexpectedEof)?;
    let (checksum, line_ends) = look_through(&file, start)?;
    check(&head, key, length, checksum)?;
    LastRead(metadata.modified()?).is_now(&file);
    Ok(Body::in_file(InFile {
        file,
        start,
        length,
        checksum,
        line_ends,
        temporary: Mutex::new(None),
    }))
}

fn look_through(file: &File, mut at: u64) -> io::Result<(u32, LineEnds)> {
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

fn check(head: &[u8; HEADER], key: &BodyKey, length: u64, checksum: u32) -> io::Result<()> {
    let whole = Header {
        key: *key,
        content: Content::Body { length, checksum },
    };
    if Header::parse(head) == Some(whole) {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}
