//! The handle by which callers use the maildrop.

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
use crate::maildrop::settings::{OfflineMode, Settings};
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::history::History;
use crate::maildrop::shared::orders::Ending;
use crate::maildrop::shared::state::{Phase, State};
use crate::maildrop::shared::waiter::Waiter;
use crate::maildrop::shared::wants::Urgency;
use crate::maildrop::shared::window::MEMORY_OF_READERS;
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
use std::time::Instant;
use std::time::SystemTime;

/// The maildrop.
///
/// Only [`Maildrop::open`], [`Maildrop::fetch`] and [`Maildrop::close`] wait for the server.
/// Besides them only [`Maildrop::open_body`], [`Maildrop::load_body`],
/// [`Maildrop::access_headers`], [`Maildrop::want_outline`], [`Maildrop::derive`],
/// [`Maildrop::peek_body`] and [`Maildrop::stored`] may access the disk.
#[derive(Debug)]
pub struct Maildrop {
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: Mutex<Option<JoinHandle<()>>>,
}

/// Why a mount cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The server cannot be reached, or the login failed.
    #[error("{}", fault.with_endpoint(endpoint))]
    Maildrop {
        /// The server's address.
        endpoint: Endpoint,
        /// The cause.
        fault: Fault,
    },
    /// The index cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system cannot start a thread.
    #[error("cannot start a thread ({0})")]
    Thread(std::io::Error),
}

