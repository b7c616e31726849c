//! Whether commands are written ahead of the replies: a few servers that announce PIPELINING get it wrong.

use crate::maildrop::connection::link::Link;
use crate::maildrop::fault::Fault;
use crate::pop3::Capabilities;

/// After so many sessions in a row that break down over several commands, one is sent at a time: once may have been the
/// link's doing.
const MOST_BREAKDOWNS: u8 = 2;

/// The commands that a server is tried with: so few are answered soon, and not cut off by a link that fails now and then.
const TRIAL: usize = 16;

/// How the server has taken several commands at once so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pipelining {
    order: Order,
    /// Sessions in a row that were cut over several commands.
    cuts: u8,
    /// Sessions in a row that fell silent over several commands, none of which was answered in full.
    silences: u8,
    /// The server has sent a reply that nobody asked for, or none that was due.
    is_out_of_step: bool,
}

/// Whether commands are written ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// They are, but none behind replies that have begun to come: where the server has lost what followed the first command,
    /// the reply to another would be taken for that of what was lost.
    #[default]
    Untried,
    /// Several were answered in full.
    Pipelined,
    /// Pipelined replies have been out of step, or did not come.
    Sequential,
}

impl Pipelining {
    /// As the user wants it, and as the server can.
    pub(crate) fn limit(self, wanted: Pipeline) -> Pipeline {
        match self.order {
            Order::Untried | Order::Pipelined => wanted,
            Order::Sequential => Pipeline::Off,
        }
    }

    /// How many commands may be in flight, of those that the window has room for.
    pub(crate) fn most_in_flight(self, window: usize) -> usize {
        match self.order {
            Order::Pipelined => window,
            Order::Untried | Order::Sequential => window.min(TRIAL),
        }
    }

    /// Whether a command may be written while the server owes replies to what was written before.
    pub(crate) fn may_refill(self) -> bool {
        self.order == Order::Pipelined
    }

    /// Commands were written ahead where the server lets us, and this came of it.
    pub(crate) fn note_pipeline<T>(&mut self, link: &Link, outcome: &Result<T, Fault>) {
        match outcome {
            Ok(_) if link.had_several() => self.note_all_replies(),
            Err(fault) if link.is_amid_several() => self.note_breakdown(fault),
            _ => {}
        }
    }

    /// A session broke down over several commands.
    pub(crate) fn note_breakdown(&mut self, fault: &Fault) {
        if !fault.is_of_the_link() {
            return;
        }
        if matches!(fault, Fault::Protocol(_)) {
            return self.note_out_of_step();
        }
        let (count, why) = match fault.is_silence() {
            true => (&mut self.silences, "the server does not answer more"),
            false => (&mut self.cuts, "the server closes the connection on more"),
        };
        *count = count.saturating_add(1);
        let is_too_often = *count >= MOST_BREAKDOWNS;
        if self.order == Order::Pipelined {
            self.order = Order::Untried;
        }
        if is_too_often {
            self.slow_down(why);
        }
    }

    /// A reply came while others were owed.
    pub(crate) fn note_reply(&mut self) {
        self.cuts = 0;
    }

    /// Of several commands that were in flight at once, all are answered. A server that loses what follows the first
    /// never comes so far.
    pub(crate) fn note_all_replies(&mut self) {
        self.cuts = 0;
        self.silences = 0;
        if self.order == Order::Untried {
            self.order = Order::Pipelined;
        }
    }

    /// A reply broke the protocol: from now on the server gets one command at a time.
    pub(crate) fn note_out_of_step(&mut self) {
        self.is_out_of_step = true;
        self.slow_down("the server's replies were out of step");
    }

    /// Whether the server was ever seen to send replies out of step.
    pub(crate) fn is_out_of_step(self) -> bool {
        self.is_out_of_step
    }

    fn slow_down(&mut self, why: &str) {
        if self.order != Order::Sequential {
            log::warn!("one command at a time from now on: {why}");
            self.order = Order::Sequential;
        }
    }
}

/// How many commands may be in flight where the server offers PIPELINING after the log-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pipeline {
    /// As many as the window of octets allows.
    #[default]
    Auto,
    /// One.
    Off,
    /// So many at the most.
    Most(u16),
}

impl Pipeline {
    /// How many commands may be in flight after the log-in, `most` where nobody set a limit.
    pub(crate) fn most_in_flight(self, capabilities: &Capabilities, most: usize) -> usize {
        match self {
            _ if !capabilities.pipelining => 1,
            Pipeline::Auto => most,
            Pipeline::Off => 1,
            Pipeline::Most(commands) => usize::from(commands).clamp(1, most),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::NetError;
    use crate::pop3::{ProtocolError, ServerText};

    fn after(faults: &[Fault]) -> Pipeline {
        let mut pace = Pipelining::default();
        for fault in faults {
            pace.note_breakdown(fault);
        }
        pace.limit(Pipeline::Auto)
    }

    fn cut() -> Fault {
        Fault::from(NetError::Closed)
    }

    fn silence() -> Fault {
        Fault::from(NetError::Silence(Duration::from_secs(1)))
    }

    #[test]
    fn a_single_breakdown_may_be_the_links_doing() {
        assert_eq!(after(&[cut(), silence()]), Pipeline::Auto);
        assert_eq!(after(&[cut(), cut()]), Pipeline::Off);
        assert_eq!(after(&[silence(), silence()]), Pipeline::Off);
    }

    #[test]
    fn replies_out_of_step_are_the_servers_doing() {
        let out_of_step = ProtocolError::NotAStatus(ServerText::default());
        assert_eq!(after(&[out_of_step.into()]), Pipeline::Off);
    }

    #[test]
    fn a_fault_that_is_not_of_the_link_says_nothing_of_pipelining() {
        assert_eq!(after(&vec![Fault::TooLarge; 3]), Pipeline::Auto);
    }

    #[test]
    fn a_server_that_answers_the_first_of_several_alone_is_slowed_down_for_all_that() {
        let mut pace = Pipelining::default();
        pace.note_breakdown(&silence());
        pace.note_reply();
        pace.note_breakdown(&silence());
        assert_eq!(pace.limit(Pipeline::Auto), Pipeline::Off);
    }

    #[test]
    fn nothing_is_written_behind_several_before_several_were_answered_in_full() {
        let mut pace = Pipelining::default();
        pace.note_reply();
        assert!(!pace.may_refill());
        assert_eq!(pace.most_in_flight(1000), TRIAL);
        pace.note_all_replies();
        assert!(pace.may_refill());
        assert_eq!(pace.most_in_flight(1000), 1000);
        pace.note_breakdown(&silence());
        assert!(!pace.may_refill());
    }

    #[test]
    fn a_server_that_has_answered_several_is_trusted_anew() {
        let mut pace = Pipelining::default();
        for _ in 0..5 {
            pace.note_breakdown(&silence());
            pace.note_breakdown(&cut());
            pace.note_all_replies();
        }
        assert_eq!(pace.limit(Pipeline::Auto), Pipeline::Auto);
    }
}
