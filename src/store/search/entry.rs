//! A message, as the index knows it.

use std::sync::Arc;

use crate::store::{Body, BodyKey};

/// A message to be indexed.
#[derive(Debug, Clone)]
pub struct SearchEntry {
    /// Its inode number.
    pub inode: u64,
    /// Its place among the cached bodies.
    pub key: BodyKey,
    /// Its octets.
    pub body: Arc<Body>,
    /// When it arrived, in Unix seconds, if that is known.
    pub arrived: Option<i64>,
}

/// A message that is in the index. Both numbers are those that it was indexed with: where a message
/// has only one of them, it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Indexed {
    /// Its inode number.
    pub inode: u64,
    /// Its place among the cached bodies.
    pub key: BodyKey,
}

/// A message that a query finds, as it was when it was indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundMessage {
    /// Which one.
    pub indexed: Indexed,
    /// The octets of its body: where they are others now, the content is too.
    pub octets: u64,
}
