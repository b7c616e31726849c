//! Every message that this account has shown: what stands in the maildrop, what is unlinked, what has departed.
//!
//! A message is the same message in every session if unique-id and ordinal are the same; the ordinal counts those
//! that share a unique-id, in maildrop order (RFC 1939 section 7 lets identical messages share one). When a group of
//! twins grows or shrinks, or LIST gives a known message other octets, nothing that was known of its content holds any
//! longer: it is [`Changes::altered`], and no deletion of it is carried out.
//!
//! ```text
//!             listed                 unlink
//! (new) ───────────────▶ Listed ───────────────▶ Unlinked
//!                        ▲ │  ▲      restore,        │
//!        listed again    │ │  └─── refused, altered ─┤
//!                        │ ▼                         │ deleted, or gone by another client
//!                       Departed ◀───────────────────┘
//! ```

use std::collections::HashMap;
use std::time::SystemTime;

use super::inode::{self, Room};
use super::name::file_name;
use crate::pop3::UniqueId;
use crate::store::{BodyKey, Row};

/// A message of this mount; its place in the catalogue, for as long as the mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(u32);

/// Where a message stands between the server and the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the maildrop and in the directory.
    Listed,
    /// In the maildrop, and to be deleted by the next commit.
    Unlinked,
    /// Not in the maildrop when it was last listed.
    Departed,
}

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct Message {
    uidl: UniqueId,
    ordinal: u32,
    /// How many shared the unique-id when the message was listed last.
    twins: u32,
    /// The inode number, the same in every session.
    pub inode: u64,
    /// LIST's octets: a hint.
    listed: u64,
    exact: Option<u64>,
    /// Unix seconds: the mtime, once it was shown.
    pub arrived: Option<i64>,
    /// Where it stands.
    pub standing: Standing,
    /// The size shown before, if it was another in this mount: the kernel may still hold it.
    pub size_before: Option<u64>,
}

impl Message {
    /// The file name.
    #[must_use]
    pub fn name(&self) -> String {
        file_name(&self.uidl, self.ordinal)
    }

    /// The octets of the body: exact once it was seen, LIST's hint before, and never 0 for a body not seen, since
    /// tools do not read a file of size 0.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.exact.unwrap_or(self.listed.max(1))
    }

    /// True when [`Message::size`] is what RETR gives.
    #[must_use]
    pub fn is_size_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// LIST's octets, the only estimate of what RETR is going to send.
    pub(super) fn expected_octets(&self) -> u64 {
        self.exact.unwrap_or(self.listed)
    }

    /// Its place in the cache on disk.
    pub(super) fn body_key(&self) -> BodyKey {
        BodyKey::new(self.uidl.as_bytes(), self.ordinal)
    }

    pub(super) fn row(&self) -> Row {
        Row {
            uidl: self.uidl.as_bytes().into(),
            ordinal: self.ordinal,
            inode: self.inode,
            size: self.exact,
            arrived: self.arrived,
            listed: self.listed,
            twins: self.twins,
        }
    }
}

/// One message as a session lists it, in maildrop order.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) uidl: UniqueId,
    pub(super) octets: u64,
}

/// What a new listing changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// In the maildrop now, and new to the directory.
    pub(super) appeared: Vec<MessageId>,
    /// No longer in the maildrop.
    pub(super) vanished: Vec<MessageId>,
    /// In the maildrop, but nothing known of the content holds.
    pub(super) altered: Vec<MessageId>,
    /// Unlinked before, altered since: listed again, for deleting it might delete another.
    pub(super) reprieved: Vec<MessageId>,
    /// Never seen by this index before.
    pub(super) unknown: Vec<MessageId>,
}

/// The messages, by name and by inode number.
#[derive(Debug)]
pub(super) struct Catalogue {
    messages: Vec<Message>,
    by_name: Vec<MessageId>,
    by_inode: Vec<MessageId>,
    /// The greatest inode number ever given.
    greatest: u64,
    /// When the directory last changed: the root's mtime.
    pub(super) changed: SystemTime,
    listed: Totals,
}

/// STAT of the directory, as it stands without what is unlinked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages in the directory.
    pub messages: u64,
    /// The sum of their sizes.
    pub octets: u64,
}

