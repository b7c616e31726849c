//! The searches of `.search`: which there are, and what they have found.

mod indexer;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use lru::LruCache;
use parking_lot::Mutex;

use crate::fs::bursts::RequestBursts;
use crate::fs::worker::Worker;
use crate::maildrop::{Maildrop, MessageId, Standing};
use crate::search::{Clock, Query, QueryError};
use crate::store::{CacheFolder, Pins, SearchIndex, StoreError};

/// This many searches have inode numbers in one mount; a further name is not found.
const QUERIES_MAX: usize = 10_000;
/// The results of this many searches are kept.
const RESULTS_KEPT: NonZeroUsize = NonZeroUsize::new(16).unwrap();
/// How long a result is new: a program that lists a directory asks several times.
const FRESH: Duration = Duration::from_secs(1);

/// A search of this mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::fs) struct QueryId(u16);

impl QueryId {
    pub(in crate::fs) fn new(number: u16) -> Self {
        Self(number)
    }

    pub(in crate::fs) fn number(self) -> u16 {
        self.0
    }
}

/// The messages that a search has found.
#[derive(Debug)]
pub(in crate::fs) struct SearchResult {
    /// Their inode numbers, sorted.
    inodes: Vec<u64>,
    asked: Instant,
}

impl SearchResult {
    pub(in crate::fs) fn contains(&self, inode: u64) -> bool {
        self.inodes.binary_search(&inode).is_ok()
    }
}

/// How much of the maildrop can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchCoverage {
    /// Messages in the index.
    pub indexed: u64,
    /// Messages in the directory.
    pub listed: u64,
}

/// All searches of a mount, and the index that they ask.
pub struct Searches {
    maildrop: Arc<Maildrop>,
    index: Arc<SearchIndex>,
    bursts: Arc<RequestBursts>,
    pins: Pins,
    /// Asks the index, so that no other request waits for it.
    pub(in crate::fs) worker: Worker,
    /// Has the indexer begin.
    feed: Sender<()>,
    known: Mutex<KnownSearches>,
}

struct KnownSearches {
    searches: Vec<KnownSearch>,
    by_name: HashMap<String, QueryId>,
    results: LruCache<QueryId, Arc<SearchResult>>,
}

#[derive(Clone)]
struct KnownSearch {
    name: Arc<str>,
    query: Arc<Query>,
}

