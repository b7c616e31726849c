//! From SOURCE and the options to a maildrop. SOURCE is a URL or the name of an account.

use crate::cli::account::config::{Config, ConfigError};
use crate::cli::account::source::{Source, SourceError};
use crate::cli::options::{OptionError, Options, RawOption};

/// A maildrop, and how to use it.
#[derive(Debug)]
pub(in crate::cli) struct Target {
    /// The maildrop, with the policy of the `tls` option applied.
    pub source: Source,
    /// The options: those of the command line override those of the account.
    pub options: Options,
}

/// Why SOURCE and the options do not name a maildrop. All are the caller's fault.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum TargetError {
    /// The URL is wrong.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An option of the command line is wrong.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The configuration file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// SOURCE is a misspelt command.
    #[error("{0}")]
    NoCommand(String),
}

impl TargetError {
    /// Whether SOURCE is neither a URL, nor an account, nor similar to one.
    pub(in crate::cli) fn is_of_unknown_name(&self) -> bool {
        matches!(
            self,
            Self::Source(SourceError::NotAUrl)
                | Self::Config(ConfigError::UnknownAccount { nearest: None, .. })
        )
    }
}

impl Target {
    /// Parses SOURCE and the options. Reads the configuration only where SOURCE may be the name of
    /// an account.
    pub(in crate::cli) fn resolve(
        source: &str,
        settings: &[RawOption],
    ) -> Result<Self, TargetError> {
        if !is_name(source) {
            return Self::new(source.parse()?, settings);
        }
        let config = Config::load()?;
        if config.is_empty() {
            return Err(SourceError::NotAUrl.into());
        }
        let account = config.account(source)?;
        Self::new(account.source, &[&account.settings, settings].concat())
    }

    fn new(source: Source, settings: &[RawOption]) -> Result<Self, TargetError> {
        let options = Options::from_settings(settings)?;
        let source = match options.tls {
            Some(tls) => source.with_tls(tls),
            None => source,
        };
        Ok(Self { source, options })
    }
}

/// Whether `source` may be the name of an account. Anything else may hold a password, and no
/// message repeats it.
fn is_name(source: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "._-".contains(c);
    !source.is_empty() && source.chars().all(allowed)
}
