//! The bodies on disk: one file a message, shared by all mounts of the account.
//!
//! A file is written under a temporary name and renamed when it is whole, by a thread of its own, so that no reader waits
//! for the disk. It is verified when it is read: a damaged one is removed, and fetched again. The files that were read
//! longest ago go first when all together are larger than the limit; the mtime of a file tells when that was.
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, FileTimes};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::body::InFile;
use super::disk_writer::DiskWriter;
use super::layout::{BodyKey, HEADER, Header};
use super::{Body, CacheFolder, Incoming, StoreError};

/// The folder of the bodies in the account's.
const FOLDER: &str = "bodies";
/// A body of more octets is read from its file as it is asked for, and not into the memory.
const MOST_IN_MEMORY: u64 = 4 * 1024 * 1024;
/// With more octets than this waiting for the disk, it is behind.
const BEHIND: u64 = 16 * 1024 * 1024;
/// With more octets than this waiting, a body is not kept on disk at all.
const FAR_BEHIND: u64 = 48 * 1024 * 1024;
/// How exactly it is known when a file was read last.
const READ_GRAIN: Duration = Duration::from_secs(3600);

/// The bodies of one account on disk, or nothing where the user wants no byte of mail there.
#[derive(Debug)]
pub struct Disk(Option<Cache>);

#[derive(Debug)]
struct Cache {
    folder: PathBuf,
    limit: u64,
    waiting: Arc<Mutex<Waiting>>,
    orders: Option<Sender<Order>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The bodies that are going to be written: they are found here until they are found on disk.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bodies: HashMap<BodyKey, Arc<Body>>,
    /// What they take of the memory.
    octets: u64,
}

impl Waiting {
    fn add(&mut self, key: BodyKey, body: &Arc<Body>) {
        self.octets += body.in_memory();
        if let Some(before) = self.bodies.insert(key, Arc::clone(body)) {
            self.octets -= before.in_memory();
        }
    }

    /// False where the body was forgotten, or another one is to be written for the message.
    pub(super) fn awaits(&self, key: &BodyKey, body: &Arc<Body>) -> bool {
        self.bodies
            .get(key)
            .is_some_and(|waiting| Arc::ptr_eq(waiting, body))
    }

    pub(super) fn forget(&mut self, key: &BodyKey) {
        if let Some(body) = self.bodies.remove(key) {
            self.octets -= body.in_memory();
        }
    }
}

/// What the writer's thread is asked for.
pub(super) enum Order {
    Keep(BodyKey, Arc<Body>),
    Flush(Sender<()>),
}

