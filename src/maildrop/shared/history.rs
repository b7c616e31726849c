//! What has happened since the mount began, for `pop3fs status`.

use crate::maildrop::deletion::verdict::Verdict;
use crate::maildrop::fault::Fault;
use std::time::SystemTime;

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// How often a message was opened.
    pub opens: u64,
    /// How often the body was at hand then, in memory or on disk.
    pub hits: u64,
    /// When the last commit of something ended, and how.
    pub last_commit: Option<(SystemTime, Result<Verdict, Fault>)>,
    /// When the last thing went wrong, and what.
    pub last_fault: Option<(SystemTime, Fault)>,
}

/// Whether a body was at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Hit,
    Miss,
}

impl History {
    pub(crate) fn note_open(&mut self, lookup: Lookup) {
        self.opens += 1;
        self.hits += u64::from(lookup == Lookup::Hit);
    }

    pub(crate) fn note_commit(&mut self, result: &Result<Verdict, Fault>) {
        self.last_commit = Some((SystemTime::now(), result.clone()));
    }

    pub(crate) fn note_fault(&mut self, fault: &Fault) {
        self.last_fault = Some((SystemTime::now(), fault.clone()));
    }
}
