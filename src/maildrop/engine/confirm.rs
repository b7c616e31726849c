//! Whether an unlinked message that LIST gives another size by now, or that a listing left out, or that is one of several of
//! its unique-id, is still the one that was unlinked.
//!
//! The unique-id says that it is, and mbox servers do change a size: at the end of a session mailutils notes in the headers
//! what was read. But a server that used a unique-id twice would have another message deleted; and where several share one,
//! each has the number of the one before it once that is gone. So the headers are looked at once more:
//!
//! | LIST gives | it is the one |
//! |---|---|
//! | the octets that it gave, of all of its twins too | unless the headers tell of another; also where they tell no date, or there is no TOP |
//! | other octets | if the headers tell what was shown |
//! | other octets of a twin | never: those of one unique-id mostly have equal headers |

use crate::maildrop::Settings;
use crate::maildrop::catalogue::MessageId;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::scan::Headers;
use crate::maildrop::session::{Session, Top};
use crate::pop3::{Command, Event, MessageNumber};

/// How far LIST speaks for it that a message is the one that was unlinked, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    /// It has the octets that it had, as have all of its twins: it is the one, unless its headers tell of another.
    Same,
    /// It has other octets: it is the one if its headers tell so.
    Resized,
    /// One of its twins has other octets: each may have the number of another.
    Shifted,
}

/// What was shown of a message before it was in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The worst since then.
    pub(crate) likeness: Likeness,
    /// Unix seconds.
    pub(crate) arrived: Option<i64>,
    pub(crate) title: Option<Box<str>>,
    /// A user was given the body.
    pub(crate) read: bool,
}

impl Shown {
    /// Whether it is the one, as far as the headers tell where the server gives them.
    fn is_of(&self, headers: Option<&[u8]>, settings: &Settings) -> bool {
        match self.likeness {
            Likeness::Same => headers.is_none_or(|headers| !self.is_belied_by(headers, settings)),
            Likeness::Resized => headers.is_some_and(|headers| self.is_told_by(headers, settings)),
            Likeness::Shifted => false,
        }
    }

    /// Whether the headers make a difference.
    fn can_be_told(&self) -> bool {
        let was_shown = self.arrived.is_some() || self.title.is_some();
        was_shown && self.likeness != Likeness::Shifted
    }

    /// Mail without a date shows when it was seen first, which no headers can tell.
    fn is_belied_by(&self, headers: &[u8], settings: &Settings) -> bool {
        let arrived = settings.dating.of(headers);
        let other_date = arrived.is_some() && self.arrived.is_some() && arrived != self.arrived;
        other_date || !self.has_title_of(headers, settings)
    }

    /// Where nothing was shown but the name, nothing can be told.
    fn is_told_by(&self, headers: &[u8], settings: &Settings) -> bool {
        let same_date = self.arrived.is_some() && settings.dating.of(headers) == self.arrived;
        same_date && self.has_title_of(headers, settings)
    }

    /// Also where none was shown.
    fn has_title_of(&self, headers: &[u8], settings: &Settings) -> bool {
        let title = || (settings.titling)(headers);
        let shown = self.title.as_deref();
        shown.is_none_or(|shown| shown == title().as_str())
    }
}

/// A message that is to be deleted, and its number in this session.
pub(crate) type Numbered = (MessageId, MessageNumber);

/// Such a message that is in doubt, and what it has to be.
pub(crate) type Doubted = (Numbered, Shown);

impl Session {
    /// Those of the messages that are the ones that were unlinked, as far as LIST and their headers tell.
    pub(crate) fn confirm(
        &mut self,
        doubted: &[Doubted],
        settings: &Settings,
    ) -> Result<Vec<Numbered>, Fault> {
        let has_top = self.top != Top::Missing;
        let (to_ask, mut untold): (Vec<&Doubted>, Vec<&Doubted>) = doubted
            .iter()
            .partition(|(_, shown)| has_top && shown.can_be_told());
        let mut confirmed = Vec::new();
        let mut refused = Vec::new();
        let mut headers = Headers::default();
        let (ahead, top) = (self.ahead(), &mut self.top);
        let command = |&&((_, message), _): &&Doubted| Command::Top { message, lines: 0 };
        self.link
            .pipeline(&to_ask, ahead, command, |&doubted, event| {
                let (numbered, shown) = doubted;
                match event {
                    Event::Body(octets) => headers.take(octets, settings.max_message)?,
                    Event::End => {
                        *top = Top::Works;
                        let Headers { kept, .. } = std::mem::take(&mut headers);
                        if shown.is_of(Some(&kept), settings) {
                            confirmed.push(*numbered);
                        }
                    }
                    Event::Done(_) => refused.push(doubted),
                    _ => {}
                }
                Ok(())
            })?;
        if self.top != Top::Works {
            untold.extend(refused);
        }
        let by_list = untold
            .iter()
            .filter(|(_, shown)| shown.is_of(None, settings));
        confirmed.extend(by_list.map(|(numbered, _)| *numbered));
        Ok(confirmed)
    }
}
