//! Removed messages until the server has deleted them, and what tells that they are still the ones that the user removed.

use crate::maildrop::catalogue::digest::{Digests, HeaderDigest};
use crate::maildrop::catalogue::id::ListingSerial;

/// A message that the user removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingDeletion {
    /// The listing that named the message when the user removed it.
    pub(crate) removed_in: ListingSerial,
    /// What was shown of the message by then.
    pub(crate) shown: ShownBefore,
    /// Who removed it.
    pub(crate) remover: Remover,
    /// What the listings since have told.
    pub(crate) likeness: Likeness,
    /// Whether a listing has left it out.
    pub(crate) absence: Absence,
}

/// What was known of a message when the user removed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownBefore {
    /// Of its headers, as far as this machine ever saw them.
    pub(crate) headers: Digests,
    /// Of its whole body, if it shared its unique-id when the body was seen.
    pub(crate) twin_body: Option<HeaderDigest>,
}

/// The program that removed a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remover {
    /// It has read the message to its end in this mount, so that it may have a copy.
    HasReadIt,
    /// It has not, or nobody knows.
    HasNot,
}

/// How far the listings speak for it that a message is the one that was removed, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// LIST gives the same octets to it and to all that share its unique-id.
    Same,
    /// LIST gives it other octets: only its headers can tell that it is the one.
    Resized,
    /// LIST gives other octets to one that shares its unique-id: each may have the number of another.
    Shifted,
}

/// Whether a listing has left a removed message out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The last listing named it.
    Named,
    /// The server does not name all of its messages, and may still have it. `before` messages were unnamed when it was named.
    LeftOut {
        /// Messages that the last listing with it did not name.
        before: usize,
    },
}

impl PendingDeletion {
    /// One that the last listing named.
    pub(crate) fn new(removed_in: ListingSerial, shown: ShownBefore) -> Self {
        Self {
            removed_in,
            shown,
            remover: Remover::HasNot,
            likeness: Likeness::Same,
            absence: Absence::Named,
        }
    }

    /// Keeps the worst that the listings have told.
    pub(crate) fn note_likeness(&mut self, likeness: Likeness) {
        self.likeness = self.likeness.max(likeness);
    }
}
