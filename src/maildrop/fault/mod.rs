//! Why a request to the maildrop failed, and whose fault it is.

pub(crate) mod authentication;
pub(crate) mod in_use;
pub(crate) mod passing;
pub(crate) mod unknown_command;

use std::sync::Arc;

use crate::maildrop::deletion::limit::Held;
use crate::maildrop::fault::authentication::AuthenticationError;
use crate::maildrop::fault::in_use::speaks_of_a_lock;
use crate::maildrop::fault::passing::{
    speaks_of_an_unreadable_maildrop, speaks_of_passing_trouble,
};
use crate::net::{Endpoint, NetError};
use crate::pop3::{CommandError, ProtocolError, ResponseCode, ServerText, Status};
use crate::store::StoreError;

/// Why a request failed. It is cheap to clone, because one failed connection fails every request
/// that waits for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The connection failed. The network is at fault, or the options that name the server.
    #[error(transparent)]
    Link(Arc<NetError>),
    /// The server broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The user's: the user name or the password cannot be sent in a command.
    #[error(transparent)]
    Unsendable(#[from] CommandError),
    /// The server refused the user name and the password. pop3fs never tries again by itself.
    #[error("the server refused the login ({0}): check the user name and the password")]
    LoginRefused(ServerText),
    /// The client could not authenticate to the server, or the server to the client.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// The connection broke after the secret was sent and before the server answered. Some servers
    /// refuse a password that way.
    #[error(
        "{0}, after the password was sent: it may be a refusal, so check the user name and the password"
    )]
    PasswordUnanswered(Box<Self>),
    /// The server refused a login, or did not answer it, that it has accepted before in this mount.
    /// The password may have changed, or the server has trouble that it does not tell.
    #[error("{0} (the server accepted the same login before, so it is tried again after a pause)")]
    NoLongerAccepted(Box<Self>),
    /// Another session holds the maildrop (RFC 2449 section 8.1.1).
    #[error("the maildrop is busy ({0}): another program may be reading it, try again in a while")]
    Busy(ServerText),
    /// The last login was too recent for the server (RFC 2449 sections 6.5 and 8.1.2).
    #[error("the server wants more time between two logins ({0}): try again in a while")]
    TooSoon(ServerText),
    /// The server's: it has a temporary fault or a limit (SYS/TEMP, RFC 3206 section 4, or words).
    #[error("the server has a passing fault of its own ({0}): try again in a while")]
    Passing(ServerText),
    /// The server's: it has a permanent fault (SYS/PERM, RFC 3206 section 5).
    #[error("the server has a permanent fault ({0}): ask its administrator")]
    ServerFault(ServerText),
    /// The server lacks something that pop3fs cannot do without, or does something that it cannot
    /// accept.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The server refuses STLS, and the user wants TLS.
    #[error("the server refuses STLS")]
    StlsRefused,
    /// The server answered -ERR to a command.
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
    /// The server sent an empty body for a message that LIST says is not empty. Exchange does this.
    #[error("the server sent an empty body for a message that is not empty")]
    EmptyBody,
    /// The server's: the body has another size than the server announced, and fetching it again
    /// gave a different body.
    #[error("the server sends different content for the message each time: none of it is used")]
    Unconfirmed,
    /// The server's: it sends the body of one message for another. Its TOP shows other headers.
    #[error("the server sends another message in place of this one: it is not used")]
    OfAnother,
    /// The body is too large for memory, and this machine's disk has no room for it.
    #[error("there is no room for the message on this machine ({0})")]
    NoRoom(Arc<std::io::Error>),
    /// This machine's: the disk does not forget a removal, so the next mount would delete the message.
    #[error("the removal cannot be taken back, since the next mount would have it again: {0}")]
    Unforgotten(Arc<StoreError>),
    /// The server did not confirm QUIT, and no later session has shown whether the messages are
    /// deleted.
    #[error("the server did not confirm the deletions ({0})")]
    OutcomeUnknown(String),
    /// The user's: the delete limit holds a commit back. No DELE was sent.
    #[error("{0}")]
    HeldBack(Held),
    /// The mount is ending, so the engine accepts no more requests.
    #[error("the mount is ending")]
    Ending,
}

impl From<NetError> for Fault {
    fn from(error: NetError) -> Self {
        Self::Link(Arc::new(error))
    }
}

impl From<Held> for Fault {
    fn from(held: Held) -> Self {
        Self::HeldBack(held)
    }
}

impl Fault {
    /// The fault for an -ERR instead of a greeting.
    pub(crate) fn of_greeting(status: &Status<'_>) -> Self {
        Self::of_refusal("the connection", status)
    }

    /// The fault for an -ERR to a command of the login.
    pub(crate) fn of_login(status: &Status<'_>) -> Self {
        if let Some(stated) = Self::with_stated_reason(status) {
            return stated;
        }
        let text = status.server_text();
        let is_of_the_maildrop =
            status.code.is_none() && speaks_of_an_unreadable_maildrop(text.as_str());
        match is_of_the_maildrop {
            true => Self::Passing(text),
            false => Self::LoginRefused(text),
        }
    }

