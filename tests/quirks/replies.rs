//! Badly formatted or malicious replies.

use nix::errno::Errno;

use crate::common::{Liar, Reply, corpus};
use crate::{
    assert_fails, assert_reads, assert_says, assert_shows, mounted, refusal, remove, umount,
};

fn liar() -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(37, 3);
    (Liar::start(&messages), messages)
}

#[test]
fn a_reply_of_plus_err_is_a_refusal() {
    let (liar, messages) = liar();
    liar.on("RETR 2", Reply::Raw(b"+ERR damaged\r\n".to_vec()));
    liar.on("CAPA", Reply::Raw(b"+ERR\r\n".to_vec()));
    let mount = mounted(&liar, &[]);
    assert_fails(&mount, "liar-2.eml", Errno::EIO);
    assert_reads(&mount, "liar-3.eml", &messages[2]);
    liar.on("PASS", Reply::Raw(b"+ERR no\r\n".to_vec()));
    assert_says(&refusal(&liar, &[]), &["refused the login (no)"]);
}

#[test]
fn status_lines_without_text_are_understood() {
    let (liar, messages) = liar();
    liar.set_greeting(b"+OK\r\n");
    for command in ["USER", "NOOP"] {
        liar.on(command, Reply::Raw(b"+OK\r\n".to_vec()));
    }
    liar.on("CAPA", Reply::Raw(b"-ERR\r\n".to_vec()));
    liar.on(
        "RETR 1",
        Reply::Raw([b"+OK\r\n", &messages[0][..], b".\r\n"].concat()),
    );
    // The rule answers USER in place of the session, which therefore knows no user and would refuse
    // PASS.
    liar.after("PASS", Reply::Raw(b"+OK\r\n".to_vec()));
    liar.behave("USER");
    assert_shows(&mounted(&liar, &[]), &messages);
}

#[test]
fn a_server_of_another_protocol_is_reported_with_its_words() {
    let (liar, _) = liar();
    liar.set_greeting(b"220 mail.example.org ESMTP\r\n");
    let said = refusal(&liar, &[]);
    assert_says(
        &said,
        &[
            "127.0.0.1 port",
            "220 mail.example.org ESMTP",
            "is a POP3 server there",
        ],
    );
}

#[test]
fn a_server_that_closes_at_once_is_reported_with_advice() {
    for reply in [Reply::Close, Reply::Reset] {
        let (liar, _) = liar();
        liar.on("USER", reply);
        let said = refusal(&liar, &[]);
        assert_says(
            &said,
            &["127.0.0.1 port", "closed the connection", "try again"],
        );
        assert_eq!(liar.count("USER"), 1);
    }
}

#[test]
fn a_silent_server_is_reported_with_advice() {
    let (liar, _) = liar();
    liar.set_greeting(b"");
    liar.on("USER", Reply::Silent);
    let said = refusal(&liar, &["timeout=1s"]);
    let port = format!("127.0.0.1 port {}", liar.port());
    assert_says(
        &said,
        &[&port, "silent for 1 s", "pops:// 995", "-o timeout="],
    );
}

#[test]
fn a_body_without_a_dot_line_times_out() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &["timeout=1s"]);
    // Old Exchange servers end a message whose last line has no line end in this way.
    let cut = b"+OK\r\nSubject: x\r\n\r\nno line end.\r\n";
    liar.on("RETR 1", Reply::Raw(cut.to_vec()));
    assert_fails(&mount, "liar-1.eml", Errno::ETIMEDOUT);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn a_vanished_message_that_closes_the_connection_gives_enoent() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &[]);
    liar.remove(2);
    liar.once("RETR 2", Reply::Close);
    assert_fails(&mount, "liar-2.eml", Errno::ENOENT);
    assert_reads(&mount, "liar-3.eml", &messages[2]);
}

#[test]
fn a_reply_sent_before_its_command_is_rejected() {
    let (liar, _) = liar();
    liar.on("USER", Reply::Raw(b"+OK\r\n+OK logged in\r\n".to_vec()));
    assert_says(&refusal(&liar, &[]), &["unasked: +OK logged in"]);
    assert_eq!(liar.count("PASS"), 0);
}

#[test]
fn escape_sequences_of_a_server_reach_no_terminal() {
    let (liar, _) = liar();
    liar.on("RETR 1", Reply::Err("\x1b]0;owned\x07 \x1b[2J"));
    let mount = mounted(&liar, &[]);
    assert_fails(&mount, "liar-1.eml", Errno::EIO);
    let logged = mount.stderr();
    assert!(
        logged.contains("owned") && !logged.contains("\x1b]"),
        "{logged:?}"
    );
    liar.on("PASS", Reply::Err("\x1b[31mno"));
    assert_says(&refusal(&liar, &[]), &["\\x1b[31mno"]);
}

#[test]
fn an_empty_line_before_a_reply_is_skipped() {
    for capabilities in [&["TOP", "UIDL"][..], &["TOP", "UIDL", "PIPELINING"]] {
        for empty in ["\r\n", "\n", "\r\n\r\n"] {
            let (liar, messages) = liar();
            liar.set_capabilities(Some(capabilities));
            liar.set_greeting(format!("{empty}+OK\r\n").as_bytes());
            for command in ["PASS", "DELE", "QUIT"] {
                liar.after(command, Reply::Raw(format!("{empty}+OK\r\n").into_bytes()));
            }
            let body = [empty.as_bytes(), b"+OK\r\n", &messages[0], b".\r\n"].concat();
            liar.on("RETR 1", Reply::Raw(body));
            let mut mount = mounted(&liar, &[]);
            assert_shows(&mount, &messages);
            remove(&mount, "liar-1.eml");
            remove(&mount, "liar-2.eml");
            assert_eq!(umount(&mut mount).0, Some(0));
            assert_eq!((liar.left_serials(), liar.count("PASS")), (vec![3], 1));
        }
    }
}

#[test]
fn an_empty_line_after_each_reply_is_skipped() {
    let (liar, messages) = liar();
    for command in ["PASS", "NOOP"] {
        liar.after(command, Reply::Raw(b"+OK\r\n\r\n".to_vec()));
    }
    for serial in 1..=3 {
        let body = [b"+OK\r\n", &messages[serial - 1][..], b".\r\n\r\n"].concat();
        liar.on(&format!("RETR {serial}"), Reply::Raw(body));
    }
    assert_shows(&mounted(&liar, &[]), &messages);
    assert_eq!(liar.count("PASS"), 1);
}

#[test]
fn empty_lines_without_end_are_no_reply() {
    let (liar, _) = liar();
    liar.on("USER", Reply::Raw(b"\r\n".repeat(1000)));
    assert_says(
        &refusal(&liar, &[]),
        &["neither +OK nor -ERR: an empty line"],
    );
}
