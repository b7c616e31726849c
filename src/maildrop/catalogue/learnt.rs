//! What the headers of a message told.

use crate::maildrop::catalogue::digest::{HeaderDigest, HeaderSource};

/// What the headers of a message told.
#[derive(Clone, Debug)]
pub(crate) struct Learnt {
    /// The command that showed them.
    pub(crate) source: HeaderSource,
    /// `None` where the headers were cut.
    pub(crate) digest: Option<HeaderDigest>,
    /// Unix seconds.
    pub(crate) arrived: i64,
    /// Who wrote and about what.
    pub(crate) title: String,
    /// What they say in a few words, where this mount keeps that.
    pub(crate) outline: Option<String>,
}

/// What headers say of the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderNews {
    /// Nothing contradicts what was known.
    SameMessage,
    /// The server has given the unique-id to other mail.
    OtherMessage,
}
