//! Starting in the background: the shell gets its prompt and the exit status when the mount works
//! or has failed.
//!
//! ```text
//! launcher   fork ─┬─ wait for the verdict ──────────────────────── exit 0 / the error line, its exit status
//! daemon           └─ password, connect, log in, mount ── verdict ── serve until unmounted
//! ```
//! The fork comes before any thread, TLS session or mount, because none of them survives a fork.
//! The daemon keeps its terminal until its verdict, so that Ctrl-C interrupts it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid};

use crate::cli::failure::Failure;

/// The first octet of a verdict is an exit status; this one means that the mount works.
const SUCCESS: u8 = 0;

/// The longest verdict that a launcher reads, in octets.
const LONGEST: u64 = 64 * 1024;

/// Which of the two processes this is.
#[derive(Debug)]
pub(in crate::cli) enum ForkRole {
    /// The process that the shell waits for.
    Launcher(Launcher),
    /// The process that mounts and serves.
    Daemon(ReadyNotice),
}

/// What the launcher has of the daemon.
#[derive(Debug)]
pub(in crate::cli) struct Launcher {
    verdict: File,
    daemon: Pid,
}

/// Sends the verdict from the daemon to its launcher: the mount works, or why it failed.
#[derive(Debug)]
#[must_use = "the launcher waits for the verdict"]
pub(in crate::cli) struct ReadyNotice(Option<File>);

/// Why there is no mount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// The exit status and the sentence of the daemon.
    #[error("{1}")]
    Failed(Failure, String),
    /// The user pressed Ctrl-C.
    #[error("interrupted: nothing is mounted")]
    Interrupted,
    /// The daemon crashed or was killed.
    #[error("ended before the mount was ready ({0}): run it again with -d to see where")]
    Died(String),
}

impl From<&LaunchError> for Failure {
    fn from(error: &LaunchError) -> Failure {
        match error {
            LaunchError::Failed(failure, _) => *failure,
            LaunchError::Interrupted => Failure::Interrupted,
            LaunchError::Died(_) => Failure::Other,
        }
    }
}

/// Forks. The process must have a single thread.
pub(in crate::cli) fn background() -> io::Result<ForkRole> {
    let (verdict, word) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the process has a single thread (the caller guarantees it), so the child's copies of
    // memory and locks are consistent.
    #[allow(unsafe_code)]
    let forked = unsafe { fork() }?;
    Ok(match forked {
        ForkResult::Parent { child } => ForkRole::Launcher(Launcher {
            verdict: verdict.into(),
            daemon: child,
        }),
        ForkResult::Child => ForkRole::Daemon(ReadyNotice(Some(word.into()))),
    })
}

/// The same for a process that stays in the foreground: it has no launcher.
pub(in crate::cli) fn foreground() -> ReadyNotice {
    ReadyNotice(None)
}

impl Launcher {
    /// Waits for the verdict, or the end of the daemon. Returns what the user is to be told of the
    /// mount.
    pub(in crate::cli) fn verdict(self) -> Result<String, LaunchError> {
        // Ctrl-C reaches both processes: the daemon ends, and this one reports it with the exit
        // status for it.
        if let Err(errno) = SigSet::from_iter([Signal::SIGINT]).thread_block() {
            log::debug!("cannot block SIGINT: {errno}");
        }
        match read_verdict(self.verdict) {
            Some(verdict) => verdict,
            None => Err(LaunchError::of(waitpid(self.daemon, None))),
        }
    }
}

impl ReadyNotice {
    /// Leaves the terminal, the session and the working directory, and ends the launcher, which
    /// tells the user `cautions`.
    ///
    /// An error means that the launcher is gone, for example by Ctrl-C: then the user does not want
    /// the mount.
    pub(in crate::cli) fn succeeded(self, cautions: &str) -> io::Result<()> {
        let Some(mut word) = self.0 else {
            return Ok(());
        };
        leave_terminal()?;
        word.write_all(&[&[SUCCESS], cautions.as_bytes()].concat())
    }

