//! A process that is stopped for longer than its timeouts, for example by SIGSTOP, a frozen control
//! group or a debugger.
//!
//! A suspended machine needs no test: the clock of all timeouts (CLOCK_MONOTONIC, which `Instant`
//! uses) stands still meanwhile, so that nothing is overdue afterwards. The wall clock jumps, but
//! it only gives times to show and the age of files in the cache.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Background, Gate, Liar, Mount, Reply, corpus, eventually, stdout_of};
use crate::{AT_ONCE, assert_reads, assert_reads_all, listed, mounted, name, stderr, umount};

const TIMEOUT: &str = "timeout=1s";
/// How long the process is stopped: a reader waits for one timeout, `sync` for five.
const LONGER_THAN_A_READER_WAITS: Duration = Duration::from_millis(1_500);
const LONGER_THAN_SYNC_WAITS: Duration = Duration::from_millis(5_500);

fn state(mount: &Mount) -> char {
    let stat = fs::read_to_string(format!("/proc/{}/stat", mount.pid())).expect("a process");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    fields.trim_start().chars().next().expect("a state")
}

/// Stops the process of the mount, runs `meanwhile`, and continues the process after the pause.
fn stopped(mount: &Mount, pause: Duration, meanwhile: impl FnOnce()) {
    mount.signal(Signal::SIGSTOP);
    eventually("the process to stop", || {
        (state(mount) == 'T').then_some(())
    });
    meanwhile();
    thread::sleep(pause);
    mount.signal(Signal::SIGCONT);
}

#[test]
fn what_came_while_the_process_was_stopped_is_no_timeout() {
    let messages = corpus::realistic(74, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[TIMEOUT]);
    let gate = Gate::new();
    liar.once("RETR", Reply::Held(gate.clone()));
    let reader = Background::start(&[Path::new("cat"), &mount.join(name(2))]);
    reader.wait_until_it_waits_for_the_mount();
    stopped(&mount, LONGER_THAN_A_READER_WAITS, || gate.open());
    let output = reader.output_within(AT_ONCE);
    assert!(output.stdout == messages[1], "{}", stderr(&output));
    assert_reads_all(mount.path(), &messages);
}

#[test]
fn a_commit_that_succeeded_during_a_stop_is_reported_as_success() {
    let liar = Liar::start(&corpus::realistic(75, 3));
    let mut mount = mounted(&liar.source(), &[TIMEOUT]);
    fs::remove_file(mount.join(name(2))).expect("to remove a file");
    let gate = Gate::new();
    liar.once("QUIT", Reply::Held(gate.clone()));
    let sync = Background::start(&["sync", mount.arg()]);
    liar.wait_for("QUIT", 1);
    stopped(&mount, LONGER_THAN_SYNC_WAITS, || {
        gate.open();
        liar.server().wait_until_idle();
    });
    let output = sync.output_within(AT_ONCE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(liar.left_serials(), [1, 3]);
    assert_eq!(listed(mount.path()), [1, 3].map(name));
    umount(&mut mount);
}

#[test]
fn a_session_that_the_server_ended_during_a_stop_is_replaced() {
    let messages = corpus::realistic(76, 3);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &[TIMEOUT]);
    fs::remove_file(mount.join(name(1))).expect("to remove a file");
    stopped(&mount, LONGER_THAN_A_READER_WAITS, || {
        liar.server().cut_all();
    });
    assert_reads(mount.path(), 2, &messages[1]);
    stdout_of(&["ls", "-l", mount.arg()]);
    umount(&mut mount);
    assert_eq!(liar.left_serials(), [2, 3]);
}
