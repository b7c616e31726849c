//! Fetching: commands written ahead, replies matched to them, and nothing kept that is not
//! confirmed.
//!
//! # Theory of operation
//!
//! ```text
//!  wants ──▶ window ──▶ RETR 7, RETR 8, TOP 9 0, NOOP ... ──▶ server
//!              ▲                                                 │
//!              │      in flight: [7, 8, 9, check ...]            ▼
//!              └──── confirmed ◀── unconfirmed ◀── replies, in order
//! ```
//!
//! Commands are written ahead as long as their count and the octets expected of them fit the
//! window; those that somebody waits for go first. Writing and reading go on at once, so neither
//! side's buffers can fill up for good. An order lets no new command out: it waits for what is in
//! flight, and for no more.
//!
//! A complete reply may still be the reply to a neighbour: some servers send one reply too many or
//! too few, or end a body at a dot line that they did not stuff. So a reply stays *unconfirmed*,
//! and reaches neither a reader nor the cache, until the session has shown that its replies are in
//! step. It shows that
//!
//! * by a body of the size that LIST gives, if the bodies asked for around it have other sizes,
//! * by a NOOP that is answered with one line and nothing around it, or
//! * where commands go one at a time, by a reply behind which nothing comes, if the reply before it
//!   was another.
//!
//! Where several commands may be in flight, two NOOPs go out at once (connection/step_check.rs).
//!
//! Where LIST gives true sizes no NOOP is sent for bodies. A body of another size, or with other
//! headers than are known of the message, is a *suspect* (suspects.rs): it is kept if RETR alone
//! gives the same octets again, or, where that is enough, if TOP shows the headers that it has. Once
//! this has shown that LIST is a guess on this server, a NOOP behind the window is enough. A reply
//! that breaks the protocol discards what is unconfirmed.
//!
//! What was discarded is asked for again *alone*: while nothing else is in flight or unconfirmed. So
//! is a command over which a session broke down. If it breaks the next session as well it was the
//! cause, and not the commands in flight behind it.
//!
//! A message whose TOP is refused, is cut or breaks two sessions does without it: a small one is
//! fetched for its date, any other has the time of its first listing.
//!
//! When the session breaks down, a want that somebody waits for goes back to the front of the queue
//! and is fetched by the next session; the third loss is final. A silence of a whole time-out is
//! final at once for the want whose reply was due: the server hangs at this message. If somebody
//! asks again, it goes alone. The wants behind it wait for the next session, unless session after
//! session falls silent before it fetched anything: then the server hangs at whatever is asked.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::connection::pipelining::CountedCut;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::connection::step_check::StepCheck;
use crate::maildrop::connection::tops::TopOf;
use crate::maildrop::engine::in_flight::{InFlight, Reply, SentCommands, SentFetch};
use crate::maildrop::engine::outcome::{
    Relisting, TransferEnd, do_without_top, fail_those_kept_waiting, give_up, is_too_dear,
    lose_top, take_refusal, try_again,
};
use crate::maildrop::engine::sessions::Sessions;
use crate::maildrop::engine::suspects::{
    Judgement, ReplyContent, ReplyStart, Suspects, TopWeight, Unconfirmed,
};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::Session;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::wants::{NextWant, Want};
use crate::maildrop::shared::window::{HEADER_OCTETS, WINDOW_COMMANDS, WINDOW_OCTETS};
use crate::pop3::{Command, Event};

/// No command is sent while this many bodies of another size wait to be shown again.
const MOST_SUSPECTS: usize = 16;

/// What the server was asked for and has not answered, and what it has answered and not confirmed.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    in_flight: SentCommands,
    /// The first to be sent.
    first: Option<NextWant>,
    /// Complete replies that may yet prove to be another command's, in order.
    unconfirmed: Vec<Unconfirmed>,
    /// How the last reply of the session begins.
    last: Option<ReplyStart>,
    /// The last reply repeats the one before it, so the server may have answered a command twice. The
    /// next check sends a probe first, even if commands go one at a time.
    is_repeated: bool,
    step_check: StepCheck,
    /// Complete bodies of another size than announced.
    suspects: Suspects,
    /// LIST's octets of messages that proved to be larger than `max_message`.
    too_large: HashMap<MessageId, u64>,
    /// Wants that go alone, and what was counted as a failure of pipelining when the last session
    /// broke down over them.
    to_go_alone: HashMap<Want, Option<CountedCut>>,
    /// Wants at which the server hung. They go alone until they are answered.
    hung: HashSet<Want>,
    /// The want that goes alone now.
    alone: Option<Alone>,
}

