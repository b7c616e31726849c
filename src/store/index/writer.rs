//! The thread that alone talks to the index file, so that nobody else waits for the disk.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};

use super::Row;
use super::file::{FREE, LEARN, LOAD};
use crate::store::StoreError;

/// How long a row may wait for others, to be written with them.
const GATHERING: Duration = Duration::from_millis(500);
/// How often the queue is looked at meanwhile. Whoever puts a row into it does not have to wake anybody then, which costs more
/// than all the rest of it.
const LOOKING: Duration = Duration::from_millis(10);

/// What the writer is asked for; it does one after the other, so a load sees what was learnt before it.
pub(super) enum Order {
    /// Keep these rows.
    Learn(Vec<Row>),
    /// Give all rows.
    Load(Sender<Result<Vec<Row>, StoreError>>),
    /// Say when all before this is on disk, or why some of it is not.
    Flush(Sender<Result<(), StoreError>>),
}

/// The open index file, and what became of the last write.
pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    writing: Writing,
    /// Why rows were dropped since the last flush.
    dropped: Option<StoreError>,
}

/// Whether the last write went well: a failure is logged when it begins, not at each write.
#[derive(PartialEq)]
enum Writing {
    Well,
    Failing,
}

impl Writer {
    pub(super) fn new(connection: Connection, path: PathBuf) -> Self {
        Self {
            connection,
            path,
            writing: Writing::Well,
            dropped: None,
        }
    }

    /// Works until the last sender is gone and the queue is empty. Rows are gathered for a while and written together: a
    /// transaction for each would write the same pages again and again.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let (batch, question) = gather(first, orders);
            self.write(&batch);
            if let Some(question) = question {
                self.answer(question);
            }
        }
    }

    fn answer(&mut self, question: Order) {
        // Who asked may be gone, and then nobody misses the answer.
        match question {
            Order::Learn(rows) => self.write(&rows),
            Order::Load(reply) => {
                let _ = reply.send(load(&self.connection).map_err(|error| self.fault(error)));
            }
            Order::Flush(reply) => {
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

    /// Rows that cannot be written are dropped: they can be learnt again, and the mount goes on.
    fn write(&mut self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        match learn(&mut self.connection, rows) {
            Ok(()) => self.writing = Writing::Well,
            Err(error) => self.drop_rows(rows.len(), error),
        }
    }

    fn drop_rows(&mut self, count: usize, error: rusqlite::Error) {
        if self.writing == Writing::Well {
            log::warn!(
                "cannot write {}: {error}; what is learnt now is forgotten at unmount",
                self.path.display()
            );
        }
        log::debug!("{count} rows are not kept: {error}");
        self.writing = Writing::Failing;
        self.dropped = Some(self.fault(error));
    }

    fn fault(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }
}

/// Rows up to the next question, for as long as [`GATHERING`] or a little longer.
fn gather(first: Order, orders: &Receiver<Order>) -> (Vec<Row>, Option<Order>) {
    let until = Instant::now() + GATHERING;
    let mut batch = Vec::new();
    let mut order = first;
    while let Order::Learn(rows) = order {
        batch.extend(rows);
        match next(orders, until) {
            Some(next) => order = next,
            None => return (batch, None),
        }
    }
    (batch, Some(order))
}

/// The next order; none after `until`, or when nobody can order any more.
fn next(orders: &Receiver<Order>, until: Instant) -> Option<Order> {
    loop {
        match orders.try_recv() {
            Ok(order) => return Some(order),
            Err(TryRecvError::Empty) if Instant::now() < until => thread::sleep(LOOKING),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
        }
    }
}

/// All rows that can be. A damage that SQLite does not notice may leave values that no row can have, or two messages with
/// one inode, of which a reader would get the wrong one: such a message is learnt again.
fn load(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(LOAD)?;
    let mut found = statement.query([])?;
    let (mut rows, mut inodes) = (Vec::new(), HashSet::new());
    while let Some(row) = found.next()? {
        match parse(row) {
            Ok(row) if inodes.insert(row.inode) => rows.push(row),
            Ok(row) => log::warn!("the index gives inode {} twice", row.inode),
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

fn learn(connection: &mut Connection, rows: &[Row]) -> rusqlite::Result<()> {
    // IMMEDIATE waits for another mount's transaction instead of failing in the midst of ours.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        let inode = row.inode.cast_signed();
        if put(&transaction, row, inode)? == 0 {
            let mut free = transaction.prepare_cached(FREE)?;
            let free = free.query_row([inode], |row| row.get(0))?;
            put(&transaction, row, free)?;
        }
    }
    transaction.commit()
}

/// Gives 0 where another message has the inode.
fn put(connection: &Connection, row: &Row, inode: i64) -> rusqlite::Result<usize> {
    connection.prepare_cached(LEARN)?.execute(params![
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

/// Brings the write-ahead log to the disk, as far as no other mount reads it.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
