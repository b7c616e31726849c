//! On what terms a session stands.

use crate::maildrop::fault::Fault;
use crate::maildrop::login::mechanism::Method;
use crate::net::TlsVersion;
use crate::pop3::Capabilities;
use std::fmt;

/// How the connection to the server stands.
#[derive(Clone, Debug, Default)]
pub enum Connection {
    /// There is none: it is made when something is wanted.
    #[default]
    Closed,
    /// A session is open.
    Open(Terms),
    /// The last attempt failed.
    Failed(Fault),
}

/// On what terms a session stands.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The version of TLS; none in clear.
    pub tls: Option<TlsVersion>,
    /// How the user has proven who they are.
    pub method: Method,
    /// The server's replies were out of step, so it gets one command at a time.
    pub is_one_at_a_time: bool,
    /// What the server announced last.
    pub capabilities: Capabilities,
}

/// Completes "logged in …": who can read the session, for the log.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tls {
            None => f.write_str("in clear"),
            Some(version) => write!(f, "over {version}"),
        }
    }
}
