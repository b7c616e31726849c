//! What a session lists: STAT, UIDL, LIST; and where there is no UIDL, the headers of every message.
//!
//! STAT goes first, for some servers refuse UIDL on an empty maildrop; LIST goes last, for GNU mailutils changes every
//! size when UIDL runs. The three need not agree. A message is listed where UIDL names it and one of the others counts it;
//! one without a unique-id is not listed, since nothing tells it from another in the next session.

use crate::maildrop::catalogue::identity;
use crate::maildrop::catalogue::identity::Identity;
use crate::maildrop::catalogue::listing::{Coverage, Entry};
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::quirks::{Notice, Quirks};
use crate::maildrop::fault::Fault;
use crate::maildrop::session::headers::HeaderBuffer;
use crate::maildrop::session::top::Top;
use crate::maildrop::settings::Dating;
use crate::pop3::reply::{list_line, stat, uidl_line};
use crate::pop3::{Command, Event, MessageNumber, UniqueId};

/// What is believed of LIST: sums over a million messages stay in range.
const MOST_OCTETS: u64 = 1 << 40;

/// What a session lists, in maildrop order, each message with the number that ends with the session.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// Of each entry.
    pub(crate) numbers: Vec<MessageNumber>,
    /// When each arrived, in Unix seconds, where the headers came with the listing.
    pub(crate) arrivals: Vec<Option<i64>>,
    /// How many messages are in the maildrop and not in the listing.
    pub(crate) unnamed: usize,
}

/// The questions of a listing, and what they are asked with.
pub(crate) struct Scan<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) quirks: &'a mut Quirks,
    pub(crate) top: &'a mut Top,
    /// How many TOPs may be in flight.
    pub(crate) ahead: usize,
    /// The most octets that one of them may give.
    pub(crate) max_message: u64,
    pub(crate) dating: &'a Dating,
}

type Sizes = Vec<(MessageNumber, u64)>;
type UniqueIds = Vec<(MessageNumber, UniqueId)>;

