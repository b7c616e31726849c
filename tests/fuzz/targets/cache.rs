//! Bodies on disk: of a damaged file each body comes as it was kept, or not at all; and it can be kept again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use pop3fs::store::{Body, BodyKey, CacheFolder, Disk};

use super::damage;

/// More than is ever kept here.
const LIMIT: u64 = 1 << 30;

/// A segment as it was written, and its path in the folder of the account.
static SEGMENT: LazyLock<(PathBuf, Vec<u8>)> = LazyLock::new(written);

pub fn check(input: &[u8]) {
    let (path, octets) = &*SEGMENT;
    let base = tempfile::tempdir().expect("a temporary folder");
    let account = account(base.path());
    let damaged = damage::damaged(octets, input);
    let file = account.path().join(path);
    fs::create_dir(file.parent().expect("the folder of the bodies")).expect("a new folder");
    fs::write(&file, &damaged).expect("a file");
    let missing = missing(&account);
    assert!(damaged != *octets || missing == 0);
    assert_eq!(
        self::missing(&account),
        0,
        "what was missing was kept again"
    );
}

fn account(base: &Path) -> CacheFolder {
    CacheFolder::open(base, "alice@example.org").expect("a folder of ours")
}

fn bodies() -> impl Iterator<Item = (BodyKey, Vec<u8>)> {
    let lengths = [0, 1, 40, 300, 4096, 3];
    lengths.into_iter().zip(1_u32..).map(|(length, ordinal)| {
        let octets = (0..length).map(|at| (at * 7 + length) as u8).collect();
        (BodyKey::new(b"uid", ordinal), octets)
    })
}

fn written() -> (PathBuf, Vec<u8>) {
    let base = tempfile::tempdir().expect("a temporary folder");
    let account = account(base.path());
    missing(&account);
    let mut files = fs::read_dir(account.path().join("bodies")).expect("the folder of the bodies");
    let file = files.next().expect("a segment").expect("a segment").path();
    let path = file
        .strip_prefix(account.path())
        .expect("a path in the folder");
    (path.into(), fs::read(&file).expect("a segment"))
}

/// How many bodies a mount does not find; it keeps them.
fn missing(account: &CacheFolder) -> usize {
    let disk = Disk::open(account, LIMIT).expect("a cache");
    let is_missing = |(key, octets): &(BodyKey, Vec<u8>)| match disk.load(key) {
        Some(body) => {
            let mut buffer = Vec::new();
            let read = body
                .read_at(0, usize::MAX, &mut buffer)
                .expect("a body in memory");
            assert_eq!(read, octets, "other octets than were kept");
            false
        }
        None => true,
    };
    let missing: Vec<_> = bodies().filter(is_missing).collect();
    let count = missing.len();
    for (key, octets) in missing {
        disk.keep(key, &Arc::new(Body::new(octets)));
    }
    disk.flush();
    count
}

pub fn seeds() -> Vec<Vec<u8>> {
    damage::seeds()
}
