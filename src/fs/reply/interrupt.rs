//! Whether a thread that waits in the kernel for us has a signal pending that is to end its wait.

use std::fs;

use nix::errno::Errno;
use nix::libc::{
    ENOENT, ESRCH, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP,
    SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
};

use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A set of signals as /proc shows it: bit n-1 is signal n.
type Signals = u64;

/// These end a wait even where the program has a handler: somebody wants it to stop.
const REQUESTS_TO_STOP: Signals = set(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGKILL]);
/// These end no program that has no handler for them.
const HARMLESS: Signals = set(&[
    SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
]);

/// True where a deadly signal is pending for the thread, or where it is gone.
///
/// A program that handles SIGALRM or SIGWINCH expects no EINTR from stat or open, so such signals wait.
pub(in crate::fs) fn is_interrupted(thread: u32) -> bool {
    if thread == 0 {
        // Outside of our pid namespace.
        return false;
    }
    match fs::read_to_string(format!("/proc/{thread}/status")) {
        Ok(status) => Pending::parse(&status).is_deadly(),
        Err(error) => match error.raw_os_error() {
            // A /proc with hidepid shows only what is ours.
            Some(ENOENT) => is_gone(thread),
            Some(ESRCH) => true,
            // A trouble of ours (no descriptor left, say), and no reason to let the caller go.
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
struct Pending {
    pending: Signals,
    blocked: Signals,
    ignored: Signals,
    caught: Signals,
}

impl Pending {
    fn parse(status: &str) -> Pending {
        let mut found = Pending::default();
        for (key, value) in status.lines().filter_map(|line| line.split_once(':')) {
            let signals = || Signals::from_str_radix(value.trim(), 16).unwrap_or(0);
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

const fn set(signals: &[i32]) -> Signals {
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

    fn is_deadly(pending: Signals, blocked: Signals, ignored: Signals, caught: Signals) -> bool {
        let status = format!(
            "Name:\tcat\nSigQ:\t0/95000\nSigPnd:\t{:016x}\nShdPnd:\t{pending:016x}\nSigBlk:\t{blocked:016x}\n\
             SigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\n",
            0
        );
        Pending::parse(&status).is_deadly()
    }

    #[test]
    fn a_request_to_stop_ends_the_wait_even_where_it_is_handled() {
        let interrupt = set(&[SIGINT]);
        assert!(is_deadly(interrupt, 0, 0, 0));
        assert!(is_deadly(interrupt, 0, 0, interrupt));
        assert!(!is_deadly(interrupt, interrupt, 0, 0));
        assert!(!is_deadly(interrupt, 0, interrupt, 0));
    }

    #[test]
    fn a_handled_alarm_or_a_resized_terminal_waits() {
        let alarm = set(&[nix::libc::SIGALRM]);
        assert!(!is_deadly(alarm, 0, 0, alarm));
        assert!(is_deadly(alarm, 0, 0, 0));
        assert!(!is_deadly(set(&[SIGWINCH, SIGCHLD]), 0, 0, 0));
        assert!(!is_deadly(0, 0, 0, 0));
    }

    #[test]
    fn a_thread_that_is_gone_waits_for_nothing() {
        assert!(is_interrupted(u32::MAX));
        assert!(!is_interrupted(std::process::id()));
    }
}
