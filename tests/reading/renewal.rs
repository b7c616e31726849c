//! The directory shows changes of the maildrop without a remount.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;

use super::common::{
    Dovecot, DovecotOptions, Liar, Mount, ReferenceClient, corpus, eventually, stdout_of,
};
use super::identity::{assert_sorted, inodes};
use super::{in_clear, listed, read};

/// The shortest time that the option accepts.
const SOON: &str = "refresh=1s";

/// Lists the root until the names are as wanted, and gives them.
pub(super) fn list_until(
    mount: &Mount,
    what: &str,
    wanted: impl Fn(&[String]) -> bool,
) -> Vec<String> {
    eventually(what, || {
        let names = listed(mount);
        wanted(&names).then_some(names)
    })
}

/// A liar with one small message for each of these unique-ids.
fn with_uidls(uidls: &[&str]) -> Liar {
    let liar = Liar::start(&[]);
    for uidl in uidls {
        deliver(&liar, uidl);
    }
    liar
}

fn deliver(liar: &Liar, uidl: &str) {
    let serial = liar.add(&corpus::with_body(uidl.as_bytes()));
    liar.set_uidl(serial, uidl.as_bytes());
}

fn root_mtime(mount: &Mount) -> (i64, i64) {
    let root = fs::metadata(mount.path()).expect("stat of the root");
    (root.mtime(), root.mtime_nsec())
}

#[test]
fn new_mail_appears_without_a_remount() {
    let messages = corpus::realistic(20, 4);
    let mut dovecot = Dovecot::start(&messages[..3], &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &[SOON]);
    let before = inodes(&mount);
    assert_eq!(before.len(), 3);
    dovecot.deliver(&messages[3]);
    let names = list_until(&mount, "the new message", |names| names.len() == 4);
    assert_eq!(read(&mount.join(&names[3])), messages[3]);
    assert_eq!(inodes(&mount)[..3], before);
}

#[test]
fn mail_comes_into_an_empty_maildrop() {
    let mut dovecot = Dovecot::start(&[], &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &[SOON]);
    assert!(listed(&mount).is_empty());
    let message = corpus::with_body(b"the first\r\n");
    dovecot.deliver(&message);
    let names = list_until(&mount, "the first message", |names| names.len() == 1);
    assert_eq!(read(&mount.join(&names[0])), message);
}

#[test]
fn what_another_client_deletes_vanishes() {
    let dovecot = Dovecot::start(&corpus::realistic(21, 4), &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &[SOON]);
    let before = inodes(&mount);
    let mut other = ReferenceClient::connect(dovecot.port());
    other.log_in(Dovecot::USER, Dovecot::PASSWORD);
    assert!(other.command("DELE 2").starts_with("+OK"));
    assert!(other.command("QUIT").starts_with("+OK"));
    list_until(&mount, "the deleted message to go", |names| {
        names.len() == 3
    });
    let expected = [&before[..1], &before[2..]].concat();
    assert_eq!(inodes(&mount), expected);
    eventually("the name to be unknown", || {
        let error = fs::metadata(mount.join(&before[1].0)).err()?;
        (error.kind() == ErrorKind::NotFound).then_some(())
    });
}

#[test]
fn an_open_message_is_read_to_its_end_after_it_vanished() {
    let message = corpus::large(400_000);
    let liar = Liar::start(&[message.clone(), corpus::with_body(b"stays\r\n")]);
    let mount = in_clear(&liar.source(), &[SOON]);
    let mut file = File::open(mount.join("liar-1.eml")).expect("open");
    liar.remove(1);
    list_until(&mount, "the message to go", |names| names.len() == 1);
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("read");
    assert!(octets == message, "{} octets", octets.len());
}

#[test]
fn new_mail_that_sorts_in_between_keeps_the_orders_alike() {
    let liar = with_uidls(&["b", "d", "h"]);
    let mount = in_clear(&liar.source(), &[SOON]);
    let old = inodes(&mount);
    for (count, uidl) in (4..).zip(["c", "a", "ca"]) {
        deliver(&liar, uidl);
        list_until(&mount, "the new message", |names| names.len() == count);
        assert_sorted(&mount);
    }
    let now: BTreeMap<String, u64> = inodes(&mount).into_iter().collect();
    for (name, inode) in old {
        assert_eq!(now[&name], inode, "{name}");
    }
}

