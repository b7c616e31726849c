//! A removed message that is listed with another size by the time of the commit: the same one, or another.

use std::fs;
use std::io;
use std::path::Path;

use crate::common::{Liar, Mailutils, MailutilsOptions, Mount, Reply, corpus, eventually};
use crate::left_out::list_anew;
use crate::{listed, mounted, remove, stdout_of, succeed, umount, umount_in_vain};

const NAME: &str = "same.eml";

/// A maildrop of one message, whose date was shown, and which was removed.
fn removed(message: &[u8]) -> (Liar, Mount) {
    let liar = Liar::start(&[message.to_vec()]);
    liar.set_uidl(1, NAME.trim_end_matches(".eml").as_bytes());
    let mount = mounted(&liar.source(), &["idle_timeout=1s", "refresh=1s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    remove(&mount, NAME);
    liar.server().wait_until_idle();
    (liar, mount)
}

/// Another message takes its unique-id.
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
fn a_message_in_which_the_server_noted_that_it_was_read_is_deleted() {
    let (liar, mut mount) = removed(&message(MAY, ""));
    replace(&liar, &message(MAY, "Status: RO\r\nX-UID: 1\r\n"));
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn another_message_under_the_unique_id_of_a_removed_one_is_kept() {
    let (liar, mut mount) = removed(&message(MAY, ""));
    replace(&liar, &message(JUNE, "Subject: quite another\r\n"));
    let said = umount_in_vain(&mut mount);
    assert!(said.contains("it changed since it was unlinked"), "{said}");
    assert_eq!(liar.count("DELE"), 0);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_message_of_which_no_date_was_shown_is_kept_if_its_size_changes() {
    let liar = Liar::start(&[message(MAY, "")]);
    liar.set_uidl(1, b"same");
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s", "mtime=none"]);
    remove(&mount, NAME);
    liar.server().wait_until_idle();
    replace(&liar, &message(MAY, "Status: RO\r\n"));
    umount_in_vain(&mut mount);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_message_that_is_taken_back_and_removed_anew_is_in_doubt_no_longer() {
    let other = message(JUNE, "Subject: quite another\r\n");
    let (liar, mut mount) = removed(&message(MAY, ""));
    replace(&liar, &other);
    let serial = liar.add(&message(MAY, ""));
    stdout_of(&["ls", "-l", mount.arg()]);
    // A new session has listed it with its other size.
    let reader = mount.join(format!("liar-{serial}.eml"));
    fs::read(reader).expect("what came since");
    let deleted = mount.path().join(".deleted").join(NAME);
    succeed(&[Path::new("mv"), &deleted, &mount.join(NAME)]);
    assert_eq!(fs::read(mount.join(NAME)).expect("the other"), other);
    remove(&mount, NAME);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [serial]);
}

/// A maildrop of these messages, all of one unique-id.
fn twins(messages: &[Vec<u8>]) -> Liar {
    let liar = Liar::start(messages);
    (1..=messages.len() as u64).for_each(|serial| liar.set_uidl(serial, b"same"));
    liar
}

/// They are as many as before, and the one that has its number now is as long, or they all are.
#[test]
fn a_twin_that_has_taken_the_number_of_a_removed_one_is_kept() {
    for (first, last, new) in [
        ("", "longer", "quite another"),
        ("short", "short", "quite another"),
        ("short", "short", "other"),
    ] {
        let of = |date: &str, subject: &str| message(date, &format!("Subject: {subject}\r\n"));
        let (second, third) = (of(MAY, "short"), of(JUNE, "short"));
        let liar = twins(&[of(MAY, first), second, third, of(MAY, last)]);
        let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
        stdout_of(&["ls", "-l", mount.arg()]);
        remove(&mount, "same~2.eml");
        liar.server().wait_until_idle();
        liar.remove(1);
        let fifth = liar.add(&of(MAY, new));
        liar.set_uidl(fifth, b"same");
        let said = umount_in_vain(&mut mount);
        assert!(said.contains("same~2.eml is still on the server"), "{said}");
        assert_eq!(liar.left_serials(), [2, 3, 4, 5]);
    }
}

/// Without UIDL the twins are those of equal headers, which tell nothing.
#[test]
fn of_equal_headers_none_is_deleted_once_each_has_the_number_of_another() {
    let of = |body: &str| corpus::with_body(format!("{body}\r\n").as_bytes());
    let liar = Liar::start(&["a", "bb", "ccc"].map(of));
    liar.on("UIDL", Reply::Err("unknown command"));
    none_is_deleted(&liar, &of("dddd"), |_| {});
}

/// In a session between, all of them were as before.
#[test]
fn of_equal_headers_none_is_deleted_though_they_were_listed_as_before_meanwhile() {
    let of = |body: &str| corpus::with_body(format!("{body}\r\n").as_bytes());
    let liar = Liar::start(&["a", "bb", "ccc"].map(of));
    liar.on("UIDL", Reply::Err("unknown command"));
    none_is_deleted(&liar, &of("dddd"), |mount| list_anew(&liar, mount));
}

#[test]
fn of_one_unique_id_and_equal_headers_none_is_deleted_either() {
    let of = |body: &str| corpus::with_body(format!("{body}\r\n").as_bytes());
    let liar = twins(&["a", "bb", "ccc"].map(of));
    none_is_deleted(&liar, &of("dddd"), |_| {});
}

/// The second of three twins is removed; another client takes the first, and `fourth` comes.
fn none_is_deleted(liar: &Liar, fourth: &[u8], meanwhile: impl Fn(&Mount)) {
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s", "refresh=1s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let second = listed(&mount).into_iter().find(|name| name.contains("~2"));
    remove(&mount, &second.expect("the second of three"));
    meanwhile(&mount);
    liar.server().wait_until_idle();
    liar.remove(1);
    let serial = liar.add(fourth);
    liar.set_uidl(serial, b"same");
    umount_in_vain(&mut mount);
    assert_eq!(
        (liar.count("DELE"), liar.left_serials()),
        (0, vec![2, 3, 4])
    );
}

#[test]
fn a_removed_twin_is_deleted_after_a_rest() {
    let copy = message(MAY, "Subject: short\r\n");
    let liar = twins(&[copy.clone(), copy, message(JUNE, "")]);
    assert_the_second_is_deleted_after_a_rest(&liar, &[]);
}

/// Its octets are as before, and they are as many.
#[test]
fn a_removed_twin_of_which_no_headers_can_tell_is_deleted_after_a_rest() {
    let copy = message(MAY, "Subject: short\r\n");
    let undated = b"From: alice@example.org\r\n\r\nhello\r\n".to_vec();
    let of = |copy: &Vec<u8>| twins(&[copy.clone(), copy.clone()]);
    assert_the_second_is_deleted_after_a_rest(&of(&copy), &["mtime=none"]);
    assert_the_second_is_deleted_after_a_rest(&of(&undated), &[]);
    let without_top = of(&copy);
    without_top.set_capabilities(None);
    without_top.on("TOP", Reply::Err("unknown command"));
    assert_the_second_is_deleted_after_a_rest(&without_top, &[]);
}

fn assert_the_second_is_deleted_after_a_rest(liar: &Liar, options: &[&str]) {
    let mut mount = mounted(&liar.source(), &[&["idle_timeout=1s"], options].concat());
    stdout_of(&["ls", "-l", mount.arg()]);
    remove(&mount, "same~2.eml");
    liar.server().wait_until_idle();
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert!(!liar.left_serials().contains(&2));
}

/// So many messages in mailutils, which adds `X-UID` and `Status` to them at the end of the first session; they are read, and
/// moved out of the mount.
fn moved_out(count: usize, options: &[&str]) -> (Mailutils, Mount) {
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
fn what_was_moved_out_of_a_mailutils_maildrop_is_deleted_after_a_rest() {
    let (mailutils, mut mount) = moved_out(3, &["idle_timeout=1s"]);
    mount.wait_until_its_session_is_closed();
    assert_eq!(umount(&mut mount), "3 messages deleted on the server\n");
    assert_eq!(mailutils.messages_left(), [[0; 0]; 0]);
}

/// The safety valve asks for nothing that was read, though its size is another by now.
#[test]
fn all_that_was_moved_out_of_a_mailutils_maildrop_is_deleted_after_a_new_listing() {
    let (mailutils, mut mount) = moved_out(12, &["refresh=1s"]);
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
