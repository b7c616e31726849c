//! Turns options into the settings of the maildrop, the store and the filesystem.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::unistd::{getgid, getuid};
use zeroize::Zeroizing;

use crate::cli::account::password;
use crate::cli::account::secret::Password;
use crate::cli::account::server_access::ServerAccess;
use crate::cli::account::source::Source;
use crate::cli::daemon::systemd;
use crate::cli::failure::{Advice, Failure};
use crate::cli::options::{Auth, Caching, Indexing, Mirroring, Mtime, Options, TlsPolicy};
use crate::fs::{Appearance, FileOwner, Searches, Xattrs};
use crate::maildrop::{
    Credential, Dating, Depth, Login, LoginPatience, Maildrop, Mechanism, Method, SaslMechanism,
    Secret, Security, Settings,
};
use crate::message::{DatePreference, arrival, outline, title};
use crate::net::{Endpoint, NetError, Route, Tls};
use crate::store::{AccountCache, CacheFolder, Disk, Index, StoreError};

/// How often to check whether there are new messages to fetch.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// Why the options cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SetupError {
    #[error("{}", .0.sentence())]
    Net(#[from] NetError),
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
    #[error("there is no folder for the cache: set HOME, or use -o cache_dir=DIR or -o cache=off")]
    NoCacheFolder,
}

impl From<&SetupError> for Failure {
    fn from(error: &SetupError) -> Failure {
        match error {
            SetupError::Net(error) => error.into(),
            SetupError::Store(error) => error.into(),
            SetupError::NoCacheFolder => Failure::Usage,
        }
    }
}

pub(in crate::cli) fn store(
    options: &Options,
    source: &Source,
) -> Result<(Index, Disk), SetupError> {
    if options.cache == Caching::Off {
        return Ok((Index::in_memory(), Disk::off()));
    }
    let base = cache_folder(options)?;
    let folder = CacheFolder::open(&base, &source.account())?;
    Ok((
        Index::open(&folder)?,
        Disk::open(&folder, options.cache_size.get())?,
    ))
}

/// The folder of all caches.
pub(in crate::cli) fn cache_folder(options: &Options) -> Result<PathBuf, SetupError> {
    options.cache_folder().ok_or(SetupError::NoCacheFolder)
}

/// The cache of an account that had none before this mount.
#[derive(Debug)]
pub(in crate::cli) struct NewCache {
    base: PathBuf,
    account: String,
    is_base_new: bool,
}

impl NewCache {
    /// To be called before [`store`]. None where there is a cache already, or none will be made.
    pub(in crate::cli) fn expect(options: &Options, source: &Source) -> Option<Self> {
        let base = match options.cache {
            Caching::Off => return None,
            Caching::On => options.cache_folder()?,
        };
        let account = source.account();
        AccountCache::of(&base, &account).is_none().then(|| Self {
            is_base_new: !base.exists(),
            base,
            account,
        })
    }

    /// Removes the cache of a mount that has failed, and its folder if that is new and holds
    /// nothing else.
    pub(in crate::cli) fn remove(self) {
        if let Some(cache) = AccountCache::of(&self.base, &self.account)
            && let Err(error) = cache.clear()
        {
            log::debug!("the new cache stays: {error}");
        }
        if self.is_base_new {
            // Another mount may have put its cache there meanwhile.
            let _ = std::fs::remove_dir(&self.base);
        }
    }
}

/// How to reach the server, without the password: for [`crate::maildrop::reach`].
pub(in crate::cli) fn login_without_password(
    source: &Source,
    options: &Options,
    access: &ServerAccess,
) -> Result<Login, SetupError> {
    let nothing = Secret::new(Zeroizing::default());
    login(
        source,
        options,
        access,
        Mechanism::Auto,
        Credential::lasting(nothing),
    )
}

/// The searches of a mount. Without a cache there are none, and a mount works without them.
pub(in crate::cli) fn searches(
    options: &Options,
    source: &Source,
    maildrop: &Arc<Maildrop>,
) -> Option<Arc<Searches>> {
    if options.cache == Caching::Off || options.index == Indexing::Off {
        return None;
    }
    let folder = CacheFolder::open(&options.cache_folder()?, &source.account());
    folder
        .and_then(|folder| Searches::open(maildrop, &folder))
        .inspect_err(|error| log::warn!("there is no .search: {}", error.sentence()))
        .ok()
        .map(Arc::new)
}

/// Begins what a mount does in the background for its searches.
pub(in crate::cli) fn begin_indexing(
    options: &Options,
    searches: Option<&Searches>,
    maildrop: &Arc<Maildrop>,
) {
    if let Some(searches) = searches {
        searches.begin_feeding();
    }
    // A mirror fetches all of them anyway.
    if options.cache == Caching::On
        && options.index == Indexing::Full
        && options.mirroring == Mirroring::Off
    {
        fetch_all(Arc::clone(maildrop));
    }
}

/// Fetches what is missing in the cache, now and whenever the listing has changed, behind all that
/// somebody waits for.
fn fetch_all(maildrop: Arc<Maildrop>) {
    let fetch = move || {
        loop {
            let listing = maildrop.changed();
            let fetched = maildrop.fetch(Depth::Body, &mut |_| ControlFlow::Continue(()));
            if let Err(error) = fetched {
                let why = error.sentence();
                return log::warn!("not all messages can be searched: {why}");
            }
            while maildrop.changed() == listing {
                thread::sleep(BETWEEN_LOOKS);
            }
        }
    };
    let thread = thread::Builder::new().name("fetch".to_owned());
    if let Err(error) = thread.spawn(fetch) {
        log::warn!("not all messages can be searched: {error}");
    }
}

