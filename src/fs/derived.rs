//! What was made of messages for the views, kept as long as there is room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use super::nodes;
use super::views::{Tree, ViewId};
use crate::store::{Bodies, Body, Found};

/// The most octets of files kept in memory; of larger ones a few are kept on disk.
const FILES: u64 = 16 * 1024 * 1024;
/// The most trees kept.
const TREES: usize = 64;

/// Files, trees and sizes, by inode number.
#[derive(Debug)]
pub(super) struct Derived(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
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
    pub(super) fn new() -> Derived {
        Derived(Mutex::new(Contents {
            files: Bodies::new(FILES),
            sizes: HashMap::new(),
            trees: LruCache::unbounded(),
            last_parts: HashMap::new(),
            removed: HashSet::new(),
        }))
    }

    pub(super) fn file(&self, inode: u64) -> Option<Arc<Body>> {
        self.0.lock().files.get(inode).map(Found::body)
    }

    /// The exact size of a file that was made once.
    pub(super) fn size(&self, inode: u64) -> Option<u64> {
        self.0.lock().sizes.get(&inode).copied()
    }

    pub(super) fn keep_file(&self, inode: u64, file: &Arc<Body>) {
        let mut contents = self.0.lock();
        contents.sizes.insert(inode, file.len());
        contents.files.insert(inode, Arc::clone(file));
    }

    pub(super) fn tree(&self, message: u64) -> Option<Arc<Tree>> {
        self.0.lock().trees.get(&message).map(Arc::clone)
    }

    pub(super) fn keep_tree(&self, message: u64, tree: &Arc<Tree>) {
        let mut contents = self.0.lock();
        contents.last_parts.insert(message, tree.last());
        contents.trees.put(message, Arc::clone(tree));
        while contents.trees.len() > TREES {
            contents.trees.pop_lru();
        }
    }

    pub(super) fn remove(&self, part: u64) {
        self.0.lock().removed.insert(part);
    }

    pub(super) fn is_removed(&self, part: u64) -> bool {
        self.0.lock().removed.contains(&part)
    }

    /// Brings the parts back that were removed of a message.
    pub(super) fn restore(&self, message: u64) {
        self.0.lock().restore(message);
    }

    /// The message has other octets now. Gives the inode numbers of the parts that it had.
    pub(super) fn forget(&self, message: u64) -> impl Iterator<Item = u64> + use<> {
        let mut contents = self.0.lock();
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
    fn restore(&mut self, message: u64) {
        self.removed
            .retain(|&part| !nodes::is_part_of(part, message));
    }
}
