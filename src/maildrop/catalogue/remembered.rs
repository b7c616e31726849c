//! What the index remembers of a catalogue for the next mount: the listing and pending removals.

use std::collections::HashSet;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::digest::{Digests, HeaderDigest};
use crate::maildrop::catalogue::id::{ListingSerial, MessageId};
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::catalogue::name::file_name;
use crate::maildrop::catalogue::pending::{Likeness, PendingDeletion, Remover, ShownBefore};
use crate::pop3::UniqueId;
use crate::store::{LastListing, Removal};

impl Catalogue {
    /// The inode numbers of the messages that the server has, as far as is known: those of the last
    /// session's listing in maildrop order, and then those that it did not name.
    pub(crate) fn on_server(&self) -> Vec<u64> {
        let is_there = |&id: &MessageId| self.get(id).standing != Standing::Departed;
        let in_order: HashSet<MessageId> = self.order.iter().copied().collect();
        let all = self.messages.iter().map(|(id, _)| id);
        let others = all.filter(|id| !in_order.contains(id));
        let ids = self.order.iter().copied().chain(others).filter(is_there);
        ids.map(|id| self.get(id).inode).collect()
    }

    /// The messages of the last session's listing, the newest first.
    pub(crate) fn newest_first(&self) -> Vec<MessageId> {
        self.order.iter().rev().copied().collect()
    }

    /// Lists the messages of a listing of an earlier mount. Messages whose deletion is pending stay
    /// out of the directory. Returns false, and changes nothing, if a message is unknown here.
    pub(crate) fn begin_with(&mut self, listing: &LastListing) -> bool {
        let known = listing.inodes.iter().map(|&inode| self.by_inode(inode));
        let Some(order) = known.collect::<Option<Vec<MessageId>>>() else {
            return false;
        };
        self.begin_listing();
        let on_server: HashSet<MessageId> = order.iter().copied().collect();
        for id in self.unlinked() {
            if !on_server.contains(&id) {
                self.set_standing(id, Standing::Departed);
            }
        }
        for &id in &order {
            if self.get(id).standing == Standing::Departed {
                self.set_standing(id, Standing::Listed);
            }
        }
        self.order = order;
        self.unnamed = listing.unnamed as usize;
        true
    }

    /// The messages with a pending deletion, in directory order.
    pub(crate) fn unlinked(&self) -> Vec<MessageId> {
        let unlinked = self.after(0, Standing::Unlinked);
        unlinked.map(|(id, _)| id).collect()
    }

    /// What the index keeps of a pending deletion. None if the message is not unlinked, or if no
    /// commit will delete it.
    pub(crate) fn removal(&self, id: MessageId) -> Option<Removal> {
        let PendingDeletion {
            shown,
            remover,
            likeness,
            ..
        } = self.pending(id)?;
        if *likeness == Likeness::Shifted {
            return None;
        }
        let message = self.get(id);
        let (uidl, ordinal) = message.identity();
        let octets = |digest: Option<HeaderDigest>| digest.map(|digest| digest.0);
        Some(Removal {
            uidl,
            ordinal,
            listed: message.listed_octets(),
            twins: message.twins(),
            resized: *likeness == Likeness::Resized,
            read: *remover == Remover::HasReadIt,
            top_digest: octets(shown.headers.by_top),
            body_digest: octets(shown.headers.by_body),
            twin_digest: octets(shown.twin_body),
        })
    }

