//! The end of a mount by a signal or a panic.

use std::panic;
use std::process;
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use parking_lot::Mutex;

use crate::cli::daemon::ends::End;
use crate::cli::daemon::signals::EndingSignals;
use crate::cli::failure::Failure;
use crate::fs::mount::{Mount, MountError, Mounted, Unmount, UnmountError};
use crate::maildrop::Maildrop;

/// How long a panic waits for the lock of the mount: the thread that mounts may be the one that
/// panics. Also how long to retry fusermount3 at the user's limit of processes: a thread of ours
/// that ends makes room.
const PATIENCE: Duration = Duration::from_secs(1);
/// A signal that comes so soon after another is the same one: timeout(1) sends it to the process
/// and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(50);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// What is lost if the process ends now.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Stake(Arc<StakeState>);

#[derive(Debug, Default)]
struct StakeState {
    /// None before the login has succeeded.
    mounted: Mutex<Option<Mount>>,
    /// The exit status, once the last commit is over: none if it was successful.
    verdict: OnceLock<Option<Failure>>,
    /// Knows what is pending until then.
    maildrop: OnceLock<Weak<Maildrop>>,
}

impl Stake {
    /// Mounts. Meanwhile a thread that wants to end the process waits: otherwise the mount would be
    /// left.
    pub(in crate::cli) fn mount(
        &self,
        mount: impl FnOnce() -> Result<Mounted, MountError>,
    ) -> Result<Mounted, MountError> {
        let mut mounted = self.0.mounted.lock();
        let made = mount()?;
        *mounted = Some(made.mount.clone());
        Ok(made)
    }

    /// From now on removals in this maildrop are at stake.
    pub(in crate::cli) fn watch(&self, maildrop: &Arc<Maildrop>) {
        let _only_the_first = self.0.maildrop.set(Arc::downgrade(maildrop));
    }

    /// The exit status of a process that ends now. None if the server has not confirmed all
    /// deletions.
    fn status(&self) -> Option<u8> {
        let Some(verdict) = self.0.verdict.get() else {
            let maildrop = self.0.maildrop.get().and_then(Weak::upgrade);
            let is_at_stake = maildrop.is_some_and(|maildrop| maildrop.has_unconfirmed());
            return (!is_at_stake).then_some(0);
        };
        Some(verdict.map_or(0, Failure::status))
    }

    /// Notes how the last commit has ended.
    pub(in crate::cli) fn note_verdict(&self, failure: Option<Failure>) {
        let _only_the_first = self.0.verdict.set(failure);
    }
}

/// Unmounts lazily: files that are open stay readable.
pub(in crate::cli) fn detach(mount: &Mount) {
    let until = Instant::now() + PATIENCE;
    while let Err(error) = mount.unmount(Unmount::Detach) {
        if !is_for_want_of_a_process(&error) || Instant::now() > until {
            return log::warn!("{error}");
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
}

fn is_for_want_of_a_process(error: &UnmountError) -> bool {
    matches!(error, UnmountError::Fusermount(refused) if refused.raw_os_error() == Some(libc::EAGAIN))
}

/// From now on a panic in any thread logs it, unmounts and ends the process. Nothing is committed.
pub(in crate::cli) fn end_at_a_panic(stake: Stake) {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        report(panic);
        log::error!("{panic}; nothing is deleted on the server");
        let mounted = stake.0.mounted.try_lock_for(PATIENCE);
        if let Some(mount) = mounted.as_deref().and_then(Option::as_ref) {
            detach(mount);
        }
        process::abort();
    }));
}

/// From now on a signal unmounts and tells it, or ends the process at once where nothing is
/// mounted. A second SIGTERM or SIGINT ends the process at once too, and deletes nothing. SIGHUP
/// does not count: the shell and the kernel both send it when a terminal goes away.
pub(in crate::cli) fn end_at_signals(
    signals: EndingSignals,
    stake: Stake,
    tell: Sender<End>,
) -> std::io::Result<()> {
    let thread = thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || {
        let mut stops = 0;
        while let Ok(signal) = signals.wait() {
            let mounted = stake.0.mounted.lock().clone();
            let Some(mount) = mounted else {
                signals.die_of(signal);
            };
            stops += u32::from(signal != Signal::SIGHUP);
            if stops > 1 {
                end_at_once(signal, &mount, &stake);
            }
            log::info!("{signal}: unmounting");
            thread::sleep(SAME_SIGNAL);
            if let Err(errno) = signals.forget_pending() {
                log::warn!("cannot tell signals that came twice: {errno}");
            }
            unmount(&mount);
            let _main_may_have_ended = tell.send(End::Signal);
        }
    })?;
    Ok(())
}

/// Ends the process. The kernel closes the connection without QUIT, so the server deletes nothing
/// more.
fn end_at_once(signal: Signal, mount: &Mount, stake: &Stake) -> ! {
    let status = stake.status().unwrap_or_else(|| {
        log::error!(
            "{signal} again: ended at once, although the server had not confirmed the deletions"
        );
        Failure::Uncommitted.status()
    });
    if let Err(error) = mount.unmount(Unmount::Detach) {
        log::debug!("{error}");
    }
    process::exit(status.into())
}

fn unmount(mount: &Mount) {
    match mount.unmount(Unmount::IfIdle) {
        Err(UnmountError::Busy { .. }) => detach(mount),
        Err(error) => log::warn!("{error}"),
        Ok(()) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::fs::Access;
    use crate::fs::mount::{FindError, MountOptions, Visibility, find, mount};

    /// The directory on which the child process of the test mounts before it panics.
    const PANIC_AT: &str = "POP3FS_TEST_PANIC_AT";

    fn mount_and_panic(dir: &Path) {
        let stake = Stake::default();
        end_at_a_panic(stake.clone());
        let options = MountOptions {
            fsname: "panic".to_owned(),
            access: Access::ReadOnly,
            visibility: Visibility::Owner,
        };
        let _mounted = stake.mount(|| mount(dir, &options)).unwrap();
        find(dir).unwrap();
        let thread = thread::spawn(|| panic!("of a thread"));
        let _never = thread.join();
    }

    #[test]
    fn a_panic_in_any_thread_ends_the_process_and_the_mount() {
        if let Some(dir) = env::var_os(PANIC_AT) {
            return mount_and_panic(Path::new(&dir));
        }
        let dir = tempfile::tempdir().unwrap();
        let name =
            "cli::daemon::ending::tests::a_panic_in_any_thread_ends_the_process_and_the_mount";
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(PANIC_AT, dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{said}");
        assert!(said.contains("of a thread"), "{said}");
        assert!(matches!(
            find(dir.path()),
            Err(FindError::NotMounted { .. })
        ));
    }

    #[test]
    fn a_panic_while_mounting_ends_the_process_too() {
        if env::var_os(PANIC_AT).is_some() {
            let stake = Stake::default();
            end_at_a_panic(stake.clone());
            let _never = stake.mount(|| panic!("in the midst of it"));
            return;
        }
        let name = "cli::daemon::ending::tests::a_panic_while_mounting_ends_the_process_too";
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(PANIC_AT, "/")
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
    }
}
