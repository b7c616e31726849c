//! Every message that this account has shown: what stands in the maildrop, what is unlinked, what has departed.
//!
//! A message is the same message in every session if unique-id and ordinal are the same; the ordinal counts those
//! that share a unique-id, in maildrop order (RFC 1939 section 7 lets identical messages share one). When a group of
//! twins grows or shrinks, or LIST gives a known message, or a twin of it, other octets, nothing that was known of its
//! content holds any longer: it is [`Changes::altered`]. A deletion of it is not carried out then, unless it has no twins and
//! its headers tell that it is the same; one of a twin in a later session, unless they tell of another (engine/confirm.rs). Nor does
//! anything hold once the message was deleted here, or had gone when it was to be: from then on the server may give its
//! unique-id to another.
//!
//! ```text
//!             listed                 unlink
//! (new) ───────────────▶ Listed ───────────────▶ Unlinked
//!                        ▲ │  ▲      restore,        │
//!        listed again    │ │  └─── refused, altered ─┤
//!                        │ ▼                         │ deleted, or gone by another client
//!                       Departed ◀───────────────────┘
//! ```

pub(crate) mod changes;
pub(crate) mod digest;
pub(crate) mod id;
pub(crate) mod identity;
pub(crate) mod inode;
pub(crate) mod learnt;
pub(crate) mod listing;
pub(crate) mod merge;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod pending;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::time::SystemTime;

use crate::maildrop::catalogue::changes::Changes;
use crate::maildrop::catalogue::digest::{ContentSince, HeaderDigest};
use crate::maildrop::catalogue::id::{ListingSerial, MessageId, Tag};
use crate::maildrop::catalogue::inode::Room;
use crate::maildrop::catalogue::learnt::{HeaderNews, Learnt};
use crate::maildrop::catalogue::listing::{Coverage, Group, Listed};
use crate::maildrop::catalogue::message::{Extent, Message, Standing};
use crate::maildrop::catalogue::name::file_name;
use crate::maildrop::catalogue::pending::{Absence, Likeness, PendingDeletion, Remover};
use crate::store::{Eol, Row};

