//! What is removed while the server is away: it stays pending, also in the next mount, and nothing
//! else is ever deleted.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::common::{Mount, Reply, assert_failed, assert_says, stderr};
use crate::{
    Provider, all_but, await_server, listed, message, name, pending, read, remove, umount,
    umount_in_vain,
};
use pop3fs::cli::Failure;

/// A mount that knows all headers and has no server.
fn offline(count: u64) -> (Provider, Mount) {
    let mut provider = Provider::start(count);
    let mut mount = provider.mount(&[]);
    crate::listed_with_all(&mount, "");
    read(&mount, 1..=count / 2);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    (provider, mount)
}

#[test]
fn a_removal_without_the_server_is_committed_when_it_is_there() {
    let (mut provider, mut mount) = offline(20);
    remove(&mount, 3);
    assert_eq!(pending(&mount), [name(3)]);
    assert!(!listed(&mount, "").contains(&name(3)));
    provider.restart(1);
    await_server(&mount);
    let shown = listed(&mount, "");
    assert_eq!(shown.len(), 20);
    assert!(shown.contains(&name(21)) && !shown.contains(&name(3)));
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(21, &[3]));
}

#[test]
fn a_commit_tries_at_once_to_reach_the_server() {
    let (mut provider, mount) = offline(6);
    remove(&mount, 3);
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert_failed(&output, Failure::Uncommitted);
    provider.restart(0);
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(provider.liar().left_serials(), all_but(6, &[3]));
}

#[test]
fn what_an_offline_umount_could_not_delete_is_pending_in_the_next_mount() {
    let (mut provider, mut mount) = offline(8);
    remove(&mount, 2);
    remove(&mount, 7);
    let said = umount_in_vain(&mut mount);
    assert_says(&said, &["2 removals are", &name(2), &name(7), "next mount"]);
    mount.remount();
    assert_eq!(pending(&mount), [name(2), name(7)]);
    assert_eq!(listed(&mount, ".deleted"), [name(2), name(7)]);
    let warning = ["2 removals are", "since an earlier mount", "pop3fs restore"];
    assert_says(&mount.stderr(), &warning);
    let restored = mount.subcommand(&["restore", mount.arg(), &name(7)]);
    assert!(restored.status.success(), "{restored:?}");
    provider.restart(0);
    await_server(&mount);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(8, &[2]));
    mount.remount();
    assert!(pending(&mount).is_empty());
}

/// Has the disk refuse to store any further removal, until the trigger is dropped.
fn refuse_removals(mount: &Mount) -> Connection {
    refuse(mount, "INSERT")
}

/// Has the disk refuse such a change of the removals.
fn refuse(mount: &Mount, change: &str) -> Connection {
    let index = mount.account_folder().join("index.sqlite");
    let index = Connection::open(index).expect("the index");
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE {change} ON removal
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    );
    index.execute_batch(&refuse).expect("a trigger");
    index
}

fn accept_removals(index: &Connection) {
    let accept = index.execute_batch("DROP TRIGGER refuse");
    accept.expect("to drop the trigger");
}

#[test]
fn a_removal_that_the_disk_refused_is_not_said_to_be_pending_in_the_next_mount() {
    let (mut provider, mut mount) = offline(8);
    remove(&mount, 2);
    let index = refuse_removals(&mount);
    remove(&mount, 7);
    let said = umount_in_vain(&mut mount);
    let stored = format!("1 removal is pending again in the next mount: {}", name(2));
    assert_says(&said, &["is shown at the next mount unless", &stored]);
    assert!(!said.contains(&name(7)), "{said}");
    accept_removals(&index);
    mount.remount();
    assert_eq!(pending(&mount), [name(2)]);
    assert!(listed(&mount, "").contains(&name(7)));
    provider.restart(0);
    await_server(&mount);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(8, &[2]));
}

#[test]
fn a_removal_that_the_disk_refused_at_first_is_stored_at_the_end() {
    let (_provider, mut mount) = offline(8);
    let index = refuse_removals(&mount);
    remove(&mount, 7);
    accept_removals(&index);
    let said = umount_in_vain(&mut mount);
    assert_says(&said, &["1 removal is pending again", &name(7)]);
    mount.remount();
    assert_eq!(pending(&mount), [name(7)]);
}

#[test]
fn a_mount_with_its_server_commits_what_an_offline_one_left() {
    let (mut provider, mut mount) = offline(8);
    remove(&mount, 5);
    umount_in_vain(&mut mount);
    provider.restart(1);
    mount.remount_with(&["offline=no"]);
    assert_eq!(pending(&mount), [name(5)]);
    assert_eq!(listed(&mount, "").len(), 8);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(9, &[5]));
}

#[test]
fn a_killed_offline_mount_leaves_its_removals_pending_and_no_others() {
    let (mut provider, mut mount) = offline(8);
    for serial in [1, 4, 6] {
        remove(&mount, serial);
    }
    let back = mount.subcommand(&["restore", mount.arg(), &name(4)]);
    assert!(back.status.success(), "{back:?}");
    remove(&mount, 8);
    mount.kill9();
    mount.remount();
    assert_eq!(pending(&mount), [name(1), name(6), name(8)]);
    mount.kill9();
    provider.restart(0);
    mount.remount();
    assert_eq!(pending(&mount), [name(1), name(6), name(8)]);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(8, &[1, 6, 8]));
}