impl Maildrop {
    /// Logs in and fetches the first listing. Blocks until then. With [`OfflineMode::Auto`] and an
    /// index that has a listing, it begins with that one if the server is away.
    ///
    /// # Errors
    /// Why the mount cannot begin.
    pub fn open(settings: Settings, index: Index, disk: Disk) -> Result<Self, OpenError> {
        let rows = index.load()?;
        let quirks = Quirks::new(identity::remembered(&rows));
        let mut state = State::new(&rows, Bodies::new(settings.memory));
        state.catalogue.use_up(index.watermark()?);
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
            remembered: Mutex::default(),
            on_change: OnceLock::new(),
            on_body: OnceLock::new(),
            disk: disk.with_memory(settings.memory.saturating_add(MEMORY_OF_READERS)),
            settings,
            index,
        });
        shared.resume_removals()?;
        let mut engine = Engine::new(Arc::clone(&shared), quirks);
        if let Err(fault) = engine.open_session() {
            let is_allowed = shared.state.lock().is_offline();
            if !is_allowed || !shared.begin_with_last_listing()? {
                return Err(refuse(fault));
            }
        }
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let thread = thread
            .spawn(move || engine.run())
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared,
            engine: Mutex::new(Some(thread)),
        })
    }

    /// Sets the function that is called for each change the caller did not make itself. Only the
    /// first call has an effect.
    pub fn on_change(&self, tell: impl Fn(Change) + Send + Sync + 'static) {
        let _only_the_first = self.shared.on_change.set(Box::new(tell));
    }

    /// The message with this name, if it has this standing.
    #[must_use]
    pub fn by_name(&self, name: &str, standing: Standing) -> Option<MessageId> {
        self.shared.state.lock().catalogue.by_name(name, standing)
    }

    /// The listed message with this tag for which `is_called_so` is true.
    #[must_use]
    pub fn by_tag(&self, tag: Tag, is_called_so: impl Fn(&Message) -> bool) -> Option<MessageId> {
        self.shared.state.lock().catalogue.by_tag(tag, is_called_so)
    }

    /// The message with this inode number, whatever its standing.
    #[must_use]
    pub fn by_inode(&self, inode: u64) -> Option<MessageId> {
        self.shared.state.lock().catalogue.by_inode(inode)
    }

    /// The inode number of a message, which never changes.
    #[must_use]
    pub fn inode(&self, id: MessageId) -> u64 {
        self.shared.state.lock().catalogue.get(id).inode
    }

    /// A copy of what is known of a message now.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Message {
        self.shared.state.lock().catalogue.get(id).clone()
    }

    /// Whether a message is in the directory.
    #[must_use]
    pub fn standing(&self, id: MessageId) -> Standing {
        self.shared.state.lock().catalogue.get(id).standing
    }

    /// Calls `visit` for each message with this standing and a greater inode number, in directory
    /// order, until it breaks.
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

    /// The number of messages in the directory, and their octets.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.state.lock().catalogue.totals()
    }

    /// When the directory last changed.
    #[must_use]
    pub fn changed(&self) -> SystemTime {
        self.shared.state.lock().catalogue.changed
    }

    /// When a directory last changed whose file names include the flags of a mail reader.
    #[must_use]
    pub fn changed_or_marked(&self) -> SystemTime {
        let state = self.shared.state.lock();
        state.catalogue.changed.max(state.catalogue.marked)
    }

    /// The state of the connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.shared.state.lock().connection.clone()
    }

    /// Since when the server is away. None while it is not, and without [`OfflineMode::Auto`].
    #[must_use]
    pub fn offline_since(&self) -> Option<SystemTime> {
        self.shared.state.lock().offline
    }

    /// When the server sent the last listing, in Unix seconds.
    #[must_use]
    pub fn listing_taken(&self) -> i64 {
        self.shared.state.lock().listing_taken
    }

    /// The age of the last listing.
    #[must_use]
    pub fn listing_age(&self) -> Duration {
        self.shared.state.lock().listed_at.elapsed()
    }

    /// When the server last sent anything.
    #[must_use]
    pub fn last_heard(&self) -> std::time::Instant {
        self.shared.last_heard.last()
    }

    /// The longest time that the server may be silent.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.shared.settings.login.timeout
    }

    /// Orders a new listing if the last one is older than the `refresh` setting, the engine is idle
    /// and the server is not away. Otherwise answers the waiter at once. It also does so if the
    /// engine has been fetching a listing for `patience` or longer.
    pub fn want_fresh_listing(&self, patience: Duration, waiter: Waiter<()>) {
        let mut state = self.shared.state.lock();
        let is_slow = state
            .renewing
            .is_some_and(|since| since.elapsed() >= patience);
        let is_young = state.listed_at.elapsed() < self.shared.settings.refresh;
        if is_slow || is_young || state.is_offline() || !state.is_idle() {
            drop(state);
            return waiter.answer(Ok(()));
        }
        state.orders.refresh.push(waiter);
        self.shared.wake_engine(state);
    }

    /// Renews a listing that is older than the `refresh` setting, if the engine is idle. Nobody
    /// waits for it.
    pub fn renew_listing(&self) {
        self.want_fresh_listing(Duration::ZERO, Waiter::new(|| true, |_renewed_or_not| ()));
    }

    /// Whether a reader waits for something from the server.
    #[must_use]
    pub fn is_somebody_waiting(&self) -> bool {
        !self.shared.state.lock().wants.is_empty(Urgency::Asked)
    }

    /// Whether the engine fetches, lists or commits anything, or is about to.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.shared.state.lock().has_work()
    }

    /// How many wants are queued or in flight.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.shared.state.lock().wants.len() as u64
    }

    /// Counts and past events since the mount began.
    #[must_use]
    pub fn history(&self) -> History {
        self.shared.state.lock().history.clone()
    }

    /// How much is in the cache on disk. `None` without such a cache. Accesses the disk.
    #[must_use]
    pub fn stored(&self) -> Option<Usage> {
        self.shared.disk.usage()
    }

    /// Keeps the flags that a mail reader has set on a message, also for later mounts.
    ///
    /// # Errors
    /// [`Fault::Ending`] if the mount is ending, so that they would be lost.
    pub fn mark(&self, id: MessageId, mark: String) -> Result<(), Fault> {
        self.shared.change(|state, effects| {
            state.check_serving()?;
            effects.rows.push(state.catalogue.mark(id, mark));
            Ok(())
        })
    }

    /// The number of bodies in memory, and their octets.
    #[must_use]
    pub fn cached(&self) -> Totals {
        let state = self.shared.state.lock();
        Totals {
            messages: state.bodies.len() as u64,
            octets: state.bodies.octets(),
        }
    }

    /// Ends the mount: commits or discards the pending deletions, ends the session, and writes the
    /// index. May block for several timeouts of the server.
    ///
    /// # Errors
    /// Why the pending deletions were not committed. None of them is known to be deleted then.
    pub fn close(&self, farewell: Farewell) -> Result<Verdict, Fault> {
        self.close_noting(farewell, |_| {})
    }

    /// As [`Maildrop::close`]. Passes the verdict to `note` as soon as it is known: what follows
    /// may take long, because it waits for the server to end the session and for the disk.
    ///
    /// # Errors
    /// As there.
    pub fn close_noting(
        &self,
        farewell: Farewell,
        note: impl FnOnce(&Result<Verdict, Fault>),
    ) -> Result<Verdict, Fault> {
        let Some(engine) = self.engine.lock().take() else {
            return Err(Fault::Ending);
        };
        let (tell, told) = mpsc::channel();
        let mut state = self.shared.state.lock();
        // If a commit is running, only its end tells what it has deleted, so wait for it.
        let nothing_to_do = state.committing.is_empty()
            && (!matches!(farewell, Farewell::Commit(_)) || state.has_no_deletions());
        state.orders.note_waiting();
        state.orders.ending = Some(Ending { farewell, tell });
        // Requests for files that are still open are answered until the process ends.
        state.phase = Phase::Ending;
        self.shared.wake_engine(state);
        let verdict = match nothing_to_do {
            true => Ok(Verdict::default()),
            false => told.recv().unwrap_or(Err(Fault::Ending)),
        };
        note(&verdict);
        if nothing_to_do {
            // The engine may be blocked in a connect.
            wait_for_hangup(&told, FAREWELL);
        } else {
            let _ended = engine.join();
        }
        self.write_out(farewell, &verdict);
        verdict
    }

    /// Writes what the next mount has to know. Waits for the disk.
    fn write_out(&self, farewell: Farewell, verdict: &Result<Verdict, Fault>) {
        match (farewell, verdict) {
            (Farewell::Commit(_), Err(_)) if self.shared.settings.offline == OfflineMode::Auto => {
                self.shared.remember_pending();
            }
            (Farewell::Discard, _) => self.shared.forget_removals(),
            (Farewell::Commit(_) | Farewell::Abandon, _) => {}
        }
        let mut state = self.shared.state.lock();
        state.phase = Phase::Over;
        self.shared.wake_engine(state);
        // Dropping the cache and the index would not write them out yet, because the engine's
        // thread may still hold both.
        self.shared.disk.flush();
        if let Err(error) = self.shared.index.flush() {
            log::warn!("{error}");
        }
        // This process may live on, for programs that still have files open.
        self.shared.index.release();
    }
}

/// Waits until the sender is gone, but no longer than this.
fn wait_for_hangup<T>(receiver: &mpsc::Receiver<T>, patience: Duration) {
    let until = Instant::now() + patience;
    let left = || until.saturating_duration_since(Instant::now());
    while receiver.recv_timeout(left()).is_ok() {}
}
