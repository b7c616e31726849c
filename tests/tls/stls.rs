//! `pop://`: STLS comes before anything secret, or nothing does (RFC 2595 section 4).

use std::io;

use crate::common::{Liar, Peer, Reply, Scripted, corpus};
use crate::{assert_says, refusal};

/// A server that offers STLS and answers it with these octets, after which the client must say
/// nothing and leave.
fn answering_stls(answer: &'static [u8]) -> Scripted {
    Scripted::start(move |peer| {
        peer.send(b"+OK ready\r\n")?;
        assert_eq!(peer.read_line()?.as_deref(), Some("CAPA"));
        peer.send(b"+OK\r\nUSER\r\nSASL PLAIN\r\nSTLS\r\n.\r\n")?;
        assert_eq!(peer.read_line()?.as_deref(), Some("STLS"));
        peer.send(answer)?;
        assert_says_nothing(peer)
    })
}

/// Leaving with octets unread looks like an error of the connection, which is as good.
fn assert_says_nothing(peer: &mut Peer) -> io::Result<()> {
    assert_eq!(peer.read_line()?, None);
    Ok(())
}

fn source(port: u16) -> String {
    format!("pop://alice@127.0.0.1:{port}")
}

#[test]
fn a_server_that_does_not_know_stls_gets_no_password() {
    let liar = Liar::start(&corpus::realistic(32, 1));
    let said = refusal(&liar.source(), &[]);
    assert_says(&said, &["refuses STLS", "pops://", "-o tls=off"]);
    assert_eq!((liar.count("USER"), liar.count("AUTH")), (0, 0));
}

#[test]
fn a_server_that_offers_stls_and_refuses_it_gets_no_password() {
    let liar = Liar::start(&corpus::realistic(32, 1));
    liar.set_capabilities(Some(&["STLS", "USER", "SASL PLAIN", "UIDL", "TOP"]));
    liar.on("STLS", Reply::Err("not now"));
    let said = refusal(&liar.source(), &[]);
    assert_says(&said, &["refuses STLS", "pops://", "-o tls=off"]);
    assert_eq!((liar.count("USER"), liar.count("AUTH")), (0, 0));
}

#[test]
fn a_server_whose_capa_fails_gets_no_password_in_clear() {
    let liar = Liar::start(&corpus::realistic(32, 1));
    liar.set_capabilities(None);
    assert_says(&refusal(&liar.source(), &[]), &["refuses STLS"]);
    assert_eq!((liar.count("USER"), liar.count("AUTH")), (0, 0));
}

#[test]
fn octets_behind_the_answer_to_stls_end_the_session() {
    let server = answering_stls(b"+OK begin\r\n+OK your password is not needed\r\n");
    let said = refusal(&source(server.port()), &[]);
    assert_says(&said, &["octets came in clear", "tampering"]);
}

#[test]
fn half_a_line_behind_the_answer_to_stls_ends_the_session_too() {
    let server = answering_stls(b"+OK begin\r\n+");
    let said = refusal(&source(server.port()), &[]);
    assert_says(&said, &["octets came in clear", "tampering"]);
}

#[test]
fn a_server_that_agrees_to_stls_and_goes_on_in_clear_is_refused() {
    let server = Scripted::start(|peer| {
        peer.send(b"+OK ready\r\n")?;
        assert_eq!(peer.read_line()?.as_deref(), Some("CAPA"));
        peer.send(b"+OK\r\nSTLS\r\n.\r\n")?;
        assert_eq!(peer.read_line()?.as_deref(), Some("STLS"));
        peer.send(b"+OK begin\r\n")?;
        // The client's hello has come once anything has: it ends in a line feed by chance only.
        peer.wait_for_octets()?;
        peer.send(b"-ERR what was that?\r\n")?;
        peer.stay_silent()
    });
    let said = refusal(&source(server.port()), &[]);
    assert_says(&said, &["does not speak TLS"]);
}
