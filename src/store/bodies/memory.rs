//! The bodies in memory.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use super::Body;

/// The most bodies in files that are kept open; each takes a descriptor.
const MOST_FILES: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// The most octets of bodies in files that are kept open, if there are several. A file that is not
/// in the cache takes room on disk as long as it is open.
const MOST_FILE_OCTETS: u64 = 32 * 1024 * 1024;

/// Complete bodies by inode number, bounded in octets. The least recently used is evicted first,
/// but never one that was read ahead and has not been used yet. The owner locks it.
pub struct Bodies {
    limit: u64,
    octets: u64,
    used: LruCache<u64, Arc<Body>>,
    ahead: HashMap<u64, Arc<Body>>,
    /// The part of `octets` that `ahead` takes.
    ahead_octets: u64,
    /// Bodies in files, which take no memory.
    files: LruCache<u64, Arc<Body>>,
}

/// A body that was found in memory.
#[derive(Debug)]
pub enum FoundBody {
    /// It was read ahead, and is used for the first time.
    Ahead(Arc<Body>),
    /// It was used before.
    Used(Arc<Body>),
}

impl FoundBody {
    /// The body.
    pub fn body(self) -> Arc<Body> {
        match self {
            Self::Ahead(body) | Self::Used(body) => body,
        }
    }
}

