//! Answers the requests on the control socket.

use std::ops::ControlFlow;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cli::control::report::status;
use crate::cli::control::search::search;
use crate::cli::control::sentences::{
    delayed_in_words, fetched_in_words, held_in_words, verdict_in_words,
};
use crate::cli::control::watch::{Watchers, watch};
use crate::cli::control::{ControlReply, ControlResponse, MountStatus, Request, RequestOutcome};
use crate::cli::daemon::mirror::Mirror;
use crate::cli::failure::{Advice, Failure};
use crate::fs::Searches;
use crate::fs::mount::{Mount, Unmount, UnmountError};
use crate::maildrop::{Consent, Depth, Farewell, Fault, Maildrop, Standing, Waiter};

/// The client of `pop3fs umount` that has ended the mount, if there is one. It gets the verdict at
/// the end.
#[derive(Default)]
pub(in crate::cli) struct Leaver(Mutex<Option<(Farewell, ControlReply)>>);

impl Leaver {
    /// Unmounts for a client, and remembers it for the end of the mount.
    fn leave(
        &self,
        farewell: Farewell,
        reply: ControlReply,
        unmount: impl FnOnce() -> Result<(), UnmountError>,
    ) {
        let mut leaver = self.0.lock();
        match unmount() {
            Ok(()) => *leaver = Some((farewell, reply)),
            Err(error) => {
                let said = format!("{error}; nothing was committed");
                reply.send(&ControlResponse::failed(Failure::from(&error), said));
            }
        }
    }

    /// Whether to commit the pending deletions: yes, unless the client asked to discard them.
    pub(in crate::cli) fn farewell(&self) -> Farewell {
        let leaver = self.0.lock();
        leaver
            .as_ref()
            .map_or(Farewell::Commit(Consent::Unsaid), |(farewell, _)| *farewell)
    }

    pub(in crate::cli) fn tell(&self, response: &ControlResponse) {
        if let Some((_, reply)) = self.0.lock().take() {
            reply.send(response);
        }
    }
}

/// Answers the control socket.
pub(in crate::cli) struct RequestHandler {
    pub(in crate::cli) source: String,
    pub(in crate::cli) maildrop: Arc<Maildrop>,
    pub(in crate::cli) searches: Option<Arc<Searches>>,
    pub(in crate::cli) mount: Mount,
    pub(in crate::cli) leaver: Arc<Leaver>,
    pub(in crate::cli) watchers: Watchers,
    pub(in crate::cli) mirror: Option<Arc<Mirror>>,
}

impl RequestHandler {
    pub(in crate::cli) fn handle(&self, request: Request, reply: ControlReply) {
        match request {
            Request::Umount { farewell } => self.umount(farewell, reply),
            Request::Commit { consent } => self.commit(consent, reply),
            Request::Fetch { depth } => self.fetch(depth, reply),
            Request::Search { query, detail } => {
                let searches = self.searches.as_ref();
                reply.send(&search(&self.maildrop, searches, &query, detail));
            }
            Request::Watch => watch(&self.maildrop, &self.watchers, reply),
            Request::Restore { names } => reply.send(&self.restore(names)),
            Request::Status => reply.send(&ControlResponse::status(MountStatus {
                watches: self.watchers.count() as u64,
                mirror: self.mirror.as_ref().map(|mirror| mirror.progress()),
                ..status(
                    &self.source,
                    self.mount.mountpoint(),
                    &self.maildrop,
                    self.searches.as_deref(),
                )
            })),
        }
    }

    /// Stays mounted where the commit would be held back: an unmount would forget the pending
    /// deletions.
    fn umount(&self, farewell: Farewell, reply: ControlReply) {
        if farewell == Farewell::Commit(Consent::Unsaid)
            && let Some(held) = self.maildrop.held_back()
        {
            return reply.send(&held_in_words(&held, &self.maildrop.pending()));
        }
        if matches!(farewell, Farewell::Commit(_))
            && let Some(delay) = self.maildrop.commit_delay()
        {
            return reply.send(&delayed_in_words(delay, self.maildrop.pending_count()));
        }
        self.leaver
            .leave(farewell, reply, || self.mount.unmount(Unmount::IfIdle));
    }

    fn commit(&self, consent: Consent, reply: ControlReply) {
        let maildrop = Arc::clone(&self.maildrop);
        let answer = move |verdict| match verdict {
            Err(Fault::HeldBack(held)) => reply.send(&held_in_words(&held, &maildrop.pending())),
            verdict => reply.send(&verdict_in_words(verdict)),
        };
        self.maildrop.commit(consent, Waiter::new(|| true, answer));
    }

    /// Runs on the thread of the client. Ends when the client goes away.
    fn fetch(&self, depth: Depth, mut reply: ControlReply) {
        let fetched = self.maildrop.fetch(depth, &mut |progress| match reply
            .going(&ControlResponse::going(progress))
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        reply.send(&match fetched {
            Ok(fetched) => fetched_in_words(&fetched, self.mount.mountpoint()),
            Err(error) => ControlResponse::failed(Failure::from(&error), error.sentence()),
        });
    }

    fn restore(&self, names: Vec<String>) -> ControlResponse {
        let names = if names.is_empty() {
            self.maildrop.pending()
        } else {
            names
        };
        let mut response = ControlResponse::of(RequestOutcome::Done, Vec::new());
        for name in names {
            let found = self.maildrop.by_name(&name, Standing::Unlinked);
            match found.map(|id| self.maildrop.restore(id)) {
                Some(Ok(())) => response.lines.push(format!("{name} is back")),
                Some(Err(fault @ Fault::Unforgotten(_))) => {
                    response.outcome = RequestOutcome::Failed(Failure::from(&fault));
                    response.lines.push(format!("{name}: {fault}"));
                }
                None | Some(Err(_)) => {
                    response.outcome = RequestOutcome::Failed(Failure::Usage);
                    response
                        .lines
                        .push(format!("{name} is not among the pending deletions"));
                }
            }
        }
        response
    }
}
