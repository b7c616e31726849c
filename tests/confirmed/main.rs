//! Faulty servers and unusual ends of a mount: no wrong octet is ever read, in this mount or the
//! next one; no message is deleted that the user did not remove; what the user is told is true; and
//! every command ends.

#[path = "../common/mod.rs"]
mod common;

mod certainty;
mod endings;
mod hanging;
mod limits;
mod readers;
mod removals;
mod replies;
mod verdicts;

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use common::{Liar, Mount, corpus, output_within, run, stderr, stdout, stdout_of};
use pop3fs::cli::Failure;

/// Limit for commands that need only a few round trips.
const SOON: Duration = Duration::from_secs(30);

/// A mount with `tls=off` and these options.
fn mounted(liar: &Liar, options: &[&str]) -> Mount {
    Mount::new(&liar.source(), &[&["tls=off"], options].concat())
}

/// `count` messages that all have different sizes.
fn of_different_sizes(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| {
            let filler = "x".repeat(10 * index);
            message(index, &format!("text of message {index}\r\n{filler}\r\n"))
        })
        .collect()
}

/// `count` messages that all have the same size.
fn of_equal_size(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| message(index, &format!("text of message {index:04}\r\n")))
        .collect()
}

/// A message with a subject and a date of its own; messages below 10,000 have headers of equal
/// size.
fn message(index: usize, body: &str) -> Vec<u8> {
    let (hour, minute) = (index / 60 % 24, index % 60);
    format!(
        "From: alice@example.org\r\nSubject: message {index:04}\r\n\
         Date: Mon, 15 Jan 2024 {hour:02}:{minute:02}:00 +0000\r\n\r\n{body}"
    )
    .into_bytes()
}

fn name(serial: u64) -> String {
    format!("liar-{serial}.eml")
}

/// The names that `ls` shows.
fn listed(mount: &Mount) -> Vec<String> {
    let shown = stdout_of(&["ls", "-1", mount.arg()]);
    shown.lines().map(str::to_owned).collect()
}

/// Lists the mount with dates, so that it knows all headers.
fn list_with_dates(mount: &Mount) {
    stdout_of(&["ls", "-l", mount.arg()]);
}

fn remove(mount: &Mount, name: &str) {
    stdout_of(&[Path::new("rm"), &mount.join(name)]);
}

/// Runs `sync DIR`, which commits.
fn sync(mount: &Mount) -> Output {
    run(&["sync", mount.arg()])
}

/// Reads message `serial` of the server as given. It must have exactly the content of
/// `messages[serial - 1]`, or the read must fail. Returns whether it succeeded.
fn reads_right_or_fails(mount: &Mount, serial: u64, messages: &[Vec<u8>]) -> bool {
    let right = &messages[usize::try_from(serial).expect("a small number") - 1];
    match fs::read(mount.join(name(serial))) {
        Ok(octets) => {
            let shown = String::from_utf8_lossy(&octets[..octets.len().min(200)]);
            assert!(
                octets == *right,
                "message {serial} reads {} octets and not {}: {shown}",
                octets.len(),
                right.len()
            );
            true
        }
        Err(_) => false,
    }
}

/// Reads all messages in listing order; every read that succeeds must be right.
fn assert_never_wrong(mount: &Mount, messages: &[Vec<u8>]) {
    for serial in 1..=messages.len() as u64 {
        reads_right_or_fails(mount, serial, messages);
    }
}

/// Every message must be readable and right.
fn assert_all_right(mount: &Mount, messages: &[Vec<u8>]) {
    for serial in 1..=messages.len() as u64 {
        common::eventually("the message to be readable", || {
            reads_right_or_fails(mount, serial, messages).then_some(())
        });
    }
}

/// Runs `pop3fs umount` and waits for the process. Both must end in time and with the same status,
/// which is returned with the message.
fn umount(mount: &mut Mount) -> (Option<i32>, String) {
    let mut command = mount.subcommand_line(&["umount", mount.arg()]);
    let output = output_within(SOON, &mut command);
    let ended = mount.wait();
    assert_eq!(
        ended.status.and_then(|status| status.code()),
        output.status.code()
    );
    said(&output)
}

/// The exit status and the whole output.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), stdout(output) + &stderr(output))
}

/// The exit status of a commit that did not delete everything.
fn uncommitted() -> Option<i32> {
    Some(Failure::Uncommitted.status().into())
}

/// A server with the messages of a seed.
fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(61, count))
}

/// Cuts the session, so that the next command opens a new one that sees the maildrop as it is then.
fn end_session(liar: &Liar) {
    liar.server().cut_all();
    liar.server().wait_until_idle();
}
