//! Deletions that a commit has made, and that the rows of the messages do not show yet.
//!
//! To update each row takes much longer than to store one list, and the user waits for the commit.
//! So the commit stores the list. The next transaction that writes rows, of this mount or of another
//! one, applies it first. Until then readers apply it to the rows that they load.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};

use super::row::{RemovedMessage, Row};
use super::schema::{DELETIONS, DROP_DELETIONS, FORGET, NOTE_DELETIONS, RETIRE};

/// Messages that a commit has deleted.
#[derive(Debug)]
pub struct Deletions {
    /// Their unique-ids and ordinals.
    pub messages: Vec<RemovedMessage>,
    /// When they were deleted, in Unix seconds.
    pub at: i64,
}

/// Deletions that are noted and not yet applied: when each message was deleted, in Unix seconds.
pub(super) struct NotedDeletions(HashMap<RemovedMessage, i64>);

impl NotedDeletions {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(DELETIONS)?;
        let mut found = statement.query([])?;
        let mut noted = HashMap::new();
        while let Some(row) = found.next()? {
            let at = row.get(0)?;
            for message in messages_in(row.get_ref(1)?.as_blob()?) {
                noted.entry(message).or_insert(at);
            }
        }
        Ok(Self(noted))
    }

    /// The row as it will be when they are applied.
    pub(super) fn apply_to_row(&self, row: Row) -> Row {
        match self.of(&row.uidl, row.ordinal) {
            Some(at) => Row {
                twins: None,
                departed: row.departed.or(Some(at)),
                ..row
            },
            None => row,
        }
    }

    /// When the message was deleted, if it was.
    pub(super) fn of(&self, uidl: &[u8], ordinal: u32) -> Option<i64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(uidl.into(), ordinal)).copied()
    }

    /// Marks the rows of their messages as deleted. Removals of these messages that are pending across
    /// mounts end with that. Returns whether there were any.
    pub(super) fn apply(self, transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
        let has_any = !self.0.is_empty();
        let mut retire = transaction.prepare_cached(RETIRE)?;
        let mut forget = transaction.prepare_cached(FORGET)?;
        for ((uidl, ordinal), at) in self.0 {
            retire.execute(params![&*uidl, ordinal, at])?;
            forget.execute(params![&*uidl, ordinal])?;
        }
        transaction.prepare_cached(DROP_DELETIONS)?.execute([])?;
        Ok(has_any)
    }
}

/// Stores the list of deletions.
pub(super) fn note(connection: &Connection, deletions: &Deletions) -> rusqlite::Result<()> {
    let messages = octets_of(&deletions.messages);
    let mut statement = connection.prepare_cached(NOTE_DELETIONS)?;
    statement.execute(params![deletions.at, messages])?;
    Ok(())
}

/// Each message is its ordinal, the length of its unique-id, both in 4 octets, and its unique-id. A
/// unique-id whose length needs more is left out.
fn octets_of(messages: &[RemovedMessage]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (uidl, ordinal) in messages {
        let Ok(length) = u32::try_from(uidl.len()) else {
            continue;
        };
        octets.extend(ordinal.to_le_bytes());
        octets.extend(length.to_le_bytes());
        octets.extend(&**uidl);
    }
    octets
}

/// The messages in a list that was stored, as far as it is whole.
fn messages_in(octets: &[u8]) -> impl Iterator<Item = RemovedMessage> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (ordinal, behind) = rest.split_first_chunk()?;
        let (length, behind) = behind.split_first_chunk()?;
        let (uidl, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = behind;
        Some((Arc::from(uidl), u32::from_le_bytes(*ordinal)))
    })
}
