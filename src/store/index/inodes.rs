//! The inode numbers that new messages get.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, Transaction};

use super::schema::{FREE_INODE, GREATEST_INODE, IS_INODE_TAKEN, WATERMARK};

/// Gives inode numbers in one transaction, whether the rows that get them are stored at once or
/// later.
pub(super) struct Inodes<'t> {
    transaction: &'t Connection,
    is_stored: CachedStatement<'t>,
    /// The inode number up to which none is given again.
    used_up: i64,
    /// The numbers given so far.
    given: HashSet<i64>,
    /// The greatest number that a row has or had, or that was given.
    greatest: i64,
}

impl<'t> Inodes<'t> {
    pub(super) fn new(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            transaction,
            is_stored: transaction.prepare_cached(IS_INODE_TAKEN)?,
            used_up: watermark(transaction)?,
            given: HashSet::new(),
            greatest: greatest(transaction)?,
        })
    }

    /// Gives the number that is wished for, or one near it if a message has or had that one.
    pub(super) fn give(&mut self, wish: u64) -> rusqlite::Result<u64> {
        let mut inode = self.above_watermark(wish.cast_signed());
        while inode <= self.greatest {
            if self.is_stored.exists([inode])? {
                inode = self.next_not_stored(inode)?;
            }
            if !self.given.contains(&inode) {
                break;
            }
            inode = inode.wrapping_add(1);
        }
        self.given.insert(inode);
        self.greatest = self.greatest.max(inode);
        Ok(inode.cast_unsigned())
    }

    /// A number that was given to a message whose row is deleted is replaced by the one behind the
    /// greatest. Inode numbers from older versions may have any 64 bits.
    fn above_watermark(&self, wish: i64) -> i64 {
        match (1..=self.used_up).contains(&wish) {
            true => self.greatest.wrapping_add(1),
            false => wish,
        }
    }

    /// The first number behind a stored one that no row has.
    fn next_not_stored(&self, stored: i64) -> rusqlite::Result<i64> {
        let mut free = self.transaction.prepare_cached(FREE_INODE)?;
        free.query_row([stored], |row| row.get(0))
    }
}

/// The greatest number that a row has or had.
fn greatest(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(GREATEST_INODE)?
        .query_row([], |row| row.get(0))
}

/// The inode number up to which none is given again.
pub(super) fn watermark(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(WATERMARK)?
        .query_row([], |row| row.get(0))
}
