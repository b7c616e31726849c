//! Commands that are written, and what has come of their replies.

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
    pub(super) fn take(&mut self, octets: &[u8], most: u64) -> Result<(), Fault> {
        if self.received.len() + octets.len() as u64 > most {
            return Err(Fault::TooLarge);
        }
        self.received.push(octets).map_err(Fault::no_room)
    }

    /// Exchange answers RETR of some messages with an empty body.
    pub(super) fn is_empty_by_fault(&self) -> bool {
        self.received.is_empty() && self.announced.octets() > 0
    }
}
