//! The maildrop as its callers hold it.

use crate::maildrop::catalogue::id::{MessageId, Tag};
use crate::maildrop::catalogue::message::{Message, Standing};
use crate::maildrop::catalogue::{Totals, identity};
use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::deletion::verdict::{Farewell, Verdict};
use crate::maildrop::engine::Engine;
use crate::maildrop::fault::Fault;
use crate::maildrop::session::FAREWELL;
use crate::maildrop::session::terms::Connection;
use crate::maildrop::settings::Settings;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::history::History;
use crate::maildrop::shared::orders::Ending;
use crate::maildrop::shared::state::{Phase, State};
use crate::maildrop::shared::waiter::Waiter;
use crate::net::Endpoint;
use crate::net::WakeUp;
use crate::store::Bodies;
use crate::store::Disk;
use crate::store::Index;
use crate::store::StoreError;
use crate::store::Usage;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::SystemTime;

/// The maildrop. No call waits for the server but [`Maildrop::open`], [`Maildrop::fetch`] and [`Maildrop::close`]; these, and
/// [`Maildrop::access_body`], [`Maildrop::want_outline`], [`Maildrop::derive`] and [`Maildrop::stored`], may look at the disk.
#[derive(Debug)]
pub struct Maildrop {
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: Mutex<Option<JoinHandle<()>>>,
}

/// Why a mount cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server cannot be reached, or does not let us in.
    #[error("{}", fault.with_endpoint(endpoint))]
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
        let endpoint = settings.login.route.endpoint().clone();
        let refuse = |fault: Fault| OpenError::Maildrop { endpoint, fault };
        let wake_up = match WakeUp::new() {
            Ok(wake_up) => wake_up,
            Err(error) => return Err(refuse(error.into())),
        };
        let shared = Arc::new(Shared {
            wake_up,
            last_heard: LastHeard::new(),
            state: Mutex::new(state),
            on_change: OnceLock::new(),
            on_body: OnceLock::new(),
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
        self.shared.last_heard.last()
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
        state.orders.note_waiting();
        state.orders.ending = Some(Ending { farewell, tell });
        // Files that stay open have requests answered until the process ends.
        state.phase = Phase::Ending;
        self.shared.ring(state);
        let verdict = if nothing_to_do {
            // An engine that hangs in a connect has nothing to tell.
            told.recv_timeout(FAREWELL)
                .unwrap_or(Ok(Verdict::default()))
        } else {
            let verdict = told.recv().unwrap_or(Err(Fault::Ending));
            let _ended = engine.join();
            verdict
        };
        let mut state = self.shared.state.lock();
        state.phase = Phase::Over;
        self.shared.ring(state);
        // The engine's thread may hold both for a while yet, so that dropping them is not enough.
        self.shared.disk.flush();
        if let Err(error) = self.shared.index.flush() {
            log::warn!("{error}");
        }
        verdict
    }
}
