//! A server that hangs, breaks off, refuses or lies: what the reader gets, and what goes on working meanwhile.

mod common;

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{
    Background, Dovecot, DovecotOptions, Gate, Liar, Mailutils, MailutilsOptions, Mount,
    ReferenceClient, Reply, RetrFault, corpus, eventually, output_within, retr_all, run, stdout_of,
    waits_for_fuse,
};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::gettid;
use serde_json::Value;

/// The limit of what must not wait for the server: far below the mounts' time-out of 30 s.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The limit of what ends by a time-out of a few seconds.
const IN_TIME: Duration = Duration::from_secs(25);

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

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The program succeeds within [`AT_ONCE`].
fn at_once<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    let (program, rest) = arguments.split_first().expect("a program's name");
    let output = output_within(AT_ONCE, Command::new(program).args(rest));
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

fn ended_by(output: &Output) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&output.status)
}

fn status(mount: &Mount) -> Value {
    let output = mount.subcommand(&["status", mount.arg(), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn wait_until_the_session_is_closed(mount: &Mount) {
    eventually("the mount to notice that its session is over", || {
        (status(mount)["session"] == "closed").then_some(())
    });
}

// A server that answers nothing.

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
    wait_until_the_session_is_closed(&mount);
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
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("not committed") && said.contains("silent"),
        "{said}"
    );
    mount.wait();
    dovecot.resume();
    assert_eq!(dovecot.messages_left().len(), 10);
}

/// So many threads that each read one message; returned once all wait for it.
fn readers(mount: &Mount, count: usize) -> Vec<JoinHandle<io::Result<Vec<u8>>>> {
    let (tell, told) = std::sync::mpsc::channel();
    let readers = (1..=count)
        .map(|serial| {
            let path = mount.join(format!("liar-{serial}.eml"));
            let tell = tell.clone();
            thread::spawn(move || {
                tell.send(gettid()).expect("the test waits");
                fs::read(path)
            })
        })
        .collect();
    let threads: Vec<_> = told.iter().take(count).collect();
    eventually("every reader to wait for the mount", || {
        threads
            .iter()
            .all(|thread| waits_for_fuse(&format!("/proc/self/task/{thread}")))
            .then_some(())
    });
    readers
}

#[test]
fn three_hundred_waiting_readers_keep_nobody_else_waiting_and_all_get_their_messages() {
    let messages = corpus::realistic(12, 300);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let gate = Gate::new();
    liar.on("RETR", Reply::Held(gate.clone()));
    let readers = readers(&mount, 300);
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
    for reader in readers(&mount, 300) {
        let error = reader.join().expect("a reader").expect_err("a time-out");
        assert_eq!(error.raw_os_error(), Some(Errno::ETIMEDOUT as i32));
    }
    at_once(&["ls", mount.arg()]);
    liar.behave("RETR");
    assert_reads(&mount, "liar-7.eml", &messages[6]);
}

// A link that breaks.

fn interrupted_transfers(fault: impl Fn(usize) -> RetrFault) {
    let message = corpus::large(40_000);
    let last = message.len();
    let cuts = [
        0,
        1,
        2,
        100,
        4096,
        20_000,
        last - 1,
        last,
        last + 1,
        last + 2,
    ];
    let liar = Liar::start(&vec![message.clone(); cuts.len()]);
    let mount = mounted(&liar.source(), &[]);
    for (serial, after) in (1..).zip(cuts) {
        liar.fault_retr(serial, fault(after));
        assert_reads(&mount, &format!("liar-{serial}.eml"), &message);
        assert_eq!(liar.count(&format!("RETR {serial}")), 2, "cut at {after}");
    }
}

#[test]
fn a_transfer_that_is_cut_anywhere_is_begun_anew() {
    interrupted_transfers(|after| RetrFault::Close { after });
}

#[test]
fn a_transfer_that_is_reset_anywhere_is_begun_anew() {
    interrupted_transfers(|after| RetrFault::Reset { after });
}

#[test]
fn a_transfer_that_is_cut_again_and_again_is_an_error_and_never_a_short_file() {
    let message = corpus::large(40_000);
    let liar = Liar::start(&[message.clone(), corpus::with_body(b"other\r\n")]);
    let mount = mounted(&liar.source(), &[]);
    let half = [b"+OK\r\n", &message[..20_000]].concat();
    liar.on("RETR 1", Reply::RawThenClose(half));
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EIO);
    assert_reads(&mount, "liar-2.eml", &corpus::with_body(b"other\r\n"));
    liar.behave("RETR 1");
    assert_reads(&mount, "liar-1.eml", &message);
}

