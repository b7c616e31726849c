//! Carrying out the pending deletions.
//!
//! # Theory of operation
//!
//! ```text
//!  pending ──▶ session ──▶ shown again? ──▶ DELE, by the number that this session's UIDL gave ──▶ QUIT ──▶ +OK: deleted
//!                  ▲           │ no: kept      │ -ERR: that one is kept                             │
//!                  │                           │ the link fails: nothing is deleted,                │ -ERR, closed, silent:
//!                  └───────────────────────────┘ once more                                          ▼ who knows?
//!                                                       another session: what UIDL still names is kept, the rest deleted
//! ```
//!
//! The session that deletes first shows each message again (confirm.rs), and a DELE goes out only
//! for what is the message that the user removed.
//!
//! A server may answer a command twice, and the surplus would pass for QUIT's answer. So a STAT goes
//! behind the last DELE: two numbers show that each answer belongs to its command.
//!
//! A server may take its time to delete thousands of messages before it answers QUIT. Where it is
//! silent for longer than even that may take, what the other session names stays pending: the
//! server may be deleting it yet.
//!
//! The server also refuses a DELE where another session has deleted the message since ours began:
//! then the next session tells what is left.
//!
//! A message over which a session breaks is left out. When the others are deleted, it has a session
//! of its own. If that breaks too, the message is kept (connection/deletion_breaks.rs). Where there
//! are no others, the link is at fault.
//!
//! Where the link fails over several DELEs twice, the third attempt sends one at a time
//! (pipelining.rs).
//!
//! A removed message is listed again for one of these reasons, here or in the next mount:
//!
//! | reason | file |
//! |---|---|
//! | it is not, or may not be, what the user removed | engine/confirm.rs |
//! | the server refused its DELE, or still names it after a QUIT in doubt | engine/reconcile.rs |
//! | sessions broke over its DELE, and the others are deleted | engine/reconcile.rs |
//! | the number of its twins changed, or a listing after the commit names it | catalogue/mod.rs |
//! | the last commit was held back, and the user was told so | deletion/limit.rs |
//! | the mount ended without a commit, and the index did not keep the removal | shared/away.rs |
//! | the index kept the removal, and the maildrop no longer tells which message it was | catalogue/remembered.rs |
//!
//! Only QUIT's +OK commits (RFC 1939 section 6). What was kept is listed again, except where the
//! link alone was at fault and nothing is deleted, or the server did not tell which message it is:
//! then it stays pending.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use slotmap::SecondaryMap;

use crate::maildrop::catalogue::Catalogue;
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::deletion::limit::{self, Consent, Held};
use crate::maildrop::deletion::verdict::{Farewell, Kept, Verdict, Whereabouts};
use crate::maildrop::engine::broken::Broken;
use crate::maildrop::engine::confirm::{Confirmation, ToConfirm};
use crate::maildrop::engine::quit::{
    ATTEMPTS, Marked, QuitAnswer, QuitDoubt, ShownIdentity, Unmarked,
};
use crate::maildrop::engine::reconcile::{Reconcile, keep_untried, twins_in};
use crate::maildrop::engine::sessions::Sessions;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::{FAREWELL, Session};
use crate::maildrop::shared::Shared;
use crate::pop3::reply::stat;
use crate::pop3::{Command, Event, MessageNumber, ServerText};

/// A commit gives up after this many attempts that broke, if the last one broke over a message.
const MOST_HUNG: u32 = 4;
/// Up to this many attempts that break over a message within the first timeout are not counted.
const MOST_EARLY: u32 = 32;
/// How many timeouts the server may take to answer QUIT, less one for each attempt that broke. The
/// session that looks what is left needs the rest: a mount ends within five timeouts.
const QUIT_PATIENCE: u32 = 3;

/// How long to wait for the server to close the connection after it has refused QUIT.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// Why a message is kept over which sessions broke.
const BREAKS_SESSIONS: &[u8] =
    b"the connection broke each time that it was to be deleted: remove it again to have it tried again";

