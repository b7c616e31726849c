//! Connections that break, and sessions that the server ends.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use nix::errno::Errno;

use crate::common::{
    Background, Dovecot, DovecotOptions, Gate, Liar, Mailutils, MailutilsOptions, Reply, RetrFault,
    corpus, eventually, stdout_of,
};
use crate::{
    WITHOUT_SERVER, assert_fails, assert_reads, cat, mounted, readers, stderr,
    succeed_without_server,
};

fn assert_reads_after_fault_anywhere(fault: impl Fn(usize) -> RetrFault) {
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
    // Reading against the listing order causes no read-ahead.
    for (serial, &after) in (1..=cuts.len() as u64).rev().zip(cuts.iter().rev()) {
        liar.fault_retr(serial, fault(after));
        assert_reads(&mount, &format!("liar-{serial}.eml"), &message);
        assert_eq!(liar.count(&format!("RETR {serial}")), 2, "cut at {after}");
    }
}

#[test]
fn a_transfer_that_is_cut_anywhere_is_repeated() {
    assert_reads_after_fault_anywhere(|after| RetrFault::Close { after });
}

#[test]
fn a_transfer_that_is_reset_anywhere_is_repeated() {
    assert_reads_after_fault_anywhere(|after| RetrFault::Reset { after });
}

#[test]
fn a_transfer_that_is_always_cut_gives_eio_and_no_short_file() {
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
fn a_stalled_transfer_times_out_and_the_next_one_succeeds() {
    let message = corpus::large(40_000);
    let liar = Liar::start(std::slice::from_ref(&message));
    let mount = mounted(&liar.source(), &["timeout=2s"]);
    let gate = Gate::new();
    liar.fault_retr(1, RetrFault::Hold { after: 9999, gate });
    assert_fails(&cat(&mount, "liar-1.eml"), Errno::ETIMEDOUT);
    assert_reads(&mount, "liar-1.eml", &message);
}

#[test]
fn a_transfer_that_resumes_in_time_succeeds() {
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
    let output = waiting.output_within(WITHOUT_SERVER);
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
fn readers_wait_out_a_short_outage() {
    let messages = corpus::realistic(13, 20);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, liar.port());
    drop(liar);
    let readers = readers(&mount, 1..=20);
    eventually("an attempt that fails", || {
        mount.stderr().contains("not tried again for").then_some(())
    });
    let _liar = Liar::start_at(address, &messages);
    for (reader, message) in readers.into_iter().zip(&messages) {
        let octets = reader.join().expect("a reader").expect("a message");
        assert!(octets == *message);
    }
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
fn the_idle_timeout_line_of_mailutils_is_not_a_reply() {
    let messages = corpus::realistic(13, 3);
    let server = Mailutils::start(&messages, MailutilsOptions { timeout: 1 });
    let mount = mounted(&server.source(), &[]);
    mount.wait_until_its_session_is_closed();
    let shown = stdout_of(&["grep", "-rl", "Subject: Re:", mount.arg()]);
    assert_eq!(shown.lines().count(), 3);
}

#[test]
fn an_unsolicited_line_is_not_the_reply_to_the_next_command() {
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

#[test]
fn the_listing_stays_when_the_server_is_gone() {
    let mut dovecot = Dovecot::start(&corpus::realistic(17, 5), &DovecotOptions::default());
    let mount = mounted(&dovecot.source(), &["refresh=1s"]);
    let shown = succeed_without_server(&["ls", "-l", mount.arg()]);
    dovecot.stop();
    mount.wait_until_its_session_is_closed();
    assert_eq!(
        succeed_without_server(&["ls", "-l", mount.arg()]).stdout,
        shown.stdout
    );
    succeed_without_server(&["df", mount.arg()]);
    let name = stdout_of(&["ls", mount.arg()]);
    let name = name.lines().next().expect("a message");
    assert_fails(&cat(&mount, name), Errno::EIO);
}

#[test]
fn a_message_that_breaks_the_connection_harms_no_other() {
    let messages = corpus::realistic(18, 20);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    stdout_of(&["ls", "-l", mount.arg()]);
    let gate = Gate::new();
    liar.on("RETR", Reply::Held(gate.clone()));
    for _ in 0..20 {
        liar.fault_retr(1, RetrFault::Close { after: 50 });
    }
    let waiting = Background::start(&[Path::new("cat"), &mount.join("liar-1.eml")]);
    liar.wait_for("RETR 1", 1);
    let readers = readers(&mount, 2..=20);
    gate.open();
    for (reader, message) in readers.into_iter().zip(&messages[1..]) {
        let octets = reader.join().expect("a reader").expect("a message");
        assert!(octets == *message);
    }
    assert_fails(&waiting.output_within(WITHOUT_SERVER), Errno::EIO);
}

#[test]
fn sessions_that_end_after_the_listing_are_tried_three_times() {
    let messages = corpus::realistic(8, 2);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["idle_timeout=1s", "mtime=none"]);
    liar.server().wait_until_idle();
    let listing = format!(
        "+OK\r\n1 {}\r\n2 {}\r\n.\r\n",
        messages[0].len(),
        messages[1].len()
    );
    liar.on("LIST", Reply::RawThenClose(listing.into_bytes()));
    for (name, logins) in [("liar-2.eml", 1 + 3), ("liar-1.eml", 1 + 3 + 3)] {
        assert_fails(&cat(&mount, name), Errno::EIO);
        assert_eq!(liar.count("PASS"), logins);
    }
    assert_fails(&cat(&mount, "liar-2.eml"), Errno::EIO);
}
