//! `pop3fs SOURCE MOUNTPOINT`: from the arguments to the last commit.
//!
//! ```text
//! arguments ─▶ password ─▶ fork ─▶ log in, list ─▶ mount ─▶ "ok" to the launcher ─▶ serve until unmounted
//!                                                                                        │
//!            exit code, answer to `pop3fs umount` ◀─ verdict ◀─ commit, QUIT ◀───────────┘
//! ```
//! At the end, deletions are committed only here, after the mount has left the mount table. A
//! crash, a kill or a panic never gets here, so the server keeps everything.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::cli::account::password;
use crate::cli::account::secret::{Password, PasswordError};
use crate::cli::account::server_access::{AccessError, ServerAccess};
use crate::cli::account::source::{Source, SourceError};
use crate::cli::account::target::{Target, TargetError};
use crate::cli::arguments::{MountArguments, RunMode};
use crate::cli::control::sentences::{
    PendingCounts, cautions_in_words, farewell_in_words, remembered_in_words,
    still_mounted_in_words,
};
use crate::cli::control::watch::Watchers;
use crate::cli::control::{self, ControlResponse};
use crate::cli::daemon::allocator;
use crate::cli::daemon::background::{self, ForkRole, LaunchError, ReadyNotice};
use crate::cli::daemon::descriptors::{self, DescriptorError};
use crate::cli::daemon::ending::{Stake, detach, end_at_a_panic, end_at_signals};
use crate::cli::daemon::ends::{End, Ends, LastLook, watch_mount_table};
use crate::cli::daemon::logging::{Log, LogError};
use crate::cli::daemon::mirror::Mirror;
use crate::cli::daemon::requests::{Leaver, RequestHandler};
use crate::cli::daemon::setup::{
    NewCache, SetupError, appearance, begin_indexing, cache_folder, login_without_password,
    maildrop_settings, owner, searches, store,
};
use crate::cli::daemon::signals::EndingSignals;
use crate::cli::daemon::systemd;
use crate::cli::failure::{Advice, Failure, refuse};
use crate::cli::options::{Caching, Mirroring, Options};
use crate::fs::mount::{self, Mount, MountError, MountOptions, Mounted, RemountError};
use crate::fs::{Filesystem, KernelSession, Searches};
use crate::maildrop::{Farewell, Fault, Maildrop, OfflineMode, OpenError, Verdict, reach};

/// Everything that a mount needs to begin.
#[derive(Debug)]
pub(in crate::cli) struct Plan {
    pub(in crate::cli) source: Source,
    pub(in crate::cli) options: Options,
    pub(in crate::cli) access: ServerAccess,
    pub(in crate::cli) password: Password,
    pub(in crate::cli) mountpoint: PathBuf,
}

