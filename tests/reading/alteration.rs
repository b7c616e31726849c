//! A server that uses a known unique-id for other content. Nothing of the old content may show.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::common::{Liar, Mailutils, MailutilsOptions, Mount, corpus, retr_all, stdout_of};
use super::maildir::{self, flag_first};
use super::renewal::list_until;
use super::{assert_same, by_identity, in_clear, listed, read, read_all, read_beside_others};

const NAME: &str = "same.eml";

/// A mounted maildrop with one message, which was read.
fn read_once(message: &[u8], options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&[message.to_vec()]);
    liar.set_uidl(1, b"same");
    let mount = in_clear(&liar.source(), options);
    assert_eq!(read(&mount.join(NAME)), message);
    (liar, mount)
}

/// Replaces the first message by another one with its unique-id.
fn replace(liar: &Liar, message: &[u8]) {
    liar.remove(1);
    let serial = liar.add(message);
    liar.set_uidl(serial, b"same");
}

fn short() -> Vec<u8> {
    corpus::large(5_000)
}

fn long() -> Vec<u8> {
    corpus::large(50_000)
}

fn assert_shows(mount: &Mount, name: &str, message: &[u8]) {
    let octets = read(&mount.join(name));
    assert!(octets == message, "{} octets", octets.len());
}

#[test]
fn other_octets_show_when_the_listing_is_renewed() {
    for (before, after) in [(short(), long()), (long(), short())] {
        let (liar, mount) = read_once(&before, &["refresh=1s"]);
        replace(&liar, &after);
        let listings = liar.count("LIST");
        list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
        assert_shows(&mount, NAME, &after);
    }
}

#[test]
fn other_octets_show_after_a_remount() {
    for (before, after) in [(short(), long()), (long(), short())] {
        let (liar, mut mount) = read_once(&before, &[]);
        replace(&liar, &after);
        mount.remount();
        assert_shows(&mount, NAME, &after);
    }
}

#[test]
fn the_twin_that_stays_shows_its_own_octets_after_a_refresh() {
    let (liar, mount) = read_once(&short(), &["refresh=1s"]);
    let twin = liar.add(&long());
    liar.set_uidl(twin, b"same");
    list_until(&mount, "the twin", |names| names.len() == 2);
    assert_shows(&mount, "same~2.eml", &long());
    liar.remove(1);
    list_until(&mount, "the first to go", |names| names == [NAME]);
    assert_shows(&mount, NAME, &long());
}

#[test]
fn the_twin_that_stays_shows_its_own_octets_after_a_remount() {
    let (liar, mut mount) = read_once(&short(), &[]);
    let twin = liar.add(&long());
    liar.set_uidl(twin, b"same");
    mount.remount();
    assert_shows(&mount, "same~2.eml", &long());
    liar.remove(1);
    mount.remount();
    assert_shows(&mount, NAME, &long());
}

/// mailutils adds `X-UID` and `Status` to the messages at the end of the first session.
#[test]
fn what_mailutils_adds_to_messages_shows_after_a_remount() {
    let mailutils = Mailutils::start(&corpus::realistic(50, 3), MailutilsOptions::default());
    let mut mount = in_clear(&mailutils.source(), &[]);
    read_all(&mount);
    mount.umount();
    mount.wait();
    let sent = by_identity(retr_all(
        mailutils.port(),
        Mailutils::USER,
        Mailutils::PASSWORD,
    ));
    mount.remount();
    assert_same(&read_all(&mount), &sent);
}

#[test]
fn what_mailutils_adds_to_messages_shows_after_a_refresh() {
    let mailutils = Mailutils::start(&corpus::realistic(51, 3), MailutilsOptions::default());
    let mount = in_clear(&mailutils.source(), &["refresh=1s"]);
    let before = read_all(&mount);
    let sizes = || -> Vec<u64> {
        let stat = |name: &String| fs::metadata(mount.join(name)).expect("stat").len();
        listed(&mount).iter().map(stat).collect()
    };
    let sizes_before = sizes();
    list_until(&mount, "other sizes", |_| sizes() != sizes_before);
    let after = read_all(&mount);
    assert!(before.keys().eq(after.keys()));
    assert!(
        before
            .iter()
            .all(|(identity, octets)| after[identity] != *octets)
    );
}

#[test]
fn a_body_on_disk_counts_for_nothing_when_the_index_is_lost() {
    let (before, mut after) = (short(), short());
    after.make_ascii_uppercase();
    let (liar, mut mount) = read_once(&before, &[]);
    replace(&liar, &after);
    assert!(mount.umount().status.success());
    mount.wait();
    let index = stdout_of(&[
        "find",
        mount.cache_dir().to_str().expect("a path in ASCII"),
        "-name",
        "index.sqlite*",
        "-print",
        "-delete",
    ]);
    assert!(index.contains("index.sqlite\n"), "{index}");
    mount.remount();
    assert_shows(&mount, NAME, &after);
}

