//! What the cache on disk holds and what waits to be written, shared by readers and the writer.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::Body;
use super::format::BodyKey;
use super::segment_files::SegmentFiles;
use super::segments::{BodyLocation, BodyLocations};

/// A disk that cannot be written to is reported once in this time.
const REPORT_INTERVAL: Duration = Duration::from_secs(3600);

/// The contents of the cache behind a lock, and the segments that are open.
#[derive(Debug)]
pub(super) struct SharedContents {
    contents: Mutex<DiskContents>,
    pub(super) segment_files: SegmentFiles,
}

/// The bodies on disk, and those on their way to it.
#[derive(Debug)]
pub(super) struct DiskContents {
    pub(super) locations: BodyLocations,
    /// The bodies to be written. Readers find a body here until the writer has recorded its
    /// location.
    pub(super) waiting: HashMap<BodyKey, Arc<Body>>,
    /// The octets of memory that the waiting bodies take.
    pub(super) waiting_octets: u64,
    /// When the user was last told that the disk cannot be written to.
    reported: Option<Instant>,
}

/// What the writer is asked to do.
pub(super) enum WriterTask {
    /// Write the body.
    Keep(BodyKey, Arc<Body>),
    /// Remove the body of this message.
    Forget(BodyKey),
    /// Write no more to this segment.
    EndSegment(PathBuf),
    /// Reply when all earlier tasks are done.
    Flush(Sender<()>),
}

impl DiskContents {
    /// Adds a body to those that wait to be written.
    pub(super) fn add_waiting(&mut self, key: BodyKey, body: &Arc<Body>) {
        self.remove_waiting(&key);
        self.waiting_octets += body.in_memory();
        self.waiting.insert(key, Arc::clone(body));
    }

    /// The body of this message is not to be written any more.
    pub(super) fn remove_waiting(&mut self, key: &BodyKey) {
        if let Some(body) = self.waiting.remove(key) {
            self.waiting_octets -= body.in_memory();
        }
    }

    fn is_waiting(&self, key: &BodyKey, body: &Arc<Body>) -> bool {
        self.waiting
            .get(key)
            .is_some_and(|waiting| Arc::ptr_eq(waiting, body))
    }
}

impl SharedContents {
    pub(super) fn new(locations: BodyLocations) -> Self {
        Self {
            contents: Mutex::new(DiskContents {
                locations,
                waiting: HashMap::new(),
                waiting_octets: 0,
                reported: None,
            }),
            segment_files: SegmentFiles::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, DiskContents> {
        self.contents.lock()
    }

    /// False if the body was forgotten, or replaced by a newer one of the same message.
    pub(super) fn is_waiting(&self, key: &BodyKey, body: &Arc<Body>) -> bool {
        self.lock().is_waiting(key, body)
    }

    /// Stops offering this body from memory. A newer one of the same message stays.
    pub(super) fn remove_waiting(&self, key: &BodyKey, body: &Arc<Body>) {
        let mut contents = self.lock();
        if contents.is_waiting(key, body) {
            contents.remove_waiting(key);
        }
    }

    /// Records where the body was written. If it was forgotten meanwhile, a file of its own is
    /// removed again; in a segment, the record that says so follows.
    pub(super) fn record_location(&self, key: BodyKey, body: &Arc<Body>, location: BodyLocation) {
        let mut contents = self.lock();
        if contents.is_waiting(&key, body) {
            contents.locations.put(key, location);
            return;
        }
        drop(contents);
        if let BodyLocation::Large(path) = location {
            remove_file(&path);
        }
    }

    /// The file was removed, and all bodies in it.
    pub(super) fn forget_file(&self, path: &Path) {
        self.lock().locations.remove_file(path);
        self.segment_files.close(path);
    }

    /// Warns that the disk cannot be written to, and says what happens `instead`.
    pub(super) fn report_failure(&self, folder: &Path, error: &io::Error, instead: &str) {
        let mut contents = self.lock();
        let is_recent = |reported: Instant| reported.elapsed() < REPORT_INTERVAL;
        if contents.reported.is_some_and(is_recent) {
            return;
        }
        contents.reported = Some(Instant::now());
        drop(contents);
        log::warn!("{}: {error}; {instead}", folder.display());
    }
}

/// Removes a file of the cache; another mount may have removed it already.
pub(super) fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}