    /// Makes the deletion of a message pending that an earlier mount has removed. None if the
    /// message is unknown, or its twins are not the same any more.
    pub(crate) fn resume(&mut self, removal: &Removal) -> Option<MessageId> {
        let name = file_name(&UniqueId::from_octets(&removal.uidl), removal.ordinal);
        let id = self.by_name(&name, Standing::Departed)?;
        let message = self.get(id);
        if message.twins() != removal.twins {
            return None;
        }
        let likeness = match message.listed_octets() == removal.listed && !removal.resized {
            true => Likeness::Same,
            false => Likeness::Resized,
        };
        self.set_standing(id, Standing::Unlinked);
        let digest = |octets: Option<[u8; 16]>| octets.map(HeaderDigest);
        let shown = ShownBefore {
            headers: Digests {
                by_top: digest(removal.top_digest),
                by_body: digest(removal.body_digest),
            },
            twin_body: digest(removal.twin_digest),
        };
        let mut pending = PendingDeletion::new(ListingSerial::default(), shown);
        pending.note_likeness(likeness);
        pending.remover = match removal.read {
            true => Remover::HasReadIt,
            false => Remover::HasNot,
        };
        self.messages[id].pending = Some(Box::new(pending));
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::catalogue::listing::{Coverage, Entry};
    use crate::store::Row;

    fn entries(ids: &[&str]) -> Vec<Entry> {
        let entry = |id: &&str| Entry {
            uidl: UniqueId::from_wire(id.as_bytes()),
            octets: 5,
        };
        ids.iter().map(entry).collect()
    }

    /// A catalogue of these messages, and its messages in maildrop order.
    fn listed(ids: &[&str]) -> (Catalogue, Vec<MessageId>) {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update(entries(ids), Coverage::Complete);
        catalogue.order.clone_from(&order);
        (catalogue, order)
    }

    fn rows(catalogue: &Catalogue) -> Vec<Row> {
        let messages = catalogue.messages.iter();
        messages.map(|(_, message)| message.row()).collect()
    }

    fn names(catalogue: &Catalogue, standing: Standing) -> Vec<String> {
        let messages = catalogue.after(0, standing);
        messages.map(|(_, message)| message.name()).collect()
    }

    fn listing(catalogue: &Catalogue) -> LastListing {
        LastListing {
            taken: 1,
            unnamed: 0,
            inodes: catalogue.on_server(),
        }
    }

    #[test]
    fn a_mount_begins_with_the_listing_of_the_one_before() {
        let (mut before, order) = listed(&["c", "a", "b", "d"]);
        before.set_standing(order[0], Standing::Unlinked);
        before.retire(order[2]);
        let inodes: Vec<u64> = [0, 1, 3].map(|at| before.get(order[at]).inode).to_vec();
        assert_eq!(before.on_server(), inodes);
        let mut later = Catalogue::remembered(&rows(&before));
        assert!(later.begin_with(&listing(&before)));
        assert_eq!(names(&later, Standing::Listed), ["a.eml", "c.eml", "d.eml"]);
        assert_eq!((later.on_server(), later.totals().messages), (inodes, 3));
    }

    #[test]
    fn a_listing_of_unknown_messages_is_not_shown() {
        let (before, _) = listed(&["a", "b"]);
        let mut later = Catalogue::remembered(&rows(&before)[..1]);
        assert!(!later.begin_with(&listing(&before)));
        assert!(names(&later, Standing::Listed).is_empty());
    }

    #[test]
    fn a_removal_of_an_earlier_mount_is_pending_again() {
        let (mut before, order) = listed(&["a", "b"]);
        before.set_standing(order[0], Standing::Unlinked);
        before.note_remover(order[0], Remover::HasReadIt);
        let removal = before.removal(order[0]).unwrap();
        assert_eq!(before.removal(order[1]), None);
        for is_offline in [true, false] {
            let mut later = Catalogue::remembered(&rows(&before));
            let id = later.resume(&removal).unwrap();
            assert_eq!(later.removal(id), Some(removal.clone()));
            match is_offline {
                true => assert!(later.begin_with(&listing(&before))),
                false => drop(later.update(entries(&["a", "b"]), Coverage::Complete)),
            }
            assert_eq!(names(&later, Standing::Unlinked), ["a.eml"]);
            assert_eq!(names(&later, Standing::Listed), ["b.eml"]);
            assert!(later.has_remover_read(id));
        }
    }

    #[test]
    fn a_removal_is_not_resumed_if_twins_have_come_or_gone() {
        let (mut before, order) = listed(&["x", "x", "x"]);
        before.set_standing(order[1], Standing::Unlinked);
        let removal = before.removal(order[1]).unwrap();
        before.update(entries(&["x", "x"]), Coverage::Complete);
        let mut later = Catalogue::remembered(&rows(&before));
        assert_eq!(later.resume(&removal), None);
        let (mut later, _) = listed(&["y"]);
        assert_eq!(later.resume(&removal), None);
    }

    #[test]
    fn a_resized_message_is_deleted_only_if_its_headers_are_the_same() {
        let (mut before, order) = listed(&["a"]);
        before.set_standing(order[0], Standing::Unlinked);
        let mut removal = before.removal(order[0]).unwrap();
        removal.listed += 1;
        let mut later = Catalogue::remembered(&rows(&before));
        let id = later.resume(&removal).unwrap();
        let pending = later.pending(id).unwrap();
        assert_eq!(pending.likeness, Likeness::Resized);
        assert!(pending.shown.headers.by_top.is_none());
    }

    #[test]
    fn what_listings_have_shown_since_a_removal_is_remembered() {
        let (mut before, order) = listed(&["a", "x", "x"]);
        before.set_standing(order[0], Standing::Unlinked);
        before.set_standing(order[2], Standing::Unlinked);
        let mut resized = entries(&["a", "x", "x"]);
        resized[0].octets += 1;
        resized[2].octets += 1;
        before.update(resized, Coverage::Complete);
        assert_eq!(before.removal(order[2]), None);
        let removal = before.removal(order[0]).unwrap();
        let mut later = Catalogue::remembered(&rows(&before));
        let id = later.resume(&removal).unwrap();
        assert_eq!(later.pending(id).unwrap().likeness, Likeness::Resized);
    }

    #[test]
    fn a_removed_message_that_is_not_in_the_listing_is_gone() {
        let (mut before, order) = listed(&["a", "b"]);
        before.set_standing(order[0], Standing::Unlinked);
        let removal = before.removal(order[0]).unwrap();
        let rows = rows(&before);
        before.retire(order[0]);
        let mut later = Catalogue::remembered(&rows);
        later.resume(&removal).unwrap();
        assert!(later.begin_with(&listing(&before)));
        assert!(later.unlinked().is_empty());
        assert_eq!(names(&later, Standing::Listed), ["b.eml"]);
    }
}