/// A want that is in flight or unconfirmed alone.
#[derive(Clone, Copy, Debug)]
struct Alone {
    want: Want,
    /// See [`Transfer::to_go_alone`].
    counted: Option<CountedCut>,
}

impl Transfer {
    /// Has this want sent first.
    pub(super) fn put_first(&mut self, want: NextWant) {
        self.first = Some(want);
    }

    /// Takes back the want that was to be sent first.
    pub(super) fn take_first(&mut self) -> Option<NextWant> {
        self.first.take()
    }

    /// Fetches until nothing is in flight and nothing is to be sent, or until a commit has waited
    /// for one timeout.
    pub(super) fn run(
        &mut self,
        sessions: &mut Sessions,
        shared: &Shared,
    ) -> Result<TransferEnd, Fault> {
        let mut relisting = Relisting::NotNeeded;
        loop {
            if self.in_flight.is_empty() && self.unconfirmed.is_empty() {
                // This may queue wants again; the window is filled with them next.
                self.judge_those_without_top(sessions, shared);
            }
            if relisting == Relisting::NotNeeded {
                self.fill_window(sessions, shared)?;
            }
            if self.in_flight.is_empty() {
                self.ask_for_confirmation(sessions, shared)?;
            }
            if self.in_flight.is_empty() {
                self.to_go_alone.clear();
                self.suspects.forget_discarded();
                return Ok(TransferEnd::Complete(relisting));
            }
            if let Some((session, _)) = sessions.current_mut() {
                let until = shared
                    .state
                    .lock()
                    .orders
                    .give_up_fetching(shared.timeout());
                session.link.exchange(Some(&shared.wake_up), until)?;
                if until.is_some_and(|until| Instant::now() >= until) {
                    return Ok(TransferEnd::GaveWay);
                }
            }
            while let Some(reply) = self.absorb(sessions, shared)? {
                if self.settle(reply, sessions, shared)? == Relisting::Needed {
                    relisting = Relisting::Needed;
                }
            }
        }
    }

    /// Closes the session for the sake of a commit. What was in flight or unconfirmed is fetched
    /// again after it: whoever reads only waits longer.
    pub(super) fn give_way(&mut self, sessions: &mut Sessions, shared: &Shared) {
        log::info!("what was being fetched is asked for again after the commit");
        self.alone = None;
        let (front, behind) = self.in_flight.take_lost();
        let unconfirmed = self.take_all_unconfirmed();
        let unconfirmed = unconfirmed.iter().map(|reply| reply.want);
        let wants: Vec<Want> = unconfirmed.chain(front).chain(behind).collect();
        self.close_session(sessions, shared);
        let mut state = shared.state.lock();
        for want in wants.into_iter().rev() {
            state.wants.put_back(want);
        }
    }

    /// Closes the session, and forgets what its replies have shown so far.
    fn close_session(&mut self, sessions: &mut Sessions, shared: &Shared) {
        sessions.drop_current(shared);
        self.last = None;
        self.is_repeated = false;
        self.step_check.clear();
        shared.state.lock().wants.forget_refusals();
    }

