//! One file for each command. Mounting itself is in [`super::daemon`].

mod answer;
mod cache;
mod check;
mod complete;
mod demo;
mod fetch;
mod restore;
mod search;
mod status;
mod stdout;
mod umount;
mod watch;

pub use cache::cache;
pub use check::check;
pub use complete::complete;
pub use demo::demo;
pub use fetch::fetch;
pub use restore::restore;
pub use search::search;
pub use status::{Format, status};
pub use umount::{commit, umount, umount_all};
pub use watch::watch;
