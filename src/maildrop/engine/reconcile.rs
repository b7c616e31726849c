//! What QUIT has done to the messages that were marked, and what becomes of those that are left.

use std::collections::HashMap;
use std::time::Instant;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::catalogue::pending::Likeness;
use crate::maildrop::deletion::verdict::{Kept, Verdict, Whereabouts};
use crate::maildrop::engine::quit::{
    ATTEMPTS, Marked, QuitDoubt, ShownIdentity, TwinsBefore, Unmarked,
};
use crate::maildrop::engine::sessions::Sessions;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::Session;
use crate::maildrop::shared::Shared;
use crate::pop3::ServerText;

/// The end of a commit, after QUIT.
pub(super) struct Reconcile<'a> {
    shared: &'a Shared,
    marked: Marked,
    /// The twins of each message that was to be deleted and had some, by the first of them.
    before: HashMap<MessageId, TwinsBefore>,
    verdict: Verdict,
}

/// What QUIT has done to the messages that took DELE.
#[derive(Clone, Copy)]
enum Update {
    /// It has deleted them.
    Done,
    Unknown,
}

impl<'a> Reconcile<'a> {
    /// `verdict` tells of the messages that the session did not have.
    pub(super) fn new(shared: &'a Shared, marked: Marked, verdict: Verdict) -> Self {
        let state = shared.state.lock();
        let before = twins_before(&marked, &state.catalogue);
        drop(state);
        Self {
            shared,
            marked,
            before,
            verdict,
        }
    }

    /// The server has answered QUIT with `+OK`: what took DELE is deleted.
    pub(super) fn committed(mut self, sessions: &mut Sessions) -> Verdict {
        self.shared.retire(&self.marked.accepted);
        self.verdict.deleted = self.marked.accepted.len();
        if !self.before.is_empty() {
            self.shared.renumber_twins();
        }
        if self.marked.unmarked.is_empty() {
            return self.verdict;
        }
        let unmarked = std::mem::take(&mut self.marked.unmarked);
        let left = match sessions.ensure_for_commit(self.shared) {
            Ok(()) if self.names_as_many(sessions) => {
                let (left, gone) = self.look_for(unmarked, Update::Done, sessions);
                self.verdict.gone += gone.len();
                left
            }
            _ => self.assume_left(unmarked),
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
        log::warn!("QUIT was not confirmed ({reason}): asking the server what it still has");
        self.open_session_to_look(doubt, sessions)?;
        if !self.names_as_many(sessions) {
            return Err(Fault::OutcomeUnknown(format!(
                "{reason}; then the server did not name all messages that it has"
            )));
        }
        let accepted = std::mem::take(&mut self.marked.accepted);
        let accepted = accepted.into_iter().map(|id| Unmarked {
            id,
            identity: ShownIdentity::Same,
            reason: reason.clone(),
        });
        let (mut left, gone) = self.look_for(accepted.collect(), Update::Unknown, sessions);
        self.verdict.deleted += gone.len();
        self.shared.retire(&gone);
        if let QuitDoubt::Silent(_) = doubt
            && !left.is_empty()
        {
            return Err(Fault::OutcomeUnknown(format!(
                "{reason}; the server may still be deleting them"
            )));
        }
        let unmarked = std::mem::take(&mut self.marked.unmarked);
        let (unmarked, gone) = self.look_for(unmarked, Update::Unknown, sessions);
        self.verdict.gone += gone.len();
        left.extend(unmarked);
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
            if attempt == ATTEMPTS || Instant::now() >= give_up {
                let reason = doubt.reason();
                return Err(Fault::OutcomeUnknown(format!(
                    "{reason}; then it could not be asked what it still has: {fault}"
                )));
            }
            attempt += 1;
        }
        Ok(())
    }

    /// Whether a missing name shows that the message is gone: the open session leaves no more messages
    /// unnamed than the one that sent DELE.
    fn names_as_many(&self, sessions: &Sessions) -> bool {
        sessions
            .current()
            .is_some_and(|session| session.unnamed() <= self.marked.unnamed)
    }

    /// Sorts messages by what the open session shows: those that the server still has or may have,
    /// and those that have gone.
    fn look_for(
        &self,
        messages: Vec<Unmarked>,
        update: Update,
        sessions: &Sessions,
    ) -> (Vec<LeftBehind>, Vec<MessageId>) {
        let Some(session) = sessions.current() else {
            return (self.assume_left(messages), Vec::new());
        };
        let state = self.shared.state.lock();
        let (mut left, mut gone) = (Vec::new(), Vec::new());
        for message in messages {
            match self.find(&message, update, &state.catalogue, session) {
                Some(whereabouts) => left.push((message.id, whereabouts, message.reason)),
                None => gone.push(message.id),
            }
        }
        (left, gone)
    }

    /// Where messages are that no session has looked for: the server refused to delete them.
    fn assume_left(&self, messages: Vec<Unmarked>) -> Vec<LeftBehind> {
        let state = self.shared.state.lock();
        let left = messages.into_iter().map(|message| {
            let before = self.before_of(message.id, &state.catalogue);
            let whereabouts = match before.tells_apart(message.identity) {
                true => Whereabouts::OnServer,
                false => Whereabouts::Unknown,
            };
            (message.id, whereabouts, message.reason)
        });
        left.collect()
    }

