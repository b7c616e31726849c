//! What can go wrong between here and the server's socket.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{Refusal, Tls, Trust};

/// A fault of the way to the server: of the network, of its TLS, or of the options that describe them.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The name has no address: a typing error, or no name service.
    #[error("{host} has no address ({source}): is the name right, and the network up?")]
    Resolve {
        /// The host name asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No address of the host took the connection.
    #[error(
        "{host} port {port} does not answer ({source}): is that the right port, and the server up?"
    )]
    Connect {
        /// The host name asked for.
        host: String,
        /// The TCP port asked for.
        port: u16,
        /// What the last address tried gave.
        source: io::Error,
    },
    /// Nothing came for as long as the time-out allows.
    #[error("the server was silent for {} s", .0.as_secs_f32())]
    Silence(Duration),
    /// The server, or something between, closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    /// The server's certificate does not convince, or it speaks no TLS that we accept.
    #[error("TLS with {host} failed: {refusal}")]
    Handshake {
        /// The host that SOURCE names.
        host: String,
        /// The reason.
        refusal: Refusal,
    },
    /// The file of authorities cannot be read or holds no certificate.
    #[error("cannot take certificates from {} ({reason})", path.display())]
    CaFile {
        /// The file named by the option.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The system's TLS library gave no client.
    #[error("TLS is not to be had on this system: {0}")]
    NoTls(String),
    /// The kernel gave no event file descriptor, or poll failed.
    #[error("this system refused {what} ({source})")]
    System {
        /// The thing asked for.
        what: &'static str,
        /// Its errno.
        source: io::Error,
    },
}

impl NetError {
    /// Learns which certificate did not convince. native-tls keeps that of a failed handshake to itself, so `again` connects
    /// a second time and shakes hands by a trust in nobody: that always fails, and nothing can be sent.
    #[must_use]
    pub fn look_again(self, again: impl FnOnce(&Tls) -> Option<NetError>) -> NetError {
        let NetError::Handshake {
            host,
            refusal: Refusal::Certificate(distrust, None),
        } = self
        else {
            return self;
        };
        let nobody = Tls::new(Trust::Pinned(Vec::new())).ok();
        let shown = match nobody.and_then(|nobody| again(&nobody)) {
            Some(NetError::Handshake {
                refusal: Refusal::NotPinned(shown),
                ..
            }) => Some(shown),
            _ => None,
        };
        NetError::Handshake {
            host,
            refusal: Refusal::Certificate(distrust, shown),
        }
    }
}
