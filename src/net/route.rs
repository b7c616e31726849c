//! The way to a server: its addresses, or a proxy.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::race::{RaceError, connect_to_any, in_racing_order};
use super::{Endpoint, NetError, Proxy};

/// How a server is reached, for any number of connections.
#[derive(Debug)]
pub struct Route {
    endpoint: Endpoint,
    proxy: Option<Proxy>,
    /// The address that answered first the last time.
    winner: Mutex<Option<SocketAddr>>,
}

impl Route {
    /// The way to a server without a proxy.
    #[must_use]
    pub fn direct(endpoint: Endpoint) -> Self {
        Self::new(endpoint, None)
    }

    /// The way to a server, through the proxy if there is one.
    #[must_use]
    pub fn new(endpoint: Endpoint, proxy: Option<Proxy>) -> Self {
        Self {
            endpoint,
            proxy,
            winner: Mutex::new(None),
        }
    }

    /// The server.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The proxy through which the server is reached.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The addresses to connect to: the server's, or the proxy's. With a proxy the name of the
    /// server is not resolved here.
    ///
    /// # Errors
    /// [`NetError::Resolve`].
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, NetError> {
        self.first_stop().addresses()
    }

    fn first_stop(&self) -> &Endpoint {
        self.proxy.as_ref().map_or(&self.endpoint, Proxy::endpoint)
    }

    /// A connected socket. Each address is given `timeout`, and so is the proxy's answer.
    pub(super) fn connect(&self, timeout: Duration) -> Result<TcpStream, NetError> {
        let socket = self.race(timeout)?;
        if let Some(proxy) = &self.proxy {
            proxy.connect_through(&socket, &self.endpoint, Instant::now() + timeout)?;
        }
        Ok(socket)
    }

    fn race(&self, timeout: Duration) -> Result<TcpStream, NetError> {
        let winner = *self.winner.lock();
        let addresses = in_racing_order(self.addresses()?, winner);
        let connected = connect_to_any(&addresses, timeout).map_err(|error| match error {
            RaceError::NoAnswer(source) => self.first_stop().does_not_answer(source),
            RaceError::System(error) => error,
        })?;
        *self.winner.lock() = connected.peer_addr().ok();
        Ok(connected)
    }
}

impl Endpoint {
    /// The error of an endpoint that accepts no connection.
    pub(super) fn does_not_answer(&self, source: io::Error) -> NetError {
        NetError::Connect {
            host: self.host.clone(),
            port: self.port,
            source,
        }
    }
}
