//! Connections: the server is gone, has moved, drops idle connections, or cannot pipeline.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use pop3fs::cli::Failure;

use crate::common::{
    Background, Liar, Mount, PROGRAM, Place, Reply, assert_failed, corpus, eventually, stdout_of,
};
use crate::{
    assert_fails, assert_reads, assert_shows, eventually_reads, listed, mounted, remove, umount,
};

fn liar(count: usize) -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(41, count);
    (Liar::start(&messages), messages)
}

fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

#[test]
fn without_the_server_known_files_are_served() {
    let (liar, messages) = liar(3);
    let mut mount = mounted(&liar, &["refresh=1s", "timeout=2s"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    let port = liar.port();
    drop(liar);
    eventually("status to tell that the server is away", || {
        assert_fails(&mount, "liar-2.eml", Errno::EIO);
        let fault = mount.status()["fault"].as_str().map(str::to_owned);
        fault.filter(|fault| fault.contains("does not answer"))
    });
    assert_eq!(listed(&mount).len(), 3);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!(mount.status()["session"], "closed");
    let liar = Liar::start_at(loopback(port), &messages);
    eventually_reads(&mount, "liar-2.eml", &messages[1]);
    assert!(mount.status()["fault"].is_null());
    remove(&mount, "liar-3.eml");
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!(liar.left_serials(), [1, 2]);
}

#[test]
fn pending_deletions_survive_a_restart_of_the_server() {
    let (liar, messages) = liar(3);
    let mut mount = mounted(&liar, &[]);
    remove(&mount, "liar-2.eml");
    let port = liar.port();
    drop(liar);
    let liar = Liar::start_at(loopback(port), &messages);
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_dead_idle_connection_is_replaced_within_the_timeout() {
    let (liar, messages) = liar(3);
    let mount = mounted(&liar, &["timeout=10s"]);
    liar.once("RETR 1", Reply::Silent);
    // After this idle time the engine takes silence as a sign that the connection is dead.
    thread::sleep(Duration::from_secs(6));
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!((liar.count("RETR 1"), liar.server().connections()), (2, 2));
}

#[test]
fn keepalive_keeps_an_unused_session_open() {
    let (liar, messages) = liar(2);
    let mount = mounted(&liar, &["idle_timeout=1s", "keepalive=1s"]);
    liar.wait_for("NOOP", 3);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!((liar.count("PASS"), liar.count("QUIT")), (1, 0));
}

/// Runs a commit that max_delete holds back, so it sends nothing to the server.
fn commit_held_back(mount: &Mount) {
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert_failed(&output, Failure::HeldBack);
}

#[test]
fn requests_without_server_do_not_delay_keepalive() {
    let (liar, _) = liar(3);
    let mount = mounted(&liar, &["keepalive=1s", "max_delete=1"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-2.eml");
    eventually("a NOOP", || {
        commit_held_back(&mount);
        (liar.count("NOOP") > 1).then_some(())
    });
    assert_eq!(liar.count("PASS"), 1);
}

#[test]
fn requests_without_server_do_not_keep_the_session_open() {
    let (liar, _) = liar(3);
    let mount = mounted(&liar, &["idle_timeout=1s", "max_delete=1"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-2.eml");
    eventually("the end of the session", || {
        commit_held_back(&mount);
        (mount.status()["session"] == "closed").then_some(())
    });
}

#[test]
fn a_session_that_ends_despite_keepalive_is_reopened() {
    let (liar, messages) = liar(2);
    let mount = mounted(&liar, &["keepalive=1s"]);
    for end in [Reply::Close, Reply::Err("idle for too long")] {
        liar.on("NOOP", end);
        liar.wait_for("NOOP", liar.count("NOOP") + 1);
        liar.behave("NOOP");
        assert_reads(&mount, "liar-1.eml", &messages[0]);
    }
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn a_server_that_closes_on_pipelining_is_read_without_it() {
    let (liar, messages) = liar(40);
    liar.refuse_pipelining();
    let mount = mounted(&liar, &[]);
    stdout_of(&["grep", "-r", "-c", "Subject", mount.arg()]);
    assert_shows(&mount, &messages);
    assert!(
        mount.stderr().contains("one command at a time"),
        "{}",
        mount.stderr()
    );
}

/// Removes two of three messages on a server that `misbehave` has set up.
fn assert_deletes_what_is_removed(misbehave: impl Fn(&Liar)) {
    let (liar, _) = liar(3);
    misbehave(&liar);
    let mut mount = mounted(&liar, &["mtime=none", "timeout=1s"]);
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-3.eml");
    let (code, said) = umount(&mut mount);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_server_that_closes_on_pipelining_deletes_messages() {
    assert_deletes_what_is_removed(Liar::refuse_pipelining);
}

#[test]
fn a_server_without_uidl_that_closes_on_pipelining_is_mounted() {
    let (liar, messages) = liar(5);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar.refuse_pipelining();
    let mount = mounted(&liar, &[]);
    assert_shows(&mount, &messages);
}

#[test]
fn a_server_that_loses_pipelined_commands_is_read_without_it() {
    let (liar, messages) = liar(8);
    liar.lose_what_is_pipelined();
    let mut mount = mounted(&liar, &["timeout=1s"]);
    for (serial, message) in (1..).zip(&messages) {
        eventually_reads(&mount, &format!("liar-{serial}.eml"), message);
    }
    let said = mount.stderr();
    assert!(said.contains("one command at a time"), "{said}");
    remove(&mount, "liar-1.eml");
    remove(&mount, "liar-3.eml");
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!(liar.left_serials(), [2, 4, 5, 6, 7, 8]);
}

#[test]
fn a_lost_command_never_gives_the_content_of_another_message() {
    let (liar, messages) = liar(400);
    liar.lose_what_is_pipelined();
    let mount = mounted(&liar, &["timeout=1s", "mtime=none"]);
    for (serial, message) in (1..).zip(&messages) {
        let name = format!("liar-{serial}.eml");
        // The first few reads may time out.
        if let Ok(read) = fs::read(mount.join(&name)) {
            assert!(read == *message, "{name} reads another message");
        }
    }
    let said = mount.stderr();
    assert!(said.contains("one command at a time"), "{said}");
}

#[test]
fn a_server_that_loses_pipelined_commands_deletes_messages() {
    assert_deletes_what_is_removed(Liar::lose_what_is_pipelined);
}

#[test]
fn pipeline_off_sends_one_command_at_a_time() {
    let (liar, messages) = liar(10);
    liar.refuse_pipelining();
    let mut mount = mounted(&liar, &["pipeline=off"]);
    assert_shows(&mount, &messages);
    for serial in 1..=10 {
        remove(&mount, &format!("liar-{serial}.eml"));
    }
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!(liar.left_serials(), [0_u64; 0]);
    assert_eq!(liar.server().connections(), 1);
}

/// A mount in a mount namespace of its own with its own `/etc/hosts`. The test reads it through
/// `/proc/PID/root`.
struct Secluded {
    _process: Background,
    hosts: PathBuf,
    root: PathBuf,
    _place: Place,
}

impl Secluded {
    fn mount(source: &str, address: Ipv4Addr) -> Self {
        let place = Place::create();
        let hosts = place.folder().join("hosts");
        fs::write(&hosts, line_of_hosts(address)).expect("a file of hosts");
        let script = "mount --bind \"$1\" /etc/hosts; shift; exec \"$@\"";
        let mut command = place.at_home(Command::new("unshare"));
        command
            .args(["--mount", "sh", "-euc", script, "sh"])
            .arg(&hosts)
            .args([PROGRAM, "-f", "-o", "tls=off", source])
            .arg(place.mount_point())
            .env("POP3FS_PASSWORD", "secret")
            .stdout(Stdio::null());
        let process = Background::spawn(&mut command);
        let root = Path::new("/proc")
            .join(process.pid().to_string())
            .join("root");
        let root = root.join(place.mount_point().strip_prefix("/").expect("a full path"));
        Self {
            _process: process,
            hosts,
            root,
            _place: place,
        }
    }

    fn move_server(&self, address: Ipv4Addr) {
        fs::write(&self.hosts, line_of_hosts(address)).expect("a file of hosts");
    }

    fn eventually_reads(&self, name: &str) -> Vec<u8> {
        eventually("the message", || fs::read(self.root.join(name)).ok())
    }
}

fn line_of_hosts(address: Ipv4Addr) -> String {
    format!("{address} maildrop.test\n")
}

#[test]
fn a_server_that_has_moved_is_found_at_its_new_address() {
    let messages = corpus::realistic(41, 2);
    let before = Liar::start(&messages);
    let port = before.port();
    let (old, new) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let mount = Secluded::mount(&format!("pop://alice@maildrop.test:{port}"), old);
    assert_eq!(mount.eventually_reads("liar-1.eml"), messages[0]);
    let after = Liar::start_at(SocketAddrV4::new(new, port), &messages);
    mount.move_server(new);
    drop(before);
    assert_eq!(mount.eventually_reads("liar-2.eml"), messages[1]);
    assert_eq!((after.count("PASS"), after.count("RETR 2")), (1, 1));
}
