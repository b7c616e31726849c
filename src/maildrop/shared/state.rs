//! The state that the handlers and the engine share, behind one lock.

use std::time::{Instant, SystemTime};

use slotmap::SecondaryMap;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Message, Standing};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::terms::Connection;
use crate::maildrop::shared::history::History;
use crate::maildrop::shared::orders::Orders;
use crate::maildrop::shared::read_ahead::{Beginning, ReadAhead, Schedule};
use crate::maildrop::shared::size_estimate::SizeEstimate;
use crate::maildrop::shared::wants::{Want, Wants};
use crate::maildrop::shared::window::{HEADER_OCTETS, WINDOW_COMMANDS, WINDOW_OCTETS};
use crate::net::BootTime;
use crate::store::{Bodies, Row};

/// The most octets of headers that are read ahead: one window of commands.
const MOST_HEADERS_AHEAD: u64 = WINDOW_COMMANDS as u64 * HEADER_OCTETS;

/// The most octets of headers that are kept in memory.
const MOST_HEADERS_KEPT: u64 = 16 * 1024 * 1024;
/// Real headers may be this many times as large as a TOP is expected to be, and what was read ahead
/// is still in memory when its reader comes.
const HEADER_RESERVE: u64 = 4;

/// Why a handler looks at the arrival of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderAccess {
    /// A reader waits for it.
    Asked,
    /// A reader passes the message on a walk, and needs no more than is known.
    Passing,
}

/// Whether removals are still accepted and committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A removal is carried out by this commit or a later one.
    #[default]
    Serving,
    /// The mount is ending. The last commit takes no more removals.
    Ending,
    /// The engine has ended. Nothing is fetched or committed any more.
    Over,
}

/// Everything that changes while the mount lasts.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) catalogue: Catalogue,
    body_walks: ReadAhead,
    header_walks: ReadAhead,
    /// Separate from `header_walks`, because other programs ask for summaries than for arrivals.
    outline_walks: ReadAhead,
    /// Separate from the others, because these readers need the headers themselves.
    top_walks: ReadAhead,
    pub(crate) bodies: Bodies,
    /// The checksum of the body that the server has sent last of a message, as long as its content
    /// counts as the same.
    sent: SecondaryMap<MessageId, u32>,
    /// What TOP has shown, by inode number.
    pub(crate) tops: Bodies,
    pub(crate) sizes: SizeEstimate,
    pub(crate) wants: Wants,
    pub(crate) orders: Orders,
    pub(crate) phase: Phase,
    pub(crate) connection: Connection,
    pub(crate) listed_at: BootTime,
    /// When the server sent the listing, in Unix seconds.
    pub(crate) listing_taken: i64,
    /// Since when the server is away. None while it is not, and without `OfflineMode::Auto`.
    pub(crate) offline: Option<SystemTime>,
    /// Since when the engine has been fetching a new listing.
    pub(crate) renewing: Option<Instant>,
    pub(crate) history: History,
    /// The server allows no login before (LOGIN-DELAY).
    pub(crate) login_allowed_at: Option<BootTime>,
    /// The messages that the running commit deletes. They can no longer be restored.
    pub(crate) committing: SecondaryMap<MessageId, ()>,
}

impl State {
    pub(crate) fn new(remembered: &[Row], bodies: Bodies) -> Self {
        let tops = Bodies::new(bodies.limit().min(MOST_HEADERS_KEPT));
        Self {
            catalogue: Catalogue::remembered(remembered),
            body_walks: ReadAhead::new(
                Beginning::SecondAccess,
                WINDOW_OCTETS.min(bodies.limit() / 2),
            ),
            header_walks: ReadAhead::new(Beginning::FirstMessage, MOST_HEADERS_AHEAD),
            outline_walks: ReadAhead::new(Beginning::FirstMessage, MOST_HEADERS_AHEAD),
            top_walks: ReadAhead::new(Beginning::FirstMessage, tops.limit() / HEADER_RESERVE),
            bodies,
            sent: SecondaryMap::new(),
            tops,
            sizes: SizeEstimate::default(),
            wants: Wants::default(),
            orders: Orders::default(),
            phase: Phase::Serving,
            connection: Connection::Closed,
            listed_at: BootTime::now(),
            listing_taken: 0,
            offline: None,
            renewing: None,
            history: History::default(),
            login_allowed_at: None,
            committing: SecondaryMap::new(),
        }
    }

    /// Whether the server has sent another body of the message before. It may change a body and
    /// neither its size nor its headers.
    pub(crate) fn has_sent_other(&self, id: MessageId, checksum: u32) -> bool {
        self.sent.get(id).is_some_and(|&before| before != checksum)
    }

    pub(crate) fn note_sent(&mut self, id: MessageId, checksum: u32) {
        self.sent.insert(id, checksum);
    }

    /// The next body of the message may be any.
    pub(crate) fn forget_sent(&mut self, id: MessageId) {
        self.sent.remove(id);
    }

