//! The maildrop as a filesystem.
//!
//! ```text
//!           fuse/                                operations/
//! kernel ─▶ adapter: one call, one reply ──────▶ what each request does ──▶ maildrop
//!    ▲      notify: what the kernel is told         │
//!    │      session, polling                        │ reply/: a reply that waits, its time limit,
//!    └────────────── reply, from any thread ◀───────┘ the signals of the process that waits
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | nodes | what an inode number stands for |
//! | views/ | the forms in which messages are shown, and where; a new view is a file there |
//! | search/ | the searches of `.search`, and the thread that feeds their index |
//! | view_cache | what views have made of messages |
//! | open_files | what is open |
//! | readings | which process has read which file to its end |
//! | process | the process that a thread belongs to |
//! | kernel_view | what the kernel believes about a file that is opened |
//! | bursts | whether programs read much now |
//! | [`mount`] | mount(2), umount2(2), fusermount3 and the mount table |
//! | error | the table of errnos |
//! | worker | a thread that runs tasks in turn |
//!
//! No operation waits for the network: it answers from memory, or defers its [`KernelReply`] until
//! the maildrop has what it needs.

mod appearance;
mod bursts;
mod error;
mod fuse;
mod kernel_view;
pub mod mount;
mod nodes;
mod open_files;
mod operations;
mod process;
mod readings;
mod reply;
mod search;
mod view_cache;
mod views;
mod worker;

pub use appearance::{Appearance, FileOwner, Xattrs};
pub use error::Error;
pub use fuse::polling::Polling;
pub use fuse::session::KernelSession;
pub use kernel_view::{KernelView, Pages};
pub use mount::Access;
pub use nodes::{DELETED, ROOT};
pub use operations::filesystem::Filesystem;
pub use operations::open::{ContentLocation, OpenedFile, ReadRange};
pub use operations::readdir::{DirectoryEntry, OpenedDirectory};
pub use operations::stat::{Attributes, FileKind, SpaceTotals, Validity};
pub use reply::deferred::{KernelReply, WaitLimit, Watchdog};
pub use search::{SearchCoverage, Searches};
pub use views::ViewId;

pub use crate::store::Eol;