#[test]
fn a_twin_does_not_inherit_the_date_of_one_that_is_gone() {
    let liar = Liar::start(&[dated(MAY, "."), dated(JUNE, ".")]);
    liar.set_uidl(1, b"same");
    liar.set_uidl(2, b"same");
    let mut mount = in_clear(&liar.source(), &[]);
    let modified = |mount: &Mount, name: &str| {
        let metadata = fs::metadata(mount.join(name)).expect("stat");
        metadata.modified().expect("an mtime")
    };
    let (may, june) = (modified(&mount, NAME), modified(&mount, "same~2.eml"));
    assert!(may < june);
    liar.remove(1);
    for _ in 0..2 {
        mount.remount();
        assert_eq!(modified(&mount, NAME), june);
    }
}

#[test]
fn without_mtime_no_date_is_asked_for_a_twin_that_stays() {
    let liar = Liar::start(&[short(), long()]);
    liar.set_uidl(1, b"same");
    liar.set_uidl(2, b"same");
    let mut mount = in_clear(&liar.source(), &["mtime=none", "refresh=1s"]);
    let modified = |mount: &Mount| fs::metadata(mount.join(NAME)).expect("stat").mtime();
    modified(&mount);
    liar.remove(1);
    list_until(&mount, "the first to go", |names| names == [NAME]);
    let shown = modified(&mount);
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (0, 0));
    mount.remount();
    assert_eq!(modified(&mount), shown);
}

fn dated(date: &str, body: &str) -> Vec<u8> {
    format!("Date: {date}\r\nFrom: alice@example.org\r\n\r\n{body}\r\n").into_bytes()
}

const MAY: &str = "Wed, 01 May 2024 09:30:00 +0000";
const JUNE: &str = "Sat, 01 Jun 2024 09:30:00 +0000";
const JULY: &str = "Mon, 01 Jul 2024 09:30:00 +0000";
/// In Unix seconds.
const JUNE_MTIME: i64 = 1_717_234_200;

fn assert_shows_what_came_in_june(mount: &Mount, message: &[u8]) {
    let mtime = fs::metadata(mount.join(NAME)).expect("stat").mtime();
    assert_eq!(mtime, JUNE_MTIME);
    assert_shows(mount, NAME, message);
}

fn delete(mount: &Mount) {
    fs::remove_file(mount.join(NAME)).expect("rm");
    stdout_of(&["sync", mount.arg()]);
}

/// RFC 1939 section 7 forbids to use a unique-id again only while the first message exists.
#[test]
fn a_reused_unique_id_shows_the_octets_and_time_of_the_new_mail() {
    let (before, after) = (dated(MAY, "the first"), dated(JUNE, "the other"));
    assert_eq!(before.len(), after.len());
    let (liar, mut mount) = read_once(&before, &["refresh=1s"]);
    fs::metadata(mount.join(NAME)).expect("stat");
    delete(&mount);
    let serial = liar.add(&after);
    liar.set_uidl(serial, b"same");
    list_until(&mount, "the other message", |names| names == [NAME]);
    assert_shows_what_came_in_june(&mount, &after);
    mount.remount();
    assert_shows_what_came_in_june(&mount, &after);
}

#[test]
fn the_same_shows_after_a_remount() {
    let (before, after) = (dated(MAY, "the first"), dated(JUNE, "the other"));
    let (liar, mut mount) = read_once(&before, &[]);
    delete(&mount);
    let serial = liar.add(&after);
    liar.set_uidl(serial, b"same");
    mount.remount();
    assert_shows_what_came_in_june(&mount, &after);
}

#[test]
fn a_reused_unique_id_has_no_flags_of_the_deleted_message() {
    let (liar, mut mount) = read_once(&dated(MAY, "the first"), &[]);
    let flagged = flag_first(&mount, "S");
    assert!(flagged.contains("same"), "{flagged}");
    delete(&mount);
    let after = dated(JUNE, "longer than the first");
    let serial = liar.add(&after);
    liar.set_uidl(serial, b"same");
    mount.remount();
    let new = maildir::names(&mount, "new");
    assert_eq!(new, [format!("{JUNE_MTIME}.same.pop3fs")]);
    assert_shows_what_came_in_june(&mount, &after);
}

/// There are as many twins as before, and the third is as long as the second, whose number it has
/// now.
#[test]
fn each_of_the_twins_whose_first_is_gone_shows_its_own_octets() {
    let bodies = ["a", "bb", "cc", "ddd", "eeee"];
    let messages = bodies.map(|body| dated(JUNE, body));
    let liar = Liar::start(&messages[..4]);
    (1..=4).for_each(|serial| liar.set_uidl(serial, b"same"));
    let mut mount = in_clear(&liar.source(), &["refresh=1s"]);
    read_all(&mount);
    liar.remove(1);
    let fifth = liar.add(&messages[4]);
    liar.set_uidl(fifth, b"same");
    let listings = liar.count("LIST");
    list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
    for _ in 0..2 {
        for (name, message) in ["", "~2", "~3", "~4"].iter().zip(&messages[1..]) {
            assert_shows(&mount, &format!("same{name}.eml"), message);
        }
        mount.remount();
    }
}

