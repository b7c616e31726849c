//! `pop3fs complete`: prints the names that a shell can complete. Errors give no names.

use std::process::ExitCode;

use crate::cli::account::config::Config;
use crate::cli::arguments::CompletedNames;
use crate::cli::commands::status::own_mounts;
use crate::cli::commands::stdout;
use crate::cli::options::settings_to_choose;

/// Prints a name a line.
pub fn complete(names: CompletedNames) -> ExitCode {
    match names {
        CompletedNames::Accounts => Config::load()
            .iter()
            .flat_map(Config::names)
            .for_each(stdout::line),
        CompletedNames::Mounts => own_mounts()
            .iter()
            .flatten()
            .for_each(|mount| stdout::line(mount.path.display())),
        CompletedNames::Options => settings_to_choose().for_each(stdout::line),
    }
    ExitCode::SUCCESS
}
