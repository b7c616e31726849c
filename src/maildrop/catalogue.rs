//! Every message that this account has shown: what stands in the maildrop, what is unlinked, what has departed.
//!
//! A message is the same message in every session if unique-id and ordinal are the same; the ordinal counts those
//! that share a unique-id, in maildrop order (RFC 1939 section 7 lets identical messages share one). When a group of
//! twins grows or shrinks, or LIST gives a known message, or a twin of it, other octets, nothing that was known of its
//! content holds any longer: it is [`Changes::altered`]. A deletion of it is not carried out then, unless there are as many
//! twins as before, and its headers tell that it is the same (doubt.rs); so of every twin in a later session. Nor does
//! anything hold once the message was deleted here: from then on the server may give its unique-id to another.
//!
//! ```text
//!             listed                 unlink
//! (new) ───────────────▶ Listed ───────────────▶ Unlinked
//!                        ▲ │  ▲      restore,        │
//!        listed again    │ │  └─── refused, altered ─┤
//!                        │ ▼                         │ deleted, or gone by another client
//!                       Departed ◀───────────────────┘
//! ```

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::time::SystemTime;

use super::doubt::Shown;
use super::identity;
use super::inode::{self, Room};
use super::listing::{Changes, Coverage, Group, Listed};
use super::name::file_name;
use crate::pop3::UniqueId;
use crate::store::{Body, BodyKey, Eol, Row};

/// The largest size that is shown, whatever LIST says: the kernel takes no file of 2^63 octets, and the sizes of as many
/// messages as a maildrop may have add up to less than that.
const LARGEST: u64 = 1 << 42;

/// A message of this mount; its place in the catalogue, for as long as the mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(super) u32);

/// Tells apart what is called the same: `6b02a91c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(u32);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl std::str::FromStr for Tag {
    type Err = std::num::ParseIntError;

    fn from_str(digits: &str) -> Result<Tag, Self::Err> {
        u32::from_str_radix(digits, 16).map(Tag)
    }
}

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

/// What the body showed when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) octets: u64,
    /// None where an index of an older version has told the octets alone.
    pub(super) crlfs: Option<u64>,
}

impl Extent {
    pub(super) fn of(body: &Body) -> Extent {
        Extent {
            octets: body.len(),
            crlfs: Some(body.crlfs()),
        }
    }

    fn with_lf(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.octets.checked_sub(self.crlfs?)?)
    }
}

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct Message {
    uidl: UniqueId,
    ordinal: u32,
    /// How many shared the unique-id when the message was listed last; 0 once it was deleted.
    twins: u32,
    /// The inode number, the same in every session.
    pub inode: u64,
    /// LIST's octets: a hint.
    listed: u64,
    exact: Option<u64>,
    /// The same with LF line ends; none where only an index of an older version has told of the body, or it is empty.
    exact_lf: Option<NonZeroU64>,
    /// Unix seconds: the mtime, once it was shown.
    pub arrived: Option<i64>,
    /// A user was given the body.
    read: bool,
    /// Who wrote and about what, once the headers were seen.
    pub title: Option<Box<str>>,
    /// What a mail reader noted of it.
    pub mark: Option<Box<str>>,
    /// Where it stands.
    pub standing: Standing,
    /// The sizes shown before, with each end of lines.
    sizes_before: [Option<NonZeroU64>; 2],
}

impl Message {
    /// The file name.
    #[must_use]
    pub fn name(&self) -> String {
        file_name(&self.uidl, self.ordinal)
    }

    /// The unique-id as the server gives it, any octets; none where it gives none.
    #[must_use]
    pub fn unique_id(&self) -> Option<&[u8]> {
        Some(self.uidl.as_bytes()).filter(|id| identity::is_of_uidl(id))
    }

