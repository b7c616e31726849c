//! A connected stream, in the clear or under TLS.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use native_tls::TlsStream;
use socket2::{SockRef, TcpKeepalive};

use super::recording::RecordingSocket;
use super::{Accepted, Endpoint, NetError, Refusal, Route, Tls, TlsVersion};

/// The kernel probes a connection that was idle for this long.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// The time between two probes without an answer.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// After this many unanswered probes the connection is broken.
const PROBES: u32 = 3;

/// Who can read what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Everybody on the way.
    Clear,
    /// Only the server whose certificate was verified.
    Tls,
}

/// The outcome of one read or write on a non-blocking stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoOutcome {
    /// This many octets were moved; never 0.
    Moved(usize),
    /// Nothing can be moved now.
    NotNow,
}

/// A connected, non-blocking stream. Only [`Stream::secure`] waits.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    endpoint: Endpoint,
    timeout: Duration,
}

enum Wire {
    Clear(TcpStream),
    Tls(Box<TlsStream<RecordingSocket>>),
}

impl Stream {
    /// Connects to the address of the host that answers first, or through the proxy of the route.
    /// Each address is given `timeout`.
    ///
    /// # Errors
    /// [`NetError::Resolve`], [`NetError::Connect`] or [`NetError::Proxy`].
    pub fn connect(route: &Route, timeout: Duration) -> Result<Self, NetError> {
        let socket = route.connect(timeout)?;
        Self::over(socket, route.endpoint(), timeout)
    }

    /// Connects with TLS from the first octet (RFC 8314 section 3.3).
    ///
    /// # Errors
    /// As [`Stream::connect`] and [`Stream::secure`]. If the certificate is not trusted, the error
    /// describes it.
    pub fn connect_secure(route: &Route, tls: &Tls, timeout: Duration) -> Result<Self, NetError> {
        let secured = Self::connect(route, timeout)?.secure(tls);
        secured.map_err(|error| {
            error.look_again(|nobody| Self::connect(route, timeout).ok()?.secure(nobody).err())
        })
    }

    fn over(socket: TcpStream, endpoint: &Endpoint, timeout: Duration) -> Result<Self, NetError> {
        socket.set_nodelay(true).map_err(NetError::Broken)?;
        // Providers and NAT routers drop an idle connection without telling either side.
        let keepalive = TcpKeepalive::new()
            .with_time(PROBE_AFTER)
            .with_interval(PROBE_EVERY)
            .with_retries(PROBES);
        SockRef::from(&socket)
            .set_tcp_keepalive(&keepalive)
            .map_err(NetError::Broken)?;
        socket.set_nonblocking(true).map_err(NetError::Broken)?;
        Ok(Self {
            wire: Wire::Clear(socket),
            endpoint: endpoint.clone(),
            timeout,
        })
    }

    /// Puts TLS on a stream in the clear, within the timeout of the connection.
    ///
    /// # Errors
    /// [`NetError::Handshake`] if the server is not trusted, [`NetError::Silence`] if it does not
    /// answer.
    pub fn secure(self, tls: &Tls) -> Result<Self, NetError> {
        let Wire::Clear(socket) = self.wire else {
            return Ok(self);
        };
        let secured = tls.secure(socket, &self.endpoint.host, self.timeout)?;
        Ok(Self {
            wire: Wire::Tls(Box::new(secured)),
            ..self
        })
    }

    /// Who can read what is sent from now on.
    #[must_use]
    pub fn protection(&self) -> Protection {
        match self.wire {
            Wire::Clear(_) => Protection::Clear,
            Wire::Tls(_) => Protection::Tls,
        }
    }

    /// The version of TLS in use; none in the clear.
    #[must_use]
    pub fn tls_version(&self) -> Option<TlsVersion> {
        match &self.wire {
            Wire::Clear(_) => None,
            Wire::Tls(tls) => Some(tls.get_ref().version()),
        }
    }

    /// The certificate that was accepted; none in the clear.
    #[must_use]
    pub fn certificate(&self) -> Option<Accepted> {
        match &self.wire {
            Wire::Clear(_) => None,
            Wire::Tls(tls) => Accepted::of(tls.peer_certificate().ok().flatten().as_ref()?),
        }
    }

    /// The address that the stream is connected to: the server's, or the proxy's.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.socket().peer_addr().ok()
    }

    /// Reads what has arrived. TLS may hold octets that poll(2) does not see, so read until
    /// [`IoOutcome::NotNow`].
    ///
    /// # Errors
    /// [`NetError::Closed`] at the end of the stream, whether TLS announced it or not;
    /// [`NetError::Broken`] otherwise.
    pub fn read(&mut self, into: &mut [u8]) -> Result<IoOutcome, NetError> {
        let read = match &mut self.wire {
            Wire::Clear(socket) => socket.read(into),
            Wire::Tls(tls) => tls.read(into),
        };
        self.acknowledge_at_once();
        self.transfer(read)
    }

    /// Writes as much as the kernel accepts.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub fn write(&mut self, from: &[u8]) -> Result<IoOutcome, NetError> {
        let written = match &mut self.wire {
            Wire::Clear(socket) => socket.write(from),
            Wire::Tls(tls) => tls.write(from),
        };
        self.transfer(written)
    }

    fn transfer(&self, result: io::Result<usize>) -> Result<IoOutcome, NetError> {
        match result {
            Ok(0) => Err(NetError::Closed),
            Ok(octets) => Ok(IoOutcome::Moved(octets)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(IoOutcome::NotNow),
                _ => Err(self.fault(error)),
            },
        }
    }

    /// With TLS 1.3 the handshake ends before the server has looked at the client certificate, so
    /// the alert about it comes with the first read.
    fn fault(&self, error: io::Error) -> NetError {
        if let Wire::Tls(_) = self.wire
            && let refusal @ (Refusal::CertificateDemanded | Refusal::CertificateRefused) =
                Refusal::from_openssl(&error.to_string())
        {
            return NetError::Handshake {
                host: self.endpoint.host.clone(),
                refusal,
            };
        }
        NetError::from_socket(error)
    }

    /// Has the kernel acknowledge what was read without its delay of 40 ms. mailutils and mpopd
    /// write a reply in two pieces with Nagle's algorithm on, so that the second waits for the
    /// acknowledgement of the first. The kernel resets the option, so it is set after each read.
    fn acknowledge_at_once(&self) {
        if let Err(error) = SockRef::from(self.socket()).set_tcp_quickack(true) {
            log::debug!("acknowledgements may be delayed: {error}");
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Clear(socket) => socket,
            Wire::Tls(tls) => &tls.get_ref().socket,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear",
            Self::Tls(_) => "Tls",
        })
    }
}
