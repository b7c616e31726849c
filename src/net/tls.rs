//! TLS clients: at least 1.2; the chain and the host name verified, or the certificate itself.

use std::error::Error as _;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use native_tls::{Certificate, HandshakeError, Protocol, TlsConnector, TlsStream};
use nix::poll::PollFlags;

use super::stream::broken;
use super::version::{Asked, Overheard};
use super::wait::wait_for;
use super::{Fingerprint, NetError, Refusal, Shown};

/// By what a server is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Its certificate is for the host, and an authority of the system's store stands behind it.
    System,
    /// The same with the authorities of this PEM file, and no others.
    Authorities(PathBuf),
    /// Its certificate is one of these, whatever host, dates and authority are in it.
    Pinned(Vec<Fingerprint>),
}

/// How a stream is made secure: the trust in certificates, ready for any number of connections.
#[derive(Debug, Clone)]
pub struct Tls {
    connector: TlsConnector,
    trust: Trust,
}

impl Tls {
    /// A client that trusts so.
    ///
    /// # Errors
    /// [`NetError::CaFile`] where the file of authorities is unreadable or holds no certificate.
    pub fn new(trust: Trust) -> Result<Tls, NetError> {
        let mut builder = TlsConnector::builder();
        builder.min_protocol_version(Some(Protocol::Tlsv12));
        match &trust {
            Trust::System => {}
            Trust::Authorities(path) => {
                builder.disable_built_in_roots(true);
                for certificate in certificates(path)? {
                    builder.add_root_certificate(certificate);
                }
            }
            // The handshake still proves that the server has the certificate's key; `Tls::check_pin` does the rest.
            Trust::Pinned(_) => {
                builder.danger_accept_invalid_certs(true);
                builder.danger_accept_invalid_hostnames(true);
            }
        }
        let connector = builder
            .build()
            .map_err(|error| NetError::NoTls(error.to_string()))?;
        Ok(Tls { connector, trust })
    }

    /// Shakes hands over a non-blocking socket; `patience` bounds the whole, however slowly the octets come. Nothing but the
    /// handshake is sent before the certificate has convinced.
    pub(super) fn secure(
        &self,
        socket: TcpStream,
        host: &str,
        patience: Duration,
    ) -> Result<TlsStream<Overheard>, NetError> {
        let stream = self.shake_hands(socket, host, patience)?;
        self.check_pin(&stream, host)?;
        Ok(stream)
    }

    fn shake_hands(
        &self,
        socket: TcpStream,
        host: &str,
        patience: Duration,
    ) -> Result<TlsStream<Overheard>, NetError> {
        let deadline = Instant::now() + patience;
        let mut attempt = self.connector.connect(host, Overheard::new(socket));
        loop {
            match attempt {
                Ok(stream) => return Ok(stream),
                Err(HandshakeError::Failure(error)) => return Err(failure(host, &error)),
                Err(HandshakeError::WouldBlock(unfinished)) => {
                    wait_for_peer(unfinished.get_ref(), deadline)?;
                    if Instant::now() >= deadline {
                        return Err(NetError::Silence(patience));
                    }
                    attempt = unfinished.handshake();
                }
            }
        }
    }

    /// Every certificate has passed the handshake where some are pinned.
    fn check_pin(&self, stream: &TlsStream<Overheard>, host: &str) -> Result<(), NetError> {
        let Trust::Pinned(pins) = &self.trust else {
            return Ok(());
        };
        let certificate = stream.peer_certificate();
        let certificate = certificate.map_err(|error| failure(host, &error))?;
        let refusal = match certificate.as_ref().and_then(Shown::of) {
            Some(shown) if pins.contains(&shown.fingerprint) => {
                log::info!(
                    "{host}'s certificate is a pinned one; nothing else in it was looked at"
                );
                return Ok(());
            }
            Some(shown) => Refusal::NotPinned(shown),
            None => Refusal::NoCertificate,
        };
        Err(NetError::Handshake {
            host: host.to_owned(),
            refusal,
        })
    }
}

fn wait_for_peer(stream: &Overheard, deadline: Instant) -> Result<(), NetError> {
    let events = match stream.asked {
        Asked::Octets => PollFlags::POLLIN,
        Asked::Room => PollFlags::POLLOUT,
    };
    wait_for(&stream.socket, events, deadline)
}

/// The network's fault or the server's.
fn failure(host: &str, error: &native_tls::Error) -> NetError {
    let of_network = error.source().and_then(|cause| cause.downcast_ref());
    if let Some(error) = of_network {
        return broken(io::Error::kind(error).into());
    }
    log::debug!("OpenSSL says: {error}");
    NetError::Handshake {
        host: host.to_owned(),
        refusal: Refusal::from_openssl(&error.to_string()),
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, NetError> {
    let refuse = |reason: String| NetError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let pem = read(path).map_err(|error| refuse(error.to_string()))?;
    let found = Certificate::stack_from_pem(&pem)
        .map_err(|_| refuse("holds a damaged PEM certificate".to_owned()))?;
    if found.is_empty() {
        return Err(refuse("holds no PEM certificate".to_owned()));
    }
    Ok(found)
}

/// Regular files only: a device or a pipe may never end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("is not a file"));
    }
    std::fs::read(path)
}