    /// The session broke down. What was in flight or unconfirmed is fetched again, or fails with
    /// the fault.
    pub(super) fn lose(&mut self, fault: &Fault, sessions: &mut Sessions, shared: &Shared) {
        log::info!("lost the session: {fault}");
        shared.state.lock().history.note_fault(fault);
        let counted = self.note_breakdown(fault, sessions);
        let alone = self.alone.take();
        let broken_top = self.top_to_blame(alone, fault, sessions);
        self.close_session(sessions, shared);
        let (mut front, behind) = self.in_flight.take_lost();
        for want in behind.into_iter().rev() {
            // The session broke down over the reply in front of it.
            shared.state.lock().wants.put_back(want);
        }
        if let Some(message) = broken_top {
            front = front.or_else(|| self.take_unconfirmed(Want::Headers(message)));
        }
        self.give_back_unconfirmed(fault, shared);
        if let Some(message) = broken_top {
            let top = TopOf::Known(message);
            sessions.quirks.note_top_fault(top, fault, counted);
            return front
                .into_iter()
                .for_each(|want| lose_top(want, sessions, shared));
        }
        if let Some(front) = front {
            self.lose_front(front, counted, alone, fault, sessions, shared);
        }
        if fault.is_silence() {
            match sessions.is_hopeless() {
                true => fail_those_kept_waiting(fault, shared),
                false => shared.last_heard.note(),
            }
        }
    }

    /// The session broke down over this want.
    fn lose_front(
        &mut self,
        front: Want,
        counted: Option<CountedCut>,
        alone: Option<Alone>,
        fault: &Fault,
        sessions: &mut Sessions,
        shared: &Shared,
    ) {
        if fault.is_silence() {
            self.hung.insert(front);
        }
        if fault.is_silence() || !fault.is_of_the_link() {
            self.note_too_large(front, fault, shared);
            return give_up(front, fault, shared);
        }
        if let Some(innocent) = alone.and_then(|alone| alone.counted) {
            sessions.quirks.pipelining.forgive(innocent);
        }
        self.to_go_alone.insert(front, counted);
        try_again(front, fault, shared);
    }

    /// The message whose TOP may have broken the session.
    fn top_to_blame(
        &self,
        alone: Option<Alone>,
        fault: &Fault,
        sessions: &Sessions,
    ) -> Option<MessageId> {
        if !fault.is_of_the_link() && !matches!(fault, Fault::TooLarge) {
            return None;
        }
        match alone.map(|alone| alone.want) {
            Some(Want::Headers(id)) if !sessions.quirks.tops.avoid(TopOf::Known(id)) => Some(id),
            _ => self.top_due(),
        }
    }

    /// The message whose TOP is to be answered next.
    fn top_due(&self) -> Option<MessageId> {
        match self.in_flight.first()? {
            InFlight::Fetch(fetch) => (!fetch.is_whole).then_some(fetch.want.message()),
            InFlight::ShowAgain(_) => self.suspects.first().map(Unconfirmed::message),
            InFlight::Probe | InFlight::Check => None,
        }
    }

    /// Notes that LIST is right about a message that is too large. It is not fetched again.
    fn note_too_large(&mut self, want: Want, fault: &Fault, shared: &Shared) {
        if let (Want::Body(id), Fault::TooLarge) = (want, fault) {
            let announced = shared.state.lock().catalogue.get(id).announced();
            self.too_large.insert(id, announced.listed);
        }
    }

    /// Nothing is in flight: asks for what confirms the replies that are here.
    fn ask_for_confirmation(
        &mut self,
        sessions: &mut Sessions,
        shared: &Shared,
    ) -> Result<(), Fault> {
        let most = self.most_in_flight(sessions, shared);
        if self.unconfirmed.is_empty() {
            self.have_suspects_shown(most, sessions)?;
        }
        let is_nothing_left = self.unconfirmed.is_empty() && self.suspects.is_empty();
        if is_nothing_left || self.in_flight.len() >= most {
            return Ok(());
        }
        self.send_check(most, sessions)
    }

    /// Judges the first suspects, as far as TOP is not to be sent for them.
    fn judge_those_without_top(&mut self, sessions: &mut Sessions, shared: &Shared) {
        while let Some(suspect) = self.suspects.first()
            && !self.is_to_be_shown(suspect, &sessions.quirks)
        {
            self.judge_suspect(None, sessions, shared);
        }
    }

    /// Whether TOP is sent for a suspect: if TOP alone can confirm it, or if the suspect was fetched
    /// twice and TOP can contradict it.
    fn is_to_be_shown(&self, suspect: &Unconfirmed, quirks: &Quirks) -> bool {
        let is_of_use = suspect.top_weight(quirks) == TopWeight::Enough
            || self.suspects.was_discarded(suspect.want);
        is_of_use && !quirks.tops.avoid(TopOf::Known(suspect.message()))
    }

