//! Pending deletions: messages that the user has removed and the server has not deleted yet.
//!
//! A commit deletes a message only if it is still the one that the user removed. This is the
//! evidence that engine/confirm.rs compares with what the server shows then.

use crate::maildrop::catalogue::digest::{Digests, HeaderDigest};
use crate::maildrop::catalogue::id::ListingSerial;

/// The pending deletion of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingDeletion {
    /// The listing that was current when the user removed the message.
    pub(crate) removed_in: ListingSerial,
    /// What the server has to show again before the message is deleted.
    pub(crate) shown: ShownBefore,
    /// Whether the program that removed the message had read it.
    pub(crate) remover: Remover,
    /// The worst that listings and headers have shown since the removal.
    pub(crate) likeness: Likeness,
    /// Whether the last listing named the message.
    pub(crate) absence: Absence,
}

/// Digests of what the server has shown of a message, as a rule before its removal
/// ([`PendingDeletion::add_evidence`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownBefore {
    /// Of its headers, if this machine ever saw them.
    pub(crate) headers: Digests,
    /// Of its whole body, if it shared its unique-id with other messages when the body was fetched.
    pub(crate) twin_body: Option<HeaderDigest>,
}

/// The program that removed a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remover {
    /// It has read the message to its end in this mount, so it may have a copy.
    HasReadIt,
    /// It has not, or that is unknown.
    HasNot,
}

/// How likely it is that a message is still the one that the user removed, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// LIST gives the same size to it and to every message with its unique-id.
    Same,
    /// LIST gives it another size. Only its headers can show that it is the same message.
    Resized,
    /// LIST gives another size to a message with the same unique-id, so each may have the number of
    /// another; or its own headers turned out to be those of other mail. It is not deleted.
    Shifted,
}

/// Whether the last listing named a removed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It did.
    Named,
    /// It did not. The listing did not identify all messages, so the server may still have this
    /// one.
    LeftOut {
        /// How many messages were unnamed in the last listing that did name this one.
        before: usize,
    },
}

impl PendingDeletion {
    /// The deletion of a message that the last listing named.
    pub(crate) fn new(removed_in: ListingSerial, shown: ShownBefore) -> Self {
        Self {
            removed_in,
            shown,
            remover: Remover::HasNot,
            likeness: Likeness::Same,
            absence: Absence::Named,
        }
    }

    /// Adds headers that were seen after the removal, if none were seen before and LIST still gives
    /// the same size: otherwise they may be those of other mail.
    pub(crate) fn add_evidence(&mut self, headers: Digests) {
        if !self.shown.headers.is_known() && self.likeness == Likeness::Same {
            self.shown.headers = headers;
        }
    }

    /// Keeps the worse of this likeness and the one noted before.
    pub(crate) fn note_likeness(&mut self, likeness: Likeness) {
        self.likeness = self.likeness.max(likeness);
    }
}
