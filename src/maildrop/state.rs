//! What the handlers and the engine share, behind one lock.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::Farewell;
use super::catalogue::{Catalogue, MessageId, Standing};
use super::commit::Verdict;
use super::fault::Fault;
use super::want::{Waiter, Wants};
use crate::net::Protection;
use crate::store::{Bodies, Body, Row};

/// A change that the kernel must be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The directory lists something else.
    Directory,
    /// A name no longer stands for a message.
    Gone {
        /// The name in the root directory.
        name: String,
    },
    /// The size of a message is another than was shown.
    Size {
        /// Whose.
        inode: u64,
    },
    /// The content of a message may be another than was shown.
    Content {
        /// Whose.
        inode: u64,
    },
}

/// How the connection to the server stands.
#[derive(Clone, Debug, Default)]
pub enum Connection {
    /// There is none: it is made when something is wanted.
    #[default]
    Closed,
    /// A session is open.
    Open(Protection),
    /// The last attempt failed.
    Failed(Fault),
}

/// What the engine is asked to do besides fetching.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) refresh: Vec<Waiter<()>>,
    pub(super) commit: Vec<Waiter<Verdict>>,
    pub(super) ending: Option<Ending>,
}

impl Orders {
    pub(super) fn is_empty(&self) -> bool {
        self.refresh.is_empty() && self.commit.is_empty() && self.ending.is_none()
    }
}

/// The last order.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) farewell: Farewell,
    pub(super) tell: mpsc::Sender<Result<Verdict, Fault>>,
}

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) catalogue: Catalogue,
    pub(super) bodies: Bodies,
    pub(super) wants: Wants,
    pub(super) orders: Orders,
    pub(super) connection: Connection,
    pub(super) listed_at: Instant,
    /// What a commit under way deletes: it can no longer be restored.
    pub(super) committing: HashSet<MessageId>,
}

impl State {
    pub(super) fn new(remembered: Vec<Row>, bodies: Bodies) -> State {
        State {
            catalogue: Catalogue::remembered(remembered),
            bodies,
            wants: Wants::default(),
            orders: Orders::default(),
            connection: Connection::Closed,
            listed_at: Instant::now(),
            committing: HashSet::new(),
        }
    }

    pub(super) fn cached_body(&mut self, id: MessageId) -> Option<Arc<Body>> {
        let inode = self.catalogue.get(id).inode;
        self.bodies.get(inode)
    }

    /// True where nothing is wanted and nothing is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.wants.is_idle() && self.orders.is_empty() && self.committing.is_empty()
    }

    pub(super) fn has_no_deletions(&self) -> bool {
        self.catalogue.after(0, Standing::Unlinked).next().is_none()
    }

    pub(super) fn stand(
        &mut self,
        id: MessageId,
        from: Standing,
        to: Standing,
    ) -> Result<(), Fault> {
        if self.catalogue.get(id).standing != from || self.committing.contains(&id) {
            return Err(Fault::Departed);
        }
        self.catalogue.stand(id, to);
        Ok(())
    }
}

/// When the server last said anything, for those who wait to know whether waiting makes sense.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    begin: Instant,
    milliseconds: Arc<AtomicU64>,
}

impl Pulse {
    pub(super) fn new() -> Pulse {
        Pulse {
            begin: Instant::now(),
            milliseconds: Arc::default(),
        }
    }

    pub(super) fn beat(&self) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}
