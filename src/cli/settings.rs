//! What the options mean to the maildrop, the store and the kernel.

use nix::unistd::{getgid, getuid};

use super::options::{Auth, Caching, Mtime, Options, Pipeline, TlsPolicy};
use super::password::Password;
use super::serve::ServeError;
use super::source::Source;
use crate::fs::Owner;
use crate::maildrop::{self, Dating, Login, Mechanism, Secret, Security, Settings};
use crate::message::{DatePreference, arrival};
use crate::net::{Endpoint, Tls};
use crate::store::{CacheFolder, Disk, Index};

pub(super) fn store(options: &Options, source: &Source) -> Result<(Index, Disk), ServeError> {
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

pub(super) fn settings(
    source: &Source,
    options: &Options,
    password: &Password,
) -> Result<Settings, ServeError> {
    let security = match source.tls() {
        TlsPolicy::Implicit => Security::Implicit(Tls::new(options.trust())?),
        TlsPolicy::Starttls => Security::Starttls(Tls::new(options.trust())?),
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
        keepalive: options.keepalive,
        refresh: options.refresh,
        pipeline: match options.pipeline {
            Pipeline::Auto => maildrop::Pipeline::Auto,
            Pipeline::Off => maildrop::Pipeline::Off,
            Pipeline::Most(commands) => maildrop::Pipeline::Most(commands.get()),
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

pub(super) fn owner(options: &Options) -> Owner {
    Owner {
        uid: options.uid.unwrap_or_else(|| getuid().as_raw()),
        gid: options.gid.unwrap_or_else(|| getgid().as_raw()),
    }
}
