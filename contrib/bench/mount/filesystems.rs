//! pop3fs, and bindfs and the floor for comparison.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{SysconfVar, sysconf};

use crate::command;
use crate::floor;
use crate::servers::{PASSWORD, USER};
use crate::started::{Group, MountPoint, Role};

/// How long a filesystem may take to mount, or to end. A million messages have to be listed, at a
/// round-trip time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A mounted maildrop. Dropping it kills the process and takes the mount away.
#[derive(Debug)]
pub(crate) struct Pop3fs {
    served: Served,
    program: PathBuf,
    folder: PathBuf,
    sockets: PathBuf,
    mount_seconds: f64,
}

/// Of the process that serves a mount, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: f64,
    /// The most there ever was.
    pub(crate) peak: f64,
}

impl Pop3fs {
    /// Mounts in `folder`, where the cache is, too.
    pub(crate) fn mount(
        program: &Path,
        folder: &Path,
        sockets: &Path,
        port: u16,
        options: &[&str],
    ) -> Result<Self> {
        let mount_point = MountPoint::create(folder.join("mail"))?;
        // It trusts no cache that others may write to.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder.join("cache"))?;
        let mut command = at_home(program, folder, sockets);
        command.args(["-f", "-o", "tls=off"]);
        for option in options {
            command.args(["-o", option]);
        }
        command
            .arg(format!("pop://{USER}@127.0.0.1:{port}"))
            .arg(mount_point.path())
            .env("POP3FS_PASSWORD", PASSWORD);
        let begun = Instant::now();
        let served = Served::start(&mut command, mount_point, &folder.join("log"))?;
        Ok(Self {
            served,
            program: program.to_owned(),
            folder: folder.to_owned(),
            sockets: sockets.to_owned(),
            mount_seconds: begun.elapsed().as_secs_f64(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.served.mount_point.path()
    }

    /// From the start of the program until the kernel showed the mount.
    pub(crate) fn mount_seconds(&self) -> f64 {
        self.mount_seconds
    }

    /// Of the process that serves the mount, so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.served.cpu_seconds()
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.served.process.pid());
        let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        Ok(Memory {
            resident: mebibytes(&status, "VmRSS:")?,
            peak: mebibytes(&status, "VmHWM:")?,
        })
    }

    /// Waits until so many messages can be searched.
    pub(crate) fn wait_for_index(&self, messages: u32) -> Result<()> {
        const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
        let deadline = Instant::now() + PATIENCE;
        while self.status()?["indexed"] != messages {
            ensure!(Instant::now() < deadline, "not all messages are indexed");
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// The file of the search index.
    pub(crate) fn index_file(&self) -> Result<PathBuf> {
        let accounts = fs::read_dir(self.folder.join("cache/pop3fs"))?;
        let mut files = accounts
            .filter_map(|account| Some(account.ok()?.path().join("search.sqlite")))
            .filter(|file| file.exists());
        files.next().context("no search index in the cache")
    }

    /// What `pop3fs status --json` says.
    fn status(&self) -> Result<serde_json::Value> {
        let mut command = at_home(&self.program, &self.folder, &self.sockets);
        command.args(["status", "--json"]).arg(self.path());
        let finished = command::run(&mut command, PATIENCE)?;
        Ok(serde_json::from_slice(&finished.stdout)?)
    }

    /// `pop3fs umount`, and the end of the process.
    pub(crate) fn umount(self) -> Result<()> {
        self.end(&["umount"])
    }

    /// As [`Pop3fs::umount`], however many messages were removed.
    pub(crate) fn umount_and_delete(self) -> Result<()> {
        self.end(&["umount", "--yes"])
    }

    fn end(mut self, words: &[&str]) -> Result<()> {
        let mut command = at_home(&self.program, &self.folder, &self.sockets);
        command::run(command.args(words).arg(self.path()), PATIENCE)?;
        let status = self.served.process.wait(PATIENCE)?;
        ensure!(status.success(), "pop3fs ended with {status}");
        Ok(())
    }
}

/// pop3fs without the user's own settings and folders.
fn at_home(program: &Path, folder: &Path, sockets: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("HOME", folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_RUNTIME_DIR", sockets)
        .env_remove("POP3FS_PASSWORD")
        .env_remove("CREDENTIALS_DIRECTORY");
    command
}

fn mebibytes(status: &str, field: &str) -> Result<f64> {
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .with_context(|| format!("no {field} in the status of a process"))?
        .parse()?;
    Ok(kibibytes / 1024.0)
}

/// A folder shown at another place by another filesystem. Dropping it takes the mount away.
#[derive(Debug)]
pub(crate) struct ShownFolder {
    served: Served,
}

impl ShownFolder {
    /// By bindfs.
    pub(crate) fn by_bindfs(folder: &Path, mount_point: PathBuf) -> Result<Self> {
        let mut command = Command::new("bindfs");
        command.arg("-f");
        Self::mount(command, folder, mount_point)
    }

    /// By the floor, which has the files in memory.
    pub(crate) fn by_floor(folder: &Path, mount_point: PathBuf) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--bench", floor::WORD]);
        Self::mount(command, folder, mount_point)
    }

    fn mount(mut command: Command, folder: &Path, mount_point: PathBuf) -> Result<Self> {
        let log = mount_point.with_extension("log");
        let mount_point = MountPoint::create(mount_point)?;
        command.arg(folder).arg(mount_point.path());
        let served = Served::start(&mut command, mount_point, &log)?;
        Ok(Self { served })
    }

    pub(crate) fn path(&self) -> &Path {
        self.served.mount_point.path()
    }

    /// Of the process that serves the mount, so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.served.cpu_seconds()
    }
}

/// A mount and the process behind it, which goes first.
#[derive(Debug)]
struct Served {
    process: Group,
    mount_point: MountPoint,
}

impl Served {
    /// Returns when the mount is there.
    fn start(command: &mut Command, mount_point: MountPoint, log: &Path) -> Result<Self> {
        /// Less than what a mount is measured in.
        const BETWEEN_LOOKS: Duration = Duration::from_micros(500);
        let output = File::create(log)?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let mut process = Group::start(command, Role::FileSystem)?;
        let deadline = Instant::now() + PATIENCE;
        while !mount_point.is_mounted() {
            if process.ended()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                let program = command.get_program().display();
                bail!("{program} did not mount: {}", said.trim_end());
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(Self {
            process,
            mount_point,
        })
    }

    fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.process.pid());
        let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let ticks_a_second = sysconf(SysconfVar::CLK_TCK)?.context("the length of a tick")?;
        let ticks = ticks(&stat).with_context(|| format!("no times in {path}"))?;
        Ok(ticks as f64 / ticks_a_second as f64)
    }
}

/// The 14th and 15th fields (proc_pid_stat(5)): what the process has used in user mode and in the
/// kernel.
fn ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}
