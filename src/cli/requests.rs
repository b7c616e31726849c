//! What the control socket is asked, and answered.

use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;

use super::control::{Outcome, Reply, Request, Response};
use super::deletions::first;
use super::failure::Failure;
use super::status::status;
use crate::fs::mount::{Mount, Unmount, UnmountError};
use crate::maildrop::{
    Consent, Farewell, Fault, Fetched, Held, Maildrop, Part, Standing, Verdict, Waiter,
};

/// The messages that are told of a fetch that they failed.
const MOST_FAILURES: usize = 10;

/// The client of `pop3fs umount` that has ended the mount, if it was one: it is told the verdict at the end.
#[derive(Default)]
pub(super) struct Leaver(Mutex<Option<(Farewell, Reply)>>);

impl Leaver {
    /// Unmounts for a client. The end finds it here, and not before the mount is gone.
    fn leave(
        &self,
        farewell: Farewell,
        reply: Reply,
        unmount: impl FnOnce() -> Result<(), UnmountError>,
    ) {
        let mut leaver = self.0.lock();
        match unmount() {
            Ok(()) => *leaver = Some((farewell, reply)),
            Err(error) => {
                let said = format!("{error}; nothing was committed");
                reply.send(&Response::failed(Failure::from(&error), said));
            }
        }
    }

    /// What becomes of the pending deletions: they are committed, unless the client wants otherwise.
    pub(super) fn farewell(&self) -> Farewell {
        let leaver = self.0.lock();
        leaver
            .as_ref()
            .map_or(Farewell::Commit(Consent::Unsaid), |(farewell, _)| *farewell)
    }

    pub(super) fn tell(&self, response: &Response) {
        if let Some((_, reply)) = self.0.lock().take() {
            reply.send(response);
        }
    }
}

/// Answers the control socket.
pub(super) struct Handler {
    pub(super) source: String,
    pub(super) maildrop: Arc<Maildrop>,
    pub(super) mount: Mount,
    pub(super) leaver: Arc<Leaver>,
}

impl Handler {
    pub(super) fn handle(&self, request: Request, reply: Reply) {
        match request {
            Request::Umount { farewell } => self.umount(farewell, reply),
            Request::Commit { consent } => self.commit(consent, reply),
            Request::Fetch { part } => self.fetch(part, reply),
            Request::Restore { names } => reply.send(&self.restore(names)),
            Request::Status => reply.send(&Response::status(status(
                &self.source,
                self.mount.mountpoint(),
                &self.maildrop,
            ))),
        }
    }

    /// Where the commit would be held back the mount stays: what is pending is forgotten with it.
    fn umount(&self, farewell: Farewell, reply: Reply) {
        if farewell == Farewell::Commit(Consent::Unsaid)
            && let Some(held) = self.maildrop.held_back()
        {
            return reply.send(&held_in_words(&held, &self.maildrop.pending()));
        }
        self.leaver
            .leave(farewell, reply, || self.mount.unmount(Unmount::IfIdle));
    }

    fn commit(&self, consent: Consent, reply: Reply) {
        let maildrop = Arc::clone(&self.maildrop);
        let answer = move |verdict| match verdict {
            Err(Fault::HeldBack(held)) => reply.send(&held_in_words(&held, &maildrop.pending())),
            verdict => reply.send(&verdict_in_words(verdict)),
        };
        self.maildrop.commit(consent, Waiter::new(|| true, answer));
    }

    /// On the thread of the client, who ends it by going away.
    fn fetch(&self, part: Part, mut reply: Reply) {
        let fetched = self
            .maildrop
            .fetch(part, &mut |progress| match reply.going(progress) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            });
        reply.send(&match fetched {
            Ok(fetched) => fetched_in_words(&fetched),
            Err(error) => Response::refused(&error),
        });
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
                    response.outcome = Outcome::Failed(Failure::Usage);
                    response
                        .lines
                        .push(format!("{name} is not among the pending deletions"));
                }
            }
        }
        response
    }
}

/// What `pop3fs fetch` says at its end.
fn fetched_in_words(fetched: &Fetched) -> Response {
    let mut response = Response::done(format!(
        "{} fetched, {} were there already",
        messages(usize::try_from(fetched.fetched).unwrap_or(usize::MAX)),
        fetched.present
    ));
    // The first is what the others come of.
    let mut fail = |failure: Failure, line: String| {
        if response.outcome == Outcome::Done {
            response.outcome = Outcome::Failed(failure);
        }
        response.lines.push(line);
    };
    if let Some(fault) = &fetched.stopped {
        fail(
            fault.into(),
            format!(
                "it stopped: {fault}. What was fetched is kept, and `pop3fs fetch DIR` goes on from there"
            ),
        );
    }
    for (name, fault) in fetched.failed.iter().take(MOST_FAILURES) {
        fail(fault.into(), format!("{name}: {fault}"));
    }
    if let Some(more @ 1..) = fetched.failed.len().checked_sub(MOST_FAILURES) {
        fail(Failure::Other, format!("{more} more have failed"));
    }
    if let unkept @ 1.. = fetched.unkept {
        fail(
            Failure::System,
            format!("{unkept} of them are not in the cache: is its disk full?"),
        );
    }
    response
}

/// What is said of a commit that is held back; the client says what can be done.
fn held_in_words(held: &Held, pending: &[String]) -> Response {
    Response::held(vec![format!("{held}: {}", first(pending))])
}

/// The messages that were to be deleted when a mount ended.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    pub(super) before: usize,
    /// After its last commit, if there was one.
    pub(super) left: usize,
}

/// What the end of a mount says.
pub(super) fn farewell_in_words(
    farewell: Farewell,
    pending: Pending,
    verdict: Result<Verdict, Fault>,
) -> Response {
    let Pending { before, left } = pending;
    match (farewell, verdict) {
        (Farewell::Discard, _) if left < before => Response::done(format!(
            "a commit was under way: {} deleted on the server, {} removed here stay there",
            messages(before - left),
            messages(left)
        )),
        (Farewell::Discard, _) if before > 0 => Response::done(format!(
            "nothing was deleted: {} removed here stay on the server",
            messages(before)
        )),
        (_, Err(Fault::HeldBack(held))) => Response::failed(
            Failure::HeldBack,
            format!(
                "{held}: nothing was deleted. `pop3fs umount --yes DIR` would have deleted them; -o max_delete=NUMBER sets how many may go unread, and -o max_delete=off lets everything through"
            ),
        ),
        (_, verdict) => verdict_in_words(verdict),
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
            let mut response = Response::failed(Failure::Uncommitted, format!("{known}: {fault}"));
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
        response.outcome = Outcome::Failed(Failure::Uncommitted);
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
