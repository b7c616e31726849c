//! `-o mirror`: all messages are fetched in the background, and new mail as it comes.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::cli::daemon::systemd;
use crate::cli::shown::{counted, size};
use crate::maildrop::{FetchError, Maildrop, Progress};

/// How often the mirror looks whether the listing has changed, or the server is there again.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// How often the service manager is told how far the mirror is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(5);
/// How often what is missing is fetched after one change of the listing. More than once, because
/// the cache may have removed messages to make room.
const MOST_PASSES: u32 = 3;

/// A running mirror.
#[derive(Debug)]
pub(in crate::cli) struct Mirror {
    maildrop: Arc<Maildrop>,
    source: String,
    progress: Mutex<Progress>,
}

impl Mirror {
    /// Begins to fetch, newest messages first. Whatever a reader asks for goes before it.
    pub(in crate::cli) fn start(maildrop: &Arc<Maildrop>, source: String) -> Arc<Self> {
        let mirror = Arc::new(Self {
            maildrop: Arc::clone(maildrop),
            source,
            progress: Mutex::default(),
        });
        let thread = thread::Builder::new().name("mirror".to_owned());
        let running = Arc::clone(&mirror);
        if let Err(error) = thread.spawn(move || running.run()) {
            log::warn!("nothing is mirrored: {error}");
        }
        mirror
    }

    /// How far it is.
    pub(in crate::cli) fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// That the cache is too small for all messages, if it is.
    pub(in crate::cli) fn caution(&self) -> Option<String> {
        let (octets, room) = (self.maildrop.totals().octets, self.maildrop.cache_room()?);
        (octets > room).then(|| {
            format!(
                "the cache has room for {} and the maildrop has {}: the newest messages are mirrored; -o cache_size=SIZE sets the room",
                size(room),
                size(octets)
            )
        })
    }

    fn run(&self) {
        let mut done_for = None;
        while !self.maildrop.has_ended() {
            self.maildrop.renew_listing();
            let listing = self.maildrop.changed();
            let is_online = self.maildrop.offline_since().is_none();
            if is_online && done_for != Some(listing) && self.fetch_missing(listing) {
                done_for = Some(listing);
            }
            if self.maildrop.changed() == listing {
                thread::sleep(BETWEEN_LOOKS);
            }
        }
    }

    /// Fetches what is missing of this listing. Returns false if that has to be tried again.
    fn fetch_missing(&self, listing: SystemTime) -> bool {
        for _ in 0..MOST_PASSES {
            match self.pass(listing) {
                Ok(0) => return true,
                Ok(_fetched) => {}
                Err(FetchOutcome::Impossible(error)) => {
                    log::warn!("nothing is mirrored: {error}");
                    return true;
                }
                Err(FetchOutcome::Interrupted) => return false,
            }
        }
        true
    }

    /// Returns how many messages were fetched. Ends when there is another listing: new mail goes
    /// before the messages that are still missing.
    fn pass(&self, listing: SystemTime) -> Result<u64, FetchOutcome> {
        let mut next_report = Instant::now();
        let fetched = self.maildrop.mirror(&mut |progress| {
            *self.progress.lock() = progress;
            if Instant::now() >= next_report {
                next_report = Instant::now() + BETWEEN_REPORTS;
                systemd::mirroring(&self.source, progress);
            }
            match self.maildrop.changed() == listing {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        let fetched = fetched.map_err(FetchOutcome::Impossible)?;
        systemd::mirroring(&self.source, self.progress());
        for (name, fault) in &fetched.failed {
            log::info!("cannot mirror {name}: {fault}");
        }
        if let Some(fault) = &fetched.stopped {
            log::info!("the mirror waits: {fault}");
            return Err(FetchOutcome::Interrupted);
        }
        if fetched.fetched > 0 {
            log::info!("{} mirrored", counted(fetched.fetched, "message"));
        }
        match self.maildrop.changed() == listing {
            true => Ok(fetched.fetched),
            false => Err(FetchOutcome::Interrupted),
        }
    }
}

/// Why a pass has not fetched all.
enum FetchOutcome {
    Impossible(FetchError),
    Interrupted,
}
