//! What was learnt of each message, kept across mounts.

mod file;
#[cfg(test)]
mod fixture;
mod writer;

pub(super) use file::{FILE, lock, make_private};

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::store::account::{Occupied, occupy};
use crate::store::{CacheFolder, StoreError};
use writer::{Order, Writer};

/// What the index keeps of one message, by unique-id and ordinal among duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The unique-id as the server gave it (RFC 1939 section 7), any octets.
    pub uidl: Box<[u8]>,
    /// Which of the messages that share the unique-id, in maildrop order.
    pub ordinal: u32,
    /// The inode number: once kept it never changes, and no two rows share one.
    pub inode: u64,
    /// The exact octets, once the body was seen.
    pub size: Option<u64>,
    /// The mtime that was shown, in Unix seconds: once kept it never changes.
    pub arrived: Option<i64>,
    /// LIST's octets when all this was learnt: where it says otherwise later, the content may be another.
    pub listed: u64,
    /// How many messages shared the unique-id then; 0 where the message was deleted since.
    pub twins: u32,
    /// A user was given the body; read-ahead alone does not count. Kept until the content may be another.
    pub read: bool,
    /// Who wrote and about what, once the headers were seen.
    pub title: Option<Box<str>>,
    /// What a mail reader noted of it, which replaces what it noted before; none changes nothing.
    pub mark: Option<Box<str>>,
    /// How many CRLFs are in the body of that size, once they were counted: half of it at the most.
    pub crlfs: Option<u64>,
    /// What the headers say in a few words, once somebody has asked.
    pub outline: Option<Box<str>>,
}

/// The index of one account. Whoever learns never waits for the disk: a thread writes what has gathered. Several processes
/// may have the same index open.
#[derive(Debug)]
pub struct Index {
    file: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    orders: Sender<Order>,
    writer: JoinHandle<()>,
    _occupied: Option<Occupied>,
}

impl Index {
    /// Opens `index.sqlite` in the account's folder, or begins it. One of a newer format is refused; a damaged one is set
    /// aside as `index.sqlite.damaged` with a warning. Open it after the last fork(2): it starts a thread.
    pub fn open(folder: &CacheFolder) -> Result<Self, StoreError> {
        let (connection, path) = file::open(folder)?;
        let occupied = occupy(folder.path());
        let writer = Writer::new(connection, path.clone());
        let (orders, queue) = mpsc::channel();
        let writer = thread::Builder::new()
            .name("index".into())
            .spawn(move || writer.run(&queue))
            .map_err(StoreError::io("start the writer of", &path))?;
        Ok(Self {
            file: Some(Kept {
                path,
                orders,
                writer,
                _occupied: occupied,
            }),
        })
    }

    /// An index that keeps nothing and starts no thread, for `cache=off`.
    pub fn in_memory() -> Self {
        Self { file: None }
    }

    /// All rows of the account, with what was learnt before the call; in no order. Waits for the disk.
    pub fn load(&self) -> Result<Vec<Row>, StoreError> {
        self.file
            .as_ref()
            .map_or(Ok(Vec::new()), |kept| kept.ask(Order::Load))
    }

    /// Keeps the rows, at once and without waiting for the disk. A row that is known keeps its inode and its arrival; a size
    /// replaces the old one, none does not. A new row whose inode another has is kept with one that is free. Where the disk
    /// refuses, the failure is logged and the rows are forgotten.
    pub fn learn(&self, rows: Vec<Row>) {
        if let Some(kept) = &self.file {
            // A writer that ended has said why; what it would keep can be learnt again.
            let _ = kept.orders.send(Order::Learn(rows));
        }
    }

    /// Waits until all that was learnt so far is on disk. An error says that some of it, since the last flush, is not.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.file
            .as_ref()
            .map_or(Ok(()), |kept| kept.ask(Order::Flush))
    }
}

impl Drop for Index {
    /// Waits until the writer has written what is queued.
    fn drop(&mut self) {
        let Some(Kept { orders, writer, .. }) = self.file.take() else {
            return;
        };
        drop(orders);
        if writer.join().is_err() {
            log::error!("the writer of the index has panicked");
        }
    }
}

