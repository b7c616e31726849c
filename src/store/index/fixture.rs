//! An account with a cache folder of its own, for the tests of this layer.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Index, Row, file};
use crate::store::CacheFolder;

pub(super) struct Account {
    _base: TempDir,
    pub(super) folder: CacheFolder,
}

impl Account {
    pub(super) fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), "alice@example.org").unwrap();
        Self {
            _base: base,
            folder,
        }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join(file::FILE)
    }

    pub(super) fn open(&self) -> Index {
        Index::open(&self.folder).unwrap()
    }

    /// All rows as a new mount sees them.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.open().load().unwrap()
    }
}

/// A row of which nothing is known but the inode.
pub(super) fn row(uidl: &[u8], inode: u64) -> Row {
    Row {
        uidl: uidl.into(),
        ordinal: 0,
        inode,
        size: None,
        arrived: None,
        listed: 0,
        twins: 1,
        read: false,
        title: None,
        mark: None,
        crlfs: None,
        outline: None,
    }
}
