//! Read-ahead: the kernel's idea of it for a file, applied to a directory.
//!
//! # Theory of operation
//!
//! Tools walk a directory in its order. A [`Walk`] is one such walk. What comes next is scheduled
//! from its second access on, or, where that costs little, from its first if that is to the first
//! message of the directory; up to a window of octets that grows with each access until its limit.
//!
//! ```text
//!        last access            reach
//!  ──●──────●────────○──○──○──○──│───────────────▶ directory order
//!           └─ scheduled, ≤ window ┘
//! ```
//!
//! Scheduling waits until a quarter of the window was accessed, so that the engine is woken, and
//! commands are written, for many messages at once.
//!
//! An access that no stream expects begins a stream of its own, so a single `cat` does not end the
//! walk of a `grep -r`. There are few streams; the one not used for the longest time makes room,
//! and what it had scheduled is abandoned.

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Message, Standing};
use std::collections::VecDeque;

/// Walks at the same time.
const MOST_STREAMS: usize = 4;
/// How many messages a walk may leave out: some are cached, and not accessed.
const SLACK: usize = 16;
/// How many messages one access looks at.
const MOST_LOOKS: usize = 8192;
/// The window behind the first two accesses in order, in octets.
const FIRST_WINDOW: u64 = 128 * 1024;

/// From when on accesses count as a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// From one to the first message of the directory on, as the kernel takes a read at offset 0;
    /// or as below.
    FirstMessage,
    /// From the second in directory order on.
    SecondAccess,
}

/// The walks over the directory.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    beginning: Beginning,
    /// The most recently used is the last.
    streams: Vec<Walk>,
    /// The greatest window, in octets.
    limit: u64,
}

/// One walk.
#[derive(Debug)]
struct Walk {
    /// The inode of the last access.
    last: u64,
    /// The inode up to which all was looked at for scheduling.
    reach: u64,
    window: u64,
    scheduled: VecDeque<(MessageId, u64)>,
    /// The sum of what is scheduled.
    octets: u64,
}

/// What an access leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// To be fetched, in this order.
    pub(crate) ahead: Vec<MessageId>,
    /// Scheduled before, and no longer of use.
    pub(crate) abandoned: Vec<MessageId>,
}

impl ReadAhead {
    pub(crate) fn new(beginning: Beginning, limit: u64) -> ReadAhead {
        ReadAhead {
            beginning,
            streams: Vec::new(),
            limit,
        }
    }

    /// Notes an access. `cost` is what fetching a message costs in octets, none where it need not
    /// be fetched.
    pub(crate) fn access(
        &mut self,
        id: MessageId,
        catalogue: &Catalogue,
        cost: impl Fn(&Message) -> Option<u64>,
    ) -> Schedule {
        self.follow(id, catalogue, &cost)
            .unwrap_or_else(|| self.begin(catalogue.get(id).inode, catalogue, &cost))
    }

    /// Notes an access that begins no walk; none where it belongs to none either.
    pub(crate) fn follow(
        &mut self,
        id: MessageId,
        catalogue: &Catalogue,
        cost: impl Fn(&Message) -> Option<u64>,
    ) -> Option<Schedule> {
        let inode = catalogue.get(id).inode;
        let at = self
            .streams
            .iter()
            .position(|stream| stream.expects(inode, catalogue))?;
        let mut stream = self.streams.remove(at);
        let abandoned = stream.advance(inode, catalogue);
        stream.window = self.wider(stream.window);
        let ahead = stream.schedule(catalogue, cost);
        self.streams.push(stream);
        Some(Schedule { ahead, abandoned })
    }

    /// The window behind the next access in order; it grows as the kernel's does for a file.
    fn wider(&self, window: u64) -> u64 {
        let factor = if window < self.limit / 16 { 4 } else { 2 };
        (window * factor).max(FIRST_WINDOW).min(self.limit)
    }

    fn begin(
        &mut self,
        inode: u64,
        catalogue: &Catalogue,
        cost: impl Fn(&Message) -> Option<u64>,
    ) -> Schedule {
        let mut abandoned = Vec::new();
        if self.streams.len() == MOST_STREAMS {
            abandoned.extend(
                self.streams
                    .remove(0)
                    .scheduled
                    .into_iter()
                    .map(|(id, _)| id),
            );
        }
        let mut stream = Walk {
            last: inode,
            reach: inode,
            window: 0,
            scheduled: VecDeque::new(),
            octets: 0,
        };
        let mut ahead = Vec::new();
        if self.beginning == Beginning::FirstMessage && is_first(inode, catalogue) {
            stream.window = FIRST_WINDOW.min(self.limit);
            ahead = stream.schedule(catalogue, cost);
        }
        self.streams.push(stream);
        Schedule { ahead, abandoned }
    }
}

impl Walk {
    fn expects(&self, inode: u64, catalogue: &Catalogue) -> bool {
        if inode <= self.last {
            return false;
        }
        let mut next = catalogue
            .after(self.last, Standing::Listed)
            .map(|(_, message)| message.inode);
        inode <= self.reach || next.by_ref().take(SLACK).any(|expected| expected == inode)
    }

    /// Moves to the access; what was passed by is no longer of use.
    fn advance(&mut self, inode: u64, catalogue: &Catalogue) -> Vec<MessageId> {
        let mut passed = Vec::new();
        while let Some(&(id, octets)) = self.scheduled.front() {
            let scheduled = catalogue.get(id).inode;
            if scheduled > inode {
                break;
            }
            self.octets -= octets;
            self.scheduled.pop_front();
            if scheduled < inode {
                passed.push(id);
            }
        }
        self.last = inode;
        self.reach = self.reach.max(inode);
        passed
    }

