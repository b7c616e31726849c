//! A mount without its server: it begins with the last listing, reads what is cached, and keeps
//! what is removed until the server is there again. And what is told of messages that come and go.

#[path = "../common/mod.rs"]
mod common;

mod listings;
mod mirror;
mod model;
mod numbers;
mod removals;
mod search;
mod sequences;
mod starts;
mod watch;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{Liar, Mount, MountBuilder, assert_failed, run, stderr, stdout, stdout_of};
use pop3fs::cli::Failure;

/// A server that can be stopped, and started again at the same port.
struct Provider {
    messages: Vec<Vec<u8>>,
    address: SocketAddrV4,
    liar: Option<Liar>,
}

impl Provider {
    /// A server with this many messages.
    fn start(count: u64) -> Self {
        let messages: Vec<Vec<u8>> = (1..=count).map(message).collect();
        let liar = Liar::start(&messages);
        Self {
            messages,
            address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, liar.port()),
            liar: Some(liar),
        }
    }

    fn liar(&self) -> &Liar {
        self.liar.as_ref().expect("a running server")
    }

    /// No program answers at its port from now on.
    fn stop(&mut self) {
        self.liar = None;
    }

    /// Starts it again with the same messages and those that have come meanwhile.
    fn restart(&mut self, arrived: u64) {
        let count = self.messages.len() as u64;
        self.messages
            .extend((count + 1..=count + arrived).map(message));
        self.liar = Some(Liar::start_at(self.address, &self.messages));
    }

    fn source(&self) -> String {
        format!("pop://alice@127.0.0.1:{}", self.address.port())
    }

    /// A mount of it, which is to begin without it as well.
    fn mount(&self, options: &[&str]) -> Mount {
        Mount::new(&self.source(), &[&OFFLINE, options].concat())
    }

    /// A mount that must be refused, with the cache of another mount.
    fn refused(&self, mount: &Mount, options: &[&str]) -> std::process::Output {
        let cache = format!("cache_dir={}", mount.cache_dir().join("pop3fs").display());
        let builder = MountBuilder::new(&self.source());
        [&OFFLINE, options, &[cache.as_str()]]
            .concat()
            .iter()
            .fold(builder, |builder, option| builder.option(option))
            .refused()
    }
}

/// The options of every mount here.
const OFFLINE: [&str; 3] = ["tls=off", "offline=auto", "timeout=3s"];

/// A message with a subject, a date and a body of its own.
fn message(serial: u64) -> Vec<u8> {
    let (hour, minute) = (serial / 60 % 24, serial % 60);
    format!(
        "From: alice@example.org\r\nSubject: message {serial:04}\r\n\
         Date: Mon, 15 Jan 2024 {hour:02}:{minute:02}:00 +0000\r\n\r\n\
         text of message {serial:04}\r\n{}",
        "a line\r\n".repeat(serial as usize)
    )
    .into_bytes()
}

fn name(serial: u64) -> String {
    format!("liar-{serial}.eml")
}

/// The names that `ls` shows in the mount, or in a directory of it.
fn listed(mount: &Mount, directory: &str) -> Vec<String> {
    let shown = stdout_of(&[Path::new("ls"), Path::new("-1"), &mount.join(directory)]);
    shown.lines().map(str::to_owned).collect()
}

/// What `ls -li` shows with exact times: inode numbers, sizes, times and names.
fn listed_with_all(mount: &Mount, directory: &str) -> String {
    let directory = mount.join(directory);
    let arguments = ["ls", "-lin", "--time-style=full-iso"].map(Path::new);
    let rows = stdout_of(&[&arguments[..], &[&directory]].concat());
    rows.lines().skip(1).map(|row| format!("{row}\n")).collect()
}

fn read(mount: &Mount, serials: impl IntoIterator<Item = u64>) {
    for serial in serials {
        let octets = fs::read(mount.join(name(serial))).expect("a message");
        assert_eq!(octets, message(serial), "message {serial}");
    }
}

/// Reads messages against the order of the directory, so that none is read ahead.
fn read_alone(mount: &Mount, serials: impl IntoIterator<Item = u64>) {
    let mut serials: Vec<u64> = serials.into_iter().collect();
    serials.sort_by_key(|&serial| std::cmp::Reverse(name(serial)));
    read(mount, serials);
}

fn remove(mount: &Mount, serial: u64) {
    fs::remove_file(mount.join(name(serial))).expect("a message to remove");
}

fn inode(mount: &Mount, serial: u64) -> u64 {
    let metadata = fs::symlink_metadata(mount.join(name(serial)));
    metadata.expect("a message").ino()
}

/// Unmounts. The deletions must be committed.
fn umount(mount: &mut Mount) {
    let output = mount.umount();
    assert!(output.status.success(), "{}", stderr(&output));
    mount.wait();
}

/// Unmounts without the server. Returns what `pop3fs umount` says.
fn umount_in_vain(mount: &mut Mount) -> String {
    let output = mount.umount();
    assert_failed(&output, Failure::Uncommitted);
    mount.wait();
    stdout(&output) + &stderr(&output)
}

/// The names of the pending deletions.
fn pending(mount: &Mount) -> Vec<String> {
    let status = mount.status();
    let names = status["pending"].as_array().expect("a list").iter();
    names
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}

/// Waits until the mount has a session with the server again.
fn await_server(mount: &Mount) {
    common::eventually("the mount to find its server", || {
        mount.status()["offline"].is_null().then_some(())
    });
}

/// All serials but these.
fn all_but(count: u64, gone: &[u64]) -> Vec<u64> {
    (1..=count)
        .filter(|serial| !gone.contains(serial))
        .collect()
}

/// Runs a command that may fail.
fn attempt(arguments: &[&Path]) -> std::process::Output {
    run(arguments)
}
