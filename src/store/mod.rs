//! What was learnt and fetched: the index, and the bodies on disk and in memory.
//!
//! | what | where | kept |
//! |---|---|---|
//! | facts about each message, by unique-id: inode number, sizes, arrival, title, flags ([`Index`]) | `BASE/ACCOUNT/index.sqlite` | across mounts |
//! | the words of the messages, to be searched ([`SearchIndex`]) | `BASE/ACCOUNT/search.sqlite` | across mounts |
//! | complete bodies ([`Disk`]) | segments in `BASE/ACCOUNT/bodies/`; those read longest ago are evicted first | across mounts |
//! | complete bodies ([`Bodies`]) | memory; the least recently used is evicted first | for one mount |
//! | large bodies on their way ([`Incoming`]) | a temporary file that moves to the cache, or goes with its last reader | |
//!
//! BASE is `$XDG_CACHE_HOME/pop3fs`, or `~/.cache/pop3fs`. Each account has a folder in it
//! ([`CacheFolder`]), whose name is the readable part of the account and a digest.
//!
//! The index is an SQLite file with a rollback journal. Its `application_id` is ours, its
//! `user_version` is the format. A newer format is refused. A damaged file is set aside, because
//! the server can tell everything in it again. Several mounts may share it.
//!
//! Everything belongs to the user who mounts, and nobody else may read it: even a unique-id and a
//! time tell who got mail and when. Folders are 0700, files 0600, and what another user owns is
//! refused.
//!
//! `account` knows nothing of its neighbours; `bodies` and `index` build on it.

mod account;
mod bodies;
mod error;
mod index;
mod search;

pub use account::{AccountCache, CacheFolder};
pub use bodies::{
    Bodies, Body, BodyKey, BodyReader, Disk, Eol, FoundBody, Incoming, READ_WHOLE, Usage,
};
pub use error::StoreError;
pub use index::{
    DEPARTED_MOST, DEPARTED_OCTETS_MOST, Deletions, Index, LastListing, Removal, RemovedMessage,
    Row,
};
pub use search::{FoundMessage, Indexed, Offer, Pins, SearchEntry, SearchIndex};
