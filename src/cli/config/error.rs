//! Why the configuration cannot be used.

use std::io;
use std::path::PathBuf;

use crate::cli::options::{OptionError, did_you_mean};
use crate::cli::source::SourceError;

/// Why the configuration cannot be used. All are the user's. No value of an unknown key is shown: it may be a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may write into it what we would run as a password_command.
    #[error("{path} can be changed by others, so it is not used: it must be your own, and `chmod go-w {path}`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is no TOML.
    #[error("{} line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The parser's words.
        reason: String,
    },
    /// A table beside `[account.NAME]`, as other programs have it.
    #[error("{}: [{name}] is no table of this file: an account is written [account.{name}]", path.display())]
    NotAnAccount {
        /// The file.
        path: PathBuf,
        /// The table.
        name: String,
    },
    /// No account of that name.
    #[error("no account {name:?} in {files}{}: there are {known}", did_you_mean(nearest.as_deref()))]
    UnknownAccount {
        /// As given.
        name: String,
        /// Where it was looked for.
        files: String,
        /// One that looks like it.
        nearest: Option<String>,
        /// All that there are.
        known: String,
    },
    /// The key is no option.
    #[error("{place}: unknown key {name:?}{}: the keys are url, user and the options in `pop3fs --help`", did_you_mean(*nearest))]
    UnknownKey {
        /// File and account.
        place: String,
        /// As given.
        name: String,
        /// A real one that looks like it.
        nearest: Option<&'static str>,
    },
    /// Whoever sees the file would know it.
    #[error(
        "{place}: a password does not stand in this file: write password_command or password_file"
    )]
    Password {
        /// File and account.
        place: String,
    },
    /// An account without a maildrop.
    #[error("{place}: no url: write url = \"pops://USER@HOST\"")]
    NoUrl {
        /// File and account.
        place: String,
    },
    /// A table or a date where a text, a number, true or false, or a list of texts is due.
    #[error("{place}: {name} takes a text, a number, true or false")]
    Kind {
        /// File and account.
        place: String,
        /// The key.
        name: String,
    },
    /// Two keys of which one would have no effect.
    #[error("{place}: there is more than one place for the password: leave one of them")]
    Passwords {
        /// File and account.
        place: String,
    },
    /// The URL of an account.
    #[error("{place}: {error}")]
    Source {
        /// File and account.
        place: String,
        /// What is wrong with it.
        error: SourceError,
    },
    /// The value of an option.
    #[error("{place}: {error}")]
    Option {
        /// File and account.
        place: String,
        /// What is wrong with it.
        error: OptionError,
    },
}
