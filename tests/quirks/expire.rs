//! EXPIRE: what the server may do to messages that were only read (RFC 2449 section 6.7).

use crate::common::{Liar, Received, Reply, corpus};
use crate::{assert_reads, mounted, remove, umount};

/// Reads one message in each of two sessions. Returns the log and how many sessions ended with
/// QUIT.
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
fn expire_0_is_logged_once_and_prevents_quit() {
    let (logged, quits) = read_in_two_sessions("EXPIRE 0");
    assert_eq!(logged.matches("EXPIRE 0").count(), 1, "{logged}");
    assert_eq!(quits, 0);
}

#[test]
fn other_values_of_expire_do_not_prevent_quit() {
    for expire in ["EXPIRENEVER", "EXPIRE NEVER", "EXPIRE 30", "EXPIRE"] {
        let (logged, quits) = read_in_two_sessions(expire);
        assert_eq!((logged.as_str(), quits), ("", 2), "{expire}");
    }
}

#[test]
fn expire_announced_before_the_login_holds_after_it() {
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
fn expire_of_an_earlier_session_holds_if_capa_is_refused() {
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
fn a_capa_that_was_cut_off_prevents_quit_after_reading() {
    let messages = corpus::realistic(39, 1);
    let liar = Liar::start(&messages);
    liar.set_capabilities(Some(&["TOP", "UIDL", "USER", "EXPIRE 0"]));
    liar.once("CAPA", Reply::Close);
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().wait_until_idle();
    assert_eq!(liar.count("QUIT"), 0);
}

/// solid-pop3d does this with `ReadExpire 0`: it announces nothing, and deletes what was read.
#[test]
fn a_refused_capa_prevents_quit_after_reading() {
    let messages = corpus::realistic(39, 3);
    let liar = Liar::start(&messages);
    liar.set_capabilities(None);
    let mut mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().wait_until_idle();
    assert_eq!(liar.count("QUIT"), 0);
    assert_reads(&mount, "liar-2.eml", &messages[1]);
    remove(&mount, "liar-1.eml");
    let deleted = "1 message deleted on the server\n".to_owned();
    assert_eq!(umount(&mut mount), (Some(0), deleted));
    let since_login = |verb: &str| {
        let verbs: Vec<String> = liar.commands().iter().map(Received::verb).collect();
        let login = verbs.iter().rposition(|sent| sent == "PASS");
        verbs[login.expect("a login")..]
            .iter()
            .filter(|sent| *sent == verb)
            .count()
    };
    assert_eq!(["RETR", "DELE", "QUIT"].map(since_login), [0, 1, 1]);
    assert_eq!(liar.left_serials(), [2, 3]);
}

/// popa3d and solid-pop3d refuse QUIT if another client has changed the mbox since the login.
#[test]
fn a_server_without_capa_deletes_in_a_session_of_its_own() {
    let liar = Liar::start(&corpus::realistic(39, 3));
    liar.set_capabilities(None);
    let mut mount = mounted(&liar, &[]);
    remove(&mount, "liar-1.eml");
    let logins = liar.count("PASS");
    let deleted = "1 message deleted on the server\n".to_owned();
    assert_eq!(umount(&mut mount), (Some(0), deleted));
    assert_eq!(liar.count("PASS"), logins + 1);
}
