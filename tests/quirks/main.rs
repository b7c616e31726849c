//! Behaviour of real servers that the standards do not describe, and how a mount copes with it.
//!
//! | what a server does | tested in |
//! |---|---|
//! | no CAPA; CAPA closes; nothing announced; UTF8 | `login` |
//! | refuses by response codes, in words, in the greeting; LOGIN-DELAY | `refusals` |
//! | no UIDL; no UIDL and no TOP; UIDL refused when empty | `identity` |
//! | STAT, LIST and UIDL disagree | `listing` |
//! | no TOP | `dates` |
//! | TOP refused, cut or never answered for one message | `tops` |
//! | one command that breaks sessions where others are in flight | `single` |
//! | `+ERR`, bare status lines, spaces, escape sequences | `replies` |
//! | lines, listings and bodies that never end; one octet a second | `endless` |
//! | EXPIRE 0, EXPIRENEVER | `expire` |
//! | is restarted, moves, forgets a connection, closes on pipelining | `link` |
//! | withholds STLS, or ends the connection over it | `security`, `tests/tls` |
//! | wrong LIST, equal and hostile unique-ids | `tests/reading` |
//! | cuts, resets, stalls, empty bodies, `-ERR` unasked | `tests/faults` |
//! | QUIT refused, unanswered, early; DELE refused | `tests/deleting` |
//! | splits its replies anywhere | `tests/protocol.rs` |
//! | duplicates, loses or swaps replies; stuffs no dots; sends bare LF | `tests/confirmed` |
//! | exchanges or reuses unique-ids, changes their case | `tests/confirmed` |
//! | sends a few octets of a reply for ever | `tests/confirmed` |

#[path = "../common/mod.rs"]
mod common;

mod dates;
mod endless;
mod expire;
mod identity;
mod link;
mod listing;
mod login;
mod oddities;
mod refusals;
mod replies;
mod security;
mod single;
mod tops;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Output;
use std::time::SystemTime;

use common::{Liar, Mount, MountBuilder, assert_says, run, stderr, stdout_of};
use nix::errno::Errno;

fn mounted(liar: &Liar, options: &[&str]) -> Mount {
    Mount::new(&liar.source(), &[&["tls=off"], options].concat())
}

/// The one line with which pop3fs explains why it does not mount.
fn refusal(liar: &Liar, options: &[&str]) -> String {
    let builder = MountBuilder::new(&liar.source()).option("tls=off");
    let builder = options
        .iter()
        .fold(builder, |builder, option| builder.option(option));
    sentence(&builder.refused())
}

fn sentence(output: &Output) -> String {
    let said = stderr(output);
    let lines = said.lines().filter(|line| line.starts_with("pop3fs: "));
    let [line] = lines.collect::<Vec<_>>()[..] else {
        panic!("not exactly one line of pop3fs:\n{said}");
    };
    line.to_owned()
}

/// The names that `ls` shows.
fn listed(mount: &Mount) -> Vec<String> {
    let shown = stdout_of(&["ls", "-1", mount.arg()]);
    shown.lines().map(str::to_owned).collect()
}

/// Name and content of every message, in the order of the names.
fn files(mount: &Mount) -> Vec<(String, Vec<u8>)> {
    listed(mount)
        .into_iter()
        .map(|name| {
            let octets = fs::read(mount.join(&name)).expect("a message");
            (name, octets)
        })
        .collect()
}

/// The files must contain exactly the messages of the server, in any order.
fn assert_shows(mount: &Mount, messages: &[Vec<u8>]) {
    let mut shown: Vec<Vec<u8>> = files(mount).into_iter().map(|(_, octets)| octets).collect();
    let mut expected = messages.to_vec();
    shown.sort();
    expected.sort();
    assert!(shown == expected, "{:?}", listed(mount));
}

fn assert_reads(mount: &Mount, name: &str, octets: &[u8]) {
    let read = fs::read(mount.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(read == octets, "{name} reads wrong octets");
}

fn assert_fails(mount: &Mount, name: &str, errno: Errno) {
    let error = fs::read(mount.join(name)).expect_err("a message that cannot be read");
    assert_eq!(error.raw_os_error(), Some(errno as i32), "{error}");
}

/// Reads until it succeeds: after a failed login the engine backs off for a moment.
fn eventually_reads(mount: &Mount, name: &str, octets: &[u8]) {
    common::eventually("a login that succeeds", || {
        let read: io::Result<Vec<u8>> = fs::read(mount.join(name));
        read.ok().map(|read| assert!(read == octets))
    });
}

fn mtime(mount: &Mount, name: &str) -> SystemTime {
    let metadata = fs::metadata(mount.join(name)).expect("a message");
    metadata.modified().expect("a time")
}

fn remove(mount: &Mount, name: &str) {
    stdout_of(&[Path::new("rm"), &mount.join(name)]);
}

/// Runs `pop3fs umount`; returns its exit status and its output.
fn umount(mount: &mut Mount) -> (Option<i32>, String) {
    let output = mount.umount();
    mount.wait();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), stdout + &stderr(&output))
}

/// Runs `ls -l`, which must succeed.
fn ls_l(mount: &Mount) {
    let output = run(&["ls", "-l", mount.arg()]);
    assert!(output.status.success(), "{}", stderr(&output));
}
