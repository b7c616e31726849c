//! The maildrop as it stands across sessions.
