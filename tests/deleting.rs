//! What a removed file does to the maildrop, and above all what it does not, over real mounts and real servers.

mod common;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{
    Background, Dovecot, DovecotOptions, Gate, Liar, Mailutils, MailutilsOptions, Mount, Mpopd,
    Reply, Store, corpus, retr_all, run, stdout_of,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// For what a command must do at once.
const SOON: Duration = Duration::from_secs(30);

fn dovecot(messages: &[Vec<u8>]) -> Dovecot {
    Dovecot::start(messages, &DovecotOptions::default())
}

fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(7, count))
}

/// A mount without TLS and with these options besides.
fn mounted(source: &str, options: &[&str]) -> Mount {
    Mount::new(source, &[&["tls=off"], options].concat())
}

/// The names and contents that the server's own messages have in the mount.
fn files(port: u16, user: &str) -> Vec<(String, Vec<u8>)> {
    retr_all(port, user, "secret")
        .into_iter()
        .map(|message| {
            let uidl = String::from_utf8(message.uidl).expect("a unique-id in ASCII");
            (format!("{uidl}.eml"), message.bytes)
        })
        .collect()
}

/// The listing as `ls` shows it.
fn listed(mount: &Mount) -> Vec<String> {
    let shown = stdout_of(&["ls", "-1", mount.arg()]);
    shown.lines().map(str::to_owned).collect()
}

fn succeed<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) {
    stdout_of(arguments);
}

fn remove(mount: &Mount, name: &str) {
    succeed(&[Path::new("rm"), &mount.join(name)]);
}

fn remove_all(mount: &Mount) {
    succeed(&["sh", "-c", "rm -- \"$1\"/*", "sh", mount.arg()]);
    assert_eq!(listed(mount), [""; 0]);
}

