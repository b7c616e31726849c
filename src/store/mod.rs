//! What was learnt and fetched: the index, and the bodies on disk and in memory.
//!
//! | what | where | lives |
//! |---|---|---|
//! | what was learnt of a message, by unique-id: inode, sizes, arrival, title, flags … ([`Index`]) | `BASE/ACCOUNT/index.sqlite` | across mounts |
//! | the words of the messages, to be searched ([`SearchIndex`]) | `BASE/ACCOUNT/search.sqlite` | across mounts |
//! | complete bodies ([`Disk`]) | `BASE/ACCOUNT/bodies/`, in segments, read longest ago goes first | across mounts |
//! | complete bodies ([`Bodies`]) | memory, least recently used goes first | one mount |
//! | large bodies ([`Incoming`]) | a temporary file, which becomes one of the cache or goes with its last reader | |
//!
//! BASE is `$XDG_CACHE_HOME/pop3fs`, or `~/.cache/pop3fs`. Each account has a folder of its
//! own in it ([`CacheFolder`]), named by what can be read of the account and a digest of all of it.
//!
//! The index is an SQLite file in WAL mode. Its `application_id` is ours, its `user_version` is the format: a newer one is
//! refused, a damaged one is set aside, because the server can tell everything in it again. Several mounts may share it.
//!
//! All of it belongs to the user who mounts, and nobody else may read it: a unique-id and a time already tell who got mail
//! and when. Folders are 0700, files 0600, and what another user owns is refused.

mod account;
mod bodies;
mod error;
mod index;
mod search;

pub use account::{AccountCache, CacheFolder};
pub use bodies::{Bodies, Body, BodyKey, Disk, Eol, Found, Incoming, Rendition, Usage};
pub use error::StoreError;
pub use index::{Index, Row};
pub use search::{Indexed, Offer, Pins, SearchEntry, SearchIndex};
