//! The server: it keeps to the protocol, but breaks off where it is told to, and remembers everything.

mod reply;
mod session;
mod voice;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::common::Scripted;
use super::mail::{Draft, Mail};
use session::Session;

/// The user name that is accepted.
pub(crate) const USER: &str = "alice";
/// The password that is accepted.
pub(crate) const PASSWORD: &str = "secret";

/// The capabilities that servers differ in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offers {
    pub(crate) pipelining: bool,
    pub(crate) top: bool,
    /// `EXPIRE 0`: what was retrieved is deleted by QUIT (RFC 2449 section 6.7).
    pub(crate) expire_at_once: bool,
}

/// How many commands the client may have under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    OneAtATime,
    Pipelined,
}

/// A reply that breaks off: never at its end, which a client could not tell from a connection that ended later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) how: Break,
    /// So many octets of replies later.
    pub(crate) after: u32,
    /// Of these replies.
    pub(crate) within: Within,
}

/// Which replies may break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Everything,
    /// Those of a session that has listed the maildrop.
    Transfers,
}

/// How a connection ends in the midst of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Close,
    Reset,
    /// Not at all, but nothing more is said.
    Silence,
}

/// What QUIT comes to in a session that has messages marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quit {
    Confirmed,
    Refused(Update),
    Closed(Update),
    Silent(Update),
}

/// Whether messages were deleted, whatever the answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Done,
    NotDone,
}

/// What the server has seen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A session was told all that is in the maildrop.
    Listed(Vec<Mail>),
    /// DELE was sent for the message.
    Marked(Mail),
    /// QUIT was sent after a DELE.
    Quit,
    /// These were deleted by QUIT.
    Deleted(Vec<Mail>),
}

/// How often replies broke off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Before the session had listed the maildrop.
    pub(crate) at_login: usize,
    /// The same, since the last session that had.
    pub(crate) at_login_in_a_row: usize,
    /// After that.
    pub(crate) later: usize,
    /// Of both, those by silence, and QUITs without an answer.
    pub(crate) by_silence: usize,
    /// Connections that are silent now.
    pub(crate) silent: usize,
}

/// A server of one maildrop.
pub(crate) struct Server {
    scripted: Scripted,
    shared: Arc<Shared>,
}

struct Shared {
    offers: Offers,
    pace: Pace,
    chunk: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mailbox: Vec<Mail>,
    last_serial: u32,
    /// What LIST has ever said of each UIDL.
    listed: HashSet<(Arc<str>, u64)>,
    faults: VecDeque<Fault>,
    broken: Broken,
    refused: u8,
    quit: Option<Quit>,
    events: Vec<Event>,
    listings: usize,
    last_listing: Option<Instant>,
    /// By the number of the connection.
    logging_in: HashSet<usize>,
    complaints: Vec<String>,
}

impl Server {
    /// `chunk` is the most octets that are written at once.
    pub(crate) fn start(offers: Offers, pace: Pace, chunk: usize) -> Server {
        let shared = Arc::new(Shared {
            offers,
            pace,
            chunk,
            state: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let scripted =
            Scripted::start(move |peer| Session::new(&served, peer.connection()).serve(peer));
        Server { scripted, shared }
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.scripted.port()
    }

    /// New mail, with a UIDL of its own or with this one.
    pub(crate) fn arrive(&self, draft: Draft, uidl: Option<Arc<str>>) -> Mail {
        let mut state = self.shared.state.lock();
        let mail = state.make(draft, uidl);
        state.mailbox.push(mail.clone());
        mail
    }

    /// The same message once more.
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

    /// It becomes another message, for sessions to come.
    pub(crate) fn alter(&self, mail: &Mail, draft: Draft) -> Mail {
        let mut state = self.shared.state.lock();
        let other = state.make(draft, Some(Arc::clone(&mail.uidl)));
        for old in state
            .mailbox
            .iter_mut()
            .filter(|old| old.serial == mail.serial)
        {
            *old = other.clone();
        }
        other
    }

    pub(crate) fn mailbox(&self) -> Vec<Mail> {
        self.shared.state.lock().mailbox.clone()
    }

    /// Breaks off a reply to come; after those that were asked for before.
    pub(crate) fn break_off(&self, fault: Fault) {
        self.shared.state.lock().faults.push_back(fault);
    }

    /// Breaks nothing off any more.
    pub(crate) fn behave(&self) {
        self.shared.state.lock().faults.clear();
    }

    /// Says how the next session with a DELE goes.
    pub(crate) fn answer_deletions(&self, refused: u8, quit: Quit) {
        let mut state = self.shared.state.lock();
        state.refused = refused;
        state.quit = Some(quit);
    }

    /// Ends all connections.
    pub(crate) fn restart(&self) {
        let mut state = self.shared.state.lock();
        let cut = state.logging_in.len();
        state.broken.at_login += cut;
        state.broken.at_login_in_a_row += cut;
        drop(state);
        self.scripted.cut_all();
    }

    pub(crate) fn broken(&self) -> Broken {
        self.shared.state.lock().broken
    }

    /// Sessions that were told all that is in the maildrop, and how long ago the last one was about to be.
    pub(crate) fn listings(&self) -> (usize, Option<Duration>) {
        let state = self.shared.state.lock();
        (state.listings, state.last_listing.map(|at| at.elapsed()))
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.shared.state.lock().events)
    }

    /// What the client must never do, and did.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.shared.state.lock().complaints.clone()
    }
}

impl State {
    fn make(&mut self, draft: Draft, uidl: Option<Arc<str>>) -> Mail {
        self.last_serial += 1;
        let uidl = uidl.unwrap_or_else(|| draft.uidl(self.last_serial));
        let content = draft.content(self.last_serial);
        let mut listed = (content.len() as u64).saturating_add_signed(draft.overstated.into());
        while !self.listed.insert((Arc::clone(&uidl), listed)) {
            listed += 1;
        }
        Mail {
            serial: self.last_serial,
            uidl,
            listed,
            content,
        }
    }

    fn has(&self, mail: &Mail) -> bool {
        // What became another message under its UIDL is gone as well.
        self.mailbox.iter().any(|other| other.serial == mail.serial)
    }
}
