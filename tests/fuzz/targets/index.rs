//! The index: a damaged file is opened and read, or set aside, and goes on to learn.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use pop3fs::store::{CacheFolder, Index, Row};

use super::damage;

/// An index of 40 messages.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(written);

pub fn check(input: &[u8]) {
    let base = tempfile::tempdir().expect("a temporary folder");
    let account = account(base.path());
    let damaged = damage::damaged(&FILE, input);
    fs::write(account.path().join("index.sqlite"), &damaged).expect("a file");
    // A file that says it is of a newer format is refused, and so is one that SQLite cannot open for another reason.
    let Ok(index) = Index::open(&account) else {
        assert_ne!(damaged, *FILE);
        return;
    };
    let rows = index.load().expect("what was opened is read");
    assert!(damaged != *FILE || rows.len() == 40);
    index.learn(vec![row(1000)]);
    let _may_fail = index.flush();
}

fn account(base: &Path) -> CacheFolder {
    CacheFolder::open(base, "alice@example.org").expect("a folder of ours")
}

fn row(inode: u64) -> Row {
    Row {
        uidl: inode.to_be_bytes().into(),
        ordinal: 2,
        inode,
        size: Some(inode * 100),
        arrived: Some(1_700_000_000),
        listed: inode * 99,
        twins: std::num::NonZeroU32::new(3),
        read: true,
        title: Some("Alice - Hello".into()),
        mark: Some("cur:2,S".into()),
        crlfs: Some(inode),
        outline: Some("Hello\nAlice\n1@example.org".into()),
        first_listed: Some(1_700_000_000),
        top_digest: None,
        body_digest: None,
        departed: None,
    }
}

fn written() -> Vec<u8> {
    let base = tempfile::tempdir().expect("a temporary folder");
    let account = account(base.path());
    let index = Index::open(&account).expect("a new index");
    index.learn((2..42).map(row).collect());
    index.flush().expect("a new index");
    drop(index);
    fs::read(account.path().join("index.sqlite")).expect("the index")
}

pub fn seeds() -> Vec<Vec<u8>> {
    damage::seeds()
}
