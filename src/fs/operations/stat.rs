//! What stat(2) shows of a file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::maildrop::Message;
use crate::store::Eol;

/// Whether something is a directory or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The root, a hidden directory, or a message as a directory of its parts.
    Directory,
    /// A message, or a part of one.
    File,
}

/// How long the kernel may keep what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Until it is told of a change.
    Lasting,
    /// For a second.
    Brief,
    /// Not at all. The kernel asks again each time.
    Provisional,
}

/// What stat(2) shows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The inode number.
    pub inode: u64,
    /// Whether it is a directory.
    pub kind: FileKind,
    /// In octets.
    pub size: u64,
    /// The mtime: when the message arrived, or when the directory changed.
    pub modified: SystemTime,
    /// The ctime: when this machine first listed the message, so that backups see old mail that has
    /// arrived since the last one.
    pub changed: SystemTime,
    /// How long the kernel may keep these attributes.
    pub validity: Validity,
}

impl Attributes {
    /// Of a message with these line ends. The kernel must ask again as long as the mtime is not
    /// known.
    pub(in crate::fs) fn of_message(message: &Message, eol: Eol) -> Self {
        Self {
            inode: message.inode,
            kind: FileKind::File,
            size: message.size_with(eol),
            modified: message.arrived.map_or(UNIX_EPOCH, from_unix_time),
            changed: message
                .first_listed
                .or(message.arrived)
                .map_or(UNIX_EPOCH, from_unix_time),
            validity: if message.is_arrival_known() {
                Validity::Lasting
            } else {
                Validity::Provisional
            },
        }
    }

    /// Of what a view makes of a message. It has the time of the message.
    pub(in crate::fs) fn of_view(message: &Message, inode: u64, kind: FileKind, size: u64) -> Self {
        Self {
            inode,
            kind,
            size,
            ..Self::of_message(message, Eol::Crlf)
        }
    }

    pub(in crate::fs) fn of_directory(inode: u64, modified: SystemTime) -> Self {
        Self {
            inode,
            kind: FileKind::Directory,
            size: 0,
            modified,
            changed: modified,
            validity: Validity::Provisional,
        }
    }

    /// The permission bits. Only the owner can read; nobody can write, but the owner can unlink.
    #[must_use]
    pub fn permissions(&self) -> u16 {
        match self.kind {
            FileKind::Directory => 0o700,
            FileKind::File => 0o400,
        }
    }

    /// The number of hard links: a directory counts itself and its entry, but not the directories
    /// in it.
    #[must_use]
    pub fn links(&self) -> u32 {
        match self.kind {
            FileKind::Directory => 2,
            FileKind::File => 1,
        }
    }
}

/// What df(1) shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceTotals {
    /// Octets of all messages.
    pub used: u64,
    /// Octets that are shown as free.
    pub free: u64,
    /// The number of messages.
    pub messages: u64,
    /// How many more files are shown as possible.
    pub free_files: u64,
}

fn from_unix_time(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
