//! The cache of bodies on disk, shared by all mounts of the account.
//!
//! Small bodies lie one behind the other in segments. A segment is only ever appended to, by the
//! one process that began it. A large body has a file of its own, which was its temporary file
//! before. One file for each small body would cost more than fetching the message again: ext4
//! takes 40 to 400 microseconds to create a file.
//!
//! Each body is verified when it is read. One that is damaged, or was not written to its end,
//! counts as missing and is fetched again. When all files together exceed the limit, those that
//! were read longest ago are removed first; the mtime of a file says when it was read.
//!
//! A thread of its own writes, so that no reader waits for the disk.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use super::budget::MemoryBudget;
use super::contents::{SharedContents, WriterTask};
use super::format::{BodyKey, HEADER};
use super::incoming::SpoolFolder;
use super::limits::{BEHIND, FAR_BEHIND, room};
use super::segments::{BodyLocation, BodyLocations};
use super::writer::DiskWriter;
use super::{Body, Incoming};
use crate::store::account::{BODIES_FOLDER, make_private_folder};
use crate::store::{CacheFolder, StoreError};

/// The bodies of one account on disk, or nothing if the user wants no mail on disk.
#[derive(Debug)]
pub struct Disk {
    cache: Option<DiskCache>,
    /// For bodies that arrive.
    budget: MemoryBudget,
}

#[derive(Debug)]
struct DiskCache {
    folder: PathBuf,
    limit: u64,
    contents: Arc<SharedContents>,
    tasks: Option<Sender<WriterTask>>,
    thread: Option<JoinHandle<()>>,
}

/// How much of the disk the cache takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bodies that can be read.
    pub messages: u64,
    /// Octets of all files, including those of bodies that were replaced or removed.
    pub octets: u64,
    /// The most octets.
    pub limit: u64,
}

