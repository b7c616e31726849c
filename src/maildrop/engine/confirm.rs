//! Whether a removed message is still the one that the user removed.
//!
//! A server may exchange unique-ids, or give one to other mail once it is free (RFC 1939 section 7
//! forbids this, and rebuilt mailboxes do it). mbox servers change LIST's octets when they note in
//! the headers what was read. So the session that deletes shows each message again by TOP, unless
//! it has shown it already, and what it shows is compared with what was shown before:
//!
//! | known before | the message is the same if |
//! |---|---|
//! | its headers | TOP gives the same; or RETR, where TOP does not show this message |
//! | no headers, or the server has no TOP | unique-id and octets are as they were |
//!
//! Where TOP and RETR of this server differ, unique-id and octets decide. One RETR tells that.
//!
//! Fields that servers write themselves do not count (identity.rs). Of messages that share a
//! unique-id, one whose body was seen is fetched again, since their headers are often equal.

use crate::maildrop::catalogue::digest::{BodyDigest, HeaderDigest, HeaderSource};
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Message;
use crate::maildrop::catalogue::pending::{Likeness, PendingDeletion, ShownBefore};
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::connection::tops::{TopOf, Tops};
use crate::maildrop::engine::broken::{Broken, BrokenOver};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::Session;
use crate::maildrop::session::show::{Show, TopReply, TopTarget};
use crate::maildrop::shared::Shared;
use crate::pop3::{Command, Event, MessageNumber};

/// A removed message, its number in this session, and what it has to be.
#[derive(Clone, Debug)]
pub(super) struct ToConfirm {
    id: MessageId,
    number: MessageNumber,
    shown: ShownBefore,
    likeness: Likeness,
    /// This session has shown the headers that were known when it was removed.
    is_shown: bool,
    /// It shares its unique-id, and this session is not the one that listed it when it was removed.
    is_doubtful_twin: bool,
}

/// A removed message whose headers TOP is to show.
struct ToShow {
    /// Its place among those to confirm.
    at: usize,
    id: MessageId,
    number: MessageNumber,
}

/// A removed message whose body is to tell it from its twins.
struct ToSettle<'a> {
    id: MessageId,
    number: MessageNumber,
    /// The digest of its body before.
    before: HeaderDigest,
    judgement: &'a mut Resemblance,
}

/// What the session has shown of the removed messages.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    /// They are the ones that were removed.
    pub(super) confirmed: Vec<(MessageId, MessageNumber)>,
    /// Other mail has their place.
    pub(super) replaced: Vec<MessageId>,
    /// Nothing tells whether they are the ones.
    pub(super) unsure: Vec<MessageId>,
}

/// What was decided of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resemblance {
    Same,
    Replaced,
    Unsure,
    /// TOP shows other headers than RETR did.
    TopDiffersFromBody,
    /// TOP, which this server has, does not show its headers: it may be broken, or other mail.
    NotShown,
}

impl ToConfirm {
    pub(super) fn new(
        id: MessageId,
        number: MessageNumber,
        pending: &PendingDeletion,
        message: &Message,
        session: &Session,
    ) -> Self {
        let (known, now) = (pending.shown.headers, message.digests());
        // Other mail may have come between a TOP and a RETR of different sessions.
        let is_shown_by = |&source: &HeaderSource| {
            let is_same = known.by(source) == now.by(source);
            known.by(source).is_none() || is_same && session.shown.contains(id, source)
        };
        Self {
            id,
            number,
            shown: pending.shown.clone(),
            likeness: pending.likeness,
            is_shown: known.is_known()
                && [HeaderSource::Top, HeaderSource::Body]
                    .iter()
                    .all(is_shown_by),
            is_doubtful_twin: message.twins() > 1 && pending.removed_in != session.serial(),
        }
    }

    /// By what TOP shows now; `None` where it shows nothing, or not all.
    fn judge(&self, top: Option<HeaderDigest>, tops: &Tops) -> Resemblance {
        if self.is_shown {
            return Resemblance::Same;
        }
        let known = self.shown.headers;
        match (top, known.by_top, known.by_body) {
            (_, None, None) => self.judge_by_listing(),
            (None, ..) if tops.are_missing() => self.judge_by_listing(),
            (None, ..) => Resemblance::NotShown,
            (Some(now), Some(before), _) if before == now => Resemblance::Same,
            (Some(_), Some(_), _) => Resemblance::Replaced,
            (Some(now), None, Some(before)) if before == now => Resemblance::Same,
            (Some(_), None, Some(_)) => Resemblance::TopDiffersFromBody,
        }
    }

