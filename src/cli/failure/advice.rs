//! What the user can do about an error of the lower layers.
//!
//! The lower layers say what happened. How an option or a command is written is known here only.

use std::fmt::Display;

use crate::cli::account::server_access::AccessError;
use crate::cli::shown::size;
use crate::fs::mount::MountError;
use crate::maildrop::{AuthenticationError, Fault, FetchError, OpenError};
use crate::net::{Distrust, FileFault, NetError, ProxyRefusal, Refusal, ShownCertificate};
use crate::store::StoreError;

/// An error about which the user can do something.
pub(in crate::cli) trait Advice: Display {
    /// What to do, as the end of a sentence. None where the error itself says all that helps.
    fn advice(&self) -> Option<String>;

    /// What happened, and what to do.
    fn sentence(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}: {advice}"),
            None => self.to_string(),
        }
    }
}

impl Advice for NetError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Handshake { refusal, .. } => refusal.advice(),
            Self::CaFile { .. } => Some("-o ca_file=FILE takes certificates in PEM".to_owned()),
            Self::ClientCertificate { reason, .. } => reason.advice(),
            Self::Proxy { refusal, .. } => refusal.advice(),
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Silence(_)
            | Self::Closed
            | Self::Broken(_)
            | Self::NoTls(_)
            | Self::System { .. } => None,
        }
    }
}

impl Advice for FileFault {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::NoCertificate | Self::NoKey | Self::NeitherFormat => {
                "-o client_cert=FILE takes a certificate and its private key, in PEM or PKCS#12"
            }
            Self::OtherKey => "put the certificate that belongs to the key first",
            Self::Encrypted | Self::WrongPassphrase => {
                "give it by -o passphrase_command=… or passphrase_file=…"
            }
            Self::Io(_) | Self::OldCipher | Self::Exposed => return None,
        };
        Some(advice.to_owned())
    }
}

impl Advice for ProxyRefusal {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::LoginDemanded => "name a user in -o proxy=socks5://USER@HOST:PORT",
            Self::LoginRefused => {
                "check the user in -o proxy= and what proxy_password_command or proxy_password_file gives"
            }
            Self::NotSocks5 => "-o proxy= takes only a SOCKS5 proxy",
            Self::LoginTooLong | Self::Forbidden | Self::NameTooLong => return None,
        };
        Some(advice.to_owned())
    }
}

impl Advice for AccessError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Net(error) => error.advice(),
            Self::Password(_) => None,
        }
    }
}

impl Advice for Refusal {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Certificate(distrust, shown) => advice_on(*distrust, shown.as_ref()),
            Self::NotPinned(shown) => Some(format!(
                "if its administrator has renewed the certificate, write {}",
                pin(Some(shown))
            )),
            Self::NotTls => Some(
                "try the pop:// scheme (STLS, port 110), or pops:// with another port (995)"
                    .to_owned(),
            ),
            Self::CertificateDemanded => {
                Some("-o client_cert=FILE names yours, with its private key".to_owned())
            }
            Self::CertificateRefused => Some(
                "its administrator knows which authority has to sign the one in -o client_cert="
                    .to_owned(),
            ),
            Self::NoCertificate
            | Self::Version
            | Self::Cipher
            | Self::WeakKeyExchange
            | Self::LegacyRenegotiation
            | Self::Closed
            | Self::Other(_) => None,
        }
    }
}

fn advice_on(distrust: Distrust, shown: Option<&ShownCertificate>) -> Option<String> {
    let pin = pin(shown);
    match distrust {
        Distrust::Expired => Some(format!(
            "the server's administrator must renew it; {pin} trusts it as it is"
        )),
        Distrust::OtherHost => Some(format!(
            "write a name that it was made for into SOURCE; {pin} trusts it as it is"
        )),
        Distrust::SelfSigned => Some(format!(
            "if you know it, {pin} trusts it, or -o ca_file=FILE if FILE holds it"
        )),
        Distrust::UnknownIssuer => Some(format!(
            "-o ca_file=FILE names another authority; if you know the certificate, {pin} trusts it"
        )),
        Distrust::NotYetValid | Distrust::Weak => None,
    }
}

/// The option that pins the certificate that the server showed.
fn pin(shown: Option<&ShownCertificate>) -> String {
    match shown {
        Some(shown) => format!("-o tls_pin={}", shown.fingerprint),
        None => "-o tls_pin=sha256:…".to_owned(),
    }
}

