//! What the user is told about a commit is true, whatever the server answers to DELE and QUIT.

use std::process::Output;
use std::thread;
use std::time::Duration;

use pop3fs::cli::Failure;

use crate::common::{Background, Gate, Liar, Mount, Reply, assert_failed, eventually};
use crate::{
    SOON, liar, listed, mounted, remove, remove_all, stderr, stdout, sync, umount, umount_fails,
};

/// Removes the first and the last of three messages and commits with `sync`; `quit` sets up the
/// server.
fn sync_of_two_of_three(quit: impl FnOnce(&Liar)) -> (Liar, Mount, Output) {
    let liar = liar(3);
    quit(&liar);
    let mount = mounted(&liar.source(), &["timeout=2s"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-3.eml");
    let output = sync(&mount);
    (liar, mount, output)
}

#[test]
fn a_refused_quit_brings_the_files_back() {
    let (liar, mut mount, output) = sync_of_two_of_three(|liar| {
        liar.once("QUIT", Reply::Err("[SYS/TEMP] cannot write the maildrop"));
    });
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(liar.left_serials(), [1, 2, 3]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
    assert_eq!(umount(&mut mount), "nothing to delete\n");
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn umount_reports_a_refused_quit_in_the_servers_words() {
    let liar = liar(3);
    liar.once("QUIT", Reply::Err("cannot write the maildrop"));
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    let said = umount_fails(&mut mount);
    assert!(
        said.contains("liar-2.eml is still on the server: cannot write the maildrop"),
        "{said}"
    );
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn a_quit_cut_off_before_the_deletion_brings_the_files_back() {
    let (liar, mount, output) = sync_of_two_of_three(|liar| liar.once("QUIT", Reply::Close));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(liar.left_serials(), [1, 2, 3]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
}

#[test]
fn a_cut_off_or_bad_quit_is_checked_in_a_new_session() {
    for lost in [
        Reply::Close,
        Reply::Reset,
        Reply::Err("some were not removed"),
        Reply::Raw(b"gibberish\r\n".to_vec()),
    ] {
        let (liar, mount, output) = sync_of_two_of_three(|liar| liar.after("QUIT", lost.clone()));
        assert_eq!(output.status.code(), Some(0), "{lost:?}");
        assert_eq!(liar.left_serials(), [2], "{lost:?}");
        assert_eq!(listed(&mount), ["liar-2.eml"], "{lost:?}");
    }
}

/// `sync` waits for one timeout only. The commit that follows waits for the verdict of the first.
#[test]
fn an_unanswered_quit_is_checked_after_sync_has_given_up() {
    let (liar, mut mount, output) = sync_of_two_of_three(|liar| liar.after("QUIT", Reply::Silent));
    assert_eq!(output.status.code(), Some(1));
    let verdict = mount.subcommand(&["commit", mount.arg()]);
    assert_eq!(verdict.status.code(), Some(0), "{}", stderr(&verdict));
    assert_eq!(liar.left_serials(), [2]);
    assert_eq!(listed(&mount), ["liar-2.eml"]);
    let status = mount.subcommand(&["status", mount.arg()]);
    assert!(
        stdout(&status).contains("2 messages deleted on the server"),
        "{}",
        stdout(&status)
    );
    umount(&mut mount);
}

#[test]
fn a_quit_may_take_longer_than_the_timeout() {
    let liar = liar(3);
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let mut mount = mounted(&liar.source(), &["timeout=2s"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-3.eml");
    let verdict = Background::spawn(&mut mount.subcommand_line(&["commit", mount.arg()]));
    liar.wait_for("QUIT", 1);
    // Nothing shows that the client still waits, so the test sleeps longer than the timeout.
    thread::sleep(Duration::from_secs(4));
    gate.open();
    let verdict = verdict.output_within(SOON);
    assert_eq!(stdout(&verdict), "2 messages deleted on the server\n");
    assert_eq!((liar.left_serials(), liar.count("PASS")), (vec![2], 1));
    assert_eq!(umount(&mut mount), "nothing to delete\n");
}

#[test]
fn messages_of_an_unfinished_quit_are_not_listed_again() {
    let liar = liar(3);
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let mut mount = mounted(&liar.source(), &["timeout=1s"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-3.eml");
    let verdict = mount.subcommand(&["commit", mount.arg()]);
    assert_failed(&verdict, Failure::Uncommitted);
    let said = stderr(&verdict);
    assert!(said.contains("it is not known whether"), "{said}");
    assert!(!said.contains("is still on the server"), "{said}");
    assert_eq!(listed(&mount), ["liar-2.eml"]);
    gate.open();
    eventually("the server to delete", || {
        (liar.left_serials() == [2]).then_some(())
    });
    let said = umount(&mut mount);
    assert!(said.contains("2 already gone"), "{said}");
}

#[test]
fn the_next_commit_deletes_what_an_unanswered_one_left() {
    let liar = liar(3);
    liar.once("QUIT", Reply::Silent);
    let mut mount = mounted(&liar.source(), &["timeout=1s"]);
    remove(&mount, "liar-1.eml");
    assert_eq!(sync(&mount).status.code(), Some(1));
    assert_eq!(listed(&mount), ["liar-2.eml", "liar-3.eml"]);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [2, 3]);
}

#[test]
fn a_commit_whose_connection_is_cut_is_tried_again() {
    let (liar, mount, output) = sync_of_two_of_three(|liar| liar.once("DELE 3", Reply::Close));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(liar.left_serials(), [2]);
    assert_eq!(listed(&mount), ["liar-2.eml"]);
}

#[test]
fn umount_fails_if_the_outcome_cannot_be_checked() {
    let liar = liar(3);
    liar.on("QUIT", Reply::Close);
    let mut mount = mounted(&liar.source(), &["timeout=1s"]);
    remove(&mount, "liar-2.eml");
    liar.on("PASS", Reply::Err("[SYS/TEMP] not now"));
    let said = umount_fails(&mut mount);
    assert!(said.contains("did not confirm"), "{said}");
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn only_the_message_with_a_refused_dele_comes_back() {
    let liar = liar(4);
    liar.on("DELE 2", Reply::Err("protected"));
    let mount = mounted(&liar.source(), &[]);
    for name in ["liar-1.eml", "liar-2.eml", "liar-3.eml"] {
        remove(&mount, name);
    }
    let output = sync(&mount);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(liar.left_serials(), [2, 4]);
    assert_eq!(listed(&mount), ["liar-2.eml", "liar-4.eml"]);
}

#[test]
fn umount_reports_which_dele_was_refused_and_why() {
    let liar = liar(4);
    liar.on("DELE 2", Reply::Err("protected"));
    let mut mount = mounted(&liar.source(), &[]);
    remove_all(&mount);
    let said = umount_fails(&mut mount);
    assert!(
        said.contains("liar-2.eml is still on the server: protected"),
        "{said}"
    );
    assert!(said.contains("3 messages deleted"), "{said}");
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_message_that_another_client_deleted_is_no_failure() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-2.eml");
    liar.server().wait_until_idle();
    liar.remove(2);
    let said = umount(&mut mount);
    assert!(said.contains("1 already gone"), "{said}");
    assert_eq!(liar.left_serials(), [3]);
}
