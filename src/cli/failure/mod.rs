//! What the process ends with where it did not do what was asked: the one table of exit statuses.
//!
//! mount(8), which runs us through mount.fuse(8), and umount(8), which runs us through its helper, end with what we end with.
//! They document their own statuses as bits: 1 wrong invocation or no permission, 2 the system, 8 the user's interrupt, 32
//! the mount failed, 64 *some of the mounts succeeded*. So what mount(8) has a number for has that number here, and every
//! other cause is 32 or a little more: whoever looks for that bit finds it. (The numbers of sysexits.h, which mpop ends
//! with, all have the bit 64, which would tell of a success.)

mod advice;
mod causes;

pub(super) use advice::Advice;

use std::fmt::Display;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// Why not; as a number, what the process ends with. The sentence on standard error says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Failure {
    /// The caller's: what was written on the command line or in the configuration, or who wrote it.
    Usage = 1,
    /// This machine's.
    System = 2,
    /// The user's, who has thought better of it.
    Interrupted = 8,
    /// Mostly the server's: whatever has no number of its own.
    Other = 32,
    /// The account's.
    LoginRefused = 33,
    /// The network's, or the server's.
    Unreachable = 34,
    /// Nobody's: it passes by itself.
    Busy = 35,
    /// Mostly the server's.
    Uncommitted = 36,
    /// The safety valve's.
    HeldBack = 37,
    /// The caller's.
    NotMounted = 38,
}

impl Failure {
    /// By their numbers.
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

    /// What the process ends with; never 0.
    #[must_use]
    pub const fn status(self) -> u8 {
        self as u8
    }

    /// The failure with this number.
    pub(super) fn of_status(status: u8) -> Failure {
        let known = Self::ALL.into_iter().find(|known| known.status() == status);
        known.unwrap_or(Failure::Other)
    }

    /// For the manual, without the full stop.
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

/// Says what is wrong, and ends with its number.
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
