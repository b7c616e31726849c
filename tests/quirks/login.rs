//! CAPA and the login: what servers announce, and servers that break on being asked.

use crate::common::{Liar, Mount, Received, Reply, corpus};
use crate::{assert_reads, assert_shows, listed, ls_l, mounted};

const COUNT: usize = 5;

fn liar() -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(31, COUNT);
    (Liar::start(&messages), messages)
}

/// Listing, dates and reading must work with one command at a time.
fn assert_works(liar: &Liar, messages: &[Vec<u8>]) {
    liar.refuse_pipelining();
    let mount = mounted(liar, &[]);
    assert_eq!(listed(&mount)[0], "liar-1.eml");
    ls_l(&mount);
    assert!(liar.count("TOP") >= COUNT && liar.count("RETR") == 0);
    assert_shows(&mount, messages);
}

#[test]
fn a_session_begins_in_the_order_that_servers_need() {
    let (liar, _) = liar();
    let _mount = mounted(&liar, &[]);
    let verbs: Vec<String> = liar.commands().iter().map(Received::verb).collect();
    // Gmail announces more capabilities after the login. UIDL changes the sizes on mailutils.
    assert_eq!(
        verbs,
        ["CAPA", "USER", "PASS", "CAPA", "STAT", "UIDL", "LIST"]
    );
}

#[test]
fn nothing_is_sent_after_pass_before_its_reply() {
    let (liar, messages) = liar();
    liar.lose_what_follows_pass();
    assert_shows(&mounted(&liar, &[]), &messages);
}

#[test]
fn a_server_that_refuses_capa_works() {
    let (liar, messages) = liar();
    liar.set_capabilities(None);
    assert_works(&liar, &messages);
}

#[test]
fn a_server_that_announces_nothing_works() {
    let (liar, messages) = liar();
    liar.set_capabilities(Some(&[]));
    assert_works(&liar, &messages);
}

/// Reads this message in a new session; returns the total of CAPA, of PASS and of connections so
/// far.
fn after_reading(liar: &Liar, mount: &Mount, serial: usize, messages: &[Vec<u8>]) -> [usize; 3] {
    liar.server().wait_until_idle();
    assert_reads(mount, &format!("liar-{serial}.eml"), &messages[serial - 1]);
    counted(liar)
}

fn counted(liar: &Liar) -> [usize; 3] {
    let connections = liar.server().connections();
    [liar.count("CAPA"), liar.count("PASS"), connections]
}

#[test]
fn a_server_that_closes_on_capa_twice_is_not_asked_again() {
    for end in [Reply::Close, Reply::Reset] {
        let (liar, messages) = liar();
        liar.on("CAPA", end);
        let mount = mounted(&liar, &["idle_timeout=1s"]);
        assert_eq!(counted(&liar), [1, 1, 2]);
        assert_eq!(after_reading(&liar, &mount, 1, &messages), [2, 2, 4]);
        assert_eq!(after_reading(&liar, &mount, 3, &messages), [2, 3, 5]);
    }
}

#[test]
fn a_server_that_closes_on_capa_after_login_is_asked_before() {
    let (liar, messages) = liar();
    let answered = || Reply::Raw(b"+OK\r\nUIDL\r\nTOP\r\n.\r\n".to_vec());
    let before_and_after = [answered(), Reply::Close, answered()];
    for reply in [before_and_after.clone(), before_and_after].concat() {
        liar.once("CAPA", reply);
    }
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_eq!(counted(&liar), [3, 2, 2]);
    assert_eq!(after_reading(&liar, &mount, 1, &messages), [6, 4, 4]);
    assert_eq!(after_reading(&liar, &mount, 3, &messages), [7, 5, 5]);
}

#[test]
fn a_server_that_never_answers_capa_is_asked_once() {
    for unanswered in [Reply::Silent, Reply::Raw(b"+OK\r\n".to_vec())] {
        let (liar, messages) = liar();
        liar.on("CAPA", unanswered);
        let mount = mounted(&liar, &["idle_timeout=1s", "timeout=2s"]);
        assert_eq!(counted(&liar), [1, 1, 2]);
        assert_eq!(after_reading(&liar, &mount, 1, &messages), [1, 2, 3]);
        assert_eq!(after_reading(&liar, &mount, 3, &messages), [1, 3, 4]);
    }
}

#[test]
fn a_capa_that_breaks_the_protocol_is_left_out() {
    let long = [b"+OK\r\n", &[b'X'; 20_000][..], b"\r\n.\r\n"].concat();
    let two_ends = b"+OK\r\nTOP\r\nUIDL\r\n.\r\n.\r\n".to_vec();
    let refused = b"-ERR unknown\r\n.\r\n".to_vec();
    for nonsense in [long, two_ends, refused] {
        let (liar, messages) = liar();
        liar.on("CAPA", Reply::Raw(nonsense));
        assert_works(&liar, &messages);
    }
}

#[test]
fn a_server_that_answers_capa_only_before_the_login_works() {
    let (liar, messages) = liar();
    liar.set_capabilities(Some(&["TOP", "UIDL"]));
    for reply in [Reply::Raw(b"+OK\r\nUIDL\r\n.\r\n".to_vec()), Reply::Silent] {
        liar.once("CAPA", reply);
    }
    let mount = mounted(&liar, &["idle_timeout=1s", "timeout=2s"]);
    assert_eq!(counted(&liar), [3, 2, 2]);
    assert_eq!(after_reading(&liar, &mount, 1, &messages), [4, 3, 3]);
}

#[test]
fn a_cut_at_the_first_capa_costs_one_session_its_capabilities() {
    let (liar, messages) = liar();
    liar.once("CAPA", Reply::Close);
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    assert_eq!(counted(&liar), [1, 1, 2]);
    assert_eq!(after_reading(&liar, &mount, 1, &messages), [3, 2, 3]);
}

#[test]
fn a_server_that_closes_on_capa_once_is_asked_again() {
    let (liar, messages) = liar();
    let mount = mounted(&liar, &["idle_timeout=1s"]);
    liar.server().wait_until_idle();
    liar.once("CAPA", Reply::Close);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!((liar.count("CAPA"), liar.count("PASS")), (5, 2));
}

#[test]
fn utf8_is_sent_before_the_login_where_it_is_offered() {
    let (liar, messages) = liar();
    liar.set_surrogate(2, b"Subject: surrogate\r\n\r\nThis message needs UTF8.\r\n");
    let mount = mounted(&liar, &[]);
    assert_shows(&mount, &messages);
    let verbs: Vec<String> = liar.commands().iter().map(Received::verb).collect();
    assert_eq!(verbs[..4], ["CAPA", "UTF8", "USER", "PASS"]);
}

#[test]
fn utf8_is_not_sent_where_it_is_not_offered() {
    let (liar, messages) = liar();
    assert_shows(&mounted(&liar, &[]), &messages);
    assert_eq!(liar.count("UTF8"), 0);
}
