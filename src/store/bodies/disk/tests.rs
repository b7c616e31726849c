//! Each test has a cache folder of its own, and plays what other mounts and the machine do to it.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use super::super::contents::remove_file;
use super::super::format::segment_name;
use super::super::limits::room;
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

    fn files(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.account.path().join(BODIES_FOLDER)).unwrap();
        folder.map(|entry| entry.unwrap().path()).collect()
    }

    /// The octets of all files.
    fn octets(&self) -> u64 {
        let files = self.files();
        files
            .iter()
            .map(|file| file.metadata().unwrap().len())
            .sum()
    }

    /// The only file.
    fn file(&self) -> PathBuf {
        let [file] = self.files().try_into().unwrap();
        file
    }
}

const ENOUGH: u64 = 1 << 30;

fn key(number: u32) -> BodyKey {
    BodyKey::new(b"uidl", number)
}

fn incoming(disk: &Disk, octets: &[u8]) -> Arc<Body> {
    let mut incoming = disk.incoming(0);
    for chunk in octets.chunks(1_000_000) {
        incoming.push(chunk).unwrap();
    }
    Arc::new(incoming.finish())
}

fn octets(body: &Body) -> Vec<u8> {
    body.read_at(0, usize::MAX, &mut Vec::new())
        .unwrap()
        .to_vec()
}

fn patterned(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn bodies_of_all_sizes_are_there_at_the_next_mount() {
    let fixture = Fixture::new();
    let (small, large) = (patterned(10_000), patterned(9_000_000));
    let disk = fixture.disk(ENOUGH);
    disk.keep(key(1), &incoming(&disk, &small));
    let before = incoming(&disk, &large);
    disk.keep(key(2), &before);
    disk.keep(key(3), &incoming(&disk, b""));
    drop(disk);
    assert_eq!(octets(&before), large);
    let disk = fixture.disk(ENOUGH);
    assert_eq!(octets(&disk.load(&key(1)).unwrap()), small);
    let loaded = disk.load(&key(2)).unwrap();
    assert_eq!((loaded.in_memory(), octets(&loaded)), (0, large));
    assert!(disk.load(&key(3)).unwrap().is_empty());
    assert!(disk.load(&key(4)).is_none() && !disk.contains(&key(4)));
}

#[test]
fn the_last_body_of_a_message_overrides_earlier_ones() {
    let fixture = Fixture::new();
    for length in [10, 20, 5_000_000, 30] {
        let disk = fixture.disk(ENOUGH);
        disk.forget(&key(1));
        assert!(!disk.contains(&key(1)));
        disk.keep(key(1), &incoming(&disk, &patterned(length)));
        drop(disk);
        assert_eq!(
            fixture.disk(ENOUGH).load(&key(1)).unwrap().len(),
            length as u64
        );
    }
}

#[test]
fn the_next_mount_does_not_find_a_forgotten_body() {
    let fixture = Fixture::new();
    for length in [10, 5_000_000] {
        let disk = fixture.disk(ENOUGH);
        disk.keep(key(1), &incoming(&disk, &patterned(length)));
        disk.forget(&key(1));
        assert!(disk.load(&key(1)).is_none());
        disk.keep(key(1), &incoming(&disk, &patterned(length)));
        disk.flush();
        disk.forget(&key(1));
        drop(disk);
        assert!(fixture.disk(ENOUGH).load(&key(1)).is_none());
    }
}

#[test]
fn a_damaged_body_counts_as_missing_and_can_be_kept_again() {
    for length in [1, 5_000_000] {
        for damage in [0, 9, 25, 33, HEADER] {
            let fixture = Fixture::new();
            let disk = fixture.disk(ENOUGH);
            disk.keep(key(1), &incoming(&disk, &patterned(length)));
            disk.flush();
            let path = fixture.file();
            let mut file = fs::read(&path).unwrap();
            file[damage] ^= 1;
            fs::write(&path, file).unwrap();
            assert!(disk.load(&key(1)).is_none(), "{length} {damage}");
            assert!(!disk.contains(&key(1)));
            assert!(fixture.disk(ENOUGH).load(&key(1)).is_none());
            disk.keep(key(1), &incoming(&disk, &patterned(length)));
            disk.flush();
            assert!(
                fixture.disk(ENOUGH).load(&key(1)).is_some(),
                "{length} {damage}"
            );
        }
    }
}

#[test]
fn a_truncated_segment_keeps_its_complete_bodies() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    (1..=3).for_each(|number| disk.keep(key(number), &incoming(&disk, &patterned(1_000))));
    drop(disk);
    let record = (HEADER + 1_000) as u64;
    for (left, whole) in [
        (3 * record - 1, 2),
        (2 * record + 5, 2),
        (2 * record, 2),
        (record - 1, 0),
        (0, 0),
    ] {
        File::options()
            .write(true)
            .open(fixture.file())
            .unwrap()
            .set_len(left)
            .unwrap();
        let disk = fixture.disk(ENOUGH);
        let found = (1..=3)
            .filter(|&number| disk.load(&key(number)).is_some())
            .count();
        assert_eq!(found, whole, "{left}");
    }
}

