//! A server behind a SOCKS5 proxy: microsocks, and some that are none.

use std::time::Duration;

use pop3fs::net::{NetError, Proxy, ProxyRefusal, Route, Stream, Tls, Trust};
use tempfile::tempdir;

use crate::common::{Background, Liar, Peer, Scripted, corpus, eventually, free_port};
use crate::exchange::{exchange, server_on};
use crate::peers::openssl_server;

/// A real proxy on loopback.
pub(crate) struct MicroSocks {
    pub(crate) port: u16,
    _program: Background,
}

impl MicroSocks {
    pub(crate) fn start(login: &[&str]) -> Self {
        let port = free_port();
        let number = port.to_string();
        let listen = ["microsocks", "-i", "127.0.0.1", "-p", &number];
        let program = Background::start(&[&listen[..], login].concat());
        eventually("microsocks to listen (apt-get install microsocks)", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            port,
            _program: program,
        }
    }
}

fn through(proxy: &str, server: u16) -> Route {
    let proxy: Proxy = proxy.parse().expect("a proxy");
    Route::new(server_on(server), Some(proxy))
}

fn refusal(route: &Route) -> ProxyRefusal {
    match exchange(route, None, "").expect_err("a refusal") {
        NetError::Proxy { refusal, .. } => refusal,
        other => panic!("{other}"),
    }
}

fn greeting_server() -> Scripted {
    Scripted::start(|peer| {
        peer.send(b"+OK ready\r\n")?;
        peer.stay_silent()
    })
}

#[test]
fn a_server_is_reached_through_a_proxy() {
    let liar = Liar::start(&corpus::realistic(35, 1));
    let proxy = MicroSocks::start(&[]);
    let address = format!("socks5://127.0.0.1:{}", proxy.port);
    let greeting = exchange(&through(&address, liar.port()), None, "");
    assert!(greeting.expect("a greeting").starts_with("+OK"));
}

#[test]
fn tls_through_a_proxy_verifies_the_server_not_the_proxy() {
    let folder = tempdir().expect("a folder");
    let (_server, port) = openssl_server(folder.path(), &["-rev"]);
    let proxy = MicroSocks::start(&[]);
    let address = format!("socks5://127.0.0.1:{}", proxy.port);
    let tls = Tls::new(Trust::Authorities(folder.path().join("ca.pem"))).expect("a client");
    let answer = exchange(&through(&address, port), Some(&tls), "drawer\n");
    assert_eq!(answer.expect("a line"), "reward\n");
}

#[test]
fn a_proxy_may_demand_a_user_name_and_a_password() {
    let server = greeting_server();
    let proxy = MicroSocks::start(&["-u", "alice", "-P", "s@cret"]);
    let as_user = |user: &str, password: &str| {
        let address = format!("socks5://{user}@127.0.0.1:{}", proxy.port);
        let parsed: Proxy = address.parse().expect("a proxy");
        let password = password.as_bytes().to_vec().into();
        Route::new(
            server_on(server.port()),
            Some(parsed.with_password(password)),
        )
    };
    let anonymous = through(&format!("socks5://127.0.0.1:{}", proxy.port), server.port());
    assert_eq!(refusal(&anonymous), ProxyRefusal::LoginDemanded);
    let wrong = refusal(&as_user("alice", "wrong"));
    assert_eq!(wrong, ProxyRefusal::LoginRefused);
    let long = refusal(&as_user("alice", &"s".repeat(256)));
    assert_eq!(long, ProxyRefusal::LoginTooLong);
    let greeting = exchange(&as_user("alice", "s@cret"), None, "");
    assert_eq!(greeting.expect("a greeting"), "+OK ready\r\n");
}

#[test]
fn a_server_that_refuses_the_proxy_does_not_answer() {
    let proxy = MicroSocks::start(&[]);
    let address = format!("socks5://127.0.0.1:{}", proxy.port);
    let closed = free_port();
    let error = exchange(&through(&address, closed), None, "").expect_err("no server");
    let said = error.to_string();
    assert!(
        matches!(error, NetError::Connect { port, .. } if port == closed),
        "{said}"
    );
    assert!(said.contains("the proxy says"), "{said}");
}

#[test]
fn a_proxy_that_does_not_answer_is_named() {
    let closed = free_port();
    let route = through(&format!("socks5://127.0.0.1:{closed}"), 995);
    let error = exchange(&route, None, "").expect_err("no proxy");
    assert!(
        matches!(error, NetError::Connect { port, .. } if port == closed),
        "{error}"
    );
}

#[test]
fn a_server_that_is_no_proxy_is_named() {
    let server = greeting_server();
    let route = through(&format!("socks5://127.0.0.1:{}", server.port()), 995);
    assert_eq!(refusal(&route), ProxyRefusal::NotSocks5);
}

#[test]
fn a_proxy_that_stays_silent_or_drips_ends_with_the_timeout() {
    let silent = Scripted::start(Peer::stay_silent);
    let drip = [5, 0, 5, 0, 0, 3, 255].into_iter().chain([0; 300]);
    let drip: Vec<u8> = drip.collect();
    let dripping = Scripted::start(move |peer| peer.drip(&drip, Duration::from_millis(50)));
    for server in [silent, dripping] {
        let route = through(&format!("socks5://127.0.0.1:{}", server.port()), 995);
        let error = Stream::connect(&route, Duration::from_secs(1)).expect_err("no answer");
        assert!(matches!(error, NetError::Silence(_)), "{error}");
    }
}
