//! Why a mount or an unmount failed, and what to do about it. Each variant tells whose fault it is.

use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

use super::mountinfo::FindError;

/// The device of FUSE.
pub(super) const DEVICE: &str = "/dev/fuse";

/// Why a directory could not be mounted on.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The caller's.
    #[error("{} does not exist: create it first", dir.display())]
    Missing {
        /// As the caller gave it.
        dir: PathBuf,
    },
    /// The caller's.
    #[error("{} is not a directory: name an existing directory to mount on", dir.display())]
    NotADirectory {
        /// As the caller gave it.
        dir: PathBuf,
    },
    /// The caller's: a pop3fs is there, or was before it was killed.
    #[error("{} is already mounted", dir.display())]
    AlreadyMounted {
        /// As the caller gave it.
        dir: PathBuf,
    },
    /// The caller's: another FUSE filesystem is there.
    #[error("{dir} is already a mount of type {kind}: `umount {dir}` first, or name another directory", dir = dir.display())]
    Occupied {
        /// As the caller gave it.
        dir: PathBuf,
        /// The type of what is there.
        kind: String,
    },
    /// The system's: the path or the mount table cannot be read.
    #[error("cannot look at {}: {source}", dir.display())]
    Lookup {
        /// As the caller gave it.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system's: the kernel has no FUSE.
    #[error(
        "the kernel offers no {DEVICE}: run `modprobe fuse` as root (a container needs `--device {DEVICE}`)"
    )]
    NoDevice,
    /// The system's: only root, or a group, may use FUSE.
    #[error(
        "no permission to open {DEVICE}: ask the administrator for `chmod 666 {DEVICE}`, or for its group"
    )]
    DeviceForbidden,
    /// The system's: another failure of the device.
    #[error("cannot open {DEVICE}: {0}")]
    Device(io::Error),
    /// The system's.
    #[error(
        "fusermount3 is missing, and only root can mount without it: install it (`apt install fuse3`)"
    )]
    NoFusermount,
    /// The system's: fusermount3 did not speak as it should.
    #[error("cannot mount with fusermount3: {0}")]
    Handshake(io::Error),
    /// The system's or the administrator's: fusermount3 gave its reason.
    #[error("fusermount3 refused to mount: {said}")]
    Refused {
        /// Its words.
        said: String,
    },
    /// The system's: root without the right to mount, as in most containers.
    #[error(
        "mounting is not permitted: CAP_SYS_ADMIN is needed (a container needs `--cap-add SYS_ADMIN`)"
    )]
    NotPermitted,
    /// The system's: mount(2) failed.
    #[error("cannot mount on {}: {errno}", path.display())]
    System {
        /// Where.
        path: PathBuf,
        /// What mount(2) said.
        errno: Errno,
    },
}

/// Why a mount was not made read-only, or read-write again.
#[derive(Debug, thiserror::Error)]
pub enum RemountError {
    /// No pop3fs is mounted there.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The user's.
    #[error("only root can remount {}: unmount it, and mount it again", path.display())]
    NotPermitted {
        /// The mount point.
        path: PathBuf,
    },
    /// The system's: mount(2) failed.
    #[error("cannot remount {}: {errno}", path.display())]
    System {
        /// The mount point.
        path: PathBuf,
        /// What mount(2) said.
        errno: Errno,
    },
}

/// Why a mount is still there, or was not ours to unmount.
#[derive(Debug, thiserror::Error)]
pub enum UnmountError {
    /// The user's: a file is open, or a shell stands in the directory.
    #[error("{path} is busy: close what is open there (`fuser -vm {path}` lists it) and umount again", path = path.display())]
    Busy {
        /// The mount point.
        path: PathBuf,
    },
    /// Nobody's: it was unmounted before.
    #[error("{} is not mounted any more", path.display())]
    NotMounted {
        /// The mount point.
        path: PathBuf,
    },
    /// The user's: something else was mounted over it.
    #[error("something else is mounted over {path}: `umount {path}` first", path = path.display())]
    Covered {
        /// The mount point.
        path: PathBuf,
    },
    /// The system's: fusermount3 gave its reason.
    #[error("fusermount3 refused to unmount {}: {said}", path.display())]
    Refused {
        /// The mount point.
        path: PathBuf,
        /// Its words.
        said: String,
    },
    /// The system's: fusermount3 cannot be run.
    #[error("cannot run fusermount3: {0}")]
    Fusermount(io::Error),
    /// The system's: the mount table cannot be read, so nothing was unmounted.
    #[error("cannot read the mount table: {0}")]
    Table(io::Error),
    /// The system's: umount2(2) failed.
    #[error("cannot unmount {}: {errno}", path.display())]
    System {
        /// The mount point.
        path: PathBuf,
        /// What umount2(2) said.
        errno: Errno,
    },
}
