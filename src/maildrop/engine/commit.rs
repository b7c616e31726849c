//! Carrying out the pending deletions.
//!
//! # Theory of operation
//!
//! ```text
//!  unlinked ──▶ session ──▶ DELE, for each number that its UIDL gave ──▶ QUIT ──▶ +OK: all that took DELE are deleted
//!                  ▲              │ -ERR: that one is kept                │
//!                  │              │ the link fails: nothing is deleted,   │ -ERR, closed, silent: who knows?
//!                  └──────────────┘ once more                             ▼
//!                                                       another session: what UIDL still names is kept, the rest deleted
//! ```
//!
//! A server may take its time to delete thousands of messages before it answers QUIT. Where it is silent for longer than even
//! that may take, what the other session names stays pending: the server may be deleting it yet.
//!
//! A message that is in doubt, for its size is another since it was unlinked, or it was left out, or is one of several of its
//! unique-id, is marked if LIST and its headers speak for it (doubt.rs).
//!
//! A DELE is refused, too, where another session has deleted the message since ours began: then that other session as well
//! tells what is left.
//!
//! Where the link fails over several DELEs twice, the third attempt sends one at a time (pace.rs).
//!
//! Only QUIT's +OK commits (RFC 1939 section 6). What was kept is listed again, except where the link alone was at fault, or
//! the server did not tell which message it is: then it stays pending.

use std::time::{Duration, Instant};

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::catalogue::pending::Shown;
use crate::maildrop::deletion::limit;
use crate::maildrop::deletion::limit::{Consent, Held};
use crate::maildrop::deletion::verdict::{Kept, Verdict};
use crate::maildrop::engine::Engine;
use crate::maildrop::engine::confirm::Numbered;
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::session::{FAREWELL, Session};
use crate::maildrop::settings::Settings;
use crate::pop3::{Command, Event, ServerText};

/// A server may be silent for so many time-outs while it deletes.
const QUIT_PATIENCE: u32 = 5;
/// Attempts at a commit, and at looking what an unanswered one did.
pub(super) const ATTEMPTS: u32 = 3;

/// How QUIT was answered.
enum Answer {
    Committed,
    Doubtful(Doubt),
}

/// Why it is not known what QUIT did.
pub(super) enum Doubt {
    /// It was refused, or the connection ended: by now the server has deleted what it is going to delete.
    Over(ServerText),
    /// Nothing came.
    Silent(ServerText),
}

impl Doubt {
    fn of(fault: &Fault) -> Doubt {
        let reason = ServerText::from(fault.to_string().as_bytes());
        match fault.is_silence() {
            true => Doubt::Silent(reason),
            false => Doubt::Over(reason),
        }
    }

    pub(super) fn reason(&self) -> &ServerText {
        match self {
            Doubt::Over(reason) | Doubt::Silent(reason) => reason,
        }
    }
}

/// What DELE did, before QUIT.
#[derive(Default)]
pub(super) struct Marked {
    pub(super) accepted: Vec<MessageId>,
    pub(super) refused: Refused,
    /// How many messages the session did not name.
    pub(super) unnamed: usize,
}

/// Messages that are not marked, and why: in the server's words, or ours.
pub(super) type Refused = Vec<(MessageId, ServerText)>;

/// Why a message is kept that may be another by now.
const CHANGED: &[u8] = b"it changed since it was unlinked, or may be another by now: remove it again, and sync at once";

/// What a session has of the pending messages.
#[derive(Default)]
struct Survey {
    to_delete: Vec<Numbered>,
    doubted: Vec<(Numbered, Shown)>,
    /// Of those that it has not.
    verdict: Verdict,
}

impl Survey {
    fn of(pending: &[MessageId], catalogue: &Catalogue, session: &Session) -> Survey {
        let mut survey = Survey::default();
        for &id in pending {
            survey.add(id, catalogue, session);
        }
        survey
    }

    fn add(&mut self, id: MessageId, catalogue: &Catalogue, session: &Session) {
        // The listing of a new session may have found it altered, and listed it again, or gone.
        let is_pending = catalogue.get(id).standing == Standing::Unlinked;
        let reason: &[u8] = match (session.number_of(id), catalogue.doubt(id)) {
            (Some(number), None) if is_pending => return self.to_delete.push((id, number)),
            (Some(number), Some(shown)) if is_pending => {
                return self.doubted.push(((id, number), shown.clone()));
            }
            (Some(_), _) => CHANGED,
            (None, _) if is_pending => b"the server did not tell which message it is",
            (None, _) if is_group_left(catalogue, session, id) => {
                b"of those with its unique-id some are gone: it may have another name now"
            }
            (None, _) => {
                self.verdict.gone += 1;
                return;
            }
        };
        self.verdict.kept.push(Kept {
            name: catalogue.get(id).name(),
            reason: ServerText::from(reason),
        });
    }
}

impl Engine {
    /// Deletes what is unlinked now.
    pub(crate) fn commit(&mut self, consent: Consent) -> Result<Verdict, Fault> {
        let pending = match self.begin(consent) {
            Ok(pending) if pending.is_empty() => return Ok(Verdict::default()),
            Ok(pending) => pending,
            Err(held) => return self.conclude(Err(held.into())),
        };
        let result = self.carry_out(&pending);
        self.conclude(result)
    }

