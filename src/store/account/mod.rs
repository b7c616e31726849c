//! The cache of one account: the folder that holds its index and its bodies.

mod accounts;
mod folder;

pub use accounts::AccountCache;
pub(super) use accounts::{Occupied, occupy};
pub use folder::CacheFolder;
pub(super) use folder::{make, refuse_if_anothers};
