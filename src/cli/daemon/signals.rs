//! The signals that end a mount. All threads block them and one waits for them, so no signal
//! handler is needed. Signals that were ignored at the start stay ignored: nohup(1) ignores SIGHUP,
//! and a shell script ignores SIGINT for `&`.
//!
//! Rust's runtime ignores SIGPIPE, and resets it for child processes.

use std::fs;
use std::process;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::failure::Failure;

/// The signals that ask a daemon to end: SIGTERM (service managers), SIGINT (Ctrl-C), SIGHUP (the
/// terminal is gone).
const ENDING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// The ending signals, blocked in this thread and in all threads that it starts.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct EndingSignals(SigSet);

impl EndingSignals {
    /// Blocks them. Must be called before any other thread runs, and after the password was asked
    /// for: until then Ctrl-C ends the process at once.
    pub(in crate::cli) fn block() -> Result<Self, Errno> {
        let set = SigSet::from_iter(ENDING.into_iter().filter(|&signal| !is_ignored(signal)));
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for the next of them, however long that takes.
    pub(in crate::cli) fn wait(&self) -> Result<Signal, Errno> {
        loop {
            match self.0.wait() {
                Err(Errno::EINTR) => {}
                other => return other,
            }
        }
    }

    /// Forgets the signals that have come and were not waited for.
    pub(in crate::cli) fn forget_pending(&self) -> Result<(), Errno> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let pending = SignalFd::with_flags(&self.0, flags)?;
        while pending.read_signal()?.is_some() {}
        Ok(())
    }

    /// Ends the process: after Ctrl-C with the exit status for it, else by the signal, so that the
    /// parent process sees which one it was.
    pub(in crate::cli) fn die_of(&self, signal: Signal) -> ! {
        if signal == Signal::SIGINT {
            process::exit(Failure::Interrupted.status().into());
        }
        // If this fails, the exit below remains.
        let _unblocked = self.0.thread_unblock();
        let _survived_where_it_is_ignored = raise(signal);
        process::exit(Failure::Interrupted.status().into());
    }
}

/// Whether the process ignores the signal. sigwait(3) would return it although it is ignored.
fn is_ignored(signal: Signal) -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    ignored.is_some_and(|set| set & 1 << (signal as i32 - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    /// Those that are not ignored: nohup(1) ignores SIGHUP for the tests as well.
    fn heeded(signals: EndingSignals) -> Vec<Signal> {
        let is_blocked = |&signal: &Signal| signals.0.contains(signal);
        ENDING.into_iter().filter(is_blocked).collect()
    }

    #[test]
    fn a_blocked_signal_is_waited_for_instead_of_ending_the_process() {
        let signals = EndingSignals::block().unwrap();
        assert!(heeded(signals).contains(&Signal::SIGTERM));
        for signal in heeded(signals) {
            raise(signal).unwrap();
            assert_eq!(signals.wait(), Ok(signal));
        }
    }

    #[test]
    fn pending_signals_can_be_forgotten() {
        let signals = EndingSignals::block().unwrap();
        for signal in heeded(signals) {
            raise(signal).unwrap();
        }
        signals.forget_pending().unwrap();
        let pending = SignalFd::with_flags(&signals.0, SfdFlags::SFD_NONBLOCK).unwrap();
        assert_eq!(pending.read_signal(), Ok(None));
    }
}
