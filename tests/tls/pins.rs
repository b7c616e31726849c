//! `tls_pin`: a certificate that is known by itself, whatever its chain, dates and host.

use crate::common::{Certificate, MountBuilder, eventually};
use crate::{assert_says, assert_trusted, dovecot, refusal, refusals};

/// Of no certificate.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn the_pinned_certificate_is_trusted_whatever_else_is_wrong_with_it() {
    for certificate in [
        Certificate::Good,
        Certificate::Expired,
        Certificate::NotYetValid,
        Certificate::WrongHost,
        Certificate::SelfSigned,
    ] {
        let dovecot = dovecot(certificate);
        let pin = format!("tls_pin=sha256:{}", dovecot.identity().fingerprint());
        assert_trusted(&dovecot, &[&pin]);
    }
}

#[test]
fn what_a_pin_leaves_unverified_is_logged() {
    let dovecot = dovecot(Certificate::SelfSigned);
    let pin = format!("tls_pin=sha256:{}", dovecot.identity().fingerprint());
    let mount = MountBuilder::new(&dovecot.tls_source())
        .flag("-v")
        .option(&pin)
        .mount();
    let parts = ["localhost has a pinned certificate; nothing else in it is verified"];
    assert_says(&mount.stderr(), &parts);
}

#[test]
fn a_pin_without_colons_and_in_small_letters_is_the_same() {
    let dovecot = dovecot(Certificate::SelfSigned);
    let digits = dovecot.identity().fingerprint().replace(':', "");
    let pin = format!("tls_pin=sha256:{}", digits.to_lowercase());
    assert_trusted(&dovecot, &[&pin]);
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused_and_named() {
    let dovecot = dovecot(Certificate::SelfSigned);
    let wrong = format!("tls_pin=sha256:{ZEROS}");
    let right = format!("tls_pin=sha256:{}", dovecot.identity().fingerprint());
    for said in refusals(&dovecot, &[&wrong]) {
        let remedy = "if its administrator has renewed the certificate, write -o tls_pin=sha256:";
        assert_says(&said, &["not a pinned one", remedy, &format!("-o {right}")]);
    }
    // Whoever was refused has not logged in: the one log-in is that of the trusted mount.
    let source = dovecot.tls_source();
    let _mount = crate::common::Mount::new(&source, &[&right]);
    eventually("a login", || dovecot.logins().pop());
    assert_eq!(dovecot.logins().len(), 1, "{}", dovecot.log());
}

#[test]
fn a_certificate_with_all_in_order_is_refused_where_another_one_is_pinned() {
    let dovecot = dovecot(Certificate::Good);
    for said in refusals(&dovecot, &[&format!("tls_pin=sha256:{ZEROS}")]) {
        assert_says(&said, &["not a pinned one"]);
    }
}

#[test]
fn one_of_several_pins_is_enough() {
    let dovecot = dovecot(Certificate::SelfSigned);
    let right = format!("tls_pin=sha256:{}", dovecot.identity().fingerprint());
    let wrong = format!("tls_pin=sha256:{ZEROS}");
    assert_trusted(&dovecot, &[&right, &wrong]);
    assert_trusted(&dovecot, &[&format!("{wrong},{right}")]);
}

#[test]
fn a_pin_of_another_form_is_refused_with_the_form() {
    for pin in [ZEROS, "sha256:", "sha256:0011", "sha1:0011", "sha256//AAAA"] {
        let said = refusal("pops://alice@h.invalid", &[&format!("tls_pin={pin}")]);
        assert_says(
            &said,
            &[
                "tls_pin",
                "expected sha256: and 64 hexadecimal digits",
                "base64",
            ],
        );
    }
}

#[test]
fn a_pin_where_there_is_no_certificate_is_refused() {
    let pin = format!("tls_pin=sha256:{ZEROS}");
    let said = refusal("pop://alice@h.invalid", &[&pin, "tls=off"]);
    assert_says(&said, &["tls_pin", "tls=off", "leave out one"]);
}

#[test]
fn a_pin_beside_a_ca_file_is_refused() {
    let pin = format!("tls_pin=sha256:{ZEROS}");
    let said = refusal("pops://alice@h.invalid", &[&pin, "ca_file=/ca.pem"]);
    assert_says(&said, &["tls_pin", "ca_file", "leave out one"]);
}
