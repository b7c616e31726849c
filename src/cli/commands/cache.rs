//! `pop3fs cache`: lists the caches of accounts, and removes them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::account::target::{Target, TargetError};
use crate::cli::arguments::CacheCommand;
use crate::cli::commands::stdout;
use crate::cli::failure::{Advice, Failure, refuse};
use crate::cli::home;
use crate::cli::shown::{counted, size};
use crate::store::{AccountCache, StoreError};

/// Why a cache is not listed or removed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CacheError {
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("there is no folder for the cache: set HOME, or use --cache-dir DIR")]
    NoFolder,
    #[error("nothing is cached of '{name}' in {}: `pop3fs cache` lists what is", base.display())]
    Unknown { name: String, base: PathBuf },
    #[error("{} could not be removed", counted(*.0, "cache"))]
    Left(usize),
}

impl From<&CacheError> for Failure {
    fn from(error: &CacheError) -> Failure {
        match error {
            CacheError::Store(error) => error.into(),
            CacheError::Target(_) | CacheError::NoFolder | CacheError::Unknown { .. } => {
                Failure::Usage
            }
            CacheError::Left(_) => Failure::Other,
        }
    }
}

/// `pop3fs cache [list]`, `pop3fs cache clear ACCOUNT` and `pop3fs cache clear --all`.
pub fn cache(dir: Option<&Path>, command: Option<&CacheCommand>) -> ExitCode {
    let done = match command {
        None | Some(CacheCommand::List) => list(dir),
        Some(CacheCommand::Clear {
            account: Some(account),
            ..
        }) => clear(dir, account),
        Some(CacheCommand::Clear { account: None, .. }) => clear_all(dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

fn base(dir: Option<&Path>) -> Result<PathBuf, CacheError> {
    let named = dir.map(Path::to_owned);
    named.or_else(home::cache).ok_or(CacheError::NoFolder)
}

fn list(dir: Option<&Path>) -> Result<(), CacheError> {
    let base = base(dir)?;
    let caches = AccountCache::all(&base)?;
    if caches.is_empty() {
        stdout::line(format_args!("nothing is cached in {}", base.display()));
    }
    for cache in caches {
        let size = size(cache.octets()?);
        let mark = if cache.is_in_use() { "  mounted" } else { "" };
        stdout::line(format_args!("{size:>12}  {}{mark}", cache.name()));
    }
    Ok(())
}

fn clear(dir: Option<&Path>, account: &str) -> Result<(), CacheError> {
    let cache = find(dir, account)?;
    let octets = cache.octets()?;
    cache.clear()?;
    let size = size(octets);
    stdout::line(format_args!("removed {size}: {}", cache.name()));
    Ok(())
}

/// Finds a cache by its listed name, or by the SOURCE of a mount. The account may name a cache
/// folder of its own.
fn find(dir: Option<&Path>, account: &str) -> Result<AccountCache, CacheError> {
    let base = base(dir)?;
    let listed = AccountCache::all(&base)?;
    if let Some(cache) = listed.into_iter().find(|cache| cache.name() == account) {
        return Ok(cache);
    }
    let Target { source, options } = Target::resolve(account, &[])?;
    let base = match (dir, options.cache_dir) {
        (None, Some(own)) => own,
        _ => base,
    };
    let cache = AccountCache::of(&base, &source.account());
    cache.ok_or_else(|| CacheError::Unknown {
        name: account.to_owned(),
        base,
    })
}

/// Removes all caches except those that a mount uses, which it reports.
fn clear_all(dir: Option<&Path>) -> Result<(), CacheError> {
    let mut left = 0;
    for cache in AccountCache::all(&base(dir)?)? {
        match cache.clear() {
            Ok(()) => stdout::line(format_args!("removed: {}", cache.name())),
            Err(error) => {
                eprintln!("pop3fs: {}", error.sentence());
                left += 1;
            }
        }
    }
    match left {
        0 => Ok(()),
        left => Err(CacheError::Left(left)),
    }
}
