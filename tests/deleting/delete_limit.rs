//! The delete limit: many messages are deleted only after the user confirms, unless the program
//! that removed them had read them.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use pop3fs::cli::Failure;

use crate::common::{Dovecot, Liar, Mount, PROGRAM, corpus, output_within};
use crate::{
    SOON, dovecot, files, holder_of, kill_holder, liar, listed, mounted, remove, remove_all,
    stderr, stdout, succeed, sync, umount,
};

/// The exit status of a mount that deleted nothing because the user has to confirm.
const HELD_BACK: Option<i32> = Some(Failure::HeldBack.status() as i32);

/// A mount from which every message was removed unread.
fn emptied(count: usize, options: &[&str]) -> (Liar, Mount) {
    let liar = liar(count);
    let mount = mounted(&liar.source(), options);
    remove_all(&mount);
    (liar, mount)
}

fn pop3fs(mount: &Mount, command: &[&str]) -> Output {
    mount.subcommand(&[command, &[mount.arg()]].concat())
}

/// The test's own process reads the messages.
fn read(mount: &Mount, names: &[String]) {
    for name in names {
        fs::read(mount.join(name)).expect("a message");
    }
}

/// The test's own process removes the messages. (`rm` is a process of its own, which reads
/// nothing.)
fn unlink(mount: &Mount, names: &[String]) {
    for name in names {
        fs::remove_file(mount.join(name)).expect("a removal");
    }
}

/// The command must fail with a message that contains `parts`, and must not send DELE.
fn assert_held(output: &Output, liar: &Liar, parts: &[&str]) {
    assert!(!output.status.success(), "{}", stdout(output));
    let said = stderr(output);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert_eq!(liar.count("DELE"), 0);
}

#[test]
fn rm_and_umount_do_not_delete_300_unread_messages() {
    let messages = corpus::realistic(31, 300);
    let dovecot = dovecot(&messages);
    let mut mount = mounted(&dovecot.source(), &[]);
    succeed(&["sh", "-c", "rm -rf -- \"$1\"/*", "sh", mount.arg()]);
    assert_eq!(listed(&mount), [""; 0]);
    succeed(&["umount", mount.arg()]);
    let ended = mount.wait();
    assert_eq!(ended.status.and_then(|status| status.code()), HELD_BACK);
    for part in [
        "300 messages were removed by programs that had not read them",
        "nothing was deleted",
        "pop3fs umount --yes",
        "max_delete",
    ] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
    assert_eq!(dovecot.messages_left(), messages);
    mount.remount();
    assert_eq!(listed(&mount).len(), 300);
}

#[test]
fn messages_that_rsync_has_copied_are_deleted() {
    let messages = corpus::realistic(32, 300);
    let dovecot = dovecot(&messages);
    let mut files = files(dovecot.port(), Dovecot::USER);
    files.sort();
    let archive = TempDir::new().expect("an archive");
    let mut mount = mounted(&dovecot.source(), &[]);
    let from = format!("{}/", mount.arg());
    let to = archive.path().to_str().expect("a path in ASCII");
    succeed(&["rsync", "-a", "--remove-source-files", &from, to]);
    assert_eq!(umount(&mut mount), "300 messages deleted on the server\n");
    assert_eq!(dovecot.messages_left(), [[0; 0]; 0]);
    for (name, octets) in files {
        assert_eq!(fs::read(archive.path().join(name)).expect("a copy"), octets);
    }
}

#[test]
fn messages_read_in_an_earlier_mount_need_confirmation() {
    let liar = liar(12);
    let mut mount = mounted(&liar.source(), &[]);
    let names = listed(&mount);
    read(&mount, &names);
    mount.remount();
    unlink(&mount, &names);
    assert_held(&mount.umount(), &liar, &["still mounted"]);
}

