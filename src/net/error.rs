//! What can go wrong between this program and the server's socket.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use super::Refusal;

/// A fault of the network, of the server's TLS, of this system, or of the options that name a
/// server.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The user's or the network's: the host name has no address.
    #[error("{host} has no address ({source}): is the name right, and the network up?")]
    Resolve {
        /// The host name.
        host: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// The server's or the network's: no address of the host accepts the connection.
    #[error(
        "{host} port {port} does not answer ({source}): is that the right port, and the server up?"
    )]
    Connect {
        /// The host name.
        host: String,
        /// The TCP port.
        port: u16,
        /// The error of the last address.
        source: io::Error,
    },
    /// The server's or the network's: nothing came within the timeout.
    #[error("the server was silent for {} s", .0.as_secs_f32())]
    Silence(Duration),
    /// The server's, or that of something on the way: it closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The network's: the connection broke.
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    /// The server's or the user's: the certificate is not trusted, or the server has no TLS that we
    /// accept.
    #[error("TLS with {host} failed: {refusal}")]
    Handshake {
        /// The host that SOURCE names.
        host: String,
        /// The reason.
        refusal: Refusal,
    },
    /// The user's: the file of authorities cannot be read, or contains no certificate.
    #[error("cannot take certificates from {} ({reason})", path.display())]
    CaFile {
        /// The file named by the option.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The user's: the file of the client certificate cannot be used.
    #[error("the client certificate {} {reason}", path.display())]
    ClientCertificate {
        /// The file named by the option.
        path: PathBuf,
        /// Why it cannot be used.
        reason: FileFault,
    },
    /// The user's or the proxy's: the proxy does not connect us to the server.
    #[error("the proxy {proxy} does not connect us: {refusal}")]
    Proxy {
        /// The proxy, without the login.
        proxy: String,
        /// The reason.
        refusal: ProxyRefusal,
    },
    /// This system's: its TLS library gives no client.
    #[error("the TLS library of this system cannot be used: {0}")]
    NoTls(String),
    /// This system's: the kernel gives no eventfd, or poll(2) fails.
    #[error("this system refused {what} ({source})")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// Why a proxy does not connect us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyRefusal {
    /// Something other than a SOCKS5 proxy answers.
    #[error("it is not a SOCKS5 proxy")]
    NotSocks5,
    /// The proxy accepts no login that was offered.
    #[error("it demands a login that was not offered")]
    LoginDemanded,
    /// The user name or the password is wrong.
    #[error("it refuses the user name or the password")]
    LoginRefused,
    /// The password is too long for SOCKS5.
    #[error("the password for it has more than 255 octets")]
    LoginTooLong,
    /// The rules of the proxy forbid the connection.
    #[error("its rules forbid connections to the server")]
    Forbidden,
    /// The name of the server is too long for SOCKS5.
    #[error("the name of the server has more than 255 octets")]
    NameTooLong,
}

/// Why a file gives no client certificate.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The file cannot be read.
    #[error("{0}")]
    Io(io::Error),
    /// The file has no certificate, or a damaged one.
    #[error("contains no certificate")]
    NoCertificate,
    /// The file has no private key, or a damaged one.
    #[error("contains no private key")]
    NoKey,
    /// The private key is encrypted, and there is no passphrase.
    #[error("needs a passphrase")]
    Encrypted,
    /// The private key is encrypted with another passphrase.
    #[error("has another passphrase")]
    WrongPassphrase,
    /// The file is encrypted with a cipher that this system's OpenSSL does not have. OpenSSL 3 no
    /// longer has what older programs wrote PKCS#12 with.
    #[error("is encrypted with an old cipher that this system refuses: export it again")]
    OldCipher,
    /// The private key is not encrypted, and every user of the machine can read the file.
    #[error("can be read by others, so it is not used: `chmod 600` it first")]
    Exposed,
    /// The certificate is of another key.
    #[error("has a private key that is not the one of its first certificate")]
    OtherKey,
    /// The file is neither PEM nor PKCS#12.
    #[error("is neither PEM nor PKCS#12")]
    NeitherFormat,
}

impl NetError {
    /// Whether the network or the server is at fault, and neither this system nor an option.
    #[must_use]
    pub fn is_of_the_network(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Silence(_)
            | Self::Closed
            | Self::Broken(_)
            | Self::Proxy { .. }
            | Self::Handshake { .. } => true,
            Self::CaFile { .. }
            | Self::ClientCertificate { .. }
            | Self::NoTls(_)
            | Self::System { .. } => false,
        }
    }

    /// What an error of the socket says about the connection.
    pub(super) fn from_socket(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                Self::Closed
            }
            _ => Self::Broken(error),
        }
    }
}
