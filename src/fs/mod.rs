//! The maildrop as a filesystem.
//!
//! ```text
//! kernel ──▶ fuse.rs (one call, one reply) ──▶ filesystem.rs (operations) ──▶ maildrop
//!    ▲                                             │ owed.rs: a reply that waits,
//!    └───────────── reply, from any thread ◀───────┘ its deadline, its caller's signals
//! ```
//!
//! No handler waits for the network: it answers from memory or owes its [`Answer`] to a want of the maildrop.

mod attributes;
mod errno;
mod filesystem;
mod fuse;
mod handles;
mod interrupt;
pub mod mount;
mod owed;

pub use attributes::{Attributes, Kind, Validity};
pub use errno::Error;
pub use filesystem::{DELETED, Entry, Filesystem, Opened, ROOT, Resized, Slice};
pub use fuse::{Owner, Serving};
pub use mount::Access;
pub use owed::{Answer, Ledger, Patience};
