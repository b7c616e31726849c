//! What QUIT has done to what was marked, and what becomes of what is left.

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Message, Standing};
use crate::maildrop::deletion::verdict::{Kept, Verdict};
use crate::maildrop::engine::Engine;
use crate::maildrop::engine::commit::{ATTEMPTS, Doubt, Marked, Refused, is_group_left};
use crate::maildrop::fault::Fault;

impl Engine {
    pub(super) fn committed(&mut self, marked: Marked, mut verdict: Verdict) -> Verdict {
        self.shared.retire(&marked.accepted);
        verdict.deleted = marked.accepted.len();
        if marked.refused.is_empty() {
            return verdict;
        }
        let left = match self.ensure_session_for_commit() {
            Ok(()) if self.names_as_many(marked.unnamed) => {
                self.still_there(marked.refused, &mut verdict)
            }
            _ => marked.refused,
        };
        self.keep(left, verdict)
    }

    /// Whether a message that the open session does not name is not there: one before named it, and had so many unnamed.
    fn names_as_many(&self, unnamed: usize) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.unnamed <= unnamed)
    }

    /// As the open session has listed it.
    fn is_on_the_server(&self, id: MessageId) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.number_of(id).is_some())
    }

    /// Asks a new session which of the messages are still there.
    pub(super) fn look(
        &mut self,
        marked: Marked,
        mut verdict: Verdict,
        doubt: &Doubt,
    ) -> Result<Verdict, Fault> {
        let reason = doubt.reason();
        log::warn!("QUIT was not confirmed ({reason}): looking what is left");
        let before = self.messages(&marked.accepted);
        let mut attempt = 1;
        let give_up = self.patience_for_others();
        while let Err(fault) = self.ensure_session_for_commit() {
            // The server may think for a while that the session before still has the maildrop.
            if self.wait_out(give_up) && fault.passes() {
                continue;
            }
            if attempt == ATTEMPTS {
                return Err(Fault::OutcomeUnknown(format!(
                    "{reason}; then, asked what is left: {fault}"
                )));
            }
            attempt += 1;
        }
        if !self.names_as_many(marked.unnamed) {
            return Err(Fault::OutcomeUnknown(format!(
                "{reason}; nor does it tell what is left"
            )));
        }
        let after = self.messages(&marked.accepted);
        let mut left = Vec::new();
        for ((&id, was), is) in marked.accepted.iter().zip(&before).zip(&after) {
            if self.is_on_the_server(id) && !is_a_twin_now(was, &before, is) {
                left.push((id, reason.clone()));
            } else {
                verdict.deleted += 1;
            }
        }
        let mut gone = marked.accepted;
        gone.retain(|&id| !self.is_on_the_server(id));
        self.shared.retire(&gone);
        if let Doubt::Silent(_) = doubt
            && !left.is_empty()
        {
            return Err(Fault::OutcomeUnknown(format!(
                "{reason}; it may be deleting yet what it still has"
            )));
        }
        left.extend(self.still_there(marked.refused, &mut verdict));
        Ok(self.keep(left, verdict))
    }

    /// Those refused messages that the open session may have, though by a twin's name; the others are counted as gone.
    fn still_there(&self, refused: Refused, verdict: &mut Verdict) -> Refused {
        let Some(session) = &self.session else {
            return refused;
        };
        let state = self.shared.state.lock();
        let (left, gone): (Refused, Refused) = refused
            .into_iter()
            .partition(|&(id, _)| is_group_left(&state.catalogue, session, id));
        verdict.gone += gone.len();
        left
    }

    fn messages(&self, ids: &[MessageId]) -> Vec<Message> {
        let state = self.shared.state.lock();
        ids.iter()
            .map(|&id| state.catalogue.get(id).clone())
            .collect()
    }

    /// Lists again what the server kept, unless a listing since has told otherwise.
    fn keep(&self, left: Refused, mut verdict: Verdict) -> Verdict {
        let state = self.shared.state.lock();
        let unlinked = |&id: &MessageId| state.catalogue.get(id).standing == Standing::Unlinked;
        let ids: Vec<MessageId> = left.iter().map(|&(id, _)| id).filter(unlinked).collect();
        drop(state);
        self.shared.stand(&ids, Standing::Listed);
        let state = self.shared.state.lock();
        verdict
            .kept
            .extend(left.into_iter().map(|(id, reason)| Kept {
                name: state.catalogue.get(id).name(),
                reason,
            }));
        verdict
    }
}

/// The twins that are left have the names of those that are deleted: only how many there are tells them apart.
fn is_a_twin_now(was: &Message, deleted: &[Message], is: &Message) -> bool {
    let deleted = deleted.iter().filter(|other| other.is_twin_of(was));
    is.twins() as usize + deleted.count() <= was.twins() as usize
}