pub(in crate::cli) fn maildrop_settings(
    source: &Source,
    options: &Options,
    access: &ServerAccess,
    password: Password,
) -> Result<Settings, SetupError> {
    let mechanism = mechanism(auth(options, source));
    let credential = credential(password, options, mechanism);
    let login = login(source, options, access, mechanism, credential)?;
    Ok(Settings {
        login,
        idle_timeout: options.idle_timeout,
        keepalive: options.keepalive,
        refresh: options.refresh,
        pipeline: options.pipeline,
        memory: options.memory.get(),
        max_message: options.max_message.get(),
        max_delete: options.max_delete,
        offline: options.offline,
        at_login_delay: wait_for_login,
        dating: match options.mtime {
            Mtime::Received => {
                Dating::Headers(|headers| arrival(headers, DatePreference::Received))
            }
            Mtime::Date => Dating::Headers(|headers| arrival(headers, DatePreference::Date)),
            Mtime::None => Dating::FirstSeen,
        },
        titling: title,
        outlining: (options.xattrs == Xattrs::Shown).then_some(outline),
    })
}

/// Waits where somebody sees that: at a terminal, and under a service manager.
fn wait_for_login(delay: Duration) -> LoginPatience {
    let seconds = delay.as_secs() + 1;
    if systemd::waiting_for_login(delay) {
        return LoginPatience::Wait;
    }
    if !io::stderr().is_terminal() {
        return LoginPatience::Fail;
    }
    eprintln!("pop3fs: the server allows the next login in {seconds} s (LOGIN-DELAY): waiting");
    LoginPatience::Wait
}

fn login(
    source: &Source,
    options: &Options,
    access: &ServerAccess,
    mechanism: Mechanism,
    credential: Credential,
) -> Result<Login, SetupError> {
    let tls = || Tls::with_certificate(options.trust(), access.certificate.as_ref());
    let security = match source.tls() {
        TlsPolicy::Implicit => Security::Implicit(tls()?),
        TlsPolicy::Starttls => Security::Starttls(tls()?),
        TlsPolicy::Off => Security::Clear,
    };
    let endpoint = Endpoint {
        host: source.host(),
        port: source.port(),
    };
    Ok(Login {
        route: Route::new(endpoint, access.proxy.clone()),
        security,
        user: source.user().to_owned(),
        credential,
        mechanism,
        timeout: options.timeout,
    })
}

/// `-o auth=`, else SOURCE's `;AUTH=`, else `auto`.
fn auth(options: &Options, source: &Source) -> Auth {
    options.auth.or(source.auth()).unwrap_or(Auth::Auto)
}

fn mechanism(auth: Auth) -> Mechanism {
    Mechanism::Only(match auth {
        Auth::Auto => return Mechanism::Auto,
        Auth::User => Method::UserPass,
        Auth::Apop => Method::Apop,
        Auth::Plain => Method::Sasl(SaslMechanism::Plain),
        Auth::Login => Method::Sasl(SaslMechanism::Login),
        Auth::CramMd5 => Method::Sasl(SaslMechanism::CramMd5),
        Auth::ScramSha1 => Method::Sasl(SaslMechanism::ScramSha1),
        Auth::ScramSha256 => Method::Sasl(SaslMechanism::ScramSha256),
        Auth::Xoauth2 => Method::Sasl(SaslMechanism::Xoauth2),
        Auth::Oauthbearer => Method::Sasl(SaslMechanism::Oauthbearer),
    })
}

/// A token expires. Where it came from a command or a file, the next one can be had there.
fn credential(password: Password, options: &Options, mechanism: Mechanism) -> Credential {
    let secret = Secret::new(password.into_octets());
    if !mechanism.takes_a_token() {
        return Credential::lasting(secret);
    }
    match password::renewal(&options.password) {
        None => Credential::lasting(secret),
        Some(renew) => Credential::expiring(
            secret,
            Box::new(move || {
                renew()
                    .map(|token| Secret::new(token.into_octets()))
                    .map_err(|error| Arc::new(error) as Arc<_>)
            }),
        ),
    }
}

pub(in crate::cli) fn appearance(options: &Options) -> Appearance {
    Appearance {
        access: options.access,
        root: options.view,
        eol: options.eol,
        xattrs: options.xattrs,
    }
}

pub(in crate::cli) fn owner(options: &Options) -> FileOwner {
    FileOwner {
        uid: options.uid.unwrap_or_else(|| getuid().as_raw()),
        gid: options.gid.unwrap_or_else(|| getgid().as_raw()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_the_mechanism_unless_an_option_does() {
        let unsaid = Options::default();
        let said = Options {
            auth: Some(Auth::User),
            ..Options::default()
        };
        let source: Source = "pops://al;AUTH=plain@h".parse().unwrap();
        assert_eq!(auth(&unsaid, &source), Auth::Plain);
        assert_eq!(auth(&said, &source), Auth::User);
        let source: Source = "pops://al@h".parse().unwrap();
        assert_eq!(auth(&unsaid, &source), Auth::Auto);
    }
}
