//! A server that answers nothing: who waits, how long, and who does not.

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
use crate::{AT_ONCE, assert_fails, assert_reads, at_once, cat, mounted, readers, stderr};

/// The limit of what ends by a time-out of a few seconds.
const IN_TIME: Duration = Duration::from_secs(25);

/// A paused Dovecot whose first message is known to the mount and whose second is not.
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
fn what_is_known_is_answered_while_a_reader_waits_for_a_hung_server() {
    let (dovecot, mount, files) = paused_dovecot(&[]);
    let waiting = Background::start(&[Path::new("cat"), &mount.join(&files[1].0)]);
    waiting.wait_until_it_waits_for_the_mount();
    let shown = at_once(&["ls", "-l", mount.arg()]);
    assert_eq!(shown.stdout.split(|&octet| octet == b'\n').count(), 12);
    at_once(&[Path::new("stat"), &mount.join(&files[2].0)]);
    at_once(&["df", mount.arg()]);
    let shown = at_once(&[Path::new("cat"), &mount.join(&files[0].0)]);
    assert!(shown.stdout == files[0].1);
    assert!(mount.subcommand(&["status", mount.arg()]).status.success());
    dovecot.resume();
    let output = waiting.output_within(AT_ONCE);
    assert!(output.stdout == files[1].1, "{}", stderr(&output));
}

#[test]
fn an_interrupted_reader_is_let_go_while_the_server_hangs() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let (dovecot, mount, files) = paused_dovecot(&[]);
        let waiting = Background::start(&[Path::new("cat"), &mount.join(&files[1].0)]);
        waiting.wait_until_it_waits_for_the_mount();
        waiting.signal(signal);
        let output = waiting.output_within(AT_ONCE);
        assert_eq!(ended_by(&output), Some(signal as i32));
        dovecot.resume();
        assert_reads(&mount, &files[1].0, &files[1].1);
    }
}

fn ended_by(output: &Output) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&output.status)
}

#[test]
fn a_reader_of_a_hung_server_gets_a_time_out_and_the_next_one_the_message() {
    let (dovecot, mount, files) = paused_dovecot(&["timeout=3s"]);
    assert_fails(&cat(&mount, &files[1].0), Errno::ETIMEDOUT);
    dovecot.resume();
    assert_reads(&mount, &files[1].0, &files[1].1);
    assert_reads(&mount, &files[2].0, &files[2].1);
}

#[test]
fn a_server_that_hangs_at_the_login_is_a_time_out_until_it_answers_again() {
    let (dovecot, mount, files) = paused_dovecot(&["timeout=1s", "idle_timeout=1s"]);
    mount.wait_until_its_session_is_closed();
    assert_fails(&cat(&mount, &files[1].0), Errno::ETIMEDOUT);
    dovecot.resume();
    // After a failed login the next attempt is held off a little.
    eventually("a login that succeeds", || {
        cat(&mount, &files[1].0).status.success().then_some(())
    });
    assert_reads(&mount, &files[2].0, &files[2].1);
}

#[test]
fn a_hung_server_does_not_keep_a_mount_without_deletions() {
    let (dovecot, mut mount, files) = paused_dovecot(&[]);
    let waiting = Background::start(&[Path::new("cat"), &mount.join(&files[1].0)]);
    waiting.wait_until_it_waits_for_the_mount();
    waiting.signal(Signal::SIGKILL);
    waiting.output_within(AT_ONCE);
    let output = output_within(
        IN_TIME,
        &mut mount.subcommand_line(&["umount", mount.arg()]),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    mount.wait();
    dovecot.resume();
}

#[test]
fn a_commit_on_a_hung_server_fails_in_time_and_deletes_nothing() {
    let (dovecot, mut mount, files) = paused_dovecot(&["timeout=1s"]);
    at_once(&[Path::new("rm"), &mount.join(&files[3].0)]);
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
fn three_hundred_waiting_readers_keep_nobody_else_waiting_and_all_get_their_messages() {
    let messages = corpus::realistic(12, 300);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let gate = Gate::new();
    liar.on("RETR", Reply::Held(gate.clone()));
    let readers = readers(&mount, 1..=300);
    at_once(&["ls", "-l", mount.arg()]);
    at_once(&["df", mount.arg()]);
    gate.open();
    for (reader, message) in readers.into_iter().zip(&messages) {
        let octets = reader.join().expect("a reader").expect("a message");
        assert!(octets == *message);
    }
}

#[test]
fn three_hundred_waiting_readers_of_a_server_that_stays_silent_all_get_a_time_out() {
    let messages = corpus::realistic(12, 300);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["timeout=3s"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    liar.on("RETR", Reply::Silent);
    for reader in readers(&mount, 1..=300) {
        let error = reader.join().expect("a reader").expect_err("a time-out");
        assert_eq!(error.raw_os_error(), Some(Errno::ETIMEDOUT as i32));
    }
    at_once(&["ls", mount.arg()]);
    liar.behave("RETR");
    assert_reads(&mount, "liar-7.eml", &messages[6]);
}
