//! Why something wanted of the maildrop could not be had, and whose fault that is.

pub(crate) mod authentication;
pub(crate) mod in_use;

use std::sync::Arc;

use crate::maildrop::deletion::limit::Held;
use crate::maildrop::fault::authentication::AuthenticationError;
use crate::maildrop::fault::in_use::speaks_of_a_lock;
use crate::net::{Endpoint, NetError};
use crate::pop3::{CommandError, ProtocolError, ResponseCode, ServerText, Status};

/// A want that failed. Cheap to clone: one fault of the link fails everything that waits on it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The way to the server: the network's fault, or that of the options naming the server.
    #[error(transparent)]
    Link(Arc<NetError>),
    /// The server broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The user name or the password cannot be sent.
    #[error(transparent)]
    Unsendable(#[from] CommandError),
    /// The server does not take the user name and the password. Never tried again by itself.
    #[error("the server refused the login ({0}): check the user name and the password")]
    LoginRefused(ServerText),
    /// The user and the server could not prove to each other who they are.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// Another session holds the maildrop (RFC 2449 section 8.1.1).
    #[error("the maildrop is busy ({0}): another program may be reading it, try again in a while")]
    Busy(ServerText),
    /// The server wants more time between two log-ins (RFC 2449 sections 6.5 and 8.1.2).
    #[error("the server wants more time between two logins ({0}): try again in a while")]
    TooSoon(ServerText),
    /// The server has a trouble of its own that will pass (RFC 3206 section 4).
    #[error("the server has a passing fault of its own ({0}): try again in a while")]
    Passing(ServerText),
    /// The server has a trouble of its own that it calls permanent (RFC 3206 section 5).
    #[error("the server has a permanent fault ({0}): ask its administrator")]
    ServerFault(ServerText),
    /// The server cannot do what was asked for, and nothing else will do.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The server refuses TLS, which the user wants.
    #[error("the server refuses STLS")]
    StlsRefused,
    /// The server answered -ERR to a command that it should carry out.
    #[error("the server refused {command} ({text})")]
    Refused {
        /// The command's verb.
        command: &'static str,
        /// The server's words.
        text: ServerText,
    },
    /// The message is no longer in the maildrop.
    #[error("the message is no longer on the server")]
    Departed,
    /// The body is larger than `max_message` allows.
    #[error("the message is larger than max_message")]
    TooLarge,
    /// RETR gave no octet of a message that LIST says has some (Exchange does this).
    #[error("the server sent an empty body for a message that is not empty")]
    EmptyBody,
    /// The server's: what it sent for the message has another size than it announced, and is not the same when asked again.
    #[error("the server sends other octets for the message each time: nothing of them is believed")]
    Unconfirmed,
    /// This machine has no room for the body, which is too large for the memory.
    #[error("there is no room for the message on this machine ({0})")]
    NoRoom(Arc<std::io::Error>),
    /// QUIT had no answer, or a refusal, and a look at the maildrop since has not told what became of the messages.
    #[error("the server did not confirm the deletions ({0})")]
    OutcomeUnknown(String),
    /// The user's: the delete limit holds a commit back. Nothing was sent.
    #[error("{0}")]
    HeldBack(Held),
    /// The mount is ending.
    #[error("the mount is ending")]
    Ending,
}

impl From<NetError> for Fault {
    fn from(error: NetError) -> Fault {
        Fault::Link(Arc::new(error))
    }
}

impl From<Held> for Fault {
    fn from(held: Held) -> Fault {
        Fault::HeldBack(held)
    }
}

impl Fault {
    /// The fault behind a -ERR instead of a greeting. A server that turns everybody away has refused no password.
    pub(crate) fn of_greeting(status: &Status<'_>) -> Fault {
        let command = "the connection";
        match Fault::of_refusal(command, status) {
            Fault::LoginRefused(text) => Fault::Refused { command, text },
            fault => fault,
        }
    }

    /// The fault behind a -ERR to a command of the login.
    pub(crate) fn of_login(status: &Status<'_>) -> Fault {
        Fault::told(status).unwrap_or_else(|| Fault::LoginRefused(status.server_text()))
    }

    /// The fault behind a -ERR to a command of the session.
    pub(crate) fn of_refusal(command: &'static str, status: &Status<'_>) -> Fault {
        Fault::told(status).unwrap_or_else(|| Fault::Refused {
            command,
            text: status.server_text(),
        })
    }

    /// Where the server tells the reason, by a response code or in words.
    fn told(status: &Status<'_>) -> Option<Fault> {
        let text = status.server_text();
        match status.code {
            Some(ResponseCode::InUse) => Some(Fault::Busy(text)),
            Some(ResponseCode::LoginDelay) => Some(Fault::TooSoon(text)),
            Some(ResponseCode::SysTemp) => Some(Fault::Passing(text)),
            Some(ResponseCode::SysPerm) => Some(Fault::ServerFault(text)),
            Some(ResponseCode::Auth) => Some(Fault::LoginRefused(text)),
            _ if speaks_of_a_lock(text.as_str()) => Some(Fault::Busy(text)),
            _ => None,
        }
    }

    pub(crate) fn no_room(error: std::io::Error) -> Fault {
        Fault::NoRoom(Arc::new(error))
    }

    /// True where the same secret would be refused again.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Fault::LoginRefused(_) => true,
            Fault::Authentication(error) => error.is_final(),
            _ => false,
        }
    }

    /// True where a new connection may have what this one lost.
    pub(crate) fn is_of_the_link(&self) -> bool {
        matches!(self, Fault::Link(_) | Fault::Protocol(_))
    }

    /// True where the server says that it will take us later.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Fault::Busy(_) | Fault::TooSoon(_) | Fault::Passing(_))
    }

    /// True where another attempt cannot help, or does harm: accounts are locked after a few refused passwords.
    pub(crate) fn is_final(&self) -> bool {
        self.is_refusal() || matches!(self, Fault::ServerFault(_))
    }

    /// What happened, with the host and port where the message alone does not say which server it is.
    #[must_use]
    pub fn with_endpoint(&self, endpoint: &Endpoint) -> String {
        let Endpoint { host, port } = endpoint;
        let is_without_host = match self {
            Fault::Link(error) => matches!(
                **error,
                NetError::Silence(_) | NetError::Closed | NetError::Broken(_)
            ),
            Fault::Protocol(_) | Fault::Refused { .. } => true,
            _ => false,
        };
        match is_without_host {
            true => format!("{host} port {port}: {self}"),
            false => self.to_string(),
        }
    }

    /// True for a silence that lasted a whole time-out.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Fault::Link(error) if matches!(**error, NetError::Silence(_)))
    }
}
