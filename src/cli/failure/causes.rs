//! Which exit status an error of the lower layers leads to.

use std::io;

use super::Failure;
use crate::cli::account::secret::PasswordError;
use crate::cli::account::server_access::AccessError;
use crate::fs::mount::{FindError, MountError, RemountError, UnmountError};
use crate::maildrop::{Fault, FetchError, OpenError};
use crate::net::NetError;
use crate::store::StoreError;

impl From<&NetError> for Failure {
    fn from(error: &NetError) -> Failure {
        match error {
            NetError::CaFile { .. } | NetError::ClientCertificate { .. } => Failure::Usage,
            NetError::NoTls(_) | NetError::System { .. } => Failure::System,
            NetError::Resolve { .. }
            | NetError::Connect { .. }
            | NetError::Silence(_)
            | NetError::Closed
            | NetError::Broken(_)
            | NetError::Proxy { .. }
            | NetError::Handshake { .. } => Failure::Unreachable,
        }
    }
}

impl From<&PasswordError> for Failure {
    fn from(error: &PasswordError) -> Failure {
        match error {
            PasswordError::Interrupted => Failure::Interrupted,
            PasswordError::Empty { .. }
            | PasswordError::Forbidden { .. }
            | PasswordError::TooLong { .. }
            | PasswordError::Command { .. }
            | PasswordError::Exposed { .. }
            | PasswordError::File { .. }
            | PasswordError::NoTerminal { .. }
            | PasswordError::NotGiven
            | PasswordError::Read { .. } => Failure::Usage,
        }
    }
}

impl From<&AccessError> for Failure {
    fn from(error: &AccessError) -> Failure {
        match error {
            AccessError::Password(error) => error.into(),
            AccessError::Net(error) => error.into(),
        }
    }
}

impl From<&OpenError> for Failure {
    fn from(error: &OpenError) -> Failure {
        match error {
            OpenError::Maildrop { fault, .. } => fault.into(),
            OpenError::Store(error) => error.into(),
            OpenError::Thread(_) => Failure::System,
        }
    }
}

impl From<&Fault> for Failure {
    fn from(fault: &Fault) -> Failure {
        match fault {
            Fault::Link(error) => (&**error).into(),
            // Another kind of server answers there, or a broken one.
            Fault::Protocol(_) => Failure::Unreachable,
            Fault::Unsendable(_) => Failure::Usage,
            Fault::LoginRefused(_)
            | Fault::PasswordUnanswered(_)
            | Fault::NoLongerAccepted(_)
            | Fault::Authentication(_) => Failure::LoginRefused,
            Fault::Busy(_) | Fault::TooSoon(_) | Fault::Passing(_) => Failure::Busy,
            Fault::NoRoom(_) | Fault::Unforgotten(_) => Failure::System,
            Fault::OutcomeUnknown(_) => Failure::Uncommitted,
            Fault::HeldBack(_) => Failure::HeldBack,
            Fault::ServerFault(_)
            | Fault::Unsupported(_)
            | Fault::StlsRefused
            | Fault::Refused { .. }
            | Fault::Departed
            | Fault::TooLarge
            | Fault::EmptyBody
            | Fault::Unconfirmed
            | Fault::OfAnother
            | Fault::Ending => Failure::Other,
        }
    }
}

impl From<&FetchError> for Failure {
    fn from(_of_the_mount_as_it_is: &FetchError) -> Failure {
        Failure::Usage
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Failure {
        match error {
            StoreError::InUse { .. } => Failure::Other,
            StoreError::Io { .. }
            | StoreError::NotAFolder { .. }
            | StoreError::NotAFile { .. }
            | StoreError::AnotherOwner { .. }
            | StoreError::WritableByOthers { .. }
            | StoreError::NewerFormat { .. }
            | StoreError::Sqlite { .. }
            | StoreError::NoWriter { .. } => Failure::System,
        }
    }
}

impl From<&MountError> for Failure {
    fn from(error: &MountError) -> Failure {
        match error {
            MountError::Missing { .. }
            | MountError::NotADirectory { .. }
            | MountError::AlreadyMounted { .. }
            | MountError::Occupied { .. }
            | MountError::DeviceForbidden
            | MountError::NotPermitted => Failure::Usage,
            MountError::Lookup { .. }
            | MountError::NoDevice
            | MountError::Device(_)
            | MountError::NoFusermount
            | MountError::Handshake(_)
            | MountError::System { .. } => Failure::System,
            MountError::Refused { .. } => Failure::Other,
        }
    }
}

impl From<&RemountError> for Failure {
    fn from(error: &RemountError) -> Failure {
        match error {
            RemountError::Find(FindError::Lookup { .. }) | RemountError::System { .. } => {
                Failure::System
            }
            RemountError::Find(_) => Failure::NotMounted,
            RemountError::NotPermitted { .. } => Failure::Usage,
        }
    }
}

impl From<&UnmountError> for Failure {
    fn from(error: &UnmountError) -> Failure {
        match error {
            UnmountError::NotMounted { .. } => Failure::NotMounted,
            UnmountError::Busy { .. }
            | UnmountError::Covered { .. }
            | UnmountError::Refused { .. } => Failure::Other,
            UnmountError::Fusermount(_) | UnmountError::Table(_) | UnmountError::System { .. } => {
                Failure::System
            }
        }
    }
}

impl From<&io::Error> for Failure {
    fn from(_of_the_system: &io::Error) -> Failure {
        Failure::System
    }
}
