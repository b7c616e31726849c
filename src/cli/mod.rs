//! Arguments, options, passwords, the daemon and its control socket, the log, help and manual.

pub mod options;
pub mod source;

mod arguments;
mod cache;
mod check;
mod client;
mod config;
mod control;
mod daemon;
mod deletions;
mod demo;
mod descriptors;
mod ending;
mod failure;
mod fetch;
mod help;
mod home;
mod logging;
mod manual;
mod netrc;
mod password;
mod requests;
mod secrecy;
mod sentences;
mod serve;
mod service;
mod settings;
mod signals;
mod status;
mod stdout;
mod target;

pub use arguments::{CacheCommand, Command, Invocation, MountArguments};
pub use cache::cache;
pub use check::check;
pub use client::{Format, restore, status};
pub use deletions::{commit, umount};
pub use demo::demo;
pub use failure::Failure;
pub use fetch::fetch;
pub use manual::{completions, manual};
pub use secrecy::keep_memory_secret;
pub use serve::mount;
