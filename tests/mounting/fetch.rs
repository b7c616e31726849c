//! `pop3fs fetch`: fills the cache, and counts no message as read by the user.

use std::fs;
use std::process::Output;

use nix::sys::signal::Signal;

use pop3fs::cli::Failure;

use crate::common::{
    Background, Dovecot, DovecotOptions, Gate, Liar, Mount, Reply, RetrFault, assert_failed,
    corpus, eventually,
};
use crate::{LIMIT, assert_says, in_clear, liar, sentence, stderr, stdout};

fn fetch(mount: &Mount, options: &[&str]) -> Output {
    mount.subcommand(&[&["fetch", mount.arg()], options].concat())
}

/// The output of a fetch that succeeds.
fn fetched(mount: &Mount, options: &[&str]) -> String {
    let output = fetch(mount, options);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn contents(mount: &Mount) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = fs::read_dir(mount.path())
        .expect("the root")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.sort();
    let read = |path| fs::read(path).expect("a message");
    names.into_iter().map(read).collect()
}

#[test]
fn fetched_messages_are_read_without_the_server() {
    let mut messages = corpus::realistic(51, 200);
    messages.push(corpus::large(3_000_000));
    let mut dovecot = Dovecot::start(&messages, &DovecotOptions::default());
    let mount = in_clear(&dovecot.source());
    assert_eq!(
        fetched(&mount, &[]),
        "201 messages fetched, 0 already cached\n"
    );
    dovecot.stop();
    let mut read = contents(&mount);
    read.sort();
    messages.sort();
    assert!(read == messages);
}

#[test]
fn a_cached_message_is_not_fetched_again() {
    let liar = liar(5);
    let mut mount = in_clear(&liar.source());
    fs::read(mount.join("liar-2.eml")).expect("a message");
    assert_eq!(
        fetched(&mount, &[]),
        "4 messages fetched, 1 already cached\n"
    );
    mount.remount();
    assert_eq!(
        fetched(&mount, &[]),
        "0 messages fetched, 5 already cached\n"
    );
    assert_eq!(liar.count("RETR"), 5);
}

#[test]
fn a_fetch_is_no_reading() {
    let liar = liar(12);
    let mount = in_clear(&liar.source());
    fetched(&mount, &[]);
    for serial in 1..=12 {
        fs::remove_file(mount.join(format!("liar-{serial}.eml"))).expect("to remove a file");
    }
    let output = mount.subcommand(&["commit", mount.arg()]);
    assert_says(
        &stderr(&output),
        &["12 messages were removed by programs that had not read them"],
    );
    assert_eq!(liar.count("DELE"), 0);
}

#[test]
fn headers_are_what_ls_needs() {
    let liar = liar(20);
    let mount = in_clear(&liar.source());
    assert_eq!(
        fetched(&mount, &["--headers"]),
        "20 messages fetched, 0 already cached\n"
    );
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (20, 0));
    for entry in fs::read_dir(mount.path()).expect("the root") {
        let metadata = entry.expect("an entry").metadata();
        assert!(metadata.is_ok_and(|metadata| metadata.modified().is_ok()));
    }
    assert_eq!(liar.count("TOP"), 20);
}

#[test]
fn fetch_refuses_a_mount_without_a_cache() {
    let liar = liar(2);
    let mount = Mount::new(&liar.source(), &["tls=off,cache=off"]);
    assert_says(&sentence(&fetch(&mount, &[])), &["without -o cache=off"]);
    fetched(&mount, &["--headers"]);
}

#[test]
fn a_cache_that_is_too_small_is_told_before_anything_is_fetched() {
    let liar = Liar::start(&[corpus::large(3_000_000)]);
    let mount = Mount::new(&liar.source(), &["tls=off,cache_size=2M"]);
    assert_says(&sentence(&fetch(&mount, &[])), &["larger -o cache_size="]);
    assert_eq!(liar.count("RETR"), 0);
}

#[test]
fn an_interrupted_fetch_keeps_what_has_come() {
    let messages: Vec<_> = (0..6).map(|_| corpus::large(5_000_000)).collect();
    let liar = Liar::start(&messages);
    let gate = Gate::new();
    let hold = RetrFault::Hold {
        after: 100,
        gate: gate.clone(),
    };
    liar.fault_retr(3, hold);
    let mut mount = in_clear(&liar.source());
    let running = Background::spawn(&mut mount.subcommand_line(&["fetch", mount.arg()]));
    liar.wait_for("RETR 3", 1);
    running.signal(Signal::SIGINT);
    assert!(!running.output_within(LIMIT).status.success());
    gate.open();
    // The daemon notices that its client is gone. Only the rest of the window still arrives.
    mount.remount();
    let asked = liar.count("RETR");
    assert!(asked < 6, "{asked}");
    let said = fetched(&mount, &[]);
    assert!(!said.contains(", 0 already cached"), "{said}");
    assert!(contents(&mount) == messages);
}

#[test]
fn fetch_goes_on_after_a_message_that_fails() {
    let liar = liar(4);
    liar.on("RETR 3", Reply::Err("corrupt"));
    let mount = in_clear(&liar.source());
    let output = fetch(&mount, &[]);
    assert_failed(&output, Failure::Other);
    assert_says(
        &stderr(&output),
        &["3 messages fetched", "liar-3.eml", "corrupt"],
    );
}

#[test]
fn fetch_ends_with_a_sentence_when_the_server_goes_away() {
    let liar = liar(4);
    let mount = in_clear(&liar.source());
    liar.on("RETR", Reply::Close);
    liar.on("PASS", Reply::Err("[SYS/TEMP] not now"));
    let output = fetch(&mount, &[]);
    assert_failed(&output, Failure::Busy);
    assert_says(&stderr(&output), &["stopped", "continues"]);
}

#[test]
fn a_mount_that_ends_ends_it() {
    // More messages than one window holds.
    let liar = liar(600);
    let gate = Gate::new();
    liar.on("RETR", Reply::Held(gate.clone()));
    let mut mount = in_clear(&liar.source());
    let running = Background::spawn(&mut mount.subcommand_line(&["fetch", mount.arg()]));
    liar.wait_for("RETR", 1);
    mount.signal(Signal::SIGTERM);
    eventually("the mount to go out of sight", || {
        (!mount.is_mounted()).then_some(())
    });
    gate.open();
    mount.wait();
    assert!(!running.output_within(LIMIT).status.success());
}
