//! Takes in what the server sent: updates the catalogue, fills the caches, notifies the kernel and
//! answers the waiters.

use std::sync::Arc;

use crate::maildrop::catalogue::changes::Changes;
use crate::maildrop::catalogue::digest::{HeaderDigest, HeaderSource};
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::identity::LONGEST_HEADERS;
use crate::maildrop::catalogue::learnt::{HeaderNews, Learnt};
use crate::maildrop::catalogue::merge::{MergePlan, Numbering};
use crate::maildrop::catalogue::message::{Extent, Standing, unix_now};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::numbers::Numbers;
use crate::maildrop::session::scan::Listing;
use crate::maildrop::session::terms::{Connection, Terms};
use crate::maildrop::settings::Dating;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::effects::{Answer, Effects};
use crate::maildrop::shared::state::State;
use crate::maildrop::shared::wants::{NextWant, Urgency, Want};
use crate::net::BootTime;
use crate::store::{Body, BodyKey, Deletions, Disk, FoundBody, Row};

impl Shared {
    /// The least urgency to fetch now. While the disk cache is behind with writing, the engine
    /// fetches only what a reader waits for.
    pub(crate) fn least_urgency(&self) -> Urgency {
        if self.disk.is_behind() {
            Urgency::Asked
        } else {
            Urgency::Ahead
        }
    }

    /// The next want to send. A body that has reached memory or disk in the meantime is not fetched
    /// again. Only the engine's thread brings new bodies into the caches, and that is the thread
    /// that calls this.
    pub(crate) fn next_want(&self) -> Option<NextWant> {
        loop {
            let mut state = self.state.lock();
            if !state.orders.is_empty() {
                return None;
            }
            let (want, urgency) = state.wants.next(self.least_urgency())?;
            let next = state.announce(want);
            let is_too_large = next.announced.octets() > self.settings.max_message;
            if is_too_large && urgency == Urgency::Ahead && matches!(want, Want::Body(_)) {
                // Only a reader makes the engine try whether LIST is right.
                state.wants.put_back(want);
                continue;
            }
            drop(state);
            let is_here = match (want, urgency) {
                (Want::Body(id), Urgency::Asked) => self.answer_from_cache(id),
                (Want::Body(id), Urgency::Ahead) => self.is_cached(id),
                (Want::Headers(id), _) => self.answer_headers_from_cache(id),
            };
            if !is_here {
                return Some(next);
            }
            // A handler may have asked for it in the meantime. If none has, this drops the want.
            self.state.lock().wants.put_back(want);
        }
    }

    /// A want that was chosen before, with what the last listing announces: a session may have
    /// begun since.
    pub(crate) fn announce(&self, want: Want) -> NextWant {
        self.look(|state| state.announce(want))
    }

    /// Answers the waiters of a body from memory or disk. Returns false if it is in neither.
    fn answer_from_cache(&self, id: MessageId) -> bool {
        let in_memory = |state: &mut State, _: &mut Effects| {
            let inode = state.catalogue.get(id).inode;
            state.bodies.get(inode).map(FoundBody::body)
        };
        let found = self.change(in_memory);
        let Some(body) = found.or_else(|| self.body_on_disk(id, Disk::load)) else {
            return false;
        };
        let learnt = self.learnt(&body, HeaderSource::Body);
        self.change(|state, effects| {
            // A small body on disk takes no memory here: the page cache has it.
            if body.has_own_file() {
                let inode = state.catalogue.get(id).inode;
                state.bodies.insert(inode, Arc::clone(&body));
            }
            let (readers, of_headers) = state.wants.take(Want::Body(id));
            if !of_headers.is_empty() {
                take_headers(id, learnt, state, effects);
            }
            effects.answers.push(Answer {
                readers,
                of_headers,
                result: Ok(body),
            });
        });
        true
    }

