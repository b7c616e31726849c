//! A commit: what it sends to the server, when, and how mv, rsync, sync and umount trigger it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::common::{
    Background, Dovecot, Gate, Mailutils, MailutilsOptions, Mount, Mpopd, Reply, corpus,
};
use crate::{
    SOON, dovecot, files, liar, listed, mounted, remove, stderr, stdout, subjects, succeed, sync,
    umount, without,
};

/// Removes one message; the server must lose it when the mount ends, and not before.
fn one_is_deleted(
    messages: &[Vec<u8>],
    (port, user): (u16, &str),
    source: &str,
    left: impl Fn() -> Vec<Vec<u8>>,
) {
    let (name, _) = files(port, user).swap_remove(5);
    let mut mount = mounted(source, &[]);
    remove(&mount, &name);
    assert_eq!(subjects(&left()), subjects(messages));
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(subjects(&left()), subjects(&without(messages, &[5])));
}

#[test]
fn one_removed_message_is_deleted_by_dovecot() {
    let messages = corpus::realistic(2, 12);
    let server = dovecot(&messages);
    let account = (server.port(), Dovecot::USER);
    one_is_deleted(&messages, account, &server.source(), || {
        server.messages_left()
    });
}

#[test]
fn one_removed_message_is_deleted_by_mailutils() {
    let messages = corpus::realistic(2, 12);
    let server = Mailutils::start(&messages, MailutilsOptions::default());
    let account = (server.port(), Mailutils::USER);
    one_is_deleted(&messages, account, &server.source(), || {
        server.messages_left()
    });
}

#[test]
fn one_removed_message_is_deleted_by_mpopd() {
    let messages = corpus::realistic(2, 12);
    let server = Mpopd::start(&messages);
    let account = (server.port(), Mpopd::USER);
    one_is_deleted(&messages, account, &server.source(), || {
        server.messages_left()
    });
}

#[test]
fn nothing_is_sent_for_a_removed_message_before_the_commit() {
    let liar = liar(5);
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    succeed(&[Path::new("cat"), &mount.join("liar-3.eml")]);
    assert_eq!((liar.count("DELE"), liar.count("QUIT")), (0, 0));
    umount(&mut mount);
    assert_eq!((liar.count("DELE 2"), liar.count("DELE")), (1, 1));
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}

#[test]
fn sync_commits_and_the_mount_goes_on() {
    let messages = corpus::realistic(4, 30);
    let dovecot = dovecot(&messages);
    let files = files(dovecot.port(), Dovecot::USER);
    let mut mount = mounted(&dovecot.source(), &[]);
    remove(&mount, &files[0].0);
    remove(&mount, &files[9].0);
    let output = sync(&mount);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(dovecot.messages_left(), without(&messages, &[0, 9]));
    assert_eq!(listed(&mount).len(), 28);
    assert_eq!(
        fs::read(mount.join(&files[10].0)).expect("a message"),
        files[10].1
    );
    remove(&mount, &files[1].0);
    umount(&mut mount);
    assert_eq!(dovecot.messages_left(), without(&messages, &[0, 1, 9]));
}

#[test]
fn commit_says_how_many_were_deleted() {
    let liar = liar(5);
    let mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    remove(&mount, "liar-4.eml");
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "2 messages deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3, 5]);
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert_eq!(stdout(&output), "nothing to delete\n");
    assert!(mount.is_mounted());
}

/// Runs `pop3fs commit DIR`. `sync DIR` would hold the kernel's lock on the directory meanwhile.
fn commit_in_background(mount: &Mount) -> Background {
    Background::spawn(&mut mount.subcommand_line(&["commit", mount.arg()]))
}

#[test]
fn a_removal_during_a_commit_waits_for_the_next_commit() {
    let liar = liar(4);
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-1.eml");
    let commit = commit_in_background(&mount);
    liar.wait_for("QUIT", 1);
    // rm would call stat, which sends TOP for the date, and that TOP would wait for the commit.
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file during a commit");
    gate.open();
    let output = commit.output_within(SOON);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(liar.left_serials(), [2, 3, 4]);
    assert_eq!(listed(&mount), ["liar-3.eml", "liar-4.eml"]);
    umount(&mut mount);
    assert_eq!(liar.left_serials(), [3, 4]);
}

#[test]
fn a_message_cannot_be_restored_during_its_commit() {
    let liar = liar(2);
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-1.eml");
    let commit = commit_in_background(&mount);
    liar.wait_for("QUIT", 1);
    let pending = mount.join(".deleted/liar-1.eml");
    let moved = fs::rename(pending, mount.join("liar-1.eml"));
    assert!(moved.is_err());
    gate.open();
    let output = commit.output_within(SOON);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(listed(&mount), ["liar-2.eml"]);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn mv_moves_a_message_off_the_server() {
    let messages = corpus::realistic(8, 20);
    let dovecot = dovecot(&messages);
    let files = files(dovecot.port(), Dovecot::USER);
    let archive = TempDir::new().expect("an archive");
    let mut mount = mounted(&dovecot.source(), &[]);
    let (name, octets) = &files[3];
    succeed(&[Path::new("mv"), &mount.join(name), archive.path()]);
    assert_eq!(
        contents_of(archive.path()),
        [(name.clone(), octets.clone())]
    );
    umount(&mut mount);
    assert_eq!(dovecot.messages_left(), without(&messages, &[3]));
}

fn contents_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            let name = entry.file_name().into_string().expect("a name in ASCII");
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    found.sort();
    found
}

#[test]
fn rsync_empties_the_maildrop_after_copying_it() {
    let messages = corpus::realistic(9, 100);
    let dovecot = dovecot(&messages);
    let mut files = files(dovecot.port(), Dovecot::USER);
    files.sort();
    let archive = TempDir::new().expect("an archive");
    let mut mount = mounted(&dovecot.source(), &[]);
    let from = format!("{}/", mount.arg());
    succeed(&[
        Path::new("rsync"),
        Path::new("-a"),
        Path::new("--remove-source-files"),
        Path::new(&from),
        archive.path(),
    ]);
    assert_eq!(contents_of(archive.path()), files);
    assert_eq!(dovecot.messages_left(), messages);
    assert_eq!(umount(&mut mount), "100 messages deleted on the server\n");
    assert_eq!(dovecot.messages_left(), [[0; 0]; 0]);
}