    fn have_suspects_shown(&mut self, most: usize, sessions: &mut Sessions) -> Result<(), Fault> {
        let Some((session, quirks)) = sessions.current_mut() else {
            return Ok(());
        };
        let suspects = self.suspects.to_judge().take(most);
        let to_ask: Vec<MessageId> = suspects
            .take_while(|suspect| self.is_to_be_shown(suspect, quirks))
            .map(Unconfirmed::message)
            .collect();
        for id in to_ask {
            let message = session.number_of(id);
            let message = message.ok_or(Fault::Departed)?;
            session.link.queue(&Command::Top { message, lines: 0 })?;
            self.in_flight.add_show_again();
        }
        Ok(())
    }

    /// Returns what is counted as a failure of pipelining.
    fn note_breakdown(&self, fault: &Fault, sessions: &mut Sessions) -> Option<CountedCut> {
        sessions.note_breakdown(fault);
        let nothing_came = self.in_flight.nothing_came_of_first();
        let (session, quirks) = sessions.current_mut()?;
        if matches!(fault, Fault::Protocol(_)) {
            quirks.pipelining.note_out_of_step();
        } else if nothing_came && session.link.is_amid_several() {
            return quirks.pipelining.note_breakdown(fault);
        }
        None
    }

    /// What was received since the last confirmation is not believed. It is fetched again, each
    /// alone.
    fn give_back_unconfirmed(&mut self, fault: &Fault, shared: &Shared) {
        let discarded = self.take_all_unconfirmed();
        if discarded.is_empty() {
            return;
        }
        log::warn!(
            "replies that nothing confirmed are discarded and asked for again ({}): {fault}",
            discarded.len()
        );
        for reply in discarded.into_iter().rev() {
            self.to_go_alone.entry(reply.want).or_default();
            try_again(reply.want, fault, shared);
        }
    }

    /// Takes the replies that nothing has confirmed, suspects and all, in order.
    fn take_all_unconfirmed(&mut self) -> Vec<Unconfirmed> {
        let mut unconfirmed = std::mem::take(&mut self.unconfirmed);
        unconfirmed.append(&mut self.suspects.take_all());
        unconfirmed
    }

    /// Takes a want back whose reply nothing has confirmed.
    fn take_unconfirmed(&mut self, want: Want) -> Option<Want> {
        let at = self
            .unconfirmed
            .iter()
            .position(|reply| reply.want == want)?;
        Some(self.unconfirmed.remove(at).want)
    }

    fn fill_window(&mut self, sessions: &mut Sessions, shared: &Shared) -> Result<(), Fault> {
        if !self.in_flight.is_empty() && !sessions.quirks.pipelining.may_refill() {
            return Ok(());
        }
        if self.is_all_settled() {
            self.alone = None;
        }
        let most = self.most_in_flight(sessions, shared);
        while self.alone.is_none() && self.has_room(most) {
            let first = self.first.take().map(|first| shared.announce(first.want));
            let Some(next) = first.or_else(|| shared.next_want()) else {
                return self.check_behind_the_last(most, sessions);
            };
            if self.goes_alone(next.want, sessions) {
                if !self.is_all_settled() {
                    shared.state.lock().wants.put_back(next.want);
                    return self.check_behind_the_last(most, sessions);
                }
                self.send_alone(next, sessions, shared)?;
                continue;
            }
            self.send_or_settle(next, sessions, shared)?;
            if most > 1 && self.in_flight.are_many_unchecked() {
                self.send_check(most, sessions)?;
            }
        }
        Ok(())
    }

    fn send_alone(
        &mut self,
        next: NextWant,
        sessions: &mut Sessions,
        shared: &Shared,
    ) -> Result<(), Fault> {
        let want = next.want;
        let counted = self.to_go_alone.remove(&want).flatten();
        self.alone = Some(Alone { want, counted });
        self.send_or_settle(next, sessions, shared)?;
        if self.in_flight.is_empty() {
            self.alone = None;
        }
        Ok(())
    }

