//! What an inode number stands for.
//!
//! ```text
//!  bits  63   62        47 46                                   0
//!       ┌──┬──────────────┬──────────────────────────────────────┐
//!       │ 0│       0      │ 1: the root, 2: .deleted, 3: cur… │
//!       │ 0│       0      │ 16: .text, 17: .parts…               │
//!       │ 0│       0      │ message (maildrop/inode.rs)          │
//!       │ 0│ view, from 1 │ message: as that view shows it       │
//!       │ 1│ part, from 1 │ message: a part of it                │
//!       └──┴──────────────┴──────────────────────────────────────┘
//! ```
//! So the messages of a view sort as those of the root do, and read-ahead follows a walk through any of them.

use crate::fs::error::Error;
use crate::fs::views::{Mailbox, ViewId};
use crate::maildrop::{Maildrop, MessageId};

/// The inode number of the root, as FUSE wants it.
pub const ROOT: u64 = 1;
/// The inode number of `.deleted`.
pub const DELETED: u64 = 2;
/// Those of `.maildir/cur`, `new` and `tmp`.
const CUR: u64 = 3;
const NEW: u64 = 4;
const TMP: u64 = 5;
/// That of the first view's directory, less one.
const VIEWS: u64 = 15;
/// Bits of a message's inode number.
const MESSAGE_BITS: u32 = 47;
const MESSAGE: u64 = (1 << MESSAGE_BITS) - 1;
/// Set in the numbers of parts.
const PART: u64 = 1 << 63;

/// What an inode number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Node {
    Folder(Folder),
    /// A message as it is.
    Message(MessageId),
    /// A message as a view shows it.
    Shown(ViewId, MessageId),
    /// A part of a message, which is not 0.
    Part(MessageId, u16),
}

/// A directory that is there whatever mail there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Folder {
    Root,
    Deleted,
    /// That of a view.
    View(ViewId),
    /// One in that of the Maildir.
    Mailbox(Mailbox),
    /// The one that deliveries begin in. There are none.
    Tmp,
}

impl Folder {
    fn of(inode: u64) -> Option<Folder> {
        match inode {
            ROOT => Some(Folder::Root),
            DELETED => Some(Folder::Deleted),
            CUR => Some(Folder::Mailbox(Mailbox::Cur)),
            NEW => Some(Folder::Mailbox(Mailbox::New)),
            TMP => Some(Folder::Tmp),
            _ => {
                let view = inode.checked_sub(VIEWS).and_then(ViewId::by_number);
                view.map(Folder::View)
            }
        }
    }
}

impl Node {
    /// What the number stands for.
    ///
    /// # Errors
    /// [`Error::Stale`].
    pub(in crate::fs) fn of(inode: u64, maildrop: &Maildrop) -> Result<Node, Error> {
        if let Some(folder) = Folder::of(inode) {
            return Ok(Node::Folder(folder));
        }
        let id = maildrop.by_inode(inode & MESSAGE).ok_or(Error::Stale)?;
        let facet = (inode & !PART) >> MESSAGE_BITS;
        match (inode & PART, facet) {
            (0, 0) => Ok(Node::Message(id)),
            (0, view) => ViewId::by_number(view)
                .map(|view| Node::Shown(view, id))
                .ok_or(Error::Stale),
            (_, part) => u16::try_from(part)
                .map(|part| Node::Part(id, part))
                .map_err(|_| Error::Stale),
        }
    }
}

/// The directories that are in a Maildir, with their names.
pub(in crate::fs) fn in_maildir() -> [(&'static str, u64); 3] {
    let [cur, new] = Mailbox::ALL.map(|mailbox| (mailbox.name(), of_mailbox(mailbox)));
    [cur, new, ("tmp", TMP)]
}

fn of_mailbox(mailbox: Mailbox) -> u64 {
    match mailbox {
        Mailbox::Cur => CUR,
        Mailbox::New => NEW,
    }
}

/// The directory of a view.
pub(in crate::fs) fn of_view(view: ViewId) -> u64 {
    VIEWS + view.number()
}

/// The message of this inode number as the view shows it.
pub(in crate::fs) fn of_shown(view: ViewId, message: u64) -> u64 {
    message | view.number() << MESSAGE_BITS
}

/// A part of the message of this inode number; `part` is not 0.
pub(in crate::fs) fn of_part(part: u16, message: u64) -> u64 {
    PART | message | u64::from(part) << MESSAGE_BITS
}

/// Whether a number is that of a part of the message.
pub(in crate::fs) fn is_part_of(part: u64, message: u64) -> bool {
    part & MESSAGE == message
}
