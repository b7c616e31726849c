//! Has the session show the headers of several messages by TOP, and finds out over which message it
//! broke.
//!
//! Two NOOPs behind the last TOP show that the replies are in step (step_check.rs). Of replies that
//! are out of step the cause is known only where commands go one at a time: the TOP that was
//! answered last.

use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::connection::step_check::StepCheck;
use crate::maildrop::connection::tops::{TopOf, Tops};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::headers::HeaderBuffer;
use crate::pop3::{Command, Event, MessageNumber, Status};

/// What TOP needs.
pub(crate) struct Show<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) quirks: &'a mut Quirks,
    /// How many commands may be in flight.
    pub(crate) ahead: usize,
    /// The limit on one reply, in octets.
    pub(crate) max_message: u64,
}

/// A message that TOP is asked for.
pub(crate) trait TopTarget {
    fn number(&self) -> MessageNumber;
    fn top_of(&self) -> TopOf;
}

/// How the server answered one TOP.
pub(crate) enum TopReply<'a> {
    Headers(Vec<u8>),
    Refused(Status<'a>),
}

/// A command of the pipeline.
enum ShowCommand<'a, T> {
    Top(&'a T),
    /// NOOP.
    Check,
}

impl Show<'_> {
    /// Asks for each message, and passes each reply to `take`. Messages whose TOP broke an earlier
    /// session come last, each alone.
    pub(crate) fn ask<T: TopTarget>(
        &mut self,
        messages: &[T],
        mut take: impl FnMut(&mut Tops, &T, TopReply<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let goes_alone = |message: &&T| self.quirks.tops.is_to_go_alone(message.top_of());
        let (alone, together): (Vec<&T>, Vec<&T>) = messages.iter().partition(goes_alone);
        self.ask_at_once(&together, self.ahead, &mut take)?;
        for message in alone {
            self.ask_at_once(&[message], 1, &mut take)?;
            self.quirks.tops.note_in_step(message.top_of());
        }
        Ok(())
    }

    fn ask_at_once<T: TopTarget>(
        &mut self,
        messages: &[&T],
        ahead: usize,
        mut take: impl FnMut(&mut Tops, &T, TopReply<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut commands: Vec<ShowCommand<'_, T>> =
            messages.iter().copied().map(ShowCommand::Top).collect();
        commands.extend([ShowCommand::Check, ShowCommand::Check]);
        let mut check = StepCheck::default();
        let mut answered = 0;
        let mut headers = HeaderBuffer::default();
        let (tops, max_message) = (&mut self.quirks.tops, self.max_message);
        let take_event = |command: &ShowCommand<'_, T>, event: Event<'_>| {
            let ShowCommand::Top(message) = command else {
                return check.take(&event);
            };
            let reply = match event {
                Event::Body(octets) => return headers.take(octets, max_message),
                Event::End => TopReply::Headers(std::mem::take(&mut headers).kept),
                Event::Done(status) => TopReply::Refused(status),
                _ => return Ok(()),
            };
            answered += 1;
            take(tops, message, reply)
        };
        let outcome = self
            .link
            .pipeline(&commands, ahead, ShowCommand::written, take_event)
            .and_then(|()| self.link.refuse_what_is_unasked());
        self.note_outcome(&outcome, messages, answered, ahead);
        outcome
    }

    fn note_outcome<T: TopTarget>(
        &mut self,
        outcome: &Result<(), Fault>,
        messages: &[&T],
        answered: usize,
        ahead: usize,
    ) {
        let counted = self.quirks.pipelining.note_pipeline(self.link, outcome);
        let Err(fault) = outcome else { return };
        let is_nothing_due = self.link.owed() == 0 || answered == messages.len();
        let due = match matches!(fault, Fault::Protocol(_)) && is_nothing_due {
            true if ahead == 1 => answered.checked_sub(1),
            true => None,
            false => Some(answered),
        };
        if let Some(message) = due.and_then(|due| messages.get(due)) {
            self.quirks.note_top_fault(message.top_of(), fault, counted);
        }
        if matches!(fault, Fault::Protocol(_)) {
            self.quirks.pipelining.note_out_of_step();
        }
    }
}

impl<T: TopTarget> ShowCommand<'_, T> {
    fn written(&self) -> Command<'static> {
        match self {
            Self::Top(message) => Command::Top {
                message: message.number(),
                lines: 0,
            },
            Self::Check => Command::Noop,
        }
    }
}
