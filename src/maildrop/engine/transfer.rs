//! Fetching: commands written ahead, replies matched to them.
//!
//! # Theory of operation
//!
//! ```text
//!  wants ──▶ window ──▶ RETR 7, RETR 8, TOP 9 0 ... ──▶ server
//!              ▲                                           │
//!              │      flight: [7, 8, 9 ...]                ▼
//!              └──── settled ◀── front ◀── replies, in order
//! ```
//!
//! Commands are written ahead as long as their count and the octets expected of them fit the window; those that somebody
//! waits for go first. Writing and reading go on at once, so neither side's buffers can fill up for good. An order lets no
//! new command out: it waits for what is in flight, and for no more.
//!
//! When the session breaks down, a want that somebody waits for goes back to the front of the queue and is fetched by the
//! next session; the third loss is final, and so is a silence of a whole time-out, for all that wait so long. What comes of
//! several commands in flight decides whether there are several again, and before that nothing is written behind them
//! (pace.rs).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::connection::pipelining::Pipeline;
use crate::maildrop::connection::quirks::Notice;
use crate::maildrop::engine::Engine;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::top::Top;
use crate::maildrop::session::{Harvest, Occasion};
use crate::maildrop::shared::wants::Want;
use crate::maildrop::shared::window::{HEADER_OCTETS, WINDOW_COMMANDS, WINDOW_OCTETS};
use crate::pop3::{Command, Event, ServerText};
use crate::store::Incoming;

/// How often a want may be lost with its connection.
const MOST_LOSSES: u8 = 3;
/// The largest message that is fetched for the sake of its date, where the server has no TOP: about what headers cost.
const MOST_FOR_A_DATE: u64 = 64 * 1024;

/// What the server was asked for and has not answered yet, in order.
#[derive(Default)]
pub(crate) struct Flight {
    wants: VecDeque<InFlight>,
    /// The octets expected of them.
    expected: u64,
    /// The first to be sent, and the octets expected of RETR.
    next: Option<(Want, u64)>,
}

/// A want whose command is written, and what has come of its reply.
struct InFlight {
    want: Want,
    expected: u64,
    received: Incoming,
    /// The answer comes from RETR, though headers are wanted.
    whole: bool,
}

/// How a reply ended.
enum Outcome {
    Received,
    /// -ERR, in the server's words.
    Refused(ServerText),
}

/// Whether a new session must look at what is in the maildrop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relisting {
    Needed,
    NotNeeded,
}

impl Engine {
    /// Fetches until nothing is in flight and nothing is to be sent, or an order has waited for what was in flight.
    pub(crate) fn transfer(&mut self) -> Result<Relisting, Fault> {
        let mut relisting = Relisting::NotNeeded;
        loop {
            if relisting == Relisting::NotNeeded {
                self.fill_window()?;
            }
            if self.flight.is_empty() {
                return Ok(relisting);
            }
            let shared = Arc::clone(&self.shared);
            if let Some(session) = &mut self.session {
                session.link.exchange(Some(&shared.wake_up), None)?;
            }
            while let Some((flown, outcome)) = self.absorb()? {
                if self.settle(flown, outcome) == Relisting::Needed {
                    relisting = Relisting::Needed;
                }
            }
        }
    }

    fn fill_window(&mut self) -> Result<(), Fault> {
        if !self.flight.is_empty() && !self.quirks.pace.may_refill() {
            return Ok(());
        }
        let most = self.most_in_flight();
        while self.flight.has_room(most)
            && let Some((want, octets)) =
                self.flight.take_next().or_else(|| self.shared.next_want())
        {
            if self.is_too_dear(want, octets) {
                self.do_without_date(want.message());
                continue;
            }
            match self.send(want, octets) {
                Ok(sent) => self.flight.push(sent),
                Err(fault) if fault.is_of_the_link() => {
                    self.try_again(want, &fault);
                    return Err(fault);
                }
                Err(fault) => self.shared.fail(want, &fault),
            }
        }
        Ok(())
    }

