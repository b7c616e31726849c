//! The thread that fills the index, so that nobody who reads a message waits for it.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::entry::{Indexed, SearchEntry};
use super::file::{is_damage, open, path, recreate};
use super::pause::Pause;
use super::room::QueueRoom;
use crate::search::{Document, spaced};
use crate::store::{BodyKey, CacheFolder, StoreError};

/// How long a message may wait for others, to be written with them.
const GATHERING: Duration = Duration::from_millis(500);
/// How often the queue is looked at meanwhile.
const LOOKING: Duration = Duration::from_millis(20);
/// The most messages of one transaction. Another mount waits for one transaction at most.
const BATCH: usize = 128;
/// The octets of a message that are read; what is behind them is not indexed.
const OCTETS_MAX: usize = 8 << 20;
/// A buffer that is larger is given back after the message.
const BUFFER_KEPT: usize = 1 << 20;

/// What the writer is asked for, one after the other.
#[derive(Debug)]
pub(super) enum SearchOrder {
    Index(SearchEntry),
    Retain(HashSet<Indexed>),
    Remove(Vec<u64>),
    /// The file was found to be damaged.
    BeginAgain,
    /// Say when all before this is written, or why some of it is not.
    Flush(Sender<Result<(), StoreError>>),
}

/// The open file, and what became of the last write.
pub(super) struct SearchWriter {
    folder: CacheFolder,
    room: Arc<QueueRoom>,
    pause: Pause,
    connection: Connection,
    /// The inode number of the file that is open.
    file: Option<u64>,
    buffer: Vec<u8>,
    /// Why something was dropped since the last flush.
    dropped: Option<StoreError>,
}

impl SearchWriter {
    pub(super) fn new(
        folder: CacheFolder,
        room: Arc<QueueRoom>,
        pause: Pause,
    ) -> Result<Self, StoreError> {
        let connection = open(&folder)?;
        let file = file_inode(&folder);
        Ok(Self {
            folder,
            room,
            pause,
            connection,
            file,
            buffer: Vec::new(),
            dropped: None,
        })
    }

    /// Works until the last sender is gone and the queue is empty.
    pub(super) fn run(mut self, orders: &Receiver<SearchOrder>) {
        while let Ok(first) = orders.recv() {
            let batch = gather(first, orders);
            self.obey(batch);
        }
    }

    fn obey(&mut self, batch: Vec<SearchOrder>) {
        let mut changes = Vec::with_capacity(batch.len());
        let mut waiting = Vec::new();
        for order in batch {
            match order {
                SearchOrder::Flush(reply) => waiting.push(reply),
                SearchOrder::BeginAgain => self.begin_again(),
                change => changes.push(change),
            }
        }
        let mut unwritten = &changes[..];
        while !unwritten.is_empty() {
            self.pause.wait();
            let written = self.write(unwritten);
            unwritten = &unwritten[written..];
        }
        for reply in waiting {
            // Who asked may be gone, and then nobody misses the answer.
            let _ = reply.send(self.dropped.take().map_or(Ok(()), Err));
        }
    }

    /// Writes changes until others have to go first. Returns how many are done. What cannot be
    /// written is dropped: the message is missing from the index, and the mount goes on.
    fn write(&mut self, changes: &[SearchOrder]) -> usize {
        self.reopen_if_replaced();
        let (done, failure) = match self.try_write(changes) {
            Ok(written) => (written, None),
            Err(error) => (changes.len(), Some(error)),
        };
        for change in &changes[..done] {
            if let SearchOrder::Index(entry) = change {
                self.room.leave(entry.body.in_memory());
            }
        }
        if let Some(error) = failure {
            self.note_failure(error);
        }
        done
    }

    fn note_failure(&mut self, error: rusqlite::Error) {
        if is_damage(&error) {
            self.begin_again();
        }
        if self.dropped.is_none() {
            log::warn!(
                "searches miss what comes from now on: {}: {error}",
                self.path().display()
            );
        }
        self.dropped = Some(StoreError::Sqlite {
            path: self.path(),
            source: error,
        });
    }

    /// Writes at least the first of the changes; returns how many.
    fn try_write(&mut self, changes: &[SearchOrder]) -> rusqlite::Result<usize> {
        let Self {
            connection,
            buffer,
            pause,
            ..
        } = self;
        // IMMEDIATE waits for another mount's transaction instead of failing in the midst of ours.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut written = 0;
        for change in changes {
            if written > 0 && pause.must_wait() {
                break;
            }
            match change {
                SearchOrder::Index(entry) => index(&transaction, entry, buffer)?,
                SearchOrder::Retain(listed) => retain(&transaction, listed)?,
                SearchOrder::Remove(inodes) => inodes
                    .iter()
                    .try_for_each(|inode| remove(&transaction, *inode))?,
                SearchOrder::BeginAgain | SearchOrder::Flush(_) => (),
            }
            written += 1;
        }
        transaction.commit()?;
        Ok(written)
    }

    /// Another mount, or the user, has removed the file: what is written to it now is lost.
    fn reopen_if_replaced(&mut self) {
        if file_inode(&self.folder) == self.file {
            return;
        }
        match open(&self.folder) {
            Ok(connection) => self.use_connection(connection),
            Err(error) => log::warn!("{error}"),
        }
    }

