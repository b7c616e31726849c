//! The connection to the kernel. No other module knows fuser.

mod adapter;
mod attributes;
mod first_open;
mod notify;
pub(in crate::fs) mod polling;
pub(in crate::fs) mod session;