    fn most_in_flight(&self, sessions: &mut Sessions, shared: &Shared) -> usize {
        if self.alone.is_some() {
            return 1;
        }
        let wanted = shared.settings.pipeline;
        sessions.current_mut().map_or(1, |(session, quirks)| {
            let most = quirks.pipelining.most_in_flight(WINDOW_COMMANDS);
            let pipeline = quirks.pipelining.limit(wanted);
            pipeline.most_in_flight(&session.capabilities, most)
        })
    }

    /// Whether no reply is missing or unconfirmed.
    fn is_all_settled(&self) -> bool {
        self.in_flight.is_empty() && self.unconfirmed.is_empty() && self.suspects.is_empty()
    }

    fn goes_alone(&self, want: Want, sessions: &Sessions) -> bool {
        let is_broken_top = |id| sessions.quirks.tops.is_to_go_alone(TopOf::Known(id));
        self.to_go_alone.contains_key(&want)
            || self.hung.contains(&want)
            || matches!(want, Want::Headers(id) if is_broken_top(id))
    }

    /// A window is filled up to its edge: the want that goes over it is the last.
    fn has_room(&self, most: usize) -> bool {
        let has_few_suspects = self.suspects.waiting() < MOST_SUSPECTS;
        has_few_suspects && self.in_flight.len() < most && self.in_flight.expected() < WINDOW_OCTETS
    }

    /// Nothing more is to be sent for now. What only a check confirms gets one at once, which costs
    /// no round trip.
    fn check_behind_the_last(&mut self, most: usize, sessions: &mut Sessions) -> Result<(), Fault> {
        let is_check_needed = !self.in_flight.is_empty() && self.in_flight.needs_check();
        if is_check_needed && most > self.in_flight.len() {
            return self.send_check(most, sessions);
        }
        Ok(())
    }

    fn send_check(&mut self, most: usize, sessions: &mut Sessions) -> Result<(), Fault> {
        if let Some((session, _)) = sessions.current_mut() {
            let has_room = self.in_flight.len() + 2 <= most;
            let must_probe = std::mem::take(&mut self.is_repeated);
            if has_room || must_probe {
                session.link.queue(&Command::Noop)?;
                self.in_flight.add_probe();
            }
            if has_room || !must_probe {
                session.link.queue(&Command::Noop)?;
                self.in_flight.add_check();
            }
        }
        Ok(())
    }

    fn send_or_settle(
        &mut self,
        next: NextWant,
        sessions: &mut Sessions,
        shared: &Shared,
    ) -> Result<(), Fault> {
        let Some((session, quirks)) = sessions.current_mut() else {
            return Err(Fault::Ending);
        };
        let message = next.want.message();
        if is_too_dear(&next, quirks, shared) {
            shared.do_without_headers(message);
            return Ok(());
        }
        if self.too_large.get(&message) == Some(&next.announced.listed) {
            give_up(next.want, &Fault::TooLarge, shared);
            return Ok(());
        }
        match send(&next, session, quirks, shared) {
            Ok(fetch) => {
                self.in_flight.add_fetch(fetch, quirks.sizes);
                Ok(())
            }
            Err(fault) if fault.is_of_the_link() => {
                try_again(next.want, &fault, shared);
                Err(fault)
            }
            Err(fault) => {
                shared.fail(next.want, &fault);
                Ok(())
            }
        }
    }

    /// Takes what has come, up to the end of a reply; `None` where more must come first.
    fn absorb(&mut self, sessions: &mut Sessions, shared: &Shared) -> Result<Option<Reply>, Fault> {
        let Some((session, quirks)) = sessions.current_mut() else {
            return Ok(None);
        };
        while let Some(event) = session.link.next_event()? {
            let Some(current) = self.in_flight.first_mut() else {
                return Ok(None);
            };
            if let (Event::Done(status), InFlight::Fetch(fetch)) = (&event, &*current)
                && !fetch.is_whole
            {
                quirks.tops.note_refused(status);
            }
            if let InFlight::Probe | InFlight::Check = current {
                self.step_check.take(&event)?;
            }
            let refusal = match (event, current) {
                (Event::Body(octets), InFlight::Fetch(fetch)) => {
                    fetch.take(octets, shared.settings.max_message)?;
                    continue;
                }
                (Event::Body(octets), InFlight::ShowAgain(headers)) => {
                    headers.take(octets, shared.settings.max_message)?;
                    continue;
                }
                (Event::End, _) => None,
                (Event::Done(status), _) => Some(Fault::of_refusal("RETR", &status)),
                (_, _) => continue,
            };
            match session.link.owed() {
                1.. => quirks.pipelining.note_reply(),
                0 if session.link.had_several() => quirks.pipelining.note_all_replies(),
                0 => {}
            }
            return Ok(self.in_flight.pop(refusal));
        }
        Ok(None)
    }

