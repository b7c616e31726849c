//! This machine: who has access, several mounts on one cache, a damaged or full cache, too few
//! descriptors or processes, every kind of end, stopped processes, and crowds of readers.

#[path = "../common/mod.rs"]
mod common;

mod churn;
mod crowd;
mod damage;
mod endings;
mod errnos;
mod fsx;
mod kills;
mod limits;
mod opened;
mod private;
mod room;
mod sharing;
mod stops;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Ground, Liar, Mount, PROGRAM, assert_says, corpus, sentence, stderr, stdout};
use nix::errno::Errno;

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a command may take that must not wait for the server: far less than the timeout of the
/// mounts, 30 s.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Everyday messages, and one that is too large for the memory of a transfer.
fn messages(count: usize) -> Vec<Vec<u8>> {
    let mut messages = corpus::realistic(61, count);
    messages.push(corpus::large(4_300_000));
    messages
}

fn mounted(source: &str, options: &[&str]) -> Mount {
    Mount::new(source, &[&["tls=off"], options].concat())
}

/// The memory that the process uses, in octets.
fn resident(mount: &Mount) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", mount.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok()).expect("VmRSS") * 1024
}

fn name(serial: u64) -> String {
    format!("liar-{serial}.eml")
}

/// Checks that every message, in maildrop order, reads with its octets.
fn assert_reads_all(folder: &Path, messages: &[Vec<u8>]) {
    for (serial, message) in (1..).zip(messages) {
        assert_reads(folder, serial, message);
    }
}

fn assert_reads(folder: &Path, serial: u64, message: &[u8]) {
    let octets = read(&folder.join(name(serial)));
    let octets = octets.unwrap_or_else(|error| panic!("{}: {error}", name(serial)));
    assert!(octets == message, "{} has wrong octets", name(serial));
}

/// The octets of a file, which must be as many as fstat(2) told before the read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut octets = Vec::new();
    file.read_to_end(&mut octets)?;
    assert_eq!(octets.len() as u64, size, "octets and fstat");
    Ok(octets)
}

/// Makes the kernel drop its pages of the files, so that it asks again.
fn forget_pages(mount: &Mount, count: usize) {
    for serial in 1..=count as u64 {
        let file = File::open(mount.join(name(serial))).expect("a message");
        common::forget_pages(&file);
    }
}

fn errno<T>(result: io::Result<T>) -> Errno {
    let error = result.err().expect("a refusal");
    Errno::from_raw(error.raw_os_error().expect("an errno"))
}

fn listed(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the root")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name in ASCII"))
        .collect();
    names.sort();
    names
}

/// Unmounts with `pop3fs umount` and waits for the process. Both must succeed. Gives what the
/// process printed.
fn umount(mount: &mut Mount) -> String {
    let output = mount.umount();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ended = mount.wait();
    assert!(
        ended.status.is_none_or(|status| status.success()),
        "{ended:?}"
    );
    ended.stderr
}

impl Ground {
    /// The command that mounts the maildrop of the liar here.
    fn mounting(&self, liar: &Liar) -> Command {
        self.through(&[], liar)
    }

    /// The same command, run by another program: `WRAPPER… pop3fs …`.
    fn through(&self, wrapper: &[&str], liar: &Liar) -> Command {
        let source = liar.source();
        let line = [wrapper, &[PROGRAM, "-o", "tls=off", &source, self.dir()]].concat();
        let mut command = self.0.at_home(Command::new(line[0]));
        command.args(&line[1..]).env("POP3FS_PASSWORD", "secret");
        command
    }
}
