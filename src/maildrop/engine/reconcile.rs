//! What QUIT has done to the messages that were marked, and what becomes of those that are left.

use std::time::Instant;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Message, Standing};
use crate::maildrop::deletion::verdict::{Kept, Verdict};
use crate::maildrop::engine::quit::{ATTEMPTS, Marked, QuitDoubt, Refused};
use crate::maildrop::engine::sessions::Sessions;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::Session;
use crate::maildrop::shared::Shared;

/// The end of a commit, after QUIT.
pub(super) struct Reconcile<'a> {
    shared: &'a Shared,
    marked: Marked,
    verdict: Verdict,
}

impl<'a> Reconcile<'a> {
    /// `verdict` tells of the messages that the session did not have.
    pub(super) fn new(shared: &'a Shared, marked: Marked, verdict: Verdict) -> Self {
        Self {
            shared,
            marked,
            verdict,
        }
    }

    /// The server has answered QUIT with `+OK`: what took DELE is deleted.
    pub(super) fn committed(mut self, sessions: &mut Sessions) -> Verdict {
        self.shared.retire(&self.marked.accepted);
        self.verdict.deleted = self.marked.accepted.len();
        if self.marked.refused.is_empty() {
            return self.verdict;
        }
        let refused = std::mem::take(&mut self.marked.refused);
        let left = match sessions.ensure_for_commit(self.shared) {
            Ok(()) if self.names_as_many(sessions) => self.still_there(refused, sessions),
            _ => refused,
        };
        self.keep(left)
    }

    /// Asks a new session which of the messages are still there.
    pub(super) fn look(
        mut self,
        doubt: &QuitDoubt,
        sessions: &mut Sessions,
    ) -> Result<Verdict, Fault> {
        let reason = doubt.reason();
        log::warn!("QUIT was not confirmed ({reason}): looking what is left");
        let before = self.marked_messages();
        self.open_session_to_look(doubt, sessions)?;
        if !self.names_as_many(sessions) {
            return Err(Fault::OutcomeUnknown(format!(
                "{reason}; nor does it tell what is left"
            )));
        }
        let after = self.marked_messages();
        let mut left = Refused::new();
        for ((&id, was), is) in self.marked.accepted.iter().zip(&before).zip(&after) {
            if is_on_the_server(id, sessions) && !is_a_twin_now(was, &before, is) {
                left.push((id, reason.clone()));
            } else {
                self.verdict.deleted += 1;
            }
        }
        let mut gone = std::mem::take(&mut self.marked.accepted);
        gone.retain(|&id| !is_on_the_server(id, sessions));
        self.shared.retire(&gone);
        if let QuitDoubt::Silent(_) = doubt
            && !left.is_empty()
        {
            return Err(Fault::OutcomeUnknown(format!(
                "{reason}; it may be deleting yet what it still has"
            )));
        }
        let refused = std::mem::take(&mut self.marked.refused);
        left.extend(self.still_there(refused, sessions));
        Ok(self.keep(left))
    }

    fn open_session_to_look(
        &self,
        doubt: &QuitDoubt,
        sessions: &mut Sessions,
    ) -> Result<(), Fault> {
        let mut attempt = 1;
        let give_up = Instant::now() + self.shared.timeout();
        while let Err(fault) = sessions.ensure_for_commit(self.shared) {
            // The server may think for a while that the session before still has the maildrop.
            if sessions.wait_for_retry(give_up) && fault.passes() {
                continue;
            }
            if attempt == ATTEMPTS {
                let reason = doubt.reason();
                return Err(Fault::OutcomeUnknown(format!(
                    "{reason}; then, asked what is left: {fault}"
                )));
            }
            attempt += 1;
        }
        Ok(())
    }

    /// Whether a message that the open session does not name is not there: the session that deleted named it, and had as many
    /// unnamed.
    fn names_as_many(&self, sessions: &Sessions) -> bool {
        sessions
            .current()
            .is_some_and(|session| session.unnamed <= self.marked.unnamed)
    }

    /// Those refused messages that the open session may have, though by a twin's name; the others are counted as gone.
    fn still_there(&mut self, refused: Refused, sessions: &Sessions) -> Refused {
        let Some(session) = sessions.current() else {
            return refused;
        };
        let state = self.shared.state.lock();
        let (left, gone): (Refused, Refused) = refused
            .into_iter()
            .partition(|&(id, _)| is_group_left(&state.catalogue, session, id));
        self.verdict.gone += gone.len();
        left
    }

    fn marked_messages(&self) -> Vec<Message> {
        let state = self.shared.state.lock();
        let messages = self.marked.accepted.iter();
        messages
            .map(|&id| state.catalogue.get(id).clone())
            .collect()
    }

    /// Lists again what the server kept, unless a listing since has told otherwise.
    fn keep(mut self, left: Refused) -> Verdict {
        let is_pending = |id: &MessageId| {
            let state = self.shared.state.lock();
            state.catalogue.get(*id).standing == Standing::Unlinked
        };
        let pending = left.iter().map(|&(id, _)| id).filter(is_pending);
        let pending: Vec<MessageId> = pending.collect();
        self.shared.list_again(&pending, &self.marked.replaced);
        let state = self.shared.state.lock();
        let kept = left.into_iter().map(|(id, reason)| Kept {
            name: state.catalogue.get(id).name(),
            reason,
        });
        self.verdict.kept.extend(kept);
        self.verdict
    }
}

/// As the open session has listed it.
fn is_on_the_server(id: MessageId, sessions: &Sessions) -> bool {
    sessions
        .current()
        .is_some_and(|session| session.number_of(id).is_some())
}

/// Whether the session has a message of the unique-id: the first of those left is called as the first ever was.
pub(super) fn is_group_left(catalogue: &Catalogue, session: &Session, id: MessageId) -> bool {
    catalogue
        .first_twin(id)
        .is_some_and(|first| session.number_of(first).is_some())
}

/// The twins that are left have the names of those that are deleted: only how many there are tells them apart.
fn is_a_twin_now(was: &Message, deleted: &[Message], is: &Message) -> bool {
    let deleted = deleted.iter().filter(|other| other.is_twin_of(was));
    is.twins() as usize + deleted.count() <= was.twins() as usize
}
