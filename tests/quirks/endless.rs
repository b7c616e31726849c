//! A server whose replies never end: sent fast, or one octet at a time.

use std::time::Duration;

use nix::errno::Errno;

use crate::common::{Liar, Reply, corpus};
use crate::{assert_fails, assert_reads, assert_says, mounted, refusal};

/// Far below the mount's timeout of one second, so a limit on silence alone would never end.
const PAUSE: Duration = Duration::from_millis(100);

fn liar() -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(38, 3);
    (Liar::start(&messages), messages)
}

fn endless(first: &str, others: &str) -> Reply {
    Reply::Endless(first.into(), others.into())
}

fn drip(first: &str, others: &str) -> Reply {
    Reply::Drip(first.into(), others.into(), PAUSE)
}

#[test]
fn an_endless_line_is_refused_in_all_replies_but_capas() {
    for (command, first) in [
        ("USER", "-ERR"),
        ("STAT", "+OK 3 "),
        ("UIDL", "+OK\r\n1 "),
        ("LIST", "+OK\r\n1 "),
    ] {
        let (liar, _) = liar();
        liar.on(command, endless(first, "9"));
        let said = refusal(&liar, &[]);
        assert_says(
            &said,
            &["127.0.0.1 port", "a line of more than 8192 octets"],
        );
    }
}

#[test]
fn an_endless_listing_is_refused() {
    for command in ["UIDL", "LIST"] {
        let (liar, _) = liar();
        liar.on(command, endless("+OK\r\n", "1 1\r\n"));
        let said = refusal(&liar, &[]);
        assert_says(&said, &["a listing of more than 1000000 lines"]);
    }
}

/// Nothing needs CAPA, so the login goes on without it.
#[test]
fn an_endless_capa_is_left_out() {
    for (first, others) in [("+OK", "9"), ("+OK\r\n", "9"), ("+OK\r\n", "1 1\r\n")] {
        let (liar, messages) = liar();
        liar.on("CAPA", endless(first, others));
        let mount = mounted(&liar, &[]);
        assert_reads(&mount, "liar-1.eml", &messages[0]);
        assert_eq!((liar.count("CAPA"), liar.count("PASS")), (1, 1));
    }
}

#[test]
fn endless_unsolicited_lines_are_refused() {
    let (liar, _) = liar();
    liar.on("USER", endless("+OK\r\n", "+OK and another thing\r\n"));
    assert_says(&refusal(&liar, &[]), &["unasked", "is a POP3 server there"]);
}

#[test]
fn an_endless_status_line_of_retr_gives_eio() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &[]);
    liar.on("RETR 1", endless("+OK ", "x"));
    assert_fails(&mount, "liar-1.eml", Errno::EIO);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn an_endless_body_gives_efbig() {
    for others in ["a line\r\n", "x"] {
        let (liar, messages) = liar();
        let mount = mounted(&liar, &["max_message=1M"]);
        liar.on("RETR 1", endless("+OK\r\n", others));
        assert_fails(&mount, "liar-1.eml", Errno::EFBIG);
        assert_reads(&mount, "liar-2.eml", &messages[1]);
    }
}

#[test]
fn endless_headers_lose_the_date_of_their_message_alone() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &["max_message=1M"]);
    liar.on("TOP 1 0", endless("+OK\r\n", "X: y\r\n"));
    crate::ls_l(&mount);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn a_login_that_drips_times_out() {
    for (command, first, others) in [
        ("USER", "+OK", "x"),
        ("STAT", "+OK 1 ", "1"),
        ("UIDL", "+OK\r\n", "1 a\r\n"),
        ("LIST", "+OK\r\n1 ", "1"),
    ] {
        let (liar, _) = liar();
        liar.on(command, drip(first, others));
        assert_says(&refusal(&liar, &["timeout=1s"]), &["silent for 1 s"]);
    }
}

#[test]
fn a_capa_that_drips_is_left_out() {
    let (liar, messages) = liar();
    liar.on("CAPA", drip("+OK\r\n", "TOP\r\n"));
    let mount = mounted(&liar, &["timeout=1s"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!((liar.count("CAPA"), liar.count("PASS")), (1, 1));
}

#[test]
fn a_body_that_drips_times_out() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &["timeout=1s"]);
    liar.on("RETR 1", drip("+OK\r\n", "x"));
    assert_fails(&mount, "liar-1.eml", Errno::ETIMEDOUT);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}
