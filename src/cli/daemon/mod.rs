//! The life of a mount: the start in the background, the log, signals, the requests of clients, the
//! end.

mod allocator;
mod descriptors;
mod ending;
mod ends;
mod mirror;
mod no_core_dump;
mod requests;
mod syslog;
mod systemd;

pub(in crate::cli) mod background;
pub(in crate::cli) mod logging;
pub(in crate::cli) mod mount;
pub(in crate::cli) mod setup;
pub(in crate::cli) mod signals;

pub use mount::mount;
pub use no_core_dump::keep_memory_secret;