    fn begin_again(&mut self) {
        log::warn!("{} is damaged; it is made again", self.path().display());
        match recreate(&self.folder) {
            Ok(connection) => self.use_connection(connection),
            Err(error) => log::warn!("{error}"),
        }
    }

    fn use_connection(&mut self, connection: Connection) {
        self.connection = connection;
        self.file = file_inode(&self.folder);
    }

    fn path(&self) -> PathBuf {
        path(&self.folder)
    }
}

/// Of the file that has the name of the index now.
pub(super) fn file_inode(folder: &CacheFolder) -> Option<u64> {
    fs::metadata(path(folder)).ok().map(|file| file.ino())
}

/// The first order, and those that come within the time, up to one that somebody waits for.
fn gather(first: SearchOrder, orders: &Receiver<SearchOrder>) -> Vec<SearchOrder> {
    let mut batch = vec![first];
    let end = Instant::now() + GATHERING;
    loop {
        if batch.len() >= BATCH || matches!(batch.last(), Some(SearchOrder::Flush(_))) {
            return batch;
        }
        match orders.try_recv() {
            Ok(order) => batch.push(order),
            Err(TryRecvError::Disconnected) => return batch,
            Err(TryRecvError::Empty) if Instant::now() >= end => return batch,
            Err(TryRecvError::Empty) => thread::sleep(LOOKING),
        }
    }
}

fn index(
    connection: &Connection,
    entry: &SearchEntry,
    buffer: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let read = entry.body.read_at(0, OCTETS_MAX, buffer);
    let put = match read {
        Ok(octets) => put(connection, entry, octets),
        Err(error) => {
            log_unreadable(&error);
            Ok(())
        }
    };
    if buffer.capacity() > BUFFER_KEPT {
        *buffer = Vec::new();
    }
    put
}

fn log_unreadable(error: &io::Error) {
    log::debug!("a cached message is not indexed: {error}");
}

/// Puts a message into the index, unless it is there with the same octets.
fn put(connection: &Connection, entry: &SearchEntry, octets: &[u8]) -> rusqlite::Result<()> {
    let checksum = i64::from(crc32fast::hash(octets));
    let key = entry.key.octets();
    let known: Option<(i64, i64, Vec<u8>)> = connection
        .prepare_cached("SELECT checksum, octets, key FROM document WHERE inode = ?")?
        .query_row([entry.inode.cast_signed()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let length = entry.body.len().cast_signed();
    if known == Some((checksum, length, key.to_vec())) {
        return Ok(());
    }
    remove(connection, entry.inode)?;
    let document = Document::of(octets);
    connection
        .prepare_cached(
            "INSERT INTO document (inode, key, checksum, octets, arrived, attached) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            entry.inode.cast_signed(),
            key,
            checksum,
            length,
            entry.arrived,
            document.has_attachment(),
        ])?;
    insert_words(connection, connection.last_insert_rowid(), &document)
}

fn insert_words(connection: &Connection, id: i64, document: &Document) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO words (rowid, text, sender, recipient, copy, subject, attachment, list) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            id,
            spaced(&document.text),
            spaced(&document.from),
            spaced(&document.to),
            spaced(&document.cc),
            spaced(&document.subject),
            spaced(&document.attachments),
            spaced(&document.list),
        ])?;
    Ok(())
}

fn remove(connection: &Connection, inode: u64) -> rusqlite::Result<()> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT id FROM document WHERE inode = ?")?
        .query_row([inode.cast_signed()], |row| row.get(0))
        .optional()?;
    id.map_or(Ok(()), |id| remove_id(connection, id))
}

fn remove_id(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM words WHERE rowid = ?",
        "DELETE FROM document WHERE id = ?",
    ] {
        connection.prepare_cached(statement)?.execute([id])?;
    }
    Ok(())
}

fn retain(connection: &Connection, listed: &HashSet<Indexed>) -> rusqlite::Result<()> {
    let departed: Vec<i64> = connection
        .prepare_cached("SELECT id, inode, key FROM document")?
        .query_map([], |row| Ok((row.get(0)?, read_indexed(row, 1)?)))?
        .filter(|row| {
            row.as_ref()
                .map_or(true, |(_, indexed)| !is_listed(indexed.as_ref(), listed))
        })
        .map(|row| row.map(|(id, _)| id))
        .collect::<rusqlite::Result<_>>()?;
    departed
        .into_iter()
        .try_for_each(|id| remove_id(connection, id))
}

fn is_listed(indexed: Option<&Indexed>, listed: &HashSet<Indexed>) -> bool {
    indexed.is_some_and(|indexed| listed.contains(indexed))
}

/// Inode and key in two columns; None where the key has another length than ours.
pub(super) fn read_indexed(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Indexed>> {
    let inode = row.get::<_, i64>(column)?.cast_unsigned();
    let key = row.get_ref(column + 1)?.as_blob()?;
    let key = <[u8; 16]>::try_from(key).ok().map(BodyKey::from_octets);
    Ok(key.map(|key| Indexed { inode, key }))
}