    fn judge_by_listing(&self) -> Resemblance {
        match self.likeness {
            Likeness::Same => Resemblance::Same,
            Likeness::Resized | Likeness::Shifted => Resemblance::Unsure,
        }
    }
}

impl TopTarget for ToShow {
    fn number(&self) -> MessageNumber {
        self.number
    }

    fn top_of(&self) -> TopOf {
        TopOf::Known(self.id)
    }
}

impl<'a> ToSettle<'a> {
    fn of(message: &ToConfirm, judgement: &'a mut Resemblance) -> Option<Self> {
        let before = message.shown.twin_body?;
        let is_open = message.is_doubtful_twin && *judgement == Resemblance::Same;
        is_open.then_some(Self {
            id: message.id,
            number: message.number,
            before,
            judgement,
        })
    }

    fn judge(&mut self, now: HeaderDigest) {
        *self.judgement = match now == self.before {
            true => Resemblance::Same,
            false => Resemblance::Replaced,
        };
    }
}

impl Confirmation {
    /// Has the session show the messages again.
    pub(super) fn ask(
        to_confirm: &[ToConfirm],
        session: &mut Session,
        quirks: &mut Quirks,
        shared: &Shared,
    ) -> Result<Self, Broken> {
        let digests = ask_top(to_confirm, session, quirks, shared)?;
        let judged = to_confirm.iter().zip(digests);
        let mut judged: Vec<(&ToConfirm, Resemblance)> = judged
            .map(|(message, top)| (message, message.judge(top, &quirks.tops)))
            .collect();
        settle_not_shown(&mut judged, session, shared)?;
        settle_differences(&mut judged, session, shared)?;
        settle_twins(&mut judged, session, quirks, shared)?;
        let mut confirmation = Self::default();
        for (message, judgement) in judged {
            match (judgement, message.likeness) {
                (_, Likeness::Shifted) => confirmation.unsure.push(message.id),
                (Resemblance::Same, _) => confirmation.confirmed.push((message.id, message.number)),
                (Resemblance::Replaced, _) => confirmation.replaced.push(message.id),
                (_, _) => confirmation.unsure.push(message.id),
            }
        }
        Ok(confirmation)
    }
}

/// The digest of each message's headers as TOP shows them now. None is asked for if the headers
/// were never seen, or this session has shown them.
fn ask_top(
    to_confirm: &[ToConfirm],
    session: &mut Session,
    quirks: &mut Quirks,
    shared: &Shared,
) -> Result<Vec<Option<HeaderDigest>>, Broken> {
    let breaks = quirks.tops.breaks();
    let mut digests = vec![None; to_confirm.len()];
    let to_ask: Vec<ToShow> = to_confirm
        .iter()
        .enumerate()
        .filter(|(_, message)| !message.is_shown && message.shown.headers.is_known())
        .filter(|(_, message)| !quirks.tops.avoid(TopOf::Known(message.id)))
        .map(|(at, message)| ToShow {
            at,
            id: message.id,
            number: message.number,
        })
        .collect();
    let ahead = session.ahead();
    let mut show = Show {
        link: &mut session.link,
        quirks,
        ahead,
        max_message: shared.settings.max_message,
    };
    let shown = show.ask(&to_ask, |tops, message, reply| {
        match reply {
            TopReply::Headers(headers) => {
                digests[message.at] = HeaderDigest::of_complete_headers(&headers);
                if digests[message.at].is_some() {
                    tops.note_shown();
                }
            }
            TopReply::Refused(status) => tops.note_refused(&status),
        }
        Ok(())
    });
    match shown {
        Ok(()) => Ok(digests),
        Err(fault) if quirks.tops.breaks() > breaks => Err(Broken::over(BrokenOver::Top, fault)),
        Err(fault) => Err(fault.into()),
    }
}

/// Decides of the messages that TOP does not show: their bodies tell. If RETR gives no body either,
/// the message counts as replaced: it is kept, and what was known of it is dropped.
fn settle_not_shown(
    judged: &mut [(&ToConfirm, Resemblance)],
    session: &mut Session,
    shared: &Shared,
) -> Result<(), Broken> {
    for (message, judgement) in judged {
        if *judgement != Resemblance::NotShown {
            continue;
        }
        let body = retrieve(message, session, shared)?;
        let now = body.and_then(|body| HeaderDigest::of_complete_headers(&body));
        let known = message.shown.headers;
        *judgement = match now.is_some() && (now == known.by_body || now == known.by_top) {
            true => Resemblance::Same,
            false => Resemblance::Replaced,
        };
    }
    Ok(())
}