#[test]
fn the_file_that_was_read_longest_ago_is_evicted_first() {
    const LIMIT: u64 = 8 << 20;
    let fixture = Fixture::new();
    let disk = fixture.disk(LIMIT);
    for number in 1..=7 {
        disk.keep(key(number), &incoming(&disk, &patterned(1 << 20)));
        disk.flush();
    }
    let mut segments = fixture.files();
    segments.sort();
    for (age, segment) in (1..).zip(segments.iter().rev()) {
        let times =
            FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3600 * age));
        File::open(segment).unwrap().set_times(times).unwrap();
    }
    let disk = fixture.disk(LIMIT);
    assert!(disk.load(&key(1)).is_some());
    for number in 11..=13 {
        disk.keep(key(number), &incoming(&disk, &patterned(1 << 20)));
        disk.flush();
    }
    assert!(disk.contains(&key(1)) && disk.contains(&key(13)));
    assert!(!disk.contains(&key(2)));
    assert!(fixture.octets() <= LIMIT, "{}", fixture.octets());
}

#[test]
fn a_body_over_the_limit_leaves_no_file_behind() {
    let fixture = Fixture::new();
    let disk = fixture.disk(1_000_000);
    let body = incoming(&disk, &patterned(5_000_000));
    disk.keep(key(1), &body);
    disk.flush();
    assert_eq!(octets(&body).len(), 5_000_000);
    drop(body);
    assert!(fixture.files().is_empty());
}

#[test]
fn a_body_that_is_not_kept_has_no_name_while_it_is_read() {
    let fixture = Fixture::new();
    let disk = fixture.disk(1_000_000);
    let body = incoming(&disk, &patterned(5_000_000));
    assert_eq!(fixture.files().len(), 1);
    disk.keep(key(1), &body);
    assert!(fixture.files().is_empty());
    assert!(octets(&body) == patterned(5_000_000));
}

#[test]
fn bodies_that_readers_hold_count_against_the_memory() {
    let fixture = Fixture::new();
    for disk in [fixture.disk(ENOUGH), Disk::off()] {
        let disk = disk.with_memory(1_000_000);
        let mut held: Vec<Arc<Body>> = (0..20)
            .map(|_| incoming(&disk, &patterned(300_000)))
            .collect();
        let in_memory: u64 = held.iter().map(|body| body.in_memory()).sum();
        assert!(in_memory <= 1_300_000, "{in_memory}");
        assert!(held.iter().all(|body| octets(body) == patterned(300_000)));
        assert_eq!(incoming(&disk, &patterned(60_000)).in_memory(), 60_000);
        held.clear();
        assert_eq!(incoming(&disk, &patterned(300_000)).in_memory(), 300_000);
    }
}

