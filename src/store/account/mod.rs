//! The folder that holds the index and the bodies of one account.

mod accounts;
mod folder;

pub use accounts::AccountCache;
pub(super) use accounts::{InUse, Neighbours, lock_in_use};
pub use folder::CacheFolder;
pub(super) use folder::{BODIES_FOLDER, INDEX_FILE, make_private_folder, refuse_other_owner};
