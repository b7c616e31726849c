//! One file for each command. Mounting itself is in [`super::daemon`].

mod answer;
mod cache;
mod check;
mod demo;
mod fetch;
mod stdout;
mod umount;

pub use answer::{Format, restore, status};
pub use cache::cache;
pub use check::check;
pub use demo::demo;
pub use fetch::fetch;
pub use umount::{commit, umount};
