//! Good and bad certificates for a server on loopback, made by the `openssl` program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::output_within;
use super::patience::PATIENCE;

/// The certificate that the server shows to a client that connects to `localhost` or `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the test's authority for `localhost`, `127.0.0.1` and `mail.example.org`.
    Good,
    /// Like `Good`, but expired.
    Expired,
    /// Like `Good`, but valid only in the future.
    NotYetValid,
    /// Signed by the test's authority, for `elsewhere.example` only.
    WrongHost,
    /// For the right host, but signed by itself alone.
    SelfSigned,
}

/// Paths of a server's certificate files, all in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate of the authority. It has not signed a `SelfSigned` certificate.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Identity {
    /// The SHA-256 of the server's certificate as `openssl` prints it: `AB:CD:…`.
    pub fn fingerprint(&self) -> String {
        let mut command = Command::new("openssl");
        command
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(&self.certificate);
        let output = output_within(PATIENCE, &mut command);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, digest) = shown.trim_end().split_once('=').expect("a fingerprint");
        digest.to_owned()
    }
}

impl Certificate {
    /// Makes the authority, the key and the certificate in `folder`.
    pub fn issue(self, folder: &Path) -> Identity {
        let identity = Identity {
            authority: folder.join("ca.pem"),
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        make_self_signed(folder, "ca", "/CN=Test Authority", "CA:TRUE");
        if self == Self::SelfSigned {
            make_self_signed(folder, "cert", "/CN=localhost", "CA:FALSE");
            std::fs::rename(folder.join("cert.key"), &identity.key).expect("a key");
        } else {
            self.sign(folder);
        }
        identity
    }

    fn sign(self, folder: &Path) {
        std::fs::write(folder.join("extensions"), self.extensions()).expect("extensions");
        openssl(
            folder,
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=server",
        );
        std::fs::write(folder.join("ca.cnf"), AUTHORITY).expect("an authority's settings");
        std::fs::write(folder.join("issued"), "").expect("an authority's database");
        let (first, last) = self.validity();
        openssl(
            folder,
            &format!(
                "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in request.pem -out cert.pem \
                 -extfile extensions -startdate {first}0101000000Z -enddate {last}0101000000Z"
            ),
        );
    }

    /// The first and the last year of validity; each starts on 1 January.
    fn validity(self) -> (u16, u16) {
        match self {
            Self::Expired => (2000, 2001),
            Self::NotYetValid => (2100, 2101),
            Self::Good | Self::WrongHost | Self::SelfSigned => (2000, 2100),
        }
    }

    fn extensions(self) -> String {
        let name = match self {
            Self::WrongHost => "DNS:elsewhere.example",
            Self::Good | Self::Expired | Self::NotYetValid | Self::SelfSigned => RIGHT_HOST,
        };
        format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n")
    }
}

/// The configuration file for `openssl ca`.
const AUTHORITY: &str = "\
[ca]
default_ca = authority
[authority]
database = issued
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = anybody
[anybody]
commonName = supplied
";

const RIGHT_HOST: &str = "DNS:localhost,IP:127.0.0.1,DNS:mail.example.org";

fn make_self_signed(folder: &Path, name: &str, subject: &str, constraints: &str) {
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args(["-keyout", &format!("{name}.key")])
        .args(["-out", &format!("{name}.pem"), "-subj", subject])
        .args(["-addext", &format!("subjectAltName={RIGHT_HOST}")])
        .args([
            "-addext",
            &format!("basicConstraints=critical,{constraints}"),
        ])
        // The system's openssl.cnf adds CA:TRUE, and clients refuse a certificate with an extension
        // twice.
        .args(["-config", "/dev/stdin"])
        .stdin(no_extensions(folder));
    succeed(&mut command);
}

fn no_extensions(folder: &Path) -> std::fs::File {
    let path = folder.join("req.cnf");
    std::fs::write(&path, "[req]\ndistinguished_name = dn\n[dn]\n").expect("a request's settings");
    std::fs::File::open(path).expect("a request's settings")
}

fn openssl(folder: &Path, arguments: &str) {
    succeed(
        Command::new("openssl")
            .current_dir(folder)
            .args(arguments.split(' ')),
    );
}

fn succeed(command: &mut Command) {
    let output = output_within(PATIENCE, command);
    assert!(
        output.status.success(),
        "{command:?}: {} (apt-get install openssl)",
        String::from_utf8_lossy(&output.stderr)
    );
}
