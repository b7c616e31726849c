//! Arguments, options, passwords, the daemon and its control socket, the log, help and manual.

pub mod arguments;
pub mod client;
pub mod control;
pub mod daemon;
pub mod descriptors;
pub mod options;
pub mod password;
pub mod signals;
pub mod source;

mod demo;
mod ending;
mod help;
mod logging;
mod manual;
mod requests;
mod secrecy;
mod serve;
mod service;
mod settings;

pub use arguments::{Command, Invocation, MountArguments};
pub use client::Format;
pub use demo::demo;
pub use manual::{completions, manual};
pub use secrecy::keep_memory_secret;
pub use serve::mount;
