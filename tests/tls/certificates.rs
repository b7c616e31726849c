//! Certificates that are verified: the chain, the dates and the host, against the system's
//! authorities or `ca_file`.

use std::fs;

use tempfile::{NamedTempFile, tempdir};

use crate::common::{Certificate, Dovecot};
use crate::{assert_says, assert_trusted, dovecot, refusal, refusals};

/// With the authority that signed it, or should have.
fn refusals_with_its_authority(dovecot: &Dovecot) -> [String; 2] {
    refusals(dovecot, &[&ca_file(dovecot.ca_file())])
}

fn ca_file(path: &std::path::Path) -> String {
    format!("ca_file={}", path.display())
}

/// The sentence about a `ca_file` that is no good; the server is not even asked.
fn refusal_of_file(path: &std::path::Path) -> String {
    refusal("pops://alice@no-such-host.invalid", &[&ca_file(path)])
}

#[test]
fn the_authority_in_ca_file_is_trusted() {
    let dovecot = dovecot(Certificate::Good);
    assert_trusted(&dovecot, &[&ca_file(dovecot.ca_file())]);
}

#[test]
fn any_of_several_authorities_in_ca_file_is_trusted() {
    let dovecot = dovecot(Certificate::Good);
    let (folder, both) = (
        tempdir().expect("a folder"),
        NamedTempFile::new().expect("a file"),
    );
    let other = Certificate::Good.issue(folder.path()).authority;
    let certificates =
        [other.as_path(), dovecot.ca_file()].map(|path| fs::read(path).expect("PEM"));
    fs::write(&both, certificates.concat()).expect("a file of both");
    assert_trusted(&dovecot, &[&ca_file(both.path())]);
}

#[test]
fn an_authority_that_is_not_in_ca_file_is_not_trusted() {
    let dovecot = dovecot(Certificate::Good);
    let folder = tempdir().expect("a folder");
    let other = Certificate::Good.issue(folder.path()).authority;
    for said in refusals(&dovecot, &[&ca_file(&other)]) {
        assert_says(
            &said,
            &["TLS with localhost", "not trusted", "ca_file=FILE"],
        );
    }
}

#[test]
fn an_authority_that_the_system_does_not_know_is_not_trusted() {
    for said in refusals(&dovecot(Certificate::Good), &[]) {
        assert_says(
            &said,
            &[
                "TLS with localhost",
                "not trusted",
                "-o ca_file=FILE",
                "-o tls_pin=",
            ],
        );
    }
}

#[test]
fn a_certificate_that_signs_itself_is_not_trusted() {
    for said in refusals_with_its_authority(&dovecot(Certificate::SelfSigned)) {
        assert_says(&said, &["self-signed", "-o tls_pin=", "-o ca_file=FILE"]);
    }
}

#[test]
fn a_certificate_that_signs_itself_is_trusted_where_ca_file_holds_it() {
    let dovecot = dovecot(Certificate::SelfSigned);
    assert_trusted(&dovecot, &[&ca_file(&dovecot.identity().certificate)]);
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    for said in refusals_with_its_authority(&dovecot(Certificate::Expired)) {
        assert_says(&said, &["has expired", "must renew it", "tls_pin="]);
    }
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused() {
    for said in refusals_with_its_authority(&dovecot(Certificate::NotYetValid)) {
        assert_says(&said, &["not valid yet", "this machine's clock"]);
    }
}

#[test]
fn a_certificate_for_another_host_is_refused_with_the_names_that_it_is_for() {
    for said in refusals_with_its_authority(&dovecot(Certificate::WrongHost)) {
        assert_says(
            &said,
            &[
                "TLS with localhost",
                "is for elsewhere.example only",
                "SOURCE",
            ],
        );
    }
}

#[test]
fn a_certificate_for_another_address_is_refused_too() {
    let dovecot = dovecot(Certificate::WrongHost);
    let source = dovecot.tls_source().replace("localhost", "127.0.0.1");
    let said = refusal(&source, &[&ca_file(dovecot.ca_file())]);
    assert_says(
        &said,
        &["TLS with 127.0.0.1", "is for elsewhere.example only"],
    );
}

#[test]
fn the_pin_that_would_help_is_the_certificate_s_own() {
    for certificate in [
        Certificate::Good,
        Certificate::Expired,
        Certificate::WrongHost,
        Certificate::SelfSigned,
    ] {
        let dovecot = dovecot(certificate);
        let pin = format!("-o tls_pin=sha256:{}", dovecot.identity().fingerprint());
        for said in refusals(&dovecot, &[]) {
            assert_says(&said, &["TLS with localhost", &pin]);
        }
        // The look at the certificate asks for nothing behind it.
        assert!(!dovecot.log().contains("Login: "), "{}", dovecot.log());
    }
}

#[test]
fn a_ca_file_that_cannot_be_read_is_named() {
    let folder = tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let name = missing.to_str().expect("a path in ASCII");
    assert_says(&refusal_of_file(&missing), &[name, "No such file"]);
    // A device would never end, and a pipe never begin.
    for path in [folder.path(), "/dev/zero".as_ref()] {
        assert_says(&refusal_of_file(path), &["ca_file", "is not a file"]);
    }
}

#[test]
fn a_ca_file_without_a_whole_certificate_is_refused() {
    let folder = tempdir().expect("a folder");
    let identity = Certificate::Good.issue(folder.path());
    assert_says(
        &refusal_of_file(&identity.key),
        &["contains no PEM certificate"],
    );
    let whole = fs::read(&identity.authority).expect("PEM");
    let half = folder.path().join("half.pem");
    fs::write(&half, &whole[..whole.len() / 2]).expect("a file");
    assert_says(
        &refusal_of_file(&half),
        &["contains a damaged PEM certificate"],
    );
}