impl Advice for StoreError {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::Io { .. } => {
                "mend that, name another folder with -o cache_dir=DIR, or set -o cache=off"
            }
            Self::NotAFolder { .. } | Self::AnotherOwner { .. } => {
                "remove it, or name another folder with -o cache_dir=DIR"
            }
            Self::NotAFile { .. } => "remove it",
            Self::WritableByOthers { .. } => {
                "chmod 700 it, or name another folder with -o cache_dir=DIR"
            }
            Self::Sqlite { .. } => {
                "make room or repair the disk, name another folder with -o cache_dir=DIR, or set -o cache=off"
            }
            Self::InUse { .. } => "`pop3fs umount` it first",
            Self::NewerFormat { .. } | Self::NoWriter { .. } => return None,
        };
        Some(advice.to_owned())
    }
}

impl Advice for MountError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::AlreadyMounted { dir } => {
                let dir = dir.display();
                Some(format!(
                    "`pop3fs umount {dir}` first (or `umount -l {dir}` if its pop3fs is gone)"
                ))
            }
            _ => None,
        }
    }
}

impl Advice for OpenError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Maildrop { fault, .. } => fault.advice().or_else(|| advice_at_mounting(fault)),
            Self::Store(error) => error.advice(),
            Self::Thread(_) => None,
        }
    }
}

impl Advice for Fault {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Link(error) => error.advice(),
            Self::Authentication(error) => error.advice(),
            Self::StlsRefused => Some(
                "try the pops:// scheme, or -o tls=off if the password may go in the clear"
                    .to_owned(),
            ),
            Self::TooLarge => Some("-o max_message= allows larger ones".to_owned()),
            Self::HeldBack(_) => Some(
                "`pop3fs commit --yes` deletes them, `pop3fs restore` takes them back".to_owned(),
            ),
            _ => None,
        }
    }
}

/// What to try where no session could be opened.
fn advice_at_mounting(fault: &Fault) -> Option<String> {
    let advice = match fault {
        Fault::Link(error) => match **error {
            NetError::Silence(_) => {
                "is that the port of the scheme (pops:// 995, pop:// 110), or does another program hold the maildrop? -o timeout= waits longer"
            }
            NetError::Closed | NetError::Broken(_) => {
                "try again in a while, and see whether the port is that of the scheme (pops:// 995, pop:// 110)"
            }
            _ => return None,
        },
        Fault::Protocol(_) => "is a POP3 server there (pops:// 995, pop:// 110)?",
        Fault::Refused { .. } => "try again in a while, or ask the server's administrator",
        _ => return None,
    };
    Some(advice.to_owned())
}

impl Advice for AuthenticationError {
    fn advice(&self) -> Option<String> {
        let advice = match self {
            Self::NotOffered { .. } => "set -o auth=auto, or auth= to one of these",
            Self::NothingUnasked(_) => "set -o auth= to one of these",
            Self::NoTimestamp => "set -o auth=auto",
            Self::MechanismRefused { .. } | Self::Unusable { .. } | Self::BadChallenge { .. } => {
                "set -o auth= to another mechanism"
            }
            Self::ServerUnproven | Self::TokenRefused { .. } | Self::NoFreshToken(_) => {
                return None;
            }
        };
        Some(advice.to_owned())
    }
}