    /// Answers the waiters of headers from a body in memory or on disk, or from what TOP has shown,
    /// if any of them waits for the octets. Returns false if there is neither. (A caller has looked
    /// in vain before it asked, but not for a large body on disk, and a TOP that was sent ahead may
    /// have been answered since.)
    fn answer_headers_from_cache(&self, id: MessageId) -> bool {
        if !self.look(|state| state.wants.are_octets_awaited(id)) {
            return false;
        }
        let Some(body) = self.peek_body(id, Disk::load) else {
            return self.change(|state, effects| {
                let inode = state.catalogue.get(id).inode;
                let Some(top) = state.tops.peek(inode).map(Arc::clone) else {
                    return false;
                };
                hand_out_headers(id, top, state, effects);
                true
            });
        };
        let learnt = self.learnt(&body, HeaderSource::Body);
        self.change(|state, effects| {
            take_headers(id, learnt, state, effects);
            effects.answers.push(Answer {
                readers: Vec::new(),
                of_headers: state.wants.take_headers(id),
                result: Ok(body),
            });
        });
        true
    }

    /// Whether the body is in memory or on disk.
    fn is_cached(&self, id: MessageId) -> bool {
        let (is_in_memory, key, is_known) = self.look(|state| {
            let message = state.catalogue.get(id);
            let is_in_memory = state.bodies.contains(message.inode);
            (
                is_in_memory,
                message.body_key(),
                message.exact_size().is_some(),
            )
        });
        is_in_memory || (is_known && self.disk.contains(&key))
    }

    /// The body from the cache on disk. It is used only if the index has its exact size and the
    /// sizes are equal. Without the index's record the message may have changed since the body was
    /// cached.
    pub(crate) fn body_on_disk(
        &self,
        id: MessageId,
        load: impl FnOnce(&Disk, &BodyKey) -> Option<Arc<Body>>,
    ) -> Option<Arc<Body>> {
        let (size, key) = self.look(|state| {
            let message = state.catalogue.get(id);
            Some((message.exact_size()?, message.body_key()))
        })?;
        load(&self.disk, &key).filter(|body| body.len() == size)
    }

    /// Answers all waiters of a want with this fault.
    pub(crate) fn fail(&self, want: Want, fault: &Fault) {
        // The end of the mount is no news, and the link has a line of its own.
        if !fault.is_of_the_link() && !matches!(fault, Fault::Ending) {
            let name = self.look(|state| state.catalogue.get(want.message()).name());
            log::warn!("{name}: {fault}");
        }
        self.change(|state, effects| {
            state.history.note_fault(fault);
            let (readers, of_headers) = state.wants.take(want);
            effects.answers.push(Answer {
                readers,
                of_headers,
                result: Err(fault.clone()),
            });
        });
    }

    /// Queues a failed want again. Returns how often it has failed, or 0 if no one waits for it any
    /// more and it was dropped.
    pub(crate) fn put_back(&self, want: Want) -> u8 {
        let mut state = self.state.lock();
        state.wants.put_back(want);
        state.wants.count_loss(want)
    }

    /// Takes in a complete and confirmed body, and answers all waiters of the message. Returns the
    /// digest of its headers, if it has all of them.
    pub(crate) fn receive_body(&self, id: MessageId, body: Body) -> Option<HeaderDigest> {
        let body = Arc::new(body);
        let (learnt, extent) = (self.learnt(&body, HeaderSource::Body), Extent::of(&body));
        let shown = learnt.digest;
        let twin_body = self.digest_of_twin(id, &body);
        let checksum = body.checksum();
        self.change(|state, effects| {
            if let Some(digest) = twin_body {
                state.catalogue.learn_twin_body(id, digest);
            }
            let announced = state.catalogue.get(id).announced();
            state.sizes.note(announced, body.len());
            let resized = state.catalogue.learn_size(id, Some(extent));
            take_headers(id, learnt, state, effects);
            if let Some(checksum) = checksum {
                take_checksum(id, checksum, state, effects);
            }
            let message = state.catalogue.get(id);
            let (inode, key) = (message.inode, message.body_key());
            let size = |eol| Change::Size { inode, eol };
            effects.told.extend(resized.into_iter().map(size));
            let is_orphaned = state.wants.is_orphaned(Want::Body(id));
            let readers = state.wants.take_body(id);
            if readers.is_empty() && !is_orphaned {
                state.bodies.insert_ahead(inode, Arc::clone(&body));
            } else {
                state.bodies.insert(inode, Arc::clone(&body));
            }
            effects.kept = Some((key, Arc::clone(&body)));
            effects.answers.push(Answer {
                readers,
                of_headers: state.wants.take_headers(id),
                result: Ok(body),
            });
        });
        if let Some(tell) = self.on_body.get() {
            tell(id);
        }
        shown
    }

