//! NOOPs that show whether the server's replies are in step with our commands.
//!
//! Out of step, what answers a NOOP is the reply to an earlier command: a refusal, or the first line
//! of a long reply, whose rest may be late. So two NOOPs go out. Both are accepted, or both are
//! refused in the same words (some servers have no NOOP), and nothing follows them.

use crate::maildrop::fault::Fault;
use crate::pop3::{Event, ProtocolError, ServerText};

/// The answers to two NOOPs.
#[derive(Debug, Default)]
pub(crate) struct StepCheck {
    first: Option<NoopAnswer>,
}

#[derive(Debug, PartialEq, Eq)]
enum NoopAnswer {
    Accepted,
    /// In these words.
    Refused(ServerText),
}

impl StepCheck {
    /// Takes a part of what the server sent.
    ///
    /// # Errors
    /// This is the end of the second answer, and it differs from the first.
    pub(crate) fn take(&mut self, event: &Event<'_>) -> Result<(), Fault> {
        let Event::Done(status) = event else {
            return Ok(());
        };
        let answer = match status.is_ok() {
            true => NoopAnswer::Accepted,
            false => NoopAnswer::Refused(status.server_text()),
        };
        match self.first.take() {
            None => self.first = Some(answer),
            Some(first) if first == answer => {}
            Some(_) => return Err(ProtocolError::NoopsDiffer(status.server_text()).into()),
        }
        Ok(())
    }

    /// Forgets the first answer: the next NOOP is alone.
    pub(crate) fn clear(&mut self) {
        self.first = None;
    }
}
