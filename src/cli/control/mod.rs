//! The control socket: how `pop3fs umount`, `commit`, `restore` and `status` reach the daemon behind a mount.
//!
//! It lies outside the mount, so that a hung server or an unmounted directory does not cut it off. Each daemon has a name
//! of its own, `MAJOR:MINOR-PID.sock`: two daemons can share a device number while one still commits after its unmount.
//!
//! A line of JSON goes each way: a [`Request`], and in its own time a [`ControlResponse`]. Responses that tell how far a fetch has
//! come, [`RequestOutcome::Going`], may come before.

mod ask;
mod folder;
pub(super) mod report;
pub(super) mod sentences;
mod server;
mod status;

use std::fmt::Display;

use serde::{Deserialize, Serialize};

pub(super) use ask::{ControlError, ask, ask_for_long};
pub(super) use server::{ControlReply, ControlServing, Server};
pub(super) use status::{Cached, MountStatus, Opens, PastEvent, SessionStatus, Stored};

use crate::cli::failure::Failure;
use crate::maildrop::{Consent, Depth, Farewell, Progress};

/// The longest line that a daemon takes, in octets: a `Restore` may name thousands of messages. Its answer may be of any
/// length: it may tell of every message.
const LONGEST_REQUEST: u64 = 8 * 1024 * 1024;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Unmount if nobody uses the mount, then commit or discard. Answered after that.
    Umount {
        /// What becomes of the pending deletions.
        farewell: Farewell,
    },
    /// Commit the pending deletions. Answered after the commit.
    Commit {
        /// Whether many that were never read may be among them.
        consent: Consent,
    },
    /// Take pending deletions back.
    Restore {
        /// As `.deleted` lists them; all if empty.
        names: Vec<String>,
    },
    /// Fetch what is missing into the cache. Answered while it goes on, and at the end.
    Fetch {
        /// Of each message.
        depth: Depth,
    },
    /// Tell how things are.
    Status,
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ControlResponse {
    /// Whether it was done, all of it.
    pub outcome: RequestOutcome,
    /// Sentences for the user.
    #[serde(default)]
    pub lines: Vec<String>,
    /// The answer to [`Request::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MountStatus>,
    /// How far a fetch has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestOutcome {
    /// As asked.
    Done,
    /// Not, or not wholly: the lines say what is left.
    Failed(Failure),
    /// Not yet: another response follows.
    Going,
    /// Not, for the safety valve holds the deletions back: the lines say why. The user may say yes.
    Held,
}

impl ControlResponse {
    /// With these sentences, and nothing else.
    pub(super) fn of(outcome: RequestOutcome, lines: Vec<String>) -> Self {
        Self {
            outcome,
            lines,
            status: None,
            progress: None,
        }
    }

    /// Done, with a sentence.
    pub(super) fn done(line: impl Into<String>) -> Self {
        Self::of(RequestOutcome::Done, vec![line.into()])
    }

    /// Failed, with a sentence that says what to do.
    pub(super) fn failed(failure: Failure, line: impl Into<String>) -> Self {
        Self::of(RequestOutcome::Failed(failure), vec![line.into()])
    }

    /// Failed by an error.
    pub(super) fn refused<E: Display>(error: &E) -> Self
    where
        for<'a> Failure: From<&'a E>,
    {
        Self::failed(error.into(), error.to_string())
    }

    /// Why it was not done, if it was not.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self.outcome {
            RequestOutcome::Done => None,
            RequestOutcome::Failed(failure) => Some(failure),
            RequestOutcome::Held => Some(Failure::HeldBack),
            // Nothing came behind it.
            RequestOutcome::Going => Some(Failure::Other),
        }
    }

    /// Held back, and why.
    pub(super) fn held(lines: Vec<String>) -> Self {
        Self::of(RequestOutcome::Held, lines)
    }

    /// The answer to [`Request::Status`].
    pub(super) fn status(status: MountStatus) -> Self {
        Self {
            status: Some(status),
            ..Self::of(RequestOutcome::Done, Vec::new())
        }
    }

    /// Not yet, but so far.
    pub(super) fn going(progress: Progress) -> Self {
        Self {
            progress: Some(progress),
            ..Self::of(RequestOutcome::Going, Vec::new())
        }
    }
}
