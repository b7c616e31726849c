//! What the control socket is asked, and answered.

use std::sync::Arc;

use parking_lot::Mutex;

use super::control::{self, Outcome, Reply, Request, Response};
use crate::fs::mount::{Mount, Unmount};
use crate::maildrop::{Connection, Fault, Maildrop, Standing, Verdict, Waiter};
use crate::net::Protection;

/// Clients of `pop3fs umount`, who are told the verdict at the end.
#[derive(Default)]
pub(super) struct Leavers(Mutex<Vec<Reply>>);

impl Leavers {
    pub(super) fn tell(&self, response: &Response) {
        for reply in self.0.lock().drain(..) {
            reply.send(response);
        }
    }
}

/// Answers the control socket.
pub(super) struct Handler {
    pub(super) source: String,
    pub(super) maildrop: Arc<Maildrop>,
    pub(super) mount: Mount,
    pub(super) leavers: Arc<Leavers>,
}

impl Handler {
    pub(super) fn handle(&self, request: Request, reply: Reply) {
        match request {
            Request::Umount => self.umount(reply),
            Request::Commit => self.maildrop.commit(Waiter::new(
                || true,
                move |verdict| reply.send(&verdict_in_words(verdict)),
            )),
            Request::Restore { names } => reply.send(&self.restore(names)),
            Request::Status => reply.send(&Response::status(self.status())),
        }
    }

    fn umount(&self, reply: Reply) {
        // Before the mount goes, or the end might come first.
        self.leavers.0.lock().push(reply);
        if let Err(error) = self.mount.unmount(Unmount::IfIdle) {
            self.leavers
                .tell(&Response::failed(format!("{error}; nothing was committed")));
        }
    }

    fn restore(&self, names: Vec<String>) -> Response {
        let names = if names.is_empty() {
            self.maildrop.pending()
        } else {
            names
        };
        let mut response = Response::done(String::new());
        response.lines.clear();
        for name in names {
            let found = self.maildrop.by_name(&name, Standing::Unlinked);
            match found.map(|id| self.maildrop.restore(id)) {
                Some(Ok(())) => response.lines.push(format!("{name} is back")),
                None | Some(Err(_)) => {
                    response.outcome = Outcome::Failed;
                    response
                        .lines
                        .push(format!("{name} is not among the pending deletions"));
                }
            }
        }
        response
    }

    fn status(&self) -> control::Status {
        let totals = self.maildrop.totals();
        let cached = self.maildrop.cached();
        let connection = self.maildrop.connection();
        let (session, tls) = match &connection {
            Connection::Open(Protection::Tls) => (control::Session::Open, Some("TLS".to_owned())),
            Connection::Open(Protection::Clear) => (control::Session::Open, None),
            Connection::Closed | Connection::Failed(_) => (control::Session::Closed, None),
        };
        let fault = match connection {
            Connection::Failed(fault) => Some(fault.to_string()),
            Connection::Open(_) | Connection::Closed => None,
        };
        control::Status {
            source: self.source.clone(),
            mountpoint: self.mount.mountpoint().to_owned(),
            pid: std::process::id(),
            messages: totals.messages,
            octets: totals.octets,
            listing_age_seconds: Some(self.maildrop.listing_age().as_secs()),
            session,
            fault,
            tls,
            pending: self.maildrop.pending(),
            cached: control::Cached {
                messages: cached.messages,
                octets: cached.octets,
            },
        }
    }
}

/// What `pop3fs umount` and `pop3fs commit` say.
pub(super) fn verdict_in_words(verdict: Result<Verdict, Fault>) -> Response {
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(fault) => {
            let known = match fault {
                Fault::OutcomeUnknown(_) => "it is not known whether the deletions were committed",
                _ => "the deletions were not committed",
            };
            let mut response = Response::failed(format!("{known}: {fault}"));
            response.lines.push(
                "what was removed here may still be on the server, and is shown at the next mount"
                    .to_owned(),
            );
            return response;
        }
    };
    let mut response = Response::done(match (verdict.deleted, verdict.gone) {
        (0, 0) if verdict.is_complete() => "nothing was to be deleted".to_owned(),
        (deleted, 0) => format!("{} deleted on the server", messages(deleted)),
        (deleted, gone) => format!(
            "{} deleted on the server, {gone} were gone already",
            messages(deleted)
        ),
    });
    for kept in &verdict.kept {
        response.outcome = Outcome::Failed;
        response.lines.push(format!(
            "{} is still on the server: {}",
            kept.name, kept.reason
        ));
    }
    response
}

fn messages(count: usize) -> String {
    match count {
        1 => "1 message".to_owned(),
        _ => format!("{count} messages"),
    }
}
