//! The maildrop as it stands across sessions: what is listed, what is wanted, what is to be deleted.
//!
//! # Theory of operation
//!
//! ```text
//!  any thread                    state (one lock)               the engine's thread
//!  ──────────                    ────────────────               ───────────────────
//!  look up, list, unlink ──────▶ catalogue
//!  want a body, headers ───────▶ wants ─────────ring──────────▶ Session: window of commands ──▶ server
//!  commit, refresh, close ─────▶ orders ────────ring──────────▶ ...
//!                                catalogue, bodies ◀──────────── what came; then the waiters are answered
//! ```
//!
//! The lock is held for moments, never over input or output; nothing here waits for the network but the engine. A
//! [`Waiter`] is answered by the engine's thread with no lock held.
//!
//! A [`MessageId`] is a message for as long as the mount. A message number is known to the session alone: after each
//! log-in UIDL maps the messages anew, and a DELE is sent only for a message that is [`Standing::Unlinked`], by the
//! number that this session's UIDL gave it, with QUIT right behind. Where there is no UIDL the headers do its work.
//!
//! What servers do that the standards do not say is listed in quirks.rs.

mod catalogue;
mod commit;
mod delivery;
mod doubt;
mod engine;
mod fault;
mod fetch;
mod history;
mod hold_off;
mod identity;
mod inode;
mod link;
mod listing;
mod login;
mod name;
mod pace;
mod probe;
mod quirks;
mod read_ahead;
mod scan;
mod session;
mod state;
mod transfer;
mod valve;
mod want;

use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use catalogue::{Message, MessageId, Standing, Tag, Totals};
pub use commit::{Kept, Verdict};
pub use fault::Fault;
pub use fetch::{FetchError, Fetched, Part, Progress};
pub use history::History;
pub use login::{
    AuthenticationError, Credential, Login, Mechanism, Method, Renewal, SaslMechanism, Secret,
    Security,
};
/// Public for the fuzzer alone: any octets of a server become the name of a file here.
#[doc(hidden)]
pub use name::file_name;
pub use name::{NAME_MAX, SUFFIX};
pub use probe::{Finding, Outlook, Rating, probe};
pub use state::{Change, Connection, Terms};
pub use valve::{Consent, Excess, Held};
pub use want::Waiter;

use crate::net::{Endpoint, WakeUp};
use crate::pop3::Capabilities;
use crate::store::{Bodies, Body, Disk, Found, Index, StoreError, Usage};
use catalogue::Extent;
use engine::Engine;
use history::Lookup;
use quirks::Quirks;
use state::{Ending, HeaderAccess, Phase, State};
use want::AllOf;

/// What the maildrop needs to know.
#[derive(Debug)]
pub struct Settings {
    /// How to log in.
    pub login: Login,
    /// After so long without use the session is closed.
    pub idle_timeout: Duration,
    /// How often the server hears from an unused session, which then is not closed.
    pub keepalive: Option<Duration>,
    /// A listing older than this is renewed when the directory is read.
    pub refresh: Duration,
    /// How many commands may be in flight.
    pub pipeline: Pipeline,
    /// The most octets of bodies kept in memory.
    pub memory: u64,
    /// The most octets of one body.
    pub max_message: u64,
    /// The most messages that one commit deletes unread; none for any number.
    pub max_delete: Option<u32>,
    /// Where the mtime of a message comes from.
    pub dating: Dating,
    /// What a message of these headers is called for people.
    pub titling: fn(&[u8]) -> String,
    /// What else is kept of the headers; none where nothing is.
    pub outlining: Option<fn(&[u8]) -> String>,
}

/// How many commands may be in flight where the server offers PIPELINING after the log-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pipeline {
    /// As many as the window of octets allows.
    #[default]
    Auto,
    /// One.
    Off,
    /// So many at the most.
    Most(u16),
}

