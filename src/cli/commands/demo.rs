//! `pop3fs demo [DIR]`: serves the embedded maildrop on loopback, and mounts it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::cli::account::secret::Password;
use crate::cli::account::server_access::ServerAccess;
use crate::cli::account::source::Source;
use crate::cli::commands::stdout;
use crate::cli::daemon::background;
use crate::cli::daemon::logging::Log;
use crate::cli::daemon::mount::{Plan, ServeError, serve};
use crate::cli::daemon::signals::EndingSignals;
use crate::cli::failure::refuse;
use crate::cli::options::{Indexing, Options, TlsPolicy};
use crate::demo::{DemoServer, USER, suggestions};

/// Serves the demo until it is unmounted or Ctrl-C is pressed.
pub fn demo(dir: Option<&Path>) -> ExitCode {
    match begin(dir) {
        Ok(code) => code,
        Err(error) => refuse(&error),
    }
}

fn begin(dir: Option<&Path>) -> Result<ExitCode, ServeError> {
    Log::on_stderr().begin();
    let refused = |doing| move |source| ServeError::System { doing, source };
    let signals = EndingSignals::block().map_err(|errno| refused("block signals")(errno.into()))?;
    let server = DemoServer::start().map_err(refused("start a server on loopback"))?;
    let mountpoint = DemoDirectory::make(dir).map_err(refused("make the directory of the demo"))?;
    let source: Source = format!("pop://{USER}@{}", server.address()).parse()?;
    let cache = make_cache_folder().map_err(refused("make a folder for the demo's cache"))?;
    let plan = Plan {
        source: source.with_tls(TlsPolicy::Off),
        options: Options {
            cache_dir: Some(cache.path().to_owned()),
            index: Indexing::Full,
            ..Options::default()
        },
        access: ServerAccess::default(),
        password: Password::new(
            Zeroizing::new(server.password().as_bytes().to_vec()),
            "the demo",
        )?,
        mountpoint: mountpoint.path.clone(),
    };
    let code = serve(plan, signals, background::foreground(), |dir| {
        let place = dir.display();
        stdout::line(format_args!("The demo maildrop is mounted at {place}.\n"));
        stdout::line(suggestions(dir));
        stdout::line("Ctrl-C ends it.");
    });
    // The server and the cache must live until the last commit.
    drop((server, cache));
    Ok(code)
}

/// A folder of this user alone, whatever the umask: a cache that others may write to is refused.
fn make_cache_folder() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("pop3fs-demo-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
}

/// The mount point of the demo. Removed at the end if the demo made it.
struct DemoDirectory {
    path: PathBuf,
    is_ours: bool,
}

impl DemoDirectory {
    fn make(dir: Option<&Path>) -> io::Result<Self> {
        let path = match dir {
            Some(dir) => std::path::absolute(dir)?,
            None => std::env::temp_dir().join(format!("pop3fs-demo-{}", std::process::id())),
        };
        let is_ours = !path.exists();
        if is_ours {
            std::fs::create_dir(&path)?;
        }
        Ok(Self { path, is_ours })
    }
}

impl Drop for DemoDirectory {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = std::fs::remove_dir(&self.path)
        {
            log::warn!("{} is left behind: {error}", self.path.display());
        }
    }
}