impl Catalogue {
    /// What the index remembers of the account; nothing of it is listed yet.
    pub(super) fn remembered(rows: &[Row]) -> Catalogue {
        let messages: Vec<Message> = rows
            .iter()
            .filter(|row| inode::is_message(row.inode))
            .map(departed)
            .collect();
        let mut by_name: Vec<MessageId> = (0..).map(MessageId).take(messages.len()).collect();
        by_name.sort_by_cached_key(|&id| messages[id.index()].name());
        let mut catalogue = Catalogue {
            greatest: messages
                .iter()
                .map(|message| message.inode)
                .max()
                .unwrap_or(0),
            messages,
            by_name,
            by_inode: Vec::new(),
            changed: SystemTime::now(),
            listed: Totals::default(),
        };
        catalogue.sort_by_inode();
        catalogue
    }

    pub(super) fn get(&self, id: MessageId) -> &Message {
        &self.messages[id.index()]
    }

    pub(super) fn by_inode(&self, inode: u64) -> Option<MessageId> {
        let at = self
            .by_inode
            .binary_search_by_key(&inode, |&id| self.get(id).inode)
            .ok()?;
        Some(self.by_inode[at])
    }

    pub(super) fn by_name(&self, name: &str, standing: Standing) -> Option<MessageId> {
        let at = self
            .by_name
            .binary_search_by(|&id| self.get(id).name().as_str().cmp(name))
            .ok()?;
        let id = self.by_name[at];
        (self.get(id).standing == standing).then_some(id)
    }

    /// The messages of that standing behind an inode number, in directory order.
    pub(super) fn after(
        &self,
        inode: u64,
        standing: Standing,
    ) -> impl Iterator<Item = (MessageId, &Message)> {
        let start = self
            .by_inode
            .partition_point(|&id| self.get(id).inode <= inode);
        self.by_inode[start..]
            .iter()
            .map(|&id| (id, self.get(id)))
            .filter(move |(_, message)| message.standing == standing)
    }

    pub(super) fn totals(&self) -> Totals {
        self.listed
    }

    /// Moves a message to another standing; true where that changes the directory.
    pub(super) fn stand(&mut self, id: MessageId, standing: Standing) -> bool {
        let before = std::mem::replace(&mut self.messages[id.index()].standing, standing);
        let size = self.get(id).size();
        match (before == Standing::Listed, standing == Standing::Listed) {
            (true, false) => {
                self.listed.messages -= 1;
                self.listed.octets -= size;
            }
            (false, true) => {
                self.listed.messages += 1;
                self.listed.octets += size;
            }
            _ => return false,
        }
        self.changed = SystemTime::now();
        true
    }

    /// Keeps what RETR showed, or forgets it.
    pub(super) fn learn_size(&mut self, id: MessageId, octets: Option<u64>) {
        let message = &mut self.messages[id.index()];
        let before = message.size();
        message.exact = octets;
        let after = message.size();
        if before != after {
            message.size_before = Some(before);
        }
        if message.standing == Standing::Listed {
            self.listed.octets = self.listed.octets - before + after;
        }
    }

    /// Keeps when the message arrived, if nothing was shown yet: a date never changes.
    pub(super) fn learn_arrival(&mut self, id: MessageId, seconds: i64) {
        self.messages[id.index()].arrived.get_or_insert(seconds);
    }

    /// Takes a session's listing; gives the message of each entry, in maildrop order, and what changed.
    pub(super) fn update(&mut self, listing: Vec<Entry>) -> (Vec<MessageId>, Changes) {
        Merge::new(self, listing.len()).run(listed_by_name(listing))
    }

    fn present(&mut self, id: MessageId, listed: &Listed, changes: &mut Changes) {
        let message = &mut self.messages[id.index()];
        let altered = message.twins != listed.twins || message.listed != listed.octets;
        message.twins = listed.twins;
        if altered {
            changes.altered.push(id);
            self.learn_size(id, None);
        }
        self.estimate(id, listed.octets);
        match self.get(id).standing {
            Standing::Departed => changes.appeared.push(id),
            Standing::Unlinked if altered => changes.reprieved.push(id),
            Standing::Listed | Standing::Unlinked => return,
        }
        self.stand(id, Standing::Listed);
    }

    fn absent(&mut self, id: MessageId, changes: &mut Changes) {
        if self.get(id).standing == Standing::Listed {
            changes.vanished.push(id);
        }
        self.stand(id, Standing::Departed);
    }

    /// Takes LIST's octets, which show in the size as long as it is not exact.
    fn estimate(&mut self, id: MessageId, octets: u64) {
        let message = &mut self.messages[id.index()];
        let before = message.size();
        message.listed = octets;
        let after = message.size();
        if message.standing == Standing::Listed {
            self.listed.octets = self.listed.octets - before + after;
        }
    }