#[test]
fn messages_read_by_the_process_that_removes_need_no_confirmation() {
    let liar = liar(12);
    let mut mount = mounted(&liar.source(), &[]);
    let names = listed(&mount);
    read(&mount, &names);
    unlink(&mount, &names);
    assert_eq!(umount(&mut mount), "12 messages deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn messages_read_by_another_process_need_confirmation() {
    let liar = liar(12);
    let mount = mounted(&liar.source(), &[]);
    read(&mount, &listed(&mount));
    remove_all(&mount);
    assert_held(&mount.umount(), &liar, &["still mounted"]);
}

#[test]
fn read_ahead_does_not_count_as_reading() {
    let liar = liar(40);
    let mount = mounted(&liar.source(), &[]);
    let names = listed(&mount);
    read(&mount, &names[..2]);
    // The second read in listing order makes the engine read ahead.
    liar.wait_for("RETR", 20);
    unlink(&mount, &names);
    let parts = ["40 messages were removed, 38 of them by programs that had not read them"];
    assert_held(&pop3fs(&mount, &["commit"]), &liar, &parts);
}

#[test]
fn sync_of_an_emptied_maildrop_is_not_permitted() {
    let (liar, mount) = emptied(11, &[]);
    assert_held(&sync(&mount), &liar, &["Operation not permitted"]);
    assert!(mount.is_mounted());
    let output = pop3fs(&mount, &["restore"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(listed(&mount).len(), 11);
}

#[test]
fn a_small_maildrop_is_emptied_without_confirmation() {
    let (liar, mut mount) = emptied(10, &[]);
    assert_eq!(umount(&mut mount), "10 messages deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn commit_lists_what_it_would_delete_and_obeys_yes() {
    let (liar, mount) = emptied(11, &[]);
    let parts = [
        "11 messages were removed by programs that had not read them, and none would be left",
        "liar-1.eml, liar-10.eml, liar-11.eml and 8 more",
        "nothing was deleted",
        "pop3fs commit --yes",
        "pop3fs restore",
    ];
    assert_held(&pop3fs(&mount, &["commit"]), &liar, &parts);
    let output = pop3fs(&mount, &["commit", "--yes"]);
    assert_eq!(stdout(&output), "11 messages deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
    assert!(mount.is_mounted());
}

#[test]
fn a_held_back_umount_leaves_the_mount_in_place() {
    let (liar, mut mount) = emptied(11, &[]);
    let parts = ["still mounted", "umount --yes", "umount --discard"];
    assert_held(&mount.umount(), &liar, &parts);
    assert!(mount.is_mounted());
    let output = pop3fs(&mount, &["umount", "--yes"]);
    assert_eq!(stdout(&output), "11 messages deleted on the server\n");
    assert!(mount.wait().status.is_some_and(|status| status.success()));
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn umount_discard_deletes_nothing_and_is_a_success() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-2.eml");
    let output = pop3fs(&mount, &["umount", "--discard"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "nothing was deleted: the server keeps 2 messages removed here\n"
    );
    assert!(mount.wait().status.is_some_and(|status| status.success()));
    assert_eq!(liar.count("DELE"), 0);
    mount.remount();
    assert_eq!(listed(&mount).len(), 3);
}

#[test]
fn max_delete_limits_unread_deletions() {
    let liar = liar(40);
    let mount = mounted(&liar.source(), &["max_delete=2"]);
    for serial in 1..=2 {
        remove(&mount, &format!("liar-{serial}.eml"));
    }
    assert_eq!(sync(&mount).status.code(), Some(0));
    assert_eq!(liar.left_serials().len(), 38);
    for serial in 3..=5 {
        remove(&mount, &format!("liar-{serial}.eml"));
    }
    let said = stderr(&pop3fs(&mount, &["commit"]));
    assert!(said.contains("more than max_delete allows (2)"), "{said}");
    assert_eq!(liar.left_serials().len(), 38);
}

#[test]
fn max_delete_0_deletes_only_what_the_same_process_read() {
    let liar = liar(3);
    let mount = mounted(&liar.source(), &["max_delete=0"]);
    let [first, second] = ["liar-1.eml".to_owned(), "liar-2.eml".to_owned()];
    read(&mount, std::slice::from_ref(&first));
    unlink(&mount, &[first]);
    assert_eq!(sync(&mount).status.code(), Some(0));
    unlink(&mount, &[second]);
    assert_eq!(sync(&mount).status.code(), Some(1));
    assert_eq!(liar.left_serials(), [2, 3]);
}

#[test]
fn max_delete_off_asks_for_nothing() {
    let (liar, mut mount) = emptied(40, &["max_delete=off"]);
    assert_eq!(umount(&mut mount), "40 messages deleted on the server\n");
    assert_eq!(liar.left_serials(), [0; 0]);
}

/// Runs `pop3fs ARGUMENT… DIR` on a terminal on which the user types `typed`.
fn on_a_terminal(mount: &Mount, command: &str, typed: &str) -> (Option<i32>, String) {
    let folder = TempDir::new().expect("a folder");
    let keys = folder.path().join("keys");
    fs::write(&keys, typed).expect("a file");
    let mut script = mount.at_home(Command::new("script"));
    let line = format!("{PROGRAM} {command} {}", mount.arg());
    script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(fs::File::open(keys).expect("a file"));
    let output = output_within(SOON, &mut script);
    (output.status.code(), stdout(&output))
}

#[test]
fn a_yes_on_the_terminal_deletes() {
    let (liar, mut mount) = emptied(11, &[]);
    let (code, shown) = on_a_terminal(&mount, "umount", "y\n");
    assert_eq!(code, Some(0), "{shown}");
    for part in [
        "had not read them, and none would be left on the server: liar-1.eml",
        "Delete them? [y]es, [k]eep them on the server and unmount, [N]o: ",
        "11 messages deleted",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert_eq!(shown.matches("liar-10.eml").count(), 1, "{shown}");
    mount.wait();
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn what_is_going_to_be_deleted_is_shown_on_the_terminal() {
    let (liar, mut mount) = emptied(2, &[]);
    let (code, shown) = on_a_terminal(&mount, "umount", "");
    assert_eq!(code, Some(0), "{shown}");
    let named = "deleting on the server: liar-1.eml, liar-2.eml";
    assert!(shown.contains(named), "{shown}");
    mount.wait();
    assert_eq!(liar.left_serials(), [0; 0]);
}

#[test]
fn any_other_answer_on_the_terminal_deletes_nothing() {
    let (liar, mut mount) = emptied(11, &[]);
    let of_umount = "nothing was deleted, and it is still mounted: ";
    let of_commit = "Delete them? [y/N]: ";
    for (command, typed, part) in [
        ("umount", "\n", of_umount),
        ("umount", "no\n", of_umount),
        ("commit", "what\n", of_commit),
    ] {
        let (code, shown) = on_a_terminal(&mount, command, typed);
        assert_eq!(code, HELD_BACK, "{shown}");
        assert!(shown.contains(part), "{shown}");
        assert!(mount.is_mounted());
    }
    let (code, shown) = on_a_terminal(&mount, "umount", "k\n");
    assert_eq!(code, Some(0), "{shown}");
    mount.wait();
    assert_eq!((liar.left_serials().len(), liar.count("DELE")), (11, 0));
}

#[test]
fn the_yes_of_a_failed_umount_is_forgotten() {
    let (liar, mut mount) = emptied(12, &[]);
    let holder = holder_of(&mount.join(".deleted/liar-1.eml"));
    let output = pop3fs(&mount, &["umount", "--yes"]);
    assert!(stderr(&output).contains("is busy"), "{output:?}");
    kill_holder(holder);
    succeed(&["umount", mount.arg()]);
    let ended = mount.wait();
    assert_eq!(ended.status.and_then(|status| status.code()), HELD_BACK);
    assert_eq!(liar.left_serials().len(), 12);
}