#[test]
fn a_transfer_that_stalls_is_a_time_out_and_the_next_one_succeeds() {
    let message = corpus::large(40_000);
    let liar = Liar::start(std::slice::from_ref(&message));
    let mount = mounted(&liar.source(), &["timeout=2s"]);
    let gate = Gate::new();
    liar.fault_retr(1, RetrFault::Hold { after: 9999, gate });
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::ETIMEDOUT);
    assert_reads(&mount, "liar-1.eml", &message);
}

#[test]
fn a_transfer_that_goes_on_in_time_is_waited_for() {
    let message = corpus::large(40_000);
    let liar = Liar::start(std::slice::from_ref(&message));
    let mount = mounted(&liar.source(), &[]);
    let gate = Gate::new();
    let fault = RetrFault::Hold {
        after: 9999,
        gate: gate.clone(),
    };
    liar.fault_retr(1, fault);
    let waiting = Background::start(&[Path::new("cat"), &mount.join("liar-1.eml")]);
    liar.wait_for("RETR", 1);
    gate.open();
    let output = waiting.output_within(AT_ONCE);
    assert!(output.stdout == message, "{}", stderr(&output));
    assert_eq!(liar.count("RETR"), 1);
}

#[test]
fn a_session_that_was_cut_while_idle_is_reopened_on_demand() {
    let messages = corpus::realistic(13, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().cut_all();
    assert_reads(&mount, "liar-2.eml", &messages[1]);
    assert_eq!(liar.server().connections(), 2);
}

#[test]
fn an_idle_session_is_closed_in_order_and_reopened_on_demand() {
    let messages = corpus::realistic(13, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    liar.wait_for("QUIT", 1);
    liar.server().wait_until_idle();
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!(liar.count("PASS"), 2);
}

#[test]
fn the_idle_out_line_of_a_server_is_no_reply() {
    let messages = corpus::realistic(13, 3);
    let server = Mailutils::start(&messages, MailutilsOptions { timeout: 1 });
    let mount = mounted(&server.source(), &[]);
    wait_until_the_session_is_closed(&mount);
    let shown = stdout_of(&["grep", "-rl", "Subject: Re:", mount.arg()]);
    assert_eq!(shown.lines().count(), 3);
}

#[test]
fn a_line_that_nobody_asked_for_is_no_reply_to_the_next_command() {
    let messages = corpus::realistic(13, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    for line in ["-ERR idle for too long\r\n", "+OK did you know?\r\n"] {
        let reply = [
            b"+OK\r\n",
            messages[0].as_slice(),
            b".\r\n",
            line.as_bytes(),
        ]
        .concat();
        liar.once("RETR 1", Reply::Raw(reply));
        assert_reads(&mount, "liar-1.eml", &messages[0]);
        assert_reads(&mount, "liar-2.eml", &messages[1]);
    }
}

// A server that refuses or lies.

#[test]
fn a_message_that_another_client_took_away_is_stale_and_leaves_the_listing() {
    let messages = corpus::realistic(14, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.remove(2);
    let error = fs::read(mount.join("liar-2.eml")).expect_err("a message that has gone");
    // The kernel looks the name up again when an open is stale, and then it is not there.
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(stdout_of(&["ls", mount.arg()]), "liar-1.eml\nliar-3.eml\n");
    assert_reads(&mount, "liar-3.eml", &messages[2]);
}

#[test]
fn an_open_file_whose_message_another_client_took_away_is_stale() {
    let messages = corpus::realistic(14, 3);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &[]);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
    mount.remount();
    let mut file = fs::File::open(mount.join("liar-2.eml")).expect("a message of known size");
    liar.remove(2);
    let error = io::Read::read(&mut file, &mut [0; 10]).expect_err("a message that has gone");
    assert_eq!(error.raw_os_error(), Some(Errno::ESTALE as i32));
}

#[test]
fn a_message_that_the_server_always_refuses_is_an_error_and_the_others_are_there() {
    let messages = corpus::realistic(14, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.on("RETR 2", Reply::Err("damaged"));
    assert_fails(&cat(&mount, "liar-2.eml"), Errno::EIO);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_reads(&mount, "liar-3.eml", &messages[2]);
}

#[test]
fn a_message_larger_than_allowed_is_too_large() {
    let messages = [corpus::large(5000), corpus::with_body(b"small\r\n")];
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["max_message=2K"]);
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EFBIG);
    assert_eq!(liar.count("RETR"), 0);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn a_message_larger_than_the_server_says_is_too_large_as_well() {
    let messages = [corpus::large(50_000), corpus::with_body(b"small\r\n")];
    let liar = Liar::start(&messages);
    liar.set_list_offset(1, -49_900);
    let mount = mounted(&liar.source(), &["max_message=2K"]);
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EFBIG);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn an_empty_body_of_a_message_that_has_octets_is_an_error_and_not_kept() {
    let messages = corpus::realistic(15, 2);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.once("RETR 1", Reply::Raw(b"+OK\r\n.\r\n".to_vec()));
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EIO);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
}

#[test]
fn gibberish_instead_of_a_reply_is_an_error_and_the_next_session_goes_on() {
    let messages = corpus::realistic(15, 2);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.on("RETR 1", Reply::Raw(b"\0\xff what?\r\n".to_vec()));
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EIO);
    liar.behave("RETR 1");
    assert_reads(&mount, "liar-1.eml", &messages[0]);
}

// A server that does not let us in again.

#[test]
fn a_maildrop_that_another_session_holds_is_busy_until_it_is_free() {
    let messages = corpus::realistic(16, 2);
    let liar = Liar::start(&messages);
    liar.lock_maildrop();
    let mount = mounted(&liar.source(), &["idle_timeout=1s"]);
    liar.server().wait_until_idle();
    let mut other = ReferenceClient::connect(liar.port());
    other.log_in(Liar::USER, Liar::PASSWORD);
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EBUSY);
    assert!(other.command("QUIT").starts_with("+OK"));
    // After a failed login the next attempt is held off a little.
    eventually("a login that succeeds", || {
        cat(&mount, "liar-1.eml").status.success().then_some(())
    });
    assert_reads(&mount, "liar-1.eml", &messages[0]);
}

