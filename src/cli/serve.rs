//! `pop3fs SOURCE MOUNTPOINT`: from the arguments to the last commit.
//!
//! ```text
//! arguments ─▶ password ─▶ fork ─▶ log in, list ─▶ mount ─▶ "ok" to the launcher ─▶ serve until unmounted
//!                                                                                        │
//!            exit code, answer to `pop3fs umount` ◀─ verdict ◀─ commit, QUIT ◀───────────┘
//! ```
//! Deletions are committed here, after the session with the kernel has ended, and nowhere else at the end: a crash, a
//! kill or a panic never reaches this place, so the server keeps everything.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use nix::unistd::{getgid, getuid};
use parking_lot::Mutex;

use super::arguments::{MountArguments, Place};
use super::control::{self, Outcome, Reply, Request, Response};
use super::daemon::{self, LaunchError, Ready, Role};
use super::options::{Auth, Caching, Mtime, OptionError, Options, Pipeline, TlsPolicy};
use super::password::{self, Password, PasswordError};
use super::signals::Signals;
use super::source::{Source, SourceError};
use crate::fs::mount::{self, Mount, MountError, MountOptions, Mounted, Unmount, UnmountError};
use crate::fs::{Filesystem, Owner, Serving};
use crate::maildrop::{
    Connection, Dating, Farewell, Fault, Login, Maildrop, Mechanism, OpenError, Secret, Security,
    Settings, Standing, Verdict, Waiter,
};
use crate::message::{DatePreference, arrival};
use crate::net::{Endpoint, NetError, Protection, Tls};
use crate::store::{CacheFolder, Disk, Index, StoreError};

/// Everything that a mount needs to know, before anything was done.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) source: Source,
    pub(super) options: Options,
    pub(super) password: Password,
    pub(super) mountpoint: PathBuf,
}

/// Why there is no mount. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Option(#[from] OptionError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("there is no folder for the cache: set HOME, or use -o cache_dir=DIR or -o cache=off")]
    NoCacheFolder,
    #[error("the password is not UTF-8, which is all that POP3 can carry")]
    PasswordNotUtf8,
    #[error("this system refused {what} ({source})")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

