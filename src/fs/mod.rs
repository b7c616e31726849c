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

mod error;
mod fuse;
pub mod mount;
mod nodes;
mod open_files;
mod operations;
mod reply;
mod view_cache;
mod views;
mod worker;

pub use error::Error;
pub use fuse::adapter::{Owner, Serving};
pub use mount::Access;
pub use nodes::{DELETED, ROOT};
pub use open_files::Pages;
pub use operations::filesystem::{Appearance, Filesystem};
pub use operations::open::{Opened, Place, Resized, Slice};
pub use operations::readdir::{Entry, OpenedDirectory};
pub use operations::stat::{Attributes, Kind, Validity};
pub use operations::xattr::Xattrs;
pub use reply::deferred::{Answer, Ledger, Patience};
pub use views::ViewId;

pub use crate::store::Eol;
