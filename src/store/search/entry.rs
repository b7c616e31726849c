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
    /// Whether a user has read it.
    pub is_read: bool,
}

/// A message that is in the index. Both numbers are those that it was indexed with: where a message has only one of them, it is
/// another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Indexed {
    /// Its inode number.
    pub inode: u64,
    /// Its place among the cached bodies.
    pub key: BodyKey,
}
