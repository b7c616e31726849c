//! Replies written carelessly or with malice.

use nix::errno::Errno;

use crate::common::{Liar, Reply, corpus};
use crate::{assert_fails, assert_reads, assert_says, assert_shows, mounted, refusal};

fn liar() -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(37, 3);
    (Liar::start(&messages), messages)
}

#[test]
fn err_with_a_plus_in_front_is_a_refusal() {
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
    // USER is answered by the rule, so that the session knows no user.
    liar.after("PASS", Reply::Raw(b"+OK\r\n".to_vec()));
    liar.behave("USER");
    assert_shows(&mounted(&liar, &[]), &messages);
}

#[test]
fn a_server_that_speaks_another_protocol_is_told_by_its_words() {
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
fn a_server_that_closes_at_once_is_told_with_what_to_do() {
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
fn a_server_that_is_silent_is_told_with_what_to_do() {
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
fn a_body_whose_dot_does_not_begin_a_line_is_waited_for_no_longer_than_a_time_out() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &["timeout=1s"]);
    // Old Exchange servers end so a message without a last line end.
    let cut = b"+OK\r\nSubject: x\r\n\r\nno line end.\r\n";
    liar.on("RETR 1", Reply::Raw(cut.to_vec()));
    assert_fails(&mount, "liar-1.eml", Errno::ETIMEDOUT);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
}

#[test]
fn a_message_that_has_gone_and_takes_the_connection_with_it_is_found_gone() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &[]);
    liar.remove(2);
    liar.once("RETR 2", Reply::Close);
    assert_fails(&mount, "liar-2.eml", Errno::ENOENT);
    assert_reads(&mount, "liar-3.eml", &messages[2]);
}

#[test]
fn a_reply_that_came_before_its_command_is_none() {
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