    /// The octets of the body: exact once it was seen, LIST's hint before, and never 0 for a body not seen, since
    /// tools do not read a file of size 0. At most 2^42.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.exact.unwrap_or(self.listed.max(1)).min(LARGEST)
    }

    /// As [`Message::size`], of the body with these line ends. With LF it is exact once its lines were counted.
    #[must_use]
    pub fn size_with(&self, eol: Eol) -> u64 {
        match (eol, self.exact_lf) {
            (Eol::Lf, Some(octets)) => octets.get().min(LARGEST),
            _ => self.size(),
        }
    }

    /// The size shown before with these line ends, if it was another in this mount: the kernel may still hold it.
    #[must_use]
    pub fn size_before(&self, eol: Eol) -> Option<u64> {
        self.sizes_before[eol as usize].map(NonZeroU64::get)
    }

    fn extent(&self) -> Option<Extent> {
        let octets = self.exact?;
        let crlfs = self.exact_lf.map(|lf| octets.saturating_sub(lf.get()));
        Some(Extent { octets, crlfs })
    }

    fn set_extent(&mut self, extent: Option<Extent>) {
        self.exact = extent.map(|extent| extent.octets);
        self.exact_lf = extent.and_then(Extent::with_lf);
    }

    fn sizes(&self) -> [u64; 2] {
        Eol::ALL.map(|eol| self.size_with(eol))
    }

    /// The octets of the body, once it was seen.
    pub(super) fn exact_size(&self) -> Option<u64> {
        self.exact
    }

    /// How many shared the unique-id when the message was listed last.
    pub(super) fn twins(&self) -> u32 {
        self.twins
    }

    pub(super) fn is_twin_of(&self, other: &Message) -> bool {
        self.uidl == other.uidl
    }

    /// LIST's octets, the only estimate of what RETR is going to send.
    pub(super) fn expected_octets(&self) -> u64 {
        self.exact.unwrap_or(self.listed)
    }

    /// What has to be told by the headers of the message that is to be deleted for it.
    fn shown(&self, group: Group) -> Shown {
        let arrived = match group {
            // They have the same headers.
            Group::Shifted if self.unique_id().is_none() => None,
            Group::Shifted | Group::Steady => self.arrived,
        };
        Shown {
            arrived,
            title: self.title.clone(),
            read: self.read,
        }
    }

    /// What tells it from others in a name for people: made of its identity alone, so the same for good.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag(self.body_key().prefix())
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
            crlfs: self.extent().and_then(|extent| extent.crlfs),
            arrived: self.arrived,
            listed: self.listed,
            twins: self.twins,
            read: self.read,
            title: self.title.clone(),
            // Kept where it was learnt.
            outline: None,
            // Another mount's mark may be newer than what we know.
            mark: None,
        }
    }
}