    /// Gives what came to those who wait, once it is confirmed. A message that is refused may have
    /// gone: a new session tells, for all at once.
    fn settle(
        &mut self,
        reply: Reply,
        sessions: &mut Sessions,
        shared: &Shared,
    ) -> Result<Relisting, Fault> {
        if let Reply::Received(fetch) | Reply::Refused(fetch, _) = &reply {
            self.hung.remove(&fetch.want);
        }
        match reply {
            Reply::Probed => {}
            Reply::Checked => {
                self.step_check.clear();
                refuse_what_follows(sessions)?;
                self.confirm_in_step(sessions, shared);
                self.keep_borne_out(sessions, shared);
            }
            Reply::ShownAgain(headers) => {
                self.judge_suspect(headers.as_deref(), sessions, shared);
            }
            Reply::Received(fetch) if fetch.is_whole && fetch.is_empty_by_fault() => {
                give_up(fetch.want, &Fault::EmptyBody, shared);
            }
            Reply::Received(fetch) => self.take_received(fetch, sessions, shared)?,
            Reply::Refused(fetch, fault) => {
                if let Some((session, _)) = sessions.current_mut() {
                    session.made_progress = true;
                }
                if fetch.is_whole {
                    return Ok(take_refusal(fetch.want, &fault, sessions, shared));
                }
                do_without_top(fetch.want, sessions, shared);
            }
        }
        Ok(Relisting::NotNeeded)
    }

    fn take_received(
        &mut self,
        fetch: SentFetch,
        sessions: &mut Sessions,
        shared: &Shared,
    ) -> Result<(), Fault> {
        let SentFetch {
            want,
            announced,
            received,
            is_whole,
            is_distinct,
            ..
        } = fetch;
        let body = received.finish();
        let Some((session, quirks)) = sessions.current_mut() else {
            return Err(Fault::Ending);
        };
        let start = Some(ReplyStart::of(&body));
        self.is_repeated |= self.last == start;
        self.last = start;
        let has_announced_size = is_whole && quirks.sizes.compare(announced, &body);
        let is_trusted = has_announced_size && quirks.sizes.is_trusted();
        let proves_step = is_trusted && is_distinct;
        // Where commands go one at a time nothing else can have been answered, if nothing follows:
        // but for the command before, once more.
        let was_alone = self.in_flight.is_empty()
            && !session.link.had_several()
            && !self.is_repeated
            && !quirks.pipelining.is_out_of_step()
            && (is_trusted || !is_whole);
        let content = match (is_whole, has_announced_size) {
            (false, _) => ReplyContent::Headers,
            (true, true) => ReplyContent::Announced,
            (true, false) => ReplyContent::OtherSize,
        };
        self.unconfirmed.push(Unconfirmed {
            want,
            announced,
            content,
            body,
        });
        self.in_flight.note_answered(announced);
        if was_alone {
            refuse_what_follows(sessions)?;
        }
        if proves_step || was_alone {
            self.confirm_in_step(sessions, shared);
        }
        Ok(())
    }

    /// The session has shown that its replies are in step. Bodies of another size than announced
    /// are still suspects, unless LIST is a guess, and so are bodies with other headers than are
    /// known.
    fn confirm_in_step(&mut self, sessions: &mut Sessions, shared: &Shared) {
        let is_guessed = sessions.quirks.sizes.is_guessed();
        for mut reply in std::mem::take(&mut self.unconfirmed) {
            match reply.content {
                ReplyContent::OtherSize if !is_guessed => self.suspects.push(reply),
                ReplyContent::Announced | ReplyContent::OtherSize
                    if reply.has_other_headers(&sessions.quirks, shared) =>
                {
                    reply.content = ReplyContent::OtherHeaders;
                    self.suspects.push(reply);
                }
                _ => keep(reply, sessions, shared),
            }
        }
    }

