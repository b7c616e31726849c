//! Why an operation fails, and the one table that makes an errno of it.

use std::io::{self, ErrorKind};

use crate::maildrop::Fault;

/// Why an operation fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The maildrop could not give it.
    #[error(transparent)]
    Maildrop(#[from] Fault),
    /// The server kept some of the messages that a commit was to delete; they are listed again.
    #[error("the server kept {0} of the messages that were to be deleted")]
    Kept(usize),
    /// The disk of the cache broke under an open file.
    #[error("the cache cannot be read")]
    Cache,
    /// No such name in the directory.
    #[error("no such message")]
    NotFound,
    /// The kernel asks for an inode that never was, or for what was made of a message that has other octets since: then it asks
    /// anew by itself.
    #[error("no such inode")]
    Stale,
    /// A directory was needed.
    #[error("not a directory")]
    NotADirectory,
    /// A directory still holds something.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A view is made in memory, which this message would fill.
    #[error("the message is too large for this view: read it as it is, in the root")]
    TooLargeToShow,
    /// A message was needed.
    #[error("is a directory")]
    IsADirectory,
    /// The name cannot be one of ours.
    #[error("the name is too long")]
    NameTooLong,
    /// The message has no such attribute.
    #[error("no such attribute")]
    NoAttribute,
    /// There are no attributes in this mount.
    #[error("mounted without extended attributes")]
    NoAttributes,
    /// A maildrop takes no writes, new files or new names.
    #[error("a maildrop cannot be written to")]
    NotPermitted,
    /// The mount is read-only.
    #[error("mounted read-only")]
    ReadOnly,
    /// The file handle is not open.
    #[error("not an open file")]
    NotOpen,
    /// The caller has a deadly signal pending.
    #[error("interrupted")]
    Interrupted,
    /// The server was silent for too long.
    #[error("the server does not answer")]
    TimedOut,
}

impl Error {
    /// The errno that the caller sees.
    #[must_use]
    pub fn errno(&self) -> i32 {
        match self {
            Error::Maildrop(fault) => of_fault(fault),
            Error::Kept(_) | Error::Cache => libc::EIO,
            Error::NotFound => libc::ENOENT,
            Error::Stale => libc::ESTALE,
            Error::NotADirectory => libc::ENOTDIR,
            Error::NotEmpty => libc::ENOTEMPTY,
            Error::TooLargeToShow => libc::EFBIG,
            Error::IsADirectory => libc::EISDIR,
            Error::NameTooLong => libc::ENAMETOOLONG,
            Error::NoAttribute => libc::ENODATA,
            Error::NoAttributes => libc::ENOSYS,
            Error::NotPermitted => libc::EPERM,
            Error::ReadOnly => libc::EROFS,
            Error::NotOpen => libc::EBADF,
            Error::Interrupted => libc::EINTR,
            Error::TimedOut => libc::ETIMEDOUT,
        }
    }
}

fn of_fault(fault: &Fault) -> i32 {
    match fault {
        Fault::Link(_) if fault.is_silence() => libc::ETIMEDOUT,
        Fault::Departed => libc::ESTALE,
        Fault::TooLarge => libc::EFBIG,
        Fault::NoRoom(error) => of_system(error),
        Fault::Busy(_) | Fault::TooSoon(_) | Fault::Passing(_) => libc::EBUSY,
        // As of unlink(2) on what is protected: the user may ask again with a yes.
        Fault::HeldBack(_) => libc::EPERM,
        Fault::LoginRefused(_) | Fault::Authentication(_) | Fault::Unsendable(_) => libc::EACCES,
        Fault::Link(_)
        | Fault::Protocol(_)
        | Fault::ServerFault(_)
        | Fault::Unsupported(_)
        | Fault::Refused { .. }
        | Fault::EmptyBody
        | Fault::OutcomeUnknown(_)
        | Fault::Ending => libc::EIO,
    }
}

/// Of an error that names a file only the kind is left (tempfile's are such).
fn of_system(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(match error.kind() {
        ErrorKind::StorageFull => libc::ENOSPC,
        ErrorKind::QuotaExceeded => libc::EDQUOT,
        ErrorKind::ReadOnlyFilesystem => libc::EROFS,
        _ => libc::EIO,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_reader_is_told_what_the_system_said_of_the_file_for_the_message() {
        let told = |error| Error::Maildrop(Fault::NoRoom(Arc::new(error))).errno();
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EROFS, libc::EMFILE] {
            assert_eq!(told(io::Error::from_raw_os_error(errno)), errno);
        }
        let named = |errno| {
            let kind = io::Error::from_raw_os_error(errno).kind();
            io::Error::new(kind, "at a path")
        };
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EROFS] {
            assert_eq!(told(named(errno)), errno);
        }
        assert_eq!(told(named(libc::EMFILE)), libc::EIO);
    }
}
