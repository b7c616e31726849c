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

mod access;
mod catalogue;
mod connection;
mod deletion;
mod engine;
mod fault;
mod fetch;
mod login;
mod probe;
mod removal;
mod session;
mod settings;
mod shared;

use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

/// Public for the fuzzer alone: any octets of a server become the name of a file here.
#[doc(hidden)]
pub use catalogue::name::file_name;
pub use catalogue::name::{NAME_MAX, SUFFIX};
pub use catalogue::{Message, MessageId, Standing, Tag, Totals};
pub use deletion::limit::{Consent, Excess, Held};
pub use engine::commit::{Kept, Verdict};
pub use fault::Fault;
pub use fetch::{Depth, FetchError, Fetched, Progress};
pub use login::{
    AuthenticationError, Credential, Login, Mechanism, Method, Renewal, SaslMechanism, Secret,
    Security,
};
pub use probe::{Finding, Outlook, Rating, probe};
pub use settings::{Dating, Pipeline, Settings};
pub use shared::history::History;
pub use shared::state::{Change, Connection, Terms};
pub use shared::wants::Waiter;

use crate::net::{Endpoint, WakeUp};
use crate::store::{Bodies, Disk, Index, StoreError, Usage};
use connection::quirks::Quirks;
use engine::Engine;
use shared::state::{Ending, Phase, State};

/// How the maildrop is left at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    /// The pending deletions are committed.
    Commit(Consent),
    /// They are forgotten: everything stays on the server.
    Discard,
}

/// The maildrop. No call waits for the server but [`Maildrop::open`], [`Maildrop::fetch`] and [`Maildrop::close`]; these, and
/// [`Maildrop::access_body`], [`Maildrop::want_outline`], [`Maildrop::derive`] and [`Maildrop::stored`], may look at the disk.
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
    pulse: shared::state::Pulse,
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
        let quirks = Quirks::new(catalogue::identity::remembered(&rows));
        let state = State::new(&rows, Bodies::new(settings.memory));
        let endpoint = settings.login.endpoint.clone();
        let refuse = |fault: Fault| OpenError::Maildrop { endpoint, fault };
        let wake_up = match WakeUp::new() {
            Ok(wake_up) => wake_up,
            Err(error) => return Err(refuse(error.into())),
        };
        let shared = Arc::new(Shared {
            wake_up,
            pulse: shared::state::Pulse::new(),
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
        self.shared.ring(state);
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
        self.shared.ring(state);
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

impl Shared {
    /// Wakes the engine for what the state asks of it now.
    fn ring(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.wake_up.ring();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
