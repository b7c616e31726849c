//! The control socket: how `pop3fs umount`, `commit`, `restore` and `status` reach the daemon
//! behind a mount.
//!
//! It lies outside the mount, so that it works while the server hangs and after the unmount. Its
//! name is `MAJOR:MINOR-PID.sock`: two daemons can have the same device number while one of them
//! still commits after its unmount.
//!
//! The client sends a [`Request`] as a line of JSON, and the daemon answers with a
//! [`ControlResponse`] when it is done. Responses about the progress of a fetch or of a watch,
//! [`RequestOutcome::Going`], may precede it.

mod ask;
mod folder;
pub(super) mod report;
pub(super) mod search;
pub(super) mod sentences;
mod server;
mod status;
pub(super) mod watch;

use std::fmt::Display;

use serde::{Deserialize, Serialize};

pub(super) use ask::{ControlError, ask, ask_for_long, ask_to_watch};
#[cfg(test)]
pub(super) use search::FoundRow;
pub(super) use search::{SearchDetail, SearchReport};
pub(super) use server::{ControlReply, ControlServing, Server};
pub(super) use status::{
    Cached, MountStatus, OfflineStatus, Opens, PastEvent, SessionStatus, StoredBodies,
};

pub(super) use watch::{ChangeKind, MessageChange};

use crate::cli::failure::Failure;
use crate::maildrop::{Consent, Depth, Farewell, Progress};

/// The longest request, in octets: a `Restore` may name thousands of messages. An answer may be of
/// any length.
const LONGEST_REQUEST: u64 = 8 * 1024 * 1024;

/// A request of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Unmount unless the mount is in use, then commit or discard. The answer comes at the end.
    Umount {
        /// What becomes of the pending deletions.
        farewell: Farewell,
    },
    /// Commit the pending deletions. The answer comes after the commit.
    Commit {
        /// Whether the user has agreed to exceed the delete limit.
        consent: Consent,
    },
    /// Take pending deletions back.
    Restore {
        /// Names as `.deleted` lists them; empty for all.
        names: Vec<String>,
    },
    /// Fetch into the cache what is missing there. Progress and an answer come.
    Fetch {
        /// How much of each message.
        depth: Depth,
    },
    /// Find messages.
    Search {
        /// As the user writes it.
        query: String,
        /// How much to tell of each message.
        detail: SearchDetail,
    },
    /// Tell of each message that arrives or departs, until the mount ends.
    Watch,
    /// Describe the state of the mount.
    Status,
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ControlResponse {
    /// Whether all of it was done.
    pub outcome: RequestOutcome,
    /// Sentences for the user.
    #[serde(default)]
    pub lines: Vec<String>,
    /// The answer to [`Request::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MountStatus>,
    /// The answer to [`Request::Search`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchReport>,
    /// The progress of a fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What a watch has noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<MessageChange>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RequestOutcome {
    /// All was done.
    Done,
    /// Not all was done: the lines say what is left.
    Failed(Failure),
    /// Not done yet: another response follows.
    Going,
    /// The delete limit holds the deletions back: the lines say why. The client may ask again with
    /// the consent of the user.
    Held,
}

impl ControlResponse {
    /// An answer of sentences only.
    pub(super) fn of(outcome: RequestOutcome, lines: Vec<String>) -> Self {
        Self {
            outcome,
            lines,
            status: None,
            search: None,
            progress: None,
            change: None,
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

    /// The exit status, where it was not all done.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self.outcome {
            RequestOutcome::Done => None,
            RequestOutcome::Failed(failure) => Some(failure),
            RequestOutcome::Held => Some(Failure::HeldBack),
            // The daemon ended before the last response.
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

    /// The answer to [`Request::Search`].
    pub(super) fn found(report: SearchReport) -> Self {
        Self {
            search: Some(report),
            ..Self::of(RequestOutcome::Done, Vec::new())
        }
    }

    /// What a watch has noticed.
    pub(super) fn changed(change: MessageChange) -> Self {
        Self {
            change: Some(change),
            ..Self::of(RequestOutcome::Going, Vec::new())
        }
    }

    /// Progress.
    pub(super) fn going(progress: Progress) -> Self {
        Self {
            progress: Some(progress),
            ..Self::of(RequestOutcome::Going, Vec::new())
        }
    }
}
