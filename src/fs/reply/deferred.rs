//! Replies to the kernel that are sent later.
//!
//! A request that cannot be answered at once is deferred until the maildrop has what it asks for.
//! Until then the [`Watchdog`] watches it: it ends the wait when the server has been silent for too
//! long, or when the process that waits has a deadly signal pending. The kernel tells of such
//! signals by FUSE_INTERRUPT, but fuser answers that with ENOSYS and does not pass it on, so the
//! watchdog looks at the pending signals of the process instead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::fs::error::Error;
use crate::fs::reply::interrupt::is_interrupted;
use crate::fs::worker::Worker;
use crate::maildrop::{Fault, Waiter};

/// How often the watchdog looks at the deferred replies. Ctrl-C takes at most that long.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// If the watchdog wakes up later than this, the process was stopped (SIGSTOP, a debugger, a frozen
/// control group).
const STOPPED: Duration = Duration::from_secs(1);

/// The reply to one request. It is sent exactly once, by whoever is first: the handler, a waiter or
/// the watchdog.
pub struct KernelReply<T>(Arc<ReplySlot<T>>);

type SendReply<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

struct ReplySlot<T> {
    /// None once the reply was sent.
    send: Mutex<Option<SendReply<T>>>,
    /// The thread that waits in the kernel.
    caller: u32,
}

/// How long a reply may be deferred.
#[derive(Debug)]
pub enum WaitLimit<T> {
    /// Until the server has been silent for this long. Then the reply is [`Error::TimedOut`].
    Silence(Duration),
    /// For this long. Then this is the reply; the log tells an error.
    Total(Duration, Result<T, Error>),
}

impl<T: Send + 'static> KernelReply<T> {
    /// `caller` is the id of the thread that waits in the kernel; `send` sends the reply.
    pub fn new(caller: u32, send: impl FnOnce(Result<T, Error>) + Send + 'static) -> Self {
        Self(Arc::new(ReplySlot {
            send: Mutex::new(Some(Box::new(send))),
            caller,
        }))
    }

    /// The id of the thread that waits in the kernel.
    pub(in crate::fs) fn caller(&self) -> u32 {
        self.0.caller
    }

    /// Sends the reply, unless the watchdog has sent one.
    pub fn send(self, result: Result<T, Error>) {
        self.0.send(result);
    }

    /// Sends the reply when the waiter is answered: `then` makes it out of what the maildrop gives.
    pub fn defer<U: Send + 'static>(
        self,
        watchdog: &Watchdog,
        limit: WaitLimit<T>,
        then: impl FnOnce(Result<U, Fault>) -> Result<T, Error> + Send + 'static,
    ) -> Waiter<U> {
        watchdog.watch(Arc::clone(&self.0), limit);
        let slot = Arc::clone(&self.0);
        Waiter::new(
            move || slot.is_awaited(),
            move |result| self.send_with(|| then(result)),
        )
    }

    /// Like [`KernelReply::defer`], but `then` runs in the worker's thread.
    pub(in crate::fs) fn defer_to<U: Send + 'static>(
        self,
        worker: &Worker,
        watchdog: &Watchdog,
        limit: WaitLimit<T>,
        then: impl FnOnce(Result<U, Fault>) -> Result<T, Error> + Send + 'static,
    ) -> Waiter<U> {
        watchdog.watch(Arc::clone(&self.0), limit);
        let slot = Arc::clone(&self.0);
        let worker = worker.clone();
        Waiter::new(
            move || slot.is_awaited(),
            move |result| worker.submit(move || self.send_with(|| then(result))),
        )
    }

    /// Does not compute the result when nobody waits for it any more.
    fn send_with(self, result: impl FnOnce() -> Result<T, Error>) {
        let send = self.0.send.lock().take();
        if let Some(send) = send {
            send(result());
        }
    }
}

impl<T> ReplySlot<T> {
    fn is_awaited(&self) -> bool {
        self.send.lock().is_some()
    }

    fn send(&self, result: Result<T, Error>) {
        let send = self.send.lock().take();
        if let Some(send) = send {
            send(result);
        }
    }
}

