//! The thread that alone uses the index file, so that nobody else waits for the disk.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior,
    params,
};

use super::deletions::{self, Deletions, NotedDeletions};
use super::file::BUSY_TIMEOUT;
use super::inodes::{Inodes, watermark};
use super::schema::{FIND, FORGET, IS_EMPTY, IS_PRUNABLE, LOAD, PRUNE, RAISE_WATERMARK, STORE};
use super::{LastListing, Removal, RemovedMessage, Row, listing, removal};
use crate::store::StoreError;

/// How long SQLite waits for another mount that has kept the file locked for long already.
const LITTLE_PATIENCE: Duration = Duration::from_millis(50);
/// How long a row may wait for others to be written with it.
const GATHERING: Duration = Duration::from_millis(500);
/// How often the writer looks at its queue meanwhile. A handler that queues a row then need not wake
/// the writer; waking it would cost more than everything else.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// The row of a departed message is kept for this long, in case the server lists the message again.
const DEPARTED_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most rows of departed messages that are kept. Some servers give every message a new
/// unique-id in each session.
pub const DEPARTED_MOST: u32 = 10_000;
/// The most octets of the unique-ids of departed messages that are kept.
pub const DEPARTED_OCTETS_MOST: u32 = 1 << 20;
/// The file is compacted after this many rows were deleted: B-trees with many gaps would take twice
/// the room.
const ROWS_BEFORE_COMPACTION: usize = 10_000;
/// The file is compacted after the writer had nothing to do for this long, or when it ends.
const IDLE_BEFORE_COMPACTION: Duration = Duration::from_millis(500);

/// What the writer is asked to do. It does one task after the other, so a load sees what was learnt
/// before it.
pub(super) enum IndexTask {
    /// Store these rows.
    Learn(Vec<Row>),
    /// Return these rows as they are to be stored, and store them now.
    Assign(Vec<Row>, Sender<Result<Vec<Row>, StoreError>>),
    /// Return the inode number up to which none is given again.
    Watermark(Sender<Result<u64, StoreError>>),
    /// Store these rows and this listing.
    KeepListing(Vec<Row>, LastListing),
    /// Note now that these messages were deleted.
    Retire(Deletions, Sender<Result<(), StoreError>>),
    /// Return the last listing.
    LastListing(Sender<Result<Option<LastListing>, StoreError>>),
    /// Store these removals now.
    Remember(Vec<Removal>, Sender<Result<(), StoreError>>),
    /// Delete these removals now, and say when that is done.
    Forget(Vec<RemovedMessage>, Sender<Result<(), StoreError>>),
    /// Return all removals.
    Removals(Sender<Result<Vec<Removal>, StoreError>>),
    /// Return all rows.
    Load(Sender<Result<Vec<Row>, StoreError>>),
    /// Reply when everything before this is on disk, or why a part of it is not.
    Flush(Sender<Result<(), StoreError>>),
}

/// The open index file, and how the last write ended.
pub(super) struct IndexWriter {
    connection: Connection,
    path: PathBuf,
    /// The name of the account's folder.
    account: String,
    /// Whether the user was told that rows are lost. On a full disk some writes succeed and others
    /// fail, and one warning is enough.
    has_warned: bool,
    /// Why rows were dropped since the last flush.
    dropped: Option<StoreError>,
    /// The rows deleted since the file was compacted.
    deleted: usize,
    /// How many tasks have failed because another mount kept the file locked.
    lockouts: usize,
}

impl IndexWriter {
    pub(super) fn new(connection: Connection, path: PathBuf, account: String) -> Self {
        Self {
            connection,
            path,
            account,
            has_warned: false,
            dropped: None,
            deleted: 0,
            lockouts: 0,
        }
    }

