//! A cache folder with an index, for the tests of this module.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Index, Row};
use crate::store::CacheFolder;
use crate::store::account::INDEX_FILE;

/// The cache folder of an account that exists only in a test.
pub(super) struct IndexFolder {
    _base: TempDir,
    pub(super) folder: CacheFolder,
}

impl IndexFolder {
    pub(super) fn new() -> Self {
        Self::of("alice@example.org")
    }

    pub(super) fn of(account: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), account).unwrap();
        Self {
            _base: base,
            folder,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.path().join(INDEX_FILE)
    }

    pub(super) fn open(&self) -> Index {
        Index::open(&self.folder).unwrap()
    }

    /// All rows as a new mount sees them.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.open().load().unwrap()
    }
}

/// A row that knows nothing but the inode number.
pub(super) fn row(uidl: &[u8], inode: u64) -> Row {
    Row {
        uidl: uidl.into(),
        ordinal: 0,
        inode,
        size: None,
        arrived: None,
        listed: 0,
        twins: NonZeroU32::new(1),
        read: false,
        title: None,
        mark: None,
        crlfs: None,
        outline: None,
        first_listed: None,
        departed: None,
        top_digest: None,
        body_digest: None,
    }
}
