//! The index of words, by which messages are found: an SQLite file with FTS5 in the account's
//! folder.
//!
//! Everything in it can be made again of the cached messages, so a damaged file is removed, and so
//! is one of an older format. It has the words of what was indexed, as the bodies beside it have,
//! and is as closed as they are (0600). It grows with the messages that are listed: departed ones
//! are removed.

mod compile;
mod entry;
mod file;
mod pause;
mod pins;
mod room;
mod writer;

pub use entry::{FoundMessage, Indexed, SearchEntry};
pub use pins::Pins;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use rusqlite::{Connection, params_from_iter};

use crate::search::{Clock, Query};
use crate::store::{CacheFolder, StoreError};
use compile::{Compiled, compile};
use pause::Pause;
use room::QueueRoom;
use writer::{SearchOrder, SearchWriter, file_inode, read_indexed};

/// What became of a message that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// It will be indexed.
    Taken,
    /// Too much waits already; [`SearchIndex::missing`] names it later.
    Full,
}

/// The index of one account. A thread fills it. Several processes may have it open.
#[derive(Debug)]
pub struct SearchIndex {
    folder: CacheFolder,
    room: Arc<QueueRoom>,
    orders: Option<Sender<SearchOrder>>,
    writer: Option<JoinHandle<()>>,
    reader: Mutex<QueryConnection>,
}

/// The connection for queries, to the file with that inode number.
#[derive(Debug, Default)]
struct QueryConnection {
    connection: Option<Connection>,
    file: Option<u64>,
}

impl SearchIndex {
    /// Opens `search.sqlite` in the account's folder, or begins it. Open it after the last fork(2):
    /// it starts a thread.
    ///
    /// # Errors
    /// What the system refuses, and a file of a newer format.
    pub fn open(folder: &CacheFolder) -> Result<Self, StoreError> {
        Self::open_yielding(folder, || false)
    }

    /// As [`Self::open`], with a thread that lets others go first, for a limited time, while
    /// `is_busy` says that they need the processors.
    ///
    /// # Errors
    /// As there.
    pub fn open_yielding(
        folder: &CacheFolder,
        is_busy: impl Fn() -> bool + Send + 'static,
    ) -> Result<Self, StoreError> {
        let room = Arc::new(QueueRoom::default());
        let pause = Pause::new(Box::new(is_busy));
        let writer = SearchWriter::new(folder.clone(), Arc::clone(&room), pause)?;
        let (orders, queue) = mpsc::channel();
        let writer = thread::Builder::new()
            .name("search".into())
            .spawn(move || writer.run(&queue))
            .map_err(StoreError::io("start the writer of", &file::path(folder)))?;
        Ok(Self {
            folder: folder.clone(),
            room,
            orders: Some(orders),
            writer: Some(writer),
            reader: Mutex::default(),
        })
    }

    /// Has the message indexed if there is room in the queue; never waits.
    pub fn offer(&self, entry: SearchEntry) -> Offer {
        if !self.room.take(entry.body.in_memory()) {
            return Offer::Full;
        }
        self.order(SearchOrder::Index(entry));
        Offer::Taken
    }

    /// Has the message indexed; waits until there is room in the queue.
    pub fn feed(&self, entry: SearchEntry) {
        self.room.wait(entry.body.in_memory());
        self.order(SearchOrder::Index(entry));
    }

    /// Removes all messages but these, which are all that are listed.
    pub fn retain(&self, listed: HashSet<Indexed>) {
        self.order(SearchOrder::Retain(listed));
    }

    /// Removes messages that departed, or whose content may be another.
    pub fn remove(&self, inodes: Vec<u64>) {
        self.order(SearchOrder::Remove(inodes));
    }

    /// Waits until all before this is written.
    ///
    /// # Errors
    /// Why some of it, since the last flush, is not.
    pub fn flush(&self) -> Result<(), StoreError> {
        let (reply, answer) = mpsc::channel();
        self.order(SearchOrder::Flush(reply));
        let ended = |_| StoreError::NoWriter { path: self.path() };
        answer.recv().map_err(ended)?
    }

    /// The messages that the query finds, in directory order. What waits to be indexed is not
    /// found. `read` gives the inode numbers of the messages that were read, which the index does
    /// not know; it is asked only for a query with `is:`.
    ///
    /// # Errors
    /// What the disk refuses. A damaged file is made again.
    pub fn search(
        &self,
        query: &Query,
        clock: &Clock,
        read: impl FnOnce() -> Vec<u64>,
    ) -> Result<Vec<FoundMessage>, StoreError> {
        let read = query.asks_what_was_read().then(read);
        let compiled = compile(query, clock, &read.unwrap_or_default());
        self.read(|connection| select(connection, &compiled))
    }

    /// Those of the listed messages that are not in the index, in their order.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn missing(&self, listed: &[Indexed]) -> Result<Vec<Indexed>, StoreError> {
        let all = Compiled {
            sql: "SELECT inode, key, octets FROM document".into(),
            parameters: Vec::new(),
        };
        let indexed = self.read(|connection| select(connection, &all))?;
        let indexed: HashSet<Indexed> = indexed.iter().map(|found| found.indexed).collect();
        let missing = listed.iter().filter(|listed| !indexed.contains(listed));
        Ok(missing.copied().collect())
    }

    /// How many messages are in the index.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn count(&self) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM document";
        let count =
            self.read(|connection| connection.query_row(count, [], |row| row.get::<_, i64>(0)))?;
        Ok(count.cast_unsigned())
    }

    fn order(&self, order: SearchOrder) {
        if let Some(orders) = &self.orders {
            // A writer that ended has said why; what it would write can be indexed again.
            let _ = orders.send(order);
        }
    }

    fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut reader = self.reader.lock();
        let connection = reader.connection(&self.folder)?;
        ask(connection).map_err(|source| {
            if file::is_damage(&source) {
                reader.connection = None;
                self.order(SearchOrder::BeginAgain);
            }
            let path = self.path();
            StoreError::Sqlite { path, source }
        })
    }

    fn path(&self) -> PathBuf {
        file::path(&self.folder)
    }
}

impl Drop for SearchIndex {
    /// Waits until the writer has written what is queued.
    fn drop(&mut self) {
        drop(self.orders.take());
        let ended = self.writer.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            log::error!("the writer of the search index has panicked");
        }
    }
}

impl QueryConnection {
    /// One to the file that has the name of the index now.
    fn connection(&mut self, folder: &CacheFolder) -> Result<&Connection, StoreError> {
        let file = file_inode(folder);
        if self.file != file {
            self.connection = None;
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => file::open_reader(folder)?,
        };
        self.file = file;
        Ok(self.connection.insert(connection))
    }
}

fn select(connection: &Connection, compiled: &Compiled) -> rusqlite::Result<Vec<FoundMessage>> {
    let mut statement = connection.prepare_cached(&compiled.sql)?;
    let parameters = params_from_iter(&compiled.parameters);
    let rows = statement.query_map(parameters, |row| {
        let octets = row.get::<_, i64>(2)?.cast_unsigned();
        let indexed = read_indexed(row, 0)?;
        Ok(indexed.map(|indexed| FoundMessage { indexed, octets }))
    })?;
    rows.filter_map(Result::transpose).collect()
}
