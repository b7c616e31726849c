//! Names, inode numbers, sizes and times are the same in every session and every mount.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::common::{Dovecot, DovecotOptions, Liar, Mount, Mpopd, corpus, eventually};
use super::{in_clear, listed};

/// The metadata that backup programs compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    name: String,
    inode: u64,
    size: u64,
    pub(super) mtime: i64,
    pub(super) ctime: i64,
}

/// An empty cache does not tell when this machine first listed a message.
fn without_ctime(mut seen: Vec<Seen>) -> Vec<Seen> {
    for message in &mut seen {
        message.ctime = 0;
    }
    seen
}

pub(super) fn seen(mount: &Mount) -> Vec<Seen> {
    let see = |name: String| {
        let metadata = fs::symlink_metadata(mount.join(&name)).expect("stat");
        Seen {
            name,
            inode: metadata.ino(),
            size: metadata.size(),
            mtime: metadata.mtime(),
            ctime: metadata.ctime(),
        }
    };
    listed(mount).into_iter().map(see).collect()
}

fn mtimes(mount: &Mount) -> Vec<i64> {
    seen(mount).iter().map(|file| file.mtime).collect()
}

fn forget_cache(mount: &mut Mount) {
    mount.umount();
    mount.wait();
    fs::remove_dir_all(mount.cache_dir()).expect("the cache");
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("a clock after 1970").as_secs()).expect("seconds")
}

#[test]
fn a_remount_shows_the_same_files() {
    let dovecot = Dovecot::start(&corpus::realistic(4, 40), &DovecotOptions::default());
    let mut mount = in_clear(&dovecot.source(), &[]);
    let before = seen(&mount);
    assert_eq!(before.len(), 40);
    mount.remount();
    assert_eq!(seen(&mount), before);
}

#[test]
fn a_mount_with_an_empty_cache_shows_the_same_files() {
    let dovecot = Dovecot::start(&corpus::realistic(5, 40), &DovecotOptions::default());
    let mut mount = in_clear(&dovecot.source(), &[]);
    let before = seen(&mount);
    forget_cache(&mut mount);
    mount.remount();
    assert_eq!(without_ctime(seen(&mount)), without_ctime(before));
}

#[test]
fn mtime_is_the_date_of_the_topmost_received_header() {
    let dovecot = Dovecot::start(&corpus::realistic(6, 20), &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &[]);
    // The file names of a Maildir sort in the order of delivery.
    let received: Vec<i64> = (0..20)
        .map(|index| corpus::realistic_message(6, index).received)
        .collect();
    assert_eq!(mtimes(&mount), received);
}

#[test]
fn mtime_is_right_where_the_server_has_no_top() {
    let mpopd = Mpopd::start(&corpus::realistic(6, 20));
    let mount = in_clear(&mpopd.source(), &[]);
    let mut received: Vec<i64> = (0..20)
        .map(|index| corpus::realistic_message(6, index).received)
        .collect();
    received.sort_unstable();
    let mut shown = mtimes(&mount);
    shown.sort_unstable();
    assert_eq!(shown, received);
}

#[test]
fn mtime_can_be_the_date_header() {
    let dovecot = Dovecot::start(&corpus::realistic(7, 20), &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &["mtime=date"]);
    let dated: Vec<i64> = (0..20)
        .map(|index| corpus::realistic_message(7, index).dated)
        .collect();
    assert_eq!(mtimes(&mount), dated);
}

#[test]
fn an_mtime_once_shown_stays_whatever_is_preferred_later() {
    let liar = Liar::start(&corpus::realistic(8, 3));
    let mut mount = in_clear(&liar.source(), &[]);
    let before = mtimes(&mount);
    mount.remount_with(&["mtime=date"]);
    assert_eq!(mtimes(&mount), before);
}

#[test]
fn an_mtime_read_from_the_body_is_that_of_the_headers() {
    let liar = Liar::start(&corpus::realistic(9, 5));
    let mount = in_clear(&liar.source(), &[]);
    for name in listed(&mount) {
        fs::read(mount.join(name)).expect("read");
    }
    let received: Vec<i64> = (0..5)
        .map(|index| corpus::realistic_message(9, index).received)
        .collect();
    assert_eq!(mtimes(&mount), received);
}

#[test]
fn a_message_without_dates_keeps_the_time_of_its_first_sight() {
    let liar = Liar::start(&[b"Subject: no date\r\n\r\n".to_vec()]);
    let begin = now();
    let mut mount = in_clear(&liar.source(), &[]);
    let before = seen(&mount);
    assert!((begin..=now()).contains(&before[0].mtime), "{before:?}");
    mount.remount();
    assert_eq!(seen(&mount), before);
}

#[test]
fn without_mtime_a_message_keeps_the_time_of_its_first_sight() {
    let liar = Liar::start(&corpus::realistic(10, 2));
    let begin = now();
    let mut mount = in_clear(&liar.source(), &["mtime=none"]);
    let before = seen(&mount);
    assert!((begin..=now()).contains(&before[0].mtime), "{before:?}");
    fs::read(mount.join("liar-1.eml")).expect("read");
    assert_eq!(seen(&mount), before);
    mount.remount();
    assert_eq!(seen(&mount), before);
}

/// The index knows these messages without a date, because nothing asked for the date.
#[test]
fn without_mtime_a_listed_message_keeps_its_first_time() {
    let liar = Liar::start(&corpus::realistic(13, 3));
    let mut mount = in_clear(&liar.source(), &[]);
    assert_eq!(listed(&mount).len(), 3);
    mount.remount_with(&["mtime=none"]);
    let before = seen(&mount);
    let second = now();
    eventually("another second", || (now() > second).then_some(()));
    mount.remount();
    assert_eq!(seen(&mount), before);
    assert_eq!(liar.count("TOP"), 0);
}

#[test]
fn readdir_inode_numbers_and_names_sort_alike() {
    let dovecot = Dovecot::start(&corpus::realistic(11, 30), &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &[]);
    assert_sorted(&mount);
}

/// The orders of names, inode numbers and readdir are the same.
pub(super) fn assert_sorted(mount: &Mount) {
    let names = listed(mount);
    assert!(names.is_sorted(), "{names:?}");
    let inodes: Vec<u64> = inodes(mount).into_iter().map(|(_, inode)| inode).collect();
    assert!(inodes.is_sorted_by(|one, next| one < next), "{inodes:?}");
}

/// Names and inode numbers of stat(2), in the order of readdir.
pub(super) fn inodes(mount: &Mount) -> Vec<(String, u64)> {
    listed(mount)
        .into_iter()
        .map(|name| {
            let inode = fs::metadata(mount.join(&name)).expect("stat").ino();
            (name, inode)
        })
        .collect()
}

#[test]
fn readdir_tells_the_inode_number_that_stat_tells() {
    use std::os::unix::fs::DirEntryExt;
    let liar = Liar::start(&corpus::realistic(12, 5));
    let mount = in_clear(&liar.source(), &[]);
    for entry in fs::read_dir(mount.path()).expect("the root") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.ino(), entry.metadata().expect("stat").ino());
    }
}
