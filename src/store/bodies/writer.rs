//! The thread that writes bodies to disk, and evicts the files that were read longest ago.

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
use super::body::{FileBody, OnDisk};
use super::contents::{SharedContents, WriterTask, remove_file};
use super::format::{
    BodyKey, HEADER, Header, RecordContent, TEMPORARY, is_segment, segment_name, segment_number,
};
use super::limits::{full, room};
use super::segments::{BodyLocation, READ_TIME_PRECISION, Segment};

/// The writer looks at its queue this often while there is work. A reader that puts a body into the
/// queue then does not have to wake the writer, which would cost about as much as writing the body.
const GATHERING: Duration = Duration::from_millis(5);
/// Temporary files older than this were left behind by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Writes to the cache on disk, in a thread of its own.
pub(super) struct DiskWriter {
    folder: PathBuf,
    limit: u64,
    contents: Arc<SharedContents>,
    /// The segment that this process appends to.
    open: Option<OpenSegment>,
}

/// A segment that is still appended to; only this process writes to it.
struct OpenSegment {
    segment: Arc<Segment>,
    file: File,
    end: u64,
}

/// A file in the folder, as eviction sees it.
struct CacheFile {
    read: SystemTime,
    octets: u64,
    path: PathBuf,
}

impl OpenSegment {
    /// Whether another mount has evicted it, or somebody has emptied the cache. Nobody would find
    /// what is written to it now.
    fn is_removed(&self) -> bool {
        !self.segment.path.exists()
    }

    /// Appends a record, usually with one system call.
    fn append(&mut self, head: &[u8; HEADER], octets: &[u8]) -> io::Result<()> {
        let slices = [IoSlice::new(head), IoSlice::new(octets)];
        let written = self.file.write_vectored(&slices)?;
        self.file.write_all(&head[written.min(HEADER)..])?;
        self.file
            .write_all(&octets[written.saturating_sub(HEADER)..])?;
        self.end += (HEADER + octets.len()) as u64;
        Ok(())
    }
}

impl DiskWriter {
    pub(super) fn new(folder: PathBuf, limit: u64, contents: Arc<SharedContents>) -> Self {
        Self {
            folder,
            limit,
            contents,
            open: None,
        }
    }

    /// Works until the sender of the tasks is gone.
    pub(super) fn run(mut self, tasks: &Receiver<WriterTask>) {
        while let Ok(first) = tasks.recv() {
            self.perform(first);
            for next in tasks.try_iter() {
                self.perform(next);
            }
            thread::sleep(GATHERING);
        }
    }

    fn perform(&mut self, task: WriterTask) {
        match task {
            // Whoever asked may be gone.
            WriterTask::Flush(reply) => drop(reply.send(())),
            WriterTask::EndSegment(path) => {
                self.open.take_if(|open| open.segment.path == path);
            }
            WriterTask::Forget(key) => {
                let forgotten = self.forget(key);
                self.report(forgotten);
            }
            WriterTask::Keep(key, body) => self.keep(key, &body),
        }
    }

    /// Removes the body, whichever mount has written it, and wherever it lies.
    fn forget(&mut self, key: BodyKey) -> io::Result<()> {
        remove_file(&self.folder.join(key.large_name()));
        let newest = self.newest_segment()?;
        self.open
            .take_if(|open| newest.as_deref() > open.segment.path.file_name());
        self.append(key, RecordContent::Forgotten, &[]).map(drop)
    }

    fn keep(&mut self, key: BodyKey, body: &Arc<Body>) {
        if !self.contents.is_waiting(&key, body) {
            return;
        }
        let kept = self
            .write(key, body)
            .map(|location| self.contents.record_location(key, body, location));
        self.contents.remove_waiting(&key, body);
        self.report(kept);
    }

    fn write(&mut self, key: BodyKey, body: &Body) -> io::Result<BodyLocation> {
        match body.octets() {
            Ok(octets) => {
                let length = octets.len() as u64;
                let checksum = body.checksum().unwrap_or_else(|| crc32fast::hash(octets));
                self.append(key, RecordContent::Body { length, checksum }, octets)
            }
            Err(OnDisk::File(file)) => self.move_into_cache(key, file),
            Err(OnDisk::Segment) => Err(already_kept()),
        }
    }

