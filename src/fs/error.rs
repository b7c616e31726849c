//! Why an operation fails, and the table that maps each reason to an errno.

use std::io::{self, ErrorKind};

use crate::maildrop::Fault;

/// Why an operation fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The maildrop failed: the server, the connection or the disk.
    #[error(transparent)]
    Maildrop(#[from] Fault),
    /// The server kept this many of the messages that the commit was to delete. They are listed
    /// again.
    #[error("the server kept {0} of the messages that were to be deleted")]
    Kept(usize),
    /// The disk failed: a cached body cannot be read.
    #[error("the cache cannot be read")]
    Cache,
    /// The directory has no such name.
    #[error("no such message")]
    NotFound,
    /// No file has that inode number, or the message has other content since. The kernel looks the
    /// name up again.
    #[error("no such inode")]
    Stale,
    /// The operation needs a directory.
    #[error("not a directory")]
    NotADirectory,
    /// The directory is not empty.
    #[error("the directory is not empty")]
    NotEmpty,
    /// Views are made in memory, and this message is too large for that.
    #[error("the message is too large for this view: read it as it is, in the root")]
    TooLargeToShow,
    /// The operation needs a file.
    #[error("is a directory")]
    IsADirectory,
    /// The name is longer than any name in this filesystem.
    #[error("the name is too long")]
    NameTooLong,
    /// The message has no such attribute.
    #[error("no such attribute")]
    NoAttribute,
    /// The mount has no extended attributes.
    #[error("mounted without extended attributes")]
    NoAttributes,
    /// Files cannot be written, created or renamed.
    #[error("a maildrop cannot be written to")]
    NotPermitted,
    /// A message cannot be run as a program.
    #[error("a message is not a program")]
    NotExecutable,
    /// The mount is read-only, or it is ending and its last commit has begun.
    #[error("read-only")]
    ReadOnly,
    /// No file is open by that handle.
    #[error("not an open file")]
    NotOpen,
    /// The process that asked has a deadly signal pending.
    #[error("interrupted")]
    Interrupted,
    /// The server was silent for too long.
    #[error("the server does not answer")]
    TimedOut,
    /// The server needs longer for a commit than a program may wait for it in the kernel.
    #[error(
        "the commit takes longer than the timeout: it goes on, and the log and `pop3fs status` tell its result"
    )]
    CommitGoesOn,
}

impl Error {
    /// The errno that the caller sees.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            Self::Maildrop(fault) => fault_errno(fault),
            Self::Kept(_) | Self::Cache => libc::EIO,
            Self::NotFound => libc::ENOENT,
            Self::Stale => libc::ESTALE,
            Self::NotADirectory => libc::ENOTDIR,
            Self::NotEmpty => libc::ENOTEMPTY,
            Self::TooLargeToShow => libc::EFBIG,
            Self::IsADirectory => libc::EISDIR,
            Self::NameTooLong => libc::ENAMETOOLONG,
            Self::NoAttribute => libc::ENODATA,
            Self::NoAttributes => libc::ENOSYS,
            Self::NotPermitted => libc::EPERM,
            Self::NotExecutable => libc::EACCES,
            Self::ReadOnly => libc::EROFS,
            Self::NotOpen => libc::EBADF,
            Self::Interrupted => libc::EINTR,
            Self::TimedOut | Self::CommitGoesOn => libc::ETIMEDOUT,
        }
    }
}

fn fault_errno(fault: &Fault) -> i32 {
    match fault {
        Fault::Link(_) if fault.is_silence() => libc::ETIMEDOUT,
        Fault::Departed => libc::ESTALE,
        Fault::TooLarge => libc::EFBIG,
        Fault::NoRoom(error) => system_errno(error),
        Fault::Busy(_) | Fault::TooSoon(_) | Fault::Passing(_) => libc::EBUSY,
        // As of unlink(2) on a protected file; the user can confirm the deletion.
        Fault::HeldBack(_) => libc::EPERM,
        Fault::LoginRefused(_)
        | Fault::PasswordUnanswered(_)
        | Fault::NoLongerAccepted(_)
        | Fault::Authentication(_)
        | Fault::Unsendable(_) => libc::EACCES,
        Fault::Link(_)
        | Fault::Protocol(_)
        | Fault::ServerFault(_)
        | Fault::Unsupported(_)
        | Fault::StlsRefused
        | Fault::Refused { .. }
        | Fault::EmptyBody
        | Fault::Unconfirmed
        | Fault::OfAnother
        | Fault::OutcomeUnknown(_)
        | Fault::Unforgotten(_)
        | Fault::Ending => libc::EIO,
    }
}

/// What the user can act on keeps its errno. Anything else is about a path of this program, not
/// about the message: ENOENT would tell rsync that the message has vanished.
fn system_errno(error: &io::Error) -> i32 {
    match error.raw_os_error() {
        Some(
            errno @ (libc::ENOSPC
            | libc::EDQUOT
            | libc::EROFS
            | libc::EMFILE
            | libc::ENFILE
            | libc::ENOMEM),
        ) => errno,
        Some(_) => libc::EIO,
        None => errno_of_kind(error.kind()),
    }
}

/// An error that names its file (as tempfile makes them) has lost its errno and kept its kind.
fn errno_of_kind(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::StorageFull => libc::ENOSPC,
        ErrorKind::QuotaExceeded => libc::EDQUOT,
        ErrorKind::ReadOnlyFilesystem => libc::EROFS,
        _ => libc::EIO,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_errno_of_a_failed_file_operation_reaches_the_reader() {
        let errno_of = |error| Error::Maildrop(Fault::NoRoom(Arc::new(error))).errno();
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EROFS, libc::EMFILE] {
            assert_eq!(errno_of(io::Error::from_raw_os_error(errno)), errno);
        }
        let with_path = |errno| {
            let kind = io::Error::from_raw_os_error(errno).kind();
            io::Error::new(kind, "at a path")
        };
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EROFS] {
            assert_eq!(errno_of(with_path(errno)), errno);
        }
        assert_eq!(errno_of(with_path(libc::EMFILE)), libc::EIO);
    }

    #[test]
    fn a_missing_folder_of_this_program_is_no_missing_message() {
        for errno in [libc::ENOENT, libc::ENOTDIR, libc::EACCES] {
            let error = io::Error::from_raw_os_error(errno);
            let fault = Fault::NoRoom(Arc::new(error));
            assert_eq!(Error::Maildrop(fault).errno(), libc::EIO);
        }
    }
}