/// Decides of the messages whose headers were seen by RETR alone, and that TOP shows with others.
/// Either this server's TOP differs from its RETR, or other mail has the message's place. One
/// message that RETR shows again in this session tells which. An earlier session does not tell
/// that: other mail may have come between its TOP and its RETR.
fn settle_differences(
    judged: &mut [(&ToConfirm, Resemblance)],
    session: &mut Session,
    shared: &Shared,
) -> Result<(), Broken> {
    let is_like = has_same_by_top(judged) || shared.state.lock().catalogue.has_top_like_body();
    let mut top_is_like_body = is_like.then_some(true);
    for (message, judgement) in judged {
        if *judgement != Resemblance::TopDiffersFromBody {
            continue;
        }
        *judgement = match top_is_like_body {
            Some(true) => Resemblance::Replaced,
            Some(false) => message.judge_by_listing(),
            None => match retrieve(message, session, shared)? {
                Some(body)
                    if HeaderDigest::of_complete_headers(&body)
                        == message.shown.headers.by_body =>
                {
                    top_is_like_body = Some(false);
                    Resemblance::Same
                }
                Some(_) => Resemblance::Replaced,
                None => Resemblance::Unsure,
            },
        };
    }
    Ok(())
}

/// Whether TOP shows any of them as RETR did.
fn has_same_by_top(judged: &[(&ToConfirm, Resemblance)]) -> bool {
    judged.iter().any(|(message, judgement)| {
        let known = message.shown.headers;
        let is_same = *judgement == Resemblance::Same && !message.is_shown;
        is_same && known.by_top.is_none() && known.by_body.is_some()
    })
}

/// Messages that share a unique-id often have equal headers: those whose body was seen are fetched
/// again, as many ahead as the server lets us pipeline.
fn settle_twins(
    judged: &mut [(&ToConfirm, Resemblance)],
    session: &mut Session,
    quirks: &mut Quirks,
    shared: &Shared,
) -> Result<(), Broken> {
    let mut twins: Vec<ToSettle<'_>> = judged
        .iter_mut()
        .filter_map(|(message, judgement)| ToSettle::of(message, judgement))
        .collect();
    for twin in &mut twins {
        *twin.judgement = Resemblance::Unsure;
    }
    if session.deletes_what_was_read() || twins.is_empty() {
        return Ok(());
    }
    session.has_retrieved = true;
    let numbers: Vec<MessageNumber> = twins.iter().map(|twin| twin.number).collect();
    let (mut body, mut received, mut answered) = (BodyDigest::default(), 0, 0);
    let max_message = shared.settings.max_message;
    let ahead = session.ahead();
    let retrieve = |&number: &MessageNumber| Command::Retr(number);
    let settled = session
        .link
        .pipeline(&numbers, ahead, retrieve, |_, event| {
            match event {
                Event::Body(octets) => {
                    received += octets.len() as u64;
                    if received > max_message {
                        return Err(Fault::TooLarge);
                    }
                    body.take(octets);
                }
                Event::End => {
                    received = 0;
                    twins[answered].judge(body.finish());
                    answered += 1;
                }
                Event::Done(_) => answered += 1,
                _ => {}
            }
            Ok(())
        });
    quirks.pipelining.note_pipeline(&session.link, &settled);
    let due = twins.get(answered).map(|twin| twin.id);
    settled.map_err(|fault| Broken::over_deletion(due, fault))
}

/// The body as the server has it now. None where it refuses, or where QUIT may delete what was
/// retrieved (`EXPIRE 0`).
fn retrieve(
    message: &ToConfirm,
    session: &mut Session,
    shared: &Shared,
) -> Result<Option<Vec<u8>>, Broken> {
    if session.deletes_what_was_read() {
        return Ok(None);
    }
    session.has_retrieved = true;
    let mut body = Vec::new();
    let take = |octets: &[u8]| body.extend_from_slice(octets);
    let most = shared.settings.max_message;
    let answer = session
        .link
        .body(&Command::Retr(message.number), most, take)
        .map_err(|fault| Broken::over_deletion(Some(message.id), fault))?;
    Ok(answer.is_ok().then_some(body))
}
