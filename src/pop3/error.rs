//! Errors of the server and of the caller.

use std::fmt;

use super::limits::COMMAND_LENGTH;
use super::text::ServerText;

/// The server broke the protocol. The position in the stream is unknown, so the session must end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The server sent a line while no reply was owed, as Dovecot does before it closes an idle
    /// session.
    #[error("the server said, unasked: {0}")]
    Unsolicited(ServerText),
    /// A reply is neither `+OK` nor `-ERR`, or is a `+` challenge outside of a SASL exchange.
    #[error("the server's reply is neither +OK nor -ERR: {}", or_nothing(.0))]
    NotAStatus(ServerText),
    /// A status line, a line of a listing or a challenge is too long.
    #[error("the server sent a line of more than {limit} octets: {text}")]
    LineTooLong {
        /// The limit in octets, without the LF.
        limit: usize,
        /// The beginning of the line.
        text: ServerText,
    },
    /// A listing has more lines than a maildrop may have messages.
    #[error("the server sent a listing of more than {limit} lines")]
    TooManyLines {
        /// The limit in lines.
        limit: usize,
    },
    /// A listing has more octets than the unique-ids of this many messages may take.
    #[error("the server sent a listing of more than {limit} octets")]
    ListingTooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// Of two NOOPs the server has refused one, or refused them in different words: one of the
    /// answers is that to another command.
    #[error("the server's answers to two NOOPs differ: {0}")]
    NoopsDiffer(ServerText),
    /// The text after STAT's `+OK` is not two numbers.
    #[error("the server's answer to STAT is not a count and a size: {0}")]
    BadStat(ServerText),
    /// A line of LIST is not a message number and a size.
    #[error("the server's listing holds a line that is not a message number and a size: {0}")]
    BadListing(ServerText),
    /// A line of UIDL does not begin with a message number.
    #[error("the server's unique-id listing holds a line without a message number: {0}")]
    BadUniqueIdListing(ServerText),
}

impl ProtocolError {
    /// The server's text in the error, if there is any.
    pub fn words_mut(&mut self) -> Option<&mut ServerText> {
        match self {
            Self::Unsolicited(text)
            | Self::NotAStatus(text)
            | Self::LineTooLong { text, .. }
            | Self::NoopsDiffer(text)
            | Self::BadStat(text)
            | Self::BadListing(text)
            | Self::BadUniqueIdListing(text) => Some(text),
            Self::TooManyLines { .. } | Self::ListingTooLarge { .. } => None,
        }
    }
}

fn or_nothing(line: &ServerText) -> &str {
    match line.as_str() {
        "" => "an empty line",
        text => text,
    }
}

/// The caller asked for a command that POP3 cannot carry. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A CR, LF or NUL would end the command and begin another.
    #[error("the {0} holds a CR, LF or NUL, which POP3 cannot carry")]
    ForbiddenOctet(Argument),
    /// A space would end the argument.
    #[error("the {0} holds a space, which this command cannot carry")]
    ForbiddenSpace(Argument),
    /// An argument is empty that must not be.
    #[error("the {0} is empty")]
    Empty(Argument),
    /// The command is longer than RFC 2449 section 4 allows.
    #[error("the {0} is too long: a command has {COMMAND_LENGTH} octets at most")]
    TooLong(Argument),
    /// Not 1 to 20 of `A-Z 0-9 - _` (RFC 4422 section 3.1).
    #[error("{0} is not a name of a SASL mechanism")]
    BadMechanism(ServerText),
}

/// The argument that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Of USER and APOP.
    UserName,
    /// Of PASS.
    Password,
    /// Of APOP.
    Digest,
    /// Of AUTH.
    Mechanism,
    /// Of AUTH.
    InitialResponse,
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserName => "user name",
            Self::Password => "password",
            Self::Digest => "APOP digest",
            Self::Mechanism => "SASL mechanism",
            Self::InitialResponse => "initial SASL response",
        })
    }
}
