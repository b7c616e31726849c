//! Whether a thread that waits in the kernel for a reply has a signal pending that must end its
//! wait.

use std::fs;

use nix::errno::Errno;
use nix::libc::{
    ENOENT, ESRCH, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP,
    SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
};

use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A set of signals as /proc shows it: bit n-1 is signal n.
type SignalSet = u64;

/// These end the wait even if the program has a handler for them: somebody wants it to stop.
const REQUESTS_TO_STOP: SignalSet = set(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGKILL]);
/// Without a handler, the default action of these does not end the program.
const HARMLESS: SignalSet = set(&[
    SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
]);

/// True if a deadly signal is pending for the thread, or if the thread is gone.
///
/// A program that handles SIGALRM or SIGWINCH does not expect EINTR from stat or open, so these do
/// not end the wait.
pub(in crate::fs) fn is_interrupted(thread: u32) -> bool {
    if thread == 0 {
        // The thread is in a pid namespace that this process cannot see.
        return false;
    }
    match fs::read_to_string(format!("/proc/{thread}/status")) {
        Ok(status) => PendingSignals::parse(&status).is_deadly(),
        Err(error) => match error.raw_os_error() {
            // With hidepid, /proc shows only the processes of the same user.
            Some(ENOENT) => is_gone(thread),
            Some(ESRCH) => true,
            // This process has a problem (no descriptor left, say). That does not end the wait.
            _ => false,
        },
    }
}

fn is_gone(thread: u32) -> bool {
    let Ok(thread) = i32::try_from(thread) else {
        return true;
    };
    kill(Pid::from_raw(thread), None) == Err(Errno::ESRCH)
}

#[derive(Debug, Default)]
struct PendingSignals {
    pending: SignalSet,
    blocked: SignalSet,
    ignored: SignalSet,
    caught: SignalSet,
}

impl PendingSignals {
    fn parse(status: &str) -> Self {
        let mut found = Self::default();
        for (key, value) in status.lines().filter_map(|line| line.split_once(':')) {
            let signals = || SignalSet::from_str_radix(value.trim(), 16).unwrap_or(0);
            match key {
                "SigPnd" | "ShdPnd" => found.pending |= signals(),
                "SigBlk" => found.blocked = signals(),
                "SigIgn" => found.ignored = signals(),
                "SigCgt" => found.caught = signals(),
                _ => {}
            }
        }
        found
    }

    fn is_deadly(&self) -> bool {
        let delivered = self.pending & !self.blocked & !self.ignored;
        let by_default = delivered & !self.caught & !HARMLESS;
        delivered & REQUESTS_TO_STOP != 0 || by_default != 0
    }
}

const fn set(signals: &[i32]) -> SignalSet {
    let mut set = 0;
    let mut at = 0;
    while at < signals.len() {
        set |= 1 << (signals[at] - 1);
        at += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_deadly(
        pending: SignalSet,
        blocked: SignalSet,
        ignored: SignalSet,
        caught: SignalSet,
    ) -> bool {
        let status = format!(
            "Name:\tcat\nSigQ:\t0/95000\nSigPnd:\t{:016x}\nShdPnd:\t{pending:016x}\nSigBlk:\t{blocked:016x}\n\
             SigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n",
            0
        );
        PendingSignals::parse(&status).is_deadly()
    }

    #[test]
    fn a_request_to_stop_ends_the_wait_even_if_it_is_handled() {
        let interrupt = set(&[SIGINT]);
        assert!(is_deadly(interrupt, 0, 0, 0));
        assert!(is_deadly(interrupt, 0, 0, interrupt));
        assert!(!is_deadly(interrupt, interrupt, 0, 0));
        assert!(!is_deadly(interrupt, 0, interrupt, 0));
    }

    #[test]
    fn a_handled_alarm_or_a_resized_terminal_does_not_end_the_wait() {
        let alarm = set(&[nix::libc::SIGALRM]);
        assert!(!is_deadly(alarm, 0, 0, alarm));
        assert!(is_deadly(alarm, 0, 0, 0));
        assert!(!is_deadly(set(&[SIGWINCH, SIGCHLD]), 0, 0, 0));
        assert!(!is_deadly(0, 0, 0, 0));
    }

    #[test]
    fn a_thread_that_is_gone_counts_as_interrupted() {
        assert!(is_interrupted(u32::MAX));
        assert!(!is_interrupted(std::process::id()));
    }
}