    /// Notes an access to a body that was read ahead or is not in memory. Returns whether more
    /// bodies are now planned to be read ahead.
    pub(crate) fn read_bodies_ahead(&mut self, id: MessageId) -> bool {
        if self.is_offline() {
            return false;
        }
        let sizes = &self.sizes;
        let schedule = self.body_walks.access(id, &self.catalogue, |message| {
            Some(sizes.octets(message.announced()))
        });
        for id in schedule.abandoned {
            self.wants.abandon(Want::Body(id));
            self.bodies.release_ahead(self.catalogue.get(id).inode);
        }
        let is_planned = !schedule.ahead.is_empty();
        for id in schedule.ahead {
            if !self.bodies.contains(self.catalogue.get(id).inode) {
                self.wants.plan(Want::Body(id));
            }
        }
        is_planned
    }

    /// Notes an access to the arrival of a message. Returns whether headers are now planned to be
    /// read ahead. A [`HeaderAccess::Passing`] access continues a walk but never begins one.
    pub(crate) fn read_headers_ahead(&mut self, id: MessageId, access: HeaderAccess) -> bool {
        if self.is_offline() {
            return false;
        }
        let unknown = |message: &Message| (!message.is_arrival_known()).then_some(HEADER_OCTETS);
        let schedule = match access {
            HeaderAccess::Asked => self.header_walks.access(id, &self.catalogue, unknown),
            HeaderAccess::Passing => self
                .header_walks
                .follow(id, &self.catalogue, unknown)
                .unwrap_or_default(),
        };
        let is_planned = !schedule.ahead.is_empty();
        self.plan_headers(schedule);
        is_planned
    }

    /// Notes an access to the summary of a message's headers, and plans reading ahead. Messages
    /// whose body is in memory are left out, because no fetch is needed for their headers.
    pub(crate) fn read_outlines_ahead(&mut self, id: MessageId) {
        if self.is_offline() {
            return;
        }
        let catalogue = &self.catalogue;
        let unknown = |message: &Message| {
            let id = catalogue.by_inode(message.inode)?;
            let is_known = catalogue.outline(id).is_some() || self.bodies.contains(message.inode);
            (!is_known).then_some(HEADER_OCTETS)
        };
        let schedule = self.outline_walks.access(id, catalogue, unknown);
        self.plan_headers(schedule);
    }

    /// Notes an access to the headers of a message, and plans reading ahead. `is_stored` tells
    /// whether the headers or the body of a message are on disk. Returns whether headers are now
    /// planned to be read ahead.
    pub(crate) fn read_tops_ahead(
        &mut self,
        id: MessageId,
        is_stored: impl Fn(&Message) -> bool,
    ) -> bool {
        if self.is_offline() {
            return false;
        }
        let (bodies, tops) = (&self.bodies, &self.tops);
        let missing = |message: &Message| {
            let is_in_memory = tops.contains(message.inode) || bodies.contains(message.inode);
            (!is_in_memory && !is_stored(message)).then_some(HEADER_OCTETS)
        };
        let schedule = self.top_walks.access(id, &self.catalogue, missing);
        let is_planned = !schedule.ahead.is_empty();
        self.plan_headers(schedule);
        is_planned
    }

    fn plan_headers(&mut self, schedule: Schedule) {
        for id in schedule.abandoned {
            self.wants.abandon(Want::Headers(id));
        }
        for id in schedule.ahead {
            self.wants.plan(Want::Headers(id));
        }
    }

    /// Whether the engine has nothing to fetch, no order and no commit.
    pub(crate) fn is_idle(&self) -> bool {
        self.wants.is_idle() && self.orders.is_empty() && self.committing.is_empty()
    }

    /// Whether the engine fetches, lists or commits anything, or is about to.
    pub(crate) fn has_work(&self) -> bool {
        !self.is_idle() || self.renewing.is_some() || self.phase == Phase::Ending
    }

    /// Whether no deletion is pending.
    pub(crate) fn has_no_deletions(&self) -> bool {
        self.catalogue.after(0, Standing::Unlinked).next().is_none()
    }

    /// Fails once the mount is ending, because a request accepted now would not be carried out.
    pub(crate) fn check_serving(&self) -> Result<(), Fault> {
        match self.phase {
            Phase::Serving => Ok(()),
            Phase::Ending | Phase::Over => Err(Fault::Ending),
        }
    }

    /// Changes the standing of a message from `from` to `to`. Fails if it has another standing, or
    /// if the running commit deletes it.
    pub(crate) fn change_standing(
        &mut self,
        id: MessageId,
        from: Standing,
        to: Standing,
    ) -> Result<(), Fault> {
        self.check_serving()?;
        if self.catalogue.get(id).standing != from || self.committing.contains_key(id) {
            return Err(Fault::Departed);
        }
        self.catalogue.set_standing(id, to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;
    use crate::maildrop::shared::orders::CommitOrder;
    use crate::maildrop::shared::waiter::Waiter;

    fn state() -> State {
        State::new(&[], Bodies::new(0))
    }

    #[test]
    fn the_engine_has_work_while_it_fetches_lists_or_commits() {
        let id = SlotMap::with_key().insert(());
        assert!(!state().has_work());
        for work in [
            (|state, id| state.wants.plan(Want::Body(id))) as fn(&mut State, MessageId),
            |state, _| state.orders.refresh.push(Waiter::new(|| true, |_| {})),
            |state, _| state.orders.commit = Some(CommitOrder::default()),
            |state, id| state.committing.extend([(id, ())]),
            |state, _| state.renewing = Some(Instant::now()),
            |state, _| state.phase = Phase::Ending,
        ] {
            let mut state = state();
            work(&mut state, id);
            assert!(state.has_work());
        }
    }
}
