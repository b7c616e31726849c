//! mount(2), umount2(2) and, for users who are not root, the handshake with `fusermount3`.
//!
//! A [`Mount`] only ever unmounts itself: never a mount that somebody put at the same path after it was gone.

mod error;
mod fusermount;
mod mountinfo;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getgid, getuid};

pub use error::{MountError, UnmountError};
use mountinfo::MountTable;
pub use mountinfo::{DeviceNumber, FILESYSTEM_TYPE, FindError, MountPoint, find};

const DEVICE: &str = "/dev/fuse";

/// Whether messages can be removed through the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Unlink is passed to the filesystem.
    ReadWrite,
    /// The kernel answers EROFS by itself.
    ReadOnly,
}

/// Who may look into the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Only who mounted it, not even root.
    Owner,
    /// Whoever owner and mode allow: `allow_other`, always together with `default_permissions`, because without
    /// the kernel's check anyone could remove the mail.
    Everyone,
}

impl Visibility {
    /// For mount(2) or fusermount3, behind other words.
    fn words(self) -> &'static str {
        match self {
            Visibility::Owner => "",
            Visibility::Everyone => ",allow_other,default_permissions",
        }
    }
}

/// What mount(2) is told. `nosuid` and `nodev` always hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    /// The source that `df` and `findmnt` show.
    pub fsname: String,
    /// Read-write or read-only.
    pub access: Access,
    /// Who may look into it.
    pub visibility: Visibility,
}

/// A mount that nobody answers for yet: the kernel waits for whoever reads the device.
#[derive(Debug)]
pub struct Mounted {
    /// The FUSE device, for the session that answers.
    pub device: OwnedFd,
    /// The way to unmount.
    pub mount: Mount,
}

/// A handle on one mount, to be cloned freely.
///
/// It holds the FUSE connection open, so it must not outlive the session for long: with the session gone and a handle
/// left, users of the mount would wait instead of getting ENOTCONN.
#[derive(Debug, Clone)]
pub struct Mount(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    number: DeviceNumber,
    /// The connection, to ask whether it still stands: device numbers are given again, connections are not.
    connection: OwnedFd,
    way: Way,
}

/// Who does the system call.
#[derive(Debug, Clone, Copy)]
enum Way {
    Ourselves,
    Fusermount,
}

/// How to unmount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmount {
    /// Fail with [`UnmountError::Busy`] while somebody has a file open or works in the directory.
    IfIdle,
    /// Out of sight at once; files that are open stay readable until they are closed (`MNT_DETACH`).
    Detach,
}

/// Mounts on the directory `mountpoint`, which need not be empty (what is in it is hidden meanwhile).
///
/// Root mounts by itself, as type `fuse.pop3fs`; everyone else through `fusermount3`. A process that another thread starts
/// meanwhile could inherit the handshake's socket: only the renewal of a token starts one.
pub fn mount(mountpoint: &Path, options: &MountOptions) -> Result<Mounted, MountError> {
    let path = free_directory(mountpoint)?;
    match Way::ours() {
        Way::Ourselves => mount_ourselves(&path, options),
        Way::Fusermount => mount_by_fusermount(&path, options),
    }
}

/// The path of `dir` as the mount table shows it: absolute, without symbolic links. What is mounted there is not touched.
pub fn resolve(dir: &Path) -> io::Result<PathBuf> {
    MountTable::read()?.resolve(dir)
}

impl Mounted {
    /// What has just been mounted at `path`. Where it cannot be looked up it does not stay behind.
    fn new(path: &Path, device: OwnedFd, way: Way) -> Result<Self, MountError> {
        match Mount::new(path.to_owned(), &device, way) {
            Ok(mount) => Ok(Self { device, mount }),
            Err(error) => {
                if let Err(left) = way.unmount(path, Unmount::Detach) {
                    log::warn!("{left}");
                }
                Err(error)
            }
        }
    }
}

impl Mount {
    /// Absolute, without symbolic links.
    pub fn mountpoint(&self) -> &Path {
        &self.0.path
    }

    /// The kernel's number of this mount, as in `st_dev` of what it holds.
    pub fn device_number(&self) -> DeviceNumber {
        self.0.number
    }

    /// Unmounts this mount and no other. An error leaves everything as it was.
    pub fn unmount(&self, how: Unmount) -> Result<(), UnmountError> {
        // A mount made between this check and the call could still be hit: the kernel unmounts by path only.
        self.check_topmost()?;
        self.0.way.unmount(&self.0.path, how)
    }

    fn new(path: PathBuf, device: &OwnedFd, way: Way) -> Result<Self, MountError> {
        let lookup = |source| MountError::Lookup {
            dir: path.clone(),
            source,
        };
        let connection = device.try_clone().map_err(lookup)?;
        let table = MountTable::read().map_err(lookup)?;
        let number = table
            .topmost(&path)
            .map(|entry| entry.device)
            .ok_or_else(|| lookup(io::Error::other("the new mount is not in the mount table")))?;
        Ok(Self(Arc::new(Inner {
            path,
            number,
            connection,
            way,
        })))
    }

