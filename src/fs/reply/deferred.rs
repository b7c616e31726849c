//! Replies owed to the kernel.
//!
//! A handler that cannot answer at once leaves its [`Answer`] with what it waits for, and the [`Ledger`] watches it
//! meanwhile: a reply is never owed for ever, and a caller with a deadly signal pending is let go. The kernel would tell
//! of that by FUSE_INTERRUPT, which fuser answers ENOSYS, so the caller's pending signals are looked at instead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::fs::error::Error;
use crate::fs::reply::interrupt::is_interrupted;
use crate::fs::worker::Workshop;
use crate::maildrop::{Fault, Waiter};

/// How often the owed replies are looked at: Ctrl-C takes that long at the most.
const WATCH: Duration = Duration::from_millis(100);
/// A look that comes so late was kept from coming: the process was stopped (SIGSTOP, a debugger, a frozen cgroup).
const STOPPED: Duration = Duration::from_secs(1);

/// The reply to one request: given exactly once, by whoever comes first.
pub struct Answer<T>(Arc<Slot<T>>);

type Give<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

struct Slot<T> {
    give: Mutex<Option<Give<T>>>,
    caller: u32,
}

/// How long a reply may be owed.
#[derive(Debug)]
pub enum Patience<T> {
    /// As long as the server says something at least every so often.
    WhileHeard(Duration),
    /// So long; then this is the answer.
    Until(Duration, T),
}

impl<T: Send + 'static> Answer<T> {
    /// `caller` is the thread that waits in the kernel; `give` sends the reply.
    pub fn new(caller: u32, give: impl FnOnce(Result<T, Error>) + Send + 'static) -> Answer<T> {
        Answer(Arc::new(Slot {
            give: Mutex::new(Some(Box::new(give))),
            caller,
        }))
    }

    /// Answers, unless the ledger did so already.
    pub fn give(self, result: Result<T, Error>) {
        self.0.give(result);
    }

    /// Leaves the answer with something that comes later; the ledger watches it.
    pub fn owe<U: Send + 'static>(
        self,
        ledger: &Ledger,
        patience: Patience<T>,
        then: impl FnOnce(Result<U, Fault>) -> Result<T, Error> + Send + 'static,
    ) -> Waiter<U> {
        ledger.watch(Arc::clone(&self.0), patience);
        let slot = Arc::clone(&self.0);
        Waiter::new(
            move || slot.is_owed(),
            move |result| self.give_with(|| then(result)),
        )
    }

    /// As [`Answer::owe`]; what comes then is done in the workshop.
    pub(in crate::fs) fn owe_in<U: Send + 'static>(
        self,
        workshop: &Workshop,
        ledger: &Ledger,
        patience: Patience<T>,
        then: impl FnOnce(Result<U, Fault>) -> Result<T, Error> + Send + 'static,
    ) -> Waiter<U> {
        ledger.watch(Arc::clone(&self.0), patience);
        let slot = Arc::clone(&self.0);
        let workshop = workshop.clone();
        Waiter::new(
            move || slot.is_owed(),
            move |result| workshop.leave(move || self.give_with(|| then(result))),
        )
    }

    /// Computes nothing for a caller who has gone.
    fn give_with(self, result: impl FnOnce() -> Result<T, Error>) {
        let give = self.0.give.lock().take();
        if let Some(give) = give {
            give(result());
        }
    }
}

impl<T> Slot<T> {
    fn is_owed(&self) -> bool {
        self.give.lock().is_some()
    }

    fn give(&self, result: Result<T, Error>) {
        let give = self.give.lock().take();
        if let Some(give) = give {
            give(result);
        }
    }
}

impl<T> std::fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer(to {})", self.0.caller)
    }
}

/// The watch over the replies owed. It ends with the ledger, once nothing is owed.
pub struct Ledger(Arc<Inner>);

struct Inner {
    debts: Mutex<Debts>,
    changed: Condvar,
    /// When the server last said anything.
    last_heard: Box<dyn Fn() -> Instant + Send + Sync>,
}

impl Ledger {
    /// Starts the watch.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        last_heard: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> std::io::Result<Ledger> {
        let inner = Arc::new(Inner {
            debts: Mutex::default(),
            changed: Condvar::new(),
            last_heard: Box::new(last_heard),
        });
        let watched = Arc::clone(&inner);
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || watched.watch())?;
        Ok(Ledger(inner))
    }

    fn watch<T: Send + 'static>(&self, slot: Arc<Slot<T>>, patience: Patience<T>) {
        let since = Instant::now();
        self.0.debts.lock().owed.push(Box::new(Owed {
            slot,
            patience: Some(patience),
            since,
        }));
        self.0.changed.notify_one();
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.0.debts.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({} owed)", self.0.debts.lock().owed.len())
    }
}

impl Inner {
    /// Silence is counted anew when a stop has ended: what the server said meanwhile is still to be read.
    fn watch(&self) {
        let mut resumed = Instant::now();
        loop {
            let mut debts = self.debts.lock();
            while debts.owed.is_empty() {
                if debts.is_closed {
                    return;
                }
                self.changed.wait(&mut debts);
            }
            drop(debts);
            let asleep = Instant::now();
            std::thread::sleep(WATCH);
            if asleep.elapsed() > STOPPED {
                resumed = Instant::now();
            }
            let mut under_review = std::mem::take(&mut self.debts.lock().owed);
            let heard = (self.last_heard)().max(resumed);
            under_review.retain_mut(|debt| debt.is_still_owed(heard));
            self.debts.lock().owed.append(&mut under_review);
        }
    }
}

/// What is watched.
#[derive(Default)]
struct Debts {
    owed: Vec<Box<dyn Debt>>,
    /// Nothing is going to be owed any more.
    is_closed: bool,
}

trait Debt: Send {
    /// Settles the debt where its time is over or its caller is to go.
    fn is_still_owed(&mut self, last_heard: Instant) -> bool;
}

struct Owed<T> {
    slot: Arc<Slot<T>>,
    patience: Option<Patience<T>>,
    since: Instant,
}

impl<T: Send> Debt for Owed<T> {
    fn is_still_owed(&mut self, last_heard: Instant) -> bool {
        if !self.slot.is_owed() {
            return false;
        }
        if is_interrupted(self.slot.caller) {
            self.slot.give(Err(Error::Interrupted));
            return false;
        }
        let is_over = match &self.patience {
            Some(Patience::WhileHeard(silence)) => self.since.max(last_heard).elapsed() > *silence,
            Some(Patience::Until(limit, _)) => self.since.elapsed() > *limit,
            None => true,
        };
        if is_over {
            self.slot.give(match self.patience.take() {
                Some(Patience::Until(_, fallback)) => Ok(fallback),
                _ => Err(Error::TimedOut),
            });
        }
        !is_over
    }
}