    /// Where a message is; `None` if the server has no message with its unique-id, and none that may
    /// be it under another one. One without twins is there if its unique-id is. Twins take each
    /// other's names when one has gone, so only their number tells: if it is another than it must be,
    /// any of them may have gone.
    fn find(
        &self,
        message: &Unmarked,
        update: Update,
        catalogue: &Catalogue,
        session: &Session,
    ) -> Option<Whereabouts> {
        let before = self.before_of(message.id, catalogue);
        let pending = catalogue.pending(message.id);
        let is_shifted = pending.is_some_and(|pending| pending.likeness == Likeness::Shifted);
        let are_all_there = |listed: usize| match update {
            Update::Done => listed + before.accepted == before.listed,
            Update::Unknown => listed == before.listed && !is_shifted,
        };
        match twins_in(session, catalogue.first_twin(message.id), catalogue) {
            0 if catalogue.get(message.id).may_be_renamed() => Some(Whereabouts::Unknown),
            0 => None,
            1 if before.listed == 1 => Some(Whereabouts::OnServer),
            listed if are_all_there(listed) && before.tells_apart(message.identity) => {
                Some(Whereabouts::OnServer)
            }
            _ => Some(Whereabouts::Unknown),
        }
    }

    fn before_of(&self, id: MessageId, catalogue: &Catalogue) -> TwinsBefore {
        let before = self.before.get(&catalogue.first_twin(id));
        before.copied().unwrap_or(TwinsBefore::NO_TWINS)
    }

    /// Lists again what the server kept, unless a listing since has told otherwise.
    fn keep(mut self, left: Vec<LeftBehind>) -> Verdict {
        let is_pending = |id: &MessageId| {
            let state = self.shared.state.lock();
            state.catalogue.get(*id).standing == Standing::Unlinked
        };
        let pending = left.iter().map(|&(id, ..)| id).filter(is_pending);
        let pending: Vec<MessageId> = pending.collect();
        self.shared.list_again(&pending, &self.marked.replaced);
        let state = self.shared.state.lock();
        let kept = left.into_iter().map(|(id, whereabouts, reason)| Kept {
            name: state.catalogue.get(id).name(),
            whereabouts,
            reason,
        });
        self.verdict.kept.extend(kept);
        self.verdict
    }
}

/// Lists messages again that were to be deleted after the others, and were not. `whereabouts` holds
/// for those without twins. The verdict is that of the others.
pub(super) fn keep_untried(
    messages: Vec<MessageId>,
    whereabouts: Whereabouts,
    reason: &ServerText,
    mut verdict: Verdict,
    shared: &Shared,
) -> Verdict {
    if messages.is_empty() {
        return verdict;
    }
    let state = shared.state.lock();
    // Twins were renamed: a message may have departed under its old name and still be on the server
    // under a twin's name.
    let is_shown = |id: MessageId| state.catalogue.get(id).standing != Standing::Departed;
    let is_gone = |&id: &MessageId| {
        let may_be_renamed = state.catalogue.get(id).may_be_renamed();
        !is_shown(id) && !is_shown(state.catalogue.first_twin(id)) && !may_be_renamed
    };
    let (gone, left): (Vec<MessageId>, Vec<MessageId>) = messages.into_iter().partition(is_gone);
    verdict.gone += gone.len();
    verdict.kept.extend(left.iter().map(|&id| {
        let message = state.catalogue.get(id);
        let whereabouts = match message.twins() {
            0..=1 if !message.may_be_renamed() => whereabouts,
            _ => Whereabouts::Unknown,
        };
        Kept {
            name: message.name(),
            whereabouts,
            reason: reason.clone(),
        }
    }));
    let pending: Vec<MessageId> = left.into_iter().filter(|&id| is_shown(id)).collect();
    drop(state);
    shared.list_again(&pending, &[]);
    verdict
}

/// A message that is not known to be deleted, and why it is not.
type LeftBehind = (MessageId, Whereabouts, ServerText);

fn twins_before(marked: &Marked, catalogue: &Catalogue) -> HashMap<MessageId, TwinsBefore> {
    let mut before: HashMap<MessageId, TwinsBefore> = HashMap::new();
    let accepted = marked.accepted.iter().map(|&id| (id, 1));
    let unmarked = marked.unmarked.iter().map(|message| (message.id, 0));
    for (id, accepted) in accepted.chain(unmarked) {
        let listed = catalogue.get(id).twins() as usize;
        if listed > 1 {
            let first = catalogue.first_twin(id);
            before
                .entry(first)
                .or_insert(TwinsBefore {
                    listed,
                    accepted: 0,
                })
                .accepted += accepted;
        }
    }
    before
}

/// How many messages with the unique-id of this first one the session has.
pub(super) fn twins_in(session: &Session, first: MessageId, catalogue: &Catalogue) -> usize {
    match session.number_of(first) {
        Some(_) => catalogue.get(first).twins() as usize,
        None => 0,
    }
}
