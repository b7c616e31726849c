//! How a mount stands, as it goes over the control socket and as `pop3fs status --json` prints it.

use serde::{Deserialize, Serialize};

/// How a mount stands. Programs read it, so fields are added but never renamed. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct MountStatus {
    /// The URL of the maildrop.
    pub source: String,
    /// Where it is mounted, with U+FFFD for what is not UTF-8.
    pub mountpoint: String,
    /// The daemon's process.
    pub pid: u32,
    /// In the listing.
    pub messages: u64,
    /// Of these messages, by LIST or, where it is known, exactly.
    pub octets: u64,
    /// Since the listing was last renewed; none before the first.
    pub listing_age_seconds: Option<u64>,
    /// Whether a session is open now.
    pub session: SessionStatus,
    /// Why the last attempt to open one failed; none where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What really protects the session, as `TLSv1.3`; none in clear or without a session.
    pub tls: Option<String>,
    /// How the user has proven who they are, as `SCRAM-SHA-256`; none without a session.
    pub login: Option<String>,
    /// What the server announced; none without a session.
    pub capabilities: Option<String>,
    /// What is asked for and has not come.
    pub in_flight: u64,
    /// The names of removed messages that are not deleted on the server yet.
    pub pending: Vec<String>,
    /// Why the safety valve would hold a commit back; none where it would not.
    pub held: Option<String>,
    /// The bodies in memory.
    pub cached: Cached,
    /// The bodies on disk; none with `cache=off`.
    pub disk: Option<Stored>,
    /// How often messages were opened.
    pub opens: Opens,
    /// The last commit that had something to delete.
    pub last_commit: Option<PastEvent>,
    /// The last thing that went wrong.
    pub last_error: Option<PastEvent>,
}

/// Whether a session with the server is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum SessionStatus {
    /// It is opened again on demand.
    #[default]
    Closed,
    /// Logged in.
    Open,
}

/// Bodies at hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Cached {
    /// How many messages.
    pub messages: u64,
    /// How many octets.
    pub octets: u64,
}

/// Bodies on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Stored {
    /// How many messages.
    pub messages: u64,
    /// How many octets, with those around them and of what no longer holds.
    pub octets: u64,
    /// The most octets.
    pub limit: u64,
}

/// Messages opened by programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Opens {
    /// How often.
    pub total: u64,
    /// How often the body was at hand, in memory or on disk.
    pub hits: u64,
}

/// Something that has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct PastEvent {
    /// When it ended.
    pub at: u64,
    /// Whether it was a failure.
    pub failed: bool,
    /// Sentences about it.
    pub lines: Vec<String>,
}
