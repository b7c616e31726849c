//! A server that does not answer: which programs wait, how long, and which do not wait.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use pop3fs::cli::Failure;

use crate::common::{
    Background, Dovecot, DovecotOptions, Gate, Liar, Mount, Reply, assert_failed, corpus,
    eventually, output_within, retr_all, stdout_of,
};
use crate::{
    WITHOUT_SERVER, assert_fails, assert_reads, cat, mounted, readers, stderr,
    succeed_without_server,
};

/// Limit for commands that end after a timeout of a few seconds.
const IN_TIME: Duration = Duration::from_secs(25);

/// A paused Dovecot; the mount has read the first message, and no other.
fn paused_dovecot(options: &[&str]) -> (Dovecot, Mount, Vec<(String, Vec<u8>)>) {
    let messages = corpus::realistic(11, 10);
    let dovecot = Dovecot::start(&messages, &DovecotOptions::default());
    let files: Vec<_> = retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD)
        .into_iter()
        .map(|message| {
            let uidl = String::from_utf8(message.uidl).expect("a unique-id in ASCII");
            (format!("{uidl}.eml"), message.bytes)
        })
        .collect();
    let mount = mounted(&dovecot.source(), options);
    assert_reads(&mount, &files[0].0, &files[0].1);
    stdout_of(&["ls", "-l", mount.arg()]);
    dovecot.pause();
    (dovecot, mount, files)
}

#[test]
fn known_files_are_served_while_a_reader_waits_for_the_server() {
    let (dovecot, mount, files) = paused_dovecot(&[]);
    let waiting = Background::start(&[Path::new("cat"), &mount.join(&files[1].0)]);
    waiting.wait_until_it_waits_for_the_mount();
    let shown = succeed_without_server(&["ls", "-l", mount.arg()]);
    assert_eq!(shown.stdout.split(|&octet| octet == b'\n').count(), 12);
    succeed_without_server(&[Path::new("stat"), &mount.join(&files[2].0)]);
    succeed_without_server(&["df", mount.arg()]);
    let shown = succeed_without_server(&[Path::new("cat"), &mount.join(&files[0].0)]);
    assert!(shown.stdout == files[0].1);
    assert!(mount.subcommand(&["status", mount.arg()]).status.success());
    dovecot.resume();
    let output = waiting.output_within(WITHOUT_SERVER);
    assert!(output.stdout == files[1].1, "{}", stderr(&output));
}

#[test]
fn a_signal_ends_a_reader_that_waits_for_a_hung_server() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let (dovecot, mount, files) = paused_dovecot(&[]);
        let waiting = Background::start(&[Path::new("cat"), &mount.join(&files[1].0)]);
        waiting.wait_until_it_waits_for_the_mount();
        waiting.signal(signal);
        let output = waiting.output_within(WITHOUT_SERVER);
        assert_eq!(ended_by(&output), Some(signal as i32));
        dovecot.resume();
        assert_reads(&mount, &files[1].0, &files[1].1);
    }
}

fn ended_by(output: &Output) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&output.status)
}

#[test]
fn a_hung_server_times_out_and_later_readers_succeed() {
    let (dovecot, mount, files) = paused_dovecot(&["timeout=3s"]);
    assert_fails(&cat(&mount, &files[1].0), Errno::ETIMEDOUT);
    dovecot.resume();
    assert_reads(&mount, &files[1].0, &files[1].1);
    assert_reads(&mount, &files[2].0, &files[2].1);
}

#[test]
fn a_server_that_hangs_at_the_login_times_out() {
    let (dovecot, mount, files) = paused_dovecot(&["timeout=1s", "idle_timeout=1s"]);
    mount.wait_until_its_session_is_closed();
    assert_fails(&cat(&mount, &files[1].0), Errno::ETIMEDOUT);
    dovecot.resume();
    // After a failed login the engine backs off for a moment.
    eventually("a login that succeeds", || {
        cat(&mount, &files[1].0).status.success().then_some(())
    });
    assert_reads(&mount, &files[2].0, &files[2].1);
}

#[test]
fn a_hung_server_does_not_delay_umount_without_deletions() {
    let (dovecot, mut mount, files) = paused_dovecot(&[]);
    let waiting = Background::start(&[Path::new("cat"), &mount.join(&files[1].0)]);
    waiting.wait_until_it_waits_for_the_mount();
    waiting.signal(Signal::SIGKILL);
    waiting.output_within(WITHOUT_SERVER);
    let output = output_within(
        IN_TIME,
        &mut mount.subcommand_line(&["umount", mount.arg()]),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    mount.wait();
    dovecot.resume();
}

#[test]
fn a_commit_on_a_hung_server_fails_within_the_timeout() {
    let (dovecot, mut mount, files) = paused_dovecot(&["timeout=1s"]);
    succeed_without_server(&[Path::new("rm"), &mount.join(&files[3].0)]);
    let output = output_within(
        IN_TIME,
        &mut mount.subcommand_line(&["umount", mount.arg()]),
    );
    assert_failed(&output, Failure::Uncommitted);
    let said = stderr(&output);
    assert!(
        said.contains("not committed") && said.contains("silent"),
        "{said}"
    );
    mount.wait();
    dovecot.resume();
    assert_eq!(dovecot.messages_left().len(), 10);
}

#[test]
fn three_hundred_waiting_readers_do_not_delay_others() {
    let messages = corpus::realistic(12, 300);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let gate = Gate::new();
    liar.on("RETR", Reply::Held(gate.clone()));
    let readers = readers(&mount, 1..=300);
    succeed_without_server(&["ls", "-l", mount.arg()]);
    succeed_without_server(&["df", mount.arg()]);
    gate.open();
    for (reader, message) in readers.into_iter().zip(&messages) {
        let octets = reader.join().expect("a reader").expect("a message");
        assert!(octets == *message);
    }
}

#[test]
fn three_hundred_readers_of_a_silent_server_all_time_out() {
    let messages = corpus::realistic(12, 300);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["timeout=3s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    liar.on("RETR", Reply::Silent);
    for reader in readers(&mount, 1..=300) {
        let error = reader.join().expect("a reader").expect_err("a time-out");
        assert_eq!(error.raw_os_error(), Some(Errno::ETIMEDOUT as i32));
    }
    succeed_without_server(&["ls", mount.arg()]);
    liar.behave("RETR");
    assert_reads(&mount, "liar-7.eml", &messages[6]);
}
