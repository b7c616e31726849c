//! The caches of all accounts in a base folder: how large they are, and how one is removed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::folder::{BODIES_FOLDER, DIGITS, INDEX_FILE, folder_name};
use crate::store::StoreError;

/// Every mount holds a shared lock on this file in the folder of its account.
const LOCK_FILE: &str = "in-use";

/// The cache of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCache {
    path: PathBuf,
    name: String,
}

/// Keeps a cache from being removed until it is released.
#[derive(Debug)]
pub(in crate::store) struct InUse {
    /// Who used the cache when this began.
    pub(in crate::store) neighbours: Neighbours,
    file: File,
}

impl InUse {
    /// Ends the use. To close the file would not do: a child process that has not begun its program
    /// yet has the file open too, and the lock with it.
    pub(in crate::store) fn release(&self) {
        let _locked_until_the_process_ends = self.file.unlock();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.release();
    }
}

/// Whether other mounts use a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Neighbours {
    /// No other mount does.
    None,
    /// At least one does.
    Some,
}

impl AccountCache {
    /// All caches in `base`, sorted by name; none if there is no such folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn all(base: &Path) -> Result<Vec<Self>, StoreError> {
        let entries = match fs::read_dir(base) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(StoreError::io("read", base))?,
        };
        let mut found: Vec<Self> = entries
            .flatten()
            .filter_map(|entry| Self::at(entry.path()))
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The cache of an account, if there is one.
    pub fn of(base: &Path, account: &str) -> Option<Self> {
        Self::at(base.join(folder_name(account)))
    }

    /// The name of its folder: the readable part of the account, and a digest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The octets of all its files.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn octets(&self) -> Result<u64, StoreError> {
        octets_in(&self.path).map_err(StoreError::io("look at", &self.path))
    }

    /// Whether a mount uses it now.
    pub fn is_in_use(&self) -> bool {
        matches!(self.lock_alone(), Err(StoreError::InUse { .. }))
    }

    /// Removes all of it from the disk.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or the system refuses to remove a file.
    pub fn clear(&self) -> Result<(), StoreError> {
        let _alone = self.lock_alone()?;
        fs::remove_dir_all(&self.path).map_err(StoreError::io("remove", &self.path))
    }

    /// None unless the folder is the user's own, has a name in our format, and contains an index or
    /// bodies: nothing else is ever removed.
    fn at(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_owned();
        let digest = name.rsplit('-').next()?;
        let is_digest = digest.len() == DIGITS && digest.bytes().all(|c| c.is_ascii_hexdigit());
        let metadata = path.symlink_metadata().ok()?;
        let is_ours = metadata.is_dir() && metadata.uid() == geteuid().as_raw();
        let is_cache = || {
            [INDEX_FILE, BODIES_FOLDER]
                .iter()
                .any(|part| path.join(part).exists())
        };
        (is_digest && is_ours && is_cache()).then_some(Self { path, name })
    }

    fn lock_alone(&self) -> Result<File, StoreError> {
        let file = open_lock_file(&self.path).map_err(StoreError::io("open", &self.path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: self.path.clone(),
            }),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &self.path)(error)),
        }
    }
}

/// Locks the folder of an account against removal; none if the file system has no locks.
pub(in crate::store) fn lock_in_use(folder: &Path) -> Option<InUse> {
    let locked = open_lock_file(folder).and_then(|file| {
        let neighbours = match file.try_lock() {
            Ok(()) => Neighbours::None,
            Err(TryLockError::WouldBlock) => Neighbours::Some,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        file.lock_shared()?;
        Ok(InUse { neighbours, file })
    });
    locked
        .inspect_err(|error| log::debug!("{}: cannot lock it ({error})", folder.display()))
        .ok()
}

fn open_lock_file(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(folder.join(LOCK_FILE))
}

fn octets_in(folder: &Path) -> io::Result<u64> {
    let mut octets = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A mount may have removed the file by now.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        octets += match metadata.is_dir() {
            true => octets_in(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::{CacheFolder, Index};

    const ACCOUNT: &str = "alice@example.org:995";

    fn base_with_a_cache() -> (tempfile::TempDir, Index) {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        let index = Index::open(&folder).unwrap();
        (base, index)
    }

    #[test]
    fn a_cache_is_removed_when_nobody_uses_it() {
        let (base, index) = base_with_a_cache();
        let cache = AccountCache::of(base.path(), ACCOUNT).unwrap();
        assert!(cache.is_in_use());
        let error = cache.clear().unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("is used by a mount"), "{error}");
        drop(index);
        assert!(!cache.is_in_use());
        assert!(cache.octets().unwrap() > 0);
        cache.clear().unwrap();
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    }

    #[test]
    fn two_mounts_use_one_cache() {
        let (base, one) = base_with_a_cache();
        let folder = CacheFolder::open(base.path(), ACCOUNT).unwrap();
        let other = Index::open(&folder).unwrap();
        drop(one);
        let cache = AccountCache::of(base.path(), ACCOUNT).unwrap();
        assert!(cache.is_in_use());
        drop(other);
        assert!(!cache.is_in_use());
    }

    #[test]
    fn a_child_process_does_not_keep_a_cache_in_use() {
        let (base, index) = base_with_a_cache();
        drop(index);
        let cache = AccountCache::of(base.path(), ACCOUNT).unwrap();
        let in_use = lock_in_use(&cache.path).unwrap();
        let of_a_child = in_use.file.try_clone().unwrap();
        assert!(cache.is_in_use());
        drop(in_use);
        assert!(!cache.is_in_use());
        drop(of_a_child);
    }

    #[test]
    fn only_caches_are_listed() {
        let (base, _index) = base_with_a_cache();
        let cache = AccountCache::of(base.path(), ACCOUNT).unwrap();
        for name in ["other", "other-0123456789abcdef", "0123456789abcdeg"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        symlink(&cache.path, base.path().join("link-0123456789abcdef")).unwrap();
        fs::write(base.path().join("file-0123456789abcdef"), "").unwrap();
        assert_eq!(AccountCache::all(base.path()).unwrap(), [cache]);
        assert!(AccountCache::all(Path::new("/no/such")).unwrap().is_empty());
    }
}
