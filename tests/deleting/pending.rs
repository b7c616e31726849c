//! Pending deletions: messages removed in the mount that the server still has, and how to restore
//! them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use pop3fs::cli::Failure;

use crate::common::{Dovecot, Liar, Mount, assert_failed, corpus, eventually, stdout_of};
use crate::{
    dovecot, files, liar, listed, mounted, remove, remove_all, stderr, stdout, succeed, sync,
    umount, without,
};

fn remove_two_of_three_hundred_and_restore_one(restore: impl FnOnce(&Mount, &str)) {
    let messages = corpus::realistic(1, 300);
    let dovecot = dovecot(&messages);
    let files = files(dovecot.port(), Dovecot::USER);
    let mut mount = mounted(&dovecot.source(), &[]);
    let (spam, kept) = (&files[41].0, &files[42].0);
    remove(&mount, spam);
    remove(&mount, kept);
    restore(&mount, kept);
    let shown = listed(&mount);
    assert_eq!(shown.len(), 299);
    assert!(shown.contains(kept) && !shown.contains(spam));
    assert_eq!(dovecot.messages_left(), messages);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(dovecot.messages_left(), without(&messages, &[41]));
}

#[test]
fn of_two_removed_messages_the_one_moved_back_stays() {
    remove_two_of_three_hundred_and_restore_one(|mount, name| {
        let pending = mount.join(".deleted").join(name);
        succeed(&[Path::new("mv"), &pending, mount.path()]);
    });
}

#[test]
fn of_two_removed_messages_the_one_restored_by_name_stays() {
    remove_two_of_three_hundred_and_restore_one(|mount, name| {
        let output = mount.subcommand(&["restore", mount.arg(), name]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), format!("{name} is back\n"));
    });
}