/// `sync DIR`: fsync of the directory, whose errno is the verdict.
fn sync(mount: &Mount) -> Output {
    run(&["sync", mount.arg()])
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Unmounts by `pop3fs umount`, which must succeed, and waits for the process, which must too; gives what was said.
fn umount(mount: &mut Mount) -> String {
    let output = mount.umount();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ended = mount.wait();
    assert!(
        ended.status.is_some_and(|status| status.success()),
        "{ended:?}"
    );
    stdout(&output)
}

/// As [`umount`], where the verdict must be bad; gives what was said.
fn umount_in_vain(mount: &mut Mount) -> String {
    let output = mount.umount();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let ended = mount.wait();
    assert_eq!(ended.status.and_then(|status| status.code()), Some(1));
    stderr(&output)
}

/// A message is known by its subject, for mailutils adds headers of its own.
fn subjects(messages: &[Vec<u8>]) -> Vec<String> {
    let subject = |message: &Vec<u8>| {
        let text = String::from_utf8_lossy(message).into_owned();
        let line = text.lines().find(|line| line.starts_with("Subject:"));
        line.unwrap_or_default().to_owned()
    };
    messages.iter().map(subject).collect()
}

fn without(messages: &[Vec<u8>], indices: &[usize]) -> Vec<Vec<u8>> {
    messages
        .iter()
        .enumerate()
        .filter(|(index, _)| !indices.contains(index))
        .map(|(_, message)| message.clone())
        .collect()
}

// Removing, and taking it back.

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

#[test]
fn restore_without_a_name_takes_every_deletion_back() {
    let liar = liar(4);
    let mut mount = mounted(&liar.source(), &[]);
    remove_all(&mount);
    let output = mount.subcommand(&["restore", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(listed(&mount).len(), 4);
    assert_eq!(umount(&mut mount), "nothing was to be deleted\n");
    assert_eq!((liar.left_serials().len(), liar.count("DELE")), (4, 0));
}

#[test]
fn restore_of_what_is_not_pending_fails() {
    let liar = liar(2);
    let mount = mounted(&liar.source(), &[]);
    let output = mount.subcommand(&["restore", mount.arg(), "liar-1.eml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("liar-1.eml is not among"),
        "{output:?}"
    );
}

#[test]
fn one_removed_message_is_deleted_by_each_server() {
    let messages = corpus::realistic(2, 12);
    let one = |port, user, source: &str, left: &dyn Fn() -> Vec<Vec<u8>>| {
        let (name, _) = files(port, user).swap_remove(5);
        let mut mount = mounted(source, &[]);
        remove(&mount, &name);
        assert_eq!(subjects(&left()), subjects(&messages));
        assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
        assert_eq!(subjects(&left()), subjects(&without(&messages, &[5])));
    };
    let server = dovecot(&messages);
    one(server.port(), Dovecot::USER, &server.source(), &|| {
        server.messages_left()
    });
    let server = Mailutils::start(&messages, MailutilsOptions::default());
    one(server.port(), Mailutils::USER, &server.source(), &|| {
        server.messages_left()
    });
    let server = Mpopd::start(&messages);
    one(server.port(), Mpopd::USER, &server.source(), &|| {
        server.messages_left()
    });
}

// Ends that commit nothing.

#[test]
fn a_killed_mount_deletes_nothing_on_any_server() {
    let messages = corpus::realistic(3, 12);
    let kill = |source: &str, left: &dyn Fn() -> Vec<Vec<u8>>| {
        let mut mount = mounted(source, &[]);
        remove_all(&mount);
        mount.kill9();
        assert_eq!(subjects(&left()), subjects(&messages));
        // The server, too, has seen the end of the session by now, or this one is not let in.
        let again = mounted(source, &[]);
        assert_eq!(listed(&again).len(), messages.len());
    };
    let server = dovecot(&messages);
    kill(&server.source(), &|| server.messages_left());
    let server = Mpopd::start(&messages);
    kill(&server.source(), &|| server.messages_left());
}

#[test]
fn a_killed_mount_deletes_nothing_on_mailutils() {
    let messages = corpus::realistic(3, 12);
    let mut server = Mailutils::start(&messages, MailutilsOptions::default());
    let mut mount = mounted(&server.source(), &[]);
    remove_all(&mount);
    mount.kill9();
    // Whatever a session would do at its end is done when its process has gone.
    server.stop();
    assert_eq!(subjects(&server.messages_left()), subjects(&messages));
}

#[test]
fn a_mount_killed_in_the_midst_of_a_commit_deletes_nothing() {
    let liar = liar(5);
    let gate = Gate::new();
    liar.once("DELE 3", Reply::Held(gate.clone()));
    let mut mount = mounted(&liar.source(), &[]);
    remove_all(&mount);
    let commit = Background::start(&["sync", mount.arg()]);
    liar.wait_for("DELE 3", 1);
    mount.kill9();
    gate.open();
    liar.server().wait_until_idle();
    drop(commit);
    assert_eq!(liar.left_serials(), [1, 2, 3, 4, 5]);
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

// Committing while mounted.

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
    assert_eq!(stdout(&output), "nothing was to be deleted\n");
    assert!(mount.is_mounted());
}

/// `pop3fs commit DIR`. `sync DIR` would hold the kernel's lock on the directory until its end.
fn commit_in_background(mount: &Mount) -> Background {
    Background::spawn(&mut mount.subcommand_line(&["commit", mount.arg()]))
}

#[test]
fn what_is_removed_during_a_commit_waits_for_the_next() {
    let liar = liar(4);
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-1.eml");
    let commit = commit_in_background(&mount);
    liar.wait_for("QUIT", 1);
    // rm would stat it, and the time of a message that was never looked at costs a TOP, behind the commit.
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
fn what_is_being_committed_cannot_be_restored() {
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

// The verdict is true, whatever QUIT answers.

/// A maildrop of three where the first and the last are removed, and a commit by `sync`.
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
    assert_eq!(umount(&mut mount), "nothing was to be deleted\n");
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn a_quit_refused_at_unmount_is_told_with_the_servers_words() {
    let liar = liar(3);
    liar.once("QUIT", Reply::Err("cannot write the maildrop"));
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    let said = umount_in_vain(&mut mount);
    assert!(
        said.contains("liar-2.eml is still on the server: cannot write the maildrop"),
        "{said}"
    );
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn a_quit_that_closes_without_having_deleted_brings_the_files_back() {
    let (liar, mount, output) = sync_of_two_of_three(|liar| liar.once("QUIT", Reply::Close));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(liar.left_serials(), [1, 2, 3]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
}

#[test]
fn a_deletion_whose_quit_has_no_answer_or_a_bad_one_is_looked_up() {
    for lost in [
        Reply::Close,
        Reply::Reset,
        Reply::Silent,
        Reply::Err("some were not removed"),
        Reply::Raw(b"gibberish\r\n".to_vec()),
    ] {
        let (liar, mount, output) = sync_of_two_of_three(|liar| liar.after("QUIT", lost.clone()));
        assert_eq!(output.status.code(), Some(0), "{lost:?}");
        assert_eq!(liar.left_serials(), [2], "{lost:?}");
        assert_eq!(listed(&mount), ["liar-2.eml"], "{lost:?}");
    }
}

#[test]
fn a_commit_whose_connection_is_cut_is_tried_again() {
    let (liar, mount, output) = sync_of_two_of_three(|liar| liar.once("DELE 3", Reply::Close));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(liar.left_serials(), [2]);
    assert_eq!(listed(&mount), ["liar-2.eml"]);
}

#[test]
fn an_outcome_that_cannot_be_looked_up_is_a_failure_that_says_so() {
    let liar = liar(3);
    liar.on("QUIT", Reply::Close);
    let mut mount = mounted(&liar.source(), &["timeout=1s"]);
    remove(&mount, "liar-2.eml");
    liar.on("PASS", Reply::Err("[SYS/TEMP] not now"));
    let said = umount_in_vain(&mut mount);
    assert!(said.contains("did not confirm"), "{said}");
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn a_message_that_the_server_will_not_delete_comes_back_alone() {
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
fn unmounting_tells_which_message_the_server_will_not_delete_and_why() {
    let liar = liar(4);
    liar.on("DELE 2", Reply::Err("protected"));
    let mut mount = mounted(&liar.source(), &[]);
    remove_all(&mount);
    let said = umount_in_vain(&mut mount);
    assert!(
        said.contains("liar-2.eml is still on the server: protected"),
        "{said}"
    );
    assert!(said.contains("3 messages deleted"), "{said}");
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_message_that_another_client_deleted_meanwhile_is_no_failure() {
    let liar = liar(3);
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-2.eml");
    liar.server().wait_until_idle();
    liar.remove(2);
    let said = umount(&mut mount);
    assert!(said.contains("1 were gone already"), "{said}");
    assert_eq!(liar.left_serials(), [3]);
}

// The ways to unmount.

/// A maildrop of three where the second is removed.
fn second_of_three_removed() -> (Vec<Vec<u8>>, Dovecot, Mount) {
    let messages = corpus::realistic(5, 3);
    let dovecot = dovecot(&messages);
    let (name, _) = files(dovecot.port(), Dovecot::USER).swap_remove(1);
    let mount = mounted(&dovecot.source(), &[]);
    remove(&mount, &name);
    (messages, dovecot, mount)
}

#[test]
fn a_plain_umount_commits() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    succeed(&["umount", mount.arg()]);
    assert!(mount.wait().status.is_some_and(|status| status.success()));
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

#[test]
fn fusermount_commits() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    succeed(&["fusermount3", "-u", mount.arg()]);
    assert!(mount.wait().status.is_some_and(|status| status.success()));
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

#[test]
fn every_signal_that_asks_for_an_end_commits() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let (messages, dovecot, mut mount) = second_of_three_removed();
        mount.signal(signal);
        let ended = mount.wait();
        assert!(
            ended.status.is_some_and(|status| status.success()),
            "{signal}: {ended:?}"
        );
        assert!(!mount.is_mounted(), "{signal}");
        assert_eq!(
            dovecot.messages_left(),
            without(&messages, &[1]),
            "{signal}"
        );
    }
}

#[test]
fn a_signal_lets_an_open_file_be_read_to_its_end_and_then_commits() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let name = &listed(&mount)[0];
    let mut file = File::open(mount.join(name)).expect("a message");
    mount.signal(Signal::SIGTERM);
    common::eventually("the mount to go out of sight", || {
        (!mount.is_mounted()).then_some(())
    });
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("the rest of the file");
    assert_eq!(octets, messages[0]);
    assert_eq!(dovecot.messages_left(), messages);
    drop(file);
    assert!(mount.wait().status.is_some_and(|status| status.success()));
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

fn assert_busy(mount: &Mount) {
    let output = mount.umount();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("is busy") && said.contains("nothing was committed"),
        "{said}"
    );
    assert!(mount.is_mounted());
}

#[test]
fn a_mount_with_an_open_file_is_busy_and_nothing_is_committed() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let name = &listed(&mount)[0];
    let file = File::open(mount.join(name)).expect("a message");
    assert_busy(&mount);
    assert_eq!(dovecot.messages_left(), messages);
    assert_eq!(listed(&mount).len(), 2);
    drop(file);
    umount(&mut mount);
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

#[test]
fn a_mount_that_a_shell_stands_in_is_busy_and_nothing_is_committed() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let mut shell = Command::new("cat");
    shell.current_dir(mount.path()).stdin(Stdio::piped());
    let shell = Background::spawn(&mut shell);
    assert_busy(&mount);
    assert_eq!(dovecot.messages_left(), messages);
    shell.signal(Signal::SIGKILL);
    assert!(!shell.output_within(SOON).status.success());
    umount(&mut mount);
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

// Tools that move mail.

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

// The pending set.

#[test]
fn a_pending_message_is_listed_and_readable_among_the_deleted_and_nowhere_else() {
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
fn a_message_moved_among_the_deleted_is_pending() {
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
fn a_message_taken_back_can_be_read_and_removed_again() {
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
fn a_pending_message_is_still_there_for_who_has_it_open() {
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

// Which message a number means.

#[test]
fn a_deletion_follows_its_message_when_the_numbers_change() {
    let liar = liar(5);
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    remove(&mount, "liar-4.eml");
    liar.server().wait_until_idle();
    liar.remove(1);
    umount(&mut mount);
    assert_eq!((liar.count("DELE 3"), liar.count("DELE")), (1, 1));
    assert_eq!(liar.left_serials(), [2, 3, 5]);
}

#[test]
fn of_two_messages_with_equal_unique_ids_one_is_deleted() {
    let twin = corpus::with_body(b"we are two\r\n");
    let other = corpus::with_body(b"I am one\r\n");
    for second in ["", "~2"] {
        let dovecot = Dovecot::start(
            &[twin.clone(), other.clone(), twin.clone()],
            &DovecotOptions {
                store: Store::MboxWithEqualUidls,
                ..DovecotOptions::default()
            },
        );
        let files = files(dovecot.port(), Dovecot::USER);
        assert_eq!(files[0].0, files[2].0, "the unique-ids are equal");
        let name = files[0].0.replace(".eml", &format!("{second}.eml"));
        let mut mount = mounted(&dovecot.source(), &[]);
        assert_eq!(listed(&mount).len(), 3);
        remove(&mount, &name);
        assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
        assert_eq!(dovecot.messages_left().len(), 2);
        assert_eq!(retr_all(dovecot.port(), Dovecot::USER, "secret").len(), 2);
    }
}

#[test]
fn the_removed_one_of_two_equal_unique_ids_is_the_one_deleted() {
    for (name, left) in [("same.eml", [2, 3]), ("same~2.eml", [1, 2])] {
        let liar = liar(3);
        liar.set_uidl(1, b"same");
        liar.set_uidl(3, b"same");
        let mut mount = mounted(&liar.source(), &[]);
        remove(&mount, name);
        umount(&mut mount);
        assert_eq!(liar.left_serials(), left, "{name}");
    }
}

#[test]
fn when_another_client_deletes_a_twin_the_other_twin_stays() {
    for (name, gone, stays) in [("same.eml", 1, 3), ("same.eml", 3, 1), ("same~2.eml", 1, 3)] {
        let liar = liar(3);
        liar.set_uidl(1, b"same");
        liar.set_uidl(3, b"same");
        let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
        remove(&mount, name);
        liar.server().wait_until_idle();
        liar.remove(gone);
        // Whether that is a failure depends on which of the two is asked about; the maildrop does not.
        let said = mount.umount();
        mount.wait();
        assert_eq!(liar.count("DELE"), 0, "{name}: {said:?}");
        assert!(liar.left_serials().contains(&stays), "{name}: {said:?}");
    }
}

// Servers that delete at QUIT what was retrieved (RFC 2449 section 6.7).

const DELETES_WHAT_WAS_READ: &[&str] = &["TOP", "UIDL", "USER", "PIPELINING", "EXPIRE 0"];

#[test]
fn a_server_that_deletes_what_was_read_gets_no_quit_without_need() {
    let liar = liar(3);
    liar.set_capabilities(Some(DELETES_WHAT_WAS_READ));
    let mut mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    succeed(&[Path::new("cat"), &mount.join("liar-1.eml")]);
    liar.server().wait_until_idle();
    succeed(&[Path::new("cat"), &mount.join("liar-2.eml")]);
    umount(&mut mount);
    liar.server().wait_until_idle();
    assert_eq!((liar.count("RETR"), liar.count("QUIT")), (2, 0));
}

#[test]
fn a_server_that_deletes_what_was_read_gets_a_quit_for_a_deletion() {
    let liar = liar(3);
    liar.set_capabilities(Some(DELETES_WHAT_WAS_READ));
    let mut mount = mounted(&liar.source(), &[]);
    remove(&mount, "liar-2.eml");
    umount(&mut mount);
    assert_eq!((liar.count("DELE 2"), liar.count("QUIT")), (1, 1));
    assert_eq!(liar.left_serials(), [1, 3]);
}
