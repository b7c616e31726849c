//! What each request does, without a word of FUSE.

pub(in crate::fs) mod filesystem;
pub(in crate::fs) mod open;
pub(in crate::fs) mod readdir;
mod remove;
pub(in crate::fs) mod stat;
pub(in crate::fs) mod xattr;