    /// Gives the temporary file of a large body its name in the cache.
    fn move_into_cache(&self, key: BodyKey, file: &FileBody) -> io::Result<BodyLocation> {
        let path = self.folder.join(key.large_name());
        let temporary = file.temporary.lock().take().ok_or_else(already_kept)?;
        file.write_header(&key)?;
        self.make_room(HEADER as u64 + file.length)?;
        temporary.persist(&path).map_err(|error| error.error)?;
        Ok(BodyLocation::Large(path))
    }

    /// Writes a record at the end of the open segment.
    fn append(
        &mut self,
        key: BodyKey,
        content: RecordContent,
        octets: &[u8],
    ) -> io::Result<BodyLocation> {
        let head = Header { key, content }.octets();
        let open = self.segment_for((HEADER + octets.len()) as u64)?;
        let (segment, offset) = (Arc::clone(&open.segment), open.end);
        if let Err(error) = open.append(&head, octets) {
            // Half a record takes room, and a mount would find nothing behind it.
            if open.file.set_len(offset).is_err() {
                self.open = None;
            }
            return Err(error);
        }
        Ok(BodyLocation::Segment {
            segment,
            offset,
            length: octets.len() as u64,
        })
    }

    /// A segment with room for a record of this many octets.
    fn segment_for(&mut self, record: u64) -> io::Result<&mut OpenSegment> {
        let full = full(self.limit);
        self.open
            .take_if(|open| open.end > 0 && open.end + record > full);
        if let Some(removed) = self.open.take_if(|open| open.is_removed()) {
            self.contents.forget_file(&removed.segment.path);
        }
        match self.open {
            Some(ref mut open) => Ok(open),
            None => {
                self.make_room(record.saturating_sub(full))?;
                let begun = self.begin_segment()?;
                Ok(self.open.insert(begun))
            }
        }
    }

    fn begin_segment(&self) -> io::Result<OpenSegment> {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        // The clock may have been set back, or another machine's clock may be ahead.
        let newest = self.newest_segment()?;
        let newest = newest.as_deref().and_then(segment_number);
        let after_newest = newest.map_or(0, |newest| newest.saturating_add(1));
        let number = since_epoch.as_nanos().max(after_newest);
        let path = self.folder.join(segment_name(number, std::process::id()));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(OpenSegment {
            segment: Arc::new(Segment::new(path, now)),
            file,
            end: 0,
        })
    }

    /// The name of the newest segment: its records override those in all others.
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

    /// Removes the files that were read longest ago, until a new segment and `wanted` more octets
    /// fit. It looks at the folder itself, because other mounts of the account write to it too.
    fn make_room(&self, wanted: u64) -> io::Result<()> {
        self.contents.segment_files.close_removed();
        let mut files = self.list_files()?;
        let mut octets: u64 = files.iter().map(|file| file.octets).sum();
        let most = room(self.limit).saturating_sub(wanted);
        files.sort_by_key(|file| file.read);
        for oldest in &files {
            if octets <= most {
                break;
            }
            remove_file(&oldest.path);
            self.contents.forget_file(&oldest.path);
            octets -= oldest.octets;
        }
        Ok(())
    }

    /// The complete files in the folder. Removes abandoned temporary ones.
    fn list_files(&self) -> io::Result<Vec<CacheFile>> {
        let now = SystemTime::now();
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another mount may have removed the file by now.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            let read = match metadata.modified()? {
                future if future > now => replace_future_mtime(&path, now),
                read => read,
            };
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                files.push(CacheFile {
                    read,
                    octets: metadata.len(),
                    path,
                });
            } else if read.elapsed().is_ok_and(|age| age > ABANDONED) {
                remove_file(&path);
            }
        }
        Ok(files)
    }

    /// Reports a failure. The writer goes on trying: a smaller body may still fit.
    fn report(&self, written: io::Result<()>) {
        if let Err(error) = written {
            let instead = "messages are kept in memory only";
            self.contents.report_failure(&self.folder, &error, instead);
        }
    }
}

fn already_kept() -> io::Error {
    io::Error::other("the body is in the cache already")
}

/// Gives the file a time of reading in the past, and returns it. With a time in the future, from a
/// clock that ran ahead, the file would outlive all others.
fn replace_future_mtime(path: &Path, now: SystemTime) -> SystemTime {
    let read = now.checked_sub(READ_TIME_PRECISION).unwrap_or(UNIX_EPOCH);
    let times = FileTimes::new().set_modified(read);
    if let Err(error) = File::open(path).and_then(|file| file.set_times(times)) {
        log::debug!("{} keeps a time in the future: {error}", path.display());
    }
    read
}
