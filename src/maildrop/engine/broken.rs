//! A session of a commit that broke, and at what.

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::fault::Fault;

/// Why a session of a commit ended before its QUIT.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) fault: Fault,
    over: BrokenOver,
}

/// The reply that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokenOver {
    /// None that concerns a message.
    Session,
    /// That to TOP of a message, which is noted (tops.rs).
    Top,
    /// That to DELE or RETR of this message.
    Deletion(MessageId),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::over(BrokenOver::Session, fault)
    }
}

impl Broken {
    pub(super) fn over(over: BrokenOver, fault: Fault) -> Self {
        Self { fault, over }
    }

    /// The session broke while the reply to DELE or RETR of a message was `due`.
    pub(super) fn over_deletion(due: Option<MessageId>, fault: Fault) -> Self {
        let is_cause = fault.is_of_the_link() || matches!(fault, Fault::TooLarge);
        match due {
            Some(message) if is_cause => Self::over(BrokenOver::Deletion(message), fault),
            _ => fault.into(),
        }
    }

    /// Remembers over which message it broke.
    pub(super) fn note(&self, quirks: &mut Quirks) {
        if let BrokenOver::Deletion(message) = self.over {
            quirks.deletion_breaks.note(message, &self.fault);
        }
    }

    /// Whether another attempt may do without the message over which it broke.
    pub(super) fn is_over_a_message(&self) -> bool {
        self.over != BrokenOver::Session
    }
}