    /// Works until the sender of the tasks is gone. Rows are gathered for a while and written
    /// together: a transaction for each would write the same pages many times.
    pub(super) fn run(mut self, tasks: &Receiver<IndexTask>) {
        loop {
            match self.next_batch(tasks) {
                Ok(first) => self.perform(first, tasks),
                Err(RecvTimeoutError::Timeout) => self.compact(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.is_compaction_due() {
            self.compact();
        }
    }

    fn next_batch(&self, tasks: &Receiver<IndexTask>) -> Result<IndexTask, RecvTimeoutError> {
        match self.is_compaction_due() {
            true => tasks.recv_timeout(IDLE_BEFORE_COMPACTION),
            false => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn perform(&mut self, first: IndexTask, tasks: &Receiver<IndexTask>) {
        let lockouts = self.lockouts;
        let (batch, next) = gather(first, tasks);
        self.write(&batch);
        if let Some(next) = next {
            self.carry_out(next);
        }
        if self.lockouts == lockouts {
            self.set_patience(BUSY_TIMEOUT);
        }
    }

    /// Sets how long SQLite waits for the transaction of another mount.
    fn set_patience(&self, patience: Duration) {
        if let Err(error) = self.connection.busy_timeout(patience) {
            log::debug!("{}: {error}", self.path.display());
        }
    }

    fn is_compaction_due(&self) -> bool {
        self.deleted >= ROWS_BEFORE_COMPACTION
    }

    /// Rewrites the file without gaps. Another mount that uses it at the moment, or a full disk,
    /// prevents that; then the gaps stay until as many rows are deleted again.
    fn compact(&mut self) {
        self.deleted = 0;
        if let Err(error) = self.connection.execute_batch("VACUUM") {
            log::debug!("{} is not compacted: {error}", self.path.display());
        }
    }

    fn store(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        self.deleted += store_all(&mut self.connection, &self.account, rows)?;
        Ok(())
    }

    fn carry_out(&mut self, task: IndexTask) {
        // Whoever asked may be gone; then nobody misses the answer.
        match task {
            IndexTask::Learn(rows) => self.write(&rows),
            IndexTask::Assign(rows, reply) => self.assign(rows, &reply),
            IndexTask::Watermark(reply) => {
                let found = watermark(&self.connection).map(i64::cast_unsigned);
                let _ = reply.send(found.map_err(|error| self.fault(error)));
            }
            IndexTask::KeepListing(rows, listing) => self.keep_listing(&rows, &listing),
            IndexTask::Retire(deletions, reply) => {
                let noted = deletions::note(&self.connection, &deletions);
                let _ = reply.send(noted.map_err(|error| self.fault(error)));
            }
            IndexTask::LastListing(reply) => {
                let found = last_listing(&mut self.connection, &self.account);
                let _ = reply.send(found.map_err(|error| self.fault(error)));
            }
            IndexTask::Remember(removals, reply) => {
                let stored = remember(&mut self.connection, &self.account, &removals);
                let stored = stored.map(|deleted| self.deleted += deleted);
                let _ = reply.send(stored.map_err(|error| self.fault(error)));
            }
            IndexTask::Forget(messages, reply) => {
                let forgotten = removal::forget(&mut self.connection, &messages);
                let _ = reply.send(forgotten.map_err(|error| self.fault(error)));
            }
            IndexTask::Removals(reply) => {
                let found = removal::load(&self.connection);
                let _ = reply.send(found.map_err(|error| self.fault(error)));
            }
            IndexTask::Load(reply) => {
                let loaded = load(&mut self.connection).map_err(|error| self.fault(error));
                let _ = reply.send(loaded);
            }
            IndexTask::Flush(reply) => {
                let _ = reply.send(self.flush());
            }
        }
    }

    fn assign(&mut self, rows: Vec<Row>, reply: &Sender<Result<Vec<Row>, StoreError>>) {
        match assign(&mut self.connection, &self.account, rows, reply) {
            Ok(deleted) => self.deleted += deleted,
            Err(AssignError::NoNumbers(error)) => {
                let _ = reply.send(Err(self.fault(error)));
            }
            Err(AssignError::NotWritten { rows, error }) => self.drop_rows(rows, error),
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if let Some(error) = self.dropped.take() {
            return Err(error);
        }
        checkpoint(&self.connection).map_err(|error| self.fault(error))
    }

    /// Writes the rows. Rows that cannot be written are dropped: the mount goes on, and the next
    /// one learns them again.
    fn write(&mut self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.store(rows) {
            self.drop_rows(rows.len(), error);
        }
    }

    fn keep_listing(&mut self, rows: &[Row], listing: &LastListing) {
        let kept = keep_listing(&mut self.connection, &self.account, rows, listing);
        match kept {
            Ok(deleted) => self.deleted += deleted,
            Err(error) => self.drop_rows(rows.len(), error),
        }
    }

    /// The error for whoever asked. After another mount has kept the file locked for all of
    /// [`BUSY_TIMEOUT`], it may be stopped: the next tasks hardly wait for it, since the end of this
    /// mount waits for all of them.
    fn fault(&mut self, source: rusqlite::Error) -> StoreError {
        if source.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) {
            self.lockouts += 1;
            self.set_patience(LITTLE_PATIENCE);
        }
        StoreError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }

    fn drop_rows(&mut self, count: usize, error: rusqlite::Error) {
        if !std::mem::replace(&mut self.has_warned, true) {
            log::warn!(
                "cannot write {}: {error}; what this mount learns now is lost at unmount",
                self.path.display()
            );
        }
        log::debug!("{count} rows were not written: {error}");
        self.dropped = Some(self.fault(error));
    }
}

/// Gathers rows for about [`GATHERING`], or until the first task that is not [`IndexTask::Learn`],
/// which is returned with them.
fn gather(first: IndexTask, tasks: &Receiver<IndexTask>) -> (Vec<Row>, Option<IndexTask>) {
    let until = Instant::now() + GATHERING;
    let mut batch = Vec::new();
    let mut task = first;
    while let IndexTask::Learn(rows) = task {
        batch.extend(rows);
        match next_task(tasks, until) {
            Some(next) => task = next,
            None => return (batch, None),
        }
    }
    (batch, Some(task))
}

/// The next task; none after `until`, or when the sender is gone.
fn next_task(tasks: &Receiver<IndexTask>, until: Instant) -> Option<IndexTask> {
    loop {
        match tasks.try_recv() {
            Ok(task) => return Some(task),
            Err(TryRecvError::Empty) if Instant::now() < until => thread::sleep(POLL_INTERVAL),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
        }
    }
}

/// All valid rows. Damage that SQLite does not notice can leave values that no row may have, or
/// give two messages one inode number, so that a reader would get the wrong message. Such a message
/// is left out, and learnt again.
fn load(connection: &mut Connection) -> rusqlite::Result<Vec<Row>> {
    let snapshot = connection.transaction()?;
    let deletions = NotedDeletions::load(&snapshot)?;
    let mut statement = snapshot.prepare_cached(LOAD)?;
    let mut found = statement.query([])?;
    let (mut rows, mut inodes) = (Vec::new(), HashSet::new());
    while let Some(row) = found.next()? {
        match parse(row) {
            Ok(row) if inodes.insert(row.inode) => rows.push(deletions.apply_to_row(row)),
            Ok(row) => log::warn!("the index has inode number {} twice", row.inode),
            Err(error) => log::warn!("a row of the index is damaged: {error}"),
        }
    }
    Ok(rows)
}

fn parse(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let octets = |column| {
        row.get::<_, Option<i64>>(column)
            .map(|octets| octets.map(i64::cast_unsigned))
    };
    let text = |column| {
        row.get::<_, Option<String>>(column)
            .map(|text| text.map(String::into_boxed_str))
    };
    let size = octets(3)?;
    Ok(Row {
        uidl: row.get_ref(0)?.as_blob()?.into(),
        ordinal: row.get(1)?,
        inode: row.get::<_, i64>(2)?.cast_unsigned(),
        size,
        arrived: row.get(4)?,
        listed: row.get::<_, i64>(5)?.cast_unsigned(),
        twins: NonZeroU32::new(row.get(6)?),
        read: row.get(7)?,
        title: text(8)?,
        mark: text(9)?,
        crlfs: octets(10)?.filter(|&crlfs| size.is_some_and(|size| crlfs <= size / 2)),
        outline: text(11)?,
        first_listed: row.get(12)?,
        departed: row.get(13)?,
        top_digest: row.get(14)?,
        body_digest: row.get(15)?,
    })
}

/// The stored listing, in one transaction.
fn last_listing(
    connection: &mut Connection,
    account: &str,
) -> rusqlite::Result<Option<LastListing>> {
    let transaction = connection.transaction()?;
    let listing = listing::load(&transaction, account)?;
    if let Err(error) = transaction.commit() {
        log::debug!("a damaged listing stays in the index: {error}");
    }
    Ok(listing)
}

/// A transaction that writes rows. It has applied the deletions that were noted.
struct RowsTransaction<'c> {
    transaction: Transaction<'c>,
    /// How many rows of departed messages it has deleted.
    deleted: usize,
}

impl<'c> RowsTransaction<'c> {
    /// IMMEDIATE waits for another mount's transaction here instead of failing in the middle.
    fn begin(connection: &'c mut Connection, account: &str) -> rusqlite::Result<Self> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = connection.transaction_with_behavior(immediate)?;
        let deletions = NotedDeletions::load(&transaction)?;
        let deleted = match deletions.apply(&transaction)? {
            true => prune_and_keep_listing(&transaction, account)?,
            false => 0,
        };
        Ok(Self {
            transaction,
            deleted,
        })
    }

    /// Returns how many rows of departed messages were deleted.
    fn commit(self) -> rusqlite::Result<usize> {
        self.transaction.commit()?;
        Ok(self.deleted)
    }

    /// Stores the rows. Those of departed messages are pruned before the listed ones behind them
    /// are stored, which then take their space in the file.
    fn store(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        for run in rows.chunk_by(|one, next| one.departed.is_some() == next.departed.is_some()) {
            // Only pruning raises the watermark, behind a run.
            let mut stored = StoredRows::new(&self.transaction)?;
            for row in run {
                stored.learn(row.clone())?;
            }
            if run.iter().any(|row| row.departed.is_some()) {
                self.deleted += prune(&self.transaction)?;
            }
        }
        Ok(())
    }

    /// Stores rows that are merged with the stored ones, and commits.
    fn put_and_commit(self, rows: &[Row]) -> rusqlite::Result<usize> {
        let mut put = self.transaction.prepare_cached(STORE)?;
        for row in rows {
            put_with(&mut put, row)?;
        }
        drop(put);
        self.commit()
    }
}

/// Why new messages have no rows.
enum AssignError {
    /// No numbers were found, and nobody has a reply.
    NoNumbers(rusqlite::Error),
    /// This many rows have numbers and could not be written.
    NotWritten { rows: usize, error: rusqlite::Error },
}

/// Replies before the rows are written, which takes several times as long as to find their numbers.
/// The transaction keeps other mounts from giving the same numbers meanwhile. Returns how many rows
/// of departed messages were deleted.
fn assign(
    connection: &mut Connection,
    account: &str,
    rows: Vec<Row>,
    reply: &Sender<Result<Vec<Row>, StoreError>>,
) -> Result<usize, AssignError> {
    let (transaction, rows) =
        begin_assigning(connection, account, rows).map_err(AssignError::NoNumbers)?;
    let _ = reply.send(Ok(rows.clone()));
    let written = transaction.put_and_commit(&rows);
    written.map_err(|error| AssignError::NotWritten {
        rows: rows.len(),
        error,
    })
}

/// Finds the numbers of new messages. The rows with them are yet to be stored.
fn begin_assigning<'c>(
    connection: &'c mut Connection,
    account: &str,
    rows: Vec<Row>,
) -> rusqlite::Result<(RowsTransaction<'c>, Vec<Row>)> {
    let begun = RowsTransaction::begin(connection, account)?;
    let mut stored = StoredRows::new(&begun.transaction)?;
    let merged = rows.into_iter().map(|row| stored.merge(row));
    let merged = merged.collect::<rusqlite::Result<_>>()?;
    drop(stored);
    Ok((begun, merged))
}

/// Stores the rows in one transaction. Returns how many rows of departed messages were deleted.
fn store_all(connection: &mut Connection, account: &str, rows: &[Row]) -> rusqlite::Result<usize> {
    let mut transaction = RowsTransaction::begin(connection, account)?;
    transaction.store(rows)?;
    transaction.commit()
}

/// Stores removals in one transaction. They come after the deletions that were noted, which have
/// ended those before them.
fn remember(
    connection: &mut Connection,
    account: &str,
    removals: &[Removal],
) -> rusqlite::Result<usize> {
    let begun = RowsTransaction::begin(connection, account)?;
    removal::remember(&begun.transaction, removals)?;
    begun.commit()
}

/// Stores the rows and the listing in one transaction. Returns how many rows of departed messages
/// were deleted.
fn keep_listing(
    connection: &mut Connection,
    account: &str,
    rows: &[Row],
    last: &LastListing,
) -> rusqlite::Result<usize> {
    let mut begun = RowsTransaction::begin(connection, account)?;
    begun.store(rows)?;
    if !listing::store(&begun.transaction, account, last)? {
        log::debug!("the listing is not kept: the index lacks a message of it");
    }
    begun.commit()
}

/// The rows of the file, in one transaction.
struct StoredRows<'t> {
    find: CachedStatement<'t>,
    put: CachedStatement<'t>,
    forget: CachedStatement<'t>,
    inodes: Inodes<'t>,
    /// Whether there was none when the transaction began, as in a new index. Then none is looked for,
    /// which saves 100,000 lookups.
    is_empty: bool,
}

impl<'t> StoredRows<'t> {
    fn new(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            find: transaction.prepare_cached(FIND)?,
            put: transaction.prepare_cached(STORE)?,
            forget: transaction.prepare_cached(FORGET)?,
            inodes: Inodes::new(transaction)?,
            is_empty: transaction.query_row(IS_EMPTY, [], |row| row.get(0))?,
        })
    }

