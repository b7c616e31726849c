//! What the user can do about an error of the lower layers.
//!
//! The lower layers say what happened. How an option or a command is written is known here only.

use std::fmt::Display;

use crate::cli::account::server_access::AccessError;
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
            Self::OtherKey => "put the certificate of the key first",
            Self::Encrypted | Self::WrongPassphrase => {
                "-o passphrase_command=… or passphrase_file=… gives it"
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
                "is the user in -o proxy= right, and what proxy_password_command or proxy_password_file gives?"
            }
            Self::NotSocks5 => "-o proxy= takes a SOCKS5 proxy, and none of another kind",
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
                "if the certificate was replaced by right, the option is now {}",
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
            "write the name that it was made for into SOURCE; {pin} trusts it as it is"
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
                "make it possible, name another folder with -o cache_dir=DIR, or set -o cache=off"
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
                "is that the port of the scheme (pops:// 995, pop:// 110)? -o timeout= waits longer"
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
                "set -o auth= to another"
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
            Self::TooSmall { .. } => "mount with a larger -o cache_size=".to_owned(),
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
