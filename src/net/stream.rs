//! A connected stream, in clear or under TLS.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use native_tls::TlsStream;
use socket2::{SockRef, TcpKeepalive};

use super::version::Overheard;
use super::{Accepted, NetError, Tls, TlsVersion};

/// An idle connection is probed after so long.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// Between two probes that nobody answers.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// After so many of them the connection is broken.
const PROBES: u32 = 3;

/// A host name or address, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name to resolve, and to find in the certificate, or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Who can read what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Everybody on the way.
    Clear,
    /// The server whose certificate was verified.
    Tls,
}

/// What one read or write on a non-blocking stream came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// So many octets went; never 0.
    Moved(usize),
    /// None for now.
    NotNow,
}

/// A connected, non-blocking stream; only [`Stream::secure`] waits.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    endpoint: Endpoint,
    timeout: Duration,
}

enum Wire {
    Clear(TcpStream),
    Tls(Box<TlsStream<Overheard>>),
}

impl Stream {
    /// Connects to the first address of the host that answers; each is given `timeout`.
    ///
    /// # Errors
    /// [`NetError::Resolve`] or [`NetError::Connect`].
    pub fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Stream, NetError> {
        let mut refusal = io::Error::new(ErrorKind::NotFound, "no address");
        for address in endpoint.addresses()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(socket) => return Stream::over(socket, endpoint, timeout),
                Err(error) => refusal = error,
            }
        }
        Err(NetError::Connect {
            host: endpoint.host.clone(),
            port: endpoint.port,
            source: refusal,
        })
    }

    /// Connects with TLS from the first octet (RFC 8314 section 3.3).
    ///
    /// # Errors
    /// As [`Stream::connect`] and [`Stream::secure`]. A certificate that does not convince is in the error.
    pub fn connect_secure(
        endpoint: &Endpoint,
        tls: &Tls,
        timeout: Duration,
    ) -> Result<Stream, NetError> {
        let secured = Stream::connect(endpoint, timeout)?.secure(tls);
        secured.map_err(|error| {
            error.look_again(|nobody| {
                Stream::connect(endpoint, timeout)
                    .ok()?
                    .secure(nobody)
                    .err()
            })
        })
    }

    fn over(socket: TcpStream, endpoint: &Endpoint, timeout: Duration) -> Result<Stream, NetError> {
        socket.set_nodelay(true).map_err(NetError::Broken)?;
        // Providers and NAT boxes drop an idle connection without a word.
        let keepalive = TcpKeepalive::new()
            .with_time(PROBE_AFTER)
            .with_interval(PROBE_EVERY)
            .with_retries(PROBES);
        SockRef::from(&socket)
            .set_tcp_keepalive(&keepalive)
            .map_err(NetError::Broken)?;
        socket.set_nonblocking(true).map_err(NetError::Broken)?;
        Ok(Stream {
            wire: Wire::Clear(socket),
            endpoint: endpoint.clone(),
            timeout,
        })
    }

    /// Puts TLS on a stream that is in clear; within the time-out of the connection.
    ///
    /// # Errors
    /// [`NetError::Handshake`] where the server does not convince, [`NetError::Silence`] where it says nothing.
    pub fn secure(self, tls: &Tls) -> Result<Stream, NetError> {
        let Wire::Clear(socket) = self.wire else {
            return Ok(self);
        };
        let secured = tls.secure(socket, &self.endpoint.host, self.timeout)?;
        Ok(Stream {
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

    /// The version of TLS that is spoken; none in clear.
    #[must_use]
    pub fn tls_version(&self) -> Option<TlsVersion> {
        match &self.wire {
            Wire::Clear(_) => None,
            Wire::Tls(tls) => Some(tls.get_ref().version()),
        }
    }

    /// The certificate that has convinced; none in clear.
    #[must_use]
    pub fn certificate(&self) -> Option<Accepted> {
        match &self.wire {
            Wire::Clear(_) => None,
            Wire::Tls(tls) => Accepted::of(tls.peer_certificate().ok().flatten().as_ref()?),
        }
    }

    /// The address that has answered.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.socket().peer_addr().ok()
    }

    /// Reads what has come. TLS holds octets that poll does not see: read until [`Transfer::NotNow`].
    ///
    /// # Errors
    /// [`NetError::Closed`] at the end of the stream, whether TLS has announced it or not, [`NetError::Broken`] otherwise.
    pub fn read(&mut self, into: &mut [u8]) -> Result<Transfer, NetError> {
        let read = match &mut self.wire {
            Wire::Clear(socket) => socket.read(into),
            Wire::Tls(tls) => tls.read(into),
        };
        self.acknowledge();
        transfer(read)
    }

    /// Writes as much as the kernel takes.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub fn write(&mut self, from: &[u8]) -> Result<Transfer, NetError> {
        let written = match &mut self.wire {
            Wire::Clear(socket) => socket.write(from),
            Wire::Tls(tls) => tls.write(from),
        };
        transfer(written)
    }

    /// mailutils and mpopd write a reply in two pieces with Nagle's algorithm on: the second waits for the acknowledgement
    /// of the first, which the kernel would delay by 40 ms. The option does not last, so it is set after each read.
    fn acknowledge(&self) {
        if let Err(error) = SockRef::from(self.socket()).set_tcp_quickack(true) {
            log::debug!("acknowledgements may be slow: {error}");
        }
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match &self.wire {
            Wire::Clear(socket) => socket,
            Wire::Tls(tls) => &tls.get_ref().socket,
        }
    }
}

impl Endpoint {
    /// All addresses of the host, in the order in which they are tried.
    ///
    /// # Errors
    /// [`NetError::Resolve`].
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, NetError> {
        (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .map_err(|source| NetError::Resolve {
                host: self.host.clone(),
                source,
            })
    }
}

fn transfer(result: io::Result<usize>) -> Result<Transfer, NetError> {
    match result {
        Ok(0) => Err(NetError::Closed),
        Ok(octets) => Ok(Transfer::Moved(octets)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(Transfer::NotNow),
            _ => Err(broken(error)),
        },
    }
}

/// What an error of the socket says about the connection.
pub(super) fn broken(error: io::Error) -> NetError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            NetError::Closed
        }
        _ => NetError::Broken(error),
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wire::Clear(_) => "Clear",
            Wire::Tls(_) => "Tls",
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}
