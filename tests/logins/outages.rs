//! Real mail proxies whose backend is down: they tell it in words, in answer to the password.

use std::fs;

use nix::errno::Errno;
use pop3fs::cli::Failure;

use crate::common::{
    Dovecot, DovecotOptions, Mount, MountBuilder, Nginx, Perdition, assert_failed, closed_port,
    corpus, eventually, readers, stderr,
};
use crate::{assert_says, in_the_clear};

const COUNT: usize = 12;

fn dovecot() -> (Dovecot, Vec<Vec<u8>>) {
    let messages = corpus::realistic(51, COUNT);
    let dovecot = Dovecot::start(&messages, &DovecotOptions::default());
    let mut messages = dovecot.messages_left();
    messages.sort();
    (dovecot, messages)
}

fn through(source: &str) -> MountBuilder {
    in_the_clear(source, "user").option("idle_timeout=1s")
}

/// The paths of all messages.
fn paths(mount: &Mount) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(mount.path()).expect("the root");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// What becomes of a mount that begins while the backend is down.
fn assert_busy(source: &str, words: &str) {
    let refused = through(source).refused();
    assert_failed(&refused, Failure::Busy);
    assert_says(&stderr(&refused), &[words, "a passing fault"]);
}

fn assert_busy_in_the_mount(mount: &Mount) {
    let error = fs::read(&paths(mount)[0]).expect_err("an outage");
    assert_eq!(error.raw_os_error(), Some(Errno::EBUSY as i32), "{error}");
}

#[test]
fn readers_wait_until_the_backend_of_nginx_is_back() {
    let (dovecot, messages) = dovecot();
    let nginx = Nginx::before(dovecot.port());
    let mount = through(&nginx.source()).mount();
    mount.wait_until_its_session_is_closed();
    nginx.lead_to(closed_port());
    let readers = readers(paths(&mount).into_iter());
    eventually("a login that fails", || {
        mount
            .stderr()
            .contains("internal server error")
            .then_some(())
    });
    nginx.lead_to(dovecot.port());
    let read = readers
        .into_iter()
        .map(|reader| reader.join().expect("a reader"));
    let mut read: Vec<Vec<u8>> = read.map(|octets| octets.expect("a message")).collect();
    read.sort();
    assert!(read == messages);
}

#[test]
fn a_backend_of_nginx_that_stays_down_is_busy_not_refused() {
    let (dovecot, _) = dovecot();
    let nginx = Nginx::before(dovecot.port());
    let mount = through(&nginx.source()).option("timeout=2s").mount();
    mount.wait_until_its_session_is_closed();
    nginx.lead_to(closed_port());
    assert_busy_in_the_mount(&mount);
    assert_busy(&nginx.source(), "internal server error");
    nginx.lead_to(dovecot.port());
    eventually("a login that succeeds", || {
        fs::read(&paths(&mount)[0]).is_ok().then_some(())
    });
}

#[test]
fn a_backend_of_perdition_that_is_down_is_busy_not_refused() {
    let (mut dovecot, messages) = dovecot();
    let perdition = Perdition::before(dovecot.port());
    let mount = through(&perdition.source()).option("timeout=10s").mount();
    assert_eq!(paths(&mount).len(), messages.len());
    mount.wait_until_its_session_is_closed();
    dovecot.stop();
    assert_busy_in_the_mount(&mount);
    assert_busy(&perdition.source(), "Could not connect to server");
}
