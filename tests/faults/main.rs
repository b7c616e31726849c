//! A server that hangs, closes the connection, refuses or lies: what readers get, and what keeps
//! working.

#[path = "../common/mod.rs"]
mod common;

mod links;
mod refusals;
mod silence;
mod suspend;

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use common::{Mount, Reading, output_within, run, stderr};
use nix::errno::Errno;

/// Limit for programs that must not wait for the server: far below the mount's timeout of 30 s.
const WITHOUT_SERVER: Duration = Duration::from_secs(10);

fn mounted(source: &str, options: &[&str]) -> Mount {
    Mount::new(source, &[&["tls=off"], options].concat())
}

fn cat(mount: &Mount, name: &str) -> Output {
    run(&[Path::new("cat"), &mount.join(name)])
}

fn assert_reads(mount: &Mount, name: &str, octets: &[u8]) {
    let output = cat(mount, name);
    assert!(output.status.success(), "{name}: {}", stderr(&output));
    assert!(output.stdout == octets, "{name} reads wrong octets");
}

/// The reader must get this errno and not a single octet.
fn assert_fails(output: &Output, errno: Errno) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    let described = io::Error::from(errno).to_string();
    let (words, _) = described.split_once(" (os error").expect("words");
    assert!(stderr(output).contains(words), "{}", stderr(output));
    assert_eq!(output.stdout, b"");
}

/// Runs a program that must succeed within [`WITHOUT_SERVER`].
fn succeed_without_server<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    let (program, rest) = arguments.split_first().expect("a program's name");
    let output = output_within(WITHOUT_SERVER, Command::new(program).args(rest));
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Starts a thread per message that reads it, and returns once all of them wait for the mount.
fn readers(mount: &Mount, serials: RangeInclusive<usize>) -> Vec<Reading> {
    common::readers(serials.map(|serial| mount.join(format!("liar-{serial}.eml"))))
}
