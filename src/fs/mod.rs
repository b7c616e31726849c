//! The maildrop as a filesystem.