impl Pipeline {
    /// How many commands may be in flight after the log-in, `most` where nobody set a limit.
    pub(super) fn most_in_flight(self, capabilities: &Capabilities, most: usize) -> usize {
        match self {
            _ if !capabilities.pipelining => 1,
            Pipeline::Auto => most,
            Pipeline::Off => 1,
            Pipeline::Most(commands) => usize::from(commands).clamp(1, most),
        }
    }
}

/// Where the mtime of a message comes from.
#[derive(Debug)]
pub enum Dating {
    /// From the headers, in Unix seconds; where they tell nothing, the first time that the message was seen.
    Headers(fn(&[u8]) -> Option<i64>),
    /// The first time that the message was seen: nothing is asked for.
    FirstSeen,
}

impl Dating {
    /// Unix seconds out of headers; none where they tell nothing, or are not asked.
    pub(super) fn of(&self, headers: &[u8]) -> Option<i64> {
        match self {
            Dating::Headers(date) => date(headers),
            Dating::FirstSeen => None,
        }
    }
}

/// How the maildrop is left at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// The pending deletions are committed.
    Commit(Consent),
    /// They are forgotten: everything stays on the server.
    Discard,
}

/// The maildrop. All calls answer from memory, but for [`Maildrop::fetch`] and [`Maildrop::close`].
#[derive(Debug)]
pub struct Maildrop {
    shared: Arc<Shared>,
    engine: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Shared {
    settings: Settings,
    index: Index,
    disk: Disk,
    wake_up: WakeUp,
    state: Mutex<State>,
    pulse: state::Pulse,
    on_change: OnceLock<Box<dyn Fn(Change) + Send + Sync>>,
}

/// Why a mount cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server cannot be reached, or does not let us in.
    #[error("{}", fault.at_mounting(endpoint))]
    Maildrop {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        fault: Fault,
    },
    /// The index cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("cannot start a thread ({0})")]
    Thread(std::io::Error),
}

impl Maildrop {
    /// Logs in and lists: blocks until the first listing is there.
    ///
    /// # Errors
    /// What keeps the mount from beginning.
    pub fn open(settings: Settings, index: Index, disk: Disk) -> Result<Maildrop, OpenError> {
        let rows = index.load()?;
        let quirks = Quirks::new(identity::remembered(&rows));
        let state = State::new(&rows, Bodies::new(settings.memory));
        let endpoint = settings.login.endpoint.clone();
        let refuse = |fault: Fault| OpenError::Maildrop { endpoint, fault };
        let wake_up = match WakeUp::new() {
            Ok(wake_up) => wake_up,
            Err(error) => return Err(refuse(error.into())),
        };
        let shared = Arc::new(Shared {
            wake_up,
            pulse: state::Pulse::new(),
            state: Mutex::new(state),
            on_change: OnceLock::new(),
            settings,
            index,
            disk,
        });
        let mut engine = Engine::new(Arc::clone(&shared), quirks);
        engine.open_session().map_err(refuse)?;
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let thread = thread
            .spawn(move || engine.run())
            .map_err(OpenError::Thread)?;
        Ok(Maildrop {
            shared,
            engine: Mutex::new(Some(thread)),
        })
    }

    /// Says who is told of changes that no call of theirs made. To be called once; later calls are without effect.
    pub fn on_change(&self, tell: impl Fn(Change) + Send + Sync + 'static) {
        let _only_the_first = self.shared.on_change.set(Box::new(tell));
    }

    /// The message of that name among those of that standing.
    #[must_use]
    pub fn by_name(&self, name: &str, standing: Standing) -> Option<MessageId> {
        self.shared.state.lock().catalogue.by_name(name, standing)
    }

    /// The listed message of that tag that is called so.
    #[must_use]
    pub fn by_tag(&self, tag: Tag, is_called_so: impl Fn(&Message) -> bool) -> Option<MessageId> {
        self.shared.state.lock().catalogue.by_tag(tag, is_called_so)
    }

    /// The message of that inode number, wherever it stands.
    #[must_use]
    pub fn by_inode(&self, inode: u64) -> Option<MessageId> {
        self.shared.state.lock().catalogue.by_inode(inode)
    }