#[test]
fn discarded_removals_are_not_pending_in_the_next_mount() {
    let (mut provider, mut mount) = offline(4);
    remove(&mount, 2);
    umount_in_vain(&mut mount);
    mount.remount();
    assert_eq!(pending(&mount), [name(2)]);
    let output = mount.subcommand(&["umount", "--discard", mount.arg()]);
    assert!(output.status.success(), "{}", stderr(&output));
    mount.wait();
    mount.remount();
    assert!(pending(&mount).is_empty());
    assert_eq!(listed(&mount, "").len(), 4);
    provider.restart(0);
    await_server(&mount);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(4, &[]));
}

#[test]
fn a_removal_is_forgotten_when_another_client_has_deleted_the_message() {
    let (mut provider, mut mount) = offline(4);
    remove(&mount, 2);
    umount_in_vain(&mut mount);
    provider.restart(0);
    provider.liar().remove(2);
    mount.remount();
    assert!(pending(&mount).is_empty());
    umount(&mut mount);
    let again = provider.liar().add(&message(9));
    provider.liar().set_uidl(again, b"liar-2");
    mount.remount();
    assert!(pending(&mount).is_empty());
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), [1, 3, 4, 5]);
}

#[test]
fn other_mail_in_the_place_of_a_removed_message_is_kept() {
    let (mut provider, mut mount) = offline(6);
    remove(&mount, 2);
    umount_in_vain(&mut mount);
    provider.restart(0);
    provider.liar().exchange_uidls(2, 3);
    mount.remount();
    let said = umount_in_vain(&mut mount);
    assert_says(&said, &[&name(2)]);
    assert_eq!(provider.liar().left_serials(), all_but(6, &[]));
    mount.remount();
    assert!(pending(&mount).is_empty());
}

#[test]
fn a_link_lost_in_a_mount_leaves_its_removals_to_the_next_one() {
    let mut provider = Provider::start(5);
    let mut mount = provider.mount(&[]);
    crate::listed_with_all(&mount, "");
    remove(&mount, 1);
    provider.stop();
    remove(&mount, 2);
    let said = umount_in_vain(&mut mount);
    assert_says(&said, &["2 removals are", &name(1), &name(2)]);
    provider.restart(0);
    mount.remount();
    assert_eq!(pending(&mount), [name(1), name(2)]);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(5, &[1, 2]));
}

#[test]
fn without_the_option_a_failed_umount_forgets_its_removals() {
    let mut provider = Provider::start(5);
    let mut mount = provider.mount(&["offline=no"]);
    crate::listed_with_all(&mount, "");
    remove(&mount, 1);
    provider.stop();
    umount_in_vain(&mut mount);
    provider.restart(0);
    mount.remount();
    assert!(pending(&mount).is_empty());
    assert_eq!(listed(&mount, "").len(), 5);
}

#[test]
fn an_aborted_mount_forgets_no_removal_of_an_earlier_one() {
    let (mut provider, mut mount) = offline(5);
    remove(&mount, 1);
    umount_in_vain(&mut mount);
    provider.restart(0);
    mount.remount();
    remove(&mount, 3);
    let device = std::os::unix::fs::MetadataExt::dev(&fs::metadata(mount.path()).expect("a mount"));
    let abort = format!("/sys/fs/fuse/connections/{}/abort", libc::minor(device));
    if !Path::new(&abort).exists() {
        return;
    }
    fs::write(abort, "1").expect("to abort the connection");
    mount.wait();
    mount.remount();
    assert_eq!(pending(&mount), [name(1)]);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(5, &[1]));
}

#[test]
fn a_commit_that_breaks_off_leaves_its_removals_to_the_next_mount() {
    for command in ["STAT", "DELE 2"] {
        let (mut provider, mut mount) = offline(6);
        remove(&mount, 2);
        provider.restart(0);
        await_server(&mount);
        provider.liar().on(command, Reply::Close);
        provider.liar().server().cut_all();
        umount_in_vain(&mut mount);
        provider.liar().behave(command);
        mount.remount();
        assert_eq!(pending(&mount), [name(2)]);
        umount(&mut mount);
        assert_eq!(provider.liar().left_serials(), all_but(6, &[2]));
    }
}

/// The next mount would delete a message that its user has taken back.
#[test]
fn a_removal_that_the_disk_does_not_forget_is_not_taken_back() {
    let (mut provider, mut mount) = offline(8);
    remove(&mount, 2);
    let index = refuse(&mount, "DELETE");
    let restore = |mount: &Mount| mount.subcommand(&["restore", mount.arg(), &name(2)]);
    let refused = restore(&mount);
    assert!(!refused.status.success(), "{refused:?}");
    assert_says(
        &stderr(&refused),
        &["cannot be taken back", "the disk is full"],
    );
    let there = mount.join(".deleted").join(name(2));
    let moved = fs::rename(&there, mount.join(name(2))).expect_err("a refusal");
    assert_eq!(moved.raw_os_error(), Some(nix::libc::EIO));
    assert_eq!(pending(&mount), [name(2)]);
    accept_removals(&index);
    let restored = restore(&mount);
    assert!(restored.status.success(), "{restored:?}");
    umount(&mut mount);
    mount.remount();
    assert!(pending(&mount).is_empty());
    provider.restart(0);
    await_server(&mount);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(8, &[]));
}

#[test]
fn a_discarded_removal_that_the_disk_does_not_forget_is_told_of() {
    let (_provider, mut mount) = offline(8);
    remove(&mount, 2);
    let index = refuse(&mount, "DELETE");
    mount.subcommand(&["umount", "--discard", mount.arg()]);
    let told = "removals stay in it, and may be pending again in the next mount";
    assert_says(&mount.wait().stderr, &["the disk is full", told]);
    accept_removals(&index);
    mount.remount();
    assert_eq!(pending(&mount), [name(2)]);
}
