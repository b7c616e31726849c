//! What a mount must show.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::mounted::Shown;
use super::provider::Number;

pub(super) type Numbers = BTreeSet<Number>;

#[derive(Debug, Default)]
pub(super) struct Reference {
    /// What the server has.
    pub(super) mailbox: Numbers,
    /// What the last listing had that the mount has taken.
    pub(super) known: Numbers,
    /// All listings that the index may have at the end of the mount: what the server had after each
    /// step, while it was there, since the mount began.
    pub(super) listings: Vec<Numbers>,
    /// The listings that the mount has found in the index, perhaps. If it is killed at once, it has
    /// stored none of its own.
    pub(super) inherited_listings: Vec<Numbers>,
    /// The pending removals.
    pub(super) removed: Numbers,
    /// Those that the index keeps, at least.
    pub(super) remembered: Numbers,
    /// The messages whose bodies are on disk.
    pub(super) cached: Numbers,
    /// The inode numbers, as they were shown.
    inodes: BTreeMap<Number, u64>,
    /// Which message an inode number was shown for.
    owners: HashMap<u64, Number>,
}

impl Reference {
    /// Of a server with these messages, before the first mount.
    pub(super) fn of(mailbox: Numbers) -> Self {
        Self {
            mailbox,
            ..Self::default()
        }
    }

    /// The mount has taken a listing: what it does not have is pending no more.
    pub(super) fn take_listing(&mut self, listing: Numbers) {
        self.removed.retain(|number| listing.contains(number));
        self.remembered.retain(|number| listing.contains(number));
        self.listings.push(listing.clone());
        self.known = listing;
    }

    /// A mount has begun with what the server had.
    pub(super) fn begin_with_server(&mut self) {
        let inherited = std::mem::replace(&mut self.listings, vec![self.mailbox.clone()]);
        self.inherited_listings = inherited;
        self.known = self.mailbox.clone();
    }

    /// A mount has begun with the listing of an earlier one.
    pub(super) fn begin_offline(&mut self, known: Numbers) {
        self.inherited_listings.clear();
        self.listings = vec![known.clone()];
        self.known = known;
    }

    /// Checks what the directory shows of each message, and notes it.
    pub(super) fn check_attributes(
        &mut self,
        listed: &BTreeMap<Number, Shown>,
    ) -> Result<(), String> {
        for (&number, shown) in listed {
            let inode = *self.inodes.entry(number).or_insert(shown.inode);
            if inode != shown.inode {
                return Err(format!("{number} had inode {inode}, now {}", shown.inode));
            }
            let owner = *self.owners.entry(inode).or_insert(number);
            if owner != number {
                return Err(format!(
                    "inode {inode} was that of {owner}, now of {number}"
                ));
            }
            let octets = crate::message(number).len() as u64;
            if shown.octets != octets {
                return Err(format!("{number} has {octets} octets, shown {shown:?}"));
            }
        }
        Ok(())
    }

    /// A killed mount may have written nothing of what it had learnt last.
    pub(super) fn forget_what_may_be_lost(&mut self) {
        self.cached.clear();
        self.inodes.clear();
        self.listings.append(&mut self.inherited_listings);
    }
}
