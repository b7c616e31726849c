//! The thread that writes bodies to disk, and removes the files that were read longest ago.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Body;
use super::disk::{Order, Shared, remove};
use super::format::{
    BodyKey, Content, HEADER, Header, TEMPORARY, is_segment, segment_name, segment_number,
};
use super::segments::{Place, READ_GRAIN, Shelved};

/// The rest between two looks at the queue. Whoever puts a body into it does not have to wake anybody then, which costs about
/// as much as writing it.
const GATHERING: Duration = Duration::from_millis(5);
/// Temporary files older than this were left behind by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Into so many segments the limit is divided: what is removed at once.
const SEGMENTS: u64 = 64;
/// The least octets of a segment that is full, unless the limit is no more than two of these.
const LEAST_SEGMENT: u64 = 1024 * 1024;

pub(super) struct DiskWriter {
    folder: PathBuf,
    limit: u64,
    shared: Arc<Shared>,
    /// The one that is being filled: only this process writes to it.
    segment: Option<Filling>,
}

struct Filling {
    segment: Arc<Shelved>,
    file: File,
    end: u64,
}

/// A file of the folder.
struct Kept {
    read: SystemTime,
    octets: u64,
    path: PathBuf,
}

impl Filling {
    /// By us or by another mount, for it was read longest ago, or by somebody who empties the cache: nobody finds what is
    /// written to it now.
    fn is_removed(&self) -> bool {
        !self.segment.path.exists()
    }
}

/// What is kept of a limit when a segment has just begun. A body that takes more would displace all others.
pub(super) fn room(limit: u64) -> u64 {
    limit - full(limit)
}

/// The octets of a segment that is full.
fn full(limit: u64) -> u64 {
    (limit / SEGMENTS).max(LEAST_SEGMENT).min(limit / 2)
}

impl DiskWriter {
    pub(super) fn new(folder: PathBuf, limit: u64, shared: Arc<Shared>) -> Self {
        Self {
            folder,
            limit,
            shared,
            segment: None,
        }
    }

