//! The state of the connection, as `status` and the log show it.

use crate::maildrop::fault::Fault;
use crate::maildrop::login::mechanism::Method;
use crate::net::{BootTime, TlsVersion};
use crate::pop3::Capabilities;
use std::fmt;

/// The state of the connection to the server.
#[derive(Clone, Debug, Default)]
pub enum Connection {
    /// There is no connection. The engine opens one when a request needs it.
    #[default]
    Closed,
    /// A session is open.
    Open(Terms),
    /// The last attempt to connect or log in failed.
    Failed {
        /// Why.
        fault: Fault,
        /// The next attempt is made when a request needs it, and not before this. `None` if this
        /// mount tries no more.
        retry: Option<BootTime>,
    },
}

/// How a session is protected, and what its server can do.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The version of TLS. `None` without TLS.
    pub tls: Option<TlsVersion>,
    /// How the client authenticated.
    pub method: Method,
    /// The server gets one command at a time, because its replies were once out of step.
    pub is_one_at_a_time: bool,
    /// The capabilities that the server announced last.
    pub capabilities: Capabilities,
}

/// Completes "logged in …" in the log.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tls {
            None => f.write_str("in clear"),
            Some(version) => write!(f, "over {version}"),
        }
    }
}
