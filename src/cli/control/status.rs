//! The state of a mount, as the control socket carries it and `pop3fs status --json` prints it.

use serde::{Deserialize, Serialize};

use crate::maildrop::Progress;

/// The state of a mount. Programs read it: fields may be added, never renamed. Times are Unix
/// seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct MountStatus {
    /// The URL of the maildrop.
    pub source: String,
    /// Where it is mounted, with U+FFFD for what is not UTF-8.
    pub mountpoint: String,
    /// The daemon's process.
    pub pid: u32,
    /// Messages in the listing.
    pub messages: u64,
    /// Their size: exact where it is known, else as LIST says.
    pub octets: u64,
    /// Seconds since the listing was last renewed; none before the first listing.
    pub listing_age_seconds: Option<u64>,
    /// Whether the server is away, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineStatus>,
    /// Whether a session is open now.
    pub session: SessionStatus,
    /// Why the last attempt to open a session failed; none if it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The TLS version, as `TLSv1.3`; none in the clear or without a session.
    pub tls: Option<String>,
    /// The mechanism of the login, as `SCRAM-SHA-256`; none without a session.
    pub login: Option<String>,
    /// What the server announced; none without a session.
    pub capabilities: Option<String>,
    /// The server's replies were out of step before, so it gets one command at a time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_at_a_time: bool,
    /// Messages that were requested and have not arrived.
    pub in_flight: u64,
    /// The names of removed messages that are not deleted on the server yet.
    pub pending: Vec<String>,
    /// Their size: exact where it is known, else as LIST says.
    pub pending_octets: u64,
    /// How many of them a commit is deleting now.
    pub committing: u64,
    /// Why the delete limit would hold a commit back; none if it would not.
    pub held: Option<String>,
    /// The bodies in memory.
    pub cached: Cached,
    /// The bodies on disk; none with `cache=off`.
    pub disk: Option<StoredBodies>,
    /// How many messages can be searched; none with `index=off`.
    pub indexed: Option<u64>,
    /// How far the mirror is; none without `-o mirror`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Progress>,
    /// How many `pop3fs watch` are running. They have the listing renewed.
    pub watches: u64,
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

/// A mount whose server is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct OfflineStatus {
    /// Since when.
    pub since: u64,
    /// When the server sent the listing that is shown.
    pub listed: u64,
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
pub(in crate::cli) struct StoredBodies {
    /// How many messages.
    pub messages: u64,
    /// How many octets of disk, including bookkeeping and outdated bodies.
    pub octets: u64,
    /// The limit, in octets.
    pub limit: u64,
}

/// Messages opened by programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Opens {
    /// How often.
    pub total: u64,
    /// How often the body was in memory or on disk.
    pub hits: u64,
}

/// A past commit or fault.
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
