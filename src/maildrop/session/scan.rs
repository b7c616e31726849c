//! Lists the maildrop with STAT, UIDL and LIST. If the server has no UIDL, the headers of every
//! message are fetched instead.
//!
//! STAT goes first, because some servers refuse UIDL on an empty maildrop. LIST goes last, because
//! GNU mailutils changes every size when UIDL runs.
//!
//! The three answers may disagree. A message is listed if UIDL and one of the others include it. A
//! message without a unique-id is not listed, because the next session could not recognize it. A
//! line that cannot be read loses only what it was to tell.
//!
//! Where an earlier session fell silent with several commands in flight, LIST is sent once more, with
//! NOOPs behind it. A server that loses commands which come behind others does not answer them all.
//! None of them concerns a message at which the server may hang.

use crate::maildrop::catalogue::identity;
use crate::maildrop::catalogue::identity::Identity;
use crate::maildrop::catalogue::listing::{Coverage, Entry};
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::pipelining::TRIAL;
use crate::maildrop::connection::quirks::{Notice, Quirks};
use crate::maildrop::connection::tops::TopOf;
use crate::maildrop::fault::Fault;
use crate::maildrop::fault::unknown_command::speaks_of_an_unknown_command;
use crate::maildrop::session::show::{Show, TopReply, TopTarget};
use crate::maildrop::settings::Dating;
use crate::pop3::reply::{list_line, stat, uidl_line};
use crate::pop3::{Command, MessageNumber, ProtocolError, Status, UniqueId};

/// The limit on a size in LIST. A larger one is cut to this, so that the sum over a million
/// messages does not overflow.
const MOST_OCTETS: u64 = 1 << 40;

/// After this many refusals, and no headers, nothing is asked for any more.
const MOST_REFUSED: usize = 64;

/// The messages that a session lists, in maildrop order.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    /// The number of each entry. Numbers are valid only in this session.
    pub(crate) numbers: Vec<MessageNumber>,
    /// The date of each entry in Unix seconds, if the listing fetched the headers.
    pub(crate) arrivals: Vec<Option<i64>>,
    /// How many messages are in the maildrop but not in the listing.
    pub(crate) unnamed: usize,
}

/// What a listing needs.
pub(crate) struct Scan<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) quirks: &'a mut Quirks,
    /// How many TOP commands may be in flight.
    pub(crate) ahead: usize,
    /// The limit on the reply to one TOP, in octets.
    pub(crate) max_message: u64,
    pub(crate) dating: &'a Dating,
}

/// What the lines of a reply tell of the messages.
struct Lines<T> {
    found: Vec<(MessageNumber, T)>,
    /// How many lines could not be read.
    lost: usize,
    /// Why the first of them could not.
    why: Option<ProtocolError>,
}

/// A line of LIST.
struct ListedMessage {
    number: MessageNumber,
    octets: u64,
}

type Sizes = Lines<u64>;
type UniqueIds = Lines<UniqueId>;

