//! What was learnt of each message, kept across mounts.

mod file;
#[cfg(test)]
mod fixture;
mod row;
mod schema;
mod writer;

pub(super) use file::{lock, make_private_file};

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

pub use row::Row;

use crate::store::account::{InUse, lock_in_use};
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
    _in_use: Option<InUse>,
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
        let writer = IndexWriter::new(connection, path.clone());
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
                _in_use: in_use,
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
    /// same. A new message whose inode number another message has is stored with a free one. If the
    /// disk refuses, the failure is logged and the rows are lost.
    pub fn learn(&self, rows: Vec<Row>) {
        if let Some(open) = &self.file {
            // A writer that has ended has logged why, and the rows can be learnt again.
            let _ = open.tasks.send(IndexTask::Learn(rows));
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
                twins,
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