impl Advice for FetchError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NoCache => "mount it without -o cache=off to fetch messages ahead".to_owned(),
            Self::TooSmall { octets, room } => format!(
                "mount with a larger -o cache_size= (the maildrop has {}, the cache holds {})",
                size(*octets),
                size(*room)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn a_cache_that_cannot_be_used_is_reported_with_the_remedy() {
        let path = PathBuf::from("/c");
        let writable = StoreError::WritableByOthers {
            path: path.clone(),
            mode: 0o770,
        };
        assert_eq!(
            writable.sentence(),
            "others may write to /c (mode 770): chmod 700 it, or name another folder with -o cache_dir=DIR"
        );
        let in_use = StoreError::InUse { path };
        assert!(in_use.sentence().contains("pop3fs umount"));
    }

    fn assert_advises<E: Advice>(advice: &[(E, &str)]) {
        for (error, words) in advice {
            assert_eq!(error.advice().as_deref(), Some(*words), "{error}");
        }
    }

    #[test]
    fn advice_on_the_cache_names_what_to_change() {
        let path = || PathBuf::from("/c");
        let source = std::io::Error::other("broken");
        let doing = "read";
        assert_advises(&[
            (
                StoreError::Io {
                    doing,
                    path: path(),
                    source,
                },
                "mend that, name another folder with -o cache_dir=DIR, or set -o cache=off",
            ),
            (
                StoreError::Sqlite {
                    path: path(),
                    source: rusqlite::Error::InvalidQuery,
                },
                "make room or repair the disk, name another folder with -o cache_dir=DIR, or set -o cache=off",
            ),
            (
                StoreError::NotAFolder { path: path() },
                "remove it, or name another folder with -o cache_dir=DIR",
            ),
            (StoreError::NotAFile { path: path() }, "remove it"),
            (
                StoreError::InUse { path: path() },
                "`pop3fs umount` it first",
            ),
        ]);
        assert_advises(&[
            (
                FetchError::NoCache,
                "mount it without -o cache=off to fetch messages ahead",
            ),
            (
                FetchError::TooSmall {
                    octets: 3 << 20,
                    room: 1 << 20,
                },
                "mount with a larger -o cache_size= (the maildrop has 3 MiB, the cache holds 1 MiB)",
            ),
        ]);
    }

    #[test]
    fn advice_on_the_way_to_the_server_names_the_option() {
        assert_advises(&[
            (
                FileFault::NoKey,
                "-o client_cert=FILE takes a certificate and its private key, in PEM or PKCS#12",
            ),
            (
                FileFault::OtherKey,
                "put the certificate that belongs to the key first",
            ),
            (
                FileFault::Encrypted,
                "give it by -o passphrase_command=… or passphrase_file=…",
            ),
        ]);
        assert_advises(&[
            (
                ProxyRefusal::LoginDemanded,
                "name a user in -o proxy=socks5://USER@HOST:PORT",
            ),
            (
                ProxyRefusal::LoginRefused,
                "check the user in -o proxy= and what proxy_password_command or proxy_password_file gives",
            ),
            (
                ProxyRefusal::NotSocks5,
                "-o proxy= takes only a SOCKS5 proxy",
            ),
        ]);
        let path = PathBuf::from("/c");
        let reason = "is a folder".to_owned();
        assert_advises(&[(
            NetError::CaFile { path, reason },
            "-o ca_file=FILE takes certificates in PEM",
        )]);
    }

    #[test]
    fn advice_on_a_certificate_names_the_pin() {
        let of = |distrust| Refusal::Certificate(distrust, None);
        assert_advises(&[
            (
                of(Distrust::Expired),
                "the server's administrator must renew it; -o tls_pin=sha256:… trusts it as it is",
            ),
            (
                of(Distrust::OtherHost),
                "write a name that it was made for into SOURCE; -o tls_pin=sha256:… trusts it as it is",
            ),
            (
                of(Distrust::SelfSigned),
                "if you know it, -o tls_pin=sha256:… trusts it, or -o ca_file=FILE if FILE holds it",
            ),
            (
                of(Distrust::UnknownIssuer),
                "-o ca_file=FILE names another authority; if you know the certificate, -o tls_pin=sha256:… trusts it",
            ),
            (
                Refusal::NotTls,
                "try the pop:// scheme (STLS, port 110), or pops:// with another port (995)",
            ),
            (
                Refusal::CertificateDemanded,
                "-o client_cert=FILE names yours, with its private key",
            ),
            (
                Refusal::CertificateRefused,
                "its administrator knows which authority has to sign the one in -o client_cert=",
            ),
        ]);
    }

    #[test]
    fn advice_on_a_server_names_the_option_to_try() {
        let unusable = AuthenticationError::Unusable {
            mechanism: "PLAIN",
            reason: "why".to_owned(),
        };
        let text = || crate::pop3::ServerText::from(&b"no"[..]);
        let not_offered = AuthenticationError::NotOffered {
            wanted: "PLAIN",
            offered: text(),
        };
        assert_advises(&[
            (not_offered, "set -o auth=auto, or auth= to one of these"),
            (
                AuthenticationError::NothingUnasked(text()),
                "set -o auth= to one of these",
            ),
            (unusable, "set -o auth= to another mechanism"),
        ]);
        assert_advises(&[
            (
                Fault::StlsRefused,
                "try the pops:// scheme, or -o tls=off if the password may go in the clear",
            ),
            (Fault::TooLarge, "-o max_message= allows larger ones"),
        ]);
        let advises = |fault: Fault, words: &str| {
            assert_eq!(
                advice_at_mounting(&fault).as_deref(),
                Some(words),
                "{fault}"
            );
        };
        advises(
            NetError::Silence(std::time::Duration::from_secs(1)).into(),
            "is that the port of the scheme (pops:// 995, pop:// 110), or does another program hold the maildrop? -o timeout= waits longer",
        );
        advises(
            NetError::Closed.into(),
            "try again in a while, and see whether the port is that of the scheme (pops:// 995, pop:// 110)",
        );
        let command = "STAT";
        advises(
            Fault::Refused {
                command,
                text: text(),
            },
            "try again in a while, or ask the server's administrator",
        );
    }

    #[test]
    fn a_login_that_needs_another_mechanism_names_the_option() {
        let fault = Fault::from(AuthenticationError::NoTimestamp);
        assert!(fault.sentence().ends_with(": set -o auth=auto"));
    }

    #[test]
    fn a_mounted_directory_is_reported_with_the_remedy() {
        let dir = PathBuf::from("/m");
        let sentence = MountError::AlreadyMounted { dir }.sentence();
        assert!(sentence.contains("`pop3fs umount /m`"), "{sentence}");
    }
}