    fn conclude(&self, result: Result<Verdict, Fault>) -> Result<Verdict, Fault> {
        let mut state = self.shared.state.lock();
        state.committing.clear();
        state.history.note_commit(&result);
        drop(state);
        match &result {
            Ok(verdict) => log::info!(
                "{} messages deleted, {} gone already, {} kept by the server",
                verdict.deleted,
                verdict.gone,
                verdict.kept.len()
            ),
            Err(fault @ Fault::HeldBack(_)) => log::warn!("nothing is deleted: {fault}"),
            Err(fault) => log::error!("nothing is known to be deleted: {fault}"),
        }
        result
    }

    /// From here on what is pending cannot be restored, unless the commit is held back.
    fn begin(&self, consent: Consent) -> Result<Vec<MessageId>, Held> {
        let max_delete = self.shared.settings.max_delete;
        let mut state = self.shared.state.lock();
        limit::check(&state.catalogue, max_delete, consent)?;
        let pending: Vec<MessageId> = state
            .catalogue
            .after(0, Standing::Unlinked)
            .map(|(id, _)| id)
            .collect();
        state.committing = pending.iter().copied().collect();
        Ok(pending)
    }

    fn carry_out(&mut self, pending: &[MessageId]) -> Result<Verdict, Fault> {
        let mut attempt = 1;
        let give_up = self.patience_for_others();
        let (marked, verdict) = loop {
            match self.mark(pending) {
                Ok(marked) => break marked,
                Err(fault) if attempt < ATTEMPTS && fault.is_of_the_link() => {
                    log::warn!("the deletions are tried again: {fault}");
                    self.wait_out(give_up);
                    attempt += 1;
                }
                Err(fault) if fault.passes() && self.wait_out(give_up) => {
                    log::warn!("the deletions are tried again: {fault}");
                }
                Err(fault) => return Err(fault),
            }
        };
        match self.quit(&marked) {
            Answer::Committed => Ok(self.committed(marked, verdict)),
            Answer::Doubtful(doubt) => self.look(marked, verdict, &doubt),
        }
    }

    /// Sends DELE for each pending message that the session has. Without the QUIT behind it this deletes nothing.
    fn mark(&mut self, pending: &[MessageId]) -> Result<(Marked, Verdict), Fault> {
        if self.session.as_ref().is_some_and(Session::must_not_quit) {
            // Dropped without QUIT: what was read in it stays.
            self.drop_session();
        }
        self.ensure_session_for_commit()?;
        let Some(session) = &mut self.session else {
            return Err(Fault::Ending);
        };
        let survey = Survey::of(pending, &self.shared.state.lock().catalogue, session);
        let deleted = session.delete(survey.to_delete, &survey.doubted, &self.shared.settings);
        self.quirks.pace.note_pipeline(&session.link, &deleted);
        match deleted {
            Ok(marked) => Ok((marked, survey.verdict)),
            Err(fault) => {
                self.drop_session();
                Err(fault)
            }
        }
    }

    /// Enters UPDATE state. The session is over either way.
    fn quit(&mut self, marked: &Marked) -> Answer {
        let Some(mut session) = self.session.take() else {
            return Answer::Doubtful(Doubt::Over(ServerText::default()));
        };
        if !marked.accepted.is_empty() {
            let timeout = self.shared.settings.login.timeout;
            session.link.allow_silence(timeout * QUIT_PATIENCE);
        }
        let answer = session.link.status(&Command::Quit, |status| {
            if status.is_ok() {
                Answer::Committed
            } else {
                Answer::Doubtful(Doubt::Over(status.server_text()))
            }
        });
        if let Ok(Answer::Committed) = answer {
            session.link.wait_for_close(Instant::now() + FAREWELL);
        }
        self.drop_session();
        answer.unwrap_or_else(|fault| Answer::Doubtful(Doubt::of(&fault)))
    }

    /// Until when another client's session is waited for.
    pub(super) fn patience_for_others(&self) -> Instant {
        Instant::now() + self.shared.settings.login.timeout
    }
}

/// Whether the session has a message of the unique-id: the first of those left is called as the first ever was.
pub(super) fn is_group_left(catalogue: &Catalogue, session: &Session, id: MessageId) -> bool {
    catalogue
        .first_twin(id)
        .is_some_and(|first| session.number_of(first).is_some())
}

impl Session {
    /// DELE for each, and for those doubted that are confirmed; as many ahead as the server lets pipeline.
    fn delete(
        &mut self,
        mut to_delete: Vec<Numbered>,
        doubted: &[(Numbered, Shown)],
        settings: &Settings,
    ) -> Result<Marked, Fault> {
        let confirmed = self.confirm(doubted, settings)?;
        let mut marked = Marked {
            unnamed: self.unnamed,
            ..Marked::default()
        };
        for (numbered, _) in doubted {
            match confirmed.contains(numbered) {
                true => to_delete.push(*numbered),
                false => marked.refused.push((numbered.0, ServerText::from(CHANGED))),
            }
        }
        let ahead = self.ahead();
        let dele = |&(_, number): &Numbered| Command::Dele(number);
        self.link
            .pipeline(&to_delete, ahead, dele, |&(id, _), event| {
                match event {
                    Event::Done(status) if status.is_ok() => marked.accepted.push(id),
                    Event::Done(status) => marked.refused.push((id, status.server_text())),
                    _ => {}
                }
                Ok(())
            })?;
        Ok(marked)
    }
}

impl Maildrop {
    /// How long a server that commits may say nothing before the verdict is there: while it deletes, and then while it is
    /// asked what is left.
    #[must_use]
    pub fn commit_timeout(&self) -> Duration {
        self.timeout() * (QUIT_PATIENCE + 1)
    }
}