impl Scan<'_> {
    pub(crate) fn ask(mut self) -> Result<Listing, Fault> {
        let count = self.count()?;
        let unique_ids = self.unique_ids(count)?;
        let sizes = self.sizes(count)?;
        match unique_ids {
            Some(unique_ids) => Ok(self.by_uidl(unique_ids, &sizes, count)),
            None => self.by_headers(&sizes),
        }
    }

    /// STAT's count of messages, 0 also where it cannot be read: LIST then tells.
    fn count(&mut self) -> Result<u32, Fault> {
        self.link.status(&Command::Stat, |status| {
            if status.is_ok() {
                Ok(stat(status.text).map_or(0, |stat| stat.count))
            } else {
                Err(Fault::of_refusal("STAT", status))
            }
        })?
    }

    /// None where the server has no UIDL. A server by whose UIDL messages are known has one, whatever it says now.
    fn unique_ids(&mut self, count: u32) -> Result<Option<UniqueIds>, Fault> {
        if self.quirks.identity == Some(Identity::Headers) {
            return Ok(None);
        }
        let mut found = UniqueIds::new();
        let answer = self.link.lines(
            &Command::Uidl,
            |status| Fault::of_refusal("UIDL", status),
            |line| {
                found.push(uidl_line(line)?);
                Ok(())
            },
        );
        match answer {
            Ok(()) => {}
            Err(Fault::Refused { .. }) if count == 0 => return Ok(Some(UniqueIds::new())),
            Err(Fault::Refused { .. }) if self.quirks.identity.is_none() => return Ok(None),
            Err(fault) => return Err(fault),
        }
        self.quirks.identity = Some(Identity::Uidl);
        Ok(Some(once_each(found)))
    }

    fn sizes(&mut self, count: u32) -> Result<Sizes, Fault> {
        let mut found = Sizes::new();
        let answer = self.link.lines(
            &Command::List,
            |status| Fault::of_refusal("LIST", status),
            |line| {
                let (number, octets) = list_line(line)?;
                found.push((number, octets.min(MOST_OCTETS)));
                Ok(())
            },
        );
        match answer {
            Err(Fault::Refused { .. }) if count == 0 => Ok(Sizes::new()),
            answer => answer.map(|()| once_each(found)),
        }
    }

    /// LIST's octets are a hint, so a message that it leaves out is listed too, if STAT counts it.
    fn by_uidl(&mut self, unique_ids: UniqueIds, sizes: &Sizes, count: u32) -> Listing {
        let mut listing = Listing::default();
        let mut sized = 0;
        for (number, uidl) in unique_ids {
            let octets = match sizes.binary_search_by_key(&number, |&(number, _)| number) {
                Ok(at) => {
                    sized += 1;
                    sizes[at].1
                }
                Err(_) if number.get() <= count => 0,
                Err(_) => continue,
            };
            listing.push(number, Entry { uidl, octets }, None);
        }
        listing.unnamed = sizes.len() - sized;
        if listing.unnamed > 0 {
            self.quirks.tell(Notice::ListingsDisagree);
        }
        listing
    }

    /// Asks for the headers of every message, each session anew: no DELE is ever sent for a number of which this session
    /// has not seen the headers.
    fn by_headers(&mut self, sizes: &Sizes) -> Result<Listing, Fault> {
        let mut listing = Listing::default();
        let mut headers = HeaderBuffer::default();
        let (top, dating, max_message) = (&mut *self.top, self.dating, self.max_message);
        let command = |&(message, _): &(MessageNumber, u64)| Command::Top { message, lines: 0 };
        let asked = self
            .link
            .pipeline(sizes, self.ahead, command, |&(number, octets), event| {
                match event {
                    Event::Body(octets) => headers.take(octets, max_message)?,
                    Event::End => {
                        *top = Top::Works;
                        let HeaderBuffer { kept, .. } = std::mem::take(&mut headers);
                        let uidl = identity::of_headers(&kept);
                        listing.push(number, Entry { uidl, octets }, dating.of(&kept));
                    }
                    Event::Done(_) if *top == Top::Untried => return Err(nothing_lasts()),
                    Event::Done(status) => {
                        let text = status.server_text();
                        log::info!("the server refused TOP {number} ({text})");
                        listing.unnamed += 1;
                    }
                    _ => {}
                }
                Ok(())
            });
        self.quirks.pipelining.note_pipeline(self.link, &asked);
        asked?;
        if listing.entries.is_empty() && listing.unnamed > 0 {
            return Err(nothing_lasts());
        }
        if listing.unnamed > 0 {
            self.quirks.tell(Notice::HeadersRefused);
        }
        if !listing.entries.is_empty() {
            self.quirks.identity = Some(Identity::Headers);
            self.quirks.tell(Notice::NoUidl);
        }
        Ok(listing)
    }
}

impl Listing {
    pub(crate) fn coverage(&self) -> Coverage {
        match self.unnamed {
            0 => Coverage::Complete,
            unnamed => Coverage::Partial(unnamed),
        }
    }

    /// The number of the message of which LIST gives the fewest octets, and these.
    pub(crate) fn smallest(&self) -> Option<(MessageNumber, u64)> {
        let sizes = self.entries.iter().map(|entry| entry.octets);
        let numbered = self.numbers.iter().copied().zip(sizes);
        numbered.min_by_key(|&(_, octets)| octets)
    }

    fn push(&mut self, number: MessageNumber, entry: Entry, arrived: Option<i64>) {
        self.numbers.push(number);
        self.entries.push(entry);
        self.arrivals.push(arrived);
    }
}

/// In the order of the numbers; of a number that is listed twice, the first line counts.
fn once_each<T>(mut found: Vec<(MessageNumber, T)>) -> Vec<(MessageNumber, T)> {
    found.sort_by_key(|&(number, _)| number);
    found.dedup_by_key(|&mut (number, _)| number);
    found
}

fn nothing_lasts() -> Fault {
    Fault::Unsupported(
        "the server has neither UIDL nor TOP, so no message has a name that lasts: pop3fs cannot show this maildrop",
    )
}
