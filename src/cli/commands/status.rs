//! `pop3fs status`: one mount in detail, or a list of all of the user's mounts.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::geteuid;
use serde_json::{Value, json};

use crate::cli::commands::answer::{print, respond};
use crate::cli::control::report::{print_status, summary};
use crate::cli::control::{
    ControlError, ControlResponse, MountStatus, Request, RequestOutcome, ask,
};
use crate::cli::failure::{Failure, refuse};
use crate::fs::mount::{self, FoundMount};

/// How `status` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people; the names of the first pending deletions.
    Text,
    /// For people; the names of all pending deletions.
    TextWithAllNames,
    /// One line of JSON.
    Json,
}

/// `pop3fs status [DIR] [--json] [--names]`.
pub fn status(dir: Option<&Path>, format: Format) -> ExitCode {
    match dir {
        Some(dir) => of_one(dir, format),
        None => of_all(format),
    }
}

/// The mounts of this user; for root, of all users.
pub(super) fn own_mounts() -> io::Result<Vec<FoundMount>> {
    let us = geteuid();
    let mut mounts = mount::all()?;
    mounts.retain(|mount| us.is_root() || mount.owner == us.as_raw());
    Ok(mounts)
}

fn of_one(dir: &Path, format: Format) -> ExitCode {
    let response = respond(ask(dir, &Request::Status));
    let printed = match (&response.status, response.outcome) {
        (Some(status), RequestOutcome::Done) => print_one(status, format, &mut io::stdout().lock()),
        _ => return print(&response),
    };
    finish(printed)
}

fn print_one(status: &MountStatus, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(status)?),
        Format::Text => print_status(status, MOST_NAMES, out),
        Format::TextWithAllNames => print_status(status, usize::MAX, out),
    }
}

/// The most pending deletions that are named unless the user asks for all.
const MOST_NAMES: usize = 10;

/// A mount, and its state or why it is unknown.
type ListedMount = (PathBuf, Result<ControlResponse, ControlError>);

fn of_all(format: Format) -> ExitCode {
    let mounts = match own_mounts() {
        Ok(mounts) => mounts,
        Err(error) => return refuse(&error),
    };
    let found: Vec<ListedMount> = mounts
        .into_iter()
        .map(|mount| {
            let answer = ask(&mount.path, &Request::Status);
            (mount.path, answer)
        })
        .collect();
    let out = &mut io::stdout().lock();
    finish(match format {
        Format::Json => print_json(&found, out),
        Format::Text | Format::TextWithAllNames => print_list(&found, out),
    })
}

fn print_list(found: &[ListedMount], out: &mut impl Write) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "nothing is mounted");
    }
    for (path, answer) in found {
        match answer.as_ref().map(|answer| &answer.status) {
            Ok(Some(status)) => writeln!(out, "{}", summary(status))?,
            Ok(None) => writeln!(out, "{}: no answer", path.display())?,
            Err(error) => writeln!(out, "{error}")?,
        }
    }
    Ok(())
}

/// An array. An element without a state has the keys `mountpoint` and `error`.
fn print_json(found: &[ListedMount], out: &mut impl Write) -> io::Result<()> {
    let mut all = Vec::new();
    for (path, answer) in found {
        all.push(match answer.as_ref().map(|answer| &answer.status) {
            Ok(Some(status)) => serde_json::to_value(status)?,
            Ok(None) => without_state(path, "no answer"),
            Err(error) => without_state(path, &error.to_string()),
        });
    }
    writeln!(out, "{}", Value::Array(all))
}

fn without_state(path: &Path, error: &str) -> Value {
    json!({ "mountpoint": path.to_string_lossy(), "error": error })
}

fn finish(printed: io::Result<()>) -> ExitCode {
    match printed {
        Err(error) => Failure::from(&error).into(),
        Ok(()) => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_without_its_daemon_is_listed_with_the_error() {
        let path = PathBuf::from("/m");
        let gone = ControlError::Gone { path: path.clone() };
        let found = [(path, Err(gone))];
        let mut out = Vec::new();
        print_list(&found, &mut out).unwrap();
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains("served /m is gone")
        );
        let mut out = Vec::new();
        print_json(&found, &mut out).unwrap();
        let listed: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(listed[0]["mountpoint"], "/m");
        assert!(listed[0]["error"].is_string());
    }

    #[test]
    fn without_mounts_the_list_says_so() {
        let mut out = Vec::new();
        print_list(&[], &mut out).unwrap();
        assert_eq!(out, b"nothing is mounted\n");
    }
}
