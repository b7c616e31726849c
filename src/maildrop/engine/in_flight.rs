//! Commands that are written, and what has come of their replies.

use std::collections::VecDeque;

use crate::maildrop::catalogue::identity::LONGEST_HEADERS;
use crate::maildrop::catalogue::message::Announced;
use crate::maildrop::connection::listed_sizes::ListedSizes;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::headers::HeaderBuffer;
use crate::maildrop::shared::wants::Want;
use crate::maildrop::shared::window::{CHECK_COMMANDS, CHECK_OCTETS};
use crate::store::Incoming;

/// A reply out of step shows the size of one of this many neighbours on either side.
const NEIGHBOURS: usize = 4;

/// The commands that the server has not answered, in order.
#[derive(Debug, Default)]
pub(super) struct SentCommands {
    queue: VecDeque<InFlight>,
    /// The octets expected of them.
    expected: u64,
    /// What the last bodies before them were announced with.
    answered: VecDeque<Announced>,
    /// Replies and octets, to come or here, that no check among these commands will confirm.
    unchecked: Unchecked,
}

/// Commands since the last check was written, and the octets that they are expected to give.
#[derive(Clone, Copy, Debug, Default)]
struct Unchecked {
    commands: usize,
    octets: u64,
    /// Only a check confirms some of them.
    needs_check: bool,
}

/// A command that is written.
#[derive(Debug)]
pub(super) enum InFlight {
    Fetch(Box<SentFetch>),
    /// TOP of the first suspect, and what has come of it.
    ShowAgain(HeaderBuffer),
    /// The first of two NOOPs. What answers it may be the first line of a reply that is out of step.
    Probe,
    /// NOOP.
    Check,
}

/// A want whose command is written, and what has come of its reply.
#[derive(Debug)]
pub(super) struct SentFetch {
    pub(super) want: Want,
    pub(super) announced: Announced,
    /// The octets that the window counts.
    pub(super) expected: u64,
    pub(super) received: Incoming,
    /// The octets of the reply so far, kept or not.
    pub(super) octets: u64,
    /// RETR was sent, also where headers are wanted and the server has no TOP.
    pub(super) is_whole: bool,
    /// The bodies asked for around this one have other sizes.
    pub(super) is_distinct: bool,
}

/// How a reply ended.
pub(super) enum Reply {
    Received(SentFetch),
    /// The server answered -ERR, which is this fault.
    Refused(SentFetch, Fault),
    /// The headers of the first suspect; `None` where the server refuses them.
    ShownAgain(Option<Vec<u8>>),
    /// The server answered a probe: the check behind it decides.
    Probed,
    /// The server answered the check.
    Checked,
}

impl SentCommands {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The octets expected of all of them.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// The command whose reply is due.
    pub(super) fn first(&self) -> Option<&InFlight> {
        self.queue.front()
    }

    /// The command whose reply is due.
    pub(super) fn first_mut(&mut self) -> Option<&mut InFlight> {
        self.queue.front_mut()
    }

    /// Whether no octet has come of the reply that is due.
    pub(super) fn nothing_came_of_first(&self) -> bool {
        match self.queue.front() {
            Some(InFlight::Fetch(fetch)) => fetch.received.is_empty(),
            Some(InFlight::ShowAgain(_) | InFlight::Probe | InFlight::Check) | None => true,
        }
    }

    /// Whether only another check confirms some of the replies.
    pub(super) fn needs_check(&self) -> bool {
        self.unchecked.needs_check
    }

    /// Whether so much needs a check that it is to be written now.
    pub(super) fn are_many_unchecked(&self) -> bool {
        let Unchecked {
            commands, octets, ..
        } = self.unchecked;
        self.needs_check() && (commands >= CHECK_COMMANDS || octets >= CHECK_OCTETS)
    }

    /// Adds a RETR or TOP. `sizes` is what the sizes of this server's LIST are worth.
    pub(super) fn add_fetch(&mut self, mut fetch: SentFetch, sizes: ListedSizes) {
        self.tell_from_neighbours(&mut fetch);
        self.expected += fetch.expected;
        self.unchecked.commands += 1;
        self.unchecked.octets += fetch.expected;
        self.unchecked.needs_check |= !fetch.is_whole || !sizes.is_trusted();
        self.queue.push_back(InFlight::Fetch(Box::new(fetch)));
    }

    /// Adds TOP of a suspect.
    pub(super) fn add_show_again(&mut self) {
        let shown = InFlight::ShowAgain(HeaderBuffer::default());
        self.queue.push_back(shown);
    }

