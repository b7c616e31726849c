//! STAT, LIST and UIDL that disagree or are badly formatted.

use crate::common::{Liar, Mount, Reply, corpus};
use crate::{assert_reads, assert_says, listed, mounted, refusal};

/// A server with three messages that gives these replies to these commands.
fn liar(said: &[(&str, &str)]) -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(35, 3);
    let liar = Liar::start(&messages);
    for (command, reply) in said {
        liar.on(command, Reply::Raw(reply.as_bytes().to_vec()));
    }
    (liar, messages)
}

fn assert_shows_all(mount: &Mount, messages: &[Vec<u8>]) {
    assert_eq!(listed(mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
    for (serial, message) in (1..).zip(messages) {
        assert_reads(mount, &format!("liar-{serial}.eml"), message);
    }
}

#[test]
fn a_wrong_count_in_stat_hides_nothing() {
    for stat in [
        "+OK 0 0\r\n",
        "+OK 2 100\r\n",
        "+OK 9 9\r\n",
        "+OK\r\n",
        "+OK all well\r\n",
    ] {
        let (liar, messages) = liar(&[("STAT", stat)]);
        assert_shows_all(&mounted(&liar, &[]), &messages);
    }
}

#[test]
fn a_message_that_uidl_leaves_out_is_logged_once() {
    let (liar, messages) = liar(&[("UIDL", "+OK\r\n1 liar-1\r\n3 liar-3\r\n.\r\n")]);
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-3.eml"]);
    liar.server().wait_until_idle();
    assert_reads(&mount, "liar-3.eml", &messages[2]);
    let said = mount.stderr();
    assert_eq!(said.matches("LIST and UIDL").count(), 1, "{said}");
}

#[test]
fn a_message_that_list_leaves_out_can_be_read() {
    let (liar, messages) = liar(&[("LIST", "+OK\r\n1 120\r\n3 120\r\n.\r\n")]);
    assert_shows_all(&mounted(&liar, &[]), &messages);
}

#[test]
fn a_number_that_only_uidl_knows_is_never_sent() {
    let (liar, _) = liar(&[(
        "UIDL",
        "+OK\r\n1 liar-1\r\n2 liar-2\r\n3 liar-3\r\n4 ghost\r\n99 ghost\r\n.\r\n",
    )]);
    let mount = mounted(&liar, &[]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-2.eml", "liar-3.eml"]);
    crate::ls_l(&mount);
    let sent = liar.commands();
    assert!(
        sent.iter()
            .all(|received| !received.line.contains("99") && !received.line.contains(" 4")),
        "{sent:#?}"
    );
}

#[test]
fn a_number_that_is_listed_twice_counts_once() {
    let (liar, messages) = liar(&[
        (
            "UIDL",
            "+OK\r\n1 liar-1\r\n2 liar-2\r\n2 other\r\n3 liar-3\r\n.\r\n",
        ),
        ("LIST", "+OK\r\n1 5\r\n1 6\r\n2 7\r\n3 8\r\n.\r\n"),
    ]);
    assert_shows_all(&mounted(&liar, &[]), &messages);
}

#[test]
fn extra_text_and_spaces_are_understood() {
    let (liar, messages) = liar(&[
        ("STAT", "+OK   3    999  octets in 3 messages\r\n"),
        (
            "UIDL",
            "+ok\r\n1   liar-1\r\n 2 liar-2 \r\n3\tliar-3\r\n.\r\n",
        ),
        (
            "LIST",
            "+OK 3 messages (999 octets)\r\n1  120 octets\r\n2   120\r\n 3 120 (unseen)\r\n.\r\n",
        ),
    ]);
    assert_shows_all(&mounted(&liar, &[]), &messages);
}

#[test]
fn absurdly_large_numbers_do_no_harm() {
    let (liar, messages) = liar(&[
        ("STAT", "+OK 4294967295 18446744073709551615\r\n"),
        (
            "LIST",
            "+OK\r\n1 18446744073709551615\r\n2 1\r\n3 1\r\n4294967295 1\r\n.\r\n",
        ),
    ]);
    // LIST says that the first message is larger than any message may be.
    let mount = mounted(&liar, &["max_message=1T"]);
    assert_shows_all(&mount, &messages);
    assert_says(&mount.stderr(), &["LIST and UIDL"]);
}

#[test]
fn a_line_of_list_that_cannot_be_read_hides_nothing() {
    for (stat, list) in [
        (
            "+OK 3 9\r\n",
            "+OK\r\n1 120\r\n2 %!d(float64=162)\r\n3 120\r\n.\r\n",
        ),
        ("+OK 3 -9\r\n", "+OK\r\n1 -1\r\n2 -2\r\n3 -3\r\n.\r\n"),
        ("+OK 3 9\r\n", "+OK\r\nno\r\nnumbers\r\nhere\r\n.\r\n"),
        ("+OK\r\n", "+OK\r\n1 120\r\nx 120\r\n99999999999 5\r\n.\r\n"),
        (
            "+OK 3 9\r\n",
            "+OK\r\n\r\n1 120\r\n2 120\r\n\r\n3 120\r\n.\r\n",
        ),
    ] {
        let (liar, messages) = liar(&[("STAT", stat), ("LIST", list)]);
        assert_shows_all(&mounted(&liar, &[]), &messages);
    }
}

#[test]
fn a_line_of_uidl_that_cannot_be_read_loses_its_message_alone() {
    let (liar, messages) = liar(&[("UIDL", "+OK\r\n1 liar-1\r\nx liar-2\r\n3 liar-3\r\n.\r\n")]);
    let mount = mounted(&liar, &[]);
    assert_eq!(listed(&mount), ["liar-1.eml", "liar-3.eml"]);
    assert_reads(&mount, "liar-3.eml", &messages[2]);
    assert_says(&mount.stderr(), &["cannot be read"]);
}

#[test]
fn empty_lines_in_uidl_are_skipped() {
    let (liar, messages) = liar(&[(
        "UIDL",
        "+OK\r\n\r\n1 liar-1\r\n \r\n2 liar-2\r\n3 liar-3\r\n\r\n.\r\n",
    )]);
    assert_shows_all(&mounted(&liar, &[]), &messages);
}

#[test]
fn a_uidl_without_one_readable_line_refuses_the_mount() {
    let (liar, _) = liar(&[("UIDL", "+OK\r\nliar-1\r\nliar-2\r\n.\r\n")]);
    assert_says(&refusal(&liar, &[]), &["liar-1"]);
}
