//! What can go wrong with the cache on disk.

use std::io;
use std::path::{Path, PathBuf};

/// Why the cache cannot be used. Each message names the path; the command line tells what the user
/// can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused an operation on a file or folder.
    #[error("cannot {doing} {} ({source})", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder that it was tried on.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The user's: something else, perhaps a symbolic link, stands where a folder of the cache
    /// belongs.
    #[error("{} is not a folder (a symbolic link is not followed)", path.display())]
    NotAFolder {
        /// What stands there.
        path: PathBuf,
    },
    /// The user's: something else, perhaps a symbolic link, stands where the index belongs.
    #[error("{} is not a regular file (a symbolic link is not followed)", path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// The user's: another user owns the file, perhaps root after a mount under sudo. The owner
    /// could read or forge what is in it.
    #[error("{} belongs to user {owner}", path.display())]
    AnotherOwner {
        /// The file or folder that is not ours.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
    },
    /// The user's: others may write to the folder that holds the caches, and so replace
    /// them.
    #[error("others may write to {} (mode {mode:03o})", path.display())]
    WritableByOthers {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The user's: a newer pop3fs wrote the index.
    #[error("{} has format {found} and this pop3fs knows {known}; use the newer pop3fs, or remove the file: it is learnt again", path.display())]
    NewerFormat {
        /// The index.
        path: PathBuf,
        /// The format that it has.
        found: i32,
        /// The newest format that this program reads.
        known: i32,
    },
    /// This machine's: SQLite failed, because of no room, no permission, or a broken disk.
    #[error("cannot use {} ({source})", path.display())]
    Sqlite {
        /// The index.
        path: PathBuf,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// The user's: a cache cannot be removed under a mount.
    #[error("{} is used by a mount", path.display())]
    InUse {
        /// The folder of the account.
        path: PathBuf,
    },
    /// Ours: the thread that writes the index ended before its time.
    #[error("the writer of {} has ended; mount again", path.display())]
    NoWriter {
        /// The index.
        path: PathBuf,
    },
}

impl StoreError {
    /// The system refused what was tried on the path; `doing` is a verb.
    pub(super) fn io<E: Into<io::Error>>(doing: &'static str, path: &Path) -> impl Fn(E) -> Self {
        move |error| Self::Io {
            doing,
            path: path.into(),
            source: error.into(),
        }
    }
}
