//! The last complete listing of an account, from which a mount can begin without its server.
//!
//! A part of a listing must never pass for all of it: `rsync --delete` would then delete the rest
//! of a backup. So the listing and the rows of its messages are written in one transaction, and a
//! digest covers the account, the order of the messages, and the unique-id and inode number of
//! each. A listing whose digest is wrong, or of which a row is missing, counts as none.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::deletions::NotedDeletions;
use super::schema::{DROP_LISTING, IDENTITIES, LISTING, RENEW_LISTING, STORE_LISTING};

/// The octets of one inode number in the file.
const INODE_OCTETS: usize = 8;

/// A complete listing. The facts about its messages are in their rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastListing {
    /// When the server sent it, in Unix seconds.
    pub taken: i64,
    /// How many more messages the maildrop had, which the server did not identify.
    pub unnamed: u32,
    /// The inode numbers of its messages, in maildrop order.
    pub inodes: Vec<u64>,
}

/// Stores a listing whose rows are stored. If a listing with the same messages is stored already, it
/// only gets the new time, and is not checked. Returns false if a row is missing: then the stored
/// listing stays.
pub(super) fn store(
    transaction: &Transaction<'_>,
    account: &str,
    listing: &LastListing,
) -> rusqlite::Result<bool> {
    let inodes = octets_of(&listing.inodes);
    let renewed = transaction.prepare_cached(RENEW_LISTING)?.execute(params![
        listing.taken,
        listing.unnamed,
        inodes
    ])?;
    if renewed == 1 {
        return Ok(true);
    }
    let signed = sign(transaction, account, &inodes)?;
    if signed.identified != listing.inodes.len() {
        return Ok(false);
    }
    transaction.execute(DROP_LISTING, [])?;
    let stored = params![listing.taken, listing.unnamed, inodes, signed.digest];
    transaction.execute(STORE_LISTING, stored)?;
    Ok(true)
}

/// The stored listing, without the messages that have departed since. None if there is none, or if
/// it or a row of it is damaged. A damaged one is deleted, as far as the disk lets it: [`store`] would
/// only renew it.
pub(super) fn load(
    transaction: &Transaction<'_>,
    account: &str,
) -> rusqlite::Result<Option<LastListing>> {
    let found = transaction
        .query_row(LISTING, [], |row| {
            let inodes: Vec<u8> = row.get(2)?;
            let digest: [u8; 32] = row.get(3)?;
            Ok((row.get(0)?, row.get(1)?, inodes, digest))
        })
        .optional()?;
    let Some((taken, unnamed, octets, digest)) = found else {
        return Ok(None);
    };
    let signed = sign(transaction, account, &octets)?;
    let mut inodes = inodes_in(&octets);
    if signed.digest != digest || signed.identified != inodes.len() {
        log::warn!("the listing in the index is damaged: it is not used");
        if let Err(error) = transaction.execute(DROP_LISTING, []) {
            log::debug!("a damaged listing stays in the index: {error}");
        }
        return Ok(None);
    }
    inodes.retain(|inode| !signed.departed.contains(inode));
    Ok(Some(LastListing {
        taken,
        unnamed,
        inodes,
    }))
}

/// What the rows of a listing say.
struct Signed {
    digest: [u8; 32],
    /// How many messages of the listing have a row.
    identified: usize,
    /// Those that the server no longer lists.
    departed: HashSet<u64>,
}

fn sign(connection: &Connection, account: &str, inodes: &[u8]) -> rusqlite::Result<Signed> {
    let listed: HashSet<u64> = inodes_in(inodes).into_iter().collect();
    let mut digest = Sha256::new();
    for part in [account.as_bytes(), inodes] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let deletions = NotedDeletions::load(connection)?;
    let (mut identified, mut departed) = (0, HashSet::new());
    let mut statement = connection.prepare_cached(IDENTITIES)?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let inode = row.get::<_, i64>(0)?.cast_unsigned();
        if !listed.contains(&inode) {
            continue;
        }
        let (uidl, ordinal) = (row.get_ref(1)?.as_blob()?, row.get::<_, u32>(2)?);
        identified += 1;
        digest.update(inode.to_le_bytes());
        digest.update((uidl.len() as u64).to_le_bytes());
        digest.update(uidl);
        digest.update(ordinal.to_le_bytes());
        let has_departed = row.get::<_, Option<i64>>(3)?.is_some();
        if has_departed || deletions.of(uidl, ordinal).is_some() {
            departed.insert(inode);
        }
    }
    Ok(Signed {
        digest: digest.finalize().into(),
        identified,
        departed,
    })
}

