//! Replies to the kernel that are sent later, and the processes that wait for them.

pub(in crate::fs) mod deferred;
mod interrupt;
