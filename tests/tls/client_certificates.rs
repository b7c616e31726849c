//! A server that demands a client certificate, as `openssl s_server -Verify` does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pop3fs::net::{ClientCertificate, FileFault, NetError, Tls, Trust};
use tempfile::{TempDir, tempdir};

use crate::common::{Background, Certificate, stdout_of};
use crate::exchange::{exchange, route_to};
use crate::peers::openssl_server;

const PASSPHRASE: &str = "a pass phrase";
const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

/// A server that reverses each line, for clients with a certificate of its authority.
struct Demanding {
    folder: TempDir,
    port: u16,
    _server: Background,
}

impl Demanding {
    fn start(version: &str) -> Self {
        let folder = tempdir().expect("a folder");
        let authority = folder.path().join("ca.pem").display().to_string();
        let demand = ["-Verify", "1", "-verify_return_error", "-rev", version];
        let arguments = [&demand[..], &["-CAfile", &authority]].concat();
        let (server, port) = openssl_server(folder.path(), &arguments);
        Self {
            folder,
            port,
            _server: server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the server makes of a line, or why there is none.
    fn reversed(&self, certificate: Option<&ClientCertificate>) -> Result<String, NetError> {
        let trust = Trust::Authorities(self.path("ca.pem"));
        let tls = Tls::with_certificate(trust, certificate).expect("a client");
        exchange(&route_to(self.port), Some(&tls), "drawer\n")
    }

    /// A PEM file of the certificate and this key.
    fn with_key(&self, key: &Path) -> PathBuf {
        let parts = [self.path("cert.pem"), key.to_path_buf()];
        let parts = parts.map(|part| fs::read(part).expect("PEM"));
        let both = self.path("both.pem");
        fs::write(&both, parts.concat()).expect("a file of both");
        set_mode(&both, 0o600);
        both
    }

    fn convert(&self, arguments: &[&str]) -> PathBuf {
        let converted = self.path("converted");
        let out = converted.display().to_string();
        let passphrase = format!("pass:{PASSPHRASE}");
        let rest = ["-out", &out, "-passout", &passphrase];
        stdout_of(&[&["openssl"], arguments, &rest].concat());
        converted
    }

    /// A PKCS#12 file of the certificate and its key.
    fn pkcs12(&self, arguments: &[&str]) -> PathBuf {
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| self.path(name));
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let export = ["pkcs12", "-export", "-in", &certificate, "-inkey", &key];
        self.convert(&[&export[..], arguments].concat())
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn read(path: &Path, passphrase: Option<&str>) -> Result<ClientCertificate, FileFault> {
    match ClientCertificate::read(path, passphrase.map(str::as_bytes)) {
        Err(NetError::ClientCertificate { reason, .. }) => Err(reason),
        read => Ok(read.expect("a fault of the file")),
    }
}

#[test]
fn a_missing_client_certificate_is_named() {
    for version in VERSIONS {
        let error = Demanding::start(version).reversed(None).expect_err(version);
        let said = error.to_string();
        assert!(said.contains("demands a client certificate"), "{said}");
    }
}

#[test]
fn a_client_certificate_in_pem_is_accepted() {
    for version in VERSIONS {
        let server = Demanding::start(version);
        let file = server.with_key(&server.path("key.pem"));
        let certificate = read(&file, None).expect("a certificate");
        assert_eq!(
            server.reversed(Some(&certificate)).expect(version),
            "reward\n"
        );
    }
}

#[test]
fn an_encrypted_key_needs_its_passphrase() {
    let server = Demanding::start("-tls1_3");
    let key = server.path("key.pem").display().to_string();
    let encrypted = server.convert(&["pkey", "-aes256", "-in", &key]);
    let file = server.with_key(&encrypted);
    assert!(matches!(read(&file, None), Err(FileFault::Encrypted)));
    let wrong = read(&file, Some("another"));
    assert!(matches!(wrong, Err(FileFault::WrongPassphrase)));
    let certificate = read(&file, Some(PASSPHRASE)).expect("a certificate");
    assert_eq!(
        server.reversed(Some(&certificate)).expect("a line"),
        "reward\n"
    );
}

#[test]
fn a_client_certificate_in_pkcs12_is_accepted() {
    let server = Demanding::start("-tls1_3");
    let file = server.pkcs12(&[]);
    assert!(matches!(read(&file, None), Err(FileFault::Encrypted)));
    let wrong = read(&file, Some("another"));
    assert!(matches!(wrong, Err(FileFault::WrongPassphrase)));
    let certificate = read(&file, Some(PASSPHRASE)).expect("a certificate");
    assert_eq!(
        server.reversed(Some(&certificate)).expect("a line"),
        "reward\n"
    );
}

#[test]
fn a_cipher_that_openssl_no_longer_has_is_named() {
    let server = Demanding::start("-tls1_3");
    let file = server.pkcs12(&["-legacy"]);
    let old = read(&file, Some(PASSPHRASE));
    assert!(matches!(old, Err(FileFault::OldCipher)), "{old:?}");
}

#[test]
fn a_bare_key_that_others_can_read_is_refused() {
    let server = Demanding::start("-tls1_3");
    let file = server.with_key(&server.path("key.pem"));
    set_mode(&file, 0o640);
    assert!(read(&file, None).is_ok());
    set_mode(&file, 0o644);
    assert!(matches!(read(&file, None), Err(FileFault::Exposed)));
    let encrypted = server.pkcs12(&[]);
    set_mode(&encrypted, 0o644);
    assert!(read(&encrypted, Some(PASSPHRASE)).is_ok());
}

#[test]
fn a_client_certificate_of_another_authority_is_refused() {
    for version in VERSIONS {
        let server = Demanding::start(version);
        let other = Demanding::start(version);
        let file = other.with_key(&other.path("key.pem"));
        let certificate = read(&file, None).expect("a certificate");
        let error = server.reversed(Some(&certificate)).expect_err(version);
        let said = error.to_string();
        assert!(said.contains("refuses our client certificate"), "{said}");
    }
}

#[test]
fn a_file_that_gives_no_client_certificate_is_refused() {
    let folder = tempdir().expect("a folder");
    let identity = Certificate::Good.issue(folder.path());
    let file = folder.path().join("file");
    let fault = |octets: &[u8]| {
        fs::write(&file, octets).expect("a file");
        read(&file, None).expect_err("no certificate")
    };
    let [certificate, key, other] = [
        &identity.certificate,
        &identity.key,
        &folder.path().join("ca.key"),
    ]
    .map(|path| fs::read(path).expect("PEM"));
    assert!(matches!(fault(&key), FileFault::NoCertificate));
    assert!(matches!(fault(&certificate), FileFault::NoKey));
    let mismatched = [&certificate[..], &other].concat();
    assert!(matches!(fault(&mismatched), FileFault::OtherKey));
    assert!(matches!(fault(b"neither"), FileFault::NeitherFormat));
    assert!(matches!(fault(b""), FileFault::NeitherFormat));
    for path in [folder.path(), &folder.path().join("missing")] {
        assert!(matches!(read(path, None), Err(FileFault::Io(_))));
    }
}