/// Why a message is kept that may be another by now.
pub(super) const CHANGED: &[u8] =
    b"it changed since it was removed, or may be another by now: remove it again, and sync at once";

/// Why a message may be kept that the server does not name any more.
const RENAMED: &[u8] =
    b"the server may have given its messages other unique-ids: if it is listed under another name, remove it again";

/// One commit: all that is pending when it begins.
pub(super) struct Commit<'a> {
    shared: &'a Shared,
    consent: Consent,
    pending: Vec<MessageId>,
}

/// What a session has of the pending messages.
#[derive(Default)]
struct Survey {
    to_confirm: Vec<ToConfirm>,
    /// The verdict on the pending messages that this session cannot delete.
    verdict: Verdict,
}

/// A command of the pipeline that marks messages.
enum MarkCommand {
    Dele((MessageId, MessageNumber)),
    /// STAT. It is answered by two numbers, and no DELE is.
    Check,
}

/// Whether a commit goes on in another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextAttempt {
    Allowed,
    NotAllowed,
}

/// How many attempts of this commit have broken, and until when more are made.
struct Attempts {
    early: u32,
    broken: u32,
    give_up: Instant,
    /// Why the last one broke.
    fault: Option<Fault>,
}

impl<'a> Commit<'a> {
    /// A commit of all that will be pending when it runs.
    pub(super) fn of_all_pending(shared: &'a Shared, consent: Consent) -> Self {
        Self {
            shared,
            consent,
            pending: Vec::new(),
        }
    }

    /// Deletes what is pending; the verdict says what became of it.
    pub(super) fn run(mut self, sessions: &mut Sessions) -> Result<Verdict, Fault> {
        let result = match self.begin() {
            Ok(()) if self.pending.is_empty() => return Ok(Verdict::default()),
            Ok(()) => self.carry_out(sessions),
            Err(held) => Err(held.into()),
        };
        self.conclude(result)
    }

    /// From here on what is pending cannot be restored, unless the commit is held back.
    fn begin(&mut self) -> Result<(), Held> {
        let max_delete = self.shared.settings.max_delete;
        let mut state = self.shared.state.lock();
        limit::check(&state.catalogue, max_delete, self.consent)?;
        let pending = state.catalogue.after(0, Standing::Unlinked);
        self.pending = pending.map(|(id, _)| id).collect();
        state.committing = self.pending.iter().map(|&id| (id, ())).collect();
        Ok(())
    }

    fn conclude(&self, result: Result<Verdict, Fault>) -> Result<Verdict, Fault> {
        let mut state = self.shared.state.lock();
        state.committing.clear();
        state.history.note_commit(&result);
        drop(state);
        match &result {
            Ok(verdict) => log::info!(
                "committed: {} deleted, {} already gone, {} kept by the server",
                verdict.deleted,
                verdict.gone,
                verdict.kept.len()
            ),
            Err(fault @ Fault::HeldBack(_)) => log::warn!("nothing is deleted: {fault}"),
            Err(fault) => log::error!("the commit failed: {fault}"),
        }
        result
    }

    /// Deletes the messages over which sessions broke after the others.
    fn carry_out(&self, sessions: &mut Sessions) -> Result<Verdict, Fault> {
        sessions.quirks.deletion_breaks.begin_commit();
        let mut attempts = Attempts::begin(self.shared.timeout());
        let is_other = |id, quirks: &Quirks| !quirks.is_to_be_deleted_last(id);
        let others = self.delete(is_other, &mut attempts, sessions)?;
        // Sessions that break from here on may have shown one of the others.
        let (tried, others) = others.unzip();
        let tried = tried.into_iter().flatten().map(|id| (id, ()));
        let tried: SecondaryMap<MessageId, ()> = tried.collect();
        let is_last = |id: MessageId| !tried.contains_key(id);
        match (
            others,
            self.delete(|id, _| is_last(id), &mut attempts, sessions),
        ) {
            (None, Err(fault)) => Err(fault),
            (None, Ok(None)) => attempts.fault.map_or_else(|| Ok(Verdict::default()), Err),
            (others, Ok(of_last)) => {
                let of_last = of_last.map(|(_, verdict)| verdict).unwrap_or_default();
                let verdict = others.unwrap_or_default().and(of_last);
                Ok(self.keep_given_up(is_last, verdict, &sessions.quirks))
            }
            (Some(verdict), Err(fault)) => Ok(self.keep_after(&fault, is_last, verdict)),
        }
    }

