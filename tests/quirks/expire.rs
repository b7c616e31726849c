//! What the server may do to messages that were only read (RFC 2449 section 6.7).

use crate::common::{Liar, Reply, corpus};
use crate::{assert_reads, mounted};

/// Reads a message in each of two sessions; gives what was logged, and how many sessions ended by QUIT.
fn read_in_two_sessions(expire: &str) -> (String, usize) {
    let messages = corpus::realistic(39, 3);
    let liar = Liar::start(&messages);
    liar.set_capabilities(Some(&["TOP", "UIDL", "USER", expire]));
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    for (serial, message) in (1..=2).zip(&messages) {
        assert_reads(&mount, &format!("liar-{serial}.eml"), message);
        liar.server().wait_until_idle();
    }
    assert_eq!(liar.left_serials(), [1, 2, 3]);
    (mount.stderr(), liar.count("QUIT"))
}

#[test]
fn a_server_that_may_delete_what_was_read_is_told_of_once_and_gets_no_quit() {
    let (logged, quits) = read_in_two_sessions("EXPIRE 0");
    assert_eq!(logged.matches("EXPIRE 0").count(), 1, "{logged}");
    assert_eq!(quits, 0);
}

#[test]
fn a_server_that_keeps_what_was_read_gets_its_quit() {
    for expire in ["EXPIRENEVER", "EXPIRE NEVER", "EXPIRE 30", "EXPIRE"] {
        let (logged, quits) = read_in_two_sessions(expire);
        assert_eq!((logged.as_str(), quits), ("", 2), "{expire}");
    }
}

#[test]
fn what_was_announced_before_the_login_holds_behind_it() {
    let messages = corpus::realistic(39, 1);
    let liar = Liar::start(&messages);
    liar.set_capabilities(Some(&["USER", "EXPIRE 0"]));
    liar.set_capabilities_after_login(Some(&["TOP", "UIDL"]));
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().wait_until_idle();
    assert_eq!(liar.count("QUIT"), 0);
}

#[test]
fn what_was_announced_once_holds_in_a_session_that_is_told_nothing() {
    let messages = corpus::realistic(39, 1);
    let liar = Liar::start(&messages);
    liar.set_capabilities(Some(&["TOP", "UIDL", "USER", "EXPIRE 0"]));
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    liar.server().wait_until_idle();
    let quits = liar.count("QUIT");
    liar.set_capabilities(None);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().wait_until_idle();
    assert_eq!(liar.count("QUIT"), quits);
}

#[test]
fn where_capa_was_cut_off_nobody_knows_and_no_quit_follows_what_was_read() {
    let messages = corpus::realistic(39, 1);
    let liar = Liar::start(&messages);
    liar.set_capabilities(Some(&["TOP", "UIDL", "USER", "EXPIRE 0"]));
    liar.once("CAPA", Reply::Close);
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().wait_until_idle();
    assert_eq!(liar.count("QUIT"), 0);
}
