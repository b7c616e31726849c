//! What became of the pending deletions.

use crate::maildrop::deletion::limit::Consent;
use crate::pop3::ServerText;
use serde::Deserialize;
use serde::Serialize;

/// How the maildrop is left at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// The pending deletions are committed.
    Commit(Consent),
    /// They are forgotten: everything stays on the server.
    Discard,
}

/// What became of the pending deletions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that the server deleted.
    pub deleted: usize,
    /// Messages that were gone already.
    pub gone: usize,
    /// Messages that the server kept; they are listed again, but for those that it did not name.
    pub kept: Vec<Kept>,
}

/// A message that was to be deleted and is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its file name.
    pub name: String,
    /// The server's words.
    pub reason: ServerText,
}

impl Verdict {
    /// True where every pending deletion is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.kept.is_empty()
    }
}
