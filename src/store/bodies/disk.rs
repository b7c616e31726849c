//! The bodies on disk, shared by all mounts of the account.
//!
//! Small bodies lie one behind the other in segments, which are only ever appended to, each by the one process that began
//! it; a large body has a file of its own, which was its temporary file before. A file for each small body would cost more
//! than fetching it: ext4 takes 40 to 400 microseconds to make one. A body is verified when it is read: one that is
//! damaged, or was not written to its end, is not there, and is fetched again. The files that were read longest ago go
//! first when all together are larger than the limit; the mtime of a file tells when that was.
//!
//! A thread of its own writes, so that no reader waits for the disk.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::format::{BodyKey, HEADER};
use super::incoming::Folder;
use super::segments::{Place, Shelf};
use super::writer::{self, DiskWriter};
use super::{Body, Incoming};
use crate::store::account::make;
use crate::store::{CacheFolder, StoreError};

/// The folder of the bodies in the account's.
pub(in crate::store) const FOLDER: &str = "bodies";
/// With more octets than this waiting for the disk, it is behind.
const BEHIND: u64 = 16 * 1024 * 1024;
/// With more octets than this waiting, a body is not kept on disk at all.
const FAR_BEHIND: u64 = 32 * 1024 * 1024;
/// A disk that cannot be written is told of once in so long.
const TELLING: Duration = Duration::from_secs(3600);

/// The bodies of one account on disk, or nothing where the user wants no byte of mail there.
#[derive(Debug)]
pub struct Disk(Option<Cache>);

#[derive(Debug)]
struct Cache {
    folder: PathBuf,
    limit: u64,
    shared: Arc<Shared>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// How much of the disk is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bodies that are found here.
    pub messages: u64,
    /// Octets of all files, with what no longer holds.
    pub octets: u64,
    /// The most octets.
    pub limit: u64,
}

/// What is on disk, and what is going to be.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
    shelf: Shelf,
    /// The bodies that are going to be written: they are found here until they are found on the shelf.
    waiting: HashMap<BodyKey, Arc<Body>>,
    /// What those take of the memory.
    octets: u64,
    /// When a failure to write was told of last.
    told: Option<Instant>,
}

/// What the writer's thread is asked for.
pub(super) enum Order {
    Keep(BodyKey, Arc<Body>),
    Forget(BodyKey),
    /// Nothing more is written to it.
    EndSegment(PathBuf),
    Flush(Sender<()>),
}

impl Disk {
    /// The bodies in the folder of an account, at most `limit` octets of them.
    ///
    /// # Errors
    /// When the folder cannot be made or read, or there is no thread to write.
    pub fn open(account: &CacheFolder, limit: u64) -> Result<Self, StoreError> {
        let folder = account.path().join(FOLDER);
        make(&folder, &mut DirBuilder::new())?;
        let shelf = Shelf::look(&folder).map_err(StoreError::io("read", &folder))?;
        let shared = Arc::new(Shared(Mutex::new(Contents {
            shelf,
            waiting: HashMap::new(),
            octets: 0,
            told: None,
        })));
        let (orders, taken) = mpsc::channel();
        let disk_writer = DiskWriter::new(folder.clone(), limit, Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || disk_writer.run(&taken));
        let thread =
            Some(thread.map_err(StoreError::io("start the thread that writes to", &folder))?);
        Ok(Self(Some(Cache {
            folder,
            limit,
            shared,
            orders: Some(orders),
            thread,
        })))
    }

    /// No disk.
    pub fn off() -> Self {
        Self(None)
    }

    /// Whether the body is there; not whether it is whole.
    pub fn contains(&self, key: &BodyKey) -> bool {
        self.0.as_ref().is_some_and(|cache| {
            let contents = cache.shared.0.lock();
            contents.waiting.contains_key(key) || contents.shelf.contains(key)
        })
    }

    /// The body, verified; none where it is missing or damaged. A large one is read through, which takes its time.
    pub fn load(&self, key: &BodyKey) -> Option<Arc<Body>> {
        self.load_if(key, |_| true)
    }

    /// As [`Disk::load`], but none where the body is large.
    pub fn load_small(&self, key: &BodyKey) -> Option<Arc<Body>> {
        self.load_if(key, |place| matches!(place, Place::Segment { .. }))
    }

    fn load_if(&self, key: &BodyKey, is_wanted: impl Fn(&Place) -> bool) -> Option<Arc<Body>> {
        let cache = self.0.as_ref()?;
        let contents = cache.shared.0.lock();
        if let Some(body) = contents.waiting.get(key) {
            return Some(Arc::clone(body));
        }
        let place = contents.shelf.place(key).filter(is_wanted)?;
        drop(contents);
        match place.read(key) {
            Ok(body) => Some(Arc::new(body)),
            Err(error) => {
                cache.give_up(key, &place, &error);
                None
            }
        }
    }

    /// Keeps a body, soon; not where the disk is far behind, nor one that would displace all others, or
    /// had no room there when it came.
    pub fn keep(&self, key: BodyKey, body: &Arc<Body>) {
        let Some(cache) = &self.0 else { return };
        let mut contents = cache.shared.0.lock();
        let octets = HEADER as u64 + body.len();
        if octets > writer::room(cache.limit) || body.is_settled() || contents.octets > FAR_BEHIND {
            return;
        }
        contents.wait(key, body);
        drop(contents);
        cache.order(Order::Keep(key, Arc::clone(body)));
    }

