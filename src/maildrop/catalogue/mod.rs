//! Every message that this account has ever shown, and where each one stands.
//!
//! ```text
//!             a listing has it             the user removes it
//! (unknown) ───────────────────▶ Listed ──────────────────────▶ Unlinked
//!                                ▲ │  ▲                         │   │
//!    ▲ a listing has it again    │ │  └─ restored by the user, ─┘   │ a commit deleted it,
//!    ▼ a listing lacks it        │ │     kept by a commit,          │ or a listing lacks it
//!                                │ ▼     or its twins changed       │
//!                             Departed ◀────────────────────────────┘
//! ```
//!
//! # Identity
//!
//! A message is the same in every session if its unique-id and its ordinal are the same. RFC 1939
//! section 7 lets identical messages share a unique-id; here they are called twins. The ordinal is
//! the position of a message among its twins, in maildrop order.
//!
//! # What a listing makes void
//!
//! | the listing shows | it makes void |
//! |---|---|
//! | another size of a message without twins | its body, exact size, title, summary and read state |
//! | more or fewer twins, or another size of one of them | everything known of each twin |
//! | a message that was deleted, or was missing while unlinked | everything known of it |
//!
//! In the first row the digests of the headers stay (digest.rs), and so do the arrival and the
//! flags. When the headers are seen again, the digests show whether it is still the same message.
//! If not, arrival and flags are void too ([`Catalogue::learn_headers`]). In the third row the
//! server may have given the unique-id to other mail.
//!
//! # Pending deletions
//!
//! While a message is unlinked, a [`PendingDeletion`] records what was shown of it, and how far
//! later listings agree with that (pending.rs). A listing that changes the number of its twins
//! lists it again at once. In every other case the commit decides: its session shows the message
//! again, and it is deleted only if it is the one that the user removed (engine/confirm.rs).
//! Otherwise it is kept and listed again. A listing that does not identify every message need not
//! end a pending deletion ([`Absence::LeftOut`]).

pub(crate) mod changes;
pub(crate) mod digest;
pub(crate) mod id;
pub(crate) mod identity;
pub(crate) mod inode;
pub(crate) mod learnt;
pub(crate) mod listing;
pub(crate) mod merge;
pub(crate) mod message;
mod messages;
pub(crate) mod name;
pub(crate) mod pending;
mod remembered;

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::SystemTime;

use crate::maildrop::catalogue::changes::Changes;
use crate::maildrop::catalogue::digest::{ContentSince, HeaderDigest};
use crate::maildrop::catalogue::id::{ListingSerial, MessageId, Tag};
use crate::maildrop::catalogue::inode::Room;
use crate::maildrop::catalogue::learnt::{HeaderNews, Learnt};
use crate::maildrop::catalogue::listing::{Coverage, Group, Listed};
use crate::maildrop::catalogue::message::{Extent, Message, Standing, WhyMissing, unix_now};
use crate::maildrop::catalogue::messages::Messages;
use crate::maildrop::catalogue::name::file_name;
use crate::maildrop::catalogue::pending::{Absence, Likeness, PendingDeletion, Remover};
use crate::store::{Eol, Row};

/// All messages of the account, those of earlier mounts included.
#[derive(Debug)]
pub(crate) struct Catalogue {
    messages: Messages,
    /// Sorted by file name.
    pub(crate) by_name: Vec<MessageId>,
    /// Sorted by inode number, which is the order of the directory.
    by_inode: Vec<MessageId>,
    /// The messages with each tag, but for those in `untagged`.
    by_tag: HashMap<Tag, Vec<MessageId>>,
    /// New messages, until a tag is looked up.
    untagged: Vec<MessageId>,
    /// Summaries of headers, for the messages whose headers were seen with summaries enabled.
    outlines: HashMap<MessageId, Box<str>>,
    /// The greatest inode number that any message has or had.
    pub(crate) greatest: u64,
    /// No new message gets an inode number up to this one: messages that the index has forgotten
    /// had them.
    pub(crate) used_up: u64,
    /// When the directory last changed. This is the root's mtime.
    pub(crate) changed: SystemTime,
    /// When a mail reader last set flags. Directories that show flags have this mtime if it is
    /// later.
    pub(crate) marked: SystemTime,
    listed: Totals,
    /// The serial of the last listing.
    serial: ListingSerial,
    /// How many messages the last listing did not identify.
    pub(crate) unnamed: usize,
    /// The messages of the last session's listing, in maildrop order.
    pub(crate) order: Vec<MessageId>,
}

/// What STAT would say of the messages in the directory. Unlinked messages are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages in the directory.
    pub messages: u64,
    /// The sum of their sizes.
    pub octets: u64,
}

