//! The policy of deletions, without I/O: how many messages may be deleted without consent, and the
//! verdict on each commit.

pub(crate) mod limit;
pub(crate) mod verdict;
