//! What the index is told of a commit.

use super::listing::LastListing;
use super::removal::RemovedMessage;

/// Messages that a commit has deleted.
#[derive(Debug)]
pub struct Deletions {
    /// Their unique-ids and ordinals.
    pub messages: Vec<RemovedMessage>,
    /// When they were deleted, in Unix seconds.
    pub at: i64,
    /// The last listing without them.
    pub left: LastListing,
}