    /// Prints `why` on one line, by the launcher if there is one. Both processes end with the exit
    /// status of `failure`.
    pub(in crate::cli) fn failed(self, failure: Failure, why: &str) {
        let said = match self.0 {
            Some(mut word) => word.write_all(&[&[failure.status()], why.as_bytes()].concat()),
            None => writeln!(io::stderr(), "pop3fs: {why}"),
        };
        if let Err(error) = said {
            log::debug!("nobody heard {why:?}: {error}");
        }
    }
}

/// None where the daemon ended without a verdict.
fn read_verdict(pipe: impl Read) -> Option<Result<String, LaunchError>> {
    let mut text = Vec::new();
    // Octets that came before an error still count.
    let _ = pipe.take(LONGEST).read_to_end(&mut text);
    match text.split_first()? {
        (&SUCCESS, cautions) => Some(Ok(String::from_utf8_lossy(cautions).into_owned())),
        (&status, why) => Some(Err(LaunchError::Failed(
            Failure::of_status(status),
            String::from_utf8_lossy(why).into_owned(),
        ))),
    }
}

impl LaunchError {
    /// Why a daemon ended without a verdict, by what waitpid(2) tells.
    fn of(ended: nix::Result<WaitStatus>) -> Self {
        match ended {
            Ok(WaitStatus::Signaled(_, Signal::SIGINT, _)) => Self::Interrupted,
            Ok(WaitStatus::Exited(_, code)) if code == i32::from(Failure::Interrupted.status()) => {
                Self::Interrupted
            }
            Ok(WaitStatus::Signaled(_, signal, _)) => Self::Died(signal.to_string()),
            Ok(WaitStatus::Exited(_, code)) => Self::Died(format!("exit status {code}")),
            // waitpid(2) returns neither without WUNTRACED and WNOHANG.
            Ok(stopped_or_alive) => Self::Died(format!("{stopped_or_alive:?}")),
            Err(errno) => Self::Died(errno.to_string()),
        }
    }
}

fn leave_terminal() -> io::Result<()> {
    std::env::set_current_dir("/")?;
    setsid()?;
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> (File, ReadyNotice) {
        let (verdict, word) = pipe2(OFlag::O_CLOEXEC).unwrap();
        (verdict.into(), ReadyNotice(Some(word.into())))
    }

    #[test]
    fn a_failure_reaches_the_launcher_unchanged() {
        let (pipe, ready) = ready();
        ready.failed(Failure::Unreachable, "no such host");
        let told = LaunchError::Failed(Failure::Unreachable, "no such host".to_owned());
        assert_eq!(read_verdict(pipe), Some(Err(told)));
    }

    #[test]
    fn a_success_is_a_success() {
        assert_eq!(read_verdict(&[SUCCESS][..]), Some(Ok(String::new())));
        let cautions = read_verdict(&[&[SUCCESS], &b"the server is away"[..]].concat()[..]);
        assert_eq!(cautions, Some(Ok("the server is away".to_owned())));
    }

    #[test]
    fn a_daemon_that_dies_silently_leaves_no_verdict() {
        let (pipe, ready) = ready();
        drop(ready);
        assert_eq!(read_verdict(pipe), None);
    }

    #[test]
    fn the_end_of_a_daemon_is_told_with_its_cause() {
        let ended = |status| LaunchError::of(Ok(status)).to_string();
        let daemon = Pid::from_raw(1);
        for (status, sentence) in [
            (
                WaitStatus::Exited(daemon, 3),
                "ended before the mount was ready (exit status 3): run it again with -d to see where",
            ),
            (
                WaitStatus::Signaled(daemon, Signal::SIGKILL, false),
                "ended before the mount was ready (SIGKILL): run it again with -d to see where",
            ),
            (
                WaitStatus::Signaled(daemon, Signal::SIGINT, false),
                "interrupted: nothing is mounted",
            ),
            (
                WaitStatus::Exited(daemon, Failure::Interrupted.status().into()),
                "interrupted: nothing is mounted",
            ),
        ] {
            assert_eq!(ended(status), sentence);
        }
    }

    #[test]
    fn a_failure_without_a_launcher_is_no_panic() {
        let (pipe, ready) = ready();
        drop(pipe);
        ready.failed(Failure::Other, "nobody there");
    }
}