    /// The digest of a body that only its content tells from those with the same unique-id. It may
    /// have to be read from the disk.
    fn digest_of_twin(&self, id: MessageId, body: &Body) -> Option<HeaderDigest> {
        let is_twin = self.look(|state| state.catalogue.get(id).twins() > 1);
        let octets = is_twin.then(|| body.whole().ok()).flatten()?;
        Some(HeaderDigest::of_body(&octets))
    }

    /// Whether TOP has shown all headers of a message: up to the empty line, or more than are kept.
    pub(crate) fn has_all_headers(&self, top: &Body) -> bool {
        let mut buffer = Vec::new();
        let read = top.read_at(0, LONGEST_HEADERS, &mut buffer);
        let is_cut_here = top.len() > LONGEST_HEADERS as u64;
        let ends = |octets: &[u8]| HeaderDigest::of_complete_headers(octets).is_some();
        is_cut_here || read.is_ok_and(ends)
    }

    /// Takes in confirmed headers, which TOP showed. Returns their digest, if they are complete.
    pub(crate) fn receive_headers(&self, id: MessageId, headers: Body) -> Option<HeaderDigest> {
        let headers = Arc::new(headers);
        let learnt = self.learnt(&headers, HeaderSource::Top);
        let shown = learnt.digest;
        self.change(|state, effects| {
            take_headers(id, learnt, state, effects);
            if !headers.is_empty() {
                let inode = state.catalogue.get(id).inode;
                state.tops.insert(inode, Arc::clone(&headers));
            }
            hand_out_headers(id, headers, state, effects);
        });
        shown
    }

    /// Does without the headers of a message: it has the time of its first listing.
    pub(crate) fn do_without_headers(&self, id: MessageId) {
        let none = Arc::new(Body::new(Vec::new()));
        let learnt = self.learnt(&none, HeaderSource::Top);
        self.change(|state, effects| {
            take_headers(id, learnt, state, effects);
            hand_out_headers(id, none, state, effects);
        });
    }

    /// Reads the headers.
    fn learnt(&self, message: &Body, source: HeaderSource) -> Learnt {
        let mut buffer = Vec::new();
        let read = message.read_at(0, LONGEST_HEADERS, &mut buffer);
        let headers = read.unwrap_or_default();
        Learnt {
            source,
            digest: HeaderDigest::of_complete_headers(headers),
            arrived: self.settings.dating.of(headers),
            title: (self.settings.titling)(headers),
            outline: self.settings.outlining.map(|outline| outline(headers)),
        }
    }

    /// The body, if it is in memory or on disk. This does not count as an access.
    pub(crate) fn peek_body(
        &self,
        id: MessageId,
        load: impl FnOnce(&Disk, &BodyKey) -> Option<Arc<Body>>,
    ) -> Option<Arc<Body>> {
        let in_memory = self.look(|state| {
            let body = state.bodies.peek(state.catalogue.get(id).inode);
            body.map(Arc::clone)
        });
        in_memory.or_else(|| self.body_on_disk(id, load))
    }

    /// Reads the headers of a cached body. Returns false if the body is not cached.
    pub(crate) fn learn_from_cache(&self, id: MessageId) -> bool {
        let Some(body) = self.peek_body(id, Disk::load_small) else {
            return false;
        };
        let learnt = self.learnt(&body, HeaderSource::Body);
        self.change(|state, effects| {
            // A listing may have shown in the meantime that the message is another one.
            let is_same = state.catalogue.get(id).exact_size() == Some(body.len());
            if is_same {
                take_headers(id, learnt, state, effects);
            }
            is_same
        })
    }

