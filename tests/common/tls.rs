//! Certificates for a server on loopback, good and bad ones, made by the `openssl` program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::output_within;
use super::patience::PATIENCE;

/// What the server shows to a client that connects to `localhost` or `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Signed by the test's authority for `localhost` and `127.0.0.1`.
    Good,
    /// As `Good`, but its last day is over.
    Expired,
    /// Signed by the test's authority, for `elsewhere.example` only.
    WrongHost,
    /// For the right host, but signed by itself alone.
    SelfSigned,
}

/// Where the files of a server's identity are, all in PEM.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificate {
    /// Makes the authority, the key and the certificate in `folder`.
    pub(super) fn issue(self, folder: &Path) -> Identity {
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
        openssl(
            folder,
            &format!(
                "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -days {} -out cert.pem",
                if self == Self::Expired { -1 } else { 2 }
            ),
        );
    }

    fn extensions(self) -> String {
        let name = match self {
            Self::WrongHost => "DNS:elsewhere.example",
            Self::Good | Self::Expired | Self::SelfSigned => RIGHT_HOST,
        };
        format!("subjectAltName={name}\nbasicConstraints=CA:FALSE\n")
    }
}

const RIGHT_HOST: &str = "DNS:localhost,IP:127.0.0.1";

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
        // The system's openssl.cnf adds CA:TRUE of its own, and two of one extension are refused by clients.
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
