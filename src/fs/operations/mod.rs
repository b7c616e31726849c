//! What each request does, without a word of FUSE. No operation waits for the network: it answers
//! from memory, or defers its reply.

pub(in crate::fs) mod attributes;
mod directory;
pub(in crate::fs) mod filesystem;
mod headers;
mod lookup;
pub(in crate::fs) mod open;
pub(in crate::fs) mod readdir;
mod remove;
mod search;
pub(in crate::fs) mod stat;
mod xattr;
