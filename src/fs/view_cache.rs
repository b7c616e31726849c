//! What the views have made of messages. Files and trees are kept as long as there is room, sizes
//! as long as the maildrop knows the message.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use crate::fs::error::Error;
use crate::fs::nodes;
use crate::fs::views::{HEADERS_PART, PartTree, ViewId};
use crate::store::{Bodies, Body, FoundBody};

/// Octets of files that are kept in memory. A few files that are larger are kept on disk.
const FILES: u64 = 16 * 1024 * 1024;
/// Octets of trees that are kept: those of ten thousand usual messages.
const TREES: usize = 16 * 1024 * 1024;

/// One content of a message. A server may give a message other content while it is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) struct Revision {
    /// The inode number of the message in the root.
    pub(in crate::fs) message: u64,
    /// How often the content has changed in this mount.
    pub(in crate::fs) number: u32,
}

impl Revision {
    /// Whether the message has had the same content since the mount began.
    pub(in crate::fs) fn is_first(self) -> bool {
        self.number == 0
    }
}

/// Files, trees and sizes, by inode number.
#[derive(Debug)]
pub(in crate::fs) struct ViewCache(Mutex<CachedViews>);

#[derive(Debug)]
struct CachedViews {
    /// How often the content of a message has changed; absent for nearly all messages.
    alterations: HashMap<u64, u32>,
    files: Bodies,
    /// The exact size of each file that was ever made.
    sizes: HashMap<u64, u64>,
    /// By the inode number of the message in the root.
    trees: LruCache<u64, Arc<PartTree>>,
    /// The octets of memory that the trees take.
    trees_octets: usize,
    /// The last part of each tree that was ever made: the kernel may know these parts. Keys as for
    /// `trees`.
    last_parts: HashMap<u64, u16>,
    /// The parts that a user has removed: `rm -r` empties the directory of a message before it
    /// removes the directory.
    removed: HashSet<u64>,
}

impl ViewCache {
    pub(in crate::fs) fn new() -> Self {
        Self(Mutex::new(CachedViews {
            alterations: HashMap::new(),
            files: Bodies::new(FILES),
            sizes: HashMap::new(),
            trees: LruCache::unbounded(),
            trees_octets: 0,
            last_parts: HashMap::new(),
            removed: HashSet::new(),
        }))
    }

    /// The present content of a message. Ask before asking for the body: what is then made of the
    /// body is of this revision as long as [`ViewCache::check`] succeeds.
    pub(in crate::fs) fn revision(&self, message: u64) -> Revision {
        self.0.lock().revision(message)
    }

    /// Checks that the message still has that content.
    ///
    /// # Errors
    /// [`Error::Stale`], after which the kernel looks the name up again.
    pub(in crate::fs) fn check(&self, revision: Revision) -> Result<(), Error> {
        if self.0.lock().is_current(revision) {
            Ok(())
        } else {
            Err(Error::Stale)
        }
    }

    pub(in crate::fs) fn file(&self, inode: u64) -> Option<Arc<Body>> {
        self.0.lock().files.get(inode).map(FoundBody::body)
    }

    /// The exact size of a file, if it was ever made.
    pub(in crate::fs) fn size(&self, inode: u64) -> Option<u64> {
        self.0.lock().sizes.get(&inode).copied()
    }

    /// Keeps a file that was made of a message, unless the message has other content by now.
    pub(in crate::fs) fn keep_file(&self, revision: Revision, inode: u64, file: &Arc<Body>) {
        let mut cached = self.0.lock();
        if cached.is_current(revision) {
            cached.sizes.insert(inode, file.len());
            cached.files.insert(inode, Arc::clone(file));
        }
    }

    /// Keeps the exact size of a file that was made of a message, unless the message has other
    /// content by now.
    pub(in crate::fs) fn keep_size(&self, revision: Revision, inode: u64, size: u64) {
        let mut cached = self.0.lock();
        if cached.is_current(revision) {
            cached.sizes.insert(inode, size);
        }
    }

    pub(in crate::fs) fn tree(&self, message: u64) -> Option<Arc<PartTree>> {
        self.0.lock().trees.get(&message).map(Arc::clone)
    }

    /// Keeps the parts of a message.
    ///
    /// # Errors
    /// [`Error::Stale`] if the message has other content by now.
    pub(in crate::fs) fn keep_tree(
        &self,
        revision: Revision,
        tree: &Arc<PartTree>,
    ) -> Result<(), Error> {
        let mut cached = self.0.lock();
        if !cached.is_current(revision) {
            return Err(Error::Stale);
        }
        cached.last_parts.insert(revision.message, tree.last());
        if let Some(headers) = tree.file(HEADERS_PART) {
            let inode = nodes::part_inode(HEADERS_PART, revision.message);
            cached.sizes.insert(inode, headers.size());
        }
        cached.put_tree(revision.message, tree);
        Ok(())
    }

    pub(in crate::fs) fn remove(&self, part: u64) {
        self.0.lock().removed.insert(part);
    }

    pub(in crate::fs) fn is_removed(&self, part: u64) -> bool {
        self.0.lock().removed.contains(&part)
    }

    /// Shows the removed parts of a message again.
    pub(in crate::fs) fn restore(&self, message: u64) {
        self.0.lock().restore(message);
    }