impl Scan<'_> {
    /// Lists the maildrop.
    pub(crate) fn ask(mut self) -> Result<Listing, Fault> {
        let count = self.count()?;
        let unique_ids = self.unique_ids(count)?;
        let sizes = self.sizes(count)?;
        self.try_several()?;
        match unique_ids {
            Some(unique_ids) => Ok(self.by_uidl(unique_ids, &sizes, count)),
            None => self.by_headers(&sizes.unless_all_are_lost()?),
        }
    }

    /// The number of messages in STAT. 0 also if it cannot be parsed; then LIST decides.
    fn count(&mut self) -> Result<u32, Fault> {
        let has_plain_stat = &mut self.quirks.has_plain_stat;
        self.link.status(&Command::Stat, |status| {
            if status.is_ok() {
                let stat = stat(status.text);
                *has_plain_stat = stat.is_ok();
                Ok(stat.map_or(0, |stat| stat.count))
            } else {
                Err(Fault::of_refusal("STAT", status))
            }
        })?
    }

    /// The unique-ids in UIDL. `None` if the server has no UIDL. If messages are already identified
    /// by UIDL, a refusal is an error.
    fn unique_ids(&mut self, count: u32) -> Result<Option<UniqueIds>, Fault> {
        if self.quirks.identity == Some(Identity::Headers) {
            return Ok(None);
        }
        let mut found = UniqueIds::default();
        let answer = self.link.lines(
            &Command::Uidl,
            |status| Fault::of_refusal("UIDL", status),
            |line| {
                found.take(line, uidl_line);
                Ok(())
            },
        );
        match answer {
            Ok(()) => {}
            Err(Fault::Refused { .. }) if count == 0 => return Ok(Some(UniqueIds::default())),
            Err(Fault::Refused { .. }) if self.quirks.identity.is_none() => return Ok(None),
            Err(fault) => return Err(fault),
        }
        let found = found.unless_all_are_lost()?.once_each(self.quirks);
        self.quirks.identity = Some(Identity::Uidl);
        Ok(Some(found))
    }

    /// The sizes in LIST.
    fn sizes(&mut self, count: u32) -> Result<Sizes, Fault> {
        let mut found = Sizes::default();
        let size = |line: &[u8]| {
            let (number, octets) = list_line(line)?;
            Ok((number, octets.unwrap_or(0).min(MOST_OCTETS)))
        };
        let answer = self.link.lines(
            &Command::List,
            |status| Fault::of_refusal("LIST", status),
            |line| {
                found.take(line, size);
                Ok(())
            },
        );
        match answer {
            Err(Fault::Refused { .. }) if count == 0 => Ok(Sizes::default()),
            answer => answer.map(|()| found.once_each(self.quirks)),
        }
    }

    /// Tries several commands at once, if it is in doubt whether the server answers them.
    fn try_several(&mut self) -> Result<(), Fault> {
        if self.ahead == 1 || !self.quirks.pipelining.is_in_doubt() {
            return Ok(());
        }
        // A long reply and short ones.
        let mut commands = [Command::Noop; TRIAL];
        commands[0] = Command::List;
        let outcome = self
            .link
            .pipeline(&commands, self.ahead, |&command| command, |_, _| Ok(()))
            .and_then(|()| self.link.refuse_what_is_unasked());
        self.quirks.pipelining.note_trial(self.link, &outcome);
        outcome
    }

    /// Combines the three answers. LIST's sizes are only hints, so a message that is missing from
    /// LIST is listed too if STAT counts it.
    fn by_uidl(&mut self, unique_ids: UniqueIds, sizes: &Sizes, count: u32) -> Listing {
        let mut listing = Listing::default();
        let mut sized = 0;
        let counted = count as usize;
        // A line of LIST that could not be read counted a message, too.
        let count = count.max(u32::try_from(sizes.found.len() + sizes.lost).unwrap_or(u32::MAX));
        for (number, uidl) in unique_ids.found {
            let octets = match sizes.of(number) {
                Some(octets) => {
                    sized += 1;
                    octets
                }
                None if number.get() <= count => 0,
                None => continue,
            };
            listing.push(number, Entry { uidl, octets }, None);
        }
        // A reply may have been cut: what STAT counts, and no line names, need not have gone.
        let unlisted = counted.saturating_sub(listing.entries.len());
        let unnamed = unique_ids.lost.max(sizes.found.len() - sized);
        listing.unnamed = unnamed.max(unlisted);
        if listing.unnamed > 0 {
            self.quirks.tell(Notice::ListingsDisagree);
        }
        listing
    }

    /// Fetches the headers of every message with TOP. Every session does this again, so DELE is
    /// sent only for a number whose headers the same session has received.
    fn by_headers(&mut self, sizes: &Sizes) -> Result<Listing, Fault> {
        let listed = sizes
            .found
            .iter()
            .map(|&(number, octets)| ListedMessage { number, octets });
        let asked: Vec<ListedMessage> = listed
            .filter(|message| !self.quirks.tops.avoid(message.top_of()))
            .collect();
        let mut listing = Listing {
            unnamed: sizes.lost + sizes.found.len() - asked.len(),
            ..Listing::default()
        };
        let (mut shown, dating) = (Vec::new(), self.dating);
        let mut show = Show {
            link: self.link,
            quirks: self.quirks,
            ahead: self.ahead,
            max_message: self.max_message,
        };
        show.ask(&asked, |tops, message, reply| match reply {
            TopReply::Headers(headers) => {
                tops.note_shown();
                let (uidl, octets) = (identity::of_headers(&headers), message.octets);
                let arrived = dating.of(&headers);
                shown.push((message.number, Entry { uidl, octets }, arrived));
                Ok(())
            }
            TopReply::Refused(status) => {
                tops.note_refused(&status);
                listing.unnamed += 1;
                log::info!(
                    "the server refused TOP {} ({})",
                    message.number,
                    status.server_text()
                );
                match shown.is_empty() && is_hopeless(listing.unnamed, &status) {
                    true => Err(no_permanent_names()),
                    false => Ok(()),
                }
            }
        })?;
        shown.sort_by_key(|&(number, ..)| number);
        for (number, entry, arrived) in shown {
            listing.push(number, entry, arrived);
        }
        if listing.entries.is_empty() && listing.unnamed > 0 {
            return Err(no_permanent_names());
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
    /// Whether the listing has all messages of the maildrop.
    pub(crate) fn coverage(&self) -> Coverage {
        match self.unnamed {
            0 => Coverage::Complete,
            unnamed => Coverage::Partial(unnamed),
        }
    }

    /// The number and the size in LIST of at most `most` messages that are spread over the sizes up
    /// to `limit`. The smallest is the first.
    pub(crate) fn samples(&self, limit: u64, most: usize) -> Vec<(MessageNumber, u64)> {
        let sizes = self.entries.iter().map(|entry| entry.octets);
        let numbered = self.numbers.iter().copied().zip(sizes);
        let mut sorted: Vec<(MessageNumber, u64)> =
            numbered.filter(|&(_, octets)| octets <= limit).collect();
        sorted.sort_by_key(|&(_, octets)| octets);
        let (count, last) = (sorted.len().min(most), sorted.len().saturating_sub(1));
        let gaps = count.saturating_sub(1).max(1);
        (0..count).map(|step| sorted[last * step / gaps]).collect()
    }

    fn push(&mut self, number: MessageNumber, entry: Entry, arrived: Option<i64>) {
        self.numbers.push(number);
        self.entries.push(entry);
        self.arrivals.push(arrived);
    }
}

impl TopTarget for ListedMessage {
    fn number(&self) -> MessageNumber {
        self.number
    }

    fn top_of(&self) -> TopOf {
        TopOf::Listed(self.number, self.octets)
    }
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            lost: 0,
            why: None,
        }
    }
}

