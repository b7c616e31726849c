//! A body on its way from the server.
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tempfile::TempPath;

use super::Body;
use super::body::InFile;
use super::layout::{HEADER, TEMPORARY};

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
    /// Where a temporary file goes: the cache, or nowhere to stay.
    folder: Option<PathBuf>,
}

#[derive(Debug)]
struct Spool {
    file: File,
    /// None where it has no name, and so leaves nothing behind.
    path: Option<TempPath>,
    checksum: crc32fast::Hasher,
}

impl Incoming {
    pub(super) fn new(folder: Option<PathBuf>, expected: u64) -> Self {
        Self {
            memory: Vec::new(),
            file: None,
            length: 0,
            expected: usize::try_from(expected).unwrap_or(usize::MAX),
            folder,
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
    /// No room on disk for a body that is too large for the memory.
    pub fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + octets.len() > MOST_IN_MEMORY {
            let spool = Spool::new(self.folder.as_deref(), &self.memory)?;
            self.memory = Vec::new();
            self.file = Some(spool);
        }
        match &mut self.file {
            Some(spool) => spool.push(octets)?,
            None => self.keep(octets),
        }
        self.length += octets.len() as u64;
        Ok(())
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

impl Spool {
    fn new(folder: Option<&Path>, begun: &[u8]) -> io::Result<Self> {
        let (file, path) = match folder {
            None => (tempfile::tempfile()?, None),
            Some(folder) => {
                let named = tempfile::Builder::new()
                    .prefix(TEMPORARY)
                    .tempfile_in(folder)?;
                let (file, path) = named.into_parts();
                (file, Some(path))
            }
        };
        let mut spool = Self {
            file,
            path,
            checksum: crc32fast::Hasher::new(),
        };
        spool.file.write_all(&[0; HEADER])?;
        spool.push(begun)?;
        Ok(spool)
    }

    fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        self.checksum.update(octets);
        self.file.write_all(octets)
    }

    fn finish(self, length: u64) -> Body {
        let (checksum, temporary) = (self.checksum.finalize(), Mutex::new(self.path));
        Body::in_file(InFile {
            file: self.file,
            start: HEADER as u64,
            length,
            checksum,
            temporary,
        })
    }
}
