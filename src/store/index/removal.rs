//! Removals that are pending across mounts: what a user has removed while the server was away.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::deletions::NotedDeletions;
use super::row::RemovedMessage;
use super::schema::{FORGET, REMEMBER, REMOVALS};

/// A message that the user has removed, and what was known of it then. The server has to show the
/// same again before it is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The unique-id as the server sent it.
    pub uidl: Arc<[u8]>,
    /// The position among the messages that share the unique-id.
    pub ordinal: u32,
    /// LIST's size.
    pub listed: u64,
    /// How many messages shared the unique-id.
    pub twins: u32,
    /// Whether LIST has given it another size since it was removed.
    pub resized: bool,
    /// Whether the program that removed it had read it.
    pub read: bool,
    /// A digest of the headers as TOP showed them.
    pub top_digest: Option<[u8; 16]>,
    /// A digest of the headers as RETR showed them.
    pub body_digest: Option<[u8; 16]>,
    /// A digest of the whole body, if it shared its unique-id.
    pub twin_digest: Option<[u8; 16]>,
}

/// Stores removals.
pub(super) fn remember(connection: &Connection, removals: &[Removal]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(REMEMBER)?;
    for removal in removals {
        statement.execute(params![
            &*removal.uidl,
            removal.ordinal,
            removal.listed.cast_signed(),
            removal.twins,
            removal.resized,
            removal.read,
            removal.top_digest,
            removal.body_digest,
            removal.twin_digest
        ])?;
    }
    Ok(())
}

/// Deletes the removals of these messages, in one transaction.
pub(super) fn forget(
    connection: &mut Connection,
    messages: &[RemovedMessage],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut statement = transaction.prepare_cached(FORGET)?;
    for (uidl, ordinal) in messages {
        statement.execute(params![&**uidl, ordinal])?;
    }
    drop(statement);
    transaction.commit()
}

/// All removals, but for those of messages that were deleted since. One with damaged values is left
/// out: its message then stays on the server.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Vec<Removal>> {
    let deletions = NotedDeletions::load(connection)?;
    let mut statement = connection.prepare_cached(REMOVALS)?;
    let mut found = statement.query([])?;
    let mut removals = Vec::new();
    while let Some(row) = found.next()? {
        match parse(row) {
            Ok(removal) if deletions.of(&removal.uidl, removal.ordinal).is_some() => {}
            Ok(removal) => removals.push(removal),
            Err(error) => log::warn!("a removal in the index is damaged: {error}"),
        }
    }
    Ok(removals)
}

fn parse(row: &rusqlite::Row<'_>) -> rusqlite::Result<Removal> {
    Ok(Removal {
        uidl: row.get_ref(0)?.as_blob()?.into(),
        ordinal: row.get(1)?,
        listed: row.get::<_, i64>(2)?.cast_unsigned(),
        twins: row.get(3)?,
        resized: row.get(4)?,
        read: row.get(5)?,
        top_digest: row.get(6)?,
        body_digest: row.get(7)?,
        twin_digest: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{IndexFolder, row};
    use super::super::{Deletions, Index, Row};
    use super::*;

    fn removal(uidl: &[u8], ordinal: u32) -> Removal {
        Removal {
            uidl: uidl.into(),
            ordinal,
            listed: u64::MAX,
            twins: 2,
            resized: true,
            read: true,
            top_digest: Some([1; 16]),
            body_digest: None,
            twin_digest: Some([3; 16]),
        }
    }

    #[test]
    fn a_removal_is_remembered_until_it_is_forgotten() {
        let folder = IndexFolder::new();
        let (one, other) = (removal(b"a\0", 1), removal(b"a\0", 2));
        let index = folder.open();
        let removals = vec![one.clone(), other.clone()];
        index.remember_removals(removals).unwrap();
        drop(index);
        assert_eq!(
            folder.open().removals().unwrap(),
            [one.clone(), other.clone()]
        );
        folder
            .open()
            .forget_removals(vec![(one.uidl, one.ordinal), (b"b"[..].into(), 1)])
            .unwrap();
        assert_eq!(folder.open().removals().unwrap(), [other]);
    }

    #[test]
    fn a_removal_that_was_forgotten_is_not_on_disk() {
        let folder = IndexFolder::new();
        let index = folder.open();
        let other = Connection::open(folder.file()).unwrap();
        for ordinal in 1..=20 {
            let removals = vec![removal(b"a", ordinal)];
            index.remember_removals(removals).unwrap();
            let message = (b"a"[..].into(), ordinal);
            index.forget_removals(vec![message]).unwrap();
            assert_eq!(load(&other).unwrap(), []);
        }
    }

    /// Another mount has the server, and finds that the message has gone, or deletes it itself.
    #[test]
    fn a_removal_ends_with_its_message() {
        type End = fn(&Index);
        let ends: [End; 2] = [
            |index| {
                let messages = vec![(b"a"[..].into(), 1)];
                index.retire(Deletions { messages, at: 5 }).unwrap();
            },
            |index| {
                index.learn(vec![Row {
                    ordinal: 1,
                    departed: Some(i64::MAX),
                    ..row(b"a", 7)
                }]);
            },
        ];
        for end in ends {
            let folder = IndexFolder::new();
            let removals = vec![removal(b"a", 1), removal(b"b", 1)];
            folder.open().remember_removals(removals).unwrap();
            let other = folder.open();
            end(&other);
            drop(other);
            assert_eq!(folder.open().removals().unwrap(), [removal(b"b", 1)]);
            // Other mail has the unique-id, and is removed.
            let again = vec![removal(b"a", 1)];
            folder.open().remember_removals(again).unwrap();
            assert_eq!(folder.open().removals().unwrap().len(), 2);
        }
    }

    #[test]
    fn a_removal_is_not_remembered_without_a_file() {
        let index = Index::in_memory();
        index.remember_removals(vec![removal(b"a", 1)]).unwrap();
        assert_eq!(index.removals().unwrap(), []);
    }

    #[test]
    fn only_a_mount_that_is_alone_has_the_removals() {
        let folder = IndexFolder::new();
        let first = folder.open();
        first.remember_removals(vec![removal(b"a", 1)]).unwrap();
        let second = folder.open();
        assert_eq!(second.removals().unwrap(), []);
        drop(second);
        first.release();
        assert_eq!(folder.open().removals().unwrap().len(), 1);
    }
}
