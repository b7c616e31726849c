//! The thread that alone uses the index file, so that nobody else waits for the disk.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::Row;
use super::schema::{FIND, FREE_INODE, LOAD, STORE};
use crate::store::StoreError;

/// How long a row may wait for others to be written with it.
const GATHERING: Duration = Duration::from_millis(500);
/// How often the writer looks at its queue meanwhile. Whoever puts a row into the queue then does
/// not have to wake the writer, which would cost more than everything else.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What the writer is asked to do. It does one task after the other, so a load sees what was learnt
/// before it.
pub(super) enum IndexTask {
    /// Store these rows.
    Learn(Vec<Row>),
    /// Return all rows.
    Load(Sender<Result<Vec<Row>, StoreError>>),
    /// Reply when everything before this is on disk, or why a part of it is not.
    Flush(Sender<Result<(), StoreError>>),
}

/// The open index file, and how the last write ended.
pub(super) struct IndexWriter {
    connection: Connection,
    path: PathBuf,
    last_write: LastWrite,
    /// Why rows were dropped since the last flush.
    dropped: Option<StoreError>,
}

/// How the last write ended: only the first of several failures is reported.
#[derive(PartialEq)]
enum LastWrite {
    Succeeded,
    Failed,
}

impl IndexWriter {
    pub(super) fn new(connection: Connection, path: PathBuf) -> Self {
        Self {
            connection,
            path,
            last_write: LastWrite::Succeeded,
            dropped: None,
        }
    }

    /// Works until the sender of the tasks is gone. Rows are gathered for a while and written
    /// together: a transaction for each would write the same pages many times.
    pub(super) fn run(mut self, tasks: &Receiver<IndexTask>) {
        while let Ok(first) = tasks.recv() {
            let (batch, question) = gather(first, tasks);
            self.write(&batch);
            if let Some(question) = question {
                self.answer(question);
            }
        }
    }

    fn answer(&mut self, question: IndexTask) {
        // Whoever asked may be gone; then nobody misses the answer.
        match question {
            IndexTask::Learn(rows) => self.write(&rows),
            IndexTask::Load(reply) => {
                let loaded = load(&self.connection).map_err(|error| self.fault(error));
                let _ = reply.send(loaded);
            }
            IndexTask::Flush(reply) => {
                let _ = reply.send(self.flush());
            }
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
        match store_all(&mut self.connection, rows) {
            Ok(()) => self.last_write = LastWrite::Succeeded,
            Err(error) => self.drop_rows(rows.len(), error),
        }
    }

    fn drop_rows(&mut self, count: usize, error: rusqlite::Error) {
        if self.last_write == LastWrite::Succeeded {
            log::warn!(
                "cannot write {}: {error}; what this mount learns now is lost at unmount",
                self.path.display()
            );
        }
        log::debug!("{count} rows were not written: {error}");
        self.last_write = LastWrite::Failed;
        self.dropped = Some(self.fault(error));
    }

    fn fault(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }
}

/// Gathers rows for about [`GATHERING`], or until the next question.
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
fn load(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(LOAD)?;
    let mut found = statement.query([])?;
    let (mut rows, mut inodes) = (Vec::new(), HashSet::new());
    while let Some(row) = found.next()? {
        match parse(row) {
            Ok(row) if inodes.insert(row.inode) => rows.push(row),
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
        twins: row.get(6)?,
        read: row.get(7)?,
        title: text(8)?,
        mark: text(9)?,
        crlfs: octets(10)?.filter(|&crlfs| size.is_some_and(|size| crlfs <= size / 2)),
        outline: text(11)?,
    })
}

fn store_all(connection: &mut Connection, rows: &[Row]) -> rusqlite::Result<()> {
    // IMMEDIATE waits for another mount's transaction here instead of failing in the middle.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        store_one(&transaction, row.clone())?;
    }
    transaction.commit()
}

/// Merges the row with the stored one, if there is one. A new row whose inode number another
/// message has gets a free one.
fn store_one(connection: &Connection, learnt: Row) -> rusqlite::Result<()> {
    let row = match find(connection, &learnt)? {
        Some(old) => learnt.over(old),
        None => learnt,
    };
    let inode = row.inode.cast_signed();
    if put(connection, &row, inode)? == 0 {
        let mut free = connection.prepare_cached(FREE_INODE)?;
        let free = free.query_row([inode], |row| row.get(0))?;
        put(connection, &row, free)?;
    }
    Ok(())
}

/// The stored row of the same message. One with damaged values is as good as none.
fn find(connection: &Connection, row: &Row) -> rusqlite::Result<Option<Row>> {
    let mut statement = connection.prepare_cached(FIND)?;
    let found = statement
        .query_row(params![&*row.uidl, row.ordinal], |row| Ok(parse(row).ok()))
        .optional()?;
    Ok(found.flatten())
}

/// Returns 0 if another message has the inode number.
fn put(connection: &Connection, row: &Row, inode: i64) -> rusqlite::Result<usize> {
    connection.prepare_cached(STORE)?.execute(params![
        &*row.uidl,
        row.ordinal,
        inode,
        row.size.map(u64::cast_signed),
        row.arrived,
        row.listed.cast_signed(),
        row.twins,
        row.read,
        row.title.as_deref(),
        row.mark.as_deref(),
        row.crlfs.map(u64::cast_signed),
        row.outline.as_deref()
    ])
}

/// Copies the write-ahead log into the file, as far as no other mount reads the log. With a
/// rollback journal every commit has reached the disk, and this does nothing.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
