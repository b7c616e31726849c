//! `pop3fs umount` and `pop3fs commit`. On a terminal they say what will be deleted, and ask for consent where the delete
//! limit holds it back.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::commands::answer::{Format, print, respond};
use crate::cli::control::sentences::first;
use crate::cli::control::{ControlResponse, Request, RequestOutcome, ask};
use crate::maildrop::{Consent, Farewell, Held};

/// `pop3fs umount DIR`: unmounts, and waits until the deletions are committed or discarded.
pub fn umount(dir: &Path, farewell: Farewell) -> ExitCode {
    conclude(dir, &Request::Umount { farewell })
}

/// `pop3fs commit DIR`: waits until the deletions are committed.
pub fn commit(dir: &Path, consent: Consent) -> ExitCode {
    conclude(dir, &Request::Commit { consent })
}

fn conclude(dir: &Path, request: &Request) -> ExitCode {
    if is_terminal() && *request != DISCARD {
        announce(dir);
    }
    let mut response = respond(ask(dir, request));
    if response.outcome == RequestOutcome::Held {
        response = match consent_of_the_user(&response, request) {
            Some(consented) => respond(ask(dir, &consented)),
            None => refused(response, request),
        };
    }
    print(&response, Format::Text)
}

const DISCARD: Request = Request::Umount {
    farewell: Farewell::Discard,
};

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Says what will be deleted, while the user can still press Ctrl-C. Errors are left to the request that follows.
fn announce(dir: &Path) {
    let status = ask(dir, &Request::Status).ok();
    let pending = status
        .and_then(|response| response.status)
        .map(|status| status.pending);
    if let Some(names) = pending.filter(|names| !names.is_empty()) {
        eprintln!("to be deleted on the server: {}", first(&names));
    }
}

/// Asks the user. Returns the request with consent, or another request; none for no, or without a terminal.
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

fn refused(mut held: ControlResponse, request: &Request) -> ControlResponse {
    held.lines.push(match request {
        Request::Umount { .. } => {
            "nothing was deleted, and it is still mounted: `pop3fs umount --yes DIR` deletes them, `pop3fs umount --discard DIR` leaves them on the server, `pop3fs restore DIR` takes them back (-o max_delete= sets what needs no --yes)".to_owned()
        }
        _ => format!(
            "nothing was deleted: {} (-o max_delete= sets what needs no --yes)",
            Held::WAYS_OUT
        ),
    });
    held
}
