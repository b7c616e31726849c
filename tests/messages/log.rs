//! What the log tells of servers and caches that misbehave.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use nix::sys::signal::Signal;
use rusqlite::Connection;

use crate::common::{
    Ended, Liar, Mount, MountBuilder, Reply, RetrFault, corpus, eventually, stderr,
};

fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(77, count))
}

/// A mount that logs everything but its dialogue with the server.
fn mounted(liar: &Liar, options: &[&str]) -> Mount {
    let builder = MountBuilder::new(&liar.source()).flag("-v");
    let all = ["tls=off", "timeout=1s"].iter().chain(options);
    all.fold(builder, |builder, option| builder.option(option))
        .mount()
}

fn remove(mount: &Mount, serial: u64) {
    fs::remove_file(mount.join(format!("liar-{serial}.eml"))).expect("to remove a file");
}

/// Waits until the log has these words.
fn await_line(mount: &Mount, words: &str) {
    eventually(words, || mount.stderr().contains(words).then_some(()));
}

fn assert_logs(said: &str, words: &str) {
    assert!(said.contains(words), "{words:?} is missing in\n{said}");
}

/// Removes one message of three, and unmounts. Returns what was logged.
fn log_of_a_commit(misbehave: impl Fn(&Liar)) -> String {
    let liar = liar(3);
    let mut mount = mounted(&liar, &["mtime=none"]);
    remove(&mount, 2);
    misbehave(&liar);
    mount.umount();
    mount.wait().stderr
}

#[test]
fn a_commit_is_a_line_with_its_counts() {
    let said = log_of_a_commit(|_| {});
    assert_logs(
        &said,
        "committed: 1 deleted, 0 already gone, 0 kept by the server",
    );
}

#[test]
fn an_unconfirmed_quit_is_logged_with_what_came_of_it() {
    let close = |liar: &Liar| liar.once("QUIT", Reply::Close);
    let said = log_of_a_commit(close);
    assert_logs(&said, "QUIT was not confirmed (");
    assert_logs(&said, "): asking the server what it still has");
    let said = log_of_a_commit(|liar| {
        close(liar);
        liar.on("PASS", Reply::Err("[SYS/PERM] moved"));
    });
    assert_logs(&said, "the commit failed: ");
    assert_logs(&said, "; then it could not be asked what it still has: ");
    let said = log_of_a_commit(|liar| {
        close(liar);
        liar.on("UIDL", Reply::Raw(b"+OK\r\n1 liar-1\r\n.\r\n".to_vec()));
    });
    assert_logs(
        &said,
        "; then the server did not name all messages that it has",
    );
    let said = log_of_a_commit(|liar| liar.on("QUIT", Reply::Silent));
    assert_logs(&said, "; the server may still be deleting them");
}

#[test]
fn a_commit_that_is_held_back_is_logged() {
    let liar = liar(12);
    let mount = mounted(&liar, &[]);
    (1..=12).for_each(|serial| remove(&mount, serial));
    mount.subcommand(&["commit", mount.arg()]);
    await_line(&mount, "nothing is deleted: ");
    mount.subcommand(&["restore", mount.arg()]);
}

#[test]
fn a_lost_session_is_logged_with_the_reason() {
    let liar = liar(1);
    liar.fault_retr(1, RetrFault::Close { after: 10 });
    let mount = mounted(&liar, &["mtime=none"]);
    fs::read(mount.join("liar-1.eml")).expect("the second attempt");
    assert_logs(&mount.stderr(), "lost the session: ");
}

#[test]
fn what_a_login_tries_again_is_logged() {
    let once = |command: &str| {
        let liar = liar(1);
        liar.once(command, Reply::Close);
        mounted(&liar, &[]).stderr()
    };
    assert_logs(&once("PASS"), "logging in once more: ");
    let said = once("CAPA");
    assert_logs(&said, "the server failed on CAPA (");
    assert_logs(&said, "): connecting again without it");
}

