//! What was made of messages for the views, kept as long as there is room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use crate::fs::error::Error;
use crate::fs::nodes;
use crate::fs::views::{Tree, ViewId};
use crate::store::{Bodies, Body, Found};

/// The most octets of files kept in memory; of larger ones a few are kept on disk.
const FILES: u64 = 16 * 1024 * 1024;
/// The most trees kept.
const TREES: usize = 64;

/// A message as it is until it is given other octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) struct Revision {
    /// The message's inode number.
    pub(in crate::fs) message: u64,
    /// How often it was given others before, in this mount.
    pub(in crate::fs) number: u32,
}

/// Files, trees and sizes, by inode number.
#[derive(Debug)]
pub(in crate::fs) struct Derived(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
    /// How often messages were given other octets; most never are.
    alterations: HashMap<u64, u32>,
    files: Bodies,
    /// Of every file that was ever made.
    sizes: HashMap<u64, u64>,
    /// By the message's own inode number.
    trees: LruCache<u64, Arc<Tree>>,
    /// The last part of every tree that was ever made, by the message's own inode number: the kernel may know of it.
    last_parts: HashMap<u64, u16>,
    /// Parts that were removed: `rm -r` empties a message's directory before it removes it.
    removed: HashSet<u64>,
}

impl Derived {
    pub(in crate::fs) fn new() -> Derived {
        Derived(Mutex::new(Contents {
            alterations: HashMap::new(),
            files: Bodies::new(FILES),
            sizes: HashMap::new(),
            trees: LruCache::unbounded(),
            last_parts: HashMap::new(),
            removed: HashSet::new(),
        }))
    }

    /// The message as it is now. To be asked for before its octets are: what is made of them is of no other then, as long
    /// as [`Derived::check`] says so.
    pub(in crate::fs) fn revision(&self, message: u64) -> Revision {
        self.0.lock().revision(message)
    }

    /// Whether the message has the octets yet that it had.
    ///
    /// # Errors
    /// [`Error::Stale`]: the kernel asks anew.
    pub(in crate::fs) fn check(&self, revision: Revision) -> Result<(), Error> {
        if self.0.lock().is_current(revision) {
            Ok(())
        } else {
            Err(Error::Stale)
        }
    }

    pub(in crate::fs) fn file(&self, inode: u64) -> Option<Arc<Body>> {
        self.0.lock().files.get(inode).map(Found::body)
    }

    /// The exact size of a file that was made once.
    pub(in crate::fs) fn size(&self, inode: u64) -> Option<u64> {
        self.0.lock().sizes.get(&inode).copied()
    }

    /// Keeps what was made of a message, unless it has other octets by now.
    pub(in crate::fs) fn keep_file(&self, revision: Revision, inode: u64, file: &Arc<Body>) {
        let mut contents = self.0.lock();
        if contents.is_current(revision) {
            contents.sizes.insert(inode, file.len());
            contents.files.insert(inode, Arc::clone(file));
        }
    }

    pub(in crate::fs) fn tree(&self, message: u64) -> Option<Arc<Tree>> {
        self.0.lock().trees.get(&message).map(Arc::clone)
    }

    /// Keeps the parts of a message.
    ///
    /// # Errors
    /// [`Error::Stale`] where it has other octets by now.
    pub(in crate::fs) fn keep_tree(
        &self,
        revision: Revision,
        tree: &Arc<Tree>,
    ) -> Result<(), Error> {
        let mut contents = self.0.lock();
        if !contents.is_current(revision) {
            return Err(Error::Stale);
        }
        contents.last_parts.insert(revision.message, tree.last());
        contents.trees.put(revision.message, Arc::clone(tree));
        while contents.trees.len() > TREES {
            contents.trees.pop_lru();
        }
        Ok(())
    }

    pub(in crate::fs) fn remove(&self, part: u64) {
        self.0.lock().removed.insert(part);
    }

    pub(in crate::fs) fn is_removed(&self, part: u64) -> bool {
        self.0.lock().removed.contains(&part)
    }

    /// Brings the parts back that were removed of a message.
    pub(in crate::fs) fn restore(&self, message: u64) {
        self.0.lock().restore(message);
    }

    /// The message has other octets now. Gives the inode numbers of the parts that it had.
    pub(in crate::fs) fn forget(&self, message: u64) -> impl Iterator<Item = u64> + use<> {
        let mut contents = self.0.lock();
        *contents.alterations.entry(message).or_default() += 1;
        contents.restore(message);
        contents.trees.pop(&message);
        let last = contents.last_parts.remove(&message).unwrap_or(0);
        for view in ViewId::all() {
            let inode = nodes::of_shown(view, message);
            contents.sizes.remove(&inode);
            contents.files.remove(inode);
        }
        (1..=last).map(move |part| nodes::of_part(part, message))
    }
}

impl Contents {
    fn revision(&self, message: u64) -> Revision {
        let number = self.alterations.get(&message).copied().unwrap_or(0);
        Revision { message, number }
    }

    fn is_current(&self, revision: Revision) -> bool {
        self.revision(revision.message) == revision
    }

    fn restore(&mut self, message: u64) {
        self.removed
            .retain(|&part| !nodes::is_part_of(part, message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: u64 = 1 << 20;

    #[test]
    fn what_was_made_of_the_old_octets_is_not_kept_for_the_new() {
        let derived = Derived::new();
        let text = Arc::new(Body::new(b"text".to_vec()));
        let tree = Arc::new(Tree::of(b"Subject: parts\r\n\r\n"));
        let inode = ViewId::all()
            .map(|view| nodes::of_shown(view, MESSAGE))
            .next()
            .unwrap();
        let old = derived.revision(MESSAGE);
        assert_eq!(derived.forget(MESSAGE).count(), 0);
        derived.keep_file(old, inode, &text);
        assert!(derived.file(inode).is_none() && derived.size(inode).is_none());
        assert!(matches!(derived.check(old), Err(Error::Stale)));
        assert!(matches!(derived.keep_tree(old, &tree), Err(Error::Stale)));
        assert!(derived.tree(MESSAGE).is_none());
        let new = derived.revision(MESSAGE);
        derived.keep_file(new, inode, &text);
        derived.keep_tree(new, &tree).unwrap();
        assert!(derived.file(inode).is_some() && derived.tree(MESSAGE).is_some());
    }
}
