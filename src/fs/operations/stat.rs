//! What stat shows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::maildrop::Message;
use crate::store::Eol;

/// What kind of node it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The root, a hidden directory, or a message in parts.
    Directory,
    /// A message, or a part of one.
    File,
}

/// How long the kernel may believe attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Until it is told of a change.
    Lasting,
    /// Not at all: the mtime is not known yet, and whoever wants to see it must ask.
    Provisional,
}

/// What stat shows of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The inode number.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// Octets.
    pub size: u64,
    /// When the message arrived, or the directory changed. The ctime is the same: backups compare both.
    pub modified: SystemTime,
    /// How long to believe this.
    pub validity: Validity,
}

impl Attributes {
    /// As it is shown with these line ends.
    pub(in crate::fs) fn of_message(message: &Message, eol: Eol) -> Attributes {
        Attributes {
            inode: message.inode,
            kind: Kind::File,
            size: message.size_with(eol),
            modified: message.arrived.map_or(UNIX_EPOCH, at),
            validity: if message.arrived.is_some() {
                Validity::Lasting
            } else {
                Validity::Provisional
            },
        }
    }

    /// Of what a view makes of a message: it has the message's time.
    pub(in crate::fs) fn of_shown(
        message: &Message,
        inode: u64,
        kind: Kind,
        size: u64,
    ) -> Attributes {
        Attributes {
            inode,
            kind,
            size,
            ..Attributes::of_message(message, Eol::Crlf)
        }
    }

    pub(in crate::fs) fn of_directory(inode: u64, modified: SystemTime) -> Attributes {
        Attributes {
            inode,
            kind: Kind::Directory,
            size: 0,
            modified,
            validity: Validity::Provisional,
        }
    }

    /// Permission bits: only the owner reads, and only `unlink` writes.
    #[must_use]
    pub fn permissions(&self) -> u16 {
        match self.kind {
            Kind::Directory => 0o700,
            Kind::File => 0o400,
        }
    }

    /// Hard links: a directory counts itself and its entry, and lists no other.
    #[must_use]
    pub fn links(&self) -> u32 {
        match self.kind {
            Kind::Directory => 2,
            Kind::File => 1,
        }
    }
}

fn at(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
