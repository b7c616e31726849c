//! The bodies in memory.
use std::fmt;
use std::sync::Arc;

use lru::LruCache;

use super::Body;

/// Complete bodies by inode, bounded in octets: the least recently used goes first. Whoever owns it locks it.
pub struct Bodies {
    limit: u64,
    octets: u64,
    kept: LruCache<u64, Arc<Body>>,
}

impl Bodies {
    /// An empty set that keeps at most `limit` octets.
    pub fn new(limit: u64) -> Self {
        let kept = LruCache::unbounded();
        Self {
            limit,
            octets: 0,
            kept,
        }
    }

    /// The body of `inode`, which becomes the most recently used.
    pub fn get(&mut self, inode: u64) -> Option<Arc<Body>> {
        self.kept.get(&inode).cloned()
    }

    /// Whether the body of `inode` is here; its age stays as it is.
    pub fn contains(&self, inode: u64) -> bool {
        self.kept.contains(&inode)
    }

    /// Keeps a body as the most recently used and evicts others until all fit. A body larger than the limit is not kept,
    /// and evicts nothing.
    pub fn insert(&mut self, inode: u64, body: Arc<Body>) {
        if body.len() > self.limit {
            return;
        }
        self.remove(inode);
        self.make_room(body.len());
        self.octets += body.len();
        self.kept.put(inode, body);
    }

    /// Lets go of the body of `inode`, and gives it back.
    pub fn remove(&mut self, inode: u64) -> Option<Arc<Body>> {
        let body = self.kept.pop(&inode)?;
        self.octets -= body.len();
        Some(body)
    }

    /// The octets of all bodies here, never more than the limit.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// How many bodies are here.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether no body is here.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn make_room(&mut self, wanted: u64) {
        while self.limit - self.octets < wanted {
            let Some((_, evicted)) = self.kept.pop_lru() else {
                return;
            };
            self.octets -= evicted.len();
        }
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Bodies({} in {} of {} octets)",
            self.len(),
            self.octets,
            self.limit
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(length: usize) -> Arc<Body> {
        Arc::new(Body::new(vec![b'x'; length]))
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut bodies = Bodies::new(30);
        (1..=3).for_each(|inode| bodies.insert(inode, body(10)));
        assert!(bodies.get(1).is_some());
        bodies.insert(4, body(10));
        assert!(!bodies.contains(2));
        assert!(bodies.contains(1) && bodies.contains(3) && bodies.contains(4));
    }

    #[test]
    fn contains_does_not_make_a_body_younger() {
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
    fn a_body_of_just_the_limit_is_kept() {
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

    proptest! {
        #[test]
        fn octets_are_the_sum_of_the_bodies_and_within_the_limit(
            steps in prop::collection::vec((0_u64..8, 0_usize..40, 0_u8..3), 0..200)
        ) {
            let mut bodies = Bodies::new(64);
            for (inode, length, step) in steps {
                match step {
                    0 => { bodies.get(inode); }
                    1 => { bodies.remove(inode); }
                    _ => bodies.insert(inode, body(length)),
                }
                let sum: u64 = bodies.kept.iter().map(|(_, body)| body.len()).sum();
                prop_assert_eq!(bodies.octets(), sum);
                prop_assert!(sum <= 64);
            }
        }
    }
}