#[test]
fn a_password_that_is_refused_later_is_not_tried_again() {
    let liar = Liar::start(&corpus::realistic(16, 3));
    let mut mount = mounted(&liar.source(), &[]);
    liar.on("PASS", Reply::Err("[AUTH] the password has changed"));
    liar.server().cut_all();
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EACCES);
    assert_fails(&cat(&mount, "liar-2.eml"), Errno::EACCES);
    fs::remove_file(mount.join("liar-3.eml")).expect("to remove a file");
    let output = mount.umount();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the password has changed"),
        "{output:?}"
    );
    mount.wait();
    assert_eq!(liar.count("PASS"), 2);
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn the_listing_outlasts_a_server_that_is_gone() {
    let mut dovecot = Dovecot::start(&corpus::realistic(17, 5), &DovecotOptions::default());
    let mount = mounted(&dovecot.source(), &["refresh=1s"]);
    let shown = at_once(&["ls", "-l", mount.arg()]);
    dovecot.stop();
    wait_until_the_session_is_closed(&mount);
    assert_eq!(at_once(&["ls", "-l", mount.arg()]).stdout, shown.stdout);
    at_once(&["df", mount.arg()]);
    let name = stdout_of(&["ls", mount.arg()]);
    let name = name.lines().next().expect("a message");
    assert_fails(&cat(&mount, name), Errno::EIO);
}