impl Bodies {
    /// An empty set that keeps at most `limit` octets.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            octets: 0,
            used: LruCache::unbounded(),
            ahead: HashMap::new(),
            ahead_octets: 0,
            files: LruCache::new(MOST_FILES),
        }
    }

    /// The body of `inode`, which becomes the most recently used.
    pub fn get(&mut self, inode: u64) -> Option<FoundBody> {
        if let Some(body) = self.used.get(&inode).or_else(|| self.files.get(&inode)) {
            return Some(FoundBody::Used(Arc::clone(body)));
        }
        self.use_ahead(inode).map(FoundBody::Ahead)
    }

    /// The body of `inode`. This is no use of it: neither its age nor its state changes.
    pub fn peek(&self, inode: u64) -> Option<&Arc<Body>> {
        let ahead = || self.ahead.get(&inode);
        let used = self.used.peek(&inode).or_else(ahead);
        used.or_else(|| self.files.peek(&inode))
    }

    /// Whether the body of `inode` is here. This is no use of it.
    pub fn contains(&self, inode: u64) -> bool {
        self.peek(inode).is_some()
    }

    /// Keeps a body as the most recently used, and evicts others until all fit. A body that cannot
    /// fit is not kept, and evicts nothing.
    pub fn insert(&mut self, inode: u64, body: Arc<Body>) {
        self.remove(inode);
        if body.in_memory() < body.len() {
            self.keep_file(inode, body);
        } else if self.make_room(body.in_memory()) {
            self.octets += body.in_memory();
            self.used.put(inode, body);
        }
    }

    /// Keeps a body that is about to be used: it is not evicted before that.
    pub fn insert_ahead(&mut self, inode: u64, body: Arc<Body>) {
        self.insert(inode, body);
        if let Some(body) = self.used.pop(&inode) {
            self.ahead_octets += body.in_memory();
            self.ahead.insert(inode, body);
        }
    }

    /// The body that was read ahead will not be used: it may be evicted, before all others.
    pub fn release_ahead(&mut self, inode: u64) {
        if self.use_ahead(inode).is_some() {
            self.used.demote(&inode);
        }
    }

    /// Removes the body of `inode`, and returns it.
    pub fn remove(&mut self, inode: u64) -> Option<Arc<Body>> {
        if let Some(body) = self.files.pop(&inode) {
            return Some(body);
        }
        self.use_ahead(inode);
        let body = self.used.pop(&inode)?;
        self.octets -= body.in_memory();
        Some(body)
    }

    /// The octets of memory that the bodies take, never more than the limit.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The most octets of memory.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How many bodies are here.
    pub fn len(&self) -> usize {
        self.used.len() + self.ahead.len() + self.files.len()
    }

    /// Whether no body is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep_file(&mut self, inode: u64, body: Arc<Body>) {
        self.files.put(inode, body);
        let octets = |files: &LruCache<u64, Arc<Body>>| -> u64 {
            files.iter().map(|(_, body)| body.len()).sum()
        };
        while self.files.len() > 1 && octets(&self.files) > MOST_FILE_OCTETS {
            self.files.pop_lru();
        }
    }

    fn use_ahead(&mut self, inode: u64) -> Option<Arc<Body>> {
        let body = self.ahead.remove(&inode)?;
        self.ahead_octets -= body.in_memory();
        self.used.put(inode, Arc::clone(&body));
        Some(body)
    }

    /// Evicts bodies until `wanted` octets fit. False if they cannot fit.
    fn make_room(&mut self, wanted: u64) -> bool {
        if self.ahead_octets + wanted > self.limit {
            return false;
        }
        while self.octets + wanted > self.limit {
            let Some((_, evicted)) = self.used.pop_lru() else {
                return false;
            };
            self.octets -= evicted.in_memory();
        }
        true
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (octets, limit) = (self.octets, self.limit);
        write!(f, "Bodies({} in {octets} of {limit} octets)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Disk;
    use super::*;

    fn body(length: usize) -> Arc<Body> {
        Arc::new(Body::new(vec![b'x'; length]))
    }

    #[test]
    fn the_least_recently_used_is_evicted_first() {
        let mut bodies = Bodies::new(30);
        (1..=3).for_each(|inode| bodies.insert(inode, body(10)));
        assert!(bodies.get(1).is_some());
        bodies.insert(4, body(10));
        assert!(!bodies.contains(2));
        assert!(bodies.contains(1) && bodies.contains(3) && bodies.contains(4));
    }

    #[test]
    fn contains_is_no_use_of_a_body() {
        let mut bodies = Bodies::new(20);
        (1..=2).for_each(|inode| bodies.insert(inode, body(10)));
        assert!(bodies.contains(1));
        bodies.insert(3, body(10));
        assert!(!bodies.contains(1));
    }

    #[test]
    fn a_large_body_evicts_as_many_as_it_needs() {
        let mut bodies = Bodies::new(30);
        (1..=3).for_each(|inode| bodies.insert(inode, body(10)));
        bodies.insert(4, body(15));
        assert_eq!((bodies.len(), bodies.octets()), (2, 25));
    }

    #[test]
    fn a_body_over_the_limit_is_not_kept_and_evicts_nothing() {
        let mut bodies = Bodies::new(30);
        bodies.insert(1, body(10));
        bodies.insert(2, body(31));
        assert!(bodies.contains(1) && !bodies.contains(2));
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_kept() {
        let mut bodies = Bodies::new(30);
        bodies.insert(1, body(10));
        bodies.insert(2, body(30));
        assert_eq!((bodies.len(), bodies.octets()), (1, 30));
    }

    #[test]
    fn the_same_body_twice_is_counted_once() {
        let mut bodies = Bodies::new(30);
        bodies.insert(1, body(20));
        bodies.insert(1, body(20));
        assert_eq!((bodies.len(), bodies.octets()), (1, 20));
    }

    #[test]
    fn a_removed_body_frees_its_octets() {
        let mut bodies = Bodies::new(30);
        bodies.insert(1, body(20));
        assert_eq!(bodies.remove(1).unwrap().len(), 20);
        assert!(bodies.remove(1).is_none());
        assert_eq!(bodies.octets(), 0);
        assert!(bodies.is_empty());
    }

    #[test]
    fn read_ahead_bodies_stay_until_used_or_released() {
        let mut bodies = Bodies::new(30);
        bodies.insert_ahead(1, body(10));
        bodies.insert_ahead(2, body(10));
        (3..=6).for_each(|inode| bodies.insert(inode, body(10)));
        assert!(bodies.contains(1) && bodies.contains(2) && bodies.contains(6));
        bodies.insert(7, body(15));
        assert!(!bodies.contains(7) && bodies.contains(6));
        assert!(matches!(bodies.get(1), Some(FoundBody::Ahead(_))));
        assert!(matches!(bodies.get(1), Some(FoundBody::Used(_))));
        bodies.release_ahead(2);
        bodies.insert(8, body(10));
        assert!(!bodies.contains(2) && bodies.contains(1));
    }

    #[test]
    fn of_large_files_only_a_few_are_kept_open() {
        let large = |disk: &Disk| {
            let mut incoming = disk.incoming(0);
            (0..3).for_each(|_| incoming.push(&[b'x'; 4_000_000]).unwrap());
            Arc::new(incoming.finish())
        };
        let (disk, mut bodies) = (Disk::off(), Bodies::new(30));
        (1..=5).for_each(|inode| bodies.insert(inode, large(&disk)));
        let kept: Vec<u64> = (1..=5).filter(|&inode| bodies.contains(inode)).collect();
        assert_eq!((kept, bodies.octets()), (vec![4, 5], 0));
    }

    proptest! {
        #[test]
        fn octets_are_the_sum_of_the_bodies_within_the_limit(
            steps in prop::collection::vec((0_u64..8, 0_usize..40, 0_u8..5), 0..200)
        ) {
            let mut bodies = Bodies::new(64);
            for (inode, length, step) in steps {
                match step {
                    0 => { bodies.get(inode); }
                    1 => { bodies.remove(inode); }
                    2 => bodies.insert_ahead(inode, body(length)),
                    3 => bodies.release_ahead(inode),
                    _ => bodies.insert(inode, body(length)),
                }
                let ahead: u64 = bodies.ahead.values().map(|body| body.len()).sum();
                let sum: u64 = ahead + bodies.used.iter().map(|(_, body)| body.len()).sum::<u64>();
                prop_assert_eq!((bodies.octets(), bodies.ahead_octets), (sum, ahead));
                prop_assert!(sum <= 64);
            }
        }
    }
}