impl Disk {
    /// The bodies in the folder of an account, at most `limit` octets of them.
    ///
    /// # Errors
    /// When the folder cannot be made, or there is no thread to write.
    pub fn open(account: &CacheFolder, limit: u64) -> Result<Self, StoreError> {
        let folder = account.path().join(FOLDER);
        let refuse = |doing, source| StoreError::Io {
            doing,
            path: folder.clone(),
            source,
        };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(refuse("create", error));
            }
            _ => {}
        }
        let (orders, taken) = mpsc::channel();
        let waiting = Arc::default();
        let writer = DiskWriter::new(folder.clone(), limit, Arc::clone(&waiting));
        let thread = thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || writer.run(&taken));
        let thread =
            Mutex::new(Some(thread.map_err(|error| {
                refuse("start the thread that writes to", error)
            })?));
        Ok(Self(Some(Cache {
            folder,
            limit,
            waiting,
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
        self.0
            .as_ref()
            .is_some_and(|cache| cache.is_waiting(key) || cache.path(key).exists())
    }

    /// The body, verified; none where it is missing or damaged.
    pub fn load(&self, key: &BodyKey) -> Option<Arc<Body>> {
        let cache = self.0.as_ref()?;
        if let Some(body) = cache.waiting.lock().bodies.get(key) {
            return Some(Arc::clone(body));
        }
        let path = cache.path(key);
        match read_verified(&path) {
            Ok(body) => Some(Arc::new(body)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                log::warn!(
                    "{} is damaged ({error}): its message is fetched again",
                    path.display()
                );
                forget(&path);
                None
            }
        }
    }

    /// Keeps a body, soon. Where the disk is far behind, it does not.
    pub fn keep(&self, key: BodyKey, body: &Arc<Body>) {
        let Some(cache) = &self.0 else { return };
        let mut waiting = cache.waiting.lock();
        if body.len() > cache.limit || waiting.octets > FAR_BEHIND {
            return;
        }
        waiting.add(key, body);
        drop(waiting);
        cache.order(Order::Keep(key, Arc::clone(body)));
    }

    /// Removes a body whose message has changed.
    pub fn forget(&self, key: &BodyKey) {
        if let Some(cache) = &self.0 {
            cache.waiting.lock().forget(key);
            forget(&cache.path(key));
        }
    }

    /// Whether it would be better not to fetch ahead for now.
    pub fn is_behind(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|cache| cache.waiting.lock().octets > BEHIND)
    }

    /// A body that is going to arrive. Where it is large it goes through this disk or, without one, through an unlinked
    /// file of the system's folder for temporary files.
    pub fn incoming(&self) -> Incoming {
        Incoming::new(self.0.as_ref().map(|cache| cache.folder.clone()))
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
    fn is_waiting(&self, key: &BodyKey) -> bool {
        self.waiting.lock().bodies.contains_key(key)
    }

    fn path(&self, key: &BodyKey) -> PathBuf {
        self.folder.join(key.file_name())
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
        if let Some(thread) = self.thread.lock().take() {
            let _panicked_is_logged = thread.join();
        }
    }
}

/// A small body comes into the memory; a large one is read once to be verified, and stays where it is.
fn read_verified(path: &Path) -> io::Result<Body> {
    let mut file = File::open(path)?;
    let mut head = [0; HEADER];
    file.read_exact(&mut head)?;
    let header = Header::parse(head).ok_or(ErrorKind::InvalidData)?;
    let metadata = file.metadata()?;
    if metadata.len() != header.length + HEADER as u64 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    note_reading(&file, metadata.modified()?);
    if header.length <= MOST_IN_MEMORY {
        let mut octets = Vec::with_capacity(header.length as usize);
        file.read_to_end(&mut octets)?;
        check(crc32fast::hash(&octets), header)?;
        return Ok(Body::new(octets));
    }
    check(checksum_of_rest(&mut file)?, header)?;
    let temporary = Mutex::new(None);
    Ok(Body::in_file(InFile {
        file,
        start: HEADER as u64,
        length: header.length,
        temporary,
    }))
}

fn check(checksum: u32, header: Header) -> io::Result<()> {
    if checksum == header.checksum {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

fn checksum_of_rest(file: &mut File) -> io::Result<u32> {
    let mut checksum = crc32fast::Hasher::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(checksum.finalize()),
            read => checksum.update(&chunk[..read]),
        }
    }
}

/// As relatime does: seldom enough to cost nothing.
fn note_reading(file: &File, last: SystemTime) {
    if last.elapsed().is_ok_and(|age| age > READ_GRAIN) {
        let now = FileTimes::new().set_modified(SystemTime::now());
        if let Err(error) = file.set_times(now) {
            log::debug!("a body's time of reading is not kept: {error}");
        }
    }
}

pub(super) fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        log::warn!("{} cannot be removed: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        _base: tempfile::TempDir,
        account: CacheFolder,
    }

    impl Fixture {
        fn new() -> Self {
            let base = tempfile::tempdir().unwrap();
            let account = CacheFolder::open(base.path(), "alice@example.org:995").unwrap();
            Self {
                _base: base,
                account,
            }
        }

        fn disk(&self, limit: u64) -> Disk {
            Disk::open(&self.account, limit).unwrap()
        }

        fn files(&self) -> usize {
            fs::read_dir(self.account.path().join(FOLDER))
                .unwrap()
                .count()
        }
    }

    fn key(number: u32) -> BodyKey {
        BodyKey::new(b"uidl", number)
    }

    fn incoming(disk: &Disk, octets: &[u8]) -> Arc<Body> {
        let mut incoming = disk.incoming();
        for chunk in octets.chunks(1_000_000) {
            incoming.push(chunk).unwrap();
        }
        Arc::new(incoming.finish().unwrap())
    }

    fn octets(body: &Body) -> Vec<u8> {
        body.read_at(0, usize::MAX).unwrap().into_owned()
    }

    fn patterned(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn small_and_large_bodies_are_there_at_the_next_mount() {
        let fixture = Fixture::new();
        let (small, large) = (patterned(10_000), patterned(9_000_000));
        let disk = fixture.disk(1 << 30);
        disk.keep(key(1), &incoming(&disk, &small));
        let before = incoming(&disk, &large);
        disk.keep(key(2), &before);
        drop(disk);
        assert_eq!(octets(&before), large);
        let disk = fixture.disk(1 << 30);
        assert_eq!(octets(&disk.load(&key(1)).unwrap()), small);
        let loaded = disk.load(&key(2)).unwrap();
        assert_eq!((loaded.in_memory(), octets(&loaded)), (0, large));
        assert!(disk.load(&key(3)).is_none() && !disk.contains(&key(3)));
    }

    #[test]
    fn a_damaged_body_is_removed() {
        let fixture = Fixture::new();
        let disk = fixture.disk(1 << 30);
        for length in [1, 5_000_000] {
            for damage in [0, 9, 13, HEADER] {
                disk.keep(key(1), &incoming(&disk, &patterned(length)));
                disk.flush();
                let path = fixture.account.path().join(FOLDER).join(key(1).file_name());
                let mut file = fs::read(&path).unwrap();
                file[damage] ^= 1;
                fs::write(&path, file).unwrap();
                assert!(disk.load(&key(1)).is_none(), "{length} {damage}");
                assert!(!disk.contains(&key(1)));
            }
        }
    }

    #[test]
    fn a_truncated_body_is_removed() {
        let fixture = Fixture::new();
        let disk = fixture.disk(1 << 30);
        for left in [0, 5, HEADER as u64, 500] {
            disk.keep(key(1), &incoming(&disk, &patterned(1_000)));
            disk.flush();
            let path = fixture.account.path().join(FOLDER).join(key(1).file_name());
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(left)
                .unwrap();
            assert!(disk.load(&key(1)).is_none());
        }
    }

    #[test]
    fn what_was_read_longest_ago_goes_first() {
        let fixture = Fixture::new();
        let disk = fixture.disk(100_000);
        let bodies = fixture.account.path().join(FOLDER);
        for number in 1..=9 {
            disk.keep(key(number), &incoming(&disk, &patterned(10_000)));
            disk.flush();
            let age = Duration::from_secs(36_000 - u64::from(number));
            let times = FileTimes::new().set_modified(SystemTime::now() - age);
            File::open(bodies.join(key(number).file_name()))
                .unwrap()
                .set_times(times)
                .unwrap();
        }
        assert!(disk.load(&key(1)).is_some());
        disk.keep(key(10), &incoming(&disk, &patterned(15_000)));
        disk.flush();
        assert!(disk.contains(&key(1)) && disk.contains(&key(10)));
        assert!(!disk.contains(&key(2)));
        let left: u64 = fs::read_dir(bodies)
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!(left <= 100_000, "{left}");
    }

    #[test]
    fn a_body_over_the_limit_leaves_nothing_behind() {
        let fixture = Fixture::new();
        let disk = fixture.disk(1_000_000);
        let body = incoming(&disk, &patterned(5_000_000));
        disk.keep(key(1), &body);
        disk.flush();
        assert_eq!(octets(&body).len(), 5_000_000);
        drop(body);
        assert_eq!(fixture.files(), 0);
    }

    #[test]
    fn without_a_disk_nothing_is_kept_and_large_bodies_still_arrive() {
        let disk = Disk::off();
        let body = incoming(&disk, &patterned(5_000_000));
        disk.keep(key(1), &body);
        assert_eq!(octets(&body), patterned(5_000_000));
        assert!(disk.load(&key(1)).is_none());
    }

    #[test]
    fn a_body_is_found_from_the_moment_it_is_kept() {
        let fixture = Fixture::new();
        let disk = fixture.disk(1 << 30);
        for number in 1..200 {
            disk.keep(key(number), &incoming(&disk, &patterned(20_000)));
            assert!(disk.contains(&key(number)) && disk.load(&key(number)).is_some());
        }
    }
}
