//! What answers where TLS is expected from the first octet, and is no TLS of today.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::tempdir;

use crate::common::{Background, Certificate, Peer, Scripted, eventually, stdout_of};
use crate::{assert_says, refusal};

fn refusal_at(port: u16) -> String {
    refusal(&format!("pops://alice@localhost:{port}"), &[])
}

/// OpenSSL's own server on a free port, with these arguments and a good certificate.
pub(crate) fn openssl_server(folder: &Path, arguments: &[&str]) -> (Background, u16) {
    let identity = Certificate::Good.issue(folder);
    let mut command = Command::new("openssl");
    command
        .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
        .arg(&identity.certificate)
        .arg("-key")
        .arg(&identity.key)
        .args(arguments)
        // It ends with its standard input.
        .stdin(Stdio::piped());
    let server = Background::spawn(&mut command);
    let port = eventually("openssl to listen", || {
        let shown = server.stdout();
        let (_, address) = shown.split_once("ACCEPT 127.0.0.1:")?;
        address.split_once('\n')?.0.parse().ok()
    });
    (server, port)
}

#[test]
fn a_server_that_speaks_in_clear_is_told_from_one_that_is_not_trusted() {
    let server = Scripted::start(|peer| {
        peer.send(b"+OK POP3 ready\r\n")?;
        peer.stay_silent()
    });
    let said = refusal_at(server.port());
    assert_says(
        &said,
        &["TLS with localhost", "does not speak TLS", "pop:// scheme"],
    );
}

#[test]
fn a_server_that_speaks_tls_1_1_only_is_refused() {
    let folder = tempdir().expect("a folder");
    let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    let (_server, port) = openssl_server(folder.path(), &old);
    assert_says(
        &refusal_at(port),
        &["TLS with localhost", "neither TLS 1.2 nor a newer"],
    );
}

#[test]
fn a_server_without_a_common_cipher_is_refused() {
    let folder = tempdir().expect("a folder");
    // For keys of RSA, which this server has not.
    let (_server, port) = openssl_server(folder.path(), &["-tls1_2", "-cipher", "AES256-SHA"]);
    assert_says(&refusal_at(port), &["no cipher in common"]);
}

#[test]
fn a_certificate_with_a_weak_key_is_refused() {
    let folder = tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("weak.pem"), path("weak.key"));
    let subject = [
        "-subj",
        "/CN=localhost",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    let request = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:1024"];
    stdout_of(&[&request[..], &subject].concat());
    let weak = [
        "-cert",
        &certificate,
        "-key",
        &key,
        "-cipher",
        "ALL:@SECLEVEL=0",
    ];
    let (_server, port) = openssl_server(folder.path(), &weak);
    assert_says(&refusal_at(port), &["too weak", "must replace it"]);
}

#[test]
fn a_small_diffie_hellman_key_is_no_weak_certificate() {
    let folder = tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key, parameters) = (path("rsa.pem"), path("rsa.key"), path("dh.pem"));
    let request = "openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=localhost";
    let request: Vec<&str> = request.split(' ').collect();
    let names = ["-addext", "subjectAltName=DNS:localhost"];
    let files = ["-keyout", &key, "-out", &certificate];
    stdout_of(&[&request[..], &names, &files].concat());
    stdout_of(&["openssl", "dhparam", "-out", &parameters, "1024"]);
    let small = [
        "-tls1_2",
        "-cert",
        &certificate,
        "-key",
        &key,
        "-dhparam",
        &parameters,
        "-cipher",
        "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
    ];
    let (_server, port) = openssl_server(folder.path(), &small);
    let source = format!("pops://alice@localhost:{port}");
    let said = refusal(&source, &[&format!("ca_file={certificate}")]);
    assert_says(&said, &["Diffie-Hellman key is too small"]);
}

#[test]
fn whatever_else_openssl_does_not_like_is_told_in_its_words() {
    let server = Scripted::start(|peer| {
        peer.wait_for_octets()?;
        peer.lose_octets_behind()?;
        // An alert: fatal, internal_error (RFC 8446 section 6).
        peer.send(&[0x15, 3, 3, 0, 2, 2, 80])?;
        peer.stay_silent()
    });
    assert_says(
        &refusal_at(server.port()),
        &["OpenSSL says", "internal error"],
    );
}

#[test]
fn a_server_that_closes_during_the_handshake_is_told_so() {
    let server = Scripted::start(|peer| {
        peer.wait_for_octets()?;
        peer.lose_octets_behind()?;
        peer.close();
        Ok(())
    });
    assert_says(
        &refusal_at(server.port()),
        &["closed the connection during the handshake"],
    );
}

#[test]
fn a_server_that_is_silent_during_the_handshake_is_waited_for_as_long_as_the_time_out() {
    let server = Scripted::start(Peer::stay_silent);
    let source = format!("pops://alice@localhost:{}", server.port());
    assert_says(&refusal(&source, &["timeout=1s"]), &["silent for 1 s"]);
}

#[test]
fn a_handshake_that_drips_is_over_with_the_time_out() {
    // TLS reads a record to its end before it looks at it.
    let record = [&[22, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat();
    let server = Scripted::start(move |peer| peer.drip(&record, Duration::from_millis(200)));
    let source = format!("pops://alice@localhost:{}", server.port());
    assert_says(&refusal(&source, &["timeout=1s"]), &["silent for 1 s"]);
}
