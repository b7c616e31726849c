//! Replies that wait, and the callers that wait for them.

pub(in crate::fs) mod deferred;
mod interrupt;