    /// The fault for an -ERR to STLS.
    pub(crate) fn of_stls(status: &Status<'_>) -> Self {
        Self::with_stated_reason(status).unwrap_or(Self::StlsRefused)
    }

    /// The fault for an -ERR to a command of the session.
    pub(crate) fn of_refusal(command: &'static str, status: &Status<'_>) -> Self {
        Self::with_stated_reason(status).unwrap_or_else(|| Self::Refused {
            command,
            text: status.server_text(),
        })
    }

    /// The fault, if the server states the reason by a response code or in words.
    fn with_stated_reason(status: &Status<'_>) -> Option<Self> {
        let text = status.server_text();
        match status.code {
            Some(ResponseCode::InUse) => Some(Self::Busy(text)),
            Some(ResponseCode::LoginDelay) => Some(Self::TooSoon(text)),
            Some(ResponseCode::SysTemp) => Some(Self::Passing(text)),
            Some(ResponseCode::SysPerm) => Some(Self::ServerFault(text)),
            Some(ResponseCode::Auth) => None,
            _ if speaks_of_a_lock(text.as_str()) => Some(Self::Busy(text)),
            _ if speaks_of_passing_trouble(text.as_str()) => Some(Self::Passing(text)),
            _ => None,
        }
    }

    /// The server announces LOGIN-DELAY, and allows the next login only after this time.
    pub(crate) fn of_login_delay(wait: std::time::Duration) -> Self {
        let text = format!("LOGIN-DELAY, {} s more", wait.as_secs());
        Self::TooSoon(ServerText::from(text.as_bytes()))
    }

    pub(crate) fn no_room(error: std::io::Error) -> Self {
        Self::NoRoom(Arc::new(error))
    }

    /// The fault of a connection that broke while the answer to a secret was due. Silence does not
    /// count: a server that is slow to lock the maildrop is silent too. Nor does an unsolicited
    /// line, which came before the secret was sent.
    pub(crate) fn awaiting_login(self) -> Self {
        match &self {
            Self::Protocol(ProtocolError::Unsolicited(_)) => self,
            Self::Protocol(_) => Self::PasswordUnanswered(Box::new(self)),
            Self::Link(error) if matches!(**error, NetError::Closed | NetError::Broken(_)) => {
                Self::PasswordUnanswered(Box::new(self))
            }
            _ => self,
        }
    }

    /// Whether the server refused the secret, or may have done so.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::LoginRefused(_) | Self::PasswordUnanswered(_) | Self::NoLongerAccepted(_) => true,
            Self::Authentication(error) => error.is_final(),
            _ => false,
        }
    }

    /// The refusal of a secret that the server has accepted before in this mount. An impostor, who
    /// cannot prove that it knows the password, is not tried again.
    pub(crate) fn after_acceptance(self) -> Self {
        match self {
            Self::Authentication(AuthenticationError::ServerUnproven) => self,
            refusal => Self::NoLongerAccepted(Box::new(refusal)),
        }
    }

    /// Whether the connection failed, so that a new one may succeed.
    pub(crate) fn is_of_the_link(&self) -> bool {
        match self {
            Self::Link(_) | Self::Protocol(_) => true,
            Self::NoLongerAccepted(refusal) => {
                matches!(**refusal, Self::PasswordUnanswered(_))
            }
            _ => false,
        }
    }

    /// Whether the server says that a later attempt may succeed.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::TooSoon(_) | Self::Passing(_))
    }

    /// Whether the server does not give this message, or not as it is. Others may be well.
    pub(crate) fn is_of_the_message(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::TooLarge
            | Self::EmptyBody
            | Self::Unconfirmed
            | Self::OfAnother => true,
            fault => fault.passes(),
        }
    }

    /// Whether the next attempt may succeed by itself within a short time. A server that was silent
    /// for a whole timeout has had its time.
    pub(crate) fn is_short_lived(&self) -> bool {
        self.passes() || (self.is_of_the_link() && !self.is_silence())
    }

    /// Whether the server cannot be reached or is busy, so that a mount may do without it for a
    /// while. A refused login is something else: only the user can mend it.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::Link(error) => error.is_of_the_network(),
            Self::Protocol(_) => true,
            fault => fault.passes(),
        }
    }

    /// Whether another attempt cannot help or does harm. Servers lock accounts after a few refused
    /// passwords.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::NoLongerAccepted(_) => false,
            Self::ServerFault(_) => true,
            fault => fault.is_refusal(),
        }
    }

    /// The error sentence. It begins with the host and port if it does not name the server
    /// otherwise.
    #[must_use]
    pub fn with_endpoint(&self, endpoint: &Endpoint) -> String {
        let Endpoint { host, port } = endpoint;
        let is_without_host = match self {
            Self::Link(error) => matches!(
                **error,
                NetError::Silence(_) | NetError::Closed | NetError::Broken(_)
            ),
            Self::Protocol(_)
            | Self::Refused { .. }
            | Self::Passing(_)
            | Self::PasswordUnanswered(_) => true,
            _ => false,
        };
        match is_without_host {
            true => format!("{host} port {port}: {self}"),
            false => self.to_string(),
        }
    }

    /// Whether the server was silent for the whole timeout.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Link(error) if matches!(**error, NetError::Silence(_)))
    }
}
