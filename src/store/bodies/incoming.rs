//! A body on its way from the server.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempPath;

use super::Body;
use super::body::FileBody;
use super::budget::{MemoryBudget, MemoryShare};
use super::contents::SharedContents;
use super::format::{HEADER, TEMPORARY};
use super::line_ends::LineEnds;

/// The octets of a body so far: in memory, or in a temporary file if there are many.
#[derive(Debug)]
pub struct Incoming {
    memory: Vec<u8>,
    budget: MemoryBudget,
    /// Of the octets in memory.
    share: MemoryShare,
    file: Option<Spool>,
    length: u64,
    /// The octets that are expected in all.
    expected: usize,
    /// The cache, as long as it has room for the temporary file, which then becomes a file of the
    /// cache. Without it the temporary file has no name.
    cache: Option<SpoolFolder>,
}

/// The folder of the bodies on disk.
#[derive(Debug)]
pub(super) struct SpoolFolder {
    pub(super) path: PathBuf,
    pub(super) contents: Arc<SharedContents>,
}

/// A temporary file.
#[derive(Debug)]
struct Spool {
    file: File,
    /// None if the file has no name, and so leaves nothing behind.
    path: Option<TempPath>,
    checksum: crc32fast::Hasher,
    line_ends: LineEnds,
}

impl Incoming {
    pub(super) fn new(cache: Option<SpoolFolder>, budget: &MemoryBudget, expected: u64) -> Self {
        Self {
            memory: Vec::new(),
            budget: budget.clone(),
            share: budget.share(),
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

    /// Whether nothing has arrived yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends the next octets.
    ///
    /// # Errors
    /// The body is too large for memory, and neither the cache nor the system's folder for
    /// temporary files has room for it.
    pub fn push(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + octets.len() > self.budget.most_for_one() {
            self.file = Some(self.begin_spool()?);
            self.memory = Vec::new();
            self.share.resize(0);
        }
        match &mut self.file {
            Some(spool) => {
                if let Err(error) = spool.push(octets) {
                    self.leave_cache(error, octets)?;
                }
            }
            None => self.push_to_memory(octets),
        }
        self.length += octets.len() as u64;
        Ok(())
    }

    /// A temporary file with what is in memory so far.
    fn begin_spool(&self) -> io::Result<Spool> {
        let Some(cache) = &self.cache else {
            return Spool::without_name(&self.memory);
        };
        Spool::in_folder(&cache.path, &self.memory).or_else(|error| {
            cache.report(&error);
            Spool::without_name(&self.memory)
        })
    }

    /// The cache has no room for these octets: moves the file out of it, and appends them there.
    fn leave_cache(&mut self, error: io::Error, octets: &[u8]) -> io::Result<()> {
        let (Some(cache), Some(spool)) = (self.cache.take(), &mut self.file) else {
            return Err(error);
        };
        if spool.path.is_none() {
            return Err(error);
        }
        cache.report(&error);
        *spool = spool.copy_without_name(self.length)?;
        spool.push(octets)
    }

    /// Reserves memory once for everything that is expected. It waits for the first octets, because
    /// a server may announce any size.
    fn push_to_memory(&mut self, octets: &[u8]) {
        if self.memory.is_empty() {
            let expected = self.expected.min(self.budget.most_for_one());
            self.memory.reserve_exact(expected.max(octets.len()));
        }
        self.memory.extend_from_slice(octets);
        self.share.resize(self.memory.capacity() as u64);
    }

    /// The complete body.
    pub fn finish(self) -> Body {
        match self.file {
            None => Body::in_memory_of(self.memory, self.share),
            Some(spool) => spool.finish(self.length),
        }
    }
}

impl SpoolFolder {
    fn report(&self, error: &io::Error) {
        let instead = "a large message goes through a temporary file elsewhere";
        self.contents.report_failure(&self.path, error, instead);
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

    /// In the system's folder for temporary files.
    fn without_name(begun: &[u8]) -> io::Result<Self> {
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

    /// A copy of the first `length` octets of the body, outside the cache. Behind them may be a
    /// part of the octets that did not fit.
    fn copy_without_name(&mut self, length: u64) -> io::Result<Self> {
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
        Body::in_file(FileBody {
            file: self.file,
            start: HEADER as u64,
            length,
            checksum: self.checksum.finalize(),
            line_ends: self.line_ends,
            temporary: Mutex::new(self.path),
        })
    }
}
