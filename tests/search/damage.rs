//! An index file that is not as it was written.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use pop3fs::search::{Clock, Query};
use pop3fs::store::{SearchIndex, StoreError};
use rusqlite::Connection;

use super::{Account, NONE, NOW, entry, folder, message};

impl Account {
    fn file(&self) -> PathBuf {
        self.folder().path().join("search.sqlite")
    }

    /// The file is changed while no mount has it open; then the next one opens it.
    fn remounted_after(self, change: impl FnOnce(&PathBuf)) -> Self {
        let file = self.file();
        let Self { base, index } = self;
        drop(index);
        change(&file);
        let index = SearchIndex::open(&folder(&base)).expect("an index");
        Self { base, index }
    }
}

fn written() -> Account {
    let messages: Vec<_> = (0..50)
        .map(|n| message("", &format!("word number{n}")))
        .collect();
    Account::with(&messages)
}

#[test]
fn only_the_owner_may_read_the_files_of_the_index() {
    let account = written();
    account.found("word");
    let names = ["search.sqlite", "search.sqlite-journal"];
    for name in names {
        let metadata = fs::metadata(account.folder().path().join(name)).expect(name);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_file_that_is_no_index_is_made_again() {
    for octets in [
        &b"no database at all, and long enough to be looked at"[..],
        &[0; 8192],
    ] {
        let account = written().remounted_after(|file| fs::write(file, octets).expect("a write"));
        assert_eq!(account.index.count().expect("a count"), 0);
        account.index.feed(entry(1, &message("", "again")));
        account.index.flush().expect("a written index");
        assert_eq!(account.found("again"), [1]);
    }
}

#[test]
fn an_older_format_and_a_missing_table_are_made_again() {
    for change in [
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 7",
        "DROP TABLE words",
    ] {
        let account = written().remounted_after(|file| {
            let outside = Connection::open(file).expect("a database");
            outside.execute_batch(change).expect(change);
        });
        assert_eq!(account.index.count().expect("a count"), 0, "{change}");
    }
}

#[test]
fn a_newer_format_is_refused() {
    let account = written();
    let file = account.file();
    let Account { base, index } = account;
    drop(index);
    let outside = Connection::open(&file).expect("a database");
    outside
        .execute_batch("PRAGMA user_version = 1000")
        .expect("a newer format");
    let refused = SearchIndex::open(&folder(&base)).expect_err("a newer format");
    assert!(
        matches!(refused, StoreError::NewerFormat { found: 1000, .. }),
        "{refused}"
    );
    assert!(file.exists());
}

#[test]
fn a_link_is_not_followed() {
    let base = tempfile::tempdir().expect("a folder");
    let target = base.path().join("target");
    fs::write(&target, "").expect("a file");
    symlink(&target, folder(&base).path().join("search.sqlite")).expect("a link");
    let refused = SearchIndex::open(&folder(&base)).expect_err("a link");
    assert!(matches!(refused, StoreError::NotAFile { .. }), "{refused}");
}

#[test]
fn an_index_that_breaks_under_a_mount_is_made_again() {
    let account = written().remounted_after(|file| {
        let mut octets = fs::read(file).expect("the index");
        // All but the first page, which tells what is in the file.
        octets[4096..].fill(0xa5);
        fs::write(file, octets).expect("a write");
    });
    // Whoever meets the damage first has the index made again: opening it, a query, or what is
    // written.
    let _ = account.index.search(
        &Query::parse("word").expect("a query"),
        &Clock::utc(NOW),
        Vec::new,
    );
    let _ = account.index.flush();
    account.index.feed(entry(1, &message("", "again")));
    let _ = account.index.flush();
    account.index.feed(entry(1, &message("", "again")));
    account.index.flush().expect("a written index");
    assert_eq!(account.found("again"), [1]);
    assert_eq!(account.found("word"), NONE);
}

#[test]
fn an_index_that_is_removed_under_a_mount_is_begun_again() {
    let account = written();
    assert_eq!(account.found("number7"), [8]);
    fs::remove_file(account.file()).expect("a removal");
    account.index.feed(entry(1, &message("", "again")));
    account.index.flush().expect("a written index");
    assert_eq!(account.found("again"), [1]);
    assert_eq!(account.found("word"), NONE);
}
