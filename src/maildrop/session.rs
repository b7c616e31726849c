//! One session in TRANSACTION state: the only place where a message has a number.

use std::time::{Duration, Instant};

use super::catalogue::MessageId;
use super::fault::Fault;
use super::link::Link;
use super::listing::Entry;
use super::login::Login;
use super::state::Pulse;
use crate::net::Protection;
use crate::pop3::reply::{list_line, stat, uidl_line};
use crate::pop3::{Capabilities, Command, Expire, MessageNumber, Stat, Status, UniqueId};

/// What is believed of LIST: sums over a million messages stay in range.
const MOST_OCTETS: u64 = 1 << 40;
/// The longest wait for the server to close the connection after QUIT.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// A session. Dropped without [`Session::leave`] it ends without QUIT, and the server deletes nothing (RFC 1939 section 6).
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    /// By [`MessageId`]; only of messages that this session's UIDL named.
    numbers: Vec<Option<MessageNumber>>,
    pub(super) top: Top,
    /// A RETR was sent: where the server announces EXPIRE 0, a QUIT may delete that message (RFC 2449 section 6.7).
    pub(super) has_retrieved: bool,
}

/// Whether TOP gives the headers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// CAPA says so, or the first TOP did: an -ERR is about the message.
    Works,
    /// Not known: an -ERR means that the command is not known to the server.
    Untried,
    /// mpopd has none: a body tells the headers.
    Missing,
}

/// What a session lists, in maildrop order, each message with the number that ends with the session.
pub(super) struct Listing {
    entries: Vec<Entry>,
    numbers: Vec<MessageNumber>,
}

impl Session {
    /// Logs in and lists: STAT, UIDL, LIST, in this order. Some servers refuse UIDL on an empty maildrop, so STAT
    /// goes first; GNU mailutils changes every size when UIDL runs, so LIST goes last.
    pub(super) fn open(login: &Login, pulse: &Pulse) -> Result<(Session, Listing), Fault> {
        let (mut link, capabilities) = login.open(pulse)?;
        let stat = stat_of(&mut link)?;
        let listing = if stat.count == 0 {
            Listing::empty()
        } else {
            Listing::ask(&mut link)?
        };
        let top = if capabilities.top {
            Top::Works
        } else {
            Top::Untried
        };
        Ok((
            Session {
                link,
                capabilities,
                numbers: Vec::new(),
                top,
                has_retrieved: false,
            },
            listing,
        ))
    }

    /// Keeps which message each number of the listing is.
    pub(super) fn number(&mut self, messages: &[MessageId], numbers: &[MessageNumber]) {
        self.numbers.clear();
        let last = messages.iter().map(|id| id.index()).max();
        self.numbers.resize(last.map_or(0, |last| last + 1), None);
        for (message, number) in messages.iter().zip(numbers) {
            self.numbers[message.index()] = Some(*number);
        }
    }

    /// The number of a message in this session, none where its UIDL did not name it.
    pub(super) fn number_of(&self, message: MessageId) -> Option<MessageNumber> {
        self.numbers.get(message.index()).copied().flatten()
    }

    pub(super) fn protection(&self) -> Protection {
        self.link.protection()
    }

    /// True where QUIT might delete what was only read.
    pub(super) fn must_not_quit(&self) -> bool {
        self.has_retrieved && self.capabilities.expire == Some(Expire::Days(0))
    }

    /// Ends the session, with nothing marked for deletion. Where the server deletes what was retrieved on QUIT
    /// (`EXPIRE 0`, RFC 2449 section 6.7), or calls it popped (Gmail), the connection is closed without QUIT: RFC 1939
    /// section 6 promises that this removes nothing. Elsewhere QUIT lets go of the server's lock.
    pub(super) fn leave(mut self) {
        if self.must_not_quit() {
            log::info!(
                "leaving without QUIT: the server announces EXPIRE 0 and might delete what was read"
            );
            return;
        }
        if self.link.owed() > 0 {
            return;
        }
        if let Err(fault) = self.link.status(&Command::Quit, |_| ()) {
            log::debug!("QUIT: {fault}");
            return;
        }
        self.link.wait_for_close(Instant::now() + FAREWELL);
    }
}

impl Listing {
    fn empty() -> Listing {
        Listing {
            entries: Vec::new(),
            numbers: Vec::new(),
        }
    }

    fn ask(link: &mut Link) -> Result<Listing, Fault> {
        let identities = unique_ids(link)?;
        let sizes = sizes(link)?;
        let mut listing = Listing::empty();
        for (number, uidl) in identities {
            // LIST may hold numbers that UIDL lacks, and the other way round; what both name can be fetched and named.
            if let Ok(at) = sizes.binary_search_by_key(&number, |&(number, _)| number) {
                listing.entries.push(Entry {
                    uidl,
                    octets: sizes[at].1.min(MOST_OCTETS),
                });
                listing.numbers.push(number);
            }
        }
        Ok(listing)
    }

    pub(super) fn into_parts(self) -> (Vec<Entry>, Vec<MessageNumber>) {
        (self.entries, self.numbers)
    }
}

fn stat_of(link: &mut Link) -> Result<Stat, Fault> {
    link.status(&Command::Stat, |status| {
        if status.is_ok() {
            stat(status.text).map_err(Fault::from)
        } else {
            Err(Fault::of_login(status))
        }
    })?
}

fn unique_ids(link: &mut Link) -> Result<Vec<(MessageNumber, UniqueId)>, Fault> {
    let mut found = Vec::new();
    let refuse = |_: &Status<'_>| {
        Fault::Unsupported(
            "the server has no UIDL, without which no message has a name that lasts: pop3fs cannot show it",
        )
    };
    link.lines(&Command::Uidl, refuse, |line| {
        found.push(uidl_line(line)?);
        Ok(())
    })?;
    found.sort_unstable_by_key(|&(number, _)| number);
    found.dedup_by_key(|&mut (number, _)| number);
    Ok(found)
}

fn sizes(link: &mut Link) -> Result<Vec<(MessageNumber, u64)>, Fault> {
    let mut found = Vec::new();
    let refuse = |status: &Status<'_>| Fault::Refused {
        command: "LIST",
        text: status.server_text(),
    };
    link.lines(&Command::List, refuse, |line| {
        found.push(list_line(line)?);
        Ok(())
    })?;
    found.sort_unstable_by_key(|&(number, _)| number);
    Ok(found)
}
