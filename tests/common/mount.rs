//! The program under test, mounted in its own temporary folder.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::command::output_within;
use super::output::stderr;
use super::patience::{PATIENCE, before, eventually};
use super::process_group::{is_alive, pid_of};

/// The path of the program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pop3fs");

/// Environment variable with `-o` options, separated by commas, for every mount of a test run.
/// Options of the test itself override them.
const OPTIONS: &str = "POP3FS_TEST_OPTIONS";

/// After this time a mounted process is killed, so that a hanging system call fails and so does the
/// test.
const LIFETIME: Duration = Duration::from_secs(180);

/// Limit for `umount` and for the end of the process.
const ENDING: Duration = Duration::from_secs(60);

/// What to mount and how; see [`MountBuilder::mount`].
#[derive(Debug, Clone)]
pub struct MountBuilder {
    source: String,
    flags: Vec<String>,
    options: Vec<String>,
    password: Option<String>,
    environment: Vec<(String, String)>,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Foreground,
    Daemon,
}

impl MountBuilder {
    /// Mounts this source in the foreground with the password `secret` in `POP3FS_PASSWORD`.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            flags: Vec::new(),
            options: Vec::new(),
            password: Some("secret".to_owned()),
            environment: Vec::new(),
            mode: Mode::Foreground,
        }
    }

    /// Adds `-o option`.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Adds an argument without a value such as `-d`.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Sets another password in the environment, or none.
    pub fn password(mut self, password: Option<&str>) -> Self {
        self.password = password.map(ToOwned::to_owned);
        self
    }

    /// Adds an environment variable.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs without `-f`: the program goes to the background.
    pub fn daemon(mut self) -> Self {
        self.mode = Mode::Daemon;
        self
    }

    /// Mounts. If that takes more than 20 s, the test fails and shows what the program wrote.
    pub fn mount(self) -> Mount {
        let mut mount = Mount {
            place: Place::create(),
            setup: self,
            process: None,
        };
        mount.start();
        mount
    }

    /// Runs the program, which must refuse to mount; returns its output and status.
    pub fn refused(self) -> Output {
        let place = Place::create();
        let output = output_within(ENDING, &mut self.command(&place));
        if place.is_mounted() {
            place.detach();
            panic!("{} was mounted although it should be refused", self.source);
        }
        place.wait_until_no_process_is_left();
        assert!(!output.status.success(), "a refusal that exits with 0");
        output
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = place.program();
        if self.mode == Mode::Foreground {
            command.arg("-f");
        }
        command.args(&self.flags);
        let of_the_run = env::var(OPTIONS).ok();
        for option in of_the_run.iter().chain(&self.options) {
            command.args(["-o", option]);
        }
        command.arg(&self.source).arg(place.mount_point());
        command.envs(
            self.password
                .iter()
                .map(|password| ("POP3FS_PASSWORD", password)),
        );
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// How a mounted process ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status; `None` for a daemon, which is not a child of the test.
    pub status: Option<ExitStatus>,
    /// What the process wrote to standard error since its start.
    pub stderr: String,
}

/// A mounted maildrop with its own cache, home and runtime folders.
///
/// Dropping it kills the process and unmounts, so that nothing stays mounted if a test panics.
#[derive(Debug)]
pub struct Mount {
    // Fields are dropped in order: the process before the folders that it uses.
    process: Option<Running>,
    setup: MountBuilder,
    place: Place,
}

impl Mount {
    /// Mounts in the foreground with these `-o` options and the password `secret`.
    pub fn new(source: &str, options: &[&str]) -> Self {
        let builder = MountBuilder::new(source);
        options
            .iter()
            .fold(builder, |builder, option| builder.option(option))
            .mount()
    }

    /// The mount point.
    pub fn path(&self) -> &Path {
        &self.place.mount_point
    }

    /// The path of a name below the mount point.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// The mount point as an argument for [`super::run`].
    pub fn arg(&self) -> &str {
        self.path().to_str().expect("a mount point in ASCII")
    }

    /// The cache folder, which a remount uses again.
    pub fn cache_dir(&self) -> PathBuf {
        self.place.folder.path().join("cache")
    }

    /// The folder of its account in the cache.
    pub fn account_folder(&self) -> PathBuf {
        let folders = fs::read_dir(self.cache_dir().join("pop3fs")).expect("a cache");
        let mut folders = folders.map(|entry| entry.expect("an entry").path());
        folders.find(|path| path.is_dir()).expect("an account")
    }

