//! A POP3 maildrop as a directory.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod demo;
pub mod fs;
pub mod maildrop;
pub mod message;
pub mod net;
pub mod pop3;
pub mod store;
