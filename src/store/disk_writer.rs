//! The thread that writes bodies to disk, and removes those that were read longest ago.
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::Body;
use super::disk::{Order, Waiting, forget};
use super::layout::{BodyKey, HEADER, Header, TEMPORARY};

/// Temporary files older than this were left behind by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

pub(super) struct DiskWriter {
    folder: PathBuf,
    limit: u64,
    waiting: Arc<Mutex<Waiting>>,
    /// The octets on disk, as far as this process knows; none before the first look.
    octets: Option<u64>,
    failing: bool,
}

/// A file of the folder.
struct Kept {
    read: SystemTime,
    octets: u64,
    path: PathBuf,
}

impl DiskWriter {
    pub(super) fn new(folder: PathBuf, limit: u64, waiting: Arc<Mutex<Waiting>>) -> Self {
        Self {
            folder,
            limit,
            waiting,
            octets: None,
            failing: false,
        }
    }

    /// Works until nobody can order any more.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Flush(reply) => drop(reply.send(())),
                Order::Keep(key, body) => {
                    if self.waiting.lock().awaits(&key, &body) {
                        let written = self.keep(&key, &body);
                        self.finish(&key, &body);
                        self.note(written);
                    }
                }
            }
        }
    }

    /// From here on the body is found on disk, unless it was forgotten while it was written.
    fn finish(&self, key: &BodyKey, body: &Arc<Body>) {
        let mut waiting = self.waiting.lock();
        match waiting.awaits(key, body) {
            true => waiting.forget(key),
            false => forget(&self.folder.join(key.file_name())),
        }
    }

    fn keep(&mut self, key: &BodyKey, body: &Body) -> io::Result<()> {
        let path = self.folder.join(key.file_name());
        match body.octets() {
            Ok(octets) => self.write(octets, &path)?,
            Err(in_file) => match in_file.temporary.lock().take() {
                Some(temporary) => temporary.persist(&path).map_err(|error| error.error)?,
                None => return Ok(()),
            },
        }
        let known = match self.octets {
            Some(octets) => octets + body.len() + HEADER as u64,
            None => self.look()?.iter().map(|kept| kept.octets).sum(),
        };
        self.octets = Some(known);
        if known > self.limit {
            self.make_room()?;
        }
        Ok(())
    }

    fn write(&self, octets: &[u8], path: &Path) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.folder)?;
        let header = Header {
            length: octets.len() as u64,
            checksum: crc32fast::hash(octets),
        };
        file.write_all(&header.octets())?;
        file.write_all(octets)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes a tenth more than must go, so that not every body makes us look at all of them. Looks at what is really
    /// there: other mounts of the account write and read too.
    fn make_room(&mut self) -> io::Result<()> {
        let mut kept = self.look()?;
        let mut octets: u64 = kept.iter().map(|kept| kept.octets).sum();
        if octets > self.limit {
            kept.sort_by_key(|kept| kept.read);
            for oldest in &kept {
                if octets <= self.limit / 10 * 9 {
                    break;
                }
                forget(&oldest.path);
                octets -= oldest.octets;
            }
        }
        self.octets = Some(octets);
        Ok(())
    }

    fn look(&self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another mount may have removed it by now.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let read = metadata.modified()?;
            let path = entry.path();
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                kept.push(Kept {
                    read,
                    octets: metadata.len(),
                    path,
                });
            } else if read.elapsed().is_ok_and(|age| age > ABANDONED) {
                forget(&path);
            }
        }
        Ok(kept)
    }

    /// A disk that is full or read-only is told of once, and tried on.
    fn note(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                log::warn!(
                    "{}: {error}; messages are kept in memory only",
                    self.folder.display()
                );
                self.failing = true;
            }
            Err(_) => {}
        }
    }
}