    /// Removes a body whose message has changed.
    pub fn forget(&self, key: &BodyKey) {
        let Some(cache) = &self.0 else { return };
        let mut contents = cache.shared.0.lock();
        contents.no_longer_waits(key);
        contents.shelf.remove(key);
        drop(contents);
        cache.order(Order::Forget(*key));
    }

    /// The octets of bodies that are kept for certain, whatever order they come in; none without a disk.
    pub fn room(&self) -> Option<u64> {
        self.0.as_ref().map(|cache| writer::room(cache.limit))
    }

    /// What is there now, with what other mounts of the account have kept; none without a disk, or where it cannot be read.
    pub fn usage(&self) -> Option<Usage> {
        let cache = self.0.as_ref()?;
        let mut octets = 0;
        for entry in fs::read_dir(&cache.folder).ok()?.flatten() {
            // Another mount may have removed it by now.
            octets += entry.metadata().map_or(0, |metadata| metadata.len());
        }
        Some(Usage {
            messages: cache.shared.0.lock().shelf.len() as u64,
            octets,
            limit: cache.limit,
        })
    }

    /// Whether it would be better not to fetch ahead for now.
    pub fn is_behind(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|cache| cache.shared.0.lock().octets > BEHIND)
    }

    /// A body that is going to arrive. Where it is large it goes through this disk or, without one or without room there,
    /// through an unlinked file of the system's folder for temporary files. `expected` are its octets by what is known.
    pub fn incoming(&self, expected: u64) -> Incoming {
        let folder = self.0.as_ref().map(|cache| Folder {
            path: cache.folder.clone(),
            shared: Arc::clone(&cache.shared),
        });
        Incoming::new(folder, expected)
    }

    /// Waits until all that was kept so far is written.
    pub fn flush(&self) {
        let Some(cache) = &self.0 else { return };
        let (reply, done) = mpsc::channel();
        cache.order(Order::Flush(reply));
        let _ended_is_flushed = done.recv();
    }
}

impl Cache {
    /// The body cannot be had from where it was thought to lie; it is fetched again.
    fn give_up(&self, key: &BodyKey, place: &Place, error: &io::Error) {
        let mut contents = self.shared.0.lock();
        if error.kind() == ErrorKind::NotFound {
            log::debug!("another mount has removed {}", place.path().display());
            contents.shelf.remove_file(place.path());
        } else {
            log::warn!(
                "{}: a message that cannot be read is fetched again ({error})",
                self.folder.display()
            );
            contents.shelf.remove(key);
        }
        drop(contents);
        // Behind a damaged record nothing is found at the next mount.
        self.order(Order::EndSegment(place.path().to_owned()));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _lasts_as_long_as_we_do = orders.send(order);
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _panicked_is_logged = thread.join();
        }
    }
}

impl Contents {
    fn wait(&mut self, key: BodyKey, body: &Arc<Body>) {
        self.no_longer_waits(&key);
        self.octets += body.in_memory();
        self.waiting.insert(key, Arc::clone(body));
    }

    fn no_longer_waits(&mut self, key: &BodyKey) {
        if let Some(body) = self.waiting.remove(key) {
            self.octets -= body.in_memory();
        }
    }

    fn awaits(&self, key: &BodyKey, body: &Arc<Body>) -> bool {
        self.waiting
            .get(key)
            .is_some_and(|waiting| Arc::ptr_eq(waiting, body))
    }
}

impl Shared {
    /// False where the body was forgotten, or another one is to be written for the message.
    pub(super) fn awaits(&self, key: &BodyKey, body: &Arc<Body>) -> bool {
        self.0.lock().awaits(key, body)
    }

    pub(super) fn no_longer_waits(&self, key: &BodyKey, body: &Arc<Body>) {
        let mut contents = self.0.lock();
        if contents.awaits(key, body) {
            contents.no_longer_waits(key);
        }
    }

    /// A body lies on disk, unless it was forgotten while it was written.
    pub(super) fn shelve(&self, key: BodyKey, body: &Arc<Body>, place: Place) {
        let mut contents = self.0.lock();
        if contents.awaits(&key, body) {
            contents.shelf.put(key, place);
        } else if let Place::Large(path) = place {
            remove(&path);
        }
    }

    /// Tells that the disk cannot be written, and what is done `instead`.
    pub(super) fn complain(&self, folder: &Path, error: &io::Error, instead: &str) {
        let mut contents = self.0.lock();
        if contents.told.is_some_and(|told| told.elapsed() < TELLING) {
            return;
        }
        contents.told = Some(Instant::now());
        drop(contents);
        log::warn!("{}: {error}; {instead}", folder.display());
    }

    pub(super) fn unshelve(&self, path: &Path) {
        self.0.lock().shelf.remove_file(path);
    }
}

pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        log::warn!("{} cannot be removed: {error}", path.display());
    }
}

#[cfg(test)]
mod tests;
