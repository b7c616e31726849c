//! How much memory bodies take that come from the server, whoever holds them.
//!
//! Each reader holds the body that it has open, so there may be more of them than the cache in
//! memory keeps. Once they take more than the limit, bodies that arrive go through files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A body of more octets goes through a file, however much memory is left.
const MOST_IN_MEMORY: usize = 4 * 1024 * 1024;
/// A body of at most this many octets stays in memory even if none is left. Files for all the small
/// ones would take more descriptors than there are.
const SMALL: usize = 64 * 1024;

/// The memory for bodies.
#[derive(Debug, Clone)]
pub(super) struct MemoryBudget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    limit: u64,
    /// In octets.
    taken: AtomicU64,
}

/// The part of the memory that one body takes. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct MemoryShare {
    budget: MemoryBudget,
    octets: u64,
}

impl MemoryBudget {
    /// A budget of this many octets.
    pub(super) fn new(limit: u64) -> Self {
        Self(Arc::new(BudgetState {
            limit,
            taken: AtomicU64::new(0),
        }))
    }

    /// The most octets that a body may have to stay in memory now.
    pub(super) fn most_for_one(&self) -> usize {
        match self.0.taken.load(Ordering::Relaxed) > self.0.limit {
            true => SMALL,
            false => MOST_IN_MEMORY,
        }
    }

    /// A share for a body that has no octets yet.
    pub(super) fn share(&self) -> MemoryShare {
        MemoryShare {
            budget: self.clone(),
            octets: 0,
        }
    }
}

impl MemoryShare {
    /// The body takes this many octets from now on.
    pub(super) fn resize(&mut self, octets: u64) {
        let taken = &self.budget.0.taken;
        if octets > self.octets {
            taken.fetch_add(octets - self.octets, Ordering::Relaxed);
        } else {
            taken.fetch_sub(self.octets - octets, Ordering::Relaxed);
        }
        self.octets = octets;
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_the_limit_only_small_bodies_stay_in_memory() {
        let budget = MemoryBudget::new(100);
        let (mut one, mut other) = (budget.share(), budget.share());
        one.resize(60);
        other.resize(40);
        assert_eq!(budget.most_for_one(), MOST_IN_MEMORY);
        other.resize(41);
        assert_eq!(budget.most_for_one(), SMALL);
        one.resize(10);
        assert_eq!(budget.most_for_one(), MOST_IN_MEMORY);
        drop((one, other));
        assert_eq!(budget.0.taken.load(Ordering::Relaxed), 0);
    }
}
