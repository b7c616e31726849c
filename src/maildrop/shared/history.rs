//! Counts and past events of this mount, for `pop3fs status`.

use crate::maildrop::deletion::verdict::Verdict;
use crate::maildrop::fault::Fault;
use std::time::SystemTime;

/// Counts and past events since the mount began.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// How often a message was opened.
    pub opens: u64,
    /// How many of these opens found the body in memory or on disk.
    pub hits: u64,
    /// When the last commit that had deletions ended, and its result.
    pub last_commit: Option<(SystemTime, Result<Verdict, Fault>)>,
    /// When the last fault occurred, and which.
    pub last_fault: Option<(SystemTime, Fault)>,
    /// How many messages the commit that is running has listed again.
    pub(crate) listed_again: usize,
}

/// Whether an open found the body in memory or on disk.
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
        self.listed_again = 0;
        self.last_commit = Some((SystemTime::now(), result.clone()));
    }

    pub(crate) fn note_fault(&mut self, fault: &Fault) {
        self.last_fault = Some((SystemTime::now(), fault.clone()));
    }
}