#[test]
fn a_server_without_uidl_is_told_of() {
    let liar = liar(5);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar.refuse_pipelining();
    let said = mounted(&liar, &[]).stderr();
    for words in [
        "the server has no UIDL: messages are identified by their headers, which each session fetches again",
        "logging in again to list the maildrop: ",
        "one command at a time from now on: the server closes the connection on several at once",
    ] {
        assert_logs(&said, words);
    }
}

/// Each of two messages ends two sessions: one with others behind it, and one alone.
#[test]
fn a_window_that_was_not_the_cause_is_told_of() {
    let liar = liar(12);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar.on("TOP 4 0", Reply::Close);
    liar.on("TOP 8 0", Reply::Close);
    let said = mounted(&liar, &["timeout=3s"]).stderr();
    assert_logs(
        &said,
        "several commands at a time again: a single command broke the sessions",
    );
}

#[test]
fn a_refused_top_is_logged_where_it_names_the_message() {
    let liar = liar(3);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar.on("TOP 2 0", Reply::Err("not this one"));
    let said = mounted(&liar, &[]).stderr();
    assert_logs(&said, "the server refused TOP 2 (");
}

#[test]
fn a_pending_message_that_changes_is_kept_and_told_of() {
    let liar = liar(2);
    liar.set_uidl(2, b"liar-1");
    let mount = mounted(&liar, &["refresh=1s"]);
    remove(&mount, 1);
    liar.remove(1);
    let words = "liar-1.eml is not deleted: it changed on the server since it was removed";
    eventually(words, || {
        fs::read_dir(mount.path()).expect("the root").count();
        mount.stderr().contains(words).then_some(())
    });
}

#[test]
fn a_pending_message_that_is_not_named_is_kept_and_told_of() {
    let liar = liar(3);
    let mut mount = mounted(&liar, &["mtime=none"]);
    remove(&mount, 2);
    liar.server().cut_all();
    let names = b"+OK\r\n1 liar-1\r\n3 liar-3\r\n.\r\n";
    liar.on("UIDL", Reply::Raw(names.to_vec()));
    let output = mount.umount();
    let words =
        "liar-2.eml is possibly still on the server: the server did not tell which message it is";
    assert_logs(&stderr(&output), words);
    mount.wait();
}

#[test]
fn damaged_indexes_are_told_of() {
    let liar = liar(2);
    let mut mount = mounted(&liar, &["mtime=none"]);
    let account = mount.account_folder();
    mount.umount();
    mount.wait();
    for (file, version) in [("index.sqlite", -1), ("search.sqlite", 0)] {
        let database = Connection::open(account.join(file)).expect("a database");
        let set = format!("PRAGMA user_version = {version}");
        database.execute_batch(&set).expect("another version");
    }
    mount.remount();
    let said = mount.stderr();
    assert_logs(&said, "format -1 never existed");
    assert_logs(&said, "; it is set aside and a new one begins");
    assert_logs(&said, "search.sqlite is made again");
    mount.umount();
    mount.wait();
    fs::remove_file(account.join("search.sqlite")).expect("to remove a file");
    fs::create_dir(account.join("search.sqlite")).expect("a folder");
    mount.remount();
    assert_logs(&mount.stderr(), "there is no .search: ");
}

#[test]
fn a_cache_that_is_too_small_for_all_searches_is_told_of() {
    let large = [&b"Subject: large\r\n\r\n"[..], &[b'x'; 700 << 10], b"\r\n"].concat();
    let liar = Liar::start(&[large.clone(), large]);
    let mount = mounted(&liar, &["index=full", "cache_size=1M"]);
    await_line(
        &mount,
        "not all messages can be searched: the maildrop does not fit into the cache: ",
    );
}

#[test]
fn replies_out_of_step_are_told_of() {
    let liar = liar(8);
    let mount = mounted(&liar, &["mtime=none"]);
    liar.once("RETR 3", Reply::Duplicated);
    for serial in 1..=8 {
        let _may_fail = fs::read(mount.join(format!("liar-{serial}.eml")));
    }
    let said = mount.stderr();
    assert_logs(
        &said,
        "one command at a time from now on: the server's replies were out of step",
    );
    assert_logs(
        &said,
        "replies that nothing confirmed are discarded and asked for again (",
    );
}

