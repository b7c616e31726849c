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

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::pending::Shown;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::Session;
use crate::maildrop::session::headers::Headers;
use crate::maildrop::session::top::Top;
use crate::maildrop::settings::Settings;
use crate::pop3::{Command, Event, MessageNumber};

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
