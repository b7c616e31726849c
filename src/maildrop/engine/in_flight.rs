//! Commands that are written, and what has come of their replies.

use crate::maildrop::catalogue::identity::LONGEST_HEADERS;
use crate::maildrop::catalogue::message::Announced;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::headers::HeaderBuffer;
use crate::maildrop::shared::wants::Want;
use crate::maildrop::shared::window::{CHECK_COMMANDS, CHECK_OCTETS};
use crate::store::Incoming;

/// Commands since the last check was written, and the octets that they are expected to give.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unchecked {
    pub(super) commands: usize,
    pub(super) octets: u64,
    /// Only a check confirms some of them.
    pub(super) needs_check: bool,
}

/// A command that is written.
#[derive(Debug)]
pub(super) enum InFlight {
    Fetch(Box<SentFetch>),
    /// TOP of the first suspect, and what has come of it.
    ShowAgain(HeaderBuffer),
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
    /// The server answered the check.
    Checked,
}

impl Unchecked {
    pub(super) fn is_full(self) -> bool {
        self.needs_check && (self.commands >= CHECK_COMMANDS || self.octets >= CHECK_OCTETS)
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
