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
}

/// The result of the pending deletions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many messages the server has deleted.
    pub deleted: usize,
    /// How many messages were already gone from the server.
    pub gone: usize,
    /// Messages that are still on the server. They are listed again, except those that the server
    /// did not identify.
    pub kept: Vec<Kept>,
}

/// A message that was to be deleted and is still on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its file name.
    pub name: String,
    /// Why it was kept: the server's reply, or our own reason.
    pub reason: ServerText,
}

impl Verdict {
    /// Whether no message was kept.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.kept.is_empty()
    }
}