impl Disk {
    /// Opens the bodies in the folder of an account, and keeps at most `limit` octets of them.
    ///
    /// # Errors
    /// The folder cannot be created or read, or the thread that writes cannot be started.
    pub fn open(account: &CacheFolder, limit: u64) -> Result<Self, StoreError> {
        let folder = account.path().join(BODIES_FOLDER);
        make_private_folder(&folder, &mut DirBuilder::new())?;
        let locations = BodyLocations::scan(&folder).map_err(StoreError::io("read", &folder))?;
        let contents = Arc::new(SharedContents::new(locations));
        let (tasks, queue) = mpsc::channel();
        let writer = DiskWriter::new(folder.clone(), limit, Arc::clone(&contents));
        let thread = thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || writer.run(&queue))
            .map_err(StoreError::io("start the thread that writes to", &folder))?;
        Ok(Self::with_cache(Some(DiskCache {
            folder,
            limit,
            contents,
            tasks: Some(tasks),
            thread: Some(thread),
        })))
    }

    /// A disk that keeps nothing.
    pub fn off() -> Self {
        Self::with_cache(None)
    }

    fn with_cache(cache: Option<DiskCache>) -> Self {
        Self {
            cache,
            budget: MemoryBudget::new(u64::MAX),
        }
    }

    /// Has bodies arrive in files once those that arrived before, and are still held, take this
    /// many octets of memory. By default there is no such limit.
    #[must_use]
    pub fn with_memory(self, limit: u64) -> Self {
        Self {
            budget: MemoryBudget::new(limit),
            ..self
        }
    }

    /// Whether the body is there. Whether it is undamaged shows only when it is read.
    pub fn contains(&self, key: &BodyKey) -> bool {
        self.cache.as_ref().is_some_and(|cache| {
            let contents = cache.contents.lock();
            contents.waiting.contains_key(key) || contents.locations.contains(key)
        })
    }

    /// The verified body; none if it is missing or damaged. A large one is read to its end, which
    /// takes time.
    pub fn load(&self, key: &BodyKey) -> Option<Arc<Body>> {
        self.load_if(key, |_| true)
    }

    /// As [`Disk::load`], but none if the body is large.
    pub fn load_small(&self, key: &BodyKey) -> Option<Arc<Body>> {
        self.load_if(key, |location| {
            matches!(location, BodyLocation::Segment { .. })
        })
    }

    /// The body, without reading it: it is verified and read when a reader asks for its octets.
    /// None if it is missing, if it is large, or if its length is not `octets`. `crlfs` says how
    /// many CRLFs it has.
    ///
    /// If it turns out to be damaged, [`Body::read_at`] fails. Then [`Disk::load`] finds the
    /// damage, too, and the body counts as missing.
    pub fn open_small(&self, key: &BodyKey, octets: u64, crlfs: u64) -> Option<Arc<Body>> {
        let cache = self.cache.as_ref()?;
        let contents = cache.contents.lock();
        if let Some(body) = contents.waiting.get(key) {
            return (body.len() == octets).then(|| Arc::clone(body));
        }
        let location = contents.locations.get(key)?;
        drop(contents);
        let BodyLocation::Segment {
            segment,
            offset,
            length,
        } = &location
        else {
            return None;
        };
        if *length != octets {
            return None;
        }
        match segment.open_record(key, *offset, *length, crlfs, &cache.contents.segment_files) {
            Ok(record) => Some(Arc::new(Body::in_segment(record))),
            Err(error) => {
                cache.give_up(key, &location, &error);
                None
            }
        }
    }

    fn load_if(
        &self,
        key: &BodyKey,
        is_wanted: impl Fn(&BodyLocation) -> bool,
    ) -> Option<Arc<Body>> {
        let cache = self.cache.as_ref()?;
        let contents = cache.contents.lock();
        if let Some(body) = contents.waiting.get(key) {
            return Some(Arc::clone(body));
        }
        let location = contents.locations.get(key).filter(is_wanted)?;
        drop(contents);
        match location.read(key, &cache.contents.segment_files) {
            Ok(body) => Some(Arc::new(body)),
            Err(error) => {
                cache.give_up(key, &location, &error);
                None
            }
        }
    }

    /// Queues a body to be written. It is not kept if the disk is far behind, if it would evict all
    /// others, or if there was no room for it when it arrived.
    pub fn keep(&self, key: BodyKey, body: &Arc<Body>) {
        let Some(cache) = &self.cache else { return };
        let mut contents = cache.contents.lock();
        let octets = HEADER as u64 + body.len();
        if octets > room(cache.limit) {
            return body.leave_cache();
        }
        if body.is_settled() || contents.waiting_octets > FAR_BEHIND {
            return;
        }
        contents.add_waiting(key, body);
        drop(contents);
        cache.submit(WriterTask::Keep(key, Arc::clone(body)));
    }

    /// Removes the body of a message whose content has changed.
    pub fn forget(&self, key: &BodyKey) {
        let Some(cache) = &self.cache else { return };
        let mut contents = cache.contents.lock();
        contents.remove_waiting(key);
        contents.locations.remove(key);
        drop(contents);
        cache.submit(WriterTask::Forget(*key));
    }

    /// The octets of bodies that fit for certain, in whatever order they arrive; none without a
    /// disk.
    pub fn room(&self) -> Option<u64> {
        self.cache.as_ref().map(|cache| room(cache.limit))
    }

    /// What is there now, including what other mounts of the account have written; none without a
    /// disk, or if the folder cannot be read.
    pub fn usage(&self) -> Option<Usage> {
        let cache = self.cache.as_ref()?;
        let mut octets = 0;
        for entry in fs::read_dir(&cache.folder).ok()?.flatten() {
            // Another mount may have removed the file by now.
            octets += entry.metadata().map_or(0, |metadata| metadata.len());
        }
        Some(Usage {
            messages: cache.contents.lock().locations.bodies() as u64,
            octets,
            limit: cache.limit,
        })
    }

    /// Whether so much waits to be written that nothing should be fetched ahead.
    pub fn is_behind(&self) -> bool {
        self.cache
            .as_ref()
            .is_some_and(|cache| cache.contents.lock().waiting_octets > BEHIND)
    }

    /// Begins a body that is about to arrive. `expected` is its size in octets as far as it is
    /// known. A large body goes through a file in this cache. Without a cache, or without room in
    /// it, that is an unlinked file in the system's folder for temporary files.
    pub fn incoming(&self, expected: u64) -> Incoming {
        let folder = self.cache.as_ref().map(|cache| SpoolFolder {
            path: cache.folder.clone(),
            contents: Arc::clone(&cache.contents),
        });
        Incoming::new(folder, &self.budget, expected)
    }

    /// Waits until everything that was kept so far is written.
    pub fn flush(&self) {
        let Some(cache) = &self.cache else { return };
        let (reply, done) = mpsc::channel();
        cache.submit(WriterTask::Flush(reply));
        // If the writer has ended, nothing is left to wait for.
        let _ = done.recv();
    }
}

impl DiskCache {
    /// Records that the body cannot be read from where it was written; it is fetched again.
    fn give_up(&self, key: &BodyKey, location: &BodyLocation, error: &io::Error) {
        let mut contents = self.contents.lock();
        if error.kind() == ErrorKind::NotFound {
            log::debug!("another mount removed {}", location.path().display());
            contents.locations.remove_file(location.path());
            self.contents.segment_files.close(location.path());
        } else {
            log::warn!(
                "{}: a cached message cannot be read and will be fetched again ({error})",
                self.folder.display()
            );
            contents.locations.remove(key);
        }
        drop(contents);
        // The next mount finds nothing behind a damaged record, so nothing may be written there.
        self.submit(WriterTask::EndSegment(location.path().to_owned()));
    }

    fn submit(&self, task: WriterTask) {
        if let Some(tasks) = &self.tasks {
            // The writer lives as long as `self`.
            let _ = tasks.send(task);
        }
    }
}

impl Drop for DiskCache {
    /// Waits until the writer has written what is queued.
    fn drop(&mut self) {
        drop(self.tasks.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the writer is already in the log.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
