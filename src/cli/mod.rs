//! The command line: what the user writes, and what the user is told.
//!
//! ```text
//! home, shown ◀─ options ◀─ account ◀─ failure ◀─ control ◀─ arguments ◀─ daemon ◀─ commands
//! ```
//! Each folder imports only what stands left of it. No other module of the crate knows how an
//! option or a command is written: errors of the lower layers say what happened, and `failure` adds
//! what the user can do.

pub mod account;
pub mod options;

mod arguments;
mod commands;
mod control;
mod daemon;
mod failure;
mod home;
mod shown;

pub use arguments::completions::completions;
pub use arguments::manual::manual;
pub use arguments::{CacheCommand, Invocation, MountArguments, UserCommand};
pub use commands::{
    Format, cache, check, commit, complete, demo, fetch, restore, search, status, umount,
    umount_all, watch,
};
pub use daemon::{keep_memory_secret, mount};
pub use failure::Failure;