fn open_descriptors(fixture: &Fixture) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let is_of_account = |path: &PathBuf| path.starts_with(fixture.account.path());
    open.filter(is_of_account).count()
}

#[test]
fn at_most_64_segments_are_kept_open() {
    let fixture = Fixture::new();
    for number in 1..=100 {
        let disk = fixture.disk(ENOUGH);
        disk.keep(key(number), &incoming(&disk, b"one"));
    }
    let disk = fixture.disk(ENOUGH);
    assert!((1..=100).all(|number| disk.load(&key(number)).is_some()));
    assert_eq!(open_descriptors(&fixture), 64);
    drop(disk);
    assert_eq!(open_descriptors(&fixture), 0);
}

#[test]
fn a_removed_segment_is_closed_and_its_open_bodies_still_read() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    (1..=2).for_each(|number| disk.keep(key(number), &incoming(&disk, b"a\r\nb")));
    disk.flush();
    let body = disk.open_small(&key(1), 4, 1).unwrap();
    remove_file(&fixture.file());
    assert!(disk.open_small(&key(2), 4, 1).is_none());
    assert_eq!(octets(&body), b"a\r\nb");
    drop(body);
    disk.flush();
    assert_eq!(open_descriptors(&fixture), 0);
}

#[test]
fn a_body_that_is_opened_is_verified_by_its_first_read() {
    let fixture = Fixture::new();
    let (long, disk) = (patterned(700_000), fixture.disk(ENOUGH));
    let crlfs = Body::new(long.clone()).crlfs();
    let open = || disk.open_small(&key(1), long.len() as u64, crlfs).unwrap();
    disk.keep(key(1), &incoming(&disk, &long));
    disk.flush();
    let mut buffer = Vec::new();
    for (at, length) in [(0, usize::MAX), (5, 10), (600_000, 4096), (699_999, 1)] {
        let body = open();
        assert_eq!((body.in_memory(), body.len()), (0, 700_000));
        let read = body.read_at(at, length, &mut buffer).unwrap();
        let end = (at as usize).saturating_add(length).min(long.len());
        assert!(read == &long[at as usize..end], "{length} at {at}");
        assert_eq!(body.whole().unwrap(), long);
    }
    let body = open();
    let mut file = fs::read(fixture.file()).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(fixture.file(), file).unwrap();
    for (at, length) in [(0, usize::MAX), (0, 10)] {
        let error = body.read_at(at, length, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    assert!(disk.load(&key(1)).is_none());
    assert!(!disk.contains(&key(1)));
}

#[test]
fn a_short_body_is_verified_by_each_read() {
    let fixture = Fixture::new();
    let (short, disk) = (patterned(70_000), fixture.disk(ENOUGH));
    let crlfs = Body::new(short.clone()).crlfs();
    disk.keep(key(1), &incoming(&disk, &short));
    disk.flush();
    let body = disk.open_small(&key(1), 70_000, crlfs).unwrap();
    let mut buffer = Vec::new();
    assert_eq!(body.read_at(0, 70_000, &mut buffer).unwrap(), short);
    assert_eq!(
        body.read_at(69_990, 100, &mut buffer).unwrap(),
        &short[69_990..]
    );
    let mut file = fs::read(fixture.file()).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(fixture.file(), file).unwrap();
    for (at, length) in [(0, 70_000), (0, 10), (69_990, 100)] {
        let error = body.read_at(at, length, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}

#[test]
fn a_body_is_not_opened_if_the_index_says_something_else() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    disk.keep(key(1), &incoming(&disk, b"a\r\nb"));
    disk.keep(key(2), &incoming(&disk, &patterned(5_000_000)));
    disk.flush();
    assert!(disk.open_small(&key(1), 5, 1).is_none());
    assert!(disk.open_small(&key(2), 5_000_000, 0).is_none());
    let body = disk.open_small(&key(1), 4, 2).unwrap();
    assert!(body.whole().is_err(), "it has another number of CRLFs");
}

#[test]
fn bodies_another_mount_removed_can_be_kept_again() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    (1..=2).for_each(|number| disk.keep(key(number), &incoming(&disk, &patterned(10))));
    disk.keep(key(3), &incoming(&disk, &patterned(5_000_000)));
    disk.flush();
    fixture.files().iter().for_each(|file| remove_file(file));
    assert!(disk.load(&key(1)).is_none() && disk.load(&key(3)).is_none());
    assert!(!disk.contains(&key(2)), "it lay in the same file");
    (1..=3).for_each(|number| disk.keep(key(number), &incoming(&disk, &patterned(10))));
    drop(disk);
    assert_eq!(fixture.files().len(), 1);
    let disk = fixture.disk(ENOUGH);
    assert!((1..=3).all(|number| disk.load(&key(number)).is_some()));
}

#[test]
fn nothing_is_written_to_a_removed_segment() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    disk.keep(key(1), &incoming(&disk, b"one"));
    disk.flush();
    remove_file(&fixture.file());
    disk.keep(key(2), &incoming(&disk, b"two"));
    disk.flush();
    assert!(!disk.contains(&key(1)), "it was in the removed file");
    assert!(disk.contains(&key(2)) && fixture.disk(ENOUGH).contains(&key(2)));
    fs::remove_dir_all(fixture.account.path()).unwrap();
    disk.keep(key(3), &incoming(&disk, b"three"));
    disk.flush();
    assert!(!disk.contains(&key(2)) && !disk.contains(&key(3)));
}

#[test]
fn an_evicted_open_segment_is_not_written_to() {
    let fixture = Fixture::new();
    let disk = fixture.disk(10_000_000);
    disk.keep(key(1), &incoming(&disk, b"one"));
    disk.flush();
    let times = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3600));
    File::open(fixture.file())
        .unwrap()
        .set_times(times)
        .unwrap();
    for number in [2, 3] {
        disk.keep(key(number), &incoming(&disk, &patterned(5_000_000)));
        disk.flush();
    }
    disk.keep(key(4), &incoming(&disk, b"four"));
    disk.flush();
    assert!(!disk.contains(&key(1)));
    assert!(fixture.disk(ENOUGH).contains(&key(4)));
}

