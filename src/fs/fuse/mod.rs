//! The door to the kernel: no other module knows fuser.

pub(in crate::fs) mod adapter;