impl Catalogue {
    /// The messages that the index remembers. None counts as listed until a session lists it.
    pub(crate) fn remembered(rows: &[Row]) -> Self {
        let messages = Messages::new(of_messages(rows).map(Message::remembered));
        let ids: Vec<MessageId> = messages.iter().map(|(id, _)| id).collect();
        let mut by_name = ids.clone();
        by_name.sort_by_cached_key(|&id| messages[id].name());
        let mut catalogue = Self {
            greatest: messages
                .iter()
                .map(|(_, message)| message.inode)
                .max()
                .unwrap_or(0),
            messages,
            by_name,
            used_up: 0,
            by_inode: Vec::new(),
            by_tag: HashMap::new(),
            outlines: outlines(rows, &ids),
            untagged: ids,
            changed: SystemTime::now(),
            marked: SystemTime::UNIX_EPOCH,
            listed: Totals::default(),
            serial: ListingSerial::default(),
            unnamed: 0,
            order: Vec::new(),
        };
        catalogue.sort_by_inode();
        catalogue
    }

    pub(crate) fn get(&self, id: MessageId) -> &Message {
        &self.messages[id]
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

    /// The first message with the same unique-id, which may be the message itself.
    pub(crate) fn first_twin(&self, id: MessageId) -> MessageId {
        let message = self.get(id);
        match message.is_first_twin() {
            true => id,
            false => self.any_by_name(&file_name(&message.uidl, 1)).unwrap_or(id),
        }
    }

    fn any_by_name(&self, name: &str) -> Option<MessageId> {
        let at = self
            .by_name
            .binary_search_by(|&id| self.get(id).name().as_str().cmp(name))
            .ok()?;
        Some(self.by_name[at])
    }

    /// The listed message with this tag for which `is_called_so` is true. If there are several, it
    /// is the first in the directory.
    pub(crate) fn by_tag(
        &mut self,
        tag: Tag,
        is_called_so: impl Fn(&Message) -> bool,
    ) -> Option<MessageId> {
        for id in std::mem::take(&mut self.untagged) {
            self.by_tag.entry(self.get(id).tag()).or_default().push(id);
        }
        let candidates = self.by_tag.get(&tag)?.iter().copied();
        candidates
            .filter(|&id| self.get(id).standing == Standing::Listed && is_called_so(self.get(id)))
            .min_by_key(|&id| self.get(id).inode)
    }

    /// The messages with this standing and a greater inode number, in directory order.
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

    /// Sets the standing of a message. Returns whether that changes the directory.
    pub(crate) fn set_standing(&mut self, id: MessageId, standing: Standing) -> bool {
        let serial = self.serial;
        let message = &mut self.messages[id];
        let before = message.set_standing(standing, serial);
        let size = message.size();
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

    /// Notes that a commit has deleted the message. From now on its unique-id stands for other
    /// mail, if a listing has it again.
    pub(crate) fn retire(&mut self, id: MessageId) {
        self.set_standing(id, Standing::Departed);
        let message = &mut self.messages[id];
        message.has_gone_unlinked = false;
        message.is_replaceable = true;
    }

    /// Sets or clears the exact size. Returns the line ends with which the shown size has changed.
    pub(crate) fn learn_size(&mut self, id: MessageId, exact: Option<Extent>) -> Vec<Eol> {
        let message = &mut self.messages[id];
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

    /// Adds the number of lines if only the octets were known. Returns whether that is new.
    pub(crate) fn learn_lines(&mut self, id: MessageId, body: Extent) -> bool {
        let message = self.get(id);
        let is_known = message.exact_lf.is_some() || body.octets == 0;
        if is_known || message.exact != Some(body.octets) {
            return false;
        }
        self.learn_size(id, Some(body));
        true
    }

    /// Keeps when the message arrived. A date that was shown before does not change.
    pub(crate) fn learn_arrival(&mut self, id: MessageId, seconds: i64) {
        let message = &mut self.messages[id];
        message.arrived.get_or_insert(seconds);
        message.content = ContentSince::Unchanged;
    }

    /// Keeps what the headers say. If they have no date, the message has the time of its first
    /// listing. A date and a title that were shown before stay. But if the
    /// digests show that the headers are those of another message, the older date, title and flags
    /// are dropped.
    pub(crate) fn learn_headers(&mut self, id: MessageId, learnt: Learnt) -> HeaderNews {
        let message = &mut self.messages[id];
        let mut news = HeaderNews::SameMessage;
        if let Some(digest) = learnt.digest
            && !message
                .digests
                .learn(learnt.source, digest, message.content)
        {
            message.arrived = None;
            message.mark = None;
            message.title = None;
            news = HeaderNews::OtherMessage;
        }
        let first_listed = message.first_listed;
        message.arrived.get_or_insert_with(|| {
            let arrived = learnt.arrived.or(first_listed);
            arrived.unwrap_or_else(unix_now)
        });
        message.content = ContentSince::Unchanged;
        message.title.get_or_insert(learnt.title.into_boxed_str());
        if let Some(outline) = learnt.outline {
            self.outlines.insert(id, outline.into_boxed_str());
        }
        let digests = message.digests;
        if let Some(pending) = &mut message.pending {
            match news {
                HeaderNews::SameMessage => pending.add_evidence(digests),
                HeaderNews::OtherMessage => pending.note_likeness(Likeness::Shifted),
            }
        }
        news
    }

    /// Keeps the digest of the whole body of a message that has twins.
    pub(crate) fn learn_twin_body(&mut self, id: MessageId, digest: HeaderDigest) {
        self.messages[id].twin_body = Some(digest);
    }

    /// Whether TOP and RETR have shown the same headers of at least one message.
    pub(crate) fn has_top_like_body(&self) -> bool {
        self.messages
            .iter()
            .any(|(_, message)| message.digests.are_equal())
    }

    /// The summary of the headers, if it is known.
    pub(crate) fn outline(&self, id: MessageId) -> Option<&str> {
        self.outlines.get(&id).map(AsRef::as_ref)
    }

    /// A row that makes the index forget everything about a message, except its inode number.
    pub(crate) fn void_row(&self, id: MessageId) -> Row {
        Row {
            twins: None,
            ..self.get(id).row()
        }
    }

    /// The row of a message with the summary of its headers, for the index.
    pub(crate) fn row_with_outline(&self, id: MessageId) -> Row {
        Row {
            outline: self.outlines.get(&id).cloned(),
            ..self.get(id).row()
        }
    }

    /// Keeps the flags that a mail reader has set. Returns the row for the index.
    pub(crate) fn mark(&mut self, id: MessageId, mark: String) -> Row {
        let message = &mut self.messages[id];
        message.mark = Some(mark.into_boxed_str());
        self.marked = SystemTime::now();
        Row {
            mark: message.mark.clone(),
            ..message.row()
        }
    }

    /// Notes that a user has been given the body. Returns whether that is new.
    pub(crate) fn learn_read(&mut self, id: MessageId) -> bool {
        !std::mem::replace(&mut self.messages[id].read, true)
    }

    /// Notes that a listing has the message.
    pub(crate) fn note_listed(&mut self, id: MessageId, listed: &Listed, changes: &mut Changes) {
        let message = self.get(id);
        let is_regrouped = message.twins != listed.twins || message.is_replaceable;
        let may_be_another = is_regrouped || listed.group == Group::Shifted;
        let is_resized = message.listed != listed.octets;
        let message = &mut self.messages[id];
        if let Some(pending) = &mut message.pending {
            pending.absence = Absence::Named;
            pending.note_likeness(match listed.group {
                Group::Shifted => Likeness::Shifted,
                Group::Steady if is_resized => Likeness::Resized,
                Group::Steady => Likeness::Same,
            });
        }
        message.why_missing = WhyMissing::Gone;
        message.twins = listed.twins;
        if std::mem::take(&mut message.is_replaceable) {
            message.begin_again();
        }
        if may_be_another || is_resized {
            changes.altered.push(id);
            self.forget_content(id);
        }
        if may_be_another {
            changes.unidentified.push(id);
            self.messages[id].forget_identity();
        }
        self.set_listed_octets(id, listed.octets);
        match self.get(id).standing {
            Standing::Departed => {
                changes.appeared.push(id);
                let gone_unlinked = &mut self.messages[id].has_gone_unlinked;
                changes
                    .returned
                    .extend(std::mem::take(gone_unlinked).then_some(id));
            }
            Standing::Unlinked if is_regrouped => changes.reprieved.push(id),
            Standing::Listed | Standing::Unlinked => return,
        }
        self.set_standing(id, Standing::Listed);
    }

    /// Forgets what was known of the content, because it may have changed.
    fn forget_content(&mut self, id: MessageId) {
        self.learn_size(id, None);
        let message = &mut self.messages[id];
        message.read = false;
        message.forget_content();
        self.outlines.remove(&id);
    }

    /// Forgets everything about a message, because the server has shown other mail in its place.
    pub(crate) fn mark_replaced(&mut self, id: MessageId) {
        self.forget_content(id);
        self.messages[id].forget_identity();
    }

    /// Keeps whether the program that removed a message had read it.
    pub(crate) fn note_remover(&mut self, id: MessageId, remover: Remover) {
        if let Some(pending) = &mut self.messages[id].pending {
            pending.remover = remover;
        }
    }

    /// Whether the program that removed a message had read it.
    pub(crate) fn has_remover_read(&self, id: MessageId) -> bool {
        self.pending(id)
            .is_some_and(|pending| pending.remover == Remover::HasReadIt)
    }

    /// Whether a listing contradicts what is known of the message with this name: its size, the
    /// number of its twins, or that its unique-id is free for other mail.
    pub(crate) fn is_altered(&self, name: &str, octets: u64, twins: u32) -> bool {
        self.any_by_name(name).is_some_and(|id| {
            let known = self.get(id);
            known.listed != octets || known.twins != twins || known.is_replaceable
        })
    }

    /// The pending deletion of a message, if it is unlinked.
    pub(crate) fn pending(&self, id: MessageId) -> Option<&PendingDeletion> {
        self.get(id).pending.as_deref()
    }

    /// The serial of the last listing.
    pub(crate) fn serial(&self) -> ListingSerial {
        self.serial
    }

    /// Counts a new listing.
    pub(crate) fn begin_listing(&mut self) {
        self.serial = ListingSerial(self.serial.0 + 1);
    }

    /// Notes that a listing lacks the message.
    pub(crate) fn note_missing(
        &mut self,
        id: MessageId,
        why: WhyMissing,
        coverage: Coverage,
        changes: &mut Changes,
    ) {
        let standing = self.get(id).standing;
        if standing != Standing::Departed {
            self.messages[id].why_missing = why;
        }
        match standing {
            Standing::Unlinked if self.mark_left_out(id, coverage) => return,
            Standing::Unlinked => {
                let message = &mut self.messages[id];
                message.has_gone_unlinked = true;
                message.is_replaceable = true;
                changes.gone.push(id);
            }
            Standing::Listed => changes.vanished.push(id),
            Standing::Departed => {
                changes
                    .left
                    .extend(self.messages[id].note_absence().then_some(id));
                return;
            }
        }
        self.set_standing(id, Standing::Departed);
    }

    /// Notes that a listing has left out a message whose deletion is pending. Returns whether the
    /// message may still be on the server, as one of those that the listing did not identify.
    ///
    /// Some servers never identify certain messages. So the message may be among them only if there
    /// are more of them now than when the message was named itself.
    fn mark_left_out(&mut self, id: MessageId, coverage: Coverage) -> bool {
        let unnamed = self.unnamed;
        let Some(pending) = &mut self.messages[id].pending else {
            return false;
        };
        let before = match pending.absence {
            Absence::Named => unnamed,
            Absence::LeftOut { before } => before,
        };
        pending.absence = Absence::LeftOut { before };
        coverage.unnamed() > before
    }

    /// Keeps LIST's octets. They are the shown size until the exact size is known.
    fn set_listed_octets(&mut self, id: MessageId, octets: u64) {
        let message = &mut self.messages[id];
        let before = message.size();
        message.listed = octets;
        let after = message.size();
        if message.standing == Standing::Listed {
            self.listed.octets = self.listed.octets - before + after;
        }
    }

    /// Gives no new message an inode number up to this one.
    pub(crate) fn use_up(&mut self, inode: u64) {
        if inode::is_message(inode) {
            self.used_up = inode;
            self.greatest = self.greatest.max(inode);
        }
    }

    /// Adds a message that was never listed in this mount.
    fn push(&mut self, message: Message) -> MessageId {
        self.greatest = self.greatest.max(message.inode);
        let id = self.messages.push(message);
        self.untagged.push(id);
        id
    }

    /// Sorts all messages by inode number again.
    pub(crate) fn sort_by_inode(&mut self) {
        let messages = &self.messages;
        self.by_inode = messages.iter().map(|(id, _)| id).collect();
        self.by_inode.sort_unstable_by_key(|&id| messages[id].inode);
    }

    /// Forgets the messages that departed first, if too many have departed. Call it when the
    /// changes of a listing were carried out, since they name such messages. Returns the inode
    /// numbers of those that it forgets.
    pub(crate) fn forget_departed(&mut self) -> Vec<u64> {
        let forgotten = self.messages.forget_departed();
        if forgotten.is_empty() {
            return forgotten;
        }
        let messages = &self.messages;
        self.by_name.retain(|&id| messages.is_kept(id));
        self.by_inode.retain(|&id| messages.is_kept(id));
        self.outlines.retain(|&id, _| messages.is_kept(id));
        self.by_tag.clear();
        self.untagged = messages.iter().map(|(id, _)| id).collect();
        forgotten
    }

    /// The inode numbers that are free for new messages between these two by name.
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

/// The rows with an inode number that a message can have.
fn of_messages(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| inode::is_message(row.inode))
}

/// The summaries in the rows, of which each belongs to one of `ids`, in the same order.
fn outlines(rows: &[Row], ids: &[MessageId]) -> HashMap<MessageId, Box<str>> {
    let numbered = ids.iter().zip(of_messages(rows));
    numbered
        .filter_map(|(id, row)| Some((*id, row.outline.clone()?)))
        .collect()
}
