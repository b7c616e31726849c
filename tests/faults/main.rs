//! A server that hangs, breaks off, refuses or lies: what the reader gets, and what goes on working meanwhile.

#[path = "../common/mod.rs"]
mod common;

mod links;
mod refusals;
mod silence;

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use common::{Mount, Reading, output_within, run, stderr};
use nix::errno::Errno;

/// The limit of what must not wait for the server: far below the mounts' time-out of 30 s.
const AT_ONCE: Duration = Duration::from_secs(10);

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

/// The reader gets this errno, and not an octet.
fn assert_fails(output: &Output, errno: Errno) {
    assert_eq!(output.status.code(), Some(1), "{}", stderr(output));
    let described = io::Error::from(errno).to_string();
    let (words, _) = described.split_once(" (os error").expect("words");
    assert!(stderr(output).contains(words), "{}", stderr(output));
    assert_eq!(output.stdout, b"");
}

/// The program succeeds within [`AT_ONCE`].
fn at_once<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    let (program, rest) = arguments.split_first().expect("a program's name");
    let output = output_within(AT_ONCE, Command::new(program).args(rest));
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// A thread for each message, which reads it; returned once all wait for the mount.
fn readers(mount: &Mount, serials: RangeInclusive<usize>) -> Vec<Reading> {
    common::readers(serials.map(|serial| mount.join(format!("liar-{serial}.eml"))))
}
