//! What was learnt of each message, kept across mounts.

mod deletions;
mod file;
#[cfg(test)]
mod fixture;
mod inodes;
mod listing;
mod removal;
mod row;
mod schema;
mod writer;

pub(super) use file::{lock, make_private_file};

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

pub use deletions::Deletions;
pub use listing::LastListing;
pub use removal::Removal;
pub use row::{RemovedMessage, Row};
pub use writer::{DEPARTED_MOST, DEPARTED_OCTETS_MOST};

use crate::store::account::{InUse, Neighbours, lock_in_use};
use crate::store::{CacheFolder, StoreError};
use writer::{IndexTask, IndexWriter};

/// The index of one account. To store a row never waits for the disk: a thread writes what has
/// gathered. Several processes may have the same index open.
#[derive(Debug)]
pub struct Index {
    file: Option<OpenIndex>,
}

#[derive(Debug)]
struct OpenIndex {
    path: PathBuf,
    tasks: Sender<IndexTask>,
    writer: JoinHandle<()>,
    in_use: Option<InUse>,
}

impl Index {
    /// Opens `index.sqlite` in the account's folder, or creates it. A file of a newer format is
    /// refused. A damaged one is set aside as `index.sqlite.damaged`, with a warning. This starts a
    /// thread, so call it after the last fork(2).
    ///
    /// # Errors
    /// The file cannot be opened, or is of a newer format.
    pub fn open(folder: &CacheFolder) -> Result<Self, StoreError> {
        let (connection, path) = file::open(folder)?;
        let in_use = lock_in_use(folder.path());
        let account = folder.name().to_owned();
        let writer = IndexWriter::new(connection, path.clone(), account);
        let (tasks, queue) = mpsc::channel();
        let writer = thread::Builder::new()
            .name("index".into())
            .spawn(move || writer.run(&queue))
            .map_err(StoreError::io("start the writer of", &path))?;
        Ok(Self {
            file: Some(OpenIndex {
                path,
                tasks,
                writer,
                in_use,
            }),
        })
    }

    /// An index that keeps nothing and starts no thread, for a mount without a cache.
    pub fn in_memory() -> Self {
        Self { file: None }
    }

