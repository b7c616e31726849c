//! What ends a mount, and when the last commit begins.
//!
//! ```text
//!   the kernel ends the session ───────────────────────────────────┐
//!   unmounted here, still mounted elsewhere ───────────────────────┤
//!   unmounted here lazily: a file is open ──── LAST_READS later ───┤
//!   a signal ────── unmounts ───────────────── LAST_READS later ───┴─▶ is our mount in the mount table? ──▶ no: commit
//!                                                                                                     └─▶ yes: delete nothing
//! ```
//! After the commit, programs that still have the filesystem can read what they have open, until
//! they let go of it or a signal ends the process.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::fs::mount::{Mount, Presence};

/// How long open files may delay the last commit after a signal or a lazy unmount, and the end of
/// the process after a signal.
pub(in crate::cli) const LAST_READS: Duration = Duration::from_secs(5);
/// How long the kernel may take between an unmount and the end of its session, and the other way
/// round: `umount -f` ends the session first.
const SETTLING: Duration = Duration::from_millis(500);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Something that ends the mount.
#[derive(Debug)]
pub(in crate::cli) enum End {
    /// The kernel has ended the session, or the device failed.
    Session(io::Result<()>),
    /// The mount is no longer in the mount table.
    Unmounted(Presence),
    /// A signal asked for the end.
    Signal,
}

/// What the mount table showed before the last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum LastLook {
    /// Somebody unmounted it: the pending deletions are wanted.
    Unmounted,
    /// Nobody has unmounted it: the FUSE connection was aborted, for example by `umount -f`, or the
    /// unmount failed.
    StillMounted,
}

/// Waits for the ends of a mount.
#[derive(Debug)]
pub(in crate::cli) struct Ends {
    events: Receiver<End>,
    session: SessionState,
    /// When a signal ends the process although files are open.
    overdue: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionState {
    Running,
    /// The kernel has ended it.
    Over,
    /// The device failed, and the kernel does not know.
    Failed,
}

impl Ends {
    /// The sender is for those who notice an end.
    pub(in crate::cli) fn new() -> (Sender<End>, Self) {
        let (tell, events) = mpsc::channel();
        let ends = Self {
            events,
            session: SessionState::Running,
            overdue: None,
        };
        (tell, ends)
    }

    /// Waits until the last commit is due.
    pub(in crate::cli) fn wait_for_last_commit(&mut self, mount: &Mount) -> LastLook {
        let mut due = None;
        while self.session == SessionState::Running {
            match self.next(due) {
                Some(End::Unmounted(Presence::Elsewhere)) => break,
                Some(End::Unmounted(_) | End::Signal) => {
                    due.get_or_insert_with(|| Instant::now() + LAST_READS);
                }
                Some(End::Session(_)) => {}
                None => {
                    log::warn!("files are still open: they are not waited for any longer");
                    break;
                }
            }
        }
        self.look(mount)
    }

    /// After the last commit: waits until nobody uses the filesystem any more, or a signal has
    /// ended the wait.
    pub(in crate::cli) fn wait_for_last_reads(&mut self) {
        while self.session == SessionState::Running {
            if self.next(self.overdue).is_none() {
                log::warn!("files are still open: they can no longer be read");
                return;
            }
        }
    }

    /// Whether the process ends as soon as the last commit is over, or soon after.
    pub(in crate::cli) fn is_the_end_near(&self) -> bool {
        self.session != SessionState::Running || self.overdue.is_some()
    }

    pub(in crate::cli) fn has_device_failed(&self) -> bool {
        self.session == SessionState::Failed
    }

    /// The next event; none if `until` passes first.
    fn next(&mut self, until: Option<Instant>) -> Option<End> {
        let event = match until {
            Some(until) => self
                .events
                .recv_timeout(until.saturating_duration_since(Instant::now())),
            None => self.events.recv().map_err(RecvTimeoutError::from),
        };
        match &event {
            Ok(End::Session(result)) => {
                self.session = match result {
                    Ok(()) => SessionState::Over,
                    Err(error) => {
                        log::error!("the FUSE device failed: {error}");
                        SessionState::Failed
                    }
                };
            }
            Ok(End::Signal) => {
                let overdue = Instant::now() + LAST_READS;
                self.overdue.get_or_insert(overdue);
            }
            Ok(End::Unmounted(_)) | Err(RecvTimeoutError::Timeout) => {}
            // The thread of the session has panicked.
            Err(RecvTimeoutError::Disconnected) => self.session = SessionState::Over,
        }
        event.ok()
    }

    fn look(&self, mount: &Mount) -> LastLook {
        let give_up = Instant::now() + SETTLING;
        loop {
            match mount.is_in_own_table() {
                Ok(false) => return LastLook::Unmounted,
                Ok(true) => {}
                Err(error) => log::warn!("cannot read the mount table: {error}"),
            }
            if Instant::now() >= give_up {
                return LastLook::StillMounted;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// Tells when the mount has left the mount table, from a thread that sleeps until then.
///
/// # Errors
/// When the system gives no thread.
pub(in crate::cli) fn watch_mount_table(mount: Mount, tell: Sender<End>) -> io::Result<()> {
    let thread = thread::Builder::new().name("mount table".to_owned());
    thread.spawn(move || {
        if let Err(error) = mount.wait_until_gone() {
            return log::warn!("cannot watch the mount table: {error}");
        }
        // Mostly the session ends now, and nobody has to look for other mounts.
        thread::sleep(SETTLING / 10);
        let presence = mount.presence().unwrap_or(Presence::Nowhere);
        let _main_may_have_ended = tell.send(End::Unmounted(presence));
    })?;
    Ok(())
}
