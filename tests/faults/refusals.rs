//! A server that refuses messages, lies about them, or refuses a later login.

use std::fs;
use std::io;

use nix::errno::Errno;

use pop3fs::cli::Failure;

use crate::common::{Liar, ReferenceClient, Reply, assert_failed, corpus, eventually, stdout_of};
use crate::{assert_fails, assert_reads, cat, mounted, stderr};

#[test]
fn a_message_deleted_by_another_client_leaves_the_listing() {
    let messages = corpus::realistic(14, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.remove(2);
    let error = fs::read(mount.join("liar-2.eml")).expect_err("a message that has gone");
    // The open gives ESTALE, so the kernel looks the name up again and gets ENOENT.
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(stdout_of(&["ls", mount.arg()]), "liar-1.eml\nliar-3.eml\n");
    assert_reads(&mount, "liar-3.eml", &messages[2]);
}

#[test]
fn a_message_of_known_size_that_has_gone_cannot_be_opened() {
    // The message is larger than both caches: the second mount knows its size, but not its body.
    let messages = [corpus::large(1_200_000), corpus::with_body(b"other\r\n")];
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &["memory=1M", "cache_size=1M"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    mount.remount();
    liar.remove(1);
    let error = fs::File::open(mount.join("liar-1.eml")).expect_err("a message that has gone");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_message_that_the_server_refuses_gives_eio_alone() {
    let messages = corpus::realistic(14, 3);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.on("RETR 2", Reply::Err("damaged"));
    assert_fails(&cat(&mount, "liar-2.eml"), Errno::EIO);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_reads(&mount, "liar-3.eml", &messages[2]);
}

/// A limit on commands: the server refuses one RETR, and closes the connection.
#[test]
fn a_refusal_that_ends_the_session_loses_no_message() {
    let messages = corpus::realistic(15, 30);
    for pipeline in ["pipeline=auto", "pipeline=off"] {
        let liar = Liar::start(&messages);
        let mount = mounted(&liar.source(), &["mtime=none", pipeline]);
        for serial in (2..=30).step_by(3) {
            let refusal = b"-ERR too many commands, closing\r\n".to_vec();
            liar.once(&format!("RETR {serial}"), Reply::RawThenClose(refusal));
        }
        for (serial, message) in (1..).zip(&messages) {
            assert_reads(&mount, &format!("liar-{serial}.eml"), message);
        }
    }
}

#[test]
fn a_message_over_max_message_gives_efbig() {
    let messages = [corpus::large(5000), corpus::with_body(b"small\r\n")];
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["max_message=2K"]);
    for _ in 0..3 {
        assert_fails(&cat(&mount, "liar-1.eml"), Errno::EFBIG);
    }
    // LIST may be wrong, so it is tried once.
    assert_eq!(liar.count("RETR"), 1);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn a_small_message_that_list_calls_huge_can_be_read() {
    let messages = corpus::realistic(14, 3);
    let liar = Liar::start(&messages);
    liar.set_list_offset(2, 2 << 30);
    let mount = mounted(&liar.source(), &[]);
    let sum = stdout_of(&["grep", "-rl", "Subject", mount.arg()]);
    assert_eq!(sum.lines().count(), 3);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
    assert_eq!(liar.count("PASS"), 1);
}

#[test]
fn a_body_over_max_message_gives_efbig_though_list_is_small() {
    let messages = [corpus::large(50_000), corpus::with_body(b"small\r\n")];
    let liar = Liar::start(&messages);
    liar.set_list_offset(1, -49_900);
    let mount = mounted(&liar.source(), &["max_message=2K"]);
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EFBIG);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn an_empty_body_of_a_nonempty_message_gives_eio() {
    let messages = corpus::realistic(15, 2);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.once("RETR 1", Reply::Raw(b"+OK\r\n.\r\n".to_vec()));
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EIO);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
}

#[test]
fn gibberish_instead_of_a_reply_gives_eio_once() {
    let messages = corpus::realistic(15, 2);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    liar.on("RETR 1", Reply::Raw(b"\0\xff what?\r\n".to_vec()));
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EIO);
    liar.behave("RETR 1");
    assert_reads(&mount, "liar-1.eml", &messages[0]);
}

#[test]
fn a_maildrop_locked_by_another_session_gives_ebusy() {
    let messages = corpus::realistic(16, 2);
    let liar = Liar::start(&messages);
    liar.lock_maildrop();
    let mount = mounted(&liar.source(), &["idle_timeout=1s", "timeout=2s"]);
    liar.server().wait_until_idle();
    let mut other = ReferenceClient::connect(liar.port());
    other.log_in(Liar::USER, Liar::PASSWORD);
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EBUSY);
    assert!(other.command("QUIT").starts_with("+OK"));
    // After a failed login the engine backs off for a moment.
    eventually("a login that succeeds", || {
        cat(&mount, "liar-1.eml").status.success().then_some(())
    });
    assert_reads(&mount, "liar-1.eml", &messages[0]);
}

#[test]
fn a_password_that_is_refused_later_is_not_sent_again() {
    let liar = Liar::start(&corpus::realistic(16, 3));
    let mut mount = mounted(&liar.source(), &[]);
    liar.on("PASS", Reply::Err("[AUTH] the password has changed"));
    liar.server().cut_all();
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::EACCES);
    assert_fails(&cat(&mount, "liar-2.eml"), Errno::EACCES);
    fs::remove_file(mount.join("liar-3.eml")).expect("to remove a file");
    let output = mount.umount();
    assert_failed(&output, Failure::Uncommitted);
    assert!(
        stderr(&output).contains("the password has changed"),
        "{output:?}"
    );
    mount.wait();
    assert_eq!(liar.count("PASS"), 2);
    assert_eq!(liar.left_serials(), [1, 2, 3]);
}

#[test]
fn messages_that_are_always_refused_cost_one_more_session() {
    let messages = corpus::realistic(8, 6);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    for serial in 1..=5 {
        liar.on(&format!("RETR {serial}"), Reply::Err("it may be infected"));
    }
    for serial in 1..=5 {
        assert_fails(&cat(&mount, &format!("liar-{serial}.eml")), Errno::EIO);
    }
    assert_reads(&mount, "liar-6.eml", &messages[5]);
    assert_eq!(liar.count("PASS"), 2);
}
