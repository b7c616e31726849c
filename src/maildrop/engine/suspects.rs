//! Bodies of another size than LIST announced, from a server whose LIST is right for others.
//!
//! Such a body may be the reply to another command. It is kept if TOP shows the headers that it
//! has, or if RETR gives the same octets again when nothing else is in flight. TOP alone does not
//! bear it out
//!
//! * where it holds nothing but headers: it may be a reply to TOP, or
//! * where it has the size of another suspect: copies of one message have equal headers.

use std::collections::{HashMap, VecDeque};

use crate::maildrop::catalogue::digest::{HeaderDigest, HeaderSource};
use crate::maildrop::catalogue::message::Announced;
use crate::maildrop::shared::wants::Want;
use crate::store::Body;

/// A body that is another each time is given up after so many.
const MOST_DISCARDED: u8 = 3;
/// The suspects of a transfer.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Not judged yet, in order.
    waiting: VecDeque<Unconfirmed>,
    /// TOP or a second RETR has shown them again. The next check confirms them.
    borne_out: Vec<Unconfirmed>,
    /// What was not believed, by which the next RETR is judged.
    discarded: HashMap<Want, Discarded>,
}

/// What becomes of a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The next check confirms it.
    BorneOut,
    /// RETR has to give the same octets again, alone.
    AskAgain(Want),
    /// It is another each time.
    GiveUp(Want),
}

/// A complete reply that is not confirmed.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) want: Want,
    pub(super) announced: Announced,
    pub(super) content: ReplyContent,
    pub(super) body: Body,
}

/// What came for a want that was not believed.
#[derive(Clone, Copy, Debug)]
struct Discarded {
    /// Of the whole body that came last.
    digest: HeaderDigest,
    /// How often something came.
    times: u8,
    announced: Announced,
}

/// What a complete reply holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyContent {
    /// The headers by TOP.
    Headers,
    /// A body of the announced size.
    Announced,
    /// A body of another size.
    OtherSize,
}

impl ReplyContent {
    /// The command that it answers.
    pub(super) fn source(self) -> HeaderSource {
        match self {
            Self::Headers => HeaderSource::Top,
            Self::Announced | Self::OtherSize => HeaderSource::Body,
        }
    }
}

impl Suspects {
    /// Adds a body that is to be judged.
    pub(super) fn push(&mut self, suspect: Unconfirmed) {
        self.waiting.push_back(suspect);
    }

    /// How many are not judged yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The want of the first that is not judged yet.
    pub(super) fn first(&self) -> Option<Want> {
        self.waiting.front().map(|suspect| suspect.want)
    }

    /// The wants of those that are not judged yet, in order.
    pub(super) fn wants(&self) -> impl Iterator<Item = Want> {
        self.waiting.iter().map(|suspect| suspect.want)
    }

    /// Whether none is left to be judged or confirmed.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.borne_out.is_empty()
    }

    /// Forgets what was not believed.
    pub(super) fn forget_discarded(&mut self) {
        self.discarded.clear();
    }

    /// Takes those that are borne out.
    pub(super) fn take_borne_out(&mut self) -> Vec<Unconfirmed> {
        std::mem::take(&mut self.borne_out)
    }

    /// Takes all that are not confirmed, in order.
    pub(super) fn take_all(&mut self) -> Vec<Unconfirmed> {
        let mut all: Vec<Unconfirmed> = self.waiting.drain(..).collect();
        all.append(&mut self.borne_out);
        all
    }

    /// Judges the first by the headers that TOP shows; `None` where TOP shows none.
    pub(super) fn judge_first(&mut self, headers: Option<&[u8]>) -> Option<Judgement> {
        let suspect = self.waiting.pop_front()?;
        let want = suspect.want;
        let Ok(octets) = suspect.body.whole() else {
            return Some(Judgement::GiveUp(want));
        };
        let is_shown = headers.is_some_and(|headers| begins_with_headers(&octets, headers))
            && !self.is_size_of_another(&suspect);
        let digest = HeaderDigest::of_body(&octets);
        let announced = suspect.announced;
        drop(octets);
        let before = self.discarded.remove(&want);
        if is_shown || before.is_some_and(|before| before.digest == digest) {
            self.borne_out.push(suspect);
            return Some(Judgement::BorneOut);
        }
        let times = before.map_or(1, |before| before.times + 1);
        if times >= MOST_DISCARDED {
            return Some(Judgement::GiveUp(want));
        }
        let discarded = Discarded {
            digest,
            times,
            announced,
        };
        self.discarded.insert(want, discarded);
        Some(Judgement::AskAgain(want))
    }

    fn is_size_of_another(&self, suspect: &Unconfirmed) -> bool {
        let here = self.waiting.iter().chain(&self.borne_out);
        let others = here.map(|other| other.announced);
        let before = self.discarded.values().map(|other| other.announced);
        others
            .chain(before)
            .any(|announced| announced.is(suspect.body.len()))
    }
}

/// Whether a body has these headers, and more than them: the reply to TOP is no body.
fn begins_with_headers(body: &[u8], headers: &[u8]) -> bool {
    let shown = HeaderDigest::of_complete_headers(headers);
    shown.is_some()
        && shown == HeaderDigest::of_complete_headers(body)
        && body.len() > headers.len()
}
