//! The verdict: the result of each pending deletion.

use crate::maildrop::deletion::limit::Consent;
use crate::pop3::ServerText;
use serde::Deserialize;
use serde::Serialize;

/// What the end of the mount does with pending deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// It commits them.
    Commit(Consent),
    /// It forgets them. All messages stay on the server.
    Discard,
    /// It commits none, because nobody has asked for the end. The next mount knows of those that
    /// the index keeps.
    Abandon,
}

/// The result of the pending deletions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many messages the server has deleted.
    pub deleted: usize,
    /// How many messages were already gone from the server.
    pub gone: usize,
    /// Messages that are not known to be gone from the server. Those that it still identifies are
    /// listed again.
    pub kept: Vec<Kept>,
}

/// A message that was to be deleted and is not known to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The file name that it had when the user removed it.
    pub name: String,
    /// Whether it is certain that the server still has it.
    pub whereabouts: Whereabouts,
    /// Why it was kept: the server's reply, or our own reason.
    pub reason: ServerText,
}

/// What is known of a message after a commit that has not deleted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// The server still has it.
    OnServer,
    /// The server may have it, perhaps under another name: it does not identify the message, or
    /// some of those with its unique-id have gone.
    Unknown,
}

impl Verdict {
    /// This verdict and another one, of other messages.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.deleted += other.deleted;
        self.gone += other.gone;
        self.kept.extend(other.kept);
        self
    }

    /// Whether no message was kept.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.kept.is_empty()
    }
}