impl<T> std::fmt::Debug for KernelReply<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KernelReply(to {})", self.0.caller)
    }
}

/// The thread that watches the deferred replies. It ends when this handle is dropped and every
/// reply was sent.
pub struct Watchdog(Arc<WatchdogState>);

struct WatchdogState {
    watched: Mutex<Watched>,
    changed: Condvar,
    /// Tells when the server last sent anything.
    last_heard: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl Watchdog {
    /// Starts the thread. `last_heard` tells when the server last sent anything.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        last_heard: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let state = Arc::new(WatchdogState {
            watched: Mutex::default(),
            changed: Condvar::new(),
            last_heard: Box::new(last_heard),
        });
        let running = Arc::clone(&state);
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || running.run())?;
        Ok(Self(state))
    }

    fn watch<T: Send + 'static>(&self, slot: Arc<ReplySlot<T>>, limit: WaitLimit<T>) {
        let since = Instant::now();
        self.0.watched.lock().replies.push(Box::new(DeferredReply {
            slot,
            limit: Some(limit),
            since,
        }));
        self.0.changed.notify_one();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.watched.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Watchdog({} replies)",
            self.0.watched.lock().replies.len()
        )
    }
}

impl WatchdogState {
    /// After the process was stopped, each limit counts from when it went on: what the server sent
    /// meanwhile has yet to be read.
    fn run(&self) {
        let mut resumed = Instant::now();
        while self.wait_for_a_reply() {
            let asleep = Instant::now();
            std::thread::sleep(CHECK_INTERVAL);
            if asleep.elapsed() > STOPPED {
                resumed = Instant::now();
            }
            let mut replies = std::mem::take(&mut self.watched.lock().replies);
            let heard = (self.last_heard)();
            replies.retain_mut(|reply| reply.check(heard, resumed) == ReplyState::Awaited);
            self.watched.lock().replies.append(&mut replies);
        }
    }

    /// False when there is no reply to watch and there will be none.
    fn wait_for_a_reply(&self) -> bool {
        let mut watched = self.watched.lock();
        while watched.replies.is_empty() {
            if watched.is_closed {
                return false;
            }
            self.changed.wait(&mut watched);
        }
        true
    }
}

#[derive(Default)]
struct Watched {
    replies: Vec<Box<dyn WatchedReply>>,
    /// The [`Watchdog`] was dropped.
    is_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplyState {
    Awaited,
    Sent,
}

trait WatchedReply: Send {
    /// Sends the reply if its time is over or its caller has to stop waiting. `resumed` is when the
    /// process went on after it was last stopped.
    fn check(&mut self, last_heard: Instant, resumed: Instant) -> ReplyState;
}

struct DeferredReply<T> {
    slot: Arc<ReplySlot<T>>,
    limit: Option<WaitLimit<T>>,
    since: Instant,
}

impl<T> DeferredReply<T> {
    fn is_over(&self, last_heard: Instant, resumed: Instant) -> bool {
        let since = self.since.max(resumed);
        match &self.limit {
            Some(WaitLimit::Silence(silence)) => since.max(last_heard).elapsed() > *silence,
            Some(WaitLimit::Total(total, _)) => since.elapsed() > *total,
            None => true,
        }
    }
}

impl<T: Send> WatchedReply for DeferredReply<T> {
    fn check(&mut self, last_heard: Instant, resumed: Instant) -> ReplyState {
        if !self.slot.is_awaited() {
            return ReplyState::Sent;
        }
        if is_interrupted(self.slot.caller) {
            self.slot.send(Err(Error::Interrupted));
            return ReplyState::Sent;
        }
        if !self.is_over(last_heard, resumed) {
            return ReplyState::Awaited;
        }
        self.slot.send(match self.limit.take() {
            Some(WaitLimit::Total(_, fallback)) => {
                if let Err(error) = &fallback {
                    log::warn!("{error}");
                }
                fallback
            }
            _ => Err(Error::TimedOut),
        });
        ReplyState::Sent
    }
}
