//! The server of the model: it keeps to the protocol, breaks off on demand, and records everything.

mod reply;
mod session;
mod voice;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::common::Scripted;
use super::mail::{self, Draft, Mail};
use session::ModelSession;

/// The user name that the server accepts.
pub(crate) const USER: &str = "alice";
/// The password that the server accepts.
pub(crate) const PASSWORD: &str = "secret";

/// The optional capabilities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers {
    pub(crate) pipelining: bool,
    pub(crate) top: bool,
    /// `EXPIRE 0`: QUIT deletes retrieved messages (RFC 2449 section 6.7).
    pub(crate) expire_at_once: bool,
}

/// How many commands the client may send before their replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    OneAtATime,
    Pipelined,
}

/// A reply that breaks off before its end. (A break at its end would look like a later one.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) how: Break,
    /// After this many octets of replies.
    pub(crate) after: u32,
    /// Counting only these replies.
    pub(crate) within: Within,
}

/// Which replies may break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Everything,
    /// Replies after the session's listing.
    Transfers,
}

/// How a reply breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Close,
    Reset,
    /// The connection stays open but the server sends nothing more.
    Silence,
    /// The connection stays open and the server sends single octets for ever.
    Drip,
}

/// A wrong reply to RETR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misreply {
    /// The reply comes twice.
    Duplicate,
    /// The reply does not come; replies to later commands do.
    Missing,
    /// The reply comes after the reply to the next command.
    Swapped,
    /// Dots at the start of lines are not doubled.
    Unstuffed,
}

/// How the server answers QUIT in a session with marked messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quit {
    Confirmed,
    Refused(Update),
    Closed(Update),
    Silent(Update),
}

/// Whether the server deletes the messages, whatever its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Done,
    NotDone,
}

/// An event that the server has recorded.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A session got a complete listing.
    Listed(Vec<Mail>),
    /// The client sent DELE for this message.
    Marked(Mail),
    /// The server accepted that DELE.
    Accepted(Mail),
    /// The client sent QUIT after DELE.
    Quit,
    /// QUIT deleted these messages.
    Deleted(Vec<Mail>),
}

/// How many replies broke off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Before the end of the session's listing.
    pub(crate) at_login: usize,
    /// Like `at_login`, since the last complete listing.
    pub(crate) at_login_in_a_row: usize,
    /// After the session's listing.
    pub(crate) later: usize,
    /// Those of both kinds that were silence, and QUITs without a reply.
    pub(crate) by_silence: usize,
    /// Connections that are silent now.
    pub(crate) silent: usize,
}

impl Broken {
    /// How many replies broke off, at the login or later.
    pub(crate) fn replies(&self) -> usize {
        self.at_login + self.later
    }
}

/// A server with one maildrop.
pub(crate) struct Server {
    scripted: Scripted,
    shared: Arc<ModelShared>,
}

struct ModelShared {
    offers: Offers,
    pace: Pace,
    chunk: usize,
    state: Mutex<ModelState>,
}

#[derive(Default)]
struct ModelState {
    mailbox: Vec<Mail>,
    last_serial: u32,
    /// Every size that LIST ever gave for each unique-id.
    listed: HashSet<(Arc<str>, u64)>,
    faults: VecDeque<Fault>,
    /// For the next RETRs.
    misreplies: VecDeque<Misreply>,
    /// How many wrong replies to RETR were sent.
    misreplied: usize,
    /// The messages that TOP or RETR asked for after they had gone.
    asked_in_vain: HashSet<u32>,
    /// Lengths of all contents, if every message gets a length of its own.
    lengths: Option<HashSet<usize>>,
    /// Whether LIST has given the exact size of every message. If not, no client can notice two
    /// replies that are swapped, or one too many and one too few in the same session.
    is_list_exact: bool,
    broken: Broken,
    refused: u8,
    quit: Option<Quit>,
    events: Vec<Event>,
    listings: usize,
    last_listing: Option<Instant>,
    /// Connections that have got a complete listing.
    logged_in: HashSet<usize>,
    complaints: Vec<String>,
}

impl Server {
    /// Starts the server; `chunk` is the maximum of octets per write.
    pub(crate) fn start(offers: Offers, pace: Pace, chunk: usize) -> Server {
        let shared = Arc::new(ModelShared {
            offers,
            pace,
            chunk,
            state: Mutex::new(ModelState {
                is_list_exact: true,
                ..ModelState::default()
            }),
        });
        let served = Arc::clone(&shared);
        let scripted =
            Scripted::start(move |peer| ModelSession::new(&served, peer.connection()).serve(peer));
        Server { scripted, shared }
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.scripted.port()
    }

    /// Adds a message with this unique-id or with a new one.
    pub(crate) fn arrive(&self, draft: Draft, uidl: Option<Arc<str>>) -> Mail {
        let mut state = self.shared.state.lock();
        let mail = state.make(draft, uidl);
        state.mailbox.push(mail.clone());
        mail
    }

    /// Adds a copy of a message.
    pub(crate) fn copy(&self, mail: &Mail) -> Mail {
        let mut state = self.shared.state.lock();
        state.last_serial += 1;
        let copy = Mail {
            serial: state.last_serial,
            ..mail.clone()
        };
        state.mailbox.push(copy.clone());
        copy
    }