impl Searches {
    /// Opens the index of the account.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub fn open(maildrop: &Arc<Maildrop>, folder: &CacheFolder) -> Result<Self, StoreError> {
        let bursts = Arc::new(RequestBursts::new());
        let (engine, reading) = (Arc::clone(maildrop), Arc::clone(&bursts));
        let is_busy = move || engine.has_work() || reading.is_going_on();
        let index = Arc::new(SearchIndex::open_yielding(folder, is_busy)?);
        let threads = Worker::start("searches")
            .and_then(|worker| Ok((worker, indexer::start(maildrop, &index)?)));
        let (worker, feed) = threads.map_err(|source| StoreError::Io {
            doing: "start the threads of",
            path: folder.path().into(),
            source,
        })?;
        Ok(Self {
            maildrop: Arc::clone(maildrop),
            index,
            bursts,
            pins: Pins::of(folder),
            worker,
            feed,
            known: Mutex::new(KnownSearches {
                searches: Vec::new(),
                by_name: HashMap::new(),
                results: LruCache::new(RESULTS_KEPT),
            }),
        })
    }

    /// Begins to feed the index, in a thread. Not before the mount works: a mount that is refused
    /// removes its cache.
    pub fn begin_feeding(&self) {
        let _the_thread_waits_for_it = self.feed.send(());
    }

    /// The listed messages that a query finds, in directory order.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn find(&self, query: &Query) -> Result<Vec<MessageId>, StoreError> {
        let read = || self.maildrop.read_inodes();
        let found = self.index.search(query, &Clock::system(), read)?;
        let listed = found.iter().filter_map(|found| {
            let id = self.maildrop.locate(found)?;
            let is_listed = self.maildrop.message(id).standing == Standing::Listed;
            is_listed.then_some(id)
        });
        Ok(listed.collect())
    }

    /// Notes that the kernel asks for something.
    pub(in crate::fs) fn note_request(&self) {
        self.bursts.note_request();
    }

    /// How much of the maildrop can be searched now.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn coverage(&self) -> Result<SearchCoverage, StoreError> {
        let listed = self.maildrop.totals().messages;
        let indexed = self.index.count()?.min(listed);
        Ok(SearchCoverage { indexed, listed })
    }

    /// The search of that name, which is a query.
    pub(in crate::fs) fn enter(&self, name: &str) -> Result<QueryId, QueryError> {
        let mut known = self.known.lock();
        if let Some(&id) = known.by_name.get(name) {
            return Ok(id);
        }
        let query = Arc::new(Query::from_name(name.as_ref())?);
        let number = known.searches.len();
        if number >= QUERIES_MAX {
            log::warn!("more than {QUERIES_MAX} searches in one mount");
            return Err(QueryError::Empty);
        }
        let id = QueryId(number as u16);
        known.by_name.insert(name.to_owned(), id);
        known.searches.push(KnownSearch {
            name: name.into(),
            query,
        });
        Ok(id)
    }

    /// Whether the number is that of a search.
    pub(in crate::fs) fn is_known(&self, id: QueryId) -> bool {
        usize::from(id.0) < self.known.lock().searches.len()
    }

    /// What was found, if that was asked a moment ago.
    pub(in crate::fs) fn fresh_result(&self, id: QueryId) -> Option<Arc<SearchResult>> {
        let result = self.last_result(id)?;
        (result.asked.elapsed() < FRESH).then_some(result)
    }

    /// What was found when that was asked last.
    pub(in crate::fs) fn last_result(&self, id: QueryId) -> Option<Arc<SearchResult>> {
        self.known.lock().results.get(&id).cloned()
    }

    /// Asks the index, unless that was done a moment ago. Nothing is found where the index cannot
    /// be read.
    pub(in crate::fs) fn result(&self, id: QueryId) -> Arc<SearchResult> {
        if let Some(result) = self.fresh_result(id) {
            return result;
        }
        let known = self.known.lock().searches.get(usize::from(id.0)).cloned();
        let found = known.map_or(Ok(Vec::new()), |known| self.find(&known.query));
        let found = found.unwrap_or_else(|error| {
            log::warn!("{error}");
            Vec::new()
        });
        let inodes = found.iter().map(|&id| self.maildrop.message(id).inode);
        let result = Arc::new(SearchResult {
            inodes: inodes.collect(),
            asked: Instant::now(),
        });
        self.known.lock().results.put(id, Arc::clone(&result));
        result
    }

    /// Keeps the search in the listing of `.search`.
    pub(in crate::fs) fn pin(&self, id: QueryId) -> Result<(), StoreError> {
        let known = self.known.lock().searches.get(usize::from(id.0)).cloned();
        known.map_or(Ok(()), |known| self.pins.add(&known.name))
    }

    /// Takes the search out of the listing of `.search`; false where it is not there.
    pub(in crate::fs) fn unpin(&self, name: &str) -> Result<bool, StoreError> {
        let is_pinned = self.pins.all().contains(name);
        self.pins.remove(name).map(|()| is_pinned)
    }

    /// The names that are listed in `.search`, with their searches.
    pub(in crate::fs) fn pinned(&self) -> Vec<(String, QueryId)> {
        let names = self.pins.all().into_iter();
        names
            .filter_map(|name| self.enter(&name).ok().map(|id| (name, id)))
            .collect()
    }
}

impl fmt::Debug for Searches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Searches").finish_non_exhaustive()
    }
}
