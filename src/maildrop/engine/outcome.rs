//! What becomes of a want whose reply does not come, is refused or is not believed.

use std::time::Instant;

use crate::maildrop::connection::quirks::{Notice, Quirks};
use crate::maildrop::connection::tops::TopOf;
use crate::maildrop::engine::sessions::Sessions;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::OpenReason;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::wants::{NextWant, Want};

/// How often a want may be lost with its connection.
const MOST_LOSSES: u8 = 3;
/// The largest message that is fetched for the sake of its date, where the server has no TOP: about
/// what headers cost.
const MOST_FOR_A_DATE: u64 = 64 * 1024;

/// Why fetching has ended, with a session that works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferEnd {
    /// Nothing is in flight any more.
    Complete(Relisting),
    /// A commit, or the end of the mount, has waited long enough for what is in flight.
    GaveWay,
}

/// Whether a new session must look at what is in the maildrop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Relisting {
    /// A message was refused that may have gone.
    Needed,
    /// Every want was settled.
    NotNeeded,
}

/// True for a large message of which only the date is wanted and only RETR gives it.
pub(super) fn is_too_dear(next: &NextWant, quirks: &Quirks, shared: &Shared) -> bool {
    quirks.tops.avoid(TopOf::Known(next.want.message()))
        && matches!(next.want, Want::Headers(_))
        && next.announced.octets() > most_for_a_date(shared)
        && !shared
            .state
            .lock()
            .wants
            .are_octets_awaited(next.want.message())
}

fn most_for_a_date(shared: &Shared) -> u64 {
    MOST_FOR_A_DATE.min(shared.settings.max_message)
}

/// TOP does not show the headers of a message. The body tells them too, and is fetched unless it is
/// large.
pub(super) fn do_without_top(want: Want, sessions: &mut Sessions, shared: &Shared) {
    if sessions.quirks.tops.are_missing() {
        sessions.quirks.tell(Notice::NoTop);
    }
    let mut state = shared.state.lock();
    let octets = state.catalogue.get(want.message()).expected_octets();
    let is_date_enough = !state.wants.are_octets_awaited(want.message());
    if octets > most_for_a_date(shared) && is_date_enough {
        drop(state);
        return shared.do_without_headers(want.message());
    }
    state.wants.ask_for_body(want.message());
}

/// The session broke over TOP of this message. All others go first, before the next session tries
/// it again.
pub(super) fn lose_top(want: Want, sessions: &Sessions, shared: &Shared) {
    match sessions.quirks.tops.avoid(TopOf::Known(want.message())) {
        true => shared.do_without_headers(want.message()),
        false => shared.state.lock().wants.put_last(want),
    }
}

/// The message cannot be fetched. Those who only want its date get the time of its first listing.
pub(super) fn give_up(want: Want, fault: &Fault, shared: &Shared) {
    let id = want.message();
    let is_for_date = match want {
        Want::Headers(_) => true,
        Want::Body(_) => shared.state.lock().wants.is_body_for_headers(id),
    };
    if is_for_date && fault.is_of_the_message() {
        shared.do_without_headers(id);
    }
    shared.fail(want, fault);
}

/// The server refuses a message. The first time it may have gone, which a new session tells, or it is
/// asked for once more: a server that is about to close the connection refuses whatever is asked.
pub(super) fn take_refusal(
    want: Want,
    fault: &Fault,
    sessions: &Sessions,
    shared: &Shared,
) -> Relisting {
    let mut state = shared.state.lock();
    if !state.wants.is_waited_for(want) {
        // It was only read ahead.
        state.wants.put_back(want);
        return Relisting::NotNeeded;
    }
    if fault.passes() || !state.wants.note_refusal(want) {
        drop(state);
        give_up(want, fault, shared);
        return Relisting::NotNeeded;
    }
    state.wants.put_back(want);
    drop(state);
    match may_have_gone(sessions, shared) {
        true => Relisting::Needed,
        false => Relisting::NotNeeded,
    }
}

/// Whether a message that is refused may no longer be there. A session that was opened after a
/// refusal has looked then; else each message that the server refuses for reasons of its own would
/// cost a login.
fn may_have_gone(sessions: &Sessions, shared: &Shared) -> bool {
    let is_for_demand = sessions
        .current()
        .is_some_and(|session| session.reason == OpenReason::Demand);
    let age = shared.state.lock().listed_at.elapsed();
    is_for_demand || age >= shared.settings.refresh
}

/// The server hangs at whatever it is asked for: the next session would keep them as long.
pub(super) fn fail_those_kept_waiting(silence: &Fault, shared: &Shared) {
    let Some(begin) = Instant::now().checked_sub(shared.timeout()) else {
        return;
    };
    let kept_waiting = shared.state.lock().wants.asked_by(begin);
    for want in kept_waiting {
        shared.fail(want, silence);
    }
}

pub(super) fn try_again(want: Want, fault: &Fault, shared: &Shared) {
    if shared.put_back(want) >= MOST_LOSSES {
        shared.fail(want, fault);
    }
}