    fn pending_of(&self, is_chosen: impl Fn(MessageId) -> bool) -> Vec<MessageId> {
        let pending = self.pending.iter().copied();
        pending.filter(|&id| is_chosen(id)).collect()
    }

    /// Has a session delete the pending messages that `is_chosen` gives before each attempt, and
    /// that are not given up. Returns those of the last attempt, and what became of them. None if
    /// there are none.
    fn delete(
        &self,
        is_chosen: impl Fn(MessageId, &Quirks) -> bool,
        attempts: &mut Attempts,
        sessions: &mut Sessions,
    ) -> Result<Option<(Vec<MessageId>, Verdict)>, Fault> {
        let (chosen, (marked, verdict)) = loop {
            if self.is_called_off() {
                return Err(Fault::Ending);
            }
            let quirks = &sessions.quirks;
            let is_tried = |id| is_chosen(id, quirks) && !quirks.deletion_breaks.is_given_up(id);
            let chosen = self.pending_of(is_tried);
            if chosen.is_empty() {
                return Ok(None);
            }
            let broken = match self.mark(&chosen, sessions) {
                Ok(marked) => break (chosen, marked),
                Err(broken) => broken,
            };
            if attempts.count_and_wait(&broken, sessions) == NextAttempt::NotAllowed {
                return Err(broken.fault);
            }
            log::warn!("the deletions are tried again: {}", broken.fault);
            attempts.fault = Some(broken.fault);
        };
        if self.is_called_off() {
            // Without QUIT the server deletes nothing.
            sessions.drop_current(self.shared);
            return Err(Fault::Ending);
        }
        let answer = self.quit(&marked, attempts, sessions);
        let reconcile = Reconcile::new(self.shared, marked, verdict);
        let verdict = match answer {
            QuitAnswer::Committed => reconcile.committed(sessions),
            QuitAnswer::Unknown(doubt) => reconcile.look(&doubt, sessions)?,
        };
        Ok(Some((chosen, verdict)))
    }

    /// Lists those of these messages again over which sessions broke too often. `verdict` is that of
    /// the others.
    fn keep_given_up(
        &self,
        is_one: impl Fn(MessageId) -> bool,
        verdict: Verdict,
        quirks: &Quirks,
    ) -> Verdict {
        let left = self.pending_of(|id| is_one(id) && quirks.deletion_breaks.is_given_up(id));
        let reason = ServerText::from(BREAKS_SESSIONS);
        keep_untried(left, Whereabouts::OnServer, &reason, verdict, self.shared)
    }

    /// Lists these messages again, which were not deleted for this fault. `verdict` is that of the
    /// others.
    fn keep_after(
        &self,
        fault: &Fault,
        is_one: impl Fn(MessageId) -> bool,
        verdict: Verdict,
    ) -> Verdict {
        let left = self.pending_of(is_one);
        let whereabouts = match fault {
            Fault::OutcomeUnknown(_) => Whereabouts::Unknown,
            _ => Whereabouts::OnServer,
        };
        let reason = ServerText::from(fault.to_string().as_bytes());
        keep_untried(left, whereabouts, &reason, verdict, self.shared)
    }

    /// Whether the mount has ended meanwhile, and leaves the messages on the server.
    fn is_called_off(&self) -> bool {
        let state = self.shared.state.lock();
        let ending = state.orders.ending.as_ref();
        ending.is_some_and(|ending| !matches!(ending.farewell, Farewell::Commit(_)))
    }