/// The messages, by name and by inode number.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) messages: Vec<Message>,
    pub(super) by_name: Vec<MessageId>,
    by_inode: Vec<MessageId>,
    /// Of the first so many messages: as far as somebody has looked for a tag.
    by_tag: HashMap<Tag, Vec<MessageId>>,
    tagged: usize,
    /// What headers say in a few words: of those that somebody has asked for, in this mount or an earlier one.
    outlines: HashMap<MessageId, Box<str>>,
    /// The greatest inode number ever given.
    pub(super) greatest: u64,
    /// When the directory last changed: the root's mtime.
    pub(super) changed: SystemTime,
    /// When a mail reader last noted anything: the mtime of the directories that show it, where it is later.
    pub(super) marked: SystemTime,
    listed: Totals,
    /// Unlinked messages that were listed with another size since, or are one of several of their unique-id.
    doubted: HashMap<MessageId, Shown>,
    /// Those that a listing did not have when they were unlinked.
    went_unlinked: HashSet<MessageId>,
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
        let messages: Vec<Message> = of_messages(rows).map(departed).collect();
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
            by_tag: HashMap::new(),
            tagged: 0,
            outlines: outlines(rows),
            changed: SystemTime::now(),
            marked: SystemTime::UNIX_EPOCH,
            listed: Totals::default(),
            doubted: HashMap::new(),
            went_unlinked: HashSet::new(),
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
        self.any_by_name(name)
            .filter(|&id| self.get(id).standing == standing)
    }

    /// The first of those that share a message's unique-id; itself, where it is the first.
    pub(super) fn first_twin(&self, id: MessageId) -> Option<MessageId> {
        self.any_by_name(&file_name(&self.get(id).uidl, 1))
    }

    fn any_by_name(&self, name: &str) -> Option<MessageId> {
        let at = self
            .by_name
            .binary_search_by(|&id| self.get(id).name().as_str().cmp(name))
            .ok()?;
        Some(self.by_name[at])
    }

    /// The listed message of that tag that is called so; of several the first in the directory.
    pub(super) fn by_tag(
        &mut self,
        tag: Tag,
        is_called_so: impl Fn(&Message) -> bool,
    ) -> Option<MessageId> {
        for at in self.tagged..self.messages.len() {
            let id = MessageId(u32::try_from(at).unwrap_or(u32::MAX));
            self.by_tag.entry(self.get(id).tag()).or_default().push(id);
        }
        self.tagged = self.messages.len();
        let candidates = self.by_tag.get(&tag)?.iter().copied();
        candidates
            .filter(|&id| self.get(id).standing == Standing::Listed && is_called_so(self.get(id)))
            .min_by_key(|&id| self.get(id).inode)
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
        if standing != Standing::Unlinked {
            self.doubted.remove(&id);
        }
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

    /// The message was deleted: what has its unique-id when it is listed again is another (RFC 1939 section 7). Gives the row that
    /// the index is to keep.
    pub(super) fn retire(&mut self, id: MessageId) -> Row {
        self.stand(id, Standing::Departed);
        self.went_unlinked.remove(&id);
        let message = &mut self.messages[id.index()];
        message.twins = 0;
        message.row()
    }

    /// Keeps what RETR showed, or forgets it. Gives with which line ends the size is another now.
    pub(super) fn learn_size(&mut self, id: MessageId, exact: Option<Extent>) -> Vec<Eol> {
        let message = &mut self.messages[id.index()];
        let before = message.sizes();
        message.set_extent(exact);
        let after = message.sizes();
        let mut changed = Eol::ALL.to_vec();
        changed.retain(|&eol| before[eol as usize] != after[eol as usize]);
        for &eol in &changed {
            message.sizes_before[eol as usize] = NonZeroU64::new(before[eol as usize]);
        }
        if message.standing == Standing::Listed {
            self.listed.octets = self.listed.octets - before[0] + after[0];
        }
        changed
    }

    /// Keeps how many lines the body has, whose octets alone were known; true where that is new.
    pub(super) fn learn_lines(&mut self, id: MessageId, body: Extent) -> bool {
        let message = self.get(id);
        let is_known = message.exact_lf.is_some() || body.octets == 0;
        if is_known || message.exact != Some(body.octets) {
            return false;
        }
        self.learn_size(id, Some(body));
        true
    }

    /// Keeps when the message arrived, if nothing was shown yet: a date never changes.
    pub(super) fn learn_arrival(&mut self, id: MessageId, seconds: i64) {
        self.messages[id.index()].arrived.get_or_insert(seconds);
    }

    /// Keeps who wrote and about what, if nothing was shown yet: a name never changes.
    pub(super) fn learn_title(&mut self, id: MessageId, title: String) {
        let title = title.into_boxed_str();
        self.messages[id.index()].title.get_or_insert(title);
    }

    /// Keeps what the headers say in a few words.
    pub(super) fn learn_outline(&mut self, id: MessageId, outline: String) {
        self.outlines.insert(id, outline.into_boxed_str());
    }

    /// What the headers say in a few words, once somebody has asked.
    pub(super) fn outline(&self, id: MessageId) -> Option<&str> {
        self.outlines.get(&id).map(AsRef::as_ref)
    }

    /// The row of a message whose headers were seen.
    pub(super) fn row_with_outline(&self, id: MessageId) -> Row {
        Row {
            outline: self.outlines.get(&id).cloned(),
            ..self.get(id).row()
        }
    }

    /// Keeps what a mail reader noted; gives the row that the index is to keep.
    pub(super) fn mark(&mut self, id: MessageId, mark: String) -> Row {
        let message = &mut self.messages[id.index()];
        message.mark = Some(mark.into_boxed_str());
        self.marked = SystemTime::now();
        Row {
            mark: message.mark.clone(),
            ..message.row()
        }
    }

    /// Keeps that a user was given the body; true where that is new.
    pub(super) fn learn_read(&mut self, id: MessageId) -> bool {
        !std::mem::replace(&mut self.messages[id.index()].read, true)
    }

    pub(super) fn present(&mut self, id: MessageId, listed: &Listed, changes: &mut Changes) {
        let message = &mut self.messages[id.index()];
        let is_regrouped = message.twins != listed.twins;
        let is_confused = is_regrouped || listed.group == Group::Shifted;
        let is_altered = is_confused || message.listed != listed.octets;
        if message.standing == Standing::Unlinked && (is_altered || listed.twins > 1) {
            let shown = message.shown(listed.group);
            self.doubted.entry(id).or_insert(shown);
        }
        message.twins = listed.twins;
        if is_altered {
            changes.altered.push(id);
            message.read = false;
            message.title = None;
            self.outlines.remove(&id);
            self.learn_size(id, None);
        }
        if is_confused {
            changes.confused.push(id);
            self.forget_arrival(id);
        }
        self.estimate(id, listed.octets);
        match self.get(id).standing {
            Standing::Departed => {
                changes.appeared.push(id);
                changes.returned.extend(self.went_unlinked.take(&id));
            }
            Standing::Unlinked if is_regrouped => changes.reprieved.push(id),
            Standing::Listed | Standing::Unlinked => return,
        }
        self.stand(id, Standing::Listed);
    }

    /// The message may be another of those with its unique-id by now: what was shown of it, and noted, was the other's.
    fn forget_arrival(&mut self, id: MessageId) {
        let message = &mut self.messages[id.index()];
        message.arrived = None;
        message.mark = None;
    }

    /// Whether a user was ever given the body, in this mount or an earlier one; or, of a message in doubt, that of the one that it
    /// has to be told to be.
    pub(super) fn was_read(&self, id: MessageId) -> bool {
        self.get(id).read || self.doubt(id).is_some_and(|shown| shown.read)
    }

    /// Whether LIST gives other octets than before to what has that name.
    pub(super) fn is_altered(&self, name: &str, octets: u64) -> bool {
        let known = self.any_by_name(name);
        known.is_some_and(|id| self.get(id).listed != octets)
    }

    /// What was shown of an unlinked message before it was in doubt.
    pub(super) fn doubt(&self, id: MessageId) -> Option<&Shown> {
        self.doubted.get(&id)
    }

    pub(super) fn absent(&mut self, id: MessageId, coverage: Coverage, changes: &mut Changes) {
        match (self.get(id).standing, coverage) {
            // It may be one of those that the server did not name.
            (Standing::Unlinked, Coverage::Partial) => return,
            (Standing::Unlinked, Coverage::Complete) => drop(self.went_unlinked.insert(id)),
            (Standing::Listed, _) => changes.vanished.push(id),
            (Standing::Departed, _) => {}
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

    pub(super) fn push(&mut self, listed: Listed, inode: u64) -> MessageId {
        let id = MessageId(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
        self.greatest = self.greatest.max(inode);
        self.messages.push(Message {
            uidl: listed.uidl,
            ordinal: listed.ordinal,
            twins: listed.twins,
            inode,
            listed: listed.octets,
            exact: None,
            exact_lf: None,
            arrived: None,
            read: false,
            title: None,
            mark: None,
            standing: Standing::Departed,
            sizes_before: [None; 2],
        });
        self.stand(id, Standing::Listed);
        id
    }

    pub(super) fn sort_by_inode(&mut self) {
        let messages = &self.messages;
        self.by_inode = (0..).map(MessageId).take(messages.len()).collect();
        self.by_inode
            .sort_unstable_by_key(|&id| messages[id.index()].inode);
    }

    /// The room for messages that stand between these two by name.
    pub(super) fn room(&self, before: Option<MessageId>, after: Option<MessageId>) -> Room {
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

impl MessageId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

fn of_messages(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| inode::is_message(row.inode))
}

fn outlines(rows: &[Row]) -> HashMap<MessageId, Box<str>> {
    let numbered = (0..).map(MessageId).zip(of_messages(rows));
    numbered
        .filter_map(|(id, row)| Some((id, row.outline.clone()?)))
        .collect()
}

fn departed(row: &Row) -> Message {
    let extent = row.size.map(|octets| Extent {
        octets,
        crlfs: row.crlfs,
    });
    Message {
        uidl: UniqueId::from_wire(&row.uidl),
        ordinal: row.ordinal,
        twins: row.twins,
        inode: row.inode,
        listed: row.listed,
        exact: row.size,
        exact_lf: extent.and_then(Extent::with_lf),
        arrived: row.arrived,
        read: row.read,
        title: row.title.clone(),
        mark: row.mark.clone(),
        standing: Standing::Departed,
        sizes_before: [None; 2],
    }
}
