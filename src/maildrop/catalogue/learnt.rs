//! Facts that were read from the headers of a message.

use crate::maildrop::catalogue::digest::{HeaderDigest, HeaderSource};

/// Facts that were read from the headers of a message.
#[derive(Clone, Debug)]
pub(crate) struct Learnt {
    /// The command that showed them.
    pub(crate) source: HeaderSource,
    /// `None` if the headers were cut.
    pub(crate) digest: Option<HeaderDigest>,
    /// When the message arrived, in Unix seconds. `None` if the headers have no date.
    pub(crate) arrived: Option<i64>,
    /// The sender and the subject, as one line for people.
    pub(crate) title: String,
    /// A summary of the headers, if this mount keeps summaries.
    pub(crate) outline: Option<String>,
}

/// Whether newly seen headers belong to the message that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderNews {
    /// They do not contradict what was known.
    SameMessage,
    /// The server has given the unique-id to other mail.
    OtherMessage,
}
