//! The maildrop as a filesystem.
pub mod mount;