/// The new twin is as long as the second message, whose name it gets.
#[test]
fn a_twin_that_comes_to_one_that_stayed_shows_its_own_octets() {
    let [first, second, third] =
        [(MAY, "a"), (JUNE, "b"), (JULY, "c")].map(|(date, body)| dated(date, body));
    assert!(first.len() == second.len() && second.len() == third.len());
    let liar = Liar::start(&[first, second.clone()]);
    (1..=2).for_each(|serial| liar.set_uidl(serial, b"same"));
    let mut mount = in_clear(&liar.source(), &["refresh=1s"]);
    read_all(&mount);
    liar.remove(1);
    list_until(&mount, "the first to go", |names| names == [NAME]);
    let serial = liar.add(&third);
    liar.set_uidl(serial, b"same");
    list_until(&mount, "the third", |names| names.len() == 2);
    for _ in 0..2 {
        assert_shows(&mount, NAME, &second);
        assert_shows(&mount, "same~2.eml", &third);
        mount.remount();
    }
}

/// Another client deleted the message while it was removed here.
#[test]
fn the_unique_id_of_a_removed_message_that_went_can_be_reused() {
    let (before, after) = (dated(MAY, "the first"), dated(JUNE, "the other"));
    let (liar, mut mount) = read_once(&before, &["refresh=1s"]);
    fs::metadata(mount.join(NAME)).expect("stat");
    fs::remove_file(mount.join(NAME)).expect("rm");
    liar.remove(1);
    let listings = liar.count("LIST");
    list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
    let serial = liar.add(&after);
    liar.set_uidl(serial, b"same");
    list_until(&mount, "the other message", |names| names == [NAME]);
    assert_shows_what_came_in_june(&mount, &after);
    mount.remount();
    assert_shows_what_came_in_june(&mount, &after);
}

/// A program opens the file before the content changes and reads it after that, to its end. The
/// kernel has both contents under one inode number, and one size: not below that of what is open.
#[test]
fn who_still_reads_the_old_octets_gives_none_of_them_to_others() {
    for (before, after) in [(short(), long()), (long(), short())] {
        let (liar, mount) = read_once(&before, &["refresh=1s"]);
        let old = File::open(mount.join(NAME)).expect("open");
        replace(&liar, &after);
        let size = || fs::metadata(mount.join(NAME)).expect("stat").len();
        let listings = liar.count("LIST");
        list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
        let half = before.len().min(after.len()) / 2;
        assert_reads_at(&old, 0, &before[..half]);
        let octets = || read_beside_others(&mount.join(NAME));
        assert!(octets() == after);
        assert_eq!(size(), before.len().max(after.len()) as u64);
        assert_reads_at(&old, half, &before[half..]);
        assert!(octets() == after);
        drop(old);
        list_until(&mount, "the other size", |_| size() == after.len() as u64);
        assert_shows(&mount, NAME, &after);
        assert_shows(&mount, NAME, &after);
    }
}

/// The server gives another body of the same size, with the same headers, when it is fetched again
/// for another program: nothing else tells that it has changed.
#[test]
fn who_has_read_a_half_of_a_body_does_not_get_the_other_half_of_another() {
    let headers = dated(JUNE, "");
    let [before, after] = [b'a', b'b'].map(|octet| {
        let line = [vec![octet; 70], b"\r\n".to_vec()].concat();
        [headers.clone(), line.repeat(4000)].concat()
    });
    let (liar, mount) = read_once(&before, &["refresh=1s", "cache=off", "memory=1M"]);
    let half = before.len() / 2;
    let old = File::open(mount.join(NAME)).expect("open");
    assert_reads_at(&old, 0, &before[..half]);
    replace(&liar, &after);
    (0..20).for_each(|_| _ = liar.add(&corpus::large(100_000)));
    list_until(&mount, "the other messages", |names| names.len() == 21);
    let others = listed(&mount).into_iter().filter(|name| name != NAME);
    others.for_each(|name| _ = read(&mount.join(name)));
    forget_pages(&old);
    assert_shows(&mount, NAME, &after);
    assert_reads_at(&old, half, &before[half..]);
    assert_shows(&mount, NAME, &after);
}

fn assert_reads_at(file: &File, at: usize, expected: &[u8]) {
    let mut octets = vec![0; expected.len()];
    file.read_exact_at(&mut octets, at as u64).expect("read");
    assert!(octets == expected, "{} octets at {at}", octets.len());
}

/// The kernel forgets the pages of a file, as it does when it needs memory.
fn forget_pages(file: &File) {
    let forget = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    posix_fadvise(file, 0, 0, forget).expect("to forget the pages");
}
