//! A removed message whose listed size changes before the commit: is it still the same message?

use std::fs;
use std::io;
use std::path::Path;

use crate::common::{Liar, Mailutils, MailutilsOptions, Mount, Reply, corpus, eventually};
use crate::left_out::list_again;
use crate::{listed, mounted, remove, stdout_of, succeed, umount, umount_fails};

const NAME: &str = "same.eml";

/// A mount whose only message was listed with its date and removed; its session has ended.
fn only_message_removed(message: &[u8]) -> (Liar, Mount) {
    let liar = Liar::start(&[message.to_vec()]);
    liar.set_uidl(1, NAME.trim_end_matches(".eml").as_bytes());
    let mount = mounted(&liar.source(), &["idle_timeout=1s", "refresh=1s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    remove(&mount, NAME);
    liar.server().wait_until_idle();
    (liar, mount)
}

/// Replaces message 1 by another one with the same unique-id.
fn replace(liar: &Liar, message: &[u8]) {
    liar.remove(1);
    let serial = liar.add(message);
    liar.set_uidl(serial, b"same");
}

fn message(date: &str, headers: &str) -> Vec<u8> {
    format!("Date: {date}\r\nFrom: alice@example.org\r\n{headers}\r\nhello\r\n").into_bytes()
}

const MAY: &str = "Wed, 01 May 2024 09:30:00 +0000";
const JUNE: &str = "Sat, 01 Jun 2024 09:30:00 +0000";

#[test]
fn a_message_with_a_new_status_header_is_deleted() {
    let (liar, mut mount) = only_message_removed(&message(MAY, ""));
    replace(&liar, &message(MAY, "Status: RO\r\nX-UID: 1\r\n"));
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn another_message_with_the_same_unique_id_is_kept() {
    let (liar, mut mount) = only_message_removed(&message(MAY, ""));
    replace(&liar, &message(JUNE, "Subject: quite another\r\n"));
    let said = umount_fails(&mut mount);
    assert!(said.contains("it changed since it was removed"), "{said}");
    assert_eq!(liar.count("DELE"), 0);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_resized_message_with_unknown_headers_is_kept() {
    let liar = Liar::start(&[message(MAY, "")]);
    liar.set_uidl(1, b"same");
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s", "mtime=none"]);
    remove(&mount, NAME);
    liar.server().wait_until_idle();
    replace(&liar, &message(MAY, "Status: RO\r\n"));
    umount_fails(&mut mount);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_changed_message_restored_and_removed_again_is_deleted() {
    let other = message(JUNE, "Subject: quite another\r\n");
    let (liar, mut mount) = only_message_removed(&message(MAY, ""));
    replace(&liar, &other);
    let serial = liar.add(&message(MAY, ""));
    stdout_of(&["ls", "-l", mount.arg()]);
    // This read opens a new session, which lists the first message with its new size.
    let reader = mount.join(format!("liar-{serial}.eml"));
    fs::read(reader).expect("the new message");
    let deleted = mount.path().join(".deleted").join(NAME);
    succeed(&[Path::new("mv"), &deleted, &mount.join(NAME)]);
    assert_eq!(fs::read(mount.join(NAME)).expect("the other"), other);
    remove(&mount, NAME);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [serial]);
}

/// A server that gives all of these messages the same unique-id: "twins".
fn liar_with_equal_unique_ids(messages: &[Vec<u8>]) -> Liar {
    let liar = Liar::start(messages);
    (1..=messages.len() as u64).for_each(|serial| liar.set_uidl(serial, b"same"));
    liar
}

/// There are four messages as before, and the message that now has number 2 is as long as the
/// removed one. In the last case all four are equally long.
#[test]
fn a_twin_that_took_the_number_of_a_removed_one_is_kept() {
    for (first, last, new) in [
        ("", "longer", "quite another"),
        ("short", "short", "quite another"),
        ("short", "short", "other"),
    ] {
        let of = |date: &str, subject: &str| message(date, &format!("Subject: {subject}\r\n"));
        let (second, third) = (of(MAY, "short"), of(JUNE, "short"));
        let liar = liar_with_equal_unique_ids(&[of(MAY, first), second, third, of(MAY, last)]);
        let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
        stdout_of(&["ls", "-l", mount.arg()]);
        remove(&mount, "same~2.eml");
        liar.server().wait_until_idle();
        liar.remove(1);
        let fifth = liar.add(&of(MAY, new));
        liar.set_uidl(fifth, b"same");
        let said = umount_fails(&mut mount);
        assert!(said.contains("same~2.eml is still on the server"), "{said}");
        assert_eq!(liar.left_serials(), [2, 3, 4, 5]);
    }
}

/// Without UIDL, messages with equal headers are twins: nothing but the size tells them apart.
#[test]
fn without_uidl_shifted_twins_are_all_kept() {
    let of = |body: &str| corpus::with_body(format!("{body}\r\n").as_bytes());
    let liar = Liar::start(&["a", "bb", "ccc"].map(of));
    liar.on("UIDL", Reply::Err("unknown command"));
    assert_none_deleted(&liar, &of("dddd"), |_| {});
}

/// A session between the removal and the shift lists all of them as before.
#[test]
fn without_uidl_twins_relisted_and_then_shifted_are_all_kept() {
    let of = |body: &str| corpus::with_body(format!("{body}\r\n").as_bytes());
    let liar = Liar::start(&["a", "bb", "ccc"].map(of));
    liar.on("UIDL", Reply::Err("unknown command"));
    assert_none_deleted(&liar, &of("dddd"), |mount| list_again(&liar, mount));
}

#[test]
fn shifted_twins_with_equal_headers_are_all_kept() {
    let of = |body: &str| corpus::with_body(format!("{body}\r\n").as_bytes());
    let liar = liar_with_equal_unique_ids(&["a", "bb", "ccc"].map(of));
    assert_none_deleted(&liar, &of("dddd"), |_| {});
}

/// The reader removes the second of three twins. Then another client deletes the first one, and
/// `fourth` arrives. The commit must delete none of them.
fn assert_none_deleted(liar: &Liar, fourth: &[u8], meanwhile: impl Fn(&Mount)) {
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s", "refresh=1s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let second = listed(&mount).into_iter().find(|name| name.contains("~2"));
    remove(&mount, &second.expect("the second of three"));
    meanwhile(&mount);
    liar.server().wait_until_idle();
    liar.remove(1);
    let serial = liar.add(fourth);
    liar.set_uidl(serial, b"same");
    umount_fails(&mut mount);
    assert_eq!(
        (liar.count("DELE"), liar.left_serials()),
        (0, vec![2, 3, 4])
    );
}

#[test]
fn a_removed_twin_is_deleted_in_a_new_session() {
    let copy = message(MAY, "Subject: short\r\n");
    let liar = liar_with_equal_unique_ids(&[copy.clone(), copy, message(JUNE, "")]);
    assert_second_twin_is_deleted(&liar, &[]);
}

/// The sizes and the number of twins are as before.
#[test]
fn a_removed_twin_with_unknown_headers_is_deleted() {
    let copy = message(MAY, "Subject: short\r\n");
    let undated = b"From: alice@example.org\r\n\r\nhello\r\n".to_vec();
    let of = |copy: &Vec<u8>| liar_with_equal_unique_ids(&[copy.clone(), copy.clone()]);
    assert_second_twin_is_deleted(&of(&copy), &["mtime=none"]);
    assert_second_twin_is_deleted(&of(&undated), &[]);
    let without_top = of(&copy);
    without_top.set_capabilities(None);
    without_top.on("TOP", Reply::Err("unknown command"));
    assert_second_twin_is_deleted(&without_top, &[]);
}

fn assert_second_twin_is_deleted(liar: &Liar, options: &[&str]) {
    let mut mount = mounted(&liar.source(), &[&["idle_timeout=1s"], options].concat());
    stdout_of(&["ls", "-l", mount.arg()]);
    remove(&mount, "same~2.eml");
    liar.server().wait_until_idle();
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert!(!liar.left_serials().contains(&2));
}

/// Moves all messages out of a mount of mailutils, which adds `X-UID` and `Status` to each of them
/// at the end of the first session.
fn moved_out_of_mailutils(count: usize, options: &[&str]) -> (Mailutils, Mount) {
    let mailutils = Mailutils::start(&corpus::realistic(50, count), MailutilsOptions::default());
    let mount = mounted(&mailutils.source(), options);
    stdout_of(&["ls", "-l", mount.arg()]);
    let archive = tempfile::tempdir().expect("a folder");
    succeed(&[
        Path::new("sh"),
        Path::new("-c"),
        Path::new("mv -- \"$1\"/* \"$2\""),
        Path::new("sh"),
        mount.path(),
        archive.path(),
    ]);
    (mailutils, mount)
}

#[test]
fn mailutils_deletes_moved_messages_in_a_new_session() {
    let (mailutils, mut mount) = moved_out_of_mailutils(3, &["idle_timeout=1s"]);
    mount.wait_until_its_session_is_closed();
    assert_eq!(umount(&mut mount), "3 messages deleted on the server\n");
    assert_eq!(mailutils.messages_left(), [[0; 0]; 0]);
}

/// The delete limit does not count messages that were read, even if their size has changed since.
#[test]
fn mailutils_deletes_all_moved_messages_after_a_new_listing() {
    let (mailutils, mut mount) = moved_out_of_mailutils(12, &["refresh=1s"]);
    let sizes = || -> Vec<u64> {
        let entries = fs::read_dir(mount.join(".deleted")).expect("the pending deletions");
        let size = |entry: io::Result<fs::DirEntry>| entry?.metadata().map(|shown| shown.len());
        entries.map(|entry| size(entry).expect("stat")).collect()
    };
    let before = sizes();
    eventually("other sizes", || {
        assert_eq!(listed(&mount), [""; 0]);
        (sizes() != before).then_some(())
    });
    assert_eq!(umount(&mut mount), "12 messages deleted on the server\n");
    assert_eq!(mailutils.messages_left(), [[0; 0]; 0]);
}
