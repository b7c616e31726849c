//! Which messages the server loses when files are removed, and which it keeps: real mounts, real
//! servers.

#[path = "../common/mod.rs"]
mod common;

mod changed;
mod commits;
mod delete_limit;
mod endings;
mod identity;
mod left_out;
mod pending;
mod steps;
mod verdicts;
mod views;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use common::{
    Background, Dovecot, DovecotOptions, Liar, Mount, assert_failed, corpus, eventually, retr_all,
    run, stderr, stdout, stdout_of,
};
use nix::sys::signal::Signal;
use pop3fs::cli::Failure;

/// Limit for commands that need only a few round trips.
const SOON: Duration = Duration::from_secs(30);

fn dovecot(messages: &[Vec<u8>]) -> Dovecot {
    Dovecot::start(messages, &DovecotOptions::default())
}

fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(7, count))
}

/// A mount with `tls=off` and these options.
fn mounted(source: &str, options: &[&str]) -> Mount {
    Mount::new(source, &[&["tls=off"], options].concat())
}

/// Name and content that each message of the server must have in the mount.
fn files(port: u16, user: &str) -> Vec<(String, Vec<u8>)> {
    retr_all(port, user, "secret")
        .into_iter()
        .map(|message| {
            let uidl = String::from_utf8(message.uidl).expect("a unique-id in ASCII");
            (format!("{uidl}.eml"), message.bytes)
        })
        .collect()
}

/// The names that `ls` shows.
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

/// `sync DIR` calls fsync on the directory, which commits; a failed commit is the errno.
fn sync(mount: &Mount) -> Output {
    run(&["sync", mount.arg()])
}

/// A program that holds the file open until [`kill_holder`].
///
/// The test does not open the file itself: a program started by another thread inherits the test's
/// open files until its exec, so the test could not tell when the file is closed.
fn holder_of(path: &Path) -> Background {
    const SCRIPT: &str = "exec 3<\"$0\"; echo open; exec sleep 600";
    let holder = Background::start(&[
        "sh".as_ref(),
        "-c".as_ref(),
        SCRIPT.as_ref(),
        path.as_os_str(),
    ]);
    eventually("the file to be open", || {
        (holder.stdout() == "open\n").then_some(())
    });
    holder
}

fn kill_holder(holder: Background) {
    holder.signal(Signal::SIGKILL);
    assert!(!holder.output_within(SOON).status.success());
}

/// Runs `pop3fs umount`, waits for the mount to end, and returns the message. Both must succeed.
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

/// Runs `pop3fs umount`, which must report that the commit failed, and returns that message.
fn umount_fails(mount: &mut Mount) -> String {
    let output = mount.umount();
    assert_failed(&output, Failure::Uncommitted);
    let ended = mount.wait();
    assert_eq!(
        ended.status.and_then(|status| status.code()),
        output.status.code()
    );
    stderr(&output)
}

/// Messages are compared by subject because mailutils adds headers of its own.
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