#[test]
fn inode_numbers_given_in_between_outlast_a_remount() {
    let liar = with_uidls(&["b", "d"]);
    let mut mount = in_clear(&liar.source(), &[SOON]);
    for (count, uidl) in (3..).zip(["c", "a"]) {
        deliver(&liar, uidl);
        list_until(&mount, "the new message", |names| names.len() == count);
    }
    let before = inodes(&mount);
    mount.remount();
    assert_eq!(inodes(&mount), before);
}

#[test]
fn an_inode_number_is_never_given_again() {
    let liar = with_uidls(&["a", "b"]);
    let mut mount = in_clear(&liar.source(), &[SOON]);
    let before: Vec<u64> = inodes(&mount).iter().map(|(_, inode)| *inode).collect();
    liar.remove(2);
    list_until(&mount, "the message to go", |names| names.len() == 1);
    mount.remount();
    deliver(&liar, "c");
    let names = list_until(&mount, "the new message", |names| names.len() == 2);
    let new = fs::metadata(mount.join(&names[1])).expect("stat").ino();
    assert!(!before.contains(&new), "{new} of {before:?}");
}

#[test]
fn the_roots_mtime_moves_when_the_listing_does_and_only_then() {
    let liar = with_uidls(&["a", "b"]);
    let mount = in_clear(&liar.source(), &[SOON]);
    let first = root_mtime(&mount);
    let listings = liar.count("LIST");
    list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
    list_until(&mount, "another one", |_| liar.count("LIST") > listings + 1);
    assert_eq!(root_mtime(&mount), first);
    deliver(&liar, "c");
    list_until(&mount, "the new message", |names| names.len() == 3);
    let second = root_mtime(&mount);
    assert!(second > first, "{second:?}");
    liar.remove(1);
    list_until(&mount, "the message to go", |names| names.len() == 2);
    assert!(root_mtime(&mount) > second);
}

#[test]
fn a_young_listing_is_not_renewed() {
    let liar = with_uidls(&["a"]);
    let mount = in_clear(&liar.source(), &["refresh=1h"]);
    deliver(&liar, "b");
    for _ in 0..3 {
        assert_eq!(listed(&mount), ["a.eml"]);
    }
    assert_eq!(liar.count("LIST"), 1);
}

/// A program has read half of a message when a listing is renewed, and others look at the file.
fn assert_read_to_its_end(alter: impl Fn(&Liar)) {
    let message = corpus::large(3_000_000);
    let liar = Liar::start(std::slice::from_ref(&message));
    liar.set_uidl(1, b"same");
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    let mut open = File::open(mount.join("same.eml")).expect("a message");
    let mut octets = vec![0; message.len() / 2];
    open.read_exact(&mut octets).expect("the first half");
    alter(&liar);
    let listings = liar.count("LIST");
    list_until(&mount, "a new listing", |_| liar.count("LIST") > listings);
    stdout_of(&["ls", "-l", mount.arg()]);
    open.read_to_end(&mut octets).expect("the second half");
    assert!(octets == message, "{} octets", octets.len());
    // Nobody has the old content open any more.
    drop(open);
    let now = fs::read(mount.join("same.eml")).expect("a message");
    assert!(now == liar.left()[0]);
    let size = fs::metadata(mount.join("same.eml")).expect("stat").len();
    assert_eq!(size, now.len() as u64);
}

#[test]
fn an_open_message_is_read_to_its_end_though_list_says_less_now() {
    assert_read_to_its_end(|liar| liar.set_list_offset(1, -1000));
}

#[test]
fn an_open_message_is_read_to_its_end_though_a_shorter_one_has_its_place() {
    assert_read_to_its_end(|liar| {
        liar.remove(1);
        let serial = liar.add(&corpus::large(1_000_000));
        liar.set_uidl(serial, b"same");
    });
}
