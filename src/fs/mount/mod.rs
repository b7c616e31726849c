//! mount(2), umount2(2) and, for users who are not root, the handshake with `fusermount3`.
//!
//! A [`Mount`] only ever unmounts itself, never a mount that somebody put at the same path after it
//! was gone.

mod error;
mod fusermount;
mod mountinfo;
mod presence;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getgid, getuid};

use error::DEVICE;
pub use error::{MountError, RemountError, UnmountError};
pub use mountinfo::{DeviceNumber, FILESYSTEM_TYPE, FindError, FoundMount, all, find};
use mountinfo::{MountId, MountTable};
pub use presence::Presence;

/// Whether messages can be removed through the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Unlink is passed to the filesystem.
    ReadWrite,
    /// The kernel answers EROFS by itself.
    ReadOnly,
}

impl Access {
    fn flags(self) -> MsFlags {
        match self {
            Self::ReadWrite => MsFlags::empty(),
            Self::ReadOnly => MsFlags::MS_RDONLY,
        }
    }
}

/// The flags of every mount.
const ALWAYS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// Who can use the mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Only who mounted it, not even root.
    Owner,
    /// Everyone whom owner and mode allow: `allow_other`, always together with
    /// `default_permissions`. Without that check by the kernel anyone could remove the mail.
    Everyone,
}

impl Visibility {
    /// The options for mount(2) or fusermount3, to be added to others.
    fn options(self) -> &'static str {
        match self {
            Self::Owner => "",
            Self::Everyone => ",allow_other,default_permissions",
        }
    }
}

/// The options of a mount. `nosuid` and `nodev` are always set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountOptions {
    /// The source that `df` and `findmnt` show.
    pub fsname: String,
    /// Read-write or read-only.
    pub access: Access,
    /// Who can use it.
    pub visibility: Visibility,
}

/// A mount whose requests nobody answers yet.
#[derive(Debug)]
pub struct Mounted {
    /// The FUSE device, for the session that answers the requests.
    pub device: OwnedFd,
    /// The handle to unmount by.
    pub mount: Mount,
}

/// A handle to one mount, which can be cloned.
///
/// It keeps the FUSE connection open, so it must not outlive the session for long: programs that
/// use the mount would wait instead of getting ENOTCONN.
#[derive(Debug, Clone)]
pub struct Mount(Arc<MountState>);

#[derive(Debug)]
struct MountState {
    /// Where it was mounted. Its parent directories may be renamed later.
    path: PathBuf,
    /// The system gives the id and the device number to other mounts once this one is gone.
    id: MountId,
    number: DeviceNumber,
    /// The name of the maildrop, as the mount table has it.
    source: OsString,
    /// Tells whether this mount still exists.
    connection: OwnedFd,
    method: MountMethod,
}

/// Who does the system calls.
#[derive(Debug, Clone, Copy)]
enum MountMethod {
    /// This process, which runs as root.
    SystemCall,
    Fusermount,
}

/// How to unmount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmount {
    /// Fail with [`UnmountError::Busy`] while a program has a file open or works in the directory.
    IfIdle,
    /// Make it invisible at once. Files that are open can be read until they are closed
    /// (`MNT_DETACH`).
    Detach,
}

/// Mounts on the directory `mountpoint`. Files in that directory are hidden while the mount lasts.
///
/// Root calls mount(2), with the type `fuse.pop3fs`; other users run `fusermount3`. A process that
/// another thread starts meanwhile could inherit the socket of the handshake, but only the renewal
/// of a token starts one.
pub fn mount(mountpoint: &Path, options: &MountOptions) -> Result<Mounted, MountError> {
    let path = free_directory(mountpoint)?;
    match MountMethod::of_this_process() {
        MountMethod::SystemCall => mount_by_system_call(&path, options),
        MountMethod::Fusermount => mount_by_fusermount(&path, options),
    }
}

/// Has the kernel refuse removals from now on, or pass them on again. What was removed before is
/// committed all the same. The daemon learns nothing of it, so one that was started read-only stays
/// so.
///
/// # Errors
/// No pop3fs is mounted there, or this process may not remount it.
pub fn remount(mountpoint: &Path, access: Access) -> Result<(), RemountError> {
    let FoundMount { path, .. } = find(mountpoint)?;
    let flags = access.flags() | ALWAYS | MsFlags::MS_REMOUNT;
    let nothing = None::<&str>;
    nix::mount::mount(nothing, &path, nothing, flags, nothing).map_err(|errno| match errno {
        Errno::EPERM => RemountError::NotPermitted { path },
        _ => RemountError::System { path, errno },
    })
}

/// Checks what can be checked before a mount: the directory, and the FUSE device.
///
/// # Errors
/// What [`mount`] would fail with.
pub fn check(mountpoint: &Path) -> Result<(), MountError> {
    free_directory(mountpoint)?;
    open_device()?;
    Ok(())
}

/// The path of `dir` as the mount table shows it: absolute, without symbolic links. What is mounted
/// there is not touched.
pub fn resolve(dir: &Path) -> io::Result<PathBuf> {
    MountTable::read()?.resolve(dir)
}

