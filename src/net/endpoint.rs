//! Where a server is.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use super::NetError;

/// A host name or address, and a TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name to resolve and to find in the certificate, or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Endpoint {
    /// All addresses of the host, in the order of preference of the system (RFC 6724).
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}
