//! Arguments, options, passwords, the daemon and its control socket, the log, help and manual.

pub mod account;
pub mod options;

mod arguments;
mod commands;
mod control;
mod daemon;
mod failure;
mod home;

pub use arguments::manual::{completions, manual};
pub use arguments::{CacheCommand, Invocation, MountArguments, UserCommand};
pub use commands::{Format, cache, check, commit, demo, fetch, restore, status, umount};
pub use daemon::{keep_memory_secret, mount};
pub use failure::Failure;