    fn schedule(
        &mut self,
        catalogue: &Catalogue,
        cost: impl Fn(&Message) -> Option<u64>,
    ) -> Vec<MessageId> {
        let mut ahead = Vec::new();
        if self.octets > self.window / 4 * 3 {
            return ahead;
        }
        for (id, message) in catalogue
            .after(self.reach, Standing::Listed)
            .take(MOST_LOOKS)
        {
            if self.octets >= self.window {
                break;
            }
            self.reach = message.inode;
            if let Some(octets) = cost(message) {
                self.octets += octets;
                self.scheduled.push_back((id, octets));
                ahead.push(id);
            }
        }
        ahead
    }
}

fn is_first(inode: u64, catalogue: &Catalogue) -> bool {
    let mut listed = catalogue.after(0, Standing::Listed);
    listed
        .next()
        .is_some_and(|(_, message)| message.inode == inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::catalogue::listing::{Coverage, Entry};
    use crate::pop3::UniqueId;

    const OCTETS: u64 = 64 * 1024;

    fn catalogue(count: usize) -> (Catalogue, Vec<MessageId>) {
        let mut catalogue = Catalogue::remembered(&[]);
        let uidl = |n: usize| UniqueId::from_wire(format!("{n:05}").as_bytes());
        let entries = (0..count)
            .map(|n| Entry {
                uidl: uidl(n),
                octets: OCTETS,
            })
            .collect();
        let (order, _) = catalogue.update(entries, Coverage::Complete);
        (catalogue, order)
    }

    fn listed(message: &Message) -> Option<u64> {
        Some(message.size())
    }

    #[test]
    fn a_walk_is_followed_from_its_second_access_on() {
        let (catalogue, order) = catalogue(100);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, 16 * OCTETS);
        let mut ahead = |at: usize| reading.access(order[at], &catalogue, listed);
        assert_eq!(ahead(0), Schedule::default());
        assert_eq!(ahead(1).ahead, order[2..4]);
        assert_eq!(ahead(2).ahead, order[4..7]);
        assert_eq!(ahead(3).ahead, order[7..12]);
    }

    #[test]
    fn a_limit_below_the_first_window_holds() {
        let (catalogue, order) = catalogue(100);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, OCTETS);
        reading.access(order[0], &catalogue, listed);
        assert_eq!(
            reading.access(order[1], &catalogue, listed).ahead,
            order[2..3]
        );
    }

    #[test]
    fn a_walk_may_be_followed_from_the_first_message_on() {
        let (catalogue, order) = catalogue(100);
        let mut reading = ReadAhead::new(Beginning::FirstMessage, 16 * OCTETS);
        let mut ahead = |at: usize| reading.access(order[at], &catalogue, listed).ahead;
        assert_eq!(ahead(0), order[1..3]);
        assert_eq!(ahead(1), order[3..6]);
        assert!(ahead(50).is_empty());
    }

    #[test]
    fn a_window_is_filled_again_when_a_quarter_of_it_was_accessed() {
        let (catalogue, order) = catalogue(200);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, 16 * OCTETS);
        let mut scheduled = Vec::new();
        let mut times = 0;
        for &id in &order {
            let schedule = reading.access(id, &catalogue, listed);
            assert!(schedule.abandoned.is_empty());
            assert!(reading.streams[0].octets <= 16 * OCTETS);
            times += usize::from(!schedule.ahead.is_empty());
            scheduled.extend(schedule.ahead);
        }
        assert_eq!(scheduled, order[2..]);
        assert!(times < 60, "{times}");
    }

    #[test]
    fn a_random_access_does_not_end_a_walk() {
        let (catalogue, order) = catalogue(100);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, 16 * OCTETS);
        reading.access(order[0], &catalogue, listed);
        reading.access(order[1], &catalogue, listed);
        assert_eq!(
            reading.access(order[80], &catalogue, listed),
            Schedule::default()
        );
        assert_eq!(
            reading.access(order[2], &catalogue, listed).ahead,
            order[4..7]
        );
    }

    #[test]
    fn random_accesses_schedule_nothing() {
        let (catalogue, order) = catalogue(100);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, 16 * OCTETS);
        for at in (0..100).rev() {
            assert_eq!(
                reading.access(order[at], &catalogue, listed),
                Schedule::default()
            );
        }
    }

    #[test]
    fn a_walk_that_is_given_up_abandons_what_it_had_scheduled() {
        let (catalogue, order) = catalogue(100);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, 16 * OCTETS);
        reading.access(order[0], &catalogue, listed);
        reading.access(order[1], &catalogue, listed);
        let abandoned: Vec<MessageId> = [90, 70, 50, 30, 20]
            .into_iter()
            .flat_map(|at: usize| reading.access(order[at], &catalogue, listed).abandoned)
            .collect();
        assert_eq!(abandoned, order[2..4]);
    }

    #[test]
    fn what_need_not_be_fetched_is_passed_over() {
        let (catalogue, order) = catalogue(20);
        let odd = |message: &Message| (message.inode >> 16 & 1 == 1).then_some(OCTETS);
        let mut reading = ReadAhead::new(Beginning::SecondAccess, 16 * OCTETS);
        reading.access(order[0], &catalogue, odd);
        assert_eq!(
            reading.access(order[1], &catalogue, odd).ahead,
            [order[3], order[5]]
        );
    }
}
