//! What the kernel must be told of.

use crate::store::Eol;
/// A change that the kernel must be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The directory lists something else.
    Directory,
    /// A name no longer stands for a message.
    Gone {
        /// The name in the root directory.
        name: String,
    },
    /// The size of a message is another than was shown.
    Size {
        /// Whose.
        inode: u64,
        /// With these line ends.
        eol: Eol,
    },
    /// The content of a message may be another than was shown.
    Content {
        /// Whose.
        inode: u64,
    },
}