#[test]
fn a_body_that_would_evict_all_others_is_not_kept() {
    const LIMIT: u64 = 8 << 20;
    let fixture = Fixture::new();
    let disk = fixture.disk(LIMIT);
    disk.keep(key(1), &incoming(&disk, b"one"));
    for (number, length) in [(2, LIMIT), (3, room(LIMIT))] {
        disk.keep(key(number), &incoming(&disk, &patterned(length as usize)));
        disk.flush();
        assert!(!disk.contains(&key(number)) && disk.contains(&key(1)));
    }
    let length = room(LIMIT) as usize - HEADER;
    disk.keep(key(4), &incoming(&disk, &patterned(length)));
    disk.flush();
    assert!(disk.load(&key(4)).is_some() && !disk.contains(&key(1)));
    assert_eq!(fixture.files().len(), 1);
}

#[test]
fn a_small_limit_has_room_for_small_bodies() {
    const LIMIT: u64 = 1 << 20;
    let fixture = Fixture::new();
    let disk = fixture.disk(LIMIT);
    for number in 1..=4 {
        disk.keep(key(number), &incoming(&disk, &patterned(250_000)));
        disk.flush();
    }
    assert!((3..=4).all(|number| disk.contains(&key(number))));
    assert!(fixture.octets() <= LIMIT);
}

#[test]
fn a_large_body_arrives_though_the_folder_is_removed() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    fs::remove_dir_all(fixture.account.path()).unwrap();
    let body = incoming(&disk, &patterned(5_000_000));
    disk.keep(key(1), &body);
    assert!(!disk.contains(&key(1)));
    assert_eq!(octets(&body), patterned(5_000_000));
}

