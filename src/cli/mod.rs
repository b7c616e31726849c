//! Arguments, options, passwords, the daemon and its control socket.

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
mod requests;
mod secrecy;
mod serve;
mod settings;

pub use arguments::{Command, Invocation, MountArguments};
pub use client::Format;
pub use demo::demo;
pub use secrecy::keep_memory_secret;
pub use serve::mount;
