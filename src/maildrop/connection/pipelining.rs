//! Whether to send several commands without waiting for replies. A few servers announce PIPELINING
//! (RFC 2449 section 6.6) and do it wrong.
//!
//! A server that falls silent with several commands in flight may have lost some of them, or it
//! hangs at one message. The next session finds out by a trial: several commands that concern no
//! message (`session/scan.rs`). A server that does not answer all of those gets one command at a
//! time from then on. So does one that passes, but falls silent a few times with few replies between:
//! it may have left out a reply, and then only a command that is alone shows which.

use crate::maildrop::connection::link::Link;
use crate::maildrop::fault::Fault;
use crate::pop3::Capabilities;

/// After this many sessions in a row that the server closed with several commands in flight,
/// pipelining ends. A single one may have been the network's.
const MOST_CUTS: u8 = 2;

/// After this many silences, with fewer than [`TRIAL`] replies between them, pipelining ends. The
/// server may hang at two messages that are near each other.
const MOST_SILENCES: u8 = 3;

/// The most commands in flight until the server has answered a whole batch. Even on an unreliable
/// network so few are usually answered before the connection fails.
pub(crate) const TRIAL: usize = 16;

/// How the server has handled several commands at once in this mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pipelining {
    order: Order,
    /// Sessions in a row that the server closed with several commands in flight.
    cuts: u8,
    /// Sessions in which the server fell silent with several commands in flight, since it last
    /// answered a whole batch or [`TRIAL`] commands in a row.
    silences: u8,
    /// Replies in a row that came while others were missing.
    replies: usize,
    /// The server has sent a reply that no command asked for, or a malformed one.
    is_out_of_step: bool,
}

/// A session that the server closed with several commands in flight, and that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CountedCut;

/// Whether several commands may be in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// A batch of commands may be, but no command is added until the whole batch is answered. If
    /// the server lost all but the first command, the reply to an added command would be mistaken
    /// for the reply to a lost one.
    #[default]
    Untried,
    /// They may be, since the server has answered a whole batch.
    Pipelined,
    /// The server fell silent with several commands in flight. They may be again if it passes the
    /// trial of the next session.
    Doubted,
    /// They may not be: the server fell silent in a trial.
    Refuted,
}

impl Pipelining {
    /// What the user wants, unless this server cannot do it.
    pub(crate) fn limit(self, wanted: Pipeline) -> Pipeline {
        match self.is_over() {
            false => wanted,
            true => Pipeline::Off,
        }
    }

    /// How many commands may be in flight, at most `window`.
    pub(crate) fn most_in_flight(self, window: usize) -> usize {
        match self.order {
            Order::Pipelined => window,
            Order::Untried | Order::Doubted | Order::Refuted => window.min(TRIAL),
        }
    }

    /// Whether a command may be added while replies to earlier commands are missing.
    pub(crate) fn may_refill(self) -> bool {
        self.order == Order::Pipelined
    }

    /// Whether the next session is to begin with a trial.
    pub(crate) fn is_in_doubt(self) -> bool {
        self.order == Order::Doubted
    }

    /// Notes how a trial ended on this link.
    pub(crate) fn note_trial(&mut self, link: &Link, outcome: &Result<(), Fault>) {
        match outcome {
            Ok(()) => self.set_order(Order::Pipelined),
            Err(fault) if link.is_amid_several() => {
                self.note_breakdown(fault);
                if fault.is_silence() {
                    self.refute();
                }
            }
            Err(_) => {}
        }
    }

    /// Notes the outcome of a pipeline on this link, if several commands were in flight at once.
    /// Returns what [`Pipelining::note_breakdown`] returns.
    pub(crate) fn note_pipeline<T>(
        &mut self,
        link: &Link,
        outcome: &Result<T, Fault>,
    ) -> Option<CountedCut> {
        match outcome {
            Ok(_) if link.had_several() => self.note_all_replies(),
            Err(fault) if link.is_amid_several() => return self.note_breakdown(fault),
            _ => {}
        }
        None
    }