impl Mounted {
    /// The mount that was just made at `path`. If the mount table does not show it, it is
    /// unmounted.
    fn new(path: &Path, device: OwnedFd, method: MountMethod) -> Result<Self, MountError> {
        match Mount::new(path.to_owned(), &device, method) {
            Ok(mount) => Ok(Self { device, mount }),
            Err(error) => {
                if let Err(left) = method.unmount(path, Unmount::Detach) {
                    log::warn!("{left}");
                }
                Err(error)
            }
        }
    }
}

impl Mount {
    /// Where it was mounted: absolute, without symbolic links.
    pub fn mountpoint(&self) -> &Path {
        &self.0.path
    }

    /// The device number of this mount, which is `st_dev` of its files.
    pub fn device_number(&self) -> DeviceNumber {
        self.0.number
    }

    /// Unmounts this mount and no other. An error leaves everything as it was.
    pub fn unmount(&self, how: Unmount) -> Result<(), UnmountError> {
        // The kernel unmounts by path only, so a mount that is made right now could still be hit.
        let path = self.find_uncovered()?;
        self.0.method.unmount(&path, how)
    }

    fn new(path: PathBuf, device: &OwnedFd, method: MountMethod) -> Result<Self, MountError> {
        let lookup = |source| MountError::Lookup {
            dir: path.clone(),
            source,
        };
        let connection = device.try_clone().map_err(lookup)?;
        let table = MountTable::read().map_err(lookup)?;
        let (id, number, source) = table
            .topmost(&path)
            .map(|entry| (entry.id, entry.device, entry.source.clone()))
            .ok_or_else(|| lookup(io::Error::other("the new mount is not in the mount table")))?;
        Ok(Self(Arc::new(MountState {
            path,
            id,
            number,
            source,
            connection,
            method,
        })))
    }

    /// Where the mount is now, if no other mount covers it.
    fn find_uncovered(&self) -> Result<PathBuf, UnmountError> {
        let not_mounted = || UnmountError::NotMounted {
            path: self.0.path.clone(),
        };
        if !self.is_connected()? {
            return Err(not_mounted());
        }
        let table = MountTable::read().map_err(UnmountError::Table)?;
        let entry = table
            .find(self.0.id, self.0.number, &self.0.source)
            .ok_or_else(not_mounted)?;
        let path = entry.mountpoint.clone();
        if table.is_covered(entry) {
            return Err(UnmountError::Covered { path });
        }
        Ok(path)
    }

    /// poll(2) gives POLLERR once the kernel has ended the connection.
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

impl MountMethod {
    fn of_this_process() -> Self {
        match nix::unistd::geteuid().is_root() {
            true => Self::SystemCall,
            false => Self::Fusermount,
        }
    }

    fn unmount(self, path: &Path, how: Unmount) -> Result<(), UnmountError> {
        match self {
            Self::SystemCall => unmount_by_system_call(path, how),
            Self::Fusermount => fusermount::unmount(path, how),
        }
    }
}

fn unmount_by_system_call(path: &Path, how: Unmount) -> Result<(), UnmountError> {
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

fn mount_by_system_call(path: &Path, options: &MountOptions) -> Result<Mounted, MountError> {
    let device = OwnedFd::from(open_device()?);
    nix::mount::mount(
        Some(options.fsname.as_str()),
        path,
        Some(FILESYSTEM_TYPE),
        options.access.flags() | ALWAYS,
        Some(mount_data(&device, options.visibility).as_str()),
    )
    .map_err(|errno| mount_failed(path, errno))?;
    Mounted::new(path, device, MountMethod::SystemCall)
}

fn mount_by_fusermount(path: &Path, options: &MountOptions) -> Result<Mounted, MountError> {
    // fusermount3 opens it, too. This attempt gives a better error message.
    open_device()?;
    let device = fusermount::mount(path, options)?;
    Mounted::new(path, device, MountMethod::Fusermount)
}

fn mount_data(device: &OwnedFd, visibility: Visibility) -> String {
    let visible = visibility.options();
    let fd = device.as_raw_fd();
    // The mode of the root, in octal: a directory.
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
    // The mount table comes first: stat(2) of a dead mount fails, and that of a hanging one waits.
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

/// To mount over the mount point of a disk is fine. Over a FUSE mount it is a mistake more often
/// than not.
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
    fn a_mount_is_found_when_its_parent_directory_was_renamed() {
        for mount in [mount_by_system_call, mount_by_fusermount] {
            let dir = tempfile::tempdir().unwrap();
            let parent = dir.path().canonicalize().unwrap().join("before");
            std::fs::create_dir_all(parent.join("mail")).unwrap();
            let mounted = mount(&parent.join("mail"), &options()).unwrap();
            let renamed = parent.with_file_name("after");
            std::fs::rename(&parent, &renamed).unwrap();
            mounted.mount.unmount(Unmount::IfIdle).unwrap();
            assert!(matches!(
                find(&renamed.join("mail")),
                Err(FindError::NotMounted { .. })
            ));
        }
    }

    #[test]
    fn an_open_directory_makes_a_mount_busy_either_way() {
        for mount in [mount_by_system_call, mount_by_fusermount] {
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
        let sentence = format!("{} does not exist: create it first", missing.display());
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