    /// Takes in a session's listing: drops the content that it makes void, and notifies the kernel.
    /// Returns the number of each message in this session.
    pub(crate) fn take_listing(&self, listing: Listing, terms: Terms) -> Numbers {
        let coverage = listing.coverage();
        let (plan, departing) = self.look(|state| {
            let plan = state.catalogue.plan(listing.entries, coverage);
            let departing = state.catalogue.departing(&plan);
            (plan, departing)
        });
        let numbering = self.number(&plan, departing);
        let (messages, serial, was_away) = self.change(|state, effects| {
            let mut changes = Changes::default();
            state.catalogue.update_known(&plan, &mut changes);
            self.take_changes(&changes, state, effects);
            let mut changes = Changes::default();
            let messages = state.catalogue.merge(plan, numbering, &mut changes);
            for (&message, arrived) in messages.iter().zip(listing.arrivals) {
                if let Some(arrived) = arrived {
                    state.catalogue.learn_arrival(message, arrived);
                }
            }
            state.connection = Connection::Open(terms);
            state.listed_at = BootTime::now();
            state.listing_taken = unix_now();
            state.catalogue.order.clone_from(&messages);
            self.take_changes(&changes, state, effects);
            effects.listing = Some(state.last_listing());
            (
                messages,
                state.catalogue.serial(),
                state.offline.take().is_some(),
            )
        });
        if was_away {
            log::info!("the server is there again");
        }
        self.forget_settled();
        Numbers::new(serial, coverage.unnamed(), &messages, &listing.numbers)
    }

    /// Has the index number the new messages of a listing, which take the space of those that
    /// depart. Only the engine's thread changes which messages there are, so the plan stays valid
    /// meanwhile.
    fn number(&self, plan: &MergePlan, departing: Vec<Row>) -> Numbering {
        let rows = plan.new_rows();
        if rows.is_empty() {
            return Numbering::AsWished;
        }
        self.index.learn(departing);
        match self.index.assign(rows) {
            Ok(rows) => Numbering::Assigned(rows),
            Err(error) => {
                log::warn!("{error}; inode numbers of new messages may change");
                Numbering::AsWished
            }
        }
    }

    /// Drops the content that a listing makes void, and notes what it changes outside.
    fn take_changes(&self, changes: &Changes, state: &mut State, effects: &mut Effects) {
        effects.rows.extend(self.rows_of(changes, state));
        for &id in &changes.altered {
            drop_content(id, state, effects);
        }
        let name = |&id: &MessageId| state.catalogue.get(id).name();
        effects.changed.extend(changes.reprieved.iter().map(name));
        effects.returned.extend(changes.returned.iter().map(name));
        for &id in &changes.vanished {
            let message = state.catalogue.get(id);
            let (inode, name) = (message.inode, message.name());
            let gone = [Change::Unlisted { inode }, Change::Gone { name }];
            effects.told.extend(gone);
        }
        if changes.change_the_directory() {
            effects.told.push(Change::Directory);
        }
        let inodes = state.catalogue.forget_departed();
        if !inodes.is_empty() {
            effects.told.push(Change::Forgotten { inodes });
        }
    }

    /// The rows to write to the index after a listing.
    fn rows_of(&self, changes: &Changes, state: &mut State) -> Vec<Row> {
        let mut learnt = [&changes.unknown[..], &changes.altered].concat();
        if let Dating::FirstSeen = self.settings.dating {
            // An earlier mount that takes dates from headers may not have seen these headers.
            let is_undated = |&id: &MessageId| !state.catalogue.get(id).is_arrival_known();
            learnt.extend(changes.appeared.iter().copied().filter(is_undated));
            learnt.sort_unstable();
            learnt.dedup();
            for &id in &learnt {
                state.catalogue.learn_arrival(id, unix_now());
            }
        }
        let row = |&id: &MessageId| state.catalogue.get(id).row();
        let voided = changes
            .unidentified
            .iter()
            .map(|&id| state.catalogue.void_row(id));
        let departed = [&changes.gone, &changes.vanished, &changes.left];
        let has_come_back = |id: &&MessageId| state.catalogue.get(**id).has_come_back();
        let back = changes.appeared.iter().filter(has_come_back);
        let known = departed
            .into_iter()
            .flatten()
            .chain(back)
            .chain(&learnt)
            .map(row);
        voided.chain(known).collect()
    }

    /// Marks messages as departed that a commit has deleted. Waits for the disk: the user is told of
    /// the deletions after that.
    pub(crate) fn retire(&self, deleted: &[MessageId]) {
        if deleted.is_empty() {
            return;
        }
        let at = unix_now();
        let messages = self.change(|state, _| {
            for &id in deleted {
                state.catalogue.retire(id);
                state.committing.remove(id);
            }
            let identity = |&id| state.catalogue.get(id).identity();
            deleted.iter().map(identity).collect()
        });
        if let Err(error) = self.index.retire(Deletions { messages, at }) {
            log::warn!("{error}; the bodies of the deleted messages leave the cache");
            self.forget_bodies(deleted);
        }
        self.forget_settled();
    }