    /// Adds the first of two NOOPs.
    pub(super) fn add_probe(&mut self) {
        self.queue.push_back(InFlight::Probe);
    }

    /// Adds a NOOP.
    pub(super) fn add_check(&mut self) {
        self.queue.push_back(InFlight::Check);
        self.unchecked = Unchecked::default();
    }

    /// Takes the first, whose reply has ended; with `refusal` if it was -ERR.
    pub(super) fn pop(&mut self, refusal: Option<Fault>) -> Option<Reply> {
        let fetch = match self.queue.pop_front()? {
            InFlight::Probe => return Some(Reply::Probed),
            InFlight::Check => return Some(Reply::Checked),
            InFlight::ShowAgain(headers) => {
                let shown = refusal.is_none().then_some(headers.kept);
                return Some(Reply::ShownAgain(shown));
            }
            InFlight::Fetch(fetch) => *fetch,
        };
        self.expected -= fetch.expected;
        Some(match refusal {
            None => Reply::Received(fetch),
            Some(fault) => Reply::Refused(fetch, fault),
        })
    }

    /// Notes what a body was announced with whose reply is here.
    pub(super) fn note_answered(&mut self, announced: Announced) {
        self.answered.push_back(announced);
        if self.answered.len() > NEIGHBOURS {
            self.answered.pop_front();
        }
    }

    /// Takes the want whose reply was due, and those behind it in order. Nothing is in flight any
    /// more.
    pub(super) fn take_lost(&mut self) -> (Option<Want>, Vec<Want>) {
        let lost = std::mem::take(self).queue;
        let is_fetch_due = matches!(lost.front(), Some(InFlight::Fetch(_)));
        let mut wants = lost.into_iter().filter_map(|sent| match sent {
            InFlight::Fetch(fetch) => Some(fetch.want),
            InFlight::ShowAgain(_) | InFlight::Probe | InFlight::Check => None,
        });
        let front = match is_fetch_due {
            true => wants.next(),
            false => None,
        };
        (front, wants.collect())
    }

    /// Notes whether a reply out of step would be seen by its size.
    fn tell_from_neighbours(&mut self, fetch: &mut SentFetch) {
        fetch.is_distinct = fetch.is_whole;
        for sent in self.queue.iter_mut().rev().take(NEIGHBOURS) {
            if let InFlight::Fetch(neighbour) = sent
                && neighbour.announced.may_have_the_size_of(fetch.announced)
            {
                neighbour.is_distinct = false;
                fetch.is_distinct = false;
            }
        }
        let before = NEIGHBOURS.saturating_sub(self.queue.len());
        let is_like = |neighbour: &Announced| neighbour.may_have_the_size_of(fetch.announced);
        if self.answered.iter().rev().take(before).any(is_like) {
            fetch.is_distinct = false;
        }
    }
}

impl SentFetch {
    /// Takes the next octets of the reply, which may have `most` of them.
    pub(super) fn take(&mut self, octets: &[u8], most: u64) -> Result<(), Fault> {
        self.octets += octets.len() as u64;
        if self.octets > most {
            return Err(Fault::TooLarge);
        }
        let kept = match self.is_whole {
            true => octets,
            false => self.within_headers(octets),
        };
        self.received.push(kept).map_err(Fault::no_room)
    }

    /// What is kept of a reply to TOP. Some servers send the whole message.
    fn within_headers<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        let room = (LONGEST_HEADERS as u64).saturating_sub(self.received.len());
        &octets[..octets.len().min(room as usize)]
    }

    /// Exchange answers RETR of some messages with an empty body.
    pub(super) fn is_empty_by_fault(&self) -> bool {
        self.received.is_empty() && self.announced.octets() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::catalogue::id::MessageId;
    use crate::store::Disk;

    const MOST: u64 = 1_000_000;

    fn sent(is_whole: bool) -> SentFetch {
        SentFetch {
            want: Want::Headers(MessageId::default()),
            announced: Announced {
                listed: MOST,
                exact: None,
            },
            expected: MOST,
            received: Disk::off().incoming(MOST),
            octets: 0,
            is_whole,
            is_distinct: false,
        }
    }

    #[test]
    fn a_reply_to_top_is_kept_as_far_as_headers_may_reach() {
        for (is_whole, kept) in [(true, MOST), (false, LONGEST_HEADERS as u64)] {
            let mut fetch = sent(is_whole);
            for _ in 0..10 {
                assert!(fetch.take(&[b'x'; MOST as usize / 10], MOST).is_ok());
            }
            assert_eq!(fetch.received.len(), kept);
            assert!(matches!(fetch.take(b"x", MOST), Err(Fault::TooLarge)));
        }
    }
}