/// Why there is no mount. Each Display is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ServeError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("{}", .0.sentence())]
    Access(#[from] AccessError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Descriptors(#[from] DescriptorError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("{}", .0.sentence())]
    Open(#[from] OpenError),
    #[error("{}", .0.sentence())]
    Mount(#[from] MountError),
    #[error(transparent)]
    Remount(#[from] RemountError),
    #[error("cannot {doing} ({source})")]
    System {
        doing: &'static str,
        source: io::Error,
    },
}

impl From<&ServeError> for Failure {
    fn from(error: &ServeError) -> Failure {
        match error {
            ServeError::Source(_) | ServeError::Target(_) | ServeError::Log(_) => Failure::Usage,
            ServeError::Password(error) => error.into(),
            ServeError::Access(error) => error.into(),
            ServeError::Setup(error) => error.into(),
            ServeError::Descriptors(_) | ServeError::System { .. } => Failure::System,
            ServeError::Launch(error) => error.into(),
            ServeError::Open(error) => error.into(),
            ServeError::Mount(error) => error.into(),
            ServeError::Remount(error) => error.into(),
        }
    }
}

/// `pop3fs SOURCE MOUNTPOINT`.
pub fn mount(arguments: &MountArguments) -> ExitCode {
    match run(arguments) {
        Ok(code) => code,
        Err(error) => refuse(&error),
    }
}

fn run(arguments: &MountArguments) -> Result<ExitCode, ServeError> {
    if let Some(access) = arguments.remount() {
        mount::remount(arguments.mountpoint(), access)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Target { source, options } = arguments.target()?;
    let mountpoint = std::path::absolute(arguments.mountpoint())
        .map_err(system("find the current directory"))?;
    if options.cache == Caching::On {
        cache_folder(&options)?;
    }
    mount::check(&mountpoint)?;
    // Ask before the fork: Ctrl-C then ends the only process.
    let access = ServerAccess::obtain(&options)?;
    let password = password::obtain(&options, &source, || {
        check_server(&source, &options, &access)
    })?;
    // Not before: a password_command should not inherit the higher limit.
    descriptors::raise_limit()?;
    allocator::give_back_large_blocks();
    let log_file = options.log_file.as_deref();
    let log = Log::open(
        arguments.place(),
        log_file,
        arguments.log_level(),
        // The mount reports what is wrong with the path.
        mount::resolve(&mountpoint).as_ref().unwrap_or(&mountpoint),
    )?;
    let plan = Plan {
        source,
        options,
        access,
        password,
        mountpoint,
    };
    let ready = match arguments.place() {
        RunMode::Foreground => background::foreground(),
        RunMode::Background => match background::background().map_err(system("fork"))? {
            ForkRole::Launcher(launcher) => {
                let cautions = launcher.verdict()?;
                cautions
                    .lines()
                    .for_each(|line| eprintln!("pop3fs: {line}"));
                caution(&log);
                return Ok(ExitCode::SUCCESS);
            }
            ForkRole::Daemon(ready) => ready,
        },
    };
    log.begin();
    let signals = EndingSignals::block().map_err(|errno| system("block signals")(errno.into()))?;
    Ok(serve(plan, signals, ready, |_| {}))
}

/// Checks what the server shows before the password: its name, the connection and its certificate.
fn check_server(
    source: &Source,
    options: &Options,
    access: &ServerAccess,
) -> Result<(), ServeError> {
    let login = login_without_password(source, options, access)?;
    let is_absence = |error: &OpenError| {
        let failure = Failure::from(error);
        matches!(failure, Failure::Unreachable | Failure::Busy)
    };
    match reach(&login) {
        // The mount may begin without the server, and needs the password when that is there again.
        Err(error) if options.offline == OfflineMode::Auto && is_absence(&error) => Ok(()),
        reached => Ok(reached?),
    }
}

fn caution(log: &Log) {
    if let Some(caution) = log.caution() {
        eprintln!("pop3fs: {caution}");
    }
}

/// Mounts, serves until the end, and commits. Calls `announce` once the mount works.
pub(in crate::cli) fn serve(
    plan: Plan,
    signals: EndingSignals,
    ready: ReadyNotice,
    announce: impl FnOnce(&Path),
) -> ExitCode {
    let stake = Stake::default();
    end_at_a_panic(stake.clone());
    let (tell, ends) = Ends::new();
    let begun = end_at_signals(signals, stake.clone(), tell.clone())
        .map_err(system("start a thread"))
        .and_then(|()| MountedMaildrop::begin(plan, stake));
    match begun {
        Ok((mounted, serving)) => mounted.serve(serving, tell, ends, ready, announce),
        Err(error) => fail(ready, &error),
    }
}

fn fail(ready: ReadyNotice, error: &ServeError) -> ExitCode {
    let failure = Failure::from(error);
    ready.failed(failure, &error.to_string());
    failure.into()
}

/// A maildrop, and where it is mounted.
struct MountedMaildrop {
    source: Source,
    maildrop: Arc<Maildrop>,
    searches: Option<Arc<Searches>>,
    mirror: Option<Arc<Mirror>>,
    mount: Mount,
    stake: Stake,
}

impl MountedMaildrop {
    /// Mounts. The kernel gets no answer before [`MountedMaildrop::serve`]. A failed first mount
    /// leaves no cache.
    fn begin(plan: Plan, stake: Stake) -> Result<(MountedMaildrop, KernelSession), ServeError> {
        let new_cache = NewCache::expect(&plan.options, &plan.source);
        let begun = Self::log_in_and_mount(plan, stake);
        if begun.is_err() {
            new_cache.into_iter().for_each(NewCache::remove);
        }
        begun
    }

    fn log_in_and_mount(
        plan: Plan,
        stake: Stake,
    ) -> Result<(MountedMaildrop, KernelSession), ServeError> {
        let Plan {
            source,
            options,
            access,
            password,
            mountpoint,
        } = plan;
        let (index, disk) = store(&options, &source)?;
        let settings = maildrop_settings(&source, &options, &access, password)?;
        let maildrop = Maildrop::open(settings, index, disk)?;
        let maildrop = Arc::new(maildrop);
        stake.watch(&maildrop);
        let searches = searches(&options, &source, &maildrop);
        let filesystem = FilesystemParts {
            maildrop: &maildrop,
            searches: searches.clone(),
        };
        match begin_mount(filesystem, &source, &options, &mountpoint, &stake) {
            Ok((mount, serving)) => {
                let mirror = (options.mirroring == Mirroring::All)
                    .then(|| Mirror::start(&maildrop, source.to_string()));
                begin_indexing(&options, searches.as_deref(), &maildrop);
                let mounted = MountedMaildrop {
                    source,
                    maildrop,
                    searches,
                    mirror,
                    mount,
                    stake,
                };
                Ok((mounted, serving))
            }
            Err(error) => {
                let _nothing_is_committed = maildrop.close(Farewell::Abandon);
                Err(error)
            }
        }
    }

    fn serve(
        self,
        serving: KernelSession,
        tell: Sender<End>,
        mut ends: Ends,
        ready: ReadyNotice,
        announce: impl FnOnce(&Path),
    ) -> ExitCode {
        let leaver = Arc::new(Leaver::default());
        let handler = RequestHandler {
            source: self.source.to_string(),
            maildrop: Arc::clone(&self.maildrop),
            searches: self.searches.clone(),
            mount: self.mount.clone(),
            leaver: Arc::clone(&leaver),
            watchers: Watchers::default(),
            mirror: self.mirror.clone(),
        };
        let control = match start_threads(serving, handler, tell) {
            Ok(control) => control,
            Err(error) => {
                self.give_up();
                return fail(
                    ready,
                    &system("start a thread or the control socket")(error),
                );
            }
        };
        self.announce(ready, announce);
        let last_look = ends.wait_for_last_commit(&self.mount);
        if ends.is_the_end_near() {
            systemd::stopping(self.maildrop.pending_count());
        }
        let response = self.conclude(&leaver, last_look);
        let status = report(&response);
        if ends.has_device_failed() {
            detach(&self.mount);
        }
        ends.wait_for_last_reads();
        drop(control);
        status
    }

    fn give_up(self) {
        // Close first: at the limit of processes, fusermount3 needs the place of its thread.
        let _nothing_is_committed = self.maildrop.close(Farewell::Abandon);
        detach(&self.mount);
    }

    /// Tells the launcher, the service manager and the user that the mount works.
    fn announce(&self, ready: ReadyNotice, announce: impl FnOnce(&Path)) {
        let mut cautions = cautions_in_words(&self.maildrop, self.mount.mountpoint());
        cautions.extend(self.mirror.as_ref().and_then(|mirror| mirror.caution()));
        for caution in &cautions {
            log::warn!("{caution}");
        }
        if let Err(error) = ready.succeeded(&cautions.join("\n")) {
            // The launcher is gone, for example by Ctrl-C.
            log::warn!("the launcher has gone ({error}): unmounting");
            detach(&self.mount);
        }
        systemd::serving(&self.source.to_string(), &self.maildrop);
        announce(self.mount.mountpoint());
    }

    /// Commits or discards what is pending, and answers the client that has ended the mount.
    fn conclude(&self, leaver: &Leaver, last_look: LastLook) -> ControlResponse {
        let response = match last_look {
            LastLook::Unmounted => self.say_farewell(leaver.farewell()),
            LastLook::StillMounted => self.delete_nothing(),
        };
        systemd::ended(&response);
        leaver.tell(&response);
        response
    }

    fn say_farewell(&self, farewell: Farewell) -> ControlResponse {
        let before = self.maildrop.pending_count();
        let in_words = |verdict, remembered: &[String]| {
            let counts = PendingCounts {
                before,
                left: self.maildrop.pending_count(),
                remembered: remembered.len(),
            };
            let response = farewell_in_words(farewell, self.mount.mountpoint(), counts, verdict);
            remembered_in_words(response, remembered)
        };
        let note = |verdict: &Result<Verdict, Fault>| {
            self.note_verdict(&in_words(verdict.clone(), &[]));
        };
        let verdict = self.maildrop.close_noting(farewell, note);
        in_words(verdict, &self.maildrop.remembered())
    }

    fn delete_nothing(&self) -> ControlResponse {
        let before = self.maildrop.pending_count();
        let in_words = |remembered: &[String]| {
            let left = self.maildrop.pending();
            still_mounted_in_words(self.mount.mountpoint(), before, &left, remembered)
        };
        let note = |_: &_| self.note_verdict(&in_words(&[]));
        let _a_commit_under_way_is_called_off = self.maildrop.close_noting(Farewell::Abandon, note);
        in_words(&self.maildrop.remembered())
    }

    /// Notes the exit status, which does not depend on what the next mount will know of.
    fn note_verdict(&self, response: &ControlResponse) {
        self.stake.note_verdict(response.failure());
    }
}

/// Starts the threads for the kernel's requests, notices to the kernel, and the control socket.
fn start_threads(
    serving: KernelSession,
    handler: RequestHandler,
    tell: Sender<End>,
) -> io::Result<control::ControlServing> {
    let mount = handler.mount.clone();
    let listener = serving.change_listener(allocator::give_back_free_blocks);
    handler.maildrop.on_change(listener);
    let listening = control::Server::listen(handler.mount.device_number())?;
    let control = listening.serve(Arc::new(move |request, reply| {
        handler.handle(request, reply);
    }))?;
    watch_mount_table(mount, tell.clone())?;
    serving.start(move |result| {
        let _main_waits_for_it = tell.send(End::Session(result));
    })?;
    Ok(control)
}

/// What a filesystem is made of.
struct FilesystemParts<'a> {
    maildrop: &'a Arc<Maildrop>,
    searches: Option<Arc<Searches>>,
}

fn begin_mount(
    parts: FilesystemParts<'_>,
    source: &Source,
    options: &Options,
    mountpoint: &Path,
    stake: &Stake,
) -> Result<(Mount, KernelSession), ServeError> {
    let filesystem = Filesystem::new(Arc::clone(parts.maildrop), appearance(options))
        .map_err(system("start a thread"))?;
    let filesystem = filesystem.with_searches(parts.searches);
    let how = MountOptions {
        fsname: source.to_string(),
        access: options.access,
        visibility: options.visibility,
    };
    let Mounted { device, mount } = stake.mount(|| mount::mount(mountpoint, &how))?;
    match KernelSession::begin(Arc::new(filesystem), owner(options), device, options.poll) {
        Ok(serving) => Ok((mount, serving)),
        Err(error) => {
            detach(&mount);
            Err(system("prepare the FUSE device")(error))
        }
    }
}

fn report(response: &ControlResponse) -> ExitCode {
    let said = response.lines.join("; ");
    match response.failure() {
        None => {
            log::info!("unmounted: {said}");
            ExitCode::SUCCESS
        }
        Some(failure) => {
            log::error!("{said}");
            failure.into()
        }
    }
}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { doing, source }
}