    /// Another client deletes it.
    pub(crate) fn expunge(&self, serial: u32) {
        self.shared
            .state
            .lock()
            .mailbox
            .retain(|mail| mail.serial != serial);
    }

    /// Replaces the message behind a unique-id, for later sessions.
    pub(crate) fn alter(&self, mail: &Mail, draft: Draft) -> Mail {
        let mut state = self.shared.state.lock();
        let other = state.make(draft, Some(Arc::clone(&mail.uidl)));
        state.replace(mail.serial, &other);
        other
    }

    /// Replaces the message behind a unique-id by another one of the same size, for later sessions.
    /// Returns `None` if the message is too small for that.
    pub(crate) fn reuse(&self, mail: &Mail) -> Option<Mail> {
        let mut state = self.shared.state.lock();
        let content = mail::of_length(state.last_serial + 1, mail.content.len())?;
        state.last_serial += 1;
        let other = Mail {
            serial: state.last_serial,
            content,
            ..mail.clone()
        };
        state.replace(mail.serial, &other);
        Some(other)
    }

    /// Gives the message another unique-id, for later sessions. Returns `None` if a message with
    /// this unique-id ever had the same size.
    pub(crate) fn rename(&self, mail: &Mail, uidl: &Arc<str>) -> Option<Mail> {
        let mut state = self.shared.state.lock();
        if !state.listed.insert((Arc::clone(uidl), mail.listed)) {
            return None;
        }
        let renamed = Mail {
            uidl: Arc::clone(uidl),
            ..mail.clone()
        };
        state.replace(mail.serial, &renamed);
        Some(renamed)
    }

    pub(crate) fn mailbox(&self) -> Vec<Mail> {
        self.shared.state.lock().mailbox.clone()
    }

    /// Adds a fault, which occurs after the earlier ones.
    pub(crate) fn break_off(&self, fault: Fault) {
        self.shared.state.lock().faults.push_back(fault);
    }

    /// Gives every later message a length of its own, so that none can be taken for another one.
    pub(crate) fn give_distinct_lengths(&self) {
        self.shared.state.lock().lengths = Some(HashSet::new());
    }

    /// How many wrong replies to RETR were sent.
    pub(crate) fn misreplied(&self) -> usize {
        self.shared.state.lock().misreplied
    }

    /// Whether a reply could make the mount doubt what it knows of a message.
    pub(crate) fn has_raised_doubt(&self, mail: &Mail) -> bool {
        let state = self.shared.state.lock();
        state.misreplied > 0 || state.asked_in_vain.contains(&mail.serial)
    }

    /// Makes the next RETR of a message get this reply; after the earlier ones.
    pub(crate) fn misreply(&self, misreply: Misreply) {
        self.shared.state.lock().misreplies.push_back(misreply);
    }

    /// Removes all faults that have not occurred yet.
    pub(crate) fn behave(&self) {
        let mut state = self.shared.state.lock();
        state.faults.clear();
        state.misreplies.clear();
    }

    /// Sets how the next session with a DELE ends.
    pub(crate) fn answer_deletions(&self, refused: u8, quit: Quit) {
        let mut state = self.shared.state.lock();
        state.refused = refused;
        state.quit = Some(quit);
    }

    /// Ends all connections.
    pub(crate) fn restart(&self) {
        let mut cut = self.scripted.cut_all();
        let mut state = self.shared.state.lock();
        cut.retain(|connection| !state.logged_in.contains(connection));
        state.broken.at_login += cut.len();
        state.broken.at_login_in_a_row += cut.len();
    }

    pub(crate) fn broken(&self) -> Broken {
        self.shared.state.lock().broken
    }

    /// How many sessions got a complete listing, and how long ago the last one was about to be
    /// complete.
    pub(crate) fn listings(&self) -> (usize, Option<Duration>) {
        let state = self.shared.state.lock();
        (state.listings, state.last_listing.map(|at| at.elapsed()))
    }

    /// The events since the last call.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.shared.state.lock().events)
    }

    /// Violations of the protocol by the client.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.shared.state.lock().complaints.clone()
    }
}

impl ModelState {
    fn make(&mut self, draft: Draft, uidl: Option<Arc<str>>) -> Mail {
        self.last_serial += 1;
        let uidl = uidl.unwrap_or_else(|| draft.uidl(self.last_serial));
        let mut content = draft.content(self.last_serial);
        if let Some(lengths) = &mut self.lengths {
            while !lengths.insert(content.len()) {
                content = [b"x", &*content].concat().into();
            }
        }
        let mut listed = (content.len() as u64).saturating_add_signed(draft.overstated.into());
        while !self.listed.insert((Arc::clone(&uidl), listed)) {
            listed += 1;
        }
        self.is_list_exact &= listed == content.len() as u64;
        Mail {
            serial: self.last_serial,
            uidl,
            listed,
            content,
        }
    }

    fn replace(&mut self, serial: u32, by: &Mail) {
        let is_it = |old: &&mut Mail| old.serial == serial;
        self.mailbox
            .iter_mut()
            .filter(is_it)
            .for_each(|old| *old = by.clone());
    }

    fn has(&self, mail: &Mail) -> bool {
        // A message that was replaced is gone too.
        self.mailbox.iter().any(|other| other.serial == mail.serial)
    }
}