impl Kept {
    fn ask<T>(
        &self,
        order: impl FnOnce(Sender<Result<T, StoreError>>) -> Order,
    ) -> Result<T, StoreError> {
        let ended = || StoreError::NoWriter {
            path: self.path.clone(),
        };
        let (reply, answer) = mpsc::channel();
        self.orders.send(order(reply)).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::fixture::{Account, row};
    use super::*;

    #[test]
    fn what_was_learnt_is_there_at_the_next_mount() {
        let account = Account::new();
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
        account.open().learn(rows.clone());
        let mut loaded = account.rows();
        loaded.sort_by_key(|row| (row.uidl.clone(), row.ordinal));
        let mut expected = rows;
        expected.sort_by_key(|row| (row.uidl.clone(), row.ordinal));
        assert_eq!(loaded, expected);
    }

    #[test]
    fn a_load_sees_what_was_learnt_before_it() {
        let account = Account::new();
        let index = account.open();
        (1..=100_u64).for_each(|inode| index.learn(vec![row(&inode.to_be_bytes(), inode)]));
        assert_eq!(index.load().unwrap().len(), 100);
    }

    #[test]
    fn an_inode_never_changes() {
        let account = Account::new();
        let index = account.open();
        index.learn(vec![row(b"a", 2), row(b"a", 9)]);
        index.learn(vec![row(b"a", 10)]);
        assert_eq!(index.load().unwrap(), [row(b"a", 2)]);
    }

    #[test]
    fn an_arrival_once_shown_never_changes() {
        let account = Account::new();
        let index = account.open();
        for arrived in [None, Some(5), Some(6), None] {
            index.learn(vec![Row {
                arrived,
                ..row(b"a", 2)
            }]);
        }
        assert_eq!(index.load().unwrap()[0].arrived, Some(5));
    }

    #[test]
    fn a_size_is_forgotten_when_the_message_is_listed_otherwise() {
        let account = Account::new();
        let index = account.open();
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
    fn what_was_read_stays_read_until_the_message_is_listed_otherwise() {
        let account = Account::new();
        let index = account.open();
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
    fn an_outline_is_kept_until_the_message_is_listed_otherwise() {
        let account = Account::new();
        let index = account.open();
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
        let account = Account::new();
        let index = account.open();
        for size in [Some(5), Some(6), None] {
            index.learn(vec![Row {
                size,
                ..row(b"a", 2)
            }]);
        }
        assert_eq!(index.load().unwrap()[0].size, Some(6));
    }

    #[test]
    fn crlfs_are_kept_as_long_as_the_size_they_are_of() {
        let account = Account::new();
        let index = account.open();
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
    fn crlfs_that_no_body_of_that_size_has_are_not_known() {
        let account = Account::new();
        let counted = Row {
            size: Some(10),
            crlfs: Some(5),
            ..row(b"a", 2)
        };
        account.open().learn(vec![counted.clone()]);
        assert_eq!(account.rows(), std::slice::from_ref(&counted));
        for damage in ["crlfs = 6", "crlfs = -1", "size = NULL"] {
            account.open().learn(vec![counted.clone()]);
            let outside = Connection::open(account.file()).unwrap();
            outside
                .execute(&format!("UPDATE message SET {damage}"), [])
                .unwrap();
            drop(outside);
            assert_eq!(account.rows()[0].crlfs, None, "{damage}");
        }
    }

    #[test]
    fn of_two_messages_with_one_inode_the_second_gets_a_free_one_and_all_of_both_is_kept() {
        let account = Account::new();
        let index = account.open();
        let learnt = Row {
            size: Some(7),
            arrived: Some(1_700_000_000),
            ..row(b"b", 2)
        };
        index.learn(vec![row(b"a", 2), row(b"c", 3), learnt.clone()]);
        // The mount that learnt it does not know of the other number.
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
    fn of_two_messages_that_a_damage_gave_one_inode_one_is_learnt_again() {
        let account = Account::new();
        let (one, other) = (0x1122_3344_5566_u64, 0x1122_3344_5567_u64);
        account.open().learn(vec![row(b"a", one), row(b"b", other)]);
        let mut file = fs::read(account.file()).unwrap();
        // In the table and in the index of its inodes; leading octets that are zero are not stored.
        let octets = |inode: u64| inode.to_be_bytes()[2..].to_vec();
        for at in 0..file.len() - 6 {
            if file[at..at + 6] == octets(other) {
                file[at..at + 6].copy_from_slice(&octets(one));
            }
        }
        fs::write(account.file(), file).unwrap();
        assert_eq!(account.rows(), [row(b"a", one)]);
    }

    #[test]
    fn a_row_with_values_that_no_message_has_is_passed_over() {
        let account = Account::new();
        account.open().learn(vec![row(b"a", 2), row(b"b", 3)]);
        let outside = Connection::open(account.file()).unwrap();
        outside
            .execute("UPDATE message SET twins = -7 WHERE uidl = x'61'", [])
            .unwrap();
        drop(outside);
        assert_eq!(account.rows(), [row(b"b", 3)]);
    }

    #[test]
    fn two_mounts_share_an_index() {
        let account = Account::new();
        let (first, second) = (account.open(), account.open());
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
    fn flush_brings_what_was_learnt_to_the_file() {
        let account = Account::new();
        let index = account.open();
        index.learn(vec![row(b"a", 2)]);
        index.flush().unwrap();
        let copy = account.folder.path().join("copy");
        fs::copy(account.file(), &copy).unwrap();
        let rows: u32 = Connection::open(copy)
            .unwrap()
            .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1);
    }

    #[test]
    fn a_failed_write_is_told_by_flush_and_the_index_goes_on() {
        let account = Account::new();
        let index = account.open();
        let outside = Connection::open(account.file()).unwrap();
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
    fn an_index_in_memory_learns_nothing() {
        let index = Index::in_memory();
        index.learn(vec![row(b"a", 2)]);
        index.flush().unwrap();
        assert_eq!(index.load().unwrap(), []);
    }
}