    fn push(&mut self, listed: Listed, inode: u64) -> MessageId {
        let id = MessageId(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
        self.greatest = self.greatest.max(inode);
        self.messages.push(Message {
            uidl: listed.uidl,
            ordinal: listed.ordinal,
            twins: listed.twins,
            inode,
            listed: listed.octets,
            exact: None,
            arrived: None,
            standing: Standing::Departed,
            size_before: None,
        });
        self.stand(id, Standing::Listed);
        id
    }

    fn sort_by_inode(&mut self) {
        let messages = &self.messages;
        self.by_inode = (0..).map(MessageId).take(messages.len()).collect();
        self.by_inode
            .sort_unstable_by_key(|&id| messages[id.index()].inode);
    }

    /// The room for messages that stand between these two by name.
    fn room(&self, before: Option<MessageId>, after: Option<MessageId>) -> Room {
        let place = |id: MessageId| {
            self.by_inode
                .binary_search_by_key(&self.get(id).inode, |&at| self.get(at).inode)
                .ok()
        };
        match (before, after) {
            (None, None) => Room::Everywhere,
            (None, Some(after)) if place(after) == Some(0) => Room::Before(self.get(after).inode),
            (Some(before), Some(after)) if place(before).map(|at| at + 1) == place(after) => {
                Room::Between(self.get(before).inode, self.get(after).inode)
            }
            _ => Room::After,
        }
    }
}

/// An entry of a listing with its identity.
struct Listed {
    name: String,
    /// From 0, in maildrop order.
    place: usize,
    uidl: UniqueId,
    ordinal: u32,
    twins: u32,
    octets: u64,
}

/// Numbers the twins in maildrop order, then sorts by name.
fn listed_by_name(listing: Vec<Entry>) -> Vec<Listed> {
    let mut twins: HashMap<UniqueId, u32> = HashMap::with_capacity(listing.len());
    let mut ordinals = Vec::with_capacity(listing.len());
    for entry in &listing {
        let seen = twins.entry(entry.uidl.clone()).or_default();
        *seen += 1;
        ordinals.push(*seen);
    }
    let identify = |(place, (entry, ordinal)): (usize, (Entry, u32))| Listed {
        name: file_name(&entry.uidl, ordinal),
        place,
        twins: twins.get(&entry.uidl).copied().unwrap_or(1),
        uidl: entry.uidl,
        ordinal,
        octets: entry.octets,
    };
    let mut listed: Vec<Listed> = listing
        .into_iter()
        .zip(ordinals)
        .enumerate()
        .map(identify)
        .collect();
    listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    listed
}

/// One walk over the names that are known and the names that are listed.
struct Merge<'a> {
    catalogue: &'a mut Catalogue,
    by_name: Vec<MessageId>,
    /// Of each entry of the listing.
    order: Vec<MessageId>,
    /// A run of new messages that waits for the known one behind it, to be numbered between its neighbours.
    fresh: Vec<Listed>,
    changes: Changes,
}

