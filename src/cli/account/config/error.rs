//! Why the configuration cannot be used.

use std::io;
use std::path::PathBuf;

use crate::cli::account::source::SourceError;
use crate::cli::options::{OptionError, did_you_mean};

/// Why the configuration cannot be used. All are the user's. No value of an unknown key is shown: it may be a password.
/// A `place` is a file, and an account in it.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ConfigError {
    /// It is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Others may write into it what we would run as a password_command.
    #[error("{path} can be changed by others, so it is not used: it must be your own, and `chmod go-w {path}`", path = path.display())]
    Exposed { path: PathBuf },
    /// It is no TOML.
    #[error("{} line {line}: {reason}", path.display())]
    Syntax {
        path: PathBuf,
        /// From 1.
        line: usize,
        reason: String,
    },
    /// A table beside `[account.NAME]`, as other programs have it.
    #[error("{}: [{name}] is no table of this file: an account is written [account.{name}]", path.display())]
    NotAnAccount { path: PathBuf, name: String },
    /// No account of that name.
    #[error("no account {name:?} in {files}{}: there are {known}", did_you_mean(nearest.as_deref()))]
    UnknownAccount {
        name: String,
        files: String,
        nearest: Option<String>,
        known: String,
    },
    /// The key is no option.
    #[error("{place}: unknown key {name:?}{}: the keys are url, user and the options in `pop3fs --help`", did_you_mean(*nearest))]
    UnknownKey {
        place: String,
        name: String,
        nearest: Option<&'static str>,
    },
    /// Whoever sees the file would know it.
    #[error(
        "{place}: a password does not stand in this file: write password_command or password_file"
    )]
    Password { place: String },
    /// An account without a maildrop.
    #[error("{place}: no url: write url = \"pops://USER@HOST\"")]
    NoUrl { place: String },
    /// A table or a date where a text, a number, true or false, or a list of texts is due.
    #[error("{place}: {name} takes a text, a number, true or false")]
    Kind { place: String, name: String },
    /// Two keys of which one would have no effect.
    #[error("{place}: there is more than one place for the password: leave one of them")]
    Passwords { place: String },
    /// The URL of an account.
    #[error("{place}: {error}")]
    Source { place: String, error: SourceError },
    /// The value of an option.
    #[error("{place}: {error}")]
    Option { place: String, error: OptionError },
}