/// `pop3fs SOURCE MOUNTPOINT`.
pub fn mount(arguments: &MountArguments) -> ExitCode {
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("pop3fs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &MountArguments) -> Result<ExitCode, ServeError> {
    let options = arguments.options()?;
    let source = arguments.source(&options)?;
    // Asked for while there still is a terminal, and a parent that Ctrl-C ends.
    let password = password::obtain(&options, &source)?;
    let mountpoint =
        std::path::absolute(arguments.mountpoint()).map_err(system("the current directory"))?;
    let plan = Plan {
        source,
        options,
        password,
        mountpoint,
    };
    let ready = match arguments.place() {
        Place::Foreground => daemon::foreground(),
        Place::Background => match daemon::background().map_err(system("to fork"))? {
            Role::Launcher(launcher) => {
                launcher.verdict()?;
                return Ok(ExitCode::SUCCESS);
            }
            Role::Daemon(ready) => ready,
        },
    };
    env_logger::Builder::new()
        .filter_level(arguments.log_level())
        .init();
    let signals = Signals::block().map_err(|errno| system("to block signals")(errno.into()))?;
    Ok(serve(plan, signals, ready, |_| {}))
}

/// Mounts, serves until the end, and commits. `announce` is called once the mount works.
pub(super) fn serve(
    plan: Plan,
    signals: Signals,
    ready: Ready,
    announce: impl FnOnce(&Path),
) -> ExitCode {
    let mounted = match MountedMaildrop::begin(plan) {
        Ok(mounted) => mounted,
        Err(error) => {
            ready.failed(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    mounted.serve(signals, ready, announce)
}

/// A mount that nobody answers for yet.
struct MountedMaildrop {
    source: Source,
    maildrop: Arc<Maildrop>,
    mount: Mount,
    serving: Serving,
}

impl MountedMaildrop {
    fn begin(plan: Plan) -> Result<MountedMaildrop, ServeError> {
        let Plan {
            source,
            options,
            password,
            mountpoint,
        } = plan;
        let (index, disk) = store(&options, &source)?;
        let maildrop = Arc::new(Maildrop::open(
            settings(&source, &options, &password)?,
            index,
            disk,
        )?);
        drop(password);
        let how = MountOptions {
            fsname: source.to_string(),
            access: options.access,
            visibility: options.visibility,
        };
        let begun = mount::mount(&mountpoint, &how)
            .map_err(ServeError::from)
            .and_then(|Mounted { device, mount }| {
                let filesystem = Filesystem::new(Arc::clone(&maildrop), options.access);
                let filesystem = Arc::new(filesystem.map_err(system("a thread"))?);
                let serving = Serving::begin(filesystem, owner(&options), device);
                match serving {
                    Ok(serving) => Ok((mount, serving)),
                    Err(error) => {
                        detach(&mount);
                        Err(system("the FUSE device")(error))
                    }
                }
            });
        match begun {
            Ok((mount, serving)) => Ok(MountedMaildrop {
                source,
                maildrop,
                mount,
                serving,
            }),
            Err(error) => {
                let _nothing_is_pending = maildrop.close(Farewell::Discard);
                Err(error)
            }
        }
    }

    fn serve(self, signals: Signals, ready: Ready, announce: impl FnOnce(&Path)) -> ExitCode {
        let MountedMaildrop {
            source,
            maildrop,
            mount,
            serving,
        } = self;
        end_at_a_panic(mount.clone());
        let leavers = Arc::new(Leavers::default());
        let started = serving.teller().and_then(|tell| {
            maildrop.on_change(tell);
            let handler = Handler {
                source: source.to_string(),
                maildrop: Arc::clone(&maildrop),
                mount: mount.clone(),
                leavers: Arc::clone(&leavers),
            };
            let listening = control::Server::listen(mount.device_number())?;
            let control = listening.serve(Arc::new(move |request, reply| {
                handler.handle(request, reply);
            }))?;
            let unmounter = mount.clone();
            thread::Builder::new()
                .name("signals".to_owned())
                .spawn(move || unmount_at_signals(signals, &unmounter))?;
            Ok(control)
        });
        let control = match started {
            Ok(control) => control,
            Err(error) => {
                detach(&mount);
                let _nothing_is_pending = maildrop.close(Farewell::Discard);
                ready.failed(&format!(
                    "this system refused a thread or the control socket ({error})"
                ));
                return ExitCode::FAILURE;
            }
        };
        let mountpoint = mount.mountpoint().to_owned();
        if let Err(error) = ready.succeeded() {
            // Whoever started the mount has gone, by Ctrl-C say.
            log::warn!("nobody waits for the mount ({error})");
            detach(&mount);
        }
        announce(&mountpoint);
        if let Err(error) = serving.run() {
            log::error!("the FUSE device failed: {error}");
            detach(&mount);
        }
        let response = verdict_in_words(maildrop.close(Farewell::Commit));
        for line in &response.lines {
            log::info!("{line}");
        }
        leavers.tell(&response);
        drop(control);
        match response.outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Failed => {
                eprintln!("pop3fs: {}", response.lines.join("; "));
                ExitCode::FAILURE
            }
        }
    }
}

fn store(options: &Options, source: &Source) -> Result<(Index, Disk), ServeError> {
    if options.cache == Caching::Off {
        return Ok((Index::in_memory(), Disk::off()));
    }
    let base = options.cache_folder().ok_or(ServeError::NoCacheFolder)?;
    let folder = CacheFolder::open(&base, &source.account())?;
    Ok((
        Index::open(&folder)?,
        Disk::open(&folder, options.cache_size.get())?,
    ))
}

fn settings(
    source: &Source,
    options: &Options,
    password: &Password,
) -> Result<Settings, ServeError> {
    let ca_file = options.ca_file.as_deref();
    let security = match source.tls() {
        TlsPolicy::Implicit => Security::Implicit(Tls::new(ca_file)?),
        TlsPolicy::Starttls => Security::Starttls(Tls::new(ca_file)?),
        TlsPolicy::Off => Security::Clear,
    };
    let password =
        std::str::from_utf8(password.as_bytes()).map_err(|_| ServeError::PasswordNotUtf8)?;
    let login = Login {
        endpoint: Endpoint {
            host: source.host(),
            port: source.port(),
        },
        security,
        user: source.user().to_owned(),
        password: Secret::new(password.to_owned().into()),
        mechanism: match options.auth_for(source) {
            Auth::Auto => Mechanism::Auto,
            Auth::User => Mechanism::User,
            Auth::Plain => Mechanism::Plain,
        },
        timeout: options.timeout,
    };
    Ok(Settings {
        login,
        idle_timeout: options.idle_timeout,
        refresh: options.refresh,
        pipeline: match options.pipeline {
            Pipeline::Auto => crate::maildrop::Pipeline::Auto,
            Pipeline::Off => crate::maildrop::Pipeline::Off,
            Pipeline::Most(commands) => crate::maildrop::Pipeline::Most(commands.get()),
        },
        memory: options.memory.get(),
        max_message: options.max_message.get(),
        dating: match options.mtime {
            Mtime::Received => dating(DatePreference::Received),
            Mtime::Date => dating(DatePreference::Date),
            Mtime::None => Dating::FirstSeen,
        },
    })
}

fn dating(preference: DatePreference) -> Dating {
    Dating::Headers(Box::new(move |headers| arrival(headers, preference)))
}

fn owner(options: &Options) -> Owner {
    Owner {
        uid: options.uid.unwrap_or_else(|| getuid().as_raw()),
        gid: options.gid.unwrap_or_else(|| getgid().as_raw()),
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

fn detach(mount: &Mount) {
    if let Err(error) = mount.unmount(Unmount::Detach) {
        log::warn!("{error}");
    }
}

/// A panic in any thread ends the process: nothing is committed, the mount goes, the log tells.
fn end_at_a_panic(mount: Mount) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        log::error!("{panic}; nothing is deleted on the server");
        detach(&mount);
        std::process::abort();
    }));
}

/// Each signal asks for an end; files that are open stay readable until they are closed.
fn unmount_at_signals(signals: Signals, mount: &Mount) {
    while let Ok(signal) = signals.wait() {
        log::info!("{signal}: unmounting");
        match mount.unmount(Unmount::IfIdle) {
            Err(UnmountError::Busy { .. }) => detach(mount),
            Err(error) => log::warn!("{error}"),
            Ok(()) => {}
        }
    }
}

/// Clients of `pop3fs umount`, who are told the verdict at the end.
#[derive(Default)]
struct Leavers(Mutex<Vec<Reply>>);

impl Leavers {
    fn tell(&self, response: &Response) {
        for reply in self.0.lock().drain(..) {
            reply.send(response);
        }
    }
}

/// Answers the control socket.
struct Handler {
    source: String,
    maildrop: Arc<Maildrop>,
    mount: Mount,
    leavers: Arc<Leavers>,
}

impl Handler {
    fn handle(&self, request: Request, reply: Reply) {
        match request {
            Request::Umount => self.umount(reply),
            Request::Commit => self.maildrop.commit(Waiter::new(
                || true,
                move |verdict| reply.send(&verdict_in_words(verdict)),
            )),
            Request::Restore { names } => reply.send(&self.restore(names)),
            Request::Status => reply.send(&Response::status(self.status())),
        }
    }

    fn umount(&self, reply: Reply) {
        // Before the mount goes, or the end might come first.
        self.leavers.0.lock().push(reply);
        if let Err(error) = self.mount.unmount(Unmount::IfIdle) {
            self.leavers
                .tell(&Response::failed(format!("{error}; nothing was committed")));
        }
    }

    fn restore(&self, names: Vec<String>) -> Response {
        let names = if names.is_empty() {
            self.maildrop.pending()
        } else {
            names
        };
        let mut response = Response::done(String::new());
        response.lines.clear();
        for name in names {
            let found = self.maildrop.by_name(&name, Standing::Unlinked);
            match found.map(|id| self.maildrop.restore(id)) {
                Some(Ok(())) => response.lines.push(format!("{name} is back")),
                None | Some(Err(_)) => {
                    response.outcome = Outcome::Failed;
                    response
                        .lines
                        .push(format!("{name} is not among the pending deletions"));
                }
            }
        }
        response
    }

    fn status(&self) -> control::Status {
        let totals = self.maildrop.totals();
        let cached = self.maildrop.cached();
        let (session, tls) = match self.maildrop.connection() {
            Connection::Open(Protection::Tls) => (control::Session::Open, Some("TLS".to_owned())),
            Connection::Open(Protection::Clear) => (control::Session::Open, None),
            Connection::Closed | Connection::Failed(_) => (control::Session::Closed, None),
        };
        control::Status {
            source: self.source.clone(),
            mountpoint: self.mount.mountpoint().to_owned(),
            pid: std::process::id(),
            messages: totals.messages,
            octets: totals.octets,
            listing_age_seconds: Some(self.maildrop.listing_age().as_secs()),
            session,
            tls,
            pending: self.maildrop.pending(),
            cached: control::Cached {
                messages: cached.messages,
                octets: cached.octets,
            },
        }
    }
}

/// What `pop3fs umount` and `pop3fs commit` say.
fn verdict_in_words(verdict: Result<Verdict, Fault>) -> Response {
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(fault) => {
            let mut response =
                Response::failed(format!("the deletions were not committed: {fault}"));
            response.lines.push(
                "what was removed here may still be on the server, and is shown at the next mount"
                    .to_owned(),
            );
            return response;
        }
    };
    let mut response = Response::done(match (verdict.deleted, verdict.gone) {
        (0, 0) if verdict.is_complete() => "nothing was to be deleted".to_owned(),
        (deleted, 0) => format!("{} deleted on the server", messages(deleted)),
        (deleted, gone) => format!(
            "{} deleted on the server, {gone} were gone already",
            messages(deleted)
        ),
    });
    for kept in &verdict.kept {
        response.outcome = Outcome::Failed;
        response.lines.push(format!(
            "{} is still on the server: {}",
            kept.name, kept.reason
        ));
    }
    response
}

fn messages(count: usize) -> String {
    match count {
        1 => "1 message".to_owned(),
        _ => format!("{count} messages"),
    }
}