    fn check_topmost(&self) -> Result<(), UnmountError> {
        let path = || self.0.path.clone();
        if !self.is_connected()? {
            return Err(UnmountError::NotMounted { path: path() });
        }
        let table = MountTable::read().map_err(UnmountError::Table)?;
        let topmost = table.topmost(&self.0.path);
        if topmost.is_some_and(|entry| entry.device == self.0.number) {
            return Ok(());
        }
        match table.holds(&self.0.path, self.0.number) {
            true => Err(UnmountError::Covered { path: path() }),
            false => Err(UnmountError::NotMounted { path: path() }),
        }
    }

    /// The device polls as POLLERR once the kernel has dropped the connection.
    fn is_connected(&self) -> Result<bool, UnmountError> {
        let mut polled = [PollFd::new(self.0.connection.as_fd(), PollFlags::empty())];
        poll(&mut polled, PollTimeout::ZERO).map_err(|errno| UnmountError::System {
            path: self.0.path.clone(),
            errno,
        })?;
        let events = polled[0].revents().unwrap_or(PollFlags::empty());
        Ok(!events.contains(PollFlags::POLLERR))
    }
}

impl Way {
    fn ours() -> Self {
        match nix::unistd::geteuid().is_root() {
            true => Self::Ourselves,
            false => Self::Fusermount,
        }
    }

    fn unmount(self, path: &Path, how: Unmount) -> Result<(), UnmountError> {
        match self {
            Self::Ourselves => unmount_ourselves(path, how),
            Self::Fusermount => fusermount::unmount(path, how),
        }
    }
}

fn unmount_ourselves(path: &Path, how: Unmount) -> Result<(), UnmountError> {
    let flags = match how {
        Unmount::IfIdle => MntFlags::UMOUNT_NOFOLLOW,
        Unmount::Detach => MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH,
    };
    nix::mount::umount2(path, flags).map_err(|errno| {
        let path = path.to_owned();
        match errno {
            Errno::EBUSY => UnmountError::Busy { path },
            Errno::EINVAL => UnmountError::NotMounted { path },
            _ => UnmountError::System { path, errno },
        }
    })
}

fn mount_ourselves(path: &Path, options: &MountOptions) -> Result<Mounted, MountError> {
    let device = OwnedFd::from(open_device()?);
    let flags = match options.access {
        Access::ReadWrite => MsFlags::empty(),
        Access::ReadOnly => MsFlags::MS_RDONLY,
    };
    nix::mount::mount(
        Some(options.fsname.as_str()),
        path,
        Some(FILESYSTEM_TYPE),
        flags | MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(mount_data(&device, options.visibility).as_str()),
    )
    .map_err(|errno| mount_failed(path, errno))?;
    Mounted::new(path, device, Way::Ourselves)
}

fn mount_by_fusermount(path: &Path, options: &MountOptions) -> Result<Mounted, MountError> {
    // fusermount3 opens it as the user too; our own attempt gives the better sentence.
    open_device()?;
    let device = fusermount::mount(path, options)?;
    Mounted::new(path, device, Way::Fusermount)
}

fn mount_data(device: &OwnedFd, visibility: Visibility) -> String {
    let visible = visibility.words();
    let fd = device.as_raw_fd();
    // The root's mode is in octal: a directory.
    format!(
        "fd={fd},rootmode=40000,user_id={},group_id={}{visible}",
        getuid(),
        getgid()
    )
}

fn mount_failed(path: &Path, errno: Errno) -> MountError {
    match errno {
        Errno::EPERM => MountError::NotPermitted,
        Errno::ENODEV => MountError::NoDevice,
        _ => MountError::System {
            path: path.to_owned(),
            errno,
        },
    }
}

fn open_device() -> Result<File, MountError> {
    let opened = OpenOptions::new().read(true).write(true).open(DEVICE);
    opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => MountError::NoDevice,
        Some(libc::EACCES | libc::EPERM) => MountError::DeviceForbidden,
        _ => MountError::Device(error),
    })
}

/// The absolute path of a directory that can be mounted on.
fn free_directory(dir: &Path) -> Result<PathBuf, MountError> {
    let lookup = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => MountError::Missing {
            dir: dir.to_owned(),
        },
        io::ErrorKind::NotADirectory => MountError::NotADirectory {
            dir: dir.to_owned(),
        },
        _ => MountError::Lookup {
            dir: dir.to_owned(),
            source,
        },
    };
    let table = MountTable::read().map_err(lookup)?;
    // The mount table goes first: stat of a dead or hanging mount fails or waits.
    let path = table.resolve(dir).map_err(lookup)?;
    if let Some(entry) = table.topmost(&path) {
        check_unoccupied(dir, &entry.kind)?;
    }
    if !path.metadata().map_err(lookup)?.is_dir() {
        return Err(MountError::NotADirectory {
            dir: dir.to_owned(),
        });
    }
    path.canonicalize().map_err(lookup)
}

