//! TLS clients. TLS 1.2 is the oldest version; either the chain and the host name are verified, or
//! the certificate itself.

use std::error::Error as _;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use native_tls::{Certificate, HandshakeError, Protocol, TlsConnector, TlsStream};
use nix::poll::PollFlags;

use super::recording::{Recording, RecordingSocket, SocketCall};
use super::wait::wait_for;
use super::{ClientCertificate, Fingerprint, NetError, Refusal, ShownCertificate};

/// Which servers are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The certificate names the host, and an authority of the system's store has signed it.
    System,
    /// The same, with the authorities in this PEM file and no others.
    Authorities(PathBuf),
    /// The certificate is one of these. The host, the dates and the authority in it do not count.
    Pinned(Vec<Fingerprint>),
}

/// How a stream is made secure, for any number of connections.
#[derive(Debug, Clone)]
pub struct Tls {
    connector: TlsConnector,
    trust: Trust,
    own_certificate: OwnCertificate,
}

/// Whether a client certificate is shown to a server that asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnCertificate {
    None,
    ShownCertificate,
}

impl Tls {
    /// A client with this trust.
    ///
    /// # Errors
    /// [`NetError::CaFile`] if the file of authorities cannot be read or has no certificate.
    pub fn new(trust: Trust) -> Result<Self, NetError> {
        Self::with_certificate(trust, None)
    }

    /// A client with this trust, which shows its certificate to a server that asks for one.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub fn with_certificate(
        trust: Trust,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Self, NetError> {
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
            // The handshake proves that the server has the key of the certificate that it shows.
            // `check_pin` then compares the certificate.
            Trust::Pinned(_) => {
                builder.danger_accept_invalid_certs(true);
                builder.danger_accept_invalid_hostnames(true);
            }
        }
        let own_certificate = match certificate {
            None => OwnCertificate::None,
            Some(certificate) => {
                builder.identity(certificate.identity().clone());
                OwnCertificate::ShownCertificate
            }
        };
        let connector = builder
            .build()
            .map_err(|error| NetError::NoTls(error.to_string()))?;
        Ok(Self {
            connector,
            trust,
            own_certificate,
        })
    }

    /// Does the handshake on a non-blocking socket, within `timeout` in all. Nothing but the
    /// handshake is sent before the certificate is accepted.
    pub(super) fn secure(
        &self,
        socket: TcpStream,
        host: &str,
        timeout: Duration,
    ) -> Result<TlsStream<RecordingSocket>, NetError> {
        let stream = self.shake_hands(socket, host, timeout)?;
        self.check_pin(&stream, host)?;
        Ok(stream)
    }

    fn shake_hands(
        &self,
        socket: TcpStream,
        host: &str,
        timeout: Duration,
    ) -> Result<TlsStream<RecordingSocket>, NetError> {
        let deadline = Instant::now() + timeout;
        let socket = RecordingSocket::new(socket);
        let recording = socket.recording();
        let mut attempt = self.connector.connect(host, socket);
        loop {
            match attempt {
                Ok(stream) => return Ok(stream),
                Err(HandshakeError::Failure(error)) => {
                    return Err(self.failure(host, &error, &recording));
                }
                Err(HandshakeError::WouldBlock(unfinished)) => {
                    wait_for_peer(unfinished.get_ref(), deadline)?;
                    if Instant::now() >= deadline {
                        return Err(NetError::Silence(timeout));
                    }
                    attempt = unfinished.handshake();
                }
            }
        }
    }

    /// TLS 1.2 has no alert of its own for a missing client certificate: the server answers the
    /// empty one with alert 40, as it does if there is no common cipher.
    fn failure(&self, host: &str, error: &native_tls::Error, recording: &Recording) -> NetError {
        match failure(host, error) {
            NetError::Handshake {
                host,
                refusal: Refusal::Cipher,
            } if recording.asks_for_certificate() => NetError::Handshake {
                host,
                refusal: match self.own_certificate {
                    OwnCertificate::None => Refusal::CertificateDemanded,
                    OwnCertificate::ShownCertificate => Refusal::CertificateRefused,
                },
            },
            other => other,
        }
    }

    /// With pinned certificates the handshake accepts every certificate, so it is compared here.
    fn check_pin(&self, stream: &TlsStream<RecordingSocket>, host: &str) -> Result<(), NetError> {
        let Trust::Pinned(pins) = &self.trust else {
            return Ok(());
        };
        let certificate = stream.peer_certificate();
        let certificate = certificate.map_err(|error| failure(host, &error))?;
        let refusal = match certificate.as_ref().and_then(ShownCertificate::of) {
            Some(shown) if pins.contains(&shown.fingerprint) => {
                log::info!("{host} has a pinned certificate; nothing else in it is verified");
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

impl NetError {
    /// Adds the certificate to an error that says it is not trusted, so that the user can pin it.
    /// native-tls does not give out the certificate of a failed handshake. `again` connects a
    /// second time, with a trust that no server meets: that handshake always ends before anything
    /// is sent.
    #[must_use]
    pub fn look_again(self, again: impl FnOnce(&Tls) -> Option<Self>) -> Self {
        let Self::Handshake {
            host,
            refusal: Refusal::Certificate(distrust, None),
        } = self
        else {
            return self;
        };
        let nobody = Tls::new(Trust::Pinned(Vec::new())).ok();
        let shown = match nobody.and_then(|nobody| again(&nobody)) {
            Some(Self::Handshake {
                refusal: Refusal::NotPinned(shown),
                ..
            }) => Some(shown),
            _ => None,
        };
        Self::Handshake {
            host,
            refusal: Refusal::Certificate(distrust, shown),
        }
    }
}

fn wait_for_peer(stream: &RecordingSocket, deadline: Instant) -> Result<(), NetError> {
    let events = match stream.last_call {
        SocketCall::Read => PollFlags::POLLIN,
        SocketCall::Write => PollFlags::POLLOUT,
    };
    wait_for(&stream.socket, events, deadline)
}

/// The network's fault or the server's.
fn failure(host: &str, error: &native_tls::Error) -> NetError {
    let of_network = error.source().and_then(|cause| cause.downcast_ref());
    if let Some(error) = of_network {
        return NetError::from_socket(io::Error::kind(error).into());
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
        .map_err(|_| refuse("contains a damaged PEM certificate".to_owned()))?;
    if found.is_empty() {
        return Err(refuse("contains no PEM certificate".to_owned()));
    }
    Ok(found)
}

/// Reads a regular file. A device or a pipe might never end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("is not a file"));
    }
    std::fs::read(path)
}