    /// Forgets what was made of a message, whose content is another now. Gives the inode numbers of
    /// the parts that it had.
    pub(in crate::fs) fn forget(&self, message: u64) -> impl Iterator<Item = u64> + use<> {
        let mut cached = self.0.lock();
        *cached.alterations.entry(message).or_default() += 1;
        cached.restore(message);
        cached.remove_tree(message);
        // The headers are known without the tree.
        let last = cached.last_parts.remove(&message).unwrap_or(HEADERS_PART);
        cached
            .sizes
            .remove(&nodes::part_inode(HEADERS_PART, message));
        for view in ViewId::all() {
            let inode = nodes::in_view_inode(view, message);
            cached.sizes.remove(&inode);
            cached.files.remove(inode);
        }
        (1..=last).map(move |part| nodes::part_inode(part, message))
    }

    /// Drops what is kept of messages that the maildrop does not know any more.
    pub(in crate::fs) fn drop_unknown(&self, messages: &HashSet<u64>) {
        let is_known = |inode: u64| !messages.contains(&nodes::message_of(inode));
        let mut cached = self.0.lock();
        cached.alterations.retain(|&message, _| is_known(message));
        cached.sizes.retain(|&inode, _| is_known(inode));
        cached.last_parts.retain(|&message, _| is_known(message));
        cached.removed.retain(|&part| is_known(part));
        for &message in messages {
            cached.remove_tree(message);
        }
    }
}

impl CachedViews {
    fn revision(&self, message: u64) -> Revision {
        let number = self.alterations.get(&message).copied().unwrap_or(0);
        Revision { message, number }
    }

    fn is_current(&self, revision: Revision) -> bool {
        self.revision(revision.message) == revision
    }

    fn put_tree(&mut self, message: u64, tree: &Arc<PartTree>) {
        self.remove_tree(message);
        self.trees_octets += tree.octets();
        self.trees.put(message, Arc::clone(tree));
        while self.trees_octets > TREES
            && let Some((_, evicted)) = self.trees.pop_lru()
        {
            self.trees_octets -= evicted.octets();
        }
    }

    fn remove_tree(&mut self, message: u64) {
        if let Some(tree) = self.trees.pop(&message) {
            self.trees_octets -= tree.octets();
        }
    }

    fn restore(&mut self, message: u64) {
        self.removed
            .retain(|&part| nodes::message_of(part) != message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: u64 = 1 << 20;

    #[test]
    fn trees_are_kept_as_long_as_there_is_room() {
        let cache = ViewCache::new();
        let tree = Arc::new(PartTree::new(b"Subject: parts\r\n\r\ntext\r\n"));
        let most = (TREES / tree.octets()) as u64;
        for message in (0..=most).map(|at| MESSAGE + at) {
            let revision = cache.revision(message);
            cache.keep_tree(revision, &tree).unwrap();
            cache.keep_tree(revision, &tree).unwrap();
        }
        assert!(cache.tree(MESSAGE).is_none());
        assert!(cache.tree(MESSAGE + 1).is_some() && cache.tree(MESSAGE + most).is_some());
        assert!(cache.forget(MESSAGE + 1).count() > 0);
        assert_eq!(
            cache.0.lock().trees_octets,
            (most as usize - 1) * tree.octets()
        );
    }

    #[test]
    fn nothing_is_kept_of_messages_that_are_not_known_any_more() {
        let cache = ViewCache::new();
        let text = Arc::new(Body::new(b"text".to_vec()));
        let tree = Arc::new(PartTree::new(b"Subject: parts\r\n\r\ntext\r\n"));
        let view = ViewId::all().next().unwrap();
        for message in [MESSAGE, MESSAGE + 1] {
            cache.forget(message).for_each(drop);
            let revision = cache.revision(message);
            cache.keep_file(revision, nodes::in_view_inode(view, message), &text);
            cache.keep_tree(revision, &tree).unwrap();
            cache.remove(nodes::part_inode(2, message));
        }
        cache.drop_unknown(&HashSet::from([MESSAGE]));
        let kept = cache.0.lock();
        assert_eq!((kept.alterations.len(), kept.last_parts.len()), (1, 1));
        assert_eq!((kept.sizes.len(), kept.removed.len()), (2, 1));
        assert_eq!((kept.trees.len(), kept.trees_octets), (1, tree.octets()));
        let in_view = nodes::in_view_inode(view, MESSAGE + 1);
        assert!(kept.sizes.contains_key(&in_view));
    }

    #[test]
    fn what_was_made_of_old_content_is_not_kept_for_the_new() {
        let cache = ViewCache::new();
        let text = Arc::new(Body::new(b"text".to_vec()));
        let tree = Arc::new(PartTree::new(b"Subject: parts\r\n\r\n"));
        let inode = ViewId::all()
            .map(|view| nodes::in_view_inode(view, MESSAGE))
            .next()
            .unwrap();
        let old = cache.revision(MESSAGE);
        assert_eq!(cache.forget(MESSAGE).count(), 1);
        cache.keep_file(old, inode, &text);
        assert!(cache.file(inode).is_none() && cache.size(inode).is_none());
        assert!(matches!(cache.check(old), Err(Error::Stale)));
        assert!(matches!(cache.keep_tree(old, &tree), Err(Error::Stale)));
        assert!(cache.tree(MESSAGE).is_none());
        let new = cache.revision(MESSAGE);
        cache.keep_file(new, inode, &text);
        cache.keep_tree(new, &tree).unwrap();
        assert!(cache.file(inode).is_some() && cache.tree(MESSAGE).is_some());
    }
}
