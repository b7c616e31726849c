//! The ways in which a mount ends: which of them commit, and which delete nothing.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::sys::signal::Signal;
use nix::unistd::{UnlinkatFlags, unlinkat};

use pop3fs::cli::Failure;

use crate::common::{
    Background, Dovecot, Gate, Mailutils, MailutilsOptions, Mount, MountBuilder, Mpopd, Reply,
    assert_failed, assert_says, corpus, eventually,
};
use crate::{
    dovecot, files, holder_of, kill_holder, liar, listed, mounted, remove, remove_all, stderr,
    subjects, succeed, umount, without,
};

/// A mount with three messages of which the second was removed.
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
fn sigterm_sigint_and_sighup_commit() {
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
fn after_sigterm_an_open_file_can_be_read_before_the_commit() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let name = &listed(&mount)[0];
    let mut file = File::open(mount.join(name)).expect("a message");
    mount.signal(Signal::SIGTERM);
    eventually("the mount point to be free", || {
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

#[test]
fn sigterm_commits_though_a_file_stays_open() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let name = &listed(&mount)[0];
    let _kept_open = File::open(mount.join(name)).expect("a message");
    mount.signal(Signal::SIGTERM);
    assert!(mount.wait().status.is_some_and(|status| status.success()));
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

/// find(1) and rsync work on a directory that they hold open, which still works after the unmount.
#[test]
fn the_last_commit_refuses_further_removals_and_restores() {
    let liar = liar(3);
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let builder = MountBuilder::new(&liar.source()).option("tls=off");
    let mut mount = builder.flag("-v").mount();
    let new = mount.join(".maildir/new");
    let entry = fs::read_dir(&new).expect("the new mail").last();
    let entry = entry.expect("a message").expect("an entry").file_name();
    let flagged = format!("{}:2,T", entry.to_str().expect("ASCII"));
    let open = |name: &str| File::open(mount.join(name)).expect("a directory");
    let [root, deleted, new, cur] = [".", ".deleted", ".maildir/new", ".maildir/cur"].map(open);
    remove(&mount, "liar-1.eml");
    mount.signal(Signal::SIGTERM);
    liar.wait_for("QUIT", 1);
    let removed = unlinkat(&root, "liar-2.eml", UnlinkatFlags::NoRemoveDir);
    assert_eq!(removed, Err(Errno::EROFS));
    let moved = renameat(&root, "liar-2.eml", &deleted, "liar-2.eml");
    assert_eq!(moved, Err(Errno::EROFS));
    let restored = renameat(&deleted, "liar-1.eml", &root, "liar-1.eml");
    assert_eq!(restored, Err(Errno::EROFS));
    let marked = renameat(&new, entry.as_os_str(), &cur, flagged.as_str());
    assert_eq!(marked, Err(Errno::EROFS));
    gate.open();
    let ended = mount.wait();
    assert!(ended.status.is_some_and(|status| status.success()));
    assert_says(&ended.stderr, &["unmounted: 1 message deleted"]);
    assert_eq!(liar.left_serials(), [2, 3]);
}

fn assert_busy(mount: &Mount) {
    let output = mount.umount();
    assert_failed(&output, Failure::Other);
    let said = stderr(&output);
    assert!(
        said.contains("is busy") && said.contains("nothing was committed"),
        "{said}"
    );
    assert!(mount.is_mounted());
}

#[test]
fn an_open_file_keeps_a_mount_busy() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let holder = holder_of(&mount.join(&listed(&mount)[0]));
    assert_busy(&mount);
    assert_eq!(dovecot.messages_left(), messages);
    assert_eq!(listed(&mount).len(), 2);
    kill_holder(holder);
    umount(&mut mount);
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

#[test]
fn the_working_directory_of_a_shell_keeps_a_mount_busy() {
    let (messages, dovecot, mut mount) = second_of_three_removed();
    let mut shell = Command::new("cat");
    shell.current_dir(mount.path()).stdin(Stdio::piped());
    let shell = Background::spawn(&mut shell);
    assert_busy(&mount);
    assert_eq!(dovecot.messages_left(), messages);
    kill_holder(shell);
    umount(&mut mount);
    assert_eq!(dovecot.messages_left(), without(&messages, &[1]));
}

#[test]
fn a_killed_mount_deletes_nothing_on_any_server() {
    let messages = corpus::realistic(3, 12);
    let kill = |source: &str, left: &dyn Fn() -> Vec<Vec<u8>>| {
        let mut mount = mounted(source, &[]);
        remove_all(&mount);
        mount.kill9();
        assert_eq!(subjects(&left()), subjects(&messages));
        // The server lets this session in only after it has seen the end of the other one.
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
    // Stopping waits for the server's processes, so no session can still change the maildrop.
    server.stop();
    assert_eq!(subjects(&server.messages_left()), subjects(&messages));
}

#[test]
fn a_mount_killed_during_a_commit_deletes_nothing() {
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
