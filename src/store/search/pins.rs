//! The searches that a user has pinned, kept across mounts: a file of JSON beside the index, which
//! can be made again without them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::store::{CacheFolder, StoreError};

/// Its name in the folder of an account.
const FILE: &str = "searches.json";
/// This many names are listed at most.
const PINS_MAX: usize = 1000;

/// The names, as they were given to mkdir(2).
#[derive(Debug)]
pub struct Pins {
    path: PathBuf,
}

impl Pins {
    /// Those of an account. Nothing is read yet.
    pub fn of(folder: &CacheFolder) -> Self {
        Self {
            path: folder.path().join(FILE),
        }
    }

    /// All names, sorted. A file that cannot be read has none, with a warning in the log.
    pub fn all(&self) -> BTreeSet<String> {
        let octets = match fs::read(&self.path) {
            Ok(octets) => octets,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    log::warn!("cannot read {}: {error}", self.path.display());
                }
                return BTreeSet::new();
            }
        };
        serde_json::from_slice(&octets).unwrap_or_else(|error| {
            log::warn!("{} is damaged: {error}", self.path.display());
            BTreeSet::new()
        })
    }

    /// Pins a name. More than a thousand are not kept.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn add(&self, name: &str) -> Result<(), StoreError> {
        let mut names = self.all();
        if names.len() >= PINS_MAX || !names.insert(name.to_owned()) {
            return Ok(());
        }
        self.write(&names)
    }

    /// Unpins a name.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let mut names = self.all();
        match names.remove(name) {
            true => self.write(&names),
            false => Ok(()),
        }
    }

    /// Another mount reads the old file or the new one. Its mode is 0600, as that of every
    /// temporary file.
    fn write(&self, names: &BTreeSet<String>) -> Result<(), StoreError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            serde_json::to_writer(&mut file, names)?;
            file.flush()?;
            file.persist(&self.path).map_err(|error| error.error)
        });
        written
            .map(drop)
            .map_err(StoreError::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn pins_are_kept_until_they_are_removed() {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), "alice").unwrap();
        let pins = Pins::of(&folder);
        assert!(pins.all().is_empty());
        for name in ["invoice from:alice", "\"東京\n", "invoice from:alice"] {
            pins.add(name).unwrap();
        }
        let kept = Pins::of(&folder).all();
        assert_eq!(
            kept.into_iter().collect::<Vec<_>>(),
            ["\"東京\n", "invoice from:alice"]
        );
        pins.remove("\"東京\n").unwrap();
        pins.remove("never").unwrap();
        assert_eq!(pins.all().len(), 1);
        let mode = fs::metadata(&pins.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_of_pins_has_none() {
        let base = tempfile::tempdir().unwrap();
        let folder = CacheFolder::open(base.path(), "alice").unwrap();
        let pins = Pins::of(&folder);
        fs::write(&pins.path, "{\"x").unwrap();
        assert!(pins.all().is_empty());
        pins.add("a").unwrap();
        assert_eq!(pins.all().len(), 1);
    }
}