    /// The process that serves the mount. Panics after [`Mount::wait`].
    pub fn pid(&self) -> Pid {
        self.process.as_ref().expect("a running mount").pid
    }

    /// Whether the mount is in the kernel's mount table.
    pub fn is_mounted(&self) -> bool {
        self.place.is_mounted()
    }

    /// Runs `pop3fs SUBCOMMAND…` in the environment of this mount, for at most 60 s.
    pub fn subcommand(&self, arguments: &[&str]) -> Output {
        output_within(ENDING, &mut self.subcommand_line(arguments))
    }

    /// The output of `pop3fs status --json` for this mount.
    pub fn status(&self) -> serde_json::Value {
        let output = self.subcommand(&["status", "--json", self.arg()]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Waits until the mount has closed its session.
    pub fn wait_until_its_session_is_closed(&self) {
        eventually("the mount to have no session", || {
            (self.status()["session"] == "closed").then_some(())
        });
    }

    /// The command of [`Mount::subcommand`], for the test to run itself.
    pub fn subcommand_line(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.program();
        command.args(arguments);
        command
    }

    /// Sets the environment of this mount for a program that will start the one under test.
    pub fn at_home(&self, command: Command) -> Command {
        self.place.at_home(command)
    }

    /// Runs `pop3fs umount` on this mount, for at most 60 s.
    pub fn umount(&self) -> Output {
        self.subcommand(&["umount", self.arg()])
    }

    /// Sends the mount's process a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a signal for the mount's process");
    }

    /// Kills the process with SIGKILL and removes the dead mount.
    pub fn kill9(&mut self) {
        if let Some(running) = self.process.take() {
            running.kill();
        }
        self.place.detach();
    }

    /// Waits for the process to end by itself; fails the test after 60 s.
    pub fn wait(&mut self) -> Ended {
        let mut running = self.process.take().expect("a running mount");
        let Some(status) = before(Instant::now() + ENDING, || running.ended()) else {
            running.kill();
            panic!(
                "the mount's process did not end; it wrote:\n{}",
                self.stderr()
            );
        };
        Ended {
            status,
            stderr: self.stderr(),
        }
    }

    /// What the process has written to standard error since its last start.
    pub fn stderr(&self) -> String {
        let written = fs::read(self.place.stderr()).unwrap_or_default();
        String::from_utf8_lossy(&written).into_owned()
    }

    /// Mounts again with the same cache, after `pop3fs umount` if it is still mounted.
    pub fn remount(&mut self) {
        self.remount_with(&[]);
    }

    /// Like [`Mount::remount`], with additional `-o` options.
    pub fn remount_with(&mut self, options: &[&str]) {
        if self.process.is_some() {
            let output = self.umount();
            assert!(
                output.status.success(),
                "umount: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            self.wait();
        }
        self.place.detach();
        self.setup
            .options
            .extend(options.iter().map(|&option| option.to_owned()));
        self.start();
    }

    fn start(&mut self) {
        let stderr = File::create(self.place.stderr()).expect("a file for errors");
        let mut command = self.setup.command(&self.place);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        let child = command.spawn().expect("the program under test");
        let running = match self.setup.mode {
            Mode::Foreground => self.await_mounted(Running::foreground(child)),
            Mode::Daemon => self.await_daemon(child),
        };
        self.process = Some(running);
    }

    fn await_mounted(&self, mut running: Running) -> Running {
        let mounted = before(Instant::now() + PATIENCE, || {
            let ended = running.ended().is_some();
            (ended || self.place.is_mounted()).then_some(!ended)
        });
        if mounted != Some(true) {
            running.kill();
            panic!("not mounted; the program wrote:\n{}", self.stderr());
        }
        running
    }

    /// The parent ends once the daemon has mounted. The daemon is then found by its argument.
    fn await_daemon(&self, parent: Child) -> Running {
        let mut parent = Running::foreground(parent);
        let status = before(Instant::now() + PATIENCE, || parent.ended()).flatten();
        if !status.is_some_and(|status| status.success()) {
            parent.kill();
            panic!(
                "{status:?} instead of going to the background:\n{}",
                self.stderr()
            );
        }
        assert!(self.place.is_mounted(), "in the background but not mounted");
        Running::daemon(eventually("the daemon's process", || self.place.daemon()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The folders of one mount.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    mount_point: PathBuf,
}

impl Place {
    /// Creates an empty mount point, cache, home and runtime folder; dropping removes them.
    pub fn create() -> Self {
        let folder = tempfile::tempdir().expect("a mount's folder");
        for name in ["mnt", "cache", "config", "home", "run"] {
            // The XDG specification requires this mode for XDG_RUNTIME_DIR; it suits the others
            // too.
            DirBuilder::new()
                .mode(0o700)
                .create(folder.path().join(name))
                .expect("a mount's folder");
        }
        // The mount table has paths without symbolic links.
        let mount_point = folder
            .path()
            .join("mnt")
            .canonicalize()
            .expect("a mount point");
        Self {
            folder,
            mount_point,
        }
    }

    /// The mount point.
    pub fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// The folder that holds `mnt`, `cache`, `config`, `home` and `run`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn stderr(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }

    /// The program under test, without access to the user's own folders and secrets.
    pub fn program(&self) -> Command {
        // If the tests were started with `&` by a shell without job control, SIGINT would be
        // ignored.
        let mut command = Command::new("/usr/bin/env");
        command.args(["--default-signal=HUP,INT,TERM", PROGRAM]);
        self.at_home(command)
    }

    /// Sets the environment of this mount for a program that will start the one under test.
    pub fn at_home(&self, mut command: Command) -> Command {
        command
            .env("HOME", self.folder.path().join("home"))
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env_remove("POP3FS_PASSWORD")
            .env_remove("CREDENTIALS_DIRECTORY")
            .stdin(Stdio::null());
        command
    }

    /// Whether the mount point is in the kernel's mount table.
    pub fn is_mounted(&self) -> bool {
        let path = self.mount_point.to_str().expect("a mount point in ASCII");
        let table = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        table
            .lines()
            .any(|line| line.split(' ').nth(4) == Some(path))
    }

    /// Removes every mount from the mount point, even a busy or dead one.
    pub fn detach(&self) {
        eventually("the mount to go away", || {
            if !self.is_mounted() {
                return Some(());
            }
            if umount2(
                &self.mount_point,
                MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW,
            )
            .is_err()
            {
                // Without root, only fusermount3 may unmount.
                let _ = Command::new("fusermount3")
                    .arg("-uzq")
                    .arg(&self.mount_point)
                    .status();
            }
            None
        });
    }

    /// Returns once no process has the mount point as an argument; fails the test after 20 s.
    pub fn wait_until_no_process_is_left(&self) {
        eventually("the last process to end", || {
            self.daemon().is_none().then_some(())
        });
    }

    /// The process that has the mount point as an argument.
    pub fn daemon(&self) -> Option<Pid> {
        let path = self.mount_point.to_str()?;
        fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .find(|pid| {
                let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                arguments
                    .split(|&octet| octet == 0)
                    .any(|argument| argument == path.as_bytes())
            })
            .map(Pid::from_raw)
    }
}

/// The process behind a mount, and its time limit.
#[derive(Debug)]
struct Running {
    pid: Pid,
    child: Option<Child>,
    // Dropping it tells the watching thread not to kill the process any more.
    _limit: Sender<()>,
}

impl Running {
    fn foreground(child: Child) -> Self {
        let pid = pid_of(&child);
        Self {
            pid,
            child: Some(child),
            _limit: limit_lifetime(pid),
        }
    }

    fn daemon(pid: Pid) -> Self {
        Self {
            pid,
            child: None,
            _limit: limit_lifetime(pid),
        }
    }

    /// `Some` once the process has ended, with its status if it is a child of the test.
    fn ended(&mut self) -> Option<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child
                .try_wait()
                .expect("wait for the mount's process")
                .map(Some),
            None => (!is_alive(self.pid)).then_some(None),
        }
    }

    fn kill(mut self) {
        if self.ended().is_some() {
            return;
        }
        // An error means that the process has just ended.
        let _ = kill(self.pid, Signal::SIGKILL);
        eventually("the mount's process to die", || self.ended());
    }
}

fn limit_lifetime(pid: Pid) -> Sender<()> {
    let (alive, limit) = channel();
    thread::spawn(move || {
        if limit.recv_timeout(LIFETIME) == Err(RecvTimeoutError::Timeout) {
            eprintln!("the mount's process {pid} lived {LIFETIME:?}; killed");
            // System calls that hang in the mount now fail with ENOTCONN.
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    alive
}