impl<'a> Merge<'a> {
    fn new(catalogue: &'a mut Catalogue, listed: usize) -> Merge<'a> {
        let by_name = Vec::with_capacity(listed.max(catalogue.messages.len()));
        Merge {
            catalogue,
            by_name,
            order: vec![MessageId(0); listed],
            fresh: Vec::new(),
            changes: Changes::default(),
        }
    }

    fn run(mut self, listed: Vec<Listed>) -> (Vec<MessageId>, Changes) {
        let mut listed = listed.into_iter().peekable();
        for id in std::mem::take(&mut self.catalogue.by_name) {
            let name = self.catalogue.get(id).name();
            while let Some(new) = listed.next_if(|next| next.name < name) {
                self.fresh.push(new);
            }
            self.number_fresh(Some(id));
            match listed.next_if(|next| next.name == name) {
                Some(known) => {
                    self.order[known.place] = id;
                    self.catalogue.present(id, &known, &mut self.changes);
                }
                None => self.catalogue.absent(id, &mut self.changes),
            }
            self.by_name.push(id);
        }
        self.fresh.extend(listed);
        self.number_fresh(None);
        self.catalogue.by_name = self.by_name;
        self.catalogue.sort_by_inode();
        (self.order, self.changes)
    }

    fn number_fresh(&mut self, next: Option<MessageId>) {
        if self.fresh.is_empty() {
            return;
        }
        let room = self.catalogue.room(self.by_name.last().copied(), next);
        let inodes = inode::numbers(room, self.fresh.len() as u64, self.catalogue.greatest);
        for (new, inode) in self.fresh.drain(..).zip(inodes) {
            let place = new.place;
            let id = self.catalogue.push(new, inode);
            self.order[place] = id;
            self.changes.appeared.push(id);
            self.changes.unknown.push(id);
            self.by_name.push(id);
        }
    }
}

impl MessageId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

fn departed(row: &Row) -> Message {
    Message {
        uidl: UniqueId::from_wire(&row.uidl),
        ordinal: row.ordinal,
        twins: row.twins,
        inode: row.inode,
        listed: row.listed,
        exact: row.size,
        arrived: row.arrived,
        standing: Standing::Departed,
        size_before: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(listing: &[(&str, u64)]) -> Vec<Entry> {
        listing
            .iter()
            .map(|&(id, octets)| Entry {
                uidl: UniqueId::from_wire(id.as_bytes()),
                octets,
            })
            .collect()
    }

    fn names(catalogue: &Catalogue, standing: Standing) -> Vec<String> {
        catalogue
            .after(0, standing)
            .map(|(_, message)| message.name())
            .collect()
    }

    #[test]
    fn new_mail_is_numbered_between_its_neighbours_by_name() {
        let mut catalogue = Catalogue::remembered(&[]);
        catalogue.update(entries(&[("c", 1), ("a", 1), ("e", 1)]));
        let before = catalogue
            .by_name("c.eml", Standing::Listed)
            .map(|id| catalogue.get(id).inode);
        catalogue.update(entries(&[
            ("c", 1),
            ("a", 1),
            ("e", 1),
            ("f", 1),
            ("d", 1),
            ("A", 1),
        ]));
        assert_eq!(
            names(&catalogue, Standing::Listed),
            ["A.eml", "a.eml", "c.eml", "d.eml", "e.eml", "f.eml"]
        );
        assert_eq!(
            before,
            catalogue
                .by_name("c.eml", Standing::Listed)
                .map(|id| catalogue.get(id).inode)
        );
    }

    #[test]
    fn a_remembered_message_keeps_its_number_and_size() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update(entries(&[("a", 5), ("b", 6)]));
        catalogue.learn_size(order[1], Some(7));
        let rows: Vec<Row> = order.iter().map(|&id| catalogue.get(id).row()).collect();
        let inode = catalogue.get(order[1]).inode;
        let mut later = Catalogue::remembered(&rows);
        let (order, changes) = later.update(entries(&[("b", 6), ("0", 1)]));
        assert_eq!(
            (later.get(order[0]).inode, later.get(order[0]).size()),
            (inode, 7)
        );
        assert_eq!((changes.appeared.len(), changes.unknown.len()), (2, 1));
        assert_eq!(
            later.totals(),
            Totals {
                messages: 2,
                octets: 8
            }
        );
    }

    #[test]
    fn what_another_client_deleted_departs() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update(entries(&[("a", 5), ("b", 6)]));
        catalogue.stand(order[1], Standing::Unlinked);
        let (_, changes) = catalogue.update(Vec::new());
        assert_eq!(changes.vanished, [order[0]]);
        assert_eq!(catalogue.get(order[1]).standing, Standing::Departed);
        assert_eq!(catalogue.totals(), Totals::default());
    }

    #[test]
    fn an_unlinked_twin_is_reprieved_when_its_group_changes() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update(entries(&[("x", 5), ("x", 5)]));
        assert_eq!(names(&catalogue, Standing::Listed), ["x.eml", "x~2.eml"]);
        catalogue.stand(order[0], Standing::Unlinked);
        let (_, changes) = catalogue.update(entries(&[("x", 5)]));
        assert_eq!(
            (changes.reprieved, changes.altered),
            (vec![order[0]], vec![order[0]])
        );
        assert_eq!(names(&catalogue, Standing::Listed), ["x.eml"]);
    }

    #[test]
    fn other_octets_under_a_known_unique_id_void_what_was_known() {
        let mut catalogue = Catalogue::remembered(&[]);
        let (order, _) = catalogue.update(entries(&[("x", 5)]));
        catalogue.learn_size(order[0], Some(9));
        let (_, changes) = catalogue.update(entries(&[("x", 6)]));
        assert_eq!(changes.altered, order);
        assert_eq!(
            (catalogue.get(order[0]).size(), catalogue.totals().octets),
            (6, 6)
        );
    }
}
