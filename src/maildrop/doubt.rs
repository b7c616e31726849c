//! Whether an unlinked message that LIST gives another size by now, or that is one of several of its unique-id, is still the
//! one that was unlinked.
//!
//! The unique-id says that it is, and mbox servers do change a size: at the end of a session mailutils notes in the headers
//! what was read. But a server that used a unique-id twice would have another message deleted; and where several share one,
//! each has the number of the one before it once that is gone. So the headers are looked at once more, and have to tell what
//! was shown of the message; and where LIST tells that the numbers of twins have moved, that proves nothing either.

use super::Settings;
use super::catalogue::MessageId;
use super::fault::Fault;
use super::scan::Headers;
use super::session::{Session, Top};
use crate::pop3::{Command, Event, MessageNumber};

/// How far LIST speaks for it that a message is the one that was unlinked, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// It has the octets that it had, as have all of its twins.
    Same,
    /// It has other octets.
    Resized,
    /// One of its twins has other octets: each may have the number of another. Those that a server gives one unique-id mostly
    /// have equal headers, so these tell nothing.
    Shifted,
}

/// What was shown of a message before it was in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// The worst since then.
    pub(super) likeness: Likeness,
    /// Unix seconds.
    pub(super) arrived: Option<i64>,
    pub(super) title: Option<Box<str>>,
    /// A user was given the body.
    pub(super) read: bool,
}

impl Shown {
    /// Where nothing was shown but the name, nothing can be told.
    fn is_told_by(&self, headers: &[u8], settings: &Settings) -> bool {
        if self.likeness == Likeness::Shifted {
            return false;
        }
        let same_date = self.arrived.is_some() && settings.dating.of(headers) == self.arrived;
        let title = || (settings.titling)(headers);
        same_date
            && self
                .title
                .as_deref()
                .is_none_or(|shown| shown == title().as_str())
    }
}

/// A message that is to be deleted, and its number in this session.
pub(super) type Numbered = (MessageId, MessageNumber);

impl Session {
    /// Those of the messages whose headers tell what was shown of them.
    pub(super) fn confirm(
        &mut self,
        doubted: &[(Numbered, Shown)],
        settings: &Settings,
    ) -> Result<Vec<Numbered>, Fault> {
        let mut confirmed = Vec::new();
        if self.top == Top::Missing {
            return Ok(confirmed);
        }
        let mut headers = Headers::default();
        let ahead = self.ahead();
        let top = |&((_, message), _): &(Numbered, Shown)| Command::Top { message, lines: 0 };
        self.link
            .pipeline(doubted, ahead, top, |(numbered, shown), event| {
                match event {
                    Event::Body(octets) => headers.take(octets, settings.max_message)?,
                    Event::End => {
                        let headers = std::mem::take(&mut headers);
                        if shown.is_told_by(&headers.kept, settings) {
                            confirmed.push(*numbered);
                        }
                    }
                    _ => {}
                }
                Ok(())
            })?;
        Ok(confirmed)
    }
}