    /// Sends DELE for each of these messages that the session has and shows again. Without the QUIT
    /// behind it this deletes nothing.
    fn mark(
        &self,
        messages: &[MessageId],
        sessions: &mut Sessions,
    ) -> Result<(Marked, Verdict), Broken> {
        if sessions.current().is_some_and(Session::must_not_commit) {
            sessions.leave(self.shared);
        }
        sessions.ensure_for_commit(self.shared)?;
        let Some((session, quirks)) = sessions.current_mut() else {
            return Err(Fault::Ending.into());
        };
        let survey = self.survey(messages, session);
        match self.mark_in(session, quirks, &survey.to_confirm) {
            Ok(marked) => Ok((marked, survey.verdict)),
            Err(broken) => {
                broken.note(quirks);
                sessions.drop_current(self.shared);
                Err(broken)
            }
        }
    }

    fn survey(&self, messages: &[MessageId], session: &Session) -> Survey {
        let mut survey = Survey::default();
        let state = self.shared.state.lock();
        for &id in messages {
            survey.add(id, &state.catalogue, session);
        }
        survey
    }

    fn mark_in(
        &self,
        session: &mut Session,
        quirks: &mut Quirks,
        to_confirm: &[ToConfirm],
    ) -> Result<Marked, Broken> {
        let Confirmation {
            confirmed,
            replaced,
            unsure,
        } = Confirmation::ask(to_confirm, session, quirks, self.shared)?;
        let mut marked = send_deletions(confirmed, session, quirks)?;
        let kept = replaced.iter().chain(&unsure);
        marked.unmarked.extend(kept.map(|&id| Unmarked {
            id,
            identity: ShownIdentity::Doubtful,
            reason: ServerText::from(CHANGED),
        }));
        marked.replaced = replaced;
        Ok(marked)
    }

    /// Enters UPDATE state. The session is over either way.
    fn quit(&self, marked: &Marked, attempts: &Attempts, sessions: &mut Sessions) -> QuitAnswer {
        let Some(mut session) = sessions.take() else {
            return QuitAnswer::Unknown(QuitDoubt::Over(ServerText::default()));
        };
        if !marked.accepted.is_empty() {
            let patience = QUIT_PATIENCE.saturating_sub(attempts.broken).max(1);
            session.link.allow_silence(self.shared.timeout() * patience);
        }
        let answer = session.link.status(&Command::Quit, |status| {
            if status.is_ok() && stat(status.text).is_err() {
                QuitAnswer::Committed
            } else {
                QuitAnswer::Unknown(QuitDoubt::Over(status.server_text()))
            }
        });
        let answer = answer.and_then(|answer| match answer {
            QuitAnswer::Committed => {
                let closed = session.link.wait_for_close(Instant::now() + FAREWELL);
                closed.map(|()| answer)
            }
            // If replies are out of step this one was for a DELE, and QUIT is yet to be carried out.
            QuitAnswer::Unknown(_) => {
                let _more = session.link.wait_for_close(Instant::now() + AFTER_REFUSAL);
                Ok(answer)
            }
        });
        sessions.drop_current(self.shared);
        answer.unwrap_or_else(|fault| QuitAnswer::Unknown(QuitDoubt::of(&fault)))
    }
}

impl Attempts {
    fn begin(timeout: Duration) -> Self {
        Self {
            early: 0,
            broken: 0,
            give_up: Instant::now() + timeout,
            fault: None,
        }
    }

    /// Counts a session that broke, and waits until there may be another.
    fn count_and_wait(&mut self, broken: &Broken, sessions: &Sessions) -> NextAttempt {
        let is_early = Instant::now() < self.give_up;
        if broken.is_over_a_message() && is_early && self.early < MOST_EARLY {
            self.early += 1;
            return NextAttempt::Allowed;
        }
        self.broken += 1;
        if broken.is_over_a_message() {
            return NextAttempt::allowed_if(self.broken < MOST_HUNG);
        }
        let fault = &broken.fault;
        if fault.is_of_the_link() && self.broken < ATTEMPTS {
            sessions.wait_for_retry(self.give_up);
            return NextAttempt::Allowed;
        }
        NextAttempt::allowed_if(fault.passes() && sessions.wait_for_retry(self.give_up))
    }
}