    /// True for a large message of which only the date is wanted and only RETR gives it.
    fn is_too_dear(&self, want: Want, octets: u64) -> bool {
        let without_top = self
            .session
            .as_ref()
            .is_some_and(|session| session.top == Top::Missing);
        without_top && matches!(want, Want::Headers(_)) && octets > self.most_for_a_date()
    }

    fn most_for_a_date(&self) -> u64 {
        MOST_FOR_A_DATE.min(self.shared.settings.max_message)
    }

    /// The message has the time of its first sight.
    fn do_without_date(&self, message: MessageId) {
        let nothing = self.shared.disk.incoming(0);
        self.shared.receive_headers(message, nothing);
    }

    fn most_in_flight(&self) -> usize {
        let most = self.quirks.pace.most_in_flight(WINDOW_COMMANDS);
        self.session.as_ref().map_or(1, |session| {
            self.pipeline().most_in_flight(&session.capabilities, most)
        })
    }

    /// As the user wants it, and as the server can.
    fn pipeline(&self) -> Pipeline {
        self.quirks.pace.of(self.shared.settings.pipeline)
    }

    /// Writes the command of a want; `octets` are what RETR is expected to give.
    fn send(&mut self, want: Want, octets: u64) -> Result<InFlight, Fault> {
        let Some(session) = &mut self.session else {
            return Err(Fault::Ending);
        };
        let message = session.number_of(want.message()).ok_or(Fault::Departed)?;
        let whole = matches!(want, Want::Body(_)) || session.top == Top::Missing;
        if whole && octets > self.shared.settings.max_message {
            return Err(Fault::TooLarge);
        }
        let (command, expected) = match whole {
            true => (Command::Retr(message), octets),
            false => (Command::Top { message, lines: 0 }, HEADER_OCTETS),
        };
        session.link.queue(&command)?;
        session.has_retrieved |= whole;
        Ok(InFlight {
            want,
            expected,
            received: self.shared.disk.incoming(expected),
            whole,
        })
    }