#[test]
fn the_end_by_a_signal_is_logged_with_what_was_open() {
    let liar = liar(2);
    let mut mount = mounted(&liar, &[]);
    let open = File::open(mount.join("liar-1.eml")).expect("a file");
    mount.signal(Signal::SIGTERM);
    let said = mount.wait().stderr;
    drop(open);
    for words in [
        "SIGTERM: unmounting",
        "files are still open: they are not waited for any longer",
        "files are still open: they can no longer be read",
    ] {
        assert_logs(&said, words);
    }
}

#[test]
fn a_second_signal_is_logged_with_what_it_cut_off() {
    let liar = liar(2);
    let mut mount = mounted(&liar, &["timeout=30s"]);
    remove(&mount, 1);
    liar.on("QUIT", Reply::Silent);
    mount.signal(Signal::SIGTERM);
    liar.wait_for("QUIT", 1);
    mount.signal(Signal::SIGTERM);
    let said = mount.wait().stderr;
    let words = "SIGTERM again: ended at once, although the server had not confirmed the deletions";
    assert_logs(&said, words);
}

#[test]
fn a_second_signal_after_the_commit_does_not_wait_for_the_disk_and_is_no_failure() {
    let liar = liar(2);
    let mut mount = mounted(&liar, &["timeout=30s"]);
    remove(&mount, 1);
    let index = mount.account_folder().join("index.sqlite");
    let index = Connection::open(index).expect("the index");
    let lock = index.execute_batch("BEGIN IMMEDIATE");
    lock.expect("to keep the mount from writing");
    mount.signal(Signal::SIGTERM);
    eventually("the deletion", || {
        (liar.left_serials() == [2]).then_some(())
    });
    await_engine_at_the_index(&mount);
    mount.signal(Signal::SIGTERM);
    assert_all_confirmed(&mount.wait());
    assert_eq!(liar.left_serials(), [2]);
}

/// Waits until the engine has the answer to QUIT. It waits for the thread of the index then.
fn await_engine_at_the_index(mount: &Mount) {
    eventually("the engine to wait for the index", || {
        let threads = fs::read_dir(format!("/proc/{}/task", mount.pid())).expect("the threads");
        let of = |folder: &Path, file| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let mut folders = threads.map(|thread| thread.expect("a thread").path());
        folders
            .any(|folder| {
                of(&folder, "comm") == "engine\n" && of(&folder, "wchan").contains("futex")
            })
            .then_some(())
    });
}

fn assert_all_confirmed(ended: &Ended) {
    let is_success = ended.status.is_some_and(|status| status.success());
    assert!(is_success, "{ended:?}");
    assert!(!ended.stderr.contains("had not confirmed"), "{ended:?}");
}

#[test]
fn a_second_signal_is_no_failure_if_nothing_was_removed() {
    let liar = liar(2);
    let mut mount = mounted(&liar, &[]);
    let open = File::open(mount.join("liar-1.eml")).expect("a file");
    mount.signal(Signal::SIGTERM);
    await_line(&mount, "SIGTERM: unmounting");
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    drop(open);
    assert_all_confirmed(&ended);
}

#[test]
fn the_return_of_the_server_is_logged() {
    let messages = corpus::realistic(78, 2);
    let liar = Liar::start(&messages);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, liar.port());
    let mut mount = mounted(&liar, &["offline=auto", "refresh=1s"]);
    mount.umount();
    mount.wait();
    drop(liar);
    mount.remount();
    let _liar = Liar::start_at(address, &messages);
    eventually("the server to be there again", || {
        fs::read_dir(mount.path()).expect("the root").count();
        mount
            .stderr()
            .contains("the server is there again")
            .then_some(())
    });
}

#[test]
fn what_a_mirror_leaves_out_is_logged() {
    let refusing = liar(3);
    refusing.on("RETR 2", Reply::Err("not this one"));
    let mount = mounted(&refusing, &["mirror"]);
    await_line(&mount, "cannot mirror liar-2.eml: ");
    let closing = liar(3);
    closing.on("RETR", Reply::Close);
    let mount = mounted(&closing, &["mirror"]);
    await_line(&mount, "the mirror waits: ");
}