impl NextAttempt {
    fn allowed_if(condition: bool) -> Self {
        match condition {
            true => Self::Allowed,
            false => Self::NotAllowed,
        }
    }
}

impl Survey {
    fn add(&mut self, id: MessageId, catalogue: &Catalogue, session: &Session) {
        // The listing of a new session may have found it altered, and listed it again, or gone.
        let shown = catalogue.pending(id);
        let first = catalogue.first_twin(id);
        let reason: &[u8] = match (session.number_of(id), shown) {
            (Some(number), Some(pending)) => {
                let message = catalogue.get(id);
                let to_confirm = ToConfirm::new(id, number, pending, message, session);
                return self.to_confirm.push(to_confirm);
            }
            (Some(_), None) => CHANGED,
            (None, Some(_)) => b"the server did not tell which message it is",
            (None, None) if twins_in(session, first, catalogue) > 0 => {
                b"of those with its unique-id some are gone: it may have another name now"
            }
            (None, None) if catalogue.get(id).may_be_renamed() => RENAMED,
            (None, None) => {
                self.verdict.gone += 1;
                return;
            }
        };
        self.verdict.kept.push(Kept {
            name: catalogue.get(id).name(),
            whereabouts: Whereabouts::Unknown,
            reason: ServerText::from(reason),
        });
    }
}

impl MarkCommand {
    fn written(&self) -> Command<'static> {
        match self {
            Self::Dele((_, number)) => Command::Dele(*number),
            Self::Check => Command::Stat,
        }
    }

    /// Fails if this is no answer to the check. A refusal proves nothing.
    fn check(&self, event: &Event<'_>) -> Result<(), Fault> {
        match (self, event) {
            (Self::Check, Event::Done(status)) if status.is_ok() => {
                stat(status.text)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// DELE for each, as many ahead as the server lets us pipeline. The last message goes first: some
/// servers number the messages behind a deleted one again at once.
fn send_deletions(
    mut confirmed: Vec<(MessageId, MessageNumber)>,
    session: &mut Session,
    quirks: &mut Quirks,
) -> Result<Marked, Broken> {
    confirmed.sort_unstable_by_key(|&(_, number)| Reverse(number));
    let mut marked = Marked {
        unnamed: session.unnamed(),
        ..Marked::default()
    };
    let ahead = session.ahead();
    let deletions = confirmed.iter().copied();
    let mut commands: Vec<MarkCommand> = deletions.map(MarkCommand::Dele).collect();
    if !commands.is_empty() && quirks.has_plain_stat {
        commands.push(MarkCommand::Check);
    }
    let mark = |command: &MarkCommand, event: Event<'_>| {
        let (MarkCommand::Dele((id, _)), Event::Done(status)) = (command, &event) else {
            return command.check(&event);
        };
        match status.is_ok() {
            true => marked.accepted.push(*id),
            false => marked.unmarked.push(Unmarked {
                id: *id,
                identity: ShownIdentity::Same,
                reason: status.server_text(),
            }),
        }
        quirks.deletion_breaks.note_answered(*id);
        Ok(())
    };
    let sent = session
        .link
        .pipeline(&commands, ahead, MarkCommand::written, mark);
    quirks.pipelining.note_pipeline(&session.link, &sent);
    if let Err(Fault::Protocol(_)) = &sent {
        quirks.pipelining.note_out_of_step();
    }
    let answered = marked.accepted.len() + marked.unmarked.len();
    let due = confirmed.get(answered).map(|&(id, _)| id);
    sent.map_err(|fault| Broken::over_deletion(due, fault))?;
    marked.unmarked.reverse();
    Ok(marked)
}