    /// Works until nobody can order any more.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            self.obey(first);
            for next in orders.try_iter() {
                self.obey(next);
            }
            thread::sleep(GATHERING);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Flush(reply) => drop(reply.send(())),
            Order::EndSegment(path) => {
                self.segment.take_if(|filling| filling.segment.path == path);
            }
            Order::Forget(key) => {
                let written = self.forget(key);
                self.note(written);
            }
            Order::Keep(key, body) => {
                if self.shared.awaits(&key, &body) {
                    let kept = self.keep(key, &body);
                    let kept = kept.map(|place| self.shared.shelve(key, &body, place));
                    self.shared.no_longer_waits(&key, &body);
                    self.note(kept);
                }
            }
        }
    }

    /// Whatever mount has kept the body, and wherever.
    fn forget(&mut self, key: BodyKey) -> io::Result<()> {
        remove(&self.folder.join(key.large_name()));
        let newest = self.newest_segment()?;
        self.segment
            .take_if(|filling| newest.as_deref() > filling.segment.path.file_name());
        self.append(key, Content::Forgotten, &[]).map(drop)
    }

    fn keep(&mut self, key: BodyKey, body: &Body) -> io::Result<Place> {
        match body.octets() {
            Ok(octets) => {
                let (length, checksum) = (octets.len() as u64, crc32fast::hash(octets));
                self.append(key, Content::Body { length, checksum }, octets)
            }
            Err(in_file) => {
                let path = self.folder.join(key.large_name());
                let temporary = in_file.temporary.lock().take();
                let temporary = temporary.ok_or_else(|| io::Error::other("it is kept already"))?;
                in_file.finish(&key)?;
                self.make_room(HEADER as u64 + in_file.length)?;
                temporary.persist(&path).map_err(|error| error.error)?;
                Ok(Place::Large(path))
            }
        }
    }

    /// Writes a record at the end of the segment, in one system call as a rule.
    fn append(&mut self, key: BodyKey, content: Content, octets: &[u8]) -> io::Result<Place> {
        let head = Header { key, content }.octets();
        let record = (HEADER + octets.len()) as u64;
        let filling = self.filling(record)?;
        let (segment, offset) = (Arc::clone(&filling.segment), filling.end);
        let file = &mut filling.file;
        let written = file
            .write_vectored(&[IoSlice::new(&head), IoSlice::new(octets)])
            .and_then(|written| {
                let rest = [
                    &head[written.min(HEADER)..],
                    &octets[written.saturating_sub(HEADER)..],
                ];
                rest.iter().try_for_each(|rest| file.write_all(rest))
            });
        if let Err(error) = written {
            // Half a record takes room, and behind it nothing would be found.
            if file.set_len(offset).is_err() {
                self.segment = None;
            }
            return Err(error);
        }
        filling.end += record;
        Ok(Place::Segment {
            segment,
            offset,
            length: octets.len() as u64,
        })
    }

    /// The segment for a record of so many octets.
    fn filling(&mut self, record: u64) -> io::Result<&mut Filling> {
        let full = full(self.limit);
        self.segment
            .take_if(|filling| filling.end > 0 && filling.end + record > full);
        if let Some(removed) = self.segment.take_if(|filling| filling.is_removed()) {
            self.shared.unshelve(&removed.segment.path);
        }
        match self.segment {
            Some(ref mut filling) => Ok(filling),
            None => {
                self.make_room(record.saturating_sub(full))?;
                let begun = self.begin_segment()?;
                Ok(self.segment.insert(begun))
            }
        }
    }

    fn begin_segment(&self) -> io::Result<Filling> {
        let now = SystemTime::now();
        let age = now
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        // The clock may have been put back since, or be another machine's.
        let newest = self.newest_segment()?;
        let newest = newest.as_deref().and_then(segment_number);
        let number = newest.map_or(age, |newest| age.max(newest.saturating_add(1)));
        let path = self.folder.join(segment_name(number, std::process::id()));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Filling {
            segment: Arc::new(Shelved::new(path, now)),
            file,
            end: 0,
        })
    }

    /// The name of the segment whose records count most.
    fn newest_segment(&self) -> io::Result<Option<OsString>> {
        let mut newest = None;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if is_segment(&name) {
                newest = newest.max(Some(name));
            }
        }
        Ok(newest)
    }

    /// Removes the files that were read longest ago, until there is room for a new segment, and for so many octets more.
    /// Looks at what is really there: other mounts of the account write and read too.
    fn make_room(&self, wanted: u64) -> io::Result<()> {
        let mut kept = self.look()?;
        let mut octets: u64 = kept.iter().map(|kept| kept.octets).sum();
        let most = room(self.limit).saturating_sub(wanted);
        kept.sort_by_key(|kept| kept.read);
        for oldest in &kept {
            if octets <= most {
                break;
            }
            remove(&oldest.path);
            self.shared.unshelve(&oldest.path);
            octets -= oldest.octets;
        }
        Ok(())
    }

    fn look(&self) -> io::Result<Vec<Kept>> {
        let now = SystemTime::now();
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another mount may have removed it by now.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            let read = match metadata.modified()? {
                ahead if ahead > now => age(&path, now),
                read => read,
            };
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                kept.push(Kept {
                    read,
                    octets: metadata.len(),
                    path,
                });
            } else if read.elapsed().is_ok_and(|age| age > ABANDONED) {
                remove(&path);
            }
        }
        Ok(kept)
    }

    /// A disk that is full or read-only is tried on: what is small may still fit.
    fn note(&self, written: io::Result<()>) {
        if let Err(error) = written {
            let instead = "messages are kept in memory only";
            self.shared.complain(&self.folder, &error, instead);
        }
    }
}

/// A file of a clock that ran ahead would outlive all others: it was read a while ago, for all that is known.
fn age(path: &Path, now: SystemTime) -> SystemTime {
    let read = now.checked_sub(READ_GRAIN).unwrap_or(UNIX_EPOCH);
    let times = FileTimes::new().set_modified(read);
    if let Err(error) = File::open(path).and_then(|file| file.set_times(times)) {
        log::debug!("{} is of a time to come: {error}", path.display());
    }
    read
}