    /// Takes what has come, up to the end of a reply; `None` where more must come first.
    fn absorb(&mut self) -> Result<Option<(InFlight, Outcome)>, Fault> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        while let Some(event) = session.link.next_event()? {
            let Some(current) = self.flight.wants.front_mut() else {
                return Ok(None);
            };
            let outcome = match event {
                Event::Body(octets) => {
                    current.take(octets, self.shared.settings.max_message)?;
                    continue;
                }
                Event::End => Outcome::Received,
                Event::Done(status) => Outcome::Refused(status.server_text()),
                Event::Opened(_) | Event::Line(_) | Event::Challenge(_) => continue,
            };
            session.harvest = Harvest::Something;
            match session.link.owed() {
                1.. => self.quirks.pace.note_reply(),
                0 if session.link.had_several() => self.quirks.pace.note_all_replies(),
                0 => {}
            }
            return Ok(self.flight.pop_front().map(|flown| (flown, outcome)));
        }
        Ok(None)
    }

    /// Gives what came to those who wait. A message that is refused may have gone: a new session tells, for all at once.
    fn settle(&mut self, flown: InFlight, outcome: Outcome) -> Relisting {
        let id = flown.want.message();
        match outcome {
            Outcome::Received if flown.whole => {
                if flown.received.is_empty() && flown.expected > 0 {
                    self.shared.fail(flown.want, &Fault::EmptyBody);
                } else {
                    self.shared.receive_body(id, flown.received);
                }
            }
            Outcome::Received => {
                self.top_is(Top::Works);
                self.shared.receive_headers(id, flown.received);
            }
            Outcome::Refused(_) if !flown.whole => self.do_without_top(flown.want),
            Outcome::Refused(text) => {
                let command = "RETR";
                match self.shared.put_back(flown.want) {
                    // It was only read ahead.
                    0 => {}
                    1 if self.may_have_gone() => return Relisting::Needed,
                    _ => self
                        .shared
                        .fail(flown.want, &Fault::Refused { command, text }),
                }
            }
        }
        Relisting::NotNeeded
    }

    /// A server that has no TOP, or refuses it for one message, is asked for the body, which tells the headers too, unless
    /// that is large.
    fn do_without_top(&mut self, want: Want) {
        let most = self.most_for_a_date();
        let mut state = self.shared.state.lock();
        let octets = state.catalogue.get(want.message()).expected_octets();
        match self.session.as_mut().map(|session| &mut session.top) {
            Some(Top::Works) if octets > most => {
                drop(state);
                self.do_without_date(want.message());
            }
            Some(Top::Works) => state.wants.ask_for_body(want.message()),
            Some(top) => {
                *top = Top::Missing;
                state.wants.put_back(want);
                self.quirks.tell(Notice::NoTop);
            }
            None => state.wants.put_back(want),
        }
    }

    /// Whether a message that is refused may no longer be there. Another session has looked a moment ago where this one was
    /// opened for that, or each message that the server refuses for reasons of its own would cost a log-in.
    fn may_have_gone(&self) -> bool {
        let is_for_demand = self
            .session
            .as_ref()
            .is_some_and(|session| session.occasion == Occasion::Demand);
        let age = self.shared.state.lock().listed_at.elapsed();
        is_for_demand || age >= self.shared.settings.refresh
    }

    fn top_is(&mut self, top: Top) {
        if let Some(session) = &mut self.session {
            session.top = top;
        }
    }

    /// The session broke down. What was in flight is fetched anew, or fails with the fault.
    pub(crate) fn lose(&mut self, fault: &Fault) {
        log::info!("lost the session: {fault}");
        self.shared.state.lock().history.note_fault(fault);
        let mut lost = self.flight.take();
        let front = lost.pop_front();
        let nothing_came = front.as_ref().is_none_or(|front| front.received.is_empty());
        if let Some(session) = &self.session {
            let tells = nothing_came || matches!(fault, Fault::Protocol(_));
            if tells && session.link.is_amid_several() {
                self.quirks.pace.note_breakdown(fault);
            }
            self.count_session(session.harvest, fault);
        }
        self.drop_session();
        while let Some(behind) = lost.pop_back() {
            match fault.is_silence() {
                // It may have been asked for a moment ago.
                true => self.try_again(behind.want, fault),
                // The connection broke over the reply in front of it.
                false => self.shared.state.lock().wants.put_back(behind.want),
            }
        }
        if fault.is_silence() {
            self.fail_those_kept_waiting(fault);
        }
        let Some(front) = front else { return };
        if fault.is_silence() || !fault.is_of_the_link() {
            return self.shared.fail(front.want, fault);
        }
        self.try_again(front.want, fault);
    }

    /// The silence was theirs too, though another's command had to bear it: the next session would keep them as long.
    fn fail_those_kept_waiting(&self, silence: &Fault) {
        let timeout = self.shared.settings.login.timeout;
        let Some(begin) = Instant::now().checked_sub(timeout) else {
            return;
        };
        let kept_waiting = self.shared.state.lock().wants.asked_by(begin);
        for want in kept_waiting {
            self.shared.fail(want, silence);
        }
    }

    fn try_again(&self, want: Want, fault: &Fault) {
        if self.shared.put_back(want) >= MOST_LOSSES {
            self.shared.fail(want, fault);
        }
    }
}

impl Flight {
    pub(crate) fn put_next(&mut self, want: (Want, u64)) {
        self.next = Some(want);
    }

    pub(crate) fn take_next(&mut self) -> Option<(Want, u64)> {
        self.next.take()
    }

    fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    /// A window is filled up to its edge: the want that goes over it is the last.
    fn has_room(&self, most: usize) -> bool {
        self.wants.len() < most && self.expected < WINDOW_OCTETS
    }

    fn push(&mut self, sent: InFlight) {
        self.expected += sent.expected;
        self.wants.push_back(sent);
    }

    fn pop_front(&mut self) -> Option<InFlight> {
        let settled = self.wants.pop_front()?;
        self.expected -= settled.expected;
        Some(settled)
    }

    fn take(&mut self) -> VecDeque<InFlight> {
        self.expected = 0;
        std::mem::take(&mut self.wants)
    }
}

impl InFlight {
    fn take(&mut self, octets: &[u8], most: u64) -> Result<(), Fault> {
        if self.received.len() + octets.len() as u64 > most {
            return Err(Fault::TooLarge);
        }
        self.received.push(octets).map_err(Fault::no_room)
    }
}
