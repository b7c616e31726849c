//! What the handlers and the engine share, behind one lock.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::maildrop::Farewell;
use crate::maildrop::catalogue::{Catalogue, Message, MessageId, Standing};
use crate::maildrop::deletion::limit::Consent;
use crate::maildrop::engine::commit::Verdict;
use crate::maildrop::engine::transfer::{HEADER_OCTETS, WINDOW_COMMANDS, WINDOW_OCTETS};
use crate::maildrop::fault::Fault;
use crate::maildrop::login::Method;
use crate::maildrop::shared::history::History;
use crate::maildrop::shared::read_ahead::{Beginning, ReadAhead, Schedule};
use crate::maildrop::shared::wants::{Waiter, Want, Wants};
use crate::net::TlsVersion;
use crate::pop3::Capabilities;
use crate::store::{Bodies, Eol, Row};

/// The most octets of headers read ahead: a window of commands.
const MOST_HEADERS_AHEAD: u64 = WINDOW_COMMANDS as u64 * HEADER_OCTETS;

/// How the arrival of a message comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderAccess {
    /// Somebody waits to know it.
    Asked,
    /// It is known, or what is shown does without it.
    Passing,
}

/// A change that the kernel must be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The directory lists something else.
    Directory,
    /// A name no longer stands for a message.
    Gone {
        /// The name in the root directory.
        name: String,
    },
    /// The size of a message is another than was shown.
    Size {
        /// Whose.
        inode: u64,
        /// With these line ends.
        eol: Eol,
    },
    /// The content of a message may be another than was shown.
    Content {
        /// Whose.
        inode: u64,
    },
}

/// How the connection to the server stands.
#[derive(Clone, Debug, Default)]
pub enum Connection {
    /// There is none: it is made when something is wanted.
    #[default]
    Closed,
    /// A session is open.
    Open(Terms),
    /// The last attempt failed.
    Failed(Fault),
}

/// On what terms a session stands.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The version of TLS; none in clear.
    pub tls: Option<TlsVersion>,
    /// How the user has proven who they are.
    pub method: Method,
    /// What the server announced last.
    pub capabilities: Capabilities,
}

/// Completes "logged in …": who can read the session, for the log.
impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tls {
            None => f.write_str("in clear"),
            Some(version) => write!(f, "over {version}"),
        }
    }
}

/// What the engine is asked to do besides fetching.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) refresh: Vec<Waiter<()>>,
    pub(crate) commit: Option<Commit>,
    pub(crate) ending: Option<Ending>,
}

impl Orders {
    pub(crate) fn is_empty(&self) -> bool {
        self.refresh.is_empty() && self.commit.is_none() && self.ending.is_none()
    }
}

/// A commit that is asked for, by all those who wait for its verdict.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// The most that any of them gave.
    pub(crate) consent: Consent,
    pub(crate) waiters: Vec<Waiter<Verdict>>,
}

impl Commit {
    pub(crate) fn join(&mut self, consent: Consent, waiter: Waiter<Verdict>) {
        self.consent = self.consent.max(consent);
        self.waiters.push(waiter);
    }
}

/// Whether what is unlinked here will be committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// By this commit or a later one.
    #[default]
    Serving,
    /// The last commit has begun, and takes nothing up any more.
    Ending,
}

/// The last order.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) farewell: Farewell,
    pub(crate) tell: mpsc::Sender<Result<Verdict, Fault>>,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) catalogue: Catalogue,
    body_walks: ReadAhead,
    header_walks: ReadAhead,
    /// Their accesses are others than those of the arrivals, and none where nobody asks.
    outline_walks: ReadAhead,
    pub(crate) bodies: Bodies,
    pub(crate) wants: Wants,
    pub(crate) orders: Orders,
    pub(crate) phase: Phase,
    pub(crate) connection: Connection,
    pub(crate) listed_at: Instant,
    /// Since when a new listing is on its way.
    pub(crate) renewing: Option<Instant>,
    pub(crate) history: History,
    /// What a commit under way deletes: it can no longer be restored.
    pub(crate) committing: HashSet<MessageId>,
}