impl<T> Lines<T> {
    /// Reads a line. Some servers send empty ones.
    fn take(
        &mut self,
        line: &[u8],
        read: impl FnOnce(&[u8]) -> Result<(MessageNumber, T), ProtocolError>,
    ) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match read(line) {
            Ok(told) => self.found.push(told),
            Err(error) => {
                self.lost += 1;
                self.why.get_or_insert(error);
            }
        }
    }

    /// Sorts the lines by message number. If a number appears twice, the first line counts.
    fn once_each(mut self, quirks: &mut Quirks) -> Self {
        self.found.sort_by_key(|&(number, _)| number);
        self.found.dedup_by_key(|&mut (number, _)| number);
        if let Some(error) = &self.why {
            log::debug!("{} lines are lost: {error}", self.lost);
            quirks.tell(Notice::UnreadableLines);
        }
        self
    }

    /// Fails if none of the lines could be read.
    fn unless_all_are_lost(self) -> Result<Self, Fault> {
        match self.why {
            Some(error) if self.found.is_empty() => Err(error.into()),
            _ => Ok(self),
        }
    }
}

impl Sizes {
    /// The size of a message in LIST.
    fn of(&self, number: MessageNumber) -> Option<u64> {
        let at = self
            .found
            .binary_search_by_key(&number, |&(number, _)| number);
        Some(self.found[at.ok()?].1)
    }
}

/// Whether the server refuses the headers of every message: it has refused this many, and shown
/// none.
fn is_hopeless(refused: usize, status: &Status<'_>) -> bool {
    refused >= MOST_REFUSED || speaks_of_an_unknown_command(status.server_text().as_str())
}

/// The fault of a server on which no message can be recognized in the next session.
fn no_permanent_names() -> Fault {
    Fault::Unsupported(
        "the server has neither UIDL nor TOP, so no message has a permanent name: pop3fs cannot show this maildrop",
    )
}
