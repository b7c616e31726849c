//! The maildrop as a filesystem.
//!
//! ```text
//! kernel ──▶ fuse.rs (one call, one reply) ──▶ filesystem.rs (operations) ──▶ maildrop
//!    ▲                                             │ owed.rs: a reply that waits,
//!    └───────────── reply, from any thread ◀───────┘ its deadline, its caller's signals
//! ```
//! What an inode number stands for is told in nodes.rs. The operations that take more than a page have files of their own:
//! listing.rs is what directories list, removal.rs takes messages out of them, xattrs.rs tells attributes, and opening.rs
//! gives files their octets; those of the views/ are made in workshop.rs, off the threads that answer, and kept by derived.rs.
//!
//! No handler waits for the network: it answers from memory or owes its [`Answer`] to a want of the maildrop.

mod attributes;
mod derived;
mod errno;
mod filesystem;
mod fuse;
mod handles;
mod interrupt;
mod listing;
pub mod mount;
mod nodes;
mod opening;
mod owed;
mod removal;
mod views;
mod workshop;
mod xattrs;

pub use attributes::{Attributes, Kind, Validity};
pub use errno::Error;
pub use filesystem::{Appearance, Filesystem};
pub use fuse::{Owner, Serving};
pub use handles::Pages;
pub use listing::{Entry, OpenedDirectory};
pub use mount::Access;
pub use nodes::{DELETED, ROOT};
pub use opening::{Opened, Place, Resized, Slice};
pub use owed::{Answer, Ledger, Patience};
pub use views::ViewId;
pub use xattrs::Xattrs;

pub use crate::store::Eol;
