//! Why the configuration cannot be used.

use std::io;
use std::path::PathBuf;

use crate::cli::account::source::SourceError;
use crate::cli::options::{OptionError, did_you_mean};

/// Why the configuration cannot be used. All are the user's fault. No message shows the value of an
/// unknown key: it may be a password. A `place` is a file, and mostly an account in it.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ConfigError {
    /// The file exists but cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Other users may change the file, and so choose the command that we run as password_command.
    #[error("{path} can be changed by others, so it is not used: it must be your own, and `chmod go-w {path}`", path = path.display())]
    Exposed { path: PathBuf },
    /// The file is not TOML.
    #[error("{} line {line}: {reason}", path.display())]
    Syntax {
        path: PathBuf,
        /// From 1.
        line: usize,
        reason: String,
    },
    /// A table other than `[account.NAME]`.
    #[error("{}: [{name}] is not a table of this file: write [account.{name}] for an account", path.display())]
    NotAnAccount { path: PathBuf, name: String },
    /// No account of that name.
    #[error("no account '{}' in {files}{}: known are {known}", name.escape_debug(), did_you_mean(nearest.as_deref()))]
    UnknownAccount {
        name: String,
        files: String,
        nearest: Option<String>,
        known: String,
    },
    /// The key is no option.
    #[error("{place}: unknown key '{}'{}: the keys are url, user and the options in `pop3fs --help`", name.escape_debug(), did_you_mean(*nearest))]
    UnknownKey {
        place: String,
        name: String,
        nearest: Option<&'static str>,
    },
    /// The file must not hold a password.
    #[error(
        "{place}: this file must not contain a password: use password_command or password_file"
    )]
    Password { place: String },
    /// An account without a maildrop.
    #[error("{place}: no url: write url = \"pops://USER@HOST\"")]
    NoUrl { place: String },
    /// The value has a type that no option takes, such as a table or a date.
    #[error("{place}: {name} takes a text, a number, true or false")]
    Kind { place: String, name: String },
    /// Two keys name a source of the same secret; one of them would have no effect.
    #[error("{place}: more than one source of the {secret}: keep only one")]
    Passwords { place: String, secret: &'static str },
    /// The URL of an account.
    #[error("{place}: {error}")]
    Source { place: String, error: SourceError },
    /// The value of an option.
    #[error("{place}: {error}")]
    Option { place: String, error: OptionError },
}
