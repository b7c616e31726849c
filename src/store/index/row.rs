//! What the index keeps of one message.

use std::num::NonZeroU32;
use std::sync::Arc;

/// What is known of one message. The unique-id and the ordinal name it.
///
/// `listed` and `twins` say what content the other facts describe. When either differs from what
/// the index has, the content may be another, and the old facts no longer hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The unique-id as the server sent it (RFC 1939 section 7): any octets.
    pub uidl: Arc<[u8]>,
    /// The position among the messages that share the unique-id, in maildrop order.
    pub ordinal: u32,
    /// The inode number. Once stored it never changes, and no two rows share one.
    pub inode: u64,
    /// The exact size in octets, once the body was received.
    pub size: Option<u64>,
    /// The mtime that users were shown, in Unix seconds. Once stored it never changes.
    pub arrived: Option<i64>,
    /// LIST's size when these facts were learnt.
    pub listed: u64,
    /// How many messages shared the unique-id then. None after the message was deleted: if the
    /// server lists its unique-id again, that is other mail.
    pub twins: Option<NonZeroU32>,
    /// Whether a user was given the body. Read-ahead alone does not count.
    pub read: bool,
    /// The sender and the subject, once the headers were received.
    pub title: Option<Box<str>>,
    /// The flags that a mail reader set. A later one replaces it; none changes nothing.
    pub mark: Option<Box<str>>,
    /// How many CRLFs are in the body of that size, once they were counted; at most half its
    /// octets.
    pub crlfs: Option<u64>,
    /// A summary of the headers, once a user has asked for it.
    pub outline: Option<Box<str>>,
    /// When this machine first listed the message, in Unix seconds. Once stored it never changes;
    /// rows of older versions have none. It is later than the deletion of a message that had the same
    /// unique-id before.
    pub first_listed: Option<i64>,
    /// When a listing first lacked the message, or a commit deleted it, in Unix seconds; none while
    /// it is listed. The index deletes such a row after a while.
    pub departed: Option<i64>,
    /// A digest of the headers as TOP showed them last.
    pub top_digest: Option<[u8; 16]>,
    /// A digest of the headers as RETR showed them last.
    pub body_digest: Option<[u8; 16]>,
}

/// A message that was removed or deleted: its unique-id and its ordinal.
pub type RemovedMessage = (Arc<[u8]>, u32);

/// How the message of a new row relates to the stored one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuity {
    /// The content is the same: new facts are added to the old ones.
    SameContent,
    /// LIST gives another size: what the old body said no longer holds.
    NewContent,
    /// The number of messages with this unique-id changed, so this may be another message.
    NewMessage,
}

impl Row {
    /// This row as it is stored over `old`, the row of the same name that the index has.
    pub(super) fn over(self, old: Self) -> Self {
        if self.is_outlived_by_deletion(&old) {
            return old;
        }
        let inode = old.inode;
        let departed = self.departed.map(|at| old.departed.unwrap_or(at).min(at));
        match self.continuity(&old) {
            Continuity::SameContent => Self {
                inode,
                departed,
                first_listed: old.first_listed.or(self.first_listed),
                arrived: old.arrived.or(self.arrived),
                mark: self.mark.or(old.mark),
                crlfs: match self.size.is_none_or(|size| old.size == Some(size)) {
                    true => self.crlfs.or(old.crlfs),
                    false => self.crlfs,
                },
                size: self.size.or(old.size),
                read: self.read || old.read,
                title: self.title.or(old.title),
                outline: self.outline.or(old.outline),
                top_digest: self.top_digest.or(old.top_digest),
                body_digest: self.body_digest.or(old.body_digest),
                ..self
            },
            Continuity::NewContent => Self {
                inode,
                departed,
                first_listed: old.first_listed.or(self.first_listed),
                arrived: old.arrived.or(self.arrived),
                mark: self.mark.or(old.mark),
                ..self
            },
            Continuity::NewMessage => Self {
                inode,
                departed,
                ..self
            },
        }
    }

    /// Whether `old` says that the message was deleted, and this row comes from a mount that does not
    /// know: it has listed the message before. Mail that has the unique-id now was listed later.
    fn is_outlived_by_deletion(&self, old: &Self) -> bool {
        let deleted = old.departed.filter(|_| old.twins.is_none());
        deleted.is_some_and(|at| self.first_listed.is_none_or(|first| first <= at))
    }

    fn continuity(&self, old: &Self) -> Continuity {
        if self.twins != old.twins {
            Continuity::NewMessage
        } else if self.listed != old.listed {
            Continuity::NewContent
        } else {
            Continuity::SameContent
        }
    }
}