    /// Drops cached bodies, so that no later mount takes them for other mail with the same
    /// unique-ids.
    fn forget_bodies(&self, messages: &[MessageId]) {
        let keys: Vec<BodyKey> = self.look(|state| {
            let keys = messages.iter().map(|&id| {
                let message = state.catalogue.get(id);
                [message.body_key(), message.headers_key()]
            });
            keys.flatten().collect()
        });
        for key in &keys {
            self.disk.forget(key);
        }
    }

    /// Gives the twins of messages that a commit has deleted their new names, so that a reader who
    /// lists the directory before the next session opens what it has seen there.
    pub(crate) fn renumber_twins(&self) {
        self.change(|state, effects| {
            let changes = state.catalogue.renumber_twins();
            self.take_changes(&changes, state, effects);
            effects.listing = Some(state.last_listing());
        });
        self.forget_settled();
    }

    /// Lists messages again that a commit has not deleted. `replaced` are those of them in whose
    /// place the server has shown other mail, or nothing by which to recognize them. Everything
    /// known of these is dropped.
    pub(crate) fn list_again(&self, pending: &[MessageId], replaced: &[MessageId]) {
        self.change(|state, effects| {
            for &id in replaced {
                drop_content(id, state, effects);
                effects.rows.push(state.catalogue.void_row(id));
                state.catalogue.mark_replaced(id);
                effects.rows.push(state.catalogue.get(id).row());
            }
            let mut has_changed = false;
            for &id in pending {
                has_changed |= state.catalogue.set_standing(id, Standing::Listed);
                let is_of_commit = state.committing.remove(id).is_some();
                state.history.listed_again += usize::from(is_of_commit);
            }
            if has_changed {
                effects.told.push(Change::Directory);
            }
        });
        self.forget_settled();
    }
}

impl State {
    /// The want, with what the last listing announces of its message.
    fn announce(&self, want: Want) -> NextWant {
        let announced = self.catalogue.get(want.message()).announced();
        NextWant {
            want,
            announced,
            expected: self.sizes.octets(announced),
        }
    }
}

/// Answers those who wait for headers. If somebody waits for their octets they go to the disk as
/// well: most callers only need what the headers tell, and that is in the index. If there are no
/// octets, whoever waits for them waits for the body from now on.
fn hand_out_headers(id: MessageId, headers: Arc<Body>, state: &mut State, effects: &mut Effects) {
    let are_octets_awaited = state.wants.are_octets_awaited(id);
    if are_octets_awaited && headers.is_empty() {
        return state.wants.ask_for_body(id);
    }
    if are_octets_awaited {
        let key = state.catalogue.get(id).headers_key();
        effects.kept = Some((key, Arc::clone(&headers)));
    }
    effects.answers.push(Answer {
        readers: Vec::new(),
        of_headers: state.wants.take_headers(id),
        result: Ok(headers),
    });
}

/// Keeps what was read from headers. If other mail has the message's place by now, what is cached
/// of the message goes, and the kernel hears of it: else a program would read the old text and
/// remove the new one.
fn take_headers(id: MessageId, learnt: Learnt, state: &mut State, effects: &mut Effects) {
    if state.catalogue.learn_headers(id, learnt) == HeaderNews::OtherMessage {
        drop_content(id, state, effects);
        effects.rows.push(state.catalogue.void_row(id));
    }
    effects.rows.push(state.catalogue.row_with_outline(id));
}

/// Keeps the checksum of a body. If the server has sent another body before, everything made of that
/// one goes: a program that has read a part of it must not get the rest of this one.
fn take_checksum(id: MessageId, checksum: u32, state: &mut State, effects: &mut Effects) {
    if state.has_sent_other(id, checksum) {
        drop_content(id, state, effects);
    }
    state.note_sent(id, checksum);
}

/// Drops the cached body and headers of a message.
fn drop_content(id: MessageId, state: &mut State, effects: &mut Effects) {
    let message = state.catalogue.get(id);
    let (inode, keys) = (message.inode, [message.body_key(), message.headers_key()]);
    state.bodies.remove(inode);
    state.tops.remove(inode);
    state.forget_sent(id);
    effects.void.extend(keys);
    effects.told.push(Change::Content { inode });
}
