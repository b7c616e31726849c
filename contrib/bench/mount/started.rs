//! What the bench has started and must not leave behind, whichever way it ends: processes, mounts,
//! folders.
//!
//! Each thing is in one list from before it exists until after it is gone. In order it goes by
//! being dropped, in a panic too; at a signal a thread of its own takes the list, ends everything
//! on it and exits.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, exit};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use parking_lot::Mutex;

static STARTED: Mutex<Started> = Mutex::new(Started {
    groups: BTreeSet::new(),
    mount_points: BTreeSet::new(),
    folders: BTreeSet::new(),
});

struct Started {
    groups: BTreeSet<(Role, i32)>,
    mount_points: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
}

/// What a process is there for, in the order in which they are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It ends by itself.
    Command,
    /// It answers the kernel: a process that waits in its mount may not die before it does.
    FileSystem,
    /// It listens.
    Server,
}

/// From here on SIGINT, SIGTERM and SIGHUP end the bench and everything it started. To be called
/// before any thread runs.
pub(crate) fn end_everything_on_signals() -> Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block().context("block signals")?;
    thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            // Kept until the exit: nothing more can be started.
            let mut started = STARTED.lock();
            started.end();
            eprintln!("bench: ended by {signal}");
            exit(128 + signal as i32);
        }
    });
    Ok(())
}

impl Started {
    fn end(&mut self) {
        self.kill_all(&[Role::Command, Role::FileSystem, Role::Server]);
        for mount_point in &self.mount_points {
            detach(mount_point);
        }
        for folder in &self.folders {
            remove(folder);
        }
    }

    fn kill_all(&self, roles: &[Role]) {
        for (role, id) in &self.groups {
            if roles.contains(role) {
                kill_group(Pid::from_raw(*id));
            }
        }
    }
}

/// A program with every process that it starts. Dropping it kills them.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    role: Role,
    name: String,
}

impl Group {
    /// Starts the command in a process group of its own.
    pub(crate) fn start(command: &mut Command, role: Role) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut started = STARTED.lock();
        let leader = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let group = Self { leader, role, name };
        started.groups.insert(group.key());
        Ok(group)
    }

    /// The first process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.leader.id().cast_signed())
    }

    /// How the first process ended, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.leader
            .try_wait()
            .with_context(|| format!("wait for {}", self.name))
    }

    /// Waits for the first process, without the delay of looking again and again.
    ///
    /// # Errors
    /// It outlived `limit` and was killed. So were all filesystems, or it might hang in one for
    /// ever.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let pid = self.pid();
        let (ended, watch) = channel::<()>();
        let watchdog = thread::spawn(move || watch_over(pid, &watch, limit));
        // Not reaped before the watchdog is gone, so that it cannot kill a stranger of the same
        // number.
        let waited = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        drop(ended);
        let outlived = watchdog.join().unwrap_or(Outlived::No);
        waited.with_context(|| format!("wait for {}", self.name))?;
        if outlived == Outlived::Yes {
            bail!("{} took more than {} s", self.name, limit.as_secs());
        }
        self.ended()?.context("it has ended")
    }

    fn key(&self) -> (Role, i32) {
        (self.role, self.pid().as_raw())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill_group(self.pid());
        // Only fails when it was waited for before.
        let _ = self.leader.wait();
        STARTED.lock().groups.remove(&self.key());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlived {
    Yes,
    No,
}

fn watch_over(group: Pid, ended: &Receiver<()>, limit: Duration) -> Outlived {
    /// For a killed process to die where no filesystem holds it.
    const DYING: Duration = Duration::from_secs(5);
    if ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
        return Outlived::No;
    }
    kill_group(group);
    if ended.recv_timeout(DYING) == Err(RecvTimeoutError::Timeout) {
        STARTED.lock().kill_all(&[Role::FileSystem]);
    }
    Outlived::Yes
}

/// A place where something gets mounted. Dropping it takes every mount off.
#[derive(Debug)]
pub(crate) struct MountPoint {
    path: PathBuf,
}

impl MountPoint {
    /// An empty folder, made if it is missing. The path must be as the kernel shows it: absolute,
    /// without symbolic links.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        STARTED.lock().mount_points.insert(path.clone());
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything is mounted there.
    pub(crate) fn is_mounted(&self) -> bool {
        is_mounted(&self.path)
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        detach(&self.path);
        STARTED.lock().mount_points.remove(&self.path);
    }
}

/// A folder that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A new folder with a name of its own in `parent`.
    pub(crate) fn create(parent: &Path) -> Result<Self> {
        let mut started = STARTED.lock();
        let path = tempfile::Builder::new()
            .prefix("pop3fs-bench.")
            .tempdir_in(parent)
            .with_context(|| format!("create a folder in {}", parent.display()))?
            .keep();
        started.folders.insert(path.clone());
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
        STARTED.lock().folders.remove(&self.path);
    }
}

fn kill_group(id: Pid) {
    // Fails when all of them have ended.
    let _ = killpg(id, Signal::SIGKILL);
}

fn detach(mount_point: &Path) {
    while is_mounted(mount_point) {
        let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
        if umount2(mount_point, flags).is_ok() {
            continue;
        }
        // Without root, fusermount3 unmounts what its user has mounted.
        let status = Command::new("fusermount3")
            .arg("-uz")
            .arg(mount_point)
            .status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("bench: {} stays mounted", mount_point.display());
            return;
        }
    }
}

/// Not through a mount, where it would remove mail.
fn remove(folder: &Path) {
    if mounts().any(|mount_point| mount_point.starts_with(folder)) {
        return;
    }
    if let Err(error) = fs::remove_dir_all(folder) {
        eprintln!("bench: {} stays: {error}", folder.display());
    }
}

fn is_mounted(path: &Path) -> bool {
    mounts().any(|mount_point| mount_point == path)
}

/// The kernel's table. A space in a path is `\040` there.
fn mounts() -> impl Iterator<Item = PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|path| path.replace("\\040", " ").into())
        .collect();
    points.into_iter()
}