fn octets_of(inodes: &[u64]) -> Vec<u8> {
    inodes
        .iter()
        .flat_map(|inode| inode.to_le_bytes())
        .collect()
}

fn inodes_in(octets: &[u8]) -> Vec<u64> {
    let (inodes, _) = octets.as_chunks::<INODE_OCTETS>();
    inodes
        .iter()
        .map(|&octets| u64::from_le_bytes(octets))
        .collect()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::Row;
    use super::super::fixture::{IndexFolder, row};
    use super::*;

    fn listing(inodes: &[u64]) -> LastListing {
        LastListing {
            taken: 1_700_000_000,
            unnamed: 0,
            inodes: inodes.to_vec(),
        }
    }

    /// A folder with a listing of three messages.
    fn listed() -> IndexFolder {
        let folder = IndexFolder::new();
        let rows = vec![row(b"a", 30), row(b"b", 10), row(b"c", 20)];
        folder.open().keep_listing(rows, listing(&[20, 30, 10]));
        folder
    }

    fn last_listing(folder: &IndexFolder) -> Option<LastListing> {
        folder.open().last_listing().unwrap()
    }

    #[test]
    fn the_next_mount_has_the_last_listing_in_its_order() {
        let folder = listed();
        assert_eq!(last_listing(&folder), Some(listing(&[20, 30, 10])));
        let later = LastListing {
            taken: 1_800_000_000,
            ..listing(&[20, 30, 10])
        };
        folder.open().keep_listing(Vec::new(), later.clone());
        assert_eq!(last_listing(&folder), Some(later));
        let other = LastListing {
            unnamed: 2,
            ..listing(&[10])
        };
        folder.open().keep_listing(Vec::new(), other.clone());
        assert_eq!(last_listing(&folder), Some(other));
    }

    #[test]
    fn an_empty_listing_is_a_listing_and_none_is_none() {
        let folder = IndexFolder::new();
        assert_eq!(last_listing(&folder), None);
        folder.open().keep_listing(Vec::new(), listing(&[]));
        assert_eq!(last_listing(&folder), Some(listing(&[])));
    }

    #[test]
    fn a_listing_without_all_its_rows_is_not_stored() {
        let folder = listed();
        let unknown = listing(&[10, 99]);
        folder.open().keep_listing(Vec::new(), unknown);
        assert_eq!(last_listing(&folder), Some(listing(&[20, 30, 10])));
    }

    #[test]
    fn a_message_that_departed_since_is_left_out() {
        let folder = listed();
        let departed = Row {
            departed: Some(i64::MAX),
            ..row(b"a", 30)
        };
        folder.open().learn(vec![departed]);
        assert_eq!(last_listing(&folder), Some(listing(&[20, 10])));
    }

    #[test]
    fn a_damaged_listing_is_none() {
        for damage in [
            "DELETE FROM message WHERE inode = 10",
            "UPDATE message SET inode = 11 WHERE inode = 10",
            "UPDATE message SET uidl = x'7a' WHERE inode = 10",
            "UPDATE listing SET inodes = substr(inodes, 1, 16)",
            "UPDATE listing SET inodes = substr(inodes, 1, 23)",
            "UPDATE listing SET inodes = x''",
            "UPDATE listing SET digest = zeroblob(32)",
            "DELETE FROM listing",
        ] {
            let folder = listed();
            let outside = Connection::open(folder.file()).unwrap();
            outside.execute_batch(damage).unwrap();
            drop(outside);
            assert_eq!(last_listing(&folder), None, "{damage}");
            // The next mount keeps a listing of the messages that it knows.
            let known: Vec<u64> = folder.rows().iter().map(|row| row.inode).collect();
            folder.open().keep_listing(Vec::new(), listing(&known));
            assert_eq!(last_listing(&folder), Some(listing(&known)), "{damage}");
        }
    }

    #[test]
    fn the_listing_of_another_account_is_none() {
        let (folder, other) = (listed(), IndexFolder::of("bob@example.org"));
        std::fs::copy(folder.file(), other.file()).unwrap();
        assert_eq!(other.rows().len(), 3);
        assert_eq!(last_listing(&other), None);
    }
}