/// Mounting over a disk's mount point is fine; over a FUSE mount it is a mistake more often than not.
fn check_unoccupied(dir: &Path, kind: &str) -> Result<(), MountError> {
    let dir = dir.to_owned();
    match kind {
        FILESYSTEM_TYPE => Err(MountError::AlreadyMounted { dir }),
        _ if kind == "fuse" || kind.starts_with("fuse.") => Err(MountError::Occupied {
            dir,
            kind: kind.to_owned(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{OFlag, open};
    use nix::sys::stat::Mode;

    fn options() -> MountOptions {
        MountOptions {
            fsname: "pops://al,ice@example.org".to_owned(),
            access: Access::ReadOnly,
            visibility: Visibility::Owner,
        }
    }

    #[test]
    fn a_mount_is_found_in_the_mount_table_and_goes_away_again() {
        let dir = tempfile::tempdir().unwrap();
        let mounted = mount(dir.path(), &options()).unwrap();
        let found = find(dir.path()).unwrap();
        assert_eq!(found.device, mounted.mount.device_number());
        assert_eq!(found.path, mounted.mount.mountpoint());
        assert_eq!(found.source, "pops://al,ice@example.org");
        assert_eq!(found.owner, getuid().as_raw());
        assert!(matches!(
            mount(dir.path(), &options()),
            Err(MountError::AlreadyMounted { .. })
        ));
        mounted.mount.unmount(Unmount::IfIdle).unwrap();
        assert!(matches!(
            find(dir.path()),
            Err(FindError::NotMounted { .. })
        ));
        assert!(matches!(
            mounted.mount.unmount(Unmount::Detach),
            Err(UnmountError::NotMounted { .. })
        ));
    }

    #[test]
    fn fusermount_mounts_and_unmounts_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let mounted = mount_by_fusermount(&path, &options()).unwrap();
        let found = find(dir.path()).unwrap();
        assert_eq!(found.device, mounted.mount.device_number());
        assert_eq!(found.source, "pops://al,ice@example.org");
        mounted.mount.unmount(Unmount::IfIdle).unwrap();
        assert!(matches!(
            find(dir.path()),
            Err(FindError::NotMounted { .. })
        ));
    }

    #[test]
    fn fusermount_tells_why_it_refused() {
        let error = mount_by_fusermount(Path::new("/proc/no/such"), &options()).unwrap_err();
        let MountError::Refused { said } = error else {
            panic!("{error:?}");
        };
        assert!(said.contains("/proc/no/such"), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }

    #[test]
    fn a_newer_mount_at_the_same_path_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let old = mount(dir.path(), &options()).unwrap();
        old.mount.unmount(Unmount::IfIdle).unwrap();
        let new = mount(dir.path(), &options()).unwrap();
        assert!(matches!(
            old.mount.unmount(Unmount::Detach),
            Err(UnmountError::NotMounted { .. })
        ));
        assert_eq!(find(dir.path()).unwrap().device, new.mount.device_number());
        new.mount.unmount(Unmount::IfIdle).unwrap();
    }

    #[test]
    fn a_mount_that_is_covered_by_another_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let below = mount(&path, &options()).unwrap();
        let device = OwnedFd::from(open_device().unwrap());
        let data = mount_data(&device, Visibility::Owner);
        nix::mount::mount(
            Some("above"),
            &path,
            Some("fuse.other"),
            MsFlags::empty(),
            Some(data.as_str()),
        )
        .unwrap();
        assert!(matches!(
            below.mount.unmount(Unmount::IfIdle),
            Err(UnmountError::Covered { .. })
        ));
        assert!(matches!(
            mount(&path, &options()),
            Err(MountError::Occupied { .. })
        ));
        nix::mount::umount2(&path, MntFlags::MNT_DETACH).unwrap();
        below.mount.unmount(Unmount::IfIdle).unwrap();
    }

    #[test]
    fn an_open_directory_makes_a_mount_busy_either_way() {
        for mount in [mount_ourselves, mount_by_fusermount] {
            let dir = tempfile::tempdir().unwrap();
            let mounted = mount(&dir.path().canonicalize().unwrap(), &options()).unwrap();
            let path = mounted.mount.mountpoint();
            let handle = open(path, OFlag::O_PATH, Mode::empty()).unwrap();
            assert!(matches!(
                mounted.mount.unmount(Unmount::IfIdle),
                Err(UnmountError::Busy { .. })
            ));
            mounted.mount.unmount(Unmount::Detach).unwrap();
            assert!(matches!(find(path), Err(FindError::NotMounted { .. })));
            drop(handle);
        }
    }

    #[test]
    fn missing_and_plain_files_are_refused_with_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("mail");
        let error = mount(&missing, &options()).unwrap_err();
        let sentence = format!("{} does not exist: mkdir it first", missing.display());
        assert_eq!(error.to_string(), sentence);
        std::fs::write(&missing, "").unwrap();
        assert!(matches!(
            mount(&missing, &options()),
            Err(MountError::NotADirectory { .. })
        ));
        assert!(matches!(
            mount(&missing.join("below"), &options()),
            Err(MountError::NotADirectory { .. })
        ));
    }
}