    /// Stores what was learnt of a message. If it has departed, its removal is not pending any more.
    fn learn(&mut self, learnt: Row) -> rusqlite::Result<()> {
        let row = self.merge(learnt)?;
        self.is_empty = false;
        if row.departed.is_some() {
            self.forget.execute(params![&*row.uidl, row.ordinal])?;
        }
        put_with(&mut self.put, &row)
    }

    /// The row merged with the stored one, or that of a new message with an inode number that is
    /// free.
    fn merge(&mut self, learnt: Row) -> rusqlite::Result<Row> {
        match self.find(&learnt)? {
            Some(old) => Ok(learnt.over(old)),
            None => Ok(Row {
                inode: self.inodes.give(learnt.inode)?,
                ..learnt
            }),
        }
    }

    /// The stored row of the same message. One with damaged values is as good as none.
    fn find(&mut self, row: &Row) -> rusqlite::Result<Option<Row>> {
        if self.is_empty {
            return Ok(None);
        }
        let name = params![&*row.uidl, row.ordinal];
        let found = self.find.query_row(name, |row| Ok(parse(row).ok()));
        Ok(found.optional()?.flatten())
    }
}

/// Prunes, and stores the listing again without the departed messages, since it needs the rows of
/// all its messages. Returns how many rows were deleted.
fn prune_and_keep_listing(transaction: &Transaction<'_>, account: &str) -> rusqlite::Result<usize> {
    let left = listing::load(transaction, account)?;
    let deleted = prune(transaction)?;
    if let Some(left) = left
        && deleted > 0
    {
        listing::store(transaction, account, &left)?;
    }
    Ok(deleted)
}

