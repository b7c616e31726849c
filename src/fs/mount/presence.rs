//! Whether a mount is still there, and where else its filesystem is mounted.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::fs::mount::Mount;
use crate::fs::mount::mountinfo::{MountTable, OWN_TABLE};

/// Where the filesystem of a mount is still mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The mount itself is still in the mount table of this process.
    Here,
    /// Only in other places: a bind mount, or another mount namespace that this process can see.
    Elsewhere,
    /// In no place that this process can see. Open files may still keep the filesystem alive.
    Nowhere,
}

impl Mount {
    /// Where the filesystem is still mounted.
    ///
    /// # Errors
    /// The mount table cannot be read.
    pub fn presence(&self) -> io::Result<Presence> {
        if self.is_in_own_table()? {
            return Ok(Presence::Here);
        }
        match self.is_elsewhere()? {
            true => Ok(Presence::Elsewhere),
            false => Ok(Presence::Nowhere),
        }
    }

    /// Whether the mount is in the mount table of this process.
    ///
    /// # Errors
    /// The mount table cannot be read.
    pub fn is_in_own_table(&self) -> io::Result<bool> {
        self.is_here(&TableChanges::open()?)
    }

    /// Sleeps until the mount is no longer in the mount table of this process.
    ///
    /// # Errors
    /// The mount table cannot be read.
    pub fn wait_until_gone(&self) -> io::Result<()> {
        let changes = TableChanges::open()?;
        while self.is_here(&changes)? {
            changes.poll(PollTimeout::NONE)?;
        }
        Ok(())
    }

    /// The kernel gives the table in several pieces. A table that changes meanwhile may lack a
    /// mount that is there, so it is read again.
    fn is_here(&self, changes: &TableChanges) -> io::Result<bool> {
        loop {
            let table = MountTable::read()?;
            if table
                .find(self.0.id, self.0.number, &self.0.source)
                .is_some()
            {
                return Ok(true);
            }
            if !changes.poll(PollTimeout::ZERO)? {
                return Ok(false);
            }
        }
    }

    /// Reads the table of each mount namespace once. The tables of other users' processes cannot be
    /// read without root.
    fn is_elsewhere(&self) -> io::Result<bool> {
        let mut namespaces = HashSet::new();
        for process in fs::read_dir("/proc")? {
            let process = process?.path();
            // Other entries of /proc have no such link.
            let Ok(namespace) = fs::read_link(process.join("ns/mnt")) else {
                continue;
            };
            if namespaces.contains(&namespace) {
                continue;
            }
            // It cannot be read if the process has just ended.
            let Ok(table) = MountTable::read_from(&process.join("mountinfo")) else {
                continue;
            };
            if table.shows(self.0.number, &self.0.source) {
                return Ok(true);
            }
            namespaces.insert(namespace);
        }
        Ok(false)
    }
}

/// Tells whether the mount table has changed since it was last asked.
struct TableChanges(File);

impl TableChanges {
    fn open() -> io::Result<Self> {
        File::open(OWN_TABLE).map(Self)
    }

    /// Waits for a change; false if there was none within the timeout, or a signal came.
    fn poll(&self, timeout: PollTimeout) -> io::Result<bool> {
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLPRI)];
        match poll(&mut polled, timeout) {
            Ok(changed) => Ok(changed > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::mount::{self, Access, MountOptions, Unmount, Visibility};
    use nix::mount::{MntFlags, MsFlags, umount2};

    fn mounted(dir: &std::path::Path) -> mount::Mounted {
        let options = MountOptions {
            // The device number goes to the next mount that comes, of another test.
            fsname: dir.display().to_string(),
            access: Access::ReadOnly,
            visibility: Visibility::Owner,
        };
        mount::mount(dir, &options).unwrap()
    }

    #[test]
    fn a_mount_is_here_until_it_is_unmounted() {
        let dir = tempfile::tempdir().unwrap();
        let mounted = mounted(dir.path());
        assert_eq!(mounted.mount.presence().unwrap(), Presence::Here);
        mounted.mount.unmount(Unmount::IfIdle).unwrap();
        assert_eq!(mounted.mount.presence().unwrap(), Presence::Nowhere);
        mounted.mount.wait_until_gone().unwrap();
    }

    #[test]
    fn a_bind_mount_that_is_left_is_elsewhere() {
        let (dir, bind) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mounted = mounted(dir.path());
        let nothing = None::<&str>;
        nix::mount::mount(
            Some(dir.path()),
            bind.path(),
            nothing,
            MsFlags::MS_BIND,
            nothing,
        )
        .unwrap();
        let watched = mounted.mount.clone();
        let watch = std::thread::spawn(move || watched.wait_until_gone());
        mounted.mount.unmount(Unmount::IfIdle).unwrap();
        watch.join().unwrap().unwrap();
        assert_eq!(mounted.mount.presence().unwrap(), Presence::Elsewhere);
        umount2(bind.path(), MntFlags::MNT_DETACH).unwrap();
        assert_eq!(mounted.mount.presence().unwrap(), Presence::Nowhere);
    }
}
