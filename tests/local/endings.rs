//! Signals in every state of a mount, and mount points that go away.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use pop3fs::cli::Failure;

use crate::common::{
    Background, Gate, Liar, Mount, Peer, Reply, Scripted, assert_failed, corpus, eventually,
};
use crate::{
    AT_ONCE, Ground, LIMIT, assert_reads_all, assert_says, errno, mounted, name, read, stderr,
    stdout,
};

/// The commands that the server gets before the mount exists.
const BEGINNINGS: [&str; 6] = ["CAPA", "USER", "PASS", "STAT", "UIDL", "LIST"];

fn five() -> Liar {
    Liar::start(&corpus::realistic(71, 5))
}

fn ended_by(status: ExitStatus) -> Option<Signal> {
    status.signal().and_then(|signal| signal.try_into().ok())
}

#[test]
fn a_signal_ends_a_mount_that_waits_for_the_greeting_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let ground = Ground::new();
        let silent = Scripted::start(Peer::stay_silent);
        let source = format!("pop://alice@127.0.0.1:{}", silent.port());
        let mut command = ground.0.program();
        command
            .args(["-f", "-o", "tls=off", &source, ground.dir()])
            .env("POP3FS_PASSWORD", "secret");
        let process = Background::spawn(&mut command);
        silent.wait_for_connections(1);
        process.signal(signal);
        let output = process.output_within(AT_ONCE);
        let said = stderr(&output);
        match signal {
            // As after Ctrl-C at the password prompt.
            Signal::SIGINT => assert_failed(&output, Failure::Interrupted),
            _ => assert_eq!(ended_by(output.status), Some(signal), "{said}"),
        }
    }
}

/// nohup(1) and shells that run scripts start programs with such signals ignored.
#[test]
fn a_signal_that_was_ignored_from_the_beginning_ends_nothing() {
    for ignored in [Signal::SIGHUP, Signal::SIGINT] {
        let (ground, liar) = (Ground::new(), five());
        let ignore = format!("--ignore-signal={ignored}");
        let mut command = ground.through(&["/usr/bin/env", &ignore], &liar);
        let process = Background::spawn(command.arg("-f"));
        eventually("the mount", || ground.0.is_mounted().then_some(()));
        process.signal(ignored);
        // The next signal ends the mount, so this one was ignored by then.
        process.signal(Signal::SIGTERM);
        let output = process.output_within(AT_ONCE);
        let log = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(!log.contains(ignored.as_str()), "{log}");
    }
}

#[test]
fn a_signal_during_login_or_listing_ends_the_mount_at_once() {
    for command in BEGINNINGS {
        let (ground, liar) = (Ground::new(), five());
        liar.on(command, Reply::Silent);
        let process = Background::spawn(ground.mounting(&liar).arg("-f"));
        liar.wait_for(command, 1);
        process.signal(Signal::SIGTERM);
        let output = process.output_within(AT_ONCE);
        assert_eq!(ended_by(output.status), Some(Signal::SIGTERM), "{command}");
        assert!(!ground.0.is_mounted(), "{command}");
        assert_eq!(liar.count("QUIT"), 0, "{command}");
    }
}

#[test]
fn a_launcher_tells_that_its_daemon_was_ended_during_the_login() {
    let (ground, liar) = (Ground::new(), five());
    liar.on("PASS", Reply::Silent);
    let launcher = Background::spawn(&mut ground.mounting(&liar));
    liar.wait_for("PASS", 1);
    let pid = launcher.pid();
    let daemon = eventually("the daemon", || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.trim().parse().ok().map(nix::unistd::Pid::from_raw)
    });
    kill(daemon, Signal::SIGTERM).expect("a signal for the daemon");
    let output = launcher.output_within(AT_ONCE);
    assert_says(
        &crate::sentence(&output),
        &["ended before the mount was ready (SIGTERM)"],
    );
    ground.0.wait_until_no_process_is_left();
}

#[test]
fn a_signal_during_a_transfer_ends_the_mount_and_its_readers() {
    let liar = five();
    let mut mount = mounted(&liar.source(), &[]);
    liar.on("RETR", Reply::Held(Gate::new()));
    let file = mount.join(name(3));
    let reader = Background::start(&[std::path::Path::new("cat"), &file]);
    reader.wait_until_it_waits_for_the_mount();
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    assert!(
        ended.status.is_some_and(|status| status.success()),
        "{ended:?}"
    );
    let output = reader.output_within(AT_ONCE);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(!mount.is_mounted());
    assert_eq!(liar.left_serials(), [1, 2, 3, 4, 5]);
}