/// The messages, by name and by inode number.
#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) messages: Vec<Message>,
    pub(crate) by_name: Vec<MessageId>,
    by_inode: Vec<MessageId>,
    /// Of the first so many messages: as far as somebody has looked for a tag.
    by_tag: HashMap<Tag, Vec<MessageId>>,
    tagged: usize,
    /// What headers say in a few words: of those that somebody has asked for, in this mount or an earlier one.
    outlines: HashMap<MessageId, Box<str>>,
    /// The greatest inode number ever given.
    pub(crate) greatest: u64,
    /// When the directory last changed: the root's mtime.
    pub(crate) changed: SystemTime,
    /// When a mail reader last noted anything: the mtime of the directories that show it, where it is later.
    pub(crate) marked: SystemTime,
    listed: Totals,
    /// Removed messages, until the server has deleted them.
    pending: HashMap<MessageId, PendingDeletion>,
    /// The last listing.
    serial: ListingSerial,
    /// How many messages the last listing did not name.
    pub(crate) unnamed: usize,
    /// Those that a listing did not have while they were pending.
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
    pub(crate) fn remembered(rows: &[Row]) -> Catalogue {
        let messages: Vec<Message> = of_messages(rows).map(Message::remembered).collect();
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
            pending: HashMap::new(),
            serial: ListingSerial::default(),
            unnamed: 0,
            went_unlinked: HashSet::new(),
        };
        catalogue.sort_by_inode();
        catalogue
    }

    pub(crate) fn get(&self, id: MessageId) -> &Message {
        &self.messages[id.index()]
    }

    pub(crate) fn by_inode(&self, inode: u64) -> Option<MessageId> {
        let at = self
            .by_inode
            .binary_search_by_key(&inode, |&id| self.get(id).inode)
            .ok()?;
        Some(self.by_inode[at])
    }

    pub(crate) fn by_name(&self, name: &str, standing: Standing) -> Option<MessageId> {
        self.any_by_name(name)
            .filter(|&id| self.get(id).standing == standing)
    }

    /// The first of those that share a message's unique-id; itself, where it is the first.
    pub(crate) fn first_twin(&self, id: MessageId) -> Option<MessageId> {
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
    pub(crate) fn by_tag(
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
    pub(crate) fn after(
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

    pub(crate) fn totals(&self) -> Totals {
        self.listed
    }

    /// Moves a message to another standing; true where that changes the directory.
    pub(crate) fn stand(&mut self, id: MessageId, standing: Standing) -> bool {
        let before = self.messages[id.index()].set_standing(standing);
        if standing != Standing::Unlinked {
            self.pending.remove(&id);
        } else if before != Standing::Unlinked {
            let pending = PendingDeletion::new(self.serial, self.get(id).shown());
            self.pending.insert(id, pending);
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
    pub(crate) fn retire(&mut self, id: MessageId) -> Row {
        self.stand(id, Standing::Departed);
        self.went_unlinked.remove(&id);
        self.messages[id.index()].is_replaceable = true;
        self.get(id).row()
    }

    /// Keeps what RETR showed, or forgets it. Gives with which line ends the size is another now.
    pub(crate) fn learn_size(&mut self, id: MessageId, exact: Option<Extent>) -> Vec<Eol> {
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
    pub(crate) fn learn_lines(&mut self, id: MessageId, body: Extent) -> bool {
        let message = self.get(id);
        let is_known = message.exact_lf.is_some() || body.octets == 0;
        if is_known || message.exact != Some(body.octets) {
            return false;
        }
        self.learn_size(id, Some(body));
        true
    }

    /// Keeps when the message arrived, if nothing was shown yet: a date never changes.
    pub(crate) fn learn_arrival(&mut self, id: MessageId, seconds: i64) {
        let message = &mut self.messages[id.index()];
        message.arrived.get_or_insert(seconds);
        message.content = ContentSince::Unchanged;
    }

    /// Keeps what the headers told. A date and a title that were shown stay, unless the headers prove to be those of another
    /// message: then nothing holds that was known of the one before.
    pub(crate) fn learn_headers(&mut self, id: MessageId, learnt: Learnt) -> HeaderNews {
        let message = &mut self.messages[id.index()];
        let mut news = HeaderNews::SameMessage;
        if let Some(digest) = learnt.digest
            && !message
                .digests
                .learn(learnt.source, digest, message.content)
        {
            let digests = message.digests;
            message.arrived = None;
            message.mark = None;
            message.title = None;
            message.digests = digests;
            news = HeaderNews::OtherMessage;
        }
        message.arrived.get_or_insert(learnt.arrived);
        message.content = ContentSince::Unchanged;
        message.title.get_or_insert(learnt.title.into_boxed_str());
        if let Some(outline) = learnt.outline {
            self.outlines.insert(id, outline.into_boxed_str());
        }
        let digests = message.digests;
        if let Some(pending) = self.pending.get_mut(&id) {
            match news {
                HeaderNews::SameMessage => pending.shown.headers = digests,
                HeaderNews::OtherMessage => pending.note_likeness(Likeness::Shifted),
            }
        }
        news
    }

    /// Keeps the digest of a body whose message shares its unique-id.
    pub(crate) fn learn_twin_body(&mut self, id: MessageId, digest: HeaderDigest) {
        self.messages[id.index()].twin_body = Some(digest);
    }

    /// Whether TOP shows the headers of this server's messages as RETR does; `None` where no message was seen by both.
    pub(crate) fn is_top_like_body(&self) -> Option<bool> {
        let seen = self
            .messages
            .iter()
            .filter_map(|message| message.digests.agree());
        seen.reduce(|one, other| one || other)
    }

    /// What the headers say in a few words, once somebody has asked.
    pub(crate) fn outline(&self, id: MessageId) -> Option<&str> {
        self.outlines.get(&id).map(AsRef::as_ref)
    }

    /// A row that has the index forget all that it keeps of a message, but for its inode number.
    pub(crate) fn void_row(&self, id: MessageId) -> Row {
        Row {
            twins: 0,
            ..self.get(id).row()
        }
    }

    /// The row of a message whose headers were seen.
    pub(crate) fn row_with_outline(&self, id: MessageId) -> Row {
        Row {
            outline: self.outlines.get(&id).cloned(),
            ..self.get(id).row()
        }
    }

    /// Keeps what a mail reader noted; gives the row that the index is to keep.
    pub(crate) fn mark(&mut self, id: MessageId, mark: String) -> Row {
        let message = &mut self.messages[id.index()];
        message.mark = Some(mark.into_boxed_str());
        self.marked = SystemTime::now();
        Row {
            mark: message.mark.clone(),
            ..message.row()
        }
    }

    /// Keeps that a user was given the body; true where that is new.
    pub(crate) fn learn_read(&mut self, id: MessageId) -> bool {
        !std::mem::replace(&mut self.messages[id.index()].read, true)
    }

    pub(crate) fn present(&mut self, id: MessageId, listed: &Listed, changes: &mut Changes) {
        let message = self.get(id);
        let is_regrouped = message.twins != listed.twins || message.is_replaceable;
        let is_confused = is_regrouped || listed.group == Group::Shifted;
        let is_resized = message.listed != listed.octets;
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.absence = Absence::Named;
            pending.note_likeness(match listed.group {
                Group::Shifted => Likeness::Shifted,
                Group::Steady if is_resized => Likeness::Resized,
                Group::Steady => Likeness::Same,
            });
        }
        let message = &mut self.messages[id.index()];
        message.twins = listed.twins;
        message.is_replaceable = false;
        if is_confused || is_resized {
            changes.altered.push(id);
            self.alter(id);
        }
        if is_confused {
            changes.confused.push(id);
            self.messages[id.index()].forget_identity();
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

    /// The content may be another than was shown.
    fn alter(&mut self, id: MessageId) {
        self.learn_size(id, None);
        let message = &mut self.messages[id.index()];
        message.read = false;
        message.forget_content();
        self.outlines.remove(&id);
    }

    /// The server has shown other mail in the place of this message.
    pub(crate) fn replace(&mut self, id: MessageId) {
        self.alter(id);
        self.messages[id.index()].forget_identity();
    }

    /// Keeps who removed a message.
    pub(crate) fn note_remover(&mut self, id: MessageId, remover: Remover) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.remover = remover;
        }
    }

    /// Whether a removed message was read by the program that removed it.
    pub(crate) fn has_remover_read(&self, id: MessageId) -> bool {
        self.pending(id)
            .is_some_and(|pending| pending.remover == Remover::HasReadIt)
    }

    /// Whether LIST gives other octets than before to what has that name, or more or fewer share its unique-id.
    pub(crate) fn is_altered(&self, name: &str, octets: u64, twins: u32) -> bool {
        self.any_by_name(name).is_some_and(|id| {
            let known = self.get(id);
            known.listed != octets || known.twins != twins || known.is_replaceable
        })
    }

    /// The removal of a message that the server has not deleted yet.
    pub(crate) fn pending(&self, id: MessageId) -> Option<&PendingDeletion> {
        self.pending.get(&id)
    }

    /// The last listing.
    pub(crate) fn serial(&self) -> ListingSerial {
        self.serial
    }

    /// Another listing begins.
    pub(crate) fn begin_listing(&mut self) {
        self.serial = ListingSerial(self.serial.0 + 1);
    }

    pub(crate) fn absent(&mut self, id: MessageId, coverage: Coverage, changes: &mut Changes) {
        let standing = self.get(id).standing;
        match standing {
            Standing::Unlinked if self.may_be_unnamed(id, coverage) => return,
            Standing::Unlinked => {
                self.went_unlinked.insert(id);
                self.messages[id.index()].is_replaceable = true;
                changes.gone.push(id);
            }
            Standing::Listed => changes.vanished.push(id),
            Standing::Departed => {}
        }
        self.stand(id, Standing::Departed);
    }

    /// Whether a pending message may be one of those that the server did not name. Some servers never name one or the other:
    /// there have to be more of them than when it was named itself.
    fn may_be_unnamed(&mut self, id: MessageId, coverage: Coverage) -> bool {
        let unnamed = self.unnamed;
        let Some(pending) = self.pending.get_mut(&id) else {
            return false;
        };
        let before = match pending.absence {
            Absence::Named => unnamed,
            Absence::LeftOut { before } => before,
        };
        pending.absence = Absence::LeftOut { before };
        coverage.unnamed() > before
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

    pub(crate) fn push(&mut self, listed: Listed, inode: u64) -> MessageId {
        let id = MessageId(u32::try_from(self.messages.len()).unwrap_or(u32::MAX));
        self.greatest = self.greatest.max(inode);
        self.messages.push(Message::new(listed, inode));
        self.stand(id, Standing::Listed);
        id
    }

    pub(crate) fn sort_by_inode(&mut self) {
        let messages = &self.messages;
        self.by_inode = (0..).map(MessageId).take(messages.len()).collect();
        self.by_inode
            .sort_unstable_by_key(|&id| messages[id.index()].inode);
    }

    /// The room for messages that stand between these two by name.
    pub(crate) fn room(&self, before: Option<MessageId>, after: Option<MessageId>) -> Room {
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

fn of_messages(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| inode::is_message(row.inode))
}

fn outlines(rows: &[Row]) -> HashMap<MessageId, Box<str>> {
    let numbered = (0..).map(MessageId).zip(of_messages(rows));
    numbered
        .filter_map(|(id, row)| Some((id, row.outline.clone()?)))
        .collect()
}