    /// Notes that a session failed with several commands in flight. Returns what was counted, for
    /// [`Pipelining::forgive`].
    pub(crate) fn note_breakdown(&mut self, fault: &Fault) -> Option<CountedCut> {
        if !fault.is_of_the_link() {
            return None;
        }
        if matches!(fault, Fault::Protocol(_)) {
            self.note_out_of_step();
            return None;
        }
        let was_over = self.is_over();
        self.replies = 0;
        if fault.is_silence() {
            self.silences = self.silences.saturating_add(1);
            self.set_order(Order::Doubted);
            self.tell_if_over(was_over, "the server does not answer several at once");
            return None;
        }
        self.cuts = self.cuts.saturating_add(1);
        if self.order == Order::Pipelined {
            self.order = Order::Untried;
        }
        self.tell_if_over(
            was_over,
            "the server closes the connection on several at once",
        );
        Some(CountedCut)
    }

    /// Notes that the command that was due in a breakdown has broken another session, in which it
    /// was alone. So the breakdown was not the pipeline's fault.
    pub(crate) fn forgive(&mut self, _innocent: CountedCut) {
        let was_over = self.is_over();
        self.cuts = self.cuts.saturating_sub(1);
        if was_over && !self.is_over() {
            log::info!("several commands at a time again: a single command broke the sessions");
        }
    }

    /// Notes that a reply came while others were missing.
    pub(crate) fn note_reply(&mut self) {
        self.cuts = 0;
        self.replies += 1;
        if self.replies >= TRIAL {
            self.silences = 0;
        }
    }

    /// Notes that the server has answered all of several commands that were in flight at once. A
    /// server that loses all but the first command never does that.
    pub(crate) fn note_all_replies(&mut self) {
        self.cuts = 0;
        self.silences = 0;
        self.set_order(Order::Pipelined);
    }

    /// Notes that a reply broke the protocol. From now on the server gets one command at a time.
    pub(crate) fn note_out_of_step(&mut self) {
        let was_over = self.is_over();
        self.is_out_of_step = true;
        self.tell_if_over(was_over, "the server's replies were out of step");
    }

    /// Whether the server has ever sent replies out of step in this mount.
    pub(crate) fn is_out_of_step(self) -> bool {
        self.is_out_of_step
    }

    /// Whether the server gets one command at a time, since pipelined replies were out of step or
    /// did not come.
    fn is_over(self) -> bool {
        self.is_out_of_step
            || self.order == Order::Refuted
            || self.cuts >= MOST_CUTS
            || self.silences >= MOST_SILENCES
    }

    /// What a trial has refuted stays so.
    fn set_order(&mut self, order: Order) {
        if self.order != Order::Refuted {
            self.order = order;
        }
    }

    fn refute(&mut self) {
        let was_over = self.is_over();
        self.order = Order::Refuted;
        self.tell_if_over(was_over, "the server does not answer several at once");
    }

    fn tell_if_over(self, was_over: bool, why: &str) {
        if self.is_over() && !was_over {
            log::warn!("one command at a time from now on: {why}");
        }
    }
}

/// How many commands may be in flight after the login, if the server offers PIPELINING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pipeline {
    /// As many as the window allows.
    #[default]
    Auto,
    /// One.
    Off,
    /// At most this many.
    Most(u16),
}

