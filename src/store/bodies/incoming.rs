//! A body on its way from the server.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempPath;

use super::Body;
use super::body::InFile;
use super::disk::Shared;
use super::format::{HEADER, TEMPORARY};
use super::line_ends::LineEnds;

/// A body of more octets than this goes through a file, whatever the memory allows.
const MOST_IN_MEMORY: usize = 4 * 1024 * 1024;

/// The octets of a body so far: in memory, or in a temporary file where they are many.
#[derive(Debug)]
pub struct Incoming {
    memory: Vec<u8>,
    file: Option<Spool>,
    length: u64,
    /// How many are expected, in all.
    expected: usize,
    /// Where a temporary file goes, as long as there is room, to be kept there; otherwise it goes nowhere to stay.
    cache: Option<Folder>,
}

/// The folder of the bodies on disk.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
struct Spool {
    file: File,
    /// None where it has no name, and so leaves nothing behind.
    path: Option<TempPath>,
    checksum: crc32fast::Hasher,
    line_ends: LineEnds,
}

impl Incoming {
    pub(super) fn new(cache: Option<Folder>, expected: u64) -> Self {
        Self {
            memory: Vec::new(),
            file: None,
            length: 0,
            expected: usize::try_from(expected).unwrap_or(usize::MAX),
            cache,
        }
    }

    /// The octets so far.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes the next octets.
    ///
    /// # Errors
    /// No room on disk for a body that is too large for the memory, neither in the cache nor elsewhere.
    pub fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + octets.len() > MOST_IN_MEMORY {
            self.file = Some(self.spool()?);
            self.memory = Vec::new();
        }
        match &mut self.file {
            Some(spool) => {
                if let Err(error) = spool.push(octets) {
                    self.go_elsewhere(error, octets)?;
                }
            }
            None => self.keep(octets),
        }
        self.length += octets.len() as u64;
        Ok(())
    }

    /// A file with what is in memory.
    fn spool(&self) -> io::Result<Spool> {
        let Some(cache) = &self.cache else {
            return Spool::elsewhere(&self.memory);
        };
        Spool::in_folder(&cache.path, &self.memory).or_else(|error| {
            cache.is_left(&error);
            Spool::elsewhere(&self.memory)
        })
    }

    /// Moves a file that the cache has no more room for, and goes on with these octets there.
    fn go_elsewhere(&mut self, error: io::Error, octets: &[u8]) -> io::Result<()> {
        let (Some(cache), Some(spool)) = (self.cache.take(), &mut self.file) else {
            return Err(error);
        };
        if spool.path.is_none() {
            return Err(error);
        }
        cache.is_left(&error);
        *spool = spool.moved(self.length)?;
        spool.push(octets)
    }

    /// Memory is taken once for all that is expected, but not on the server's word alone: only when something comes.
    fn keep(&mut self, octets: &[u8]) {
        if self.memory.is_empty() {
            let expected = self.expected.min(MOST_IN_MEMORY);
            self.memory.reserve_exact(expected.max(octets.len()));
        }
        self.memory.extend_from_slice(octets);
    }

    /// The complete body.
    pub fn finish(self) -> Body {
        match self.file {
            None => Body::new(self.memory),
            Some(spool) => spool.finish(self.length),
        }
    }
}

impl Folder {
    fn is_left(&self, error: &io::Error) {
        let instead = "a large message goes through a temporary file elsewhere";
        self.shared.complain(&self.path, error, instead);
    }
}

impl Spool {
    fn in_folder(folder: &Path, begun: &[u8]) -> io::Result<Self> {
        let named = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(folder)?;
        let (file, path) = named.into_parts();
        Self::begin(file, Some(path), begun)
    }

    /// In the system's folder for temporary files, without a name.
    fn elsewhere(begun: &[u8]) -> io::Result<Self> {
        Self::begin(tempfile::tempfile()?, None, begun)
    }

    fn begin(file: File, path: Option<TempPath>, begun: &[u8]) -> io::Result<Self> {
        let mut spool = Self {
            file,
            path,
            checksum: crc32fast::Hasher::new(),
            line_ends: LineEnds::default(),
        };
        spool.file.write_all(&[0; HEADER])?;
        spool.push(begun)?;
        Ok(spool)
    }

    /// The first `length` octets of the body in a file elsewhere: behind them may be some of those that had no room.
    fn moved(&mut self, length: u64) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        let length = HEADER as u64 + length;
        self.file.rewind()?;
        if io::copy(&mut (&self.file).take(length), &mut file)? < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Self {
            file,
            path: None,
            checksum: self.checksum.clone(),
            line_ends: mem::take(&mut self.line_ends),
        })
    }

    fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)?;
        self.checksum.update(octets);
        self.line_ends.push(octets);
        Ok(())
    }

    fn finish(self, length: u64) -> Body {
        let (checksum, temporary) = (self.checksum.finalize(), Mutex::new(self.path));
        Body::in_file(InFile {
            file: self.file,
            start: HEADER as u64,
            length,
            checksum,
            line_ends: self.line_ends,
            temporary,
        })
    }
}
