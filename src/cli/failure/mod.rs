//! The exit statuses, and what the user can do about each error.
//!
//! mount(8) and umount(8) run us through mount.fuse(8) and a helper, and exit with our status.
//! Their statuses are bits: 1 wrong invocation or no permission, 2 system error, 8 interrupted by
//! the user, 32 mount failed, 64 *some mounts succeeded*. We use their number where they have one,
//! and 32 to 63 for every other cause, so that the bit 32 is set. The numbers of sysexits.h will
//! not do: all of them have the bit 64.

mod advice;
mod causes;

pub(super) use advice::Advice;

use std::fmt::Display;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// Why pop3fs failed; its number is the exit status. The sentence on standard error says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Failure {
    /// The caller's fault: the command line, the configuration, or a missing permission.
    Usage = 1,
    /// This machine's fault.
    System = 2,
    /// The user pressed Ctrl-C.
    Interrupted = 8,
    /// Anything without a number of its own; mostly the server's fault.
    Other = 32,
    /// The server refused the login.
    LoginRefused = 33,
    /// The network's fault, or the server's.
    Unreachable = 34,
    /// The maildrop is in use; this passes by itself.
    Busy = 35,
    /// Deletions were not committed; mostly the server's fault.
    Uncommitted = 36,
    /// The delete limit holds the deletions back.
    HeldBack = 37,
    /// No pop3fs is mounted there.
    NotMounted = 38,
}

impl Failure {
    /// All of them, in the order of their numbers.
    pub const ALL: [Failure; 10] = [
        Failure::Usage,
        Failure::System,
        Failure::Interrupted,
        Failure::Other,
        Failure::LoginRefused,
        Failure::Unreachable,
        Failure::Busy,
        Failure::Uncommitted,
        Failure::HeldBack,
        Failure::NotMounted,
    ];

    /// The exit status; never 0.
    #[must_use]
    pub const fn status(self) -> u8 {
        self as u8
    }

    /// The failure with this exit status; [`Failure::Other`] for an unknown one.
    pub(super) fn of_status(status: u8) -> Failure {
        let known = Self::ALL.into_iter().find(|known| known.status() == status);
        known.unwrap_or(Failure::Other)
    }

    /// The sentence for the manual, without its full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Failure::Usage => {
                "The command line, an option, the configuration or the source of the password is wrong, or a permission is missing"
            }
            Failure::System => {
                "This machine lacks something: FUSE, memory, descriptors, a cache that can be used, room on the disk"
            }
            Failure::Interrupted => "Interrupted before there was a mount",
            Failure::Other => {
                "Anything else: the mount is in use and stays, say, or the server cannot do what is needed"
            }
            Failure::LoginRefused => {
                "The server refused the login, or offers none that is allowed: to repeat it as it is may lock the account"
            }
            Failure::Unreachable => {
                "There is no trusted connection to a POP3 server: no address, no answer, a broken connection, or TLS failed"
            }
            Failure::Busy => {
                "The maildrop is busy, or the server has another trouble that passes: try again in a while"
            }
            Failure::Uncommitted => {
                "Not all deletions were committed, or it is not known whether they were: what the server still has is listed again"
            }
            Failure::HeldBack => {
                "The deletions are held back, as DELETING says, and nothing was deleted"
            }
            Failure::NotMounted => "No pop3fs is mounted there, or the one that was has gone",
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> ExitCode {
        failure.status().into()
    }
}

/// Prints the error, and returns its exit status.
pub(super) fn refuse<E: Display>(error: &E) -> ExitCode
where
    for<'a> Failure: From<&'a E>,
{
    eprintln!("pop3fs: {error}");
    Failure::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_keep_mount8_failure_bit() {
        const OF_MOUNT: [u8; 3] = [1, 2, 8];
        for failure in Failure::ALL {
            let status = failure.status();
            let is_failure = OF_MOUNT.contains(&status) || status & 32 != 0;
            assert!(is_failure && status & 64 == 0, "{failure:?}");
        }
    }

    #[test]
    fn a_status_is_of_one_failure() {
        for failure in Failure::ALL {
            assert_eq!(Failure::of_status(failure.status()), failure);
        }
        assert_eq!(Failure::of_status(200), Failure::Other);
    }
}
