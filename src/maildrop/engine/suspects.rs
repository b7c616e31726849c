//! Bodies that are not what was announced: of another size than LIST gave, where LIST is not known
//! to be a guess, or with other headers than this machine knows of the message.
//!
//! Such a body may be the reply to another command, or a part of the right one. It is kept if TOP
//! shows the headers that it has, or if RETR gives the same octets again when nothing else is in
//! flight. TOP alone does not bear it out
//!
//! * where LIST was right for other messages: the body may have been cut, or have grown on the way,
//! * where it holds nothing but headers: it may be a reply to TOP, or
//! * where it has the size of another suspect: copies of one message have equal headers.
//!
//! Where RETR gives the same octets again and TOP shows other headers, the server's TOP differs from
//! its RETR, or it takes one message for another (transfer.rs).

use std::collections::{HashMap, VecDeque};

use crate::maildrop::catalogue::digest::{Digests, HeaderDigest, HeaderSource};
use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::identity::LONGEST_HEADERS;
use crate::maildrop::catalogue::message::{Announced, Standing};
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::wants::Want;
use crate::store::Body;

/// A message is given up after this many bodies that all differ.
const MOST_DISCARDED: u8 = 3;
/// How many octets at the beginning of a reply are compared with the one before.
const COMPARED: usize = 4096;

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
#[derive(Debug)]
pub(super) enum Judgement {
    /// The next check confirms it.
    BorneOut,
    /// RETR has given the same octets again, but TOP shows other headers.
    Contradicted(Unconfirmed),
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

/// How a reply begins, and its length. A server that answers a command twice sends both alike; two
/// messages hardly ever are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReplyStart {
    beginning: Vec<u8>,
    octets: u64,
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

/// What it is worth that TOP shows the headers of a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopWeight {
    /// It bears the suspect out.
    Enough,
    /// It does not: the size speaks against the body.
    NotEnough,
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
    /// A body with other headers than are known of the message, of a size that raises no doubt.
    OtherHeaders,
}

impl ReplyStart {
    pub(super) fn of(body: &Body) -> Self {
        let mut buffer = Vec::new();
        // Where the disk cannot be read, the length alone counts.
        let beginning = body.read_at(0, COMPARED, &mut buffer).unwrap_or_default();
        Self {
            beginning: beginning.to_vec(),
            octets: body.len(),
        }
    }
}

impl ReplyContent {
    /// The command that it answers.
    pub(super) fn source(self) -> HeaderSource {
        match self {
            Self::Headers => HeaderSource::Top,
            Self::Announced | Self::OtherSize | Self::OtherHeaders => HeaderSource::Body,
        }
    }
}

impl Unconfirmed {
    /// The message that it was fetched for.
    pub(super) fn message(&self) -> MessageId {
        self.want.message()
    }

    /// What it is worth that TOP shows its headers.
    pub(super) fn top_weight(&self, quirks: &Quirks) -> TopWeight {
        let may_be_wrong = || quirks.sizes.may_be_wrong_about(self.announced, &self.body);
        match self.content {
            ReplyContent::OtherSize if !may_be_wrong() => TopWeight::NotEnough,
            _ => TopWeight::Enough,
        }
    }

    /// Whether this machine knows other headers of the message than the body has.
    pub(super) fn has_other_headers(&self, quirks: &Quirks, shared: &Shared) -> bool {
        let message = self.message();
        let known = shared.look(|state| state.catalogue.get(message).headers_expected_of_body());
        let known = match quirks.tops.differ_from_bodies() {
            true => known.by_body,
            false => known.by_body.or(known.by_top),
        };
        let headers = known.and_then(|_| self.headers());
        headers.is_some() && headers != known
    }

    /// Whether it seems to be the body of another message: LIST announced its size for that one, and
    /// its headers are those of that one. Where LIST speaks against it they need not be known.
    pub(super) fn is_of_another(&self, shared: &Shared) -> bool {
        let headers = self.headers();
        let is_size_right = self.content != ReplyContent::OtherSize;
        let is_like = |known: Digests| match known.is_known() {
            true => headers.is_some() && (known.by_top == headers || known.by_body == headers),
            false => !is_size_right,
        };
        shared.look(|state| {
            let mut listed = state.catalogue.after(0, Standing::Listed);
            listed.any(|(id, other)| {
                id != self.message()
                    && other.announced().is(self.body.len())
                    && is_like(other.digests())
            })
        })
    }

    /// The digest of its headers, if it has all of them.
    fn headers(&self) -> Option<HeaderDigest> {
        let mut headers = Vec::new();
        let read = self.body.read_at(0, LONGEST_HEADERS, &mut headers);
        read.ok().and_then(HeaderDigest::of_complete_headers)
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

    /// The first that is not judged yet.
    pub(super) fn first(&self) -> Option<&Unconfirmed> {
        self.waiting.front()
    }

    /// Those that are not judged yet, in order.
    pub(super) fn to_judge(&self) -> impl Iterator<Item = &Unconfirmed> {
        self.waiting.iter()
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

    /// Whether it was fetched before, and not believed.
    pub(super) fn was_discarded(&self, want: Want) -> bool {
        self.discarded.contains_key(&want)
    }

    /// A body that is believed in the end: the next check confirms it.
    pub(super) fn bear_out(&mut self, suspect: Unconfirmed) {
        self.borne_out.push(suspect);
    }

    /// Judges the first by the headers that TOP shows; `None` where TOP shows none.
    pub(super) fn judge_first(
        &mut self,
        headers: Option<&[u8]>,
        weight: TopWeight,
    ) -> Option<Judgement> {
        let suspect = self.waiting.pop_front()?;
        let want = suspect.want;
        let Ok(octets) = suspect.body.whole() else {
            return Some(Judgement::GiveUp(want));
        };
        let is_shown = headers.is_some_and(|headers| begins_with_headers(&octets, headers));
        let is_other = headers.is_some_and(|headers| shows_other_headers(&octets, headers));
        let is_enough = weight == TopWeight::Enough && !self.is_size_of_another(&suspect);
        let digest = HeaderDigest::of_body(&octets);
        let announced = suspect.announced;
        drop(octets);
        let before = self.discarded.remove(&want);
        let is_same_again = before.is_some_and(|before| before.digest == digest);
        if is_same_again && is_other {
            return Some(Judgement::Contradicted(suspect));
        }
        if is_same_again || is_shown && is_enough {
            self.bear_out(suspect);
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

/// Whether TOP shows other headers than the body has. A message may be nothing but headers, without
/// the empty line that ends them.
fn shows_other_headers(body: &[u8], headers: &[u8]) -> bool {
    HeaderDigest::of_fields(headers) != HeaderDigest::of_fields(body)
}