impl State {
    pub(crate) fn new(remembered: &[Row], bodies: Bodies) -> State {
        State {
            catalogue: Catalogue::remembered(remembered),
            body_walks: ReadAhead::new(
                Beginning::SecondAccess,
                WINDOW_OCTETS.min(bodies.limit() / 2),
            ),
            header_walks: ReadAhead::new(Beginning::FirstMessage, MOST_HEADERS_AHEAD),
            outline_walks: ReadAhead::new(Beginning::FirstMessage, MOST_HEADERS_AHEAD),
            bodies,
            wants: Wants::default(),
            orders: Orders::default(),
            phase: Phase::Serving,
            connection: Connection::Closed,
            listed_at: Instant::now(),
            renewing: None,
            history: History::default(),
            committing: HashSet::new(),
        }
    }

    /// Notes an access to a body that was not in memory, or was read ahead; true where something is to be fetched for it.
    pub(crate) fn read_bodies_ahead(&mut self, id: MessageId) -> bool {
        let schedule = self.body_walks.access(id, &self.catalogue, |message| {
            Some(message.expected_octets())
        });
        for id in schedule.abandoned {
            self.wants.abandon(Want::Body(id));
            self.bodies.release_ahead(self.catalogue.get(id).inode);
        }
        let is_planned = !schedule.ahead.is_empty();
        for id in schedule.ahead {
            if !self.bodies.contains(self.catalogue.get(id).inode) {
                self.wants.plan(Want::Body(id));
            }
        }
        is_planned
    }

    /// Notes that somebody wants to know when a message arrived; true where something is to be fetched for it. Where that
    /// is known, or may not be asked for, the access follows a walk and begins none.
    pub(crate) fn read_headers_ahead(&mut self, id: MessageId, access: HeaderAccess) -> bool {
        let unknown = |message: &Message| message.arrived.is_none().then_some(HEADER_OCTETS);
        let schedule = match access {
            HeaderAccess::Asked => self.header_walks.access(id, &self.catalogue, unknown),
            HeaderAccess::Passing => self
                .header_walks
                .follow(id, &self.catalogue, unknown)
                .unwrap_or_default(),
        };
        let is_planned = !schedule.ahead.is_empty();
        self.plan_headers(schedule);
        is_planned
    }

    /// Notes that somebody wants to know what the headers of a message say. Those of a body in memory are at hand.
    pub(crate) fn read_outlines_ahead(&mut self, id: MessageId) {
        let catalogue = &self.catalogue;
        let unknown = |message: &Message| {
            let id = catalogue.by_inode(message.inode)?;
            let is_known = catalogue.outline(id).is_some() || self.bodies.contains(message.inode);
            (!is_known).then_some(HEADER_OCTETS)
        };
        let schedule = self.outline_walks.access(id, catalogue, unknown);
        self.plan_headers(schedule);
    }

    fn plan_headers(&mut self, schedule: Schedule) {
        for id in schedule.abandoned {
            self.wants.abandon(Want::Headers(id));
        }
        for id in schedule.ahead {
            self.wants.plan(Want::Headers(id));
        }
    }

    /// True where nothing is wanted and nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.wants.is_idle() && self.orders.is_empty() && self.committing.is_empty()
    }

    pub(crate) fn has_no_deletions(&self) -> bool {
        self.catalogue.after(0, Standing::Unlinked).next().is_none()
    }

    /// Once the mount is ending, what the user asks for would be promised and not done.
    pub(crate) fn check_serving(&self) -> Result<(), Fault> {
        match self.phase {
            Phase::Serving => Ok(()),
            Phase::Ending => Err(Fault::Ending),
        }
    }

    pub(crate) fn stand(
        &mut self,
        id: MessageId,
        from: Standing,
        to: Standing,
    ) -> Result<(), Fault> {
        self.check_serving()?;
        if self.catalogue.get(id).standing != from || self.committing.contains(&id) {
            return Err(Fault::Departed);
        }
        self.catalogue.stand(id, to);
        Ok(())
    }
}

/// When the server last said anything, for those who wait to know whether waiting makes sense.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    begin: Instant,
    milliseconds: Arc<AtomicU64>,
}

impl Pulse {
    pub(crate) fn new() -> Pulse {
        Pulse {
            begin: Instant::now(),
            milliseconds: Arc::default(),
        }
    }

    pub(crate) fn beat(&self) {
        let since = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }

    pub(crate) fn last(&self) -> Instant {
        self.begin + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }
}