    /// Judges the first suspect by the headers that TOP shows.
    fn judge_suspect(&mut self, headers: Option<&[u8]>, sessions: &mut Sessions, shared: &Shared) {
        let Some(suspect) = self.suspects.first() else {
            return;
        };
        let weight = suspect.top_weight(&sessions.quirks);
        match self.suspects.judge_first(headers, weight) {
            Some(Judgement::BorneOut) | None => {}
            Some(Judgement::Contradicted(suspect)) if suspect.is_of_another(shared) => {
                give_up(suspect.want, &Fault::OfAnother, shared);
            }
            Some(Judgement::Contradicted(suspect)) => {
                sessions.quirks.tops.note_unlike_body();
                self.suspects.bear_out(suspect);
            }
            Some(Judgement::AskAgain(want)) => {
                self.to_go_alone.entry(want).or_default();
                shared.state.lock().wants.put_back(want);
            }
            Some(Judgement::GiveUp(want)) => give_up(want, &Fault::Unconfirmed, shared),
        }
    }

    /// A check has followed what bore them out.
    fn keep_borne_out(&mut self, sessions: &mut Sessions, shared: &Shared) {
        self.judge_those_without_top(sessions, shared);
        for reply in self.suspects.take_borne_out() {
            keep(reply, sessions, shared);
        }
    }
}

/// Hands a confirmed reply to those who wait, and to the caches.
fn keep(reply: Unconfirmed, sessions: &mut Sessions, shared: &Shared) {
    let id = reply.want.message();
    if let Some((session, _)) = sessions.current_mut() {
        session.made_progress = true;
    }
    let (quirks, source) = (&mut sessions.quirks, reply.content.source());
    let shown = match reply.content {
        ReplyContent::Headers if shared.has_all_headers(&reply.body) => {
            quirks.tops.note_shown();
            quirks.tops.note_in_step(TopOf::Known(id));
            shared.receive_headers(id, reply.body)
        }
        ReplyContent::Headers => {
            quirks.tops.note_failure();
            return do_without_top(reply.want, sessions, shared);
        }
        ReplyContent::Announced | ReplyContent::OtherHeaders => shared.receive_body(id, reply.body),
        ReplyContent::OtherSize => {
            quirks.sizes.note_wrong(reply.announced, &reply.body);
            shared.receive_body(id, reply.body)
        }
    };
    if let (Some(_), Some((session, _))) = (shown, sessions.current_mut()) {
        session.shown.note(id, source);
    }
}

/// Writes the command of a want.
fn send(
    next: &NextWant,
    session: &mut Session,
    quirks: &Quirks,
    shared: &Shared,
) -> Result<SentFetch, Fault> {
    let NextWant {
        want, announced, ..
    } = *next;
    let message = session.number_of(want.message()).ok_or(Fault::Departed)?;
    let is_whole = matches!(want, Want::Body(_)) || quirks.tops.avoid(TopOf::Known(want.message()));
    // LIST may be wrong about a message that seems to be too large.
    let octets = next.expected.min(shared.settings.max_message);
    let (command, expected) = match is_whole {
        true => (Command::Retr(message), octets),
        false => (Command::Top { message, lines: 0 }, HEADER_OCTETS),
    };
    session.link.queue(&command)?;
    session.has_retrieved |= is_whole;
    Ok(SentFetch {
        want,
        announced,
        expected,
        received: shared.disk.incoming(expected),
        octets: 0,
        is_whole,
        is_distinct: is_whole,
    })
}

/// Where no reply is due, nothing may have come behind the last one.
fn refuse_what_follows(sessions: &mut Sessions) -> Result<(), Fault> {
    match sessions.current_mut() {
        Some((session, _)) if session.link.owed() == 0 => session.link.refuse_what_is_unasked(),
        _ => Ok(()),
    }
}
