//! `pop3fs umount` and `pop3fs commit`. On a terminal they say what will be deleted, and ask for
//! consent where the delete limit holds it back.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::commands::answer::{print, respond};
use crate::cli::commands::status::own_mounts;
use crate::cli::control::{ControlResponse, MountStatus, Request, RequestOutcome, ask};
use crate::cli::failure::refuse;
use crate::cli::shown;
use crate::maildrop::{Consent, Farewell};

/// How many messages are named before a commit.
const MOST_NAMES: usize = 3;

/// `pop3fs umount DIR`: unmounts, and waits until the deletions are committed or discarded.
pub fn umount(dir: &Path, farewell: Farewell) -> ExitCode {
    print(&conclude(dir, &Request::Umount { farewell }))
}

/// `pop3fs umount --all`: unmounts all of the user's mounts. Returns the exit status of the last
/// failure.
pub fn umount_all(farewell: Farewell) -> ExitCode {
    let mounts = match own_mounts() {
        Ok(mounts) => mounts,
        Err(error) => return refuse(&error),
    };
    let mut status = ExitCode::SUCCESS;
    for mount in mounts {
        let mut response = conclude(&mount.path, &Request::Umount { farewell });
        for line in &mut response.lines {
            *line = format!("{}: {line}", mount.path.display());
        }
        let printed = print(&response);
        if response.failure().is_some() {
            status = printed;
        }
    }
    status
}

/// `pop3fs commit DIR`: waits until the deletions are committed.
pub fn commit(dir: &Path, consent: Consent) -> ExitCode {
    print(&conclude(dir, &Request::Commit { consent }))
}

fn conclude(dir: &Path, request: &Request) -> ControlResponse {
    if is_terminal() && *request != DISCARD {
        announce(dir);
    }
    let response = respond(ask(dir, request));
    if response.outcome != RequestOutcome::Held {
        return response;
    }
    match consent_of_the_user(&response, request) {
        Some(consented) => respond(ask(dir, &consented)),
        None => refused(response, request, dir),
    }
}

const DISCARD: Request = Request::Umount {
    farewell: Farewell::Discard,
};

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Says what will be deleted, while the user can still press Ctrl-C. Errors are left to the request
/// that follows, and so are deletions that are held back.
fn announce(dir: &Path) {
    let status = ask(dir, &Request::Status).ok();
    let status = status.and_then(|response| response.status);
    if let Some(MountStatus {
        pending,
        held: None,
        ..
    }) = status
        && !pending.is_empty()
    {
        eprintln!(
            "deleting on the server: {}",
            shown::first(&pending, MOST_NAMES)
        );
    }
}

/// Asks the user. Returns the request with consent, or another request; none for no, or without a
/// terminal.
fn consent_of_the_user(held: &ControlResponse, request: &Request) -> Option<Request> {
    if !is_terminal() {
        return None;
    }
    let question = match request {
        Request::Umount { .. } => {
            "Delete them? [y]es, [k]eep them on the server and unmount, [N]o: "
        }
        _ => "Delete them? [y/N]: ",
    };
    eprint!("{}.\n{question}", held.lines.join("; "));
    let _the_question_shows_or_not = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    match (answer.trim().to_lowercase().as_str(), request) {
        ("y" | "yes", Request::Umount { .. }) => Some(Request::Umount {
            farewell: Farewell::Commit(Consent::Given),
        }),
        ("y" | "yes", _) => Some(Request::Commit {
            consent: Consent::Given,
        }),
        ("k" | "keep", Request::Umount { .. }) => Some(DISCARD),
        _ => None,
    }
}

fn refused(mut held: ControlResponse, request: &Request, dir: &Path) -> ControlResponse {
    let dir = shown::path(dir);
    held.lines.push(match request {
        Request::Umount { .. } => format!(
            "nothing was deleted, and it is still mounted: `pop3fs umount --yes {dir}` deletes them, `pop3fs umount --discard {dir}` leaves them on the server, `pop3fs restore {dir}` takes them back (-o max_delete= sets what needs no --yes)"
        ),
        _ => format!(
            "nothing was deleted: `pop3fs commit --yes {dir}` deletes them, `pop3fs restore {dir}` takes them back (-o max_delete= sets what needs no --yes)"
        ),
    });
    held
}