/// A mount with two removed messages, whose commit has come as far as this command.
fn committing(until: &str) -> (Liar, Mount, Background, Gate) {
    let (liar, gate) = (five(), Gate::new());
    liar.once(until, Reply::Held(gate.clone()));
    let mount = mounted(&liar.source(), &[]);
    for serial in [1, 2] {
        fs::remove_file(mount.join(name(serial))).expect("to remove a file");
    }
    let commit = Background::spawn(&mut mount.subcommand_line(&["commit", mount.arg()]));
    liar.wait_for(until, 1);
    (liar, mount, commit, gate)
}

#[test]
fn a_signal_during_a_commit_lets_it_end() {
    for until in ["DELE 1", "DELE 2", "QUIT"] {
        let (liar, mut mount, commit, gate) = committing(until);
        mount.signal(Signal::SIGTERM);
        eventually("the mount to go", || (!mount.is_mounted()).then_some(()));
        gate.open();
        let output = commit.output_within(LIMIT);
        assert_eq!(
            stdout(&output),
            "2 messages deleted on the server\n",
            "{until}"
        );
        let ended = mount.wait();
        assert!(
            ended.status.is_some_and(|status| status.success()),
            "{ended:?}"
        );
        assert_eq!(liar.left_serials(), [3, 4, 5], "{until}");
    }
}

#[test]
fn a_removed_mount_point_ends_the_mount_with_a_commit() {
    let liar = five();
    let mut mount = mounted(&liar.source(), &[]);
    let mut file = File::open(mount.join(name(4))).expect("a message");
    fs::remove_file(mount.join(name(2))).expect("to remove a file");
    umount2(mount.path(), MntFlags::MNT_DETACH).expect("a lazy umount by somebody else");
    fs::remove_dir(mount.path()).expect("to remove the mount point");
    // Nothing is committed while a program still reads.
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("the rest of the file");
    assert!(octets == corpus::realistic(71, 5)[3]);
    assert_eq!(liar.count("DELE"), 0);
    drop(file);
    let ended = mount.wait();
    assert!(
        ended.status.is_some_and(|status| status.success()),
        "{ended:?}"
    );
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
    fs::create_dir(mount.path()).expect("a new mount point");
    mount.remount();
    let left = [1, 3, 4, 5].map(|serial| corpus::realistic(71, 5)[serial - 1].clone());
    for (serial, message) in [1, 3, 4, 5].into_iter().zip(left) {
        crate::assert_reads(mount.path(), serial, &message);
    }
}

#[test]
fn a_signal_for_a_mount_that_is_gone_spares_a_newer_one() {
    let (liar, other) = (five(), five());
    let mut mount = mounted(&liar.source(), &[]);
    let file = File::open(mount.join(name(4))).expect("a message");
    umount2(mount.path(), MntFlags::MNT_DETACH).expect("a lazy umount by somebody else");
    let mut newer = mount.subcommand_line(&["-o", "tls=off", &other.source(), mount.arg()]);
    newer.env("POP3FS_PASSWORD", "secret");
    let output = crate::common::output_within(LIMIT, &mut newer);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    mount.signal(Signal::SIGTERM);
    eventually("the signal to be seen", || {
        mount
            .stderr()
            .contains("is not mounted any more")
            .then_some(())
    });
    drop(file);
    let ended = mount.wait();
    assert!(
        ended.status.is_some_and(|status| status.success()),
        "{ended:?}"
    );
    assert_reads_all(mount.path(), &corpus::realistic(71, 5));
    let output: Output = mount.subcommand(&["umount", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_mount_whose_process_was_killed_can_be_mounted_again() {
    let (ground, liar) = (Ground::new(), five());
    let mounting = || crate::common::output_within(LIMIT, &mut ground.mounting(&liar));
    assert_eq!(mounting().status.code(), Some(0));
    let daemon = ground.0.daemon().expect("a daemon");
    kill(daemon, Signal::SIGKILL).expect("a signal for the daemon");
    ground.0.wait_until_no_process_is_left();
    let file = ground.0.mount_point().join(name(1));
    eventually("the kernel to see the end", || {
        (errno(read(&file)) == Errno::ENOTCONN).then_some(())
    });
    let remedy = format!("umount -l {}", ground.dir());
    assert_says(&crate::sentence(&mounting()), &["already mounted", &remedy]);
    let output = ground.pop3fs(&["umount", ground.dir()]);
    assert_says(&crate::sentence(&output), &["is gone", &remedy]);
    let words: Vec<&str> = remedy.split(' ').collect();
    crate::common::stdout_of(&words);
    assert_eq!(mounting().status.code(), Some(0));
    assert_reads_all(ground.0.mount_point(), &corpus::realistic(71, 5));
}
