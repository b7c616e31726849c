//! Arguments, options, passwords, the daemon and its control socket, the log, help and manual.

pub mod arguments;
pub mod client;
pub mod config;
pub mod control;
pub mod daemon;
pub mod descriptors;
pub mod options;
pub mod password;
pub mod signals;
pub mod source;
pub mod target;

mod cache;
mod check;
mod deletions;
mod demo;
mod ending;
mod failure;
mod fetch;
mod help;
mod home;
mod logging;
mod manual;
mod netrc;
mod requests;
mod secrecy;
mod sentences;
mod serve;
mod service;
mod settings;
mod status;
mod stdout;

pub use arguments::{CacheCommand, Command, Invocation, MountArguments};
pub use cache::cache;
pub use check::check;
pub use client::Format;
pub use deletions::{commit, umount};
pub use demo::demo;
pub use failure::Failure;
pub use fetch::fetch;
pub use manual::{completions, manual};
pub use secrecy::keep_memory_secret;
pub use serve::mount;
