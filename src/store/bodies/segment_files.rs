//! The segments that are kept open for reading.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

/// The most segments that are kept open. A cache that is full has about that many, but each mount
/// begins one, and the descriptors of many would run out.
const MOST_OPEN: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Files that were opened for reading, by path. The least recently used is closed first.
#[derive(Debug)]
pub(super) struct SegmentFiles(Mutex<LruCache<PathBuf, Arc<File>>>);

impl SegmentFiles {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(MOST_OPEN)))
    }

    /// The open file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if another mount has removed it, even if it is still open here; or
    /// it cannot be opened.
    pub(super) fn get(&self, path: &Path) -> io::Result<Arc<File>> {
        let mut files = self.0.lock();
        let file = match files.get(path) {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(File::open(path)?);
                files.put(path.to_owned(), Arc::clone(&file));
                file
            }
        };
        if is_removed(&file)? {
            files.pop(path);
            return Err(ErrorKind::NotFound.into());
        }
        Ok(file)
    }

    /// Closes the file, unless a reader still uses it.
    pub(super) fn close(&self, path: &Path) {
        self.0.lock().pop(path);
    }

    /// Closes all files that were removed, which gives their space back.
    pub(super) fn close_removed(&self) {
        let mut files = self.0.lock();
        let removed = |(path, file): (&PathBuf, &Arc<File>)| {
            is_removed(file).unwrap_or(true).then(|| path.clone())
        };
        let removed: Vec<PathBuf> = files.iter().filter_map(removed).collect();
        for path in removed {
            files.pop(&path);
        }
    }
}

fn is_removed(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}