/// The kernel keeps the cached attributes of a name when the name is moved to `.deleted`.
#[test]
fn a_name_leaves_deleted_when_it_is_restored_or_committed() {
    let liar = liar(3);
    let mount = mounted(&liar.source(), &[]);
    let pending = [1, 2].map(|serial| {
        let name = format!("liar-{serial}.eml");
        let pending = mount.join(".deleted").join(&name);
        fs::metadata(mount.join(&name)).expect("stat");
        fs::rename(mount.join(name), &pending).expect("mv");
        fs::metadata(&pending).expect("a pending deletion");
        pending
    });
    let output = mount.subcommand(&["restore", mount.arg(), "liar-1.eml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    sync(&mount);
    for name in pending {
        eventually("the name to be gone", || (!name.exists()).then_some(()));
    }
}

#[test]
fn restore_without_a_name_restores_every_message() {
    let liar = liar(4);
    let mut mount = mounted(&liar.source(), &[]);
    remove_all(&mount);
    let output = mount.subcommand(&["restore", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(listed(&mount).len(), 4);
    assert_eq!(umount(&mut mount), "nothing to delete\n");
    assert_eq!((liar.left_serials().len(), liar.count("DELE")), (4, 0));
}

#[test]
fn restore_fails_for_a_message_that_is_not_pending() {
    let liar = liar(2);
    let mount = mounted(&liar.source(), &[]);
    let output = mount.subcommand(&["restore", mount.arg(), "liar-1.eml"]);
    assert_failed(&output, Failure::Usage);
    assert!(
        stderr(&output).contains("liar-1.eml is not among"),
        "{output:?}"
    );
}

#[test]
fn a_pending_message_is_shown_only_in_deleted() {
    let messages = corpus::realistic(7, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    let deleted = mount.join(".deleted");
    let shown = stdout_of(&[Path::new("ls"), &deleted]);
    assert_eq!(shown, "liar-2.eml\n");
    let octets = fs::read(deleted.join("liar-2.eml")).expect("a pending message");
    assert_eq!(octets, messages[1]);
    let shown = stdout_of(&["ls", "-a", mount.arg()]);
    assert_eq!(shown, ".\n..\nliar-1.eml\nliar-3.eml\n");
    let missing = fs::read(mount.join("liar-2.eml")).expect_err("a removed file");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_pending_deletion_cannot_be_removed_for_good() {
    let liar = liar(2);
    let mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    let refused = fs::remove_file(mount.join(".deleted/liar-2.eml")).expect_err("a refusal");
    assert_eq!(refused.raw_os_error(), Some(nix::libc::EPERM));
    assert_eq!(liar.count("DELE"), 0);
}

#[test]
fn a_message_moved_to_deleted_is_pending() {
    let liar = liar(2);
    let mut mount = mounted(&liar.source(), &[]);
    succeed(&[
        Path::new("mv"),
        &mount.join("liar-2.eml"),
        &mount.join(".deleted"),
    ]);
    assert_eq!(listed(&mount), ["liar-1.eml"]);
    umount(&mut mount);
    assert_eq!(liar.left_serials(), [1]);
}

#[test]
fn a_restored_message_can_be_read_and_removed_again() {
    let messages = corpus::realistic(7, 2);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &[]);
    for _ in 0..3 {
        remove(&mount, "liar-2.eml");
        succeed(&[
            Path::new("mv"),
            &mount.join(".deleted/liar-2.eml"),
            mount.path(),
        ]);
        let octets = fs::read(mount.join("liar-2.eml")).expect("a message");
        assert_eq!(octets, messages[1]);
    }
    remove(&mount, "liar-2.eml");
    umount(&mut mount);
    assert_eq!(liar.left_serials(), [1]);
}

#[test]
fn an_open_message_stays_readable_after_its_deletion() {
    let messages = [corpus::large(600_000), corpus::with_body(b"other\r\n")];
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    let mut file = File::open(mount.join("liar-1.eml")).expect("a message");
    let mut octets = vec![0; 10];
    file.read_exact(&mut octets).expect("the first octets");
    remove(&mount, "liar-1.eml");
    assert_eq!(sync(&mount).status.code(), Some(0));
    assert_eq!(liar.left_serials(), [2]);
    file.read_to_end(&mut octets).expect("the rest");
    assert_eq!(octets, messages[0]);
}

#[test]
fn a_read_only_mount_removes_nothing() {
    let liar = liar(2);
    let mut mount = mounted(&liar.source(), &["ro"]);
    let refused = fs::remove_file(mount.join("liar-1.eml")).expect_err("a refusal");
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    umount(&mut mount);
    assert_eq!((liar.left_serials().len(), liar.count("DELE")), (2, 0));
}

#[test]
fn a_restored_message_is_no_longer_in_deleted() {
    let liar = liar(2);
    let mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    let pending = mount.join(".deleted/liar-2.eml");
    succeed(&[Path::new("stat"), &pending]);
    let output = mount.subcommand(&["restore", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let missing = fs::metadata(&pending).expect_err("a restored message");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_deleted_message_is_no_longer_in_deleted() {
    let liar = liar(2);
    let mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    let pending = mount.join(".deleted/liar-2.eml");
    succeed(&[Path::new("cat"), &pending]);
    assert_eq!(sync(&mount).status.code(), Some(0));
    let missing = fs::metadata(&pending).expect_err("a deleted message");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn an_open_unread_message_stays_readable_after_its_deletion() {
    // The message is larger than both caches: the second mount knows its size, but not its body.
    let messages = [corpus::large(1_200_000), corpus::with_body(b"other\r\n")];
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &["memory=1M", "cache_size=1M"]);
    succeed(&[Path::new("cat"), &mount.join("liar-1.eml")]);
    mount.remount();
    let mut file = File::open(mount.join("liar-1.eml")).expect("a message");
    remove(&mount, "liar-1.eml");
    assert_eq!(sync(&mount).status.code(), Some(0));
    let mut octets = Vec::new();
    let read = file.read_to_end(&mut octets);
    assert!(read.is_ok(), "{read:?}");
    assert!(octets == messages[0]);
}