    /// What is known of a message now.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Message {
        self.shared.state.lock().catalogue.get(id).clone()
    }

    /// Notes that a user is given the body, or what is made of it: from now on it was read, in later mounts too. Gives what
    /// is known of the message.
    pub fn read_message(&self, id: MessageId, body: &Body) -> Message {
        let extent = Extent::of(body);
        let mut state = self.shared.state.lock();
        let is_new = state.catalogue.learn_read(id) | state.catalogue.learn_lines(id, extent);
        let message = state.catalogue.get(id).clone();
        drop(state);
        if is_new {
            self.shared.index.learn(vec![message.row()]);
        }
        message
    }

    /// Shows `visit` the messages of that standing behind an inode number, in directory order, until it has enough.
    pub fn visit_after(
        &self,
        inode: u64,
        standing: Standing,
        mut visit: impl FnMut(&Message) -> std::ops::ControlFlow<()>,
    ) {
        let state = self.shared.state.lock();
        for (_, message) in state.catalogue.after(inode, standing) {
            if visit(message).is_break() {
                return;
            }
        }
    }

    /// Messages and octets in the directory.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.state.lock().catalogue.totals()
    }

    /// When the directory last changed.
    #[must_use]
    pub fn changed(&self) -> SystemTime {
        self.shared.state.lock().catalogue.changed
    }

    /// When a directory last changed in which a message is called by what a mail reader noted.
    #[must_use]
    pub fn changed_or_marked(&self) -> SystemTime {
        let state = self.shared.state.lock();
        state.catalogue.changed.max(state.catalogue.marked)
    }

    /// The names of the pending deletions, in directory order.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let state = self.shared.state.lock();
        state
            .catalogue
            .after(0, Standing::Unlinked)
            .map(|(_, message)| message.name())
            .collect()
    }

    /// How the connection stands.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.shared.state.lock().connection.clone()
    }

    /// How long ago the server listed the maildrop.
    #[must_use]
    pub fn listing_age(&self) -> Duration {
        self.shared.state.lock().listed_at.elapsed()
    }

    /// When the server last said anything.
    #[must_use]
    pub fn last_heard(&self) -> std::time::Instant {
        self.shared.pulse.last()
    }

    /// The longest silence of the server.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.shared.settings.login.timeout
    }

    /// The body, where it is in memory or on disk. An access in directory order has what comes next fetched ahead.
    #[must_use]
    pub fn access_body(&self, id: MessageId) -> Option<Arc<Body>> {
        let mut state = self.shared.state.lock();
        let inode = state.catalogue.get(id).inode;
        match state.bodies.get(inode) {
            Some(Found::Used(body)) => {
                state.history.note_open(Lookup::Hit);
                return Some(body);
            }
            Some(Found::Ahead(body)) => {
                state.history.note_open(Lookup::Hit);
                let is_planned = state.read_bodies_ahead(id);
                drop(state);
                if is_planned {
                    self.shared.wake_up.ring();
                }
                return Some(body);
            }
            None => {}
        }
        drop(state);
        // A large one is loaded by the engine, which is asked next: the callers are the kernel's requests.
        let loaded = self.shared.body_on_disk(id, Disk::load_small);
        let mut state = self.shared.state.lock();
        match &loaded {
            Some(body) => {
                state.history.note_open(Lookup::Hit);
                // A listing may have told meanwhile that the message is another.
                if state.catalogue.get(id).exact_size() == Some(body.len()) {
                    state.bodies.insert(inode, Arc::clone(body));
                }
            }
            // The want that is going to follow rings.
            None => {
                state.history.note_open(Lookup::Miss);
                state.read_bodies_ahead(id);
            }
        }
        loaded
    }

    /// Fetches the body, which [`Maildrop::access_body`] did not have.
    pub fn want_body(&self, id: MessageId, waiter: Waiter<Arc<Body>>) {
        let mut state = self.shared.state.lock();
        let inode = state.catalogue.get(id).inode;
        if let Some(found) = state.bodies.get(inode) {
            drop(state);
            return waiter.answer(Ok(found.body()));
        }
        state.wants.body(id, waiter);
        drop(state);
        self.shared.wake_up.ring();
    }

    /// A body out of octets that were made of one: in memory, or where a large one from the server would be.
    ///
    /// # Errors
    /// [`Fault::NoRoom`].
    pub fn derive(&self, octets: &[u8]) -> Result<Arc<Body>, Fault> {
        let mut derived = self.shared.disk.incoming(octets.len() as u64);
        derived.push(octets).map_err(Fault::no_room)?;
        Ok(Arc::new(derived.finish()))
    }

    /// Finds out when the message arrived; answered at once where that is known. Accesses in directory order have the
    /// headers of what comes next fetched ahead.
    pub fn want_arrival(&self, id: MessageId, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        if state.catalogue.get(id).arrived.is_some() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        state.read_headers_ahead(id, HeaderAccess::Asked);
        state.wants.arrival(id, waiter);
        drop(state);
        self.shared.wake_up.ring();
    }

    /// What the headers of a message say in a few words, where that is known.
    #[must_use]
    pub fn outline(&self, id: MessageId) -> Option<String> {
        let state = self.shared.state.lock();
        state.catalogue.outline(id).map(ToOwned::to_owned)
    }

    /// Finds out what the headers say in a few words; answered at once where that is known, or the body is at hand. Asking of
    /// one message after the other has the headers of what comes next fetched ahead. Some messages do not tell.
    pub fn want_outline(&self, id: MessageId, waiter: Waiter<()>) {
        if self.outline(id).is_some() || self.shared.learn_from_cache(id) {
            return waiter.answer(Ok(()));
        }
        let mut state = self.shared.state.lock();
        state.read_outlines_ahead(id);
        state.wants.arrival(id, waiter);
        drop(state);
        self.shared.wake_up.ring();
    }

    /// Finds out what every message in the directory is called; answered at once where that is known.
    pub fn want_titles(&self, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        let untitled: Vec<MessageId> = state
            .catalogue
            .after(0, Standing::Listed)
            .filter(|(_, message)| message.title.is_none())
            .map(|(id, _)| id)
            .collect();
        if untitled.is_empty() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        let all = AllOf::new(untitled.len(), waiter);
        for id in untitled {
            state.wants.plan_arrival(id, all.one());
        }
        drop(state);
        self.shared.wake_up.ring();
    }

    /// Notes that somebody passes by the message on a walk, and asks for nothing that is not known.
    pub fn pass_by(&self, id: MessageId) {
        let is_planned = self
            .shared
            .state
            .lock()
            .read_headers_ahead(id, HeaderAccess::Passing);
        if is_planned {
            self.shared.wake_up.ring();
        }
    }

    /// Asks for a new listing where the last one is older than `refresh` and nothing is in flight; the waiter is
    /// answered at once otherwise, and where another has waited for `patience` by now.
    pub fn want_fresh_listing(&self, patience: Duration, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        let hangs = state
            .renewing
            .is_some_and(|since| since.elapsed() >= patience);
        if hangs || state.listed_at.elapsed() < self.shared.settings.refresh || !state.is_idle() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        state.orders.refresh.push(waiter);
        drop(state);
        self.shared.wake_up.ring();
    }

    /// As [`Maildrop::unlink`], by another way than the name in the root, of which the kernel must be told.
    ///
    /// # Errors
    /// As there.
    pub fn unlink_shown(&self, id: MessageId) -> Result<(), Fault> {
        self.unlink(id)?;
        let name = self.message(id).name();
        self.shared.tell(Change::Gone { name });
        self.shared.tell(Change::Directory);
        Ok(())
    }

    /// Takes the message out of the directory; the next commit deletes it.
    ///
    /// # Errors
    /// [`Fault::Departed`] where it is not in the directory, [`Fault::Ending`] where no commit follows.
    pub fn unlink(&self, id: MessageId) -> Result<(), Fault> {
        self.shared
            .state
            .lock()
            .stand(id, Standing::Listed, Standing::Unlinked)
    }

    /// Wants that are queued or sent and have not come.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.shared.state.lock().wants.len() as u64
    }

    /// What has happened so far.
    #[must_use]
    pub fn history(&self) -> History {
        self.shared.state.lock().history.clone()
    }

    /// The bodies on disk; none where nothing is kept there. Looks at the disk.
    #[must_use]
    pub fn stored(&self) -> Option<Usage> {
        self.shared.disk.usage()
    }

    /// Keeps what a mail reader noted of a message, across mounts.
    ///
    /// # Errors
    /// [`Fault::Ending`] where it would no longer be kept.
    pub fn mark(&self, id: MessageId, mark: String) -> Result<(), Fault> {
        let mut state = self.shared.state.lock();
        state.check_serving()?;
        let row = state.catalogue.mark(id, mark);
        self.shared.index.learn(vec![row]);
        Ok(())
    }

    /// Bodies in memory, and their octets.
    #[must_use]
    pub fn cached(&self) -> Totals {
        let state = self.shared.state.lock();
        Totals {
            messages: state.bodies.len() as u64,
            octets: state.bodies.octets(),
        }
    }

    /// Takes a pending deletion back.
    ///
    /// # Errors
    /// [`Fault::Departed`] where it is not pending, or being committed; [`Fault::Ending`] in the last commit.
    pub fn restore(&self, id: MessageId) -> Result<(), Fault> {
        self.shared
            .state
            .lock()
            .stand(id, Standing::Unlinked, Standing::Listed)?;
        self.shared.tell(Change::Directory);
        Ok(())
    }

    /// Whether a commit would be held back now.
    #[must_use]
    pub fn held_back(&self) -> Option<Held> {
        let max_delete = self.shared.settings.max_delete;
        let state = self.shared.state.lock();
        valve::check(&state.catalogue, max_delete, Consent::Unsaid).err()
    }

    /// Deletes what is unlinked on the server.
    pub fn commit(&self, consent: Consent, waiter: Waiter<Verdict>) {
        let mut state = self.shared.state.lock();
        if state.has_no_deletions() {
            drop(state);
            return waiter.answer(Ok(Verdict::default()));
        }
        state
            .orders
            .commit
            .get_or_insert_default()
            .join(consent, waiter);
        drop(state);
        self.shared.wake_up.ring();
    }

    /// Ends: commits or discards, leaves the session, writes the index. Blocks, as long as the server's time-outs.
    ///
    /// # Errors
    /// Why the deletions were not committed; nothing is deleted then but what the verdict tells.
    pub fn close(&self, farewell: Farewell) -> Result<Verdict, Fault> {
        let Some(engine) = self.engine.lock().take() else {
            return Err(Fault::Ending);
        };
        let (tell, told) = mpsc::channel();
        let mut state = self.shared.state.lock();
        // What a commit under way has done is told by no other.
        let nothing_to_do = state.committing.is_empty()
            && (farewell == Farewell::Discard || state.has_no_deletions());
        state.orders.ending = Some(Ending { farewell, tell });
        // Files that stay open have requests answered until the process ends.
        state.phase = Phase::Ending;
        drop(state);
        self.shared.wake_up.ring();
        let verdict = if nothing_to_do {
            // An engine that hangs in a connect has nothing to tell.
            told.recv_timeout(session::FAREWELL)
                .unwrap_or(Ok(Verdict::default()))
        } else {
            let verdict = told.recv().unwrap_or(Err(Fault::Ending));
            let _ended = engine.join();
            verdict
        };
        // The engine's thread may hold both for a while yet, so that dropping them is not enough.
        self.shared.disk.flush();
        if let Err(error) = self.shared.index.flush() {
            log::warn!("{error}");
        }
        verdict
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
