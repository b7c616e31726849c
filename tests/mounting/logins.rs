//! Servers that cannot be reached or logged in to: the mount is refused with the reason and the
//! remedy.

use std::net::{Ipv4Addr, TcpListener};

use crate::common::{Liar, MountBuilder, Reply};
use crate::refusals::refusal;
use crate::{assert_says, liar};

fn of_liar(liar: &Liar) -> MountBuilder {
    MountBuilder::new(&liar.source()).option("tls=off")
}

#[test]
fn a_wrong_password() {
    let liar = liar(1);
    let said = refusal(&of_liar(&liar).password(Some("hunter2")));
    assert_says(
        &said,
        &["refused the login", "check the user name and the password"],
    );
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(liar.count("PASS"), 2, "once for each of the two mounts");
}

#[test]
fn a_host_that_does_not_exist() {
    let builder = MountBuilder::new("pops://alice@no-such-host.invalid");
    let said = refusal(&builder);
    assert_says(
        &said,
        &["no-such-host.invalid has no address", "is the name right"],
    );
}

#[test]
fn a_port_that_nobody_listens_on() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let said = refusal(&MountBuilder::new(&format!(
        "pops://alice@127.0.0.1:{port}"
    )));
    assert_says(
        &said,
        &[&format!("127.0.0.1 port {port}"), "is that the right port"],
    );
}

#[test]
fn a_server_that_is_silent() {
    let liar = liar(1);
    liar.on("USER", Reply::Silent);
    let said = refusal(&of_liar(&liar).option("timeout=1s"));
    let port = format!("127.0.0.1 port {}", liar.port());
    assert_says(&said, &[&port, "silent for 1 s", "-o timeout="]);
}

#[test]
fn check_refuses_a_server_without_unique_ids_and_headers() {
    let liar = liar(1);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar.on("TOP", Reply::Err("unknown command"));
    let said = refusal(&of_liar(&liar));
    assert_says(
        &said,
        &["the server has neither UIDL nor TOP", "cannot show this"],
    );
}

#[test]
fn check_reports_a_maildrop_that_another_session_holds() {
    let liar = liar(1);
    liar.on("PASS", Reply::Err("[IN-USE] try later"));
    let said = refusal(&of_liar(&liar));
    assert_says(
        &said,
        &["the maildrop is busy", "try later", "try again in a while"],
    );
}