/// Deletes the rows of messages that departed long ago, and of all but the last to depart. Their
/// inode numbers are never given again. Returns how many there were.
fn prune(transaction: &Transaction<'_>) -> rusqlite::Result<usize> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let oldest = now.unwrap_or_default().saturating_sub(DEPARTED_KEPT);
    let limits = params![
        oldest.as_secs().cast_signed(),
        DEPARTED_MOST,
        DEPARTED_OCTETS_MOST
    ];
    let mut prunable = transaction.prepare_cached(IS_PRUNABLE)?;
    if !prunable.query_row(limits, |row| row.get::<_, bool>(0))? {
        return Ok(0);
    }
    let mut statement = transaction.prepare_cached(PRUNE)?;
    let found = statement.query_map(limits, |row| row.get::<_, i64>(0))?;
    let deleted = found.collect::<rusqlite::Result<Vec<i64>>>()?;
    if let Some(greatest) = deleted.iter().max() {
        transaction.execute(RAISE_WATERMARK, [greatest])?;
    }
    Ok(deleted.len())
}

/// Stores a row that is merged with the stored one. The statement is [`STORE`].
fn put_with(statement: &mut CachedStatement<'_>, row: &Row) -> rusqlite::Result<()> {
    statement.execute(params![
        &*row.uidl,
        row.ordinal,
        row.inode.cast_signed(),
        row.size.map(u64::cast_signed),
        row.arrived,
        row.listed.cast_signed(),
        row.twins.map_or(0, NonZeroU32::get),
        row.read,
        row.title.as_deref(),
        row.mark.as_deref(),
        row.crlfs.map(u64::cast_signed),
        row.outline.as_deref(),
        row.first_listed,
        row.departed,
        row.top_digest,
        row.body_digest
    ])?;
    Ok(())
}

/// Copies the write-ahead log into the file, as far as no other mount reads the log. With a
/// rollback journal every commit has reached the disk, and this does nothing.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