    /// All rows of the account, in no order, including those learnt before this call. Waits for the
    /// disk.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(&self) -> Result<Vec<Row>, StoreError> {
        self.file
            .as_ref()
            .map_or(Ok(Vec::new()), |open| open.ask(IndexTask::Load))
    }

    /// Stores the rows, without waiting for the disk.
    ///
    /// A message that is known keeps its inode number and its arrival. Facts that the new row has
    /// replace the old ones; facts that it lacks stay, as long as `listed` and `twins` are the
    /// same. A new message whose inode number another message has or had is stored with a free one.
    ///
    /// A row with `departed` says that the server does not list the message any more. The index
    /// keeps such rows for 30 days, and at most the [`DEPARTED_MOST`] that departed last, with
    /// [`DEPARTED_OCTETS_MOST`] octets of unique-ids. A row without
    /// `departed` lists the message again. Send departed rows before those of new messages, which
    /// then take their space in the file.
    ///
    /// If the disk refuses, the failure is logged and the rows are lost.
    pub fn learn(&self, rows: Vec<Row>) {
        if let Some(open) = &self.file {
            // A writer that has ended has logged why, and the rows can be learnt again.
            let _ = open.tasks.send(IndexTask::Learn(rows));
        }
    }

    /// Returns the rows of new messages as they are to be stored, in the same order, and stores
    /// them without waiting for the disk. Waits until it has read the file.
    ///
    /// The inode number of a row is only a wish. If another mount has already stored the message,
    /// the returned row has the number and the facts that it gave; if another message has or had
    /// the number, it has a free one. So all mounts of the account use the same numbers, unless the
    /// disk refuses the rows: that is logged, and another mount may give other numbers.
    ///
    /// # Errors
    /// The file cannot be read, or another mount does not let go of it.
    pub fn assign(&self, rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        match &self.file {
            None => Ok(rows),
            Some(open) => open.ask(|reply| IndexTask::Assign(rows, reply)),
        }
    }

    /// The inode number up to which [`Index::assign`] gives none, because the index has deleted
    /// rows of departed messages that had such numbers; 0 if it has deleted none. Waits for the
    /// disk.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn watermark(&self) -> Result<u64, StoreError> {
        self.file
            .as_ref()
            .map_or(Ok(0), |open| open.ask(IndexTask::Watermark))
    }

    /// Stores the rows and the listing that they complete, in one transaction, without waiting for
    /// the disk. If a message of the listing has no row, the stored listing stays as it is.
    pub fn keep_listing(&self, rows: Vec<Row>, listing: LastListing) {
        if let Some(open) = &self.file {
            let _ = open.tasks.send(IndexTask::KeepListing(rows, listing));
        }
    }

    /// Notes that messages were deleted. Waits for the disk: other mail that gets one of their
    /// unique-ids must not be taken for them, even if this mount is killed now.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn retire(&self, deletions: Deletions) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |open| {
            open.ask(|reply| IndexTask::Retire(deletions, reply))
        })
    }

    /// The last complete listing of this account. None if there is none or it is damaged. Waits
    /// for the disk.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_listing(&self) -> Result<Option<LastListing>, StoreError> {
        self.file
            .as_ref()
            .map_or(Ok(None), |open| open.ask(IndexTask::LastListing))
    }

    /// Stores removals for the next mount. Waits for the disk.
    ///
    /// # Errors
    /// The disk refuses, and the next mount has none of them.
    pub fn remember_removals(&self, removals: Vec<Removal>) -> Result<(), StoreError> {
        match &self.file {
            Some(open) if !removals.is_empty() => {
                open.ask(|reply| IndexTask::Remember(removals, reply))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Deletes what is stored of these removals. Waits for the disk: a message that its user is
    /// told to have back must not be removed in the next mount, even if this one is killed now.
    ///
    /// # Errors
    /// The disk refuses, and the next mount has them.
    pub fn forget_removals(&self, messages: Vec<RemovedMessage>) -> Result<(), StoreError> {
        match &self.file {
            Some(open) if !messages.is_empty() => {
                open.ask(|reply| IndexTask::Forget(messages, reply))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The removals that earlier mounts have left. None if another mount uses the index: it may
    /// have made them itself, and its user may still take them back. Waits for the disk.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn removals(&self) -> Result<Vec<Removal>, StoreError> {
        match &self.file {
            Some(open) if open.is_alone() => open.ask(IndexTask::Removals),
            Some(_) | None => Ok(Vec::new()),
        }
    }

    /// Tells other mounts that this one has ended: it remembers no more removals, and the next
    /// mount has them. What is learnt from now on is still stored.
    pub fn release(&self) {
        let in_use = self.file.as_ref().and_then(|open| open.in_use.as_ref());
        if let Some(in_use) = in_use {
            in_use.release();
        }
    }

    /// Waits until all rows so far are on disk.
    ///
    /// # Errors
    /// Some rows since the last flush could not be written.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.file
            .as_ref()
            .map_or(Ok(()), |open| open.ask(IndexTask::Flush))
    }
}

impl Drop for Index {
    /// Waits until the writer has written what is queued.
    fn drop(&mut self) {
        let Some(OpenIndex { tasks, writer, .. }) = self.file.take() else {
            return;
        };
        drop(tasks);
        if writer.join().is_err() {
            log::error!("the writer of the index panicked");
        }
    }
}

impl OpenIndex {
    /// Whether no other mount used the index when this one opened it.
    fn is_alone(&self) -> bool {
        self.in_use
            .as_ref()
            .is_some_and(|in_use| in_use.neighbours == Neighbours::None)
    }

    fn ask<T>(
        &self,
        task: impl FnOnce(Sender<Result<T, StoreError>>) -> IndexTask,
    ) -> Result<T, StoreError> {
        let ended = || StoreError::NoWriter {
            path: self.path.clone(),
        };
        let (reply, answer) = mpsc::channel();
        self.tasks.send(task(reply)).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroU32;
    use std::time::Instant;

    use rusqlite::Connection;

    use super::fixture::{IndexFolder, row};
    use super::*;

    #[test]
    fn the_next_mount_loads_all_rows() {
        let folder = IndexFolder::new();
        let rows = vec![
            Row {
                size: Some(100),
                arrived: Some(1_700_000_000),
                ..row(b"a", 2)
            },
            Row {
                ordinal: 1,
                ..row(b"a", 3)
            },
            Row {
                arrived: Some(-1),
                ..row(b"\0\xff\r\n", u64::MAX)
            },
            Row {
                size: Some(u64::MAX),
                ..row(b"z", 4)
            },
        ];
        folder.open().learn(rows.clone());
        let mut loaded = folder.rows();
        loaded.sort_by_key(|row| (row.uidl.clone(), row.ordinal));
        let mut expected = rows;
        expected.sort_by_key(|row| (row.uidl.clone(), row.ordinal));
        assert_eq!(loaded, expected);
    }

    #[test]
    fn a_load_returns_rows_learnt_before_it() {
        let folder = IndexFolder::new();
        let index = folder.open();
        (1..=100_u64).for_each(|inode| index.learn(vec![row(&inode.to_be_bytes(), inode)]));
        assert_eq!(index.load().unwrap().len(), 100);
    }

    #[test]
    fn an_inode_number_never_changes() {
        let folder = IndexFolder::new();
        let index = folder.open();
        index.learn(vec![row(b"a", 2), row(b"a", 9)]);
        index.learn(vec![row(b"a", 10)]);
        assert_eq!(index.load().unwrap(), [row(b"a", 2)]);
    }

    #[test]
    fn an_arrival_never_changes() {
        let folder = IndexFolder::new();
        let index = folder.open();
        for arrived in [None, Some(5), Some(6), None] {
            index.learn(vec![Row {
                arrived,
                ..row(b"a", 2)
            }]);
        }
        assert_eq!(index.load().unwrap()[0].arrived, Some(5));
    }

    #[test]
    fn a_size_is_forgotten_when_listed_or_twins_change() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let learnt = |listed, twins, size| {
            index.learn(vec![Row {
                size,
                listed,
                twins: NonZeroU32::new(twins),
                ..row(b"a", 2)
            }]);
        };
        learnt(5, 1, Some(6));
        learnt(5, 1, None);
        assert_eq!(index.load().unwrap()[0].size, Some(6));
        learnt(7, 1, None);
        assert_eq!(index.load().unwrap()[0].size, None);
        learnt(7, 1, Some(8));
        learnt(7, 2, None);
        assert_eq!(index.load().unwrap()[0].size, None);
    }

    #[test]
    fn a_message_stays_read_until_its_listed_size_changes() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let learnt = |listed, read| {
            index.learn(vec![Row {
                read,
                listed,
                ..row(b"a", 2)
            }]);
            index.load().unwrap()[0].read
        };
        assert!(!learnt(5, false));
        assert!(learnt(5, true));
        assert!(learnt(5, false));
        assert!(!learnt(6, false));
    }

    #[test]
    fn an_outline_is_kept_until_the_listed_size_changes() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let learnt = |listed, outline: Option<&str>| {
            index.learn(vec![Row {
                outline: outline.map(Box::from),
                listed,
                ..row(b"a", 2)
            }]);
            index.load().unwrap()[0].outline.clone()
        };
        assert_eq!(learnt(5, Some("a\nb\nc")), Some("a\nb\nc".into()));
        assert_eq!(learnt(5, None), Some("a\nb\nc".into()));
        assert_eq!(learnt(6, None), None);
    }

    #[test]
    fn a_size_is_replaced_and_never_erased() {
        let folder = IndexFolder::new();
        let index = folder.open();
        for size in [Some(5), Some(6), None] {
            index.learn(vec![Row {
                size,
                ..row(b"a", 2)
            }]);
        }
        assert_eq!(index.load().unwrap()[0].size, Some(6));
    }

    #[test]
    fn crlfs_are_kept_as_long_as_the_size_is_the_same() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let learnt = |listed, size, crlfs| {
            index.learn(vec![Row {
                size,
                crlfs,
                listed,
                ..row(b"a", 2)
            }]);
            index.load().unwrap()[0].crlfs
        };
        assert_eq!(learnt(5, Some(60), None), None);
        assert_eq!(learnt(5, Some(60), Some(3)), Some(3));
        assert_eq!(learnt(5, Some(60), None), Some(3));
        assert_eq!(learnt(5, None, None), Some(3));
        assert_eq!(learnt(5, Some(70), None), None);
        assert_eq!(learnt(5, Some(70), Some(4)), Some(4));
        assert_eq!(learnt(6, None, None), None);
    }

    #[test]
    fn impossible_crlf_counts_are_ignored() {
        let folder = IndexFolder::new();
        let counted = Row {
            size: Some(10),
            crlfs: Some(5),
            ..row(b"a", 2)
        };
        folder.open().learn(vec![counted.clone()]);
        assert_eq!(folder.rows(), std::slice::from_ref(&counted));
        for damage in ["crlfs = 6", "crlfs = -1", "size = NULL"] {
            folder.open().learn(vec![counted.clone()]);
            let outside = Connection::open(folder.file()).unwrap();
            outside
                .execute(&format!("UPDATE message SET {damage}"), [])
                .unwrap();
            drop(outside);
            assert_eq!(folder.rows()[0].crlfs, None, "{damage}");
        }
    }

    #[test]
    fn a_second_message_with_one_inode_number_gets_a_free_one() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let learnt = Row {
            size: Some(7),
            arrived: Some(1_700_000_000),
            ..row(b"b", 2)
        };
        index.learn(vec![row(b"a", 2), row(b"c", 3), learnt.clone()]);
        // The mount that learnt the row does not know its new number.
        index.learn(vec![Row {
            read: true,
            ..learnt.clone()
        }]);
        let moved = Row {
            inode: 4,
            read: true,
            ..learnt
        };
        assert_eq!(index.load().unwrap(), [row(b"a", 2), moved, row(b"c", 3)]);
    }

    #[test]
    fn of_two_rows_with_one_inode_number_the_second_is_skipped() {
        let folder = IndexFolder::new();
        let (one, other) = (0x1122_3344_5566_u64, 0x1122_3344_5567_u64);
        folder.open().learn(vec![row(b"a", one), row(b"b", other)]);
        let mut file = fs::read(folder.file()).unwrap();
        // In the table and in its index of inode numbers; SQLite omits leading zero octets.
        let octets = |inode: u64| inode.to_be_bytes()[2..].to_vec();
        for at in 0..file.len() - 6 {
            if file[at..at + 6] == octets(other) {
                file[at..at + 6].copy_from_slice(&octets(one));
            }
        }
        fs::write(folder.file(), file).unwrap();
        assert_eq!(folder.rows(), [row(b"a", one)]);
    }

    #[test]
    fn a_row_with_impossible_values_is_skipped() {
        let folder = IndexFolder::new();
        folder.open().learn(vec![row(b"a", 2), row(b"b", 3)]);
        let outside = Connection::open(folder.file()).unwrap();
        outside
            .execute("UPDATE message SET twins = -7 WHERE uidl = x'61'", [])
            .unwrap();
        drop(outside);
        assert_eq!(folder.rows(), [row(b"b", 3)]);
    }

    fn departed(uidl: &[u8], inode: u64, at: i64) -> Row {
        Row {
            departed: Some(at),
            ..row(uidl, inode)
        }
    }

    fn deletions(uidls: &[&[u8]], at: i64) -> Deletions {
        Deletions {
            messages: uidls.iter().map(|&uidl| (uidl.into(), 0)).collect(),
            at,
        }
    }

    fn listing(inodes: &[u64]) -> LastListing {
        LastListing {
            taken: 1,
            unnamed: 0,
            inodes: inodes.to_vec(),
        }
    }

    #[test]
    fn of_a_deleted_message_only_the_inode_number_stays() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let known = Row {
            size: Some(7),
            title: Some("a title".into()),
            ..row(b"a", 5)
        };
        index.learn(vec![known, row(b"b", 7)]);
        index
            .retire(deletions(&[b"a", b"b", b"never stored"], LATER))
            .unwrap();
        index.retire(deletions(&[b"a"], LATER + 9)).unwrap();
        // By a mount that knows the message by another inode number.
        index.learn(vec![Row {
            twins: None,
            ..departed(b"b", 8, LATER + 9)
        }]);
        let stored = index.load().unwrap();
        let of = |stored: &Row| (stored.inode, stored.twins, stored.departed);
        let facts: Vec<_> = stored.iter().map(of).collect();
        assert_eq!(facts, [(5, None, Some(LATER)), (7, None, Some(LATER))]);
        // Other mail has the unique-id now.
        index.learn(vec![listed_after_deletion(b"a", 8)]);
        assert_eq!(index.load().unwrap()[0], listed_after_deletion(b"a", 5));
    }

    fn listed_after_deletion(uidl: &[u8], inode: u64) -> Row {
        Row {
            first_listed: Some(LATER + 1),
            ..row(uidl, inode)
        }
    }

    #[test]
    fn a_mount_that_does_not_know_of_a_deletion_does_not_undo_it() {
        let folder = IndexFolder::new();
        let listed = Row {
            first_listed: Some(LATER - 1),
            size: Some(9),
            ..row(b"a", 5)
        };
        let (index, other) = (folder.open(), folder.open());
        index.learn(vec![listed.clone()]);
        index.retire(deletions(&[b"a"], LATER)).unwrap();
        let deleted = Row {
            twins: None,
            departed: Some(LATER),
            ..listed.clone()
        };
        let read = Row {
            read: true,
            ..listed.clone()
        };
        let voided = Row {
            twins: None,
            ..listed.clone()
        };
        let missing = departed(b"a", 5, LATER + 5);
        for row in [listed, read, voided, missing] {
            other.learn(vec![row]);
            assert_eq!(other.load().unwrap(), std::slice::from_ref(&deleted));
        }
        let new = other.assign(vec![listed_after_deletion(b"a", 8)]).unwrap();
        assert_eq!(new, [listed_after_deletion(b"a", 5)]);
        assert_eq!(index.load().unwrap().len(), 1);
    }

    #[test]
    fn deleted_messages_are_missing_from_the_stored_listing() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let listed = vec![row(b"a", 5), row(b"b", 6), row(b"c", 7)];
        index.keep_listing(listed, listing(&[5, 6, 7]));
        index.retire(deletions(&[b"b"], LATER)).unwrap();
        assert_eq!(index.last_listing().unwrap(), Some(listing(&[5, 7])));
        // The row of this one is not kept.
        index.retire(deletions(&[b"c"], 1)).unwrap();
        assert_eq!(index.last_listing().unwrap(), Some(listing(&[5])));
        index.learn(vec![row(b"a", 5)]);
        assert_eq!(index.load().unwrap().len(), 2);
        assert_eq!(index.last_listing().unwrap(), Some(listing(&[5])));
    }

    #[test]
    fn the_next_mount_knows_deletions_that_are_not_in_the_rows_yet() {
        let folder = IndexFolder::new();
        folder
            .open()
            .learn(vec![row(b"a", 5), row(b"", 6), row(b"c", 7)]);
        let gone = [&b"a"[..], b""];
        folder.open().retire(deletions(&gone, LATER)).unwrap();
        let outside = Connection::open(folder.file()).unwrap();
        let unmarked: i64 = outside
            .query_row("SELECT count(*) FROM message WHERE twins = 1", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(unmarked, 3);
        let departures = |rows: Vec<Row>| -> Vec<_> {
            let facts = rows.iter().map(|row| (row.inode, row.twins, row.departed));
            facts.collect()
        };
        let (once, later) = (NonZeroU32::new(1), Some(LATER));
        let expected = [(6, None, later), (5, None, later), (7, once, None)];
        assert_eq!(departures(folder.rows()), expected);
        // The first mount that writes a row applies them.
        let other_mail = listed_after_deletion(b"a", 50);
        assert_eq!(folder.open().assign(vec![other_mail]).unwrap()[0].inode, 5);
        let expected = [(6, None, later), (5, once, None), (7, once, None)];
        assert_eq!(departures(folder.rows()), expected);
        let noted: i64 = outside
            .query_row("SELECT count(*) FROM deletion", [], |row| row.get(0))
            .unwrap();
        assert_eq!(noted, 0);
    }

    /// Far enough in the future that no row is too old.
    const LATER: i64 = 1 << 40;

    /// Another mount may be stopped within a transaction. The end of this one waits for each task.
    #[test]
    fn only_the_first_task_waits_long_for_a_locked_file() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let other = Connection::open(folder.file()).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let begin = Instant::now();
        for inode in 2..22 {
            index.assign(vec![row(b"a", inode)]).unwrap_err();
        }
        assert!(begin.elapsed() < file::BUSY_TIMEOUT * 4);
        other.execute_batch("COMMIT").unwrap();
        index.assign(vec![row(b"a", 5)]).unwrap();
    }

    #[test]
    fn two_mounts_give_a_new_message_the_same_inode_number() {
        let folder = IndexFolder::new();
        let (one, other) = (folder.open(), folder.open());
        let known = Row {
            size: Some(9),
            first_listed: Some(5),
            ..row(b"a", 100)
        };
        assert_eq!(one.assign(vec![known.clone()]).unwrap()[0], known);
        let wished = vec![row(b"b", 100), row(b"a", 200), row(b"c", 300)];
        let expected = [row(b"b", 101), known, row(b"c", 300)];
        assert_eq!(other.assign(wished).unwrap(), expected);
        other.flush().unwrap();
        assert_eq!(one.load().unwrap().len(), 3);
        let alone = Index::in_memory();
        let wished = alone.assign(vec![row(b"a", 7)]).unwrap();
        assert_eq!(wished, [row(b"a", 7)]);
    }

    #[test]
    fn departed_rows_leave_after_a_while_or_when_there_are_many() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let name = u64::to_be_bytes;
        index.learn(vec![row(b"listed", 5), departed(b"old", 6, 1)]);
        assert_eq!(index.load().unwrap(), [row(b"listed", 5)]);
        let rows = (100..12_100).map(|n| departed(&name(n), n, LATER + n as i64));
        index.learn(rows.collect());
        let kept = index.load().unwrap();
        assert_eq!(kept.len(), 1 + 10_000);
        let has = |inode: u64| kept.iter().any(|row| *row.uidl == name(inode));
        assert!(has(12_099) && has(2_100) && !has(2_099));
        assert_eq!(index.watermark().unwrap(), 2_099);
    }

    #[test]
    fn few_departed_rows_are_kept_where_unique_ids_are_long() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let name = |n: u64| format!("{n:08000}");
        let rows = (100..400).map(|n| departed(name(n).as_bytes(), n, LATER));
        index.learn(rows.collect());
        let kept = index.load().unwrap();
        assert_eq!(kept.len(), DEPARTED_OCTETS_MOST as usize / 8000);
        assert!(kept.iter().any(|row| row.inode == 399));
    }

    #[test]
    fn a_departed_message_that_is_listed_again_keeps_its_row() {
        let folder = IndexFolder::new();
        let index = folder.open();
        index.learn(vec![departed(b"a", 5, LATER), departed(b"a", 5, LATER + 9)]);
        assert_eq!(index.load().unwrap()[0].departed, Some(LATER));
        index.learn(vec![row(b"a", 700)]);
        assert_eq!(index.load().unwrap(), [row(b"a", 5)]);
        assert_eq!(index.watermark().unwrap(), 0);
    }

    #[test]
    fn the_inode_number_of_a_pruned_row_is_never_given_again() {
        let folder = IndexFolder::new();
        folder
            .open()
            .learn(vec![row(b"a", 5), departed(b"b", 9, 1)]);
        let index = folder.open();
        assert_eq!(index.watermark().unwrap(), 9);
        let wished = vec![row(b"b", 9), row(b"c", 7), row(b"d", 10), row(b"e", 30)];
        let given = index.assign(wished).unwrap();
        let given: Vec<u64> = given.iter().map(|row| row.inode).collect();
        assert_eq!(given, [10, 11, 12, 30]);
    }

    #[test]
    fn new_unique_ids_in_each_session_do_not_make_the_file_grow() {
        const LISTED: u64 = 30_000;
        let folder = IndexFolder::new();
        let uidl = |inode: &u64| format!("{:020}", inode.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let inodes = |session: u64| 1 + session * LISTED..1 + (session + 1) * LISTED;
        let mut octets = Vec::new();
        for session in 0..4_u64 {
            let index = folder.open();
            let gone = session.checked_sub(1).map(inodes).into_iter().flatten();
            let gone = gone.map(|inode| departed(uidl(&inode).as_bytes(), inode, LATER));
            index.learn(gone.collect());
            let mut new: Vec<u64> = inodes(session).collect();
            new.sort_by_key(uidl);
            let new = new.iter().map(|inode| row(uidl(inode).as_bytes(), *inode));
            index.assign(new.collect()).unwrap();
            drop(index);
            octets.push(fs::metadata(folder.file()).unwrap().len());
        }
        assert_eq!(folder.rows().len(), 30_000 + 10_000);
        assert!(2 * octets[3] <= 3 * octets[0], "{octets:?}");
    }

    #[test]
    fn two_mounts_share_an_index() {
        let folder = IndexFolder::new();
        let (first, second) = (folder.open(), folder.open());
        thread::scope(|scope| {
            for (index, start) in [(&first, 0_u64), (&second, 1000)] {
                scope.spawn(move || {
                    (start..start + 500)
                        .for_each(|inode| index.learn(vec![row(&inode.to_be_bytes(), inode)]));
                });
            }
        });
        first.flush().unwrap();
        second.flush().unwrap();
        assert_eq!(first.load().unwrap().len(), 1000);
    }

    #[test]
    fn flush_writes_all_rows_to_the_file() {
        let folder = IndexFolder::new();
        let index = folder.open();
        index.learn(vec![row(b"a", 2)]);
        index.flush().unwrap();
        let copy = folder.path().join("copy");
        fs::copy(folder.file(), &copy).unwrap();
        let rows: u32 = Connection::open(copy)
            .unwrap()
            .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn flush_reports_a_failed_write_and_the_index_goes_on() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let outside = Connection::open(folder.file()).unwrap();
        outside
            .execute_batch("ALTER TABLE message RENAME TO away")
            .unwrap();
        index.learn(vec![row(b"a", 2)]);
        assert!(matches!(index.flush(), Err(StoreError::Sqlite { .. })));
        outside
            .execute_batch("ALTER TABLE away RENAME TO message")
            .unwrap();
        index.learn(vec![row(b"b", 3)]);
        index.flush().unwrap();
        assert_eq!(index.load().unwrap(), [row(b"b", 3)]);
    }

    #[test]
    fn an_index_in_memory_keeps_nothing() {
        let index = Index::in_memory();
        index.learn(vec![row(b"a", 2)]);
        index.flush().unwrap();
        assert_eq!(index.load().unwrap(), []);
    }
}