#[test]
fn the_last_body_is_found_after_the_clock_was_set_back() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    disk.keep(key(1), &incoming(&disk, b"old"));
    drop(disk);
    let ahead = fixture
        .file()
        .with_file_name(segment_name(u128::pow(10, 21), 1));
    fs::rename(fixture.file(), ahead).unwrap();
    let disk = fixture.disk(ENOUGH);
    disk.forget(&key(1));
    disk.keep(key(1), &incoming(&disk, b"new"));
    drop(disk);
    assert_eq!(octets(&fixture.disk(ENOUGH).load(&key(1)).unwrap()), b"new");
}

#[test]
fn a_mount_forgets_what_another_mount_has_kept() {
    for length in [3, 5_000_000] {
        let fixture = Fixture::new();
        let (one, other) = (fixture.disk(ENOUGH), fixture.disk(ENOUGH));
        one.keep(key(2), &incoming(&one, b"begins a segment"));
        one.flush();
        other.keep(key(1), &incoming(&other, &patterned(length)));
        other.flush();
        one.forget(&key(1));
        one.flush();
        assert!(!fixture.disk(ENOUGH).contains(&key(1)), "{length}");
        one.keep(key(1), &incoming(&one, b"new"));
        one.flush();
        assert_eq!(octets(&fixture.disk(ENOUGH).load(&key(1)).unwrap()), b"new");
        assert!(fixture.disk(ENOUGH).contains(&key(2)));
    }
}

#[test]
fn files_with_future_times_are_evicted_first() {
    const LIMIT: u64 = 8 << 20;
    let fixture = Fixture::new();
    let disk = fixture.disk(LIMIT);
    let keep = |disk: &Disk, number| {
        disk.keep(key(number), &incoming(disk, &patterned(1 << 20)));
        disk.flush();
    };
    (1..=6).for_each(|number| keep(&disk, number));
    let ahead = SystemTime::now() + Duration::from_secs(365 * 24 * 3600);
    for segment in fixture.files() {
        let times = FileTimes::new().set_modified(ahead);
        File::open(segment).unwrap().set_times(times).unwrap();
    }
    let disk = fixture.disk(LIMIT);
    assert!(disk.load(&key(1)).is_some());
    let read_now = |file: &PathBuf| file.metadata().unwrap().modified().unwrap() < ahead;
    assert_eq!(
        fixture.files().iter().filter(|file| read_now(file)).count(),
        1
    );
    (11..=16).for_each(|number| keep(&disk, number));
    assert!((11..=16).all(|number| disk.contains(&key(number))));
}

#[test]
fn two_mounts_share_a_folder() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.disk(ENOUGH), fixture.disk(ENOUGH));
    one.keep(key(1), &incoming(&one, b"one"));
    other.keep(key(2), &incoming(&other, b"other"));
    drop((one, other));
    let later = fixture.disk(ENOUGH);
    assert_eq!(octets(&later.load(&key(1)).unwrap()), b"one");
    assert_eq!(octets(&later.load(&key(2)).unwrap()), b"other");
}

#[test]
fn without_a_disk_large_bodies_still_arrive() {
    let disk = Disk::off();
    let body = incoming(&disk, &patterned(5_000_000));
    disk.keep(key(1), &body);
    assert_eq!(octets(&body), patterned(5_000_000));
    assert!(disk.load(&key(1)).is_none());
}

#[test]
fn a_body_is_found_from_the_moment_it_is_kept() {
    let fixture = Fixture::new();
    let disk = fixture.disk(ENOUGH);
    for number in 1..200 {
        disk.keep(key(number), &incoming(&disk, &patterned(20_000)));
        assert!(disk.contains(&key(number)) && disk.load(&key(number)).is_some());
    }
}
