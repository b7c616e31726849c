//! An offline mount shows the whole last listing, or there is none: a backup with `--delete` never
//! loses what the server has.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{Mount, assert_failed, stdout_of};
use crate::{Provider, listed, name, read, remove, umount, umount_in_vain};
use pop3fs::cli::Failure;

/// A mount that has ended, of a server that has stopped.
fn ended(count: u64) -> (Provider, Mount) {
    let mut provider = Provider::start(count);
    let mut mount = provider.mount(&[]);
    crate::listed_with_all(&mount, "");
    read(&mount, 1..=count);
    umount(&mut mount);
    provider.stop();
    (provider, mount)
}

#[test]
fn rsync_of_an_offline_mount_copies_and_deletes_nothing() {
    let mut provider = Provider::start(30);
    let mut mount = provider.mount(&[]);
    let backup = TempDir::new().expect("a folder");
    let from = format!("{}/", mount.arg());
    let to = backup.path().to_str().expect("a path in ASCII");
    let rsync = ["rsync", "-a", "--delete", "--out-format=%o %n", &from, to];
    stdout_of(&rsync);
    assert_eq!(fs::read_dir(to).expect("a backup").count(), 30);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    let transferred = stdout_of(&rsync);
    let files: Vec<&str> = transferred
        .lines()
        .filter(|line| line.ends_with("eml"))
        .collect();
    assert!(files.is_empty(), "{files:?}");
    assert_eq!(fs::read_dir(to).expect("a backup").count(), 30);
}

#[test]
fn a_damaged_index_is_never_mounted_offline() {
    for damage in [
        "DELETE FROM message WHERE ordinal = (SELECT min(ordinal) FROM message)",
        "DELETE FROM message WHERE uidl = CAST('liar-2' AS BLOB)",
        "UPDATE listing SET inodes = x''",
        "UPDATE listing SET inodes = substr(inodes, 1, 16)",
        "UPDATE message SET uidl = CAST('liar-x' AS BLOB) WHERE uidl = CAST('liar-2' AS BLOB)",
        "DROP TABLE listing",
        "DELETE FROM listing",
    ] {
        let (provider, mount) = ended(4);
        let file = mount.account_folder().join("index.sqlite");
        let index = Connection::open(&file).expect("an index");
        index.execute_batch(damage).expect("to damage it");
        drop(index);
        let output = provider.refused(&mount, &[]);
        assert_failed(&output, Failure::Unreachable);
    }
}

#[test]
fn a_cut_index_is_never_mounted_offline() {
    for part in [0, 1, 2] {
        let (provider, mount) = ended(40);
        let file = mount.account_folder().join("index.sqlite");
        let octets = fs::read(&file).expect("an index");
        fs::write(&file, &octets[..octets.len() * part / 3]).expect("to cut it");
        let output = provider.refused(&mount, &[]);
        assert_failed(&output, Failure::Unreachable);
    }
}

#[test]
fn the_index_of_another_account_is_never_mounted_offline() {
    let (provider, mount) = ended(4);
    let mut other = Provider::start(2);
    let mut its_mount = other.mount(&[]);
    umount(&mut its_mount);
    other.stop();
    let from = mount.account_folder().join("index.sqlite");
    fs::copy(from, its_mount.account_folder().join("index.sqlite")).expect("to copy it");
    let output = other.refused(&its_mount, &[]);
    assert_failed(&output, Failure::Unreachable);
    drop(provider);
}

#[test]
fn what_a_commit_has_deleted_is_not_shown_offline() {
    let mut provider = Provider::start(6);
    let mut mount = provider.mount(&[]);
    remove(&mount, 2);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    let expected: Vec<String> = [1, 3, 4, 5, 6].map(name).to_vec();
    let mut shown = listed(&mount, "");
    shown.sort();
    assert_eq!(shown, expected);
}

#[test]
fn an_empty_maildrop_is_shown_empty_offline() {
    let mut provider = Provider::start(1);
    let mut mount = provider.mount(&[]);
    remove(&mount, 1);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    assert!(listed(&mount, "").is_empty());
    assert!(Path::new(mount.arg()).is_dir());
}

#[test]
fn an_offline_mount_after_an_offline_mount_shows_the_same() {
    let (_provider, mut mount) = ended(12);
    mount.remount();
    let before = crate::listed_with_all(&mount, "");
    remove(&mount, 12);
    umount_in_vain(&mut mount);
    mount.remount();
    let restored = mount.subcommand(&["restore", mount.arg()]);
    assert!(restored.status.success(), "{restored:?}");
    assert_eq!(crate::listed_with_all(&mount, ""), before);
}