impl Pipeline {
    /// How many commands may be in flight after the login: at most `most`, and one if the server
    /// does not offer PIPELINING.
    pub(crate) fn most_in_flight(self, capabilities: &Capabilities, most: usize) -> usize {
        match self {
            _ if !capabilities.pipelining => 1,
            Self::Auto => most,
            Self::Off => 1,
            Self::Most(commands) => usize::from(commands).clamp(1, most),
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
        let mut pipelining = Pipelining::default();
        for fault in faults {
            pipelining.note_breakdown(fault);
        }
        pipelining.limit(Pipeline::Auto)
    }

    fn cut() -> Fault {
        Fault::from(NetError::Closed)
    }

    fn silence() -> Fault {
        Fault::from(NetError::Silence(Duration::from_secs(1)))
    }

    #[test]
    fn pipelining_ends_after_two_cuts() {
        assert_eq!(after(&[cut(), silence()]), Pipeline::Auto);
        assert_eq!(after(&[cut(), silence(), cut()]), Pipeline::Off);
    }

    #[test]
    fn pipelining_ends_after_three_silences() {
        assert_eq!(after(&[silence(), silence()]), Pipeline::Auto);
        assert_eq!(after(&[silence(), silence(), silence()]), Pipeline::Off);
    }

    #[test]
    fn a_silence_puts_the_server_to_a_trial() {
        let mut pipelining = Pipelining::default();
        for fault in [silence(), cut()] {
            assert_eq!(pipelining.is_in_doubt(), !fault.is_silence());
            pipelining.note_breakdown(&fault);
            assert!(pipelining.is_in_doubt() && !pipelining.may_refill());
        }
        pipelining.note_all_replies();
        assert!(!pipelining.is_in_doubt() && pipelining.may_refill());
    }

    #[test]
    fn silence_in_a_trial_ends_pipelining_for_good() {
        let mut pipelining = Pipelining::default();
        pipelining.refute();
        pipelining.note_breakdown(&silence());
        pipelining.note_all_replies();
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Off);
        assert!(!pipelining.is_in_doubt());
    }

    #[test]
    fn pipelining_ends_at_the_first_reply_out_of_step() {
        let out_of_step = ProtocolError::NotAStatus(ServerText::default());
        assert_eq!(after(&[out_of_step.into()]), Pipeline::Off);
    }

    #[test]
    fn faults_unrelated_to_the_link_do_not_end_pipelining() {
        assert_eq!(after(&vec![Fault::TooLarge; 3]), Pipeline::Auto);
    }

    #[test]
    fn a_breakdown_by_a_single_command_does_not_end_pipelining() {
        let mut pipelining = Pipelining::default();
        let counted = [0; 2].map(|_| pipelining.note_breakdown(&cut()).unwrap());
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Off);
        pipelining.forgive(counted[0]);
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Auto);
        pipelining.note_breakdown(&cut());
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Off);
    }

    #[test]
    fn answering_only_the_first_command_does_not_reset_silences() {
        let mut pipelining = Pipelining::default();
        for _ in 0..MOST_SILENCES {
            pipelining.note_reply();
            assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Auto);
            pipelining.note_breakdown(&silence());
            assert!(pipelining.is_in_doubt());
        }
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Off);
    }

    #[test]
    fn many_replies_in_a_row_reset_silences() {
        let mut pipelining = Pipelining::default();
        for _ in 0..5 {
            pipelining.note_breakdown(&silence());
            (0..TRIAL).for_each(|_| pipelining.note_reply());
        }
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Auto);
    }

    #[test]
    fn commands_are_added_only_after_a_whole_batch_was_answered() {
        let mut pipelining = Pipelining::default();
        pipelining.note_reply();
        assert!(!pipelining.may_refill());
        assert_eq!(pipelining.most_in_flight(1000), TRIAL);
        pipelining.note_all_replies();
        assert!(pipelining.may_refill());
        assert_eq!(pipelining.most_in_flight(1000), 1000);
        pipelining.note_breakdown(&silence());
        assert!(!pipelining.may_refill());
    }

    #[test]
    fn answering_a_whole_batch_resets_earlier_failures() {
        let mut pipelining = Pipelining::default();
        for _ in 0..5 {
            pipelining.note_breakdown(&silence());
            pipelining.note_breakdown(&cut());
            pipelining.note_all_replies();
        }
        assert_eq!(pipelining.limit(Pipeline::Auto), Pipeline::Auto);
    }
}
