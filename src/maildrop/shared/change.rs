//! Changes that the kernel must be notified of.

use crate::store::Eol;

/// A change that the kernel must be notified of, because it may have the old state cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The directory has other entries.
    Directory,
    /// A message is no longer listed.
    Unlisted {
        /// The inode number of the message.
        inode: u64,
    },
    /// A name no longer belongs to a message.
    Gone {
        /// The name in the root directory.
        name: String,
    },
    /// Messages that departed long ago are unknown from now on.
    Forgotten {
        /// Their inode numbers, which are never given again.
        inodes: Vec<u64>,
    },
    /// The size of a message is different from the size shown before.
    Size {
        /// The inode number of the message.
        inode: u64,
        /// The line ends for which the size has changed.
        eol: Eol,
    },
    /// The content of a message may be different from the content shown before.
    Content {
        /// The inode number of the message.
        inode: u64,
    },
}
