//! What the server said to QUIT, and what it was told before.

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::fault::Fault;
use crate::pop3::ServerText;

/// Attempts at a commit, and at looking what an unanswered one did.
pub(super) const ATTEMPTS: u32 = 3;

/// How QUIT was answered. Only `+OK` means that the deletions are done (RFC 1939 section 6).
pub(super) enum QuitAnswer {
    Committed,
    Unknown(QuitDoubt),
}

/// Why it is not known what QUIT did.
pub(super) enum QuitDoubt {
    /// The server refused it, or closed the connection: by now it has deleted what it is going to
    /// delete.
    Over(ServerText),
    /// The server said nothing: it may be deleting yet.
    Silent(ServerText),
}

impl QuitDoubt {
    pub(super) fn of(fault: &Fault) -> Self {
        let reason = ServerText::from(fault.to_string().as_bytes());
        match fault.is_silence() {
            true => Self::Silent(reason),
            false => Self::Over(reason),
        }
    }

    pub(super) fn reason(&self) -> &ServerText {
        match self {
            Self::Over(reason) | Self::Silent(reason) => reason,
        }
    }
}

/// What DELE did in a session, before its QUIT.
#[derive(Default)]
pub(super) struct Marked {
    /// QUIT deletes these.
    pub(super) accepted: Vec<MessageId>,
    pub(super) unmarked: Vec<Unmarked>,
    /// Messages that are not the ones that were removed: other mail has their place now.
    pub(super) replaced: Vec<MessageId>,
    /// How many messages the server did not name in the session.
    pub(super) unnamed: usize,
}

/// A message that is not marked.
pub(super) struct Unmarked {
    pub(super) id: MessageId,
    pub(super) identity: ShownIdentity,
    /// Why, in the server's words, or ours.
    pub(super) reason: ServerText,
}

/// What the session that deletes has shown of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShownIdentity {
    /// It is the one that the user removed.
    Same,
    /// It may be another by now.
    Doubtful,
}

/// Messages that share a unique-id in the session that deletes.
#[derive(Clone, Copy)]
pub(super) struct TwinsBefore {
    /// How many the session listed.
    pub(super) listed: usize,
    /// How many of them took DELE.
    pub(super) accepted: usize,
}

impl TwinsBefore {
    /// Of a message that shares its unique-id with no other, and was not marked.
    pub(super) const NO_TWINS: Self = Self {
        listed: 1,
        accepted: 0,
    };

    /// Whether a message that was not marked is none of those that took DELE. A twin that may be
    /// another by now may be one of them.
    pub(super) fn tells_apart(self, identity: ShownIdentity) -> bool {
        self.accepted == 0 || identity == ShownIdentity::Same
    }
}
