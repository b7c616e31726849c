//! The settings of a maildrop.

use std::time::Duration;

use crate::maildrop::connection::pipelining::Pipeline;
use crate::maildrop::login::Login;

/// The settings of a maildrop.
#[derive(Debug)]
pub struct Settings {
    /// How to log in.
    pub login: Login,
    /// The engine closes a session that was unused for this long.
    pub idle_timeout: Duration,
    /// How often the engine sends NOOP in an unused session. If set, the engine keeps unused
    /// sessions open.
    pub keepalive: Option<Duration>,
    /// When a program reads the directory, the engine renews a listing older than this.
    pub refresh: Duration,
    /// How many commands may be in flight.
    pub pipeline: Pipeline,
    /// The limit on the bodies kept in memory, in octets.
    pub memory: u64,
    /// The limit on the size of one body, in octets.
    pub max_message: u64,
    /// How many messages one commit may delete that the removing program had not read. `None` for
    /// no limit.
    pub max_delete: Option<u32>,
    /// What a mount does while its server is away.
    pub offline: OfflineMode,
    /// Whether a mount that begins waits this long, because the server demands a pause after an
    /// earlier login (LOGIN-DELAY).
    pub at_login_delay: fn(Duration) -> LoginPatience,
    /// Where the mtime of a message comes from.
    pub dating: Dating,
    /// Makes a readable title for a message from its headers.
    pub titling: fn(&[u8]) -> String,
    /// Makes the outline of the headers that is kept. `None` if none is kept.
    pub outlining: Option<fn(&[u8]) -> String>,
}

/// What a mount does while its server cannot be reached or is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfflineMode {
    /// It cannot begin then, and its end forgets removals that it could not commit.
    Off,
    /// It begins with the last listing, tries to log in again and again, and has the next mount
    /// remember removals that it could not commit.
    Auto,
}

/// Whether a mount that begins waits until the server allows a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginPatience {
    /// It waits.
    Wait,
    /// It ends, and says how long to wait.
    Fail,
}

/// Where the mtime of a message comes from.
#[derive(Debug)]
pub enum Dating {
    /// The date in the headers, in Unix seconds. If the headers have none, the time at which a
    /// listing first had the message.
    Headers(fn(&[u8]) -> Option<i64>),
    /// The time at which a listing first had the message. No headers are fetched for dates.
    FirstSeen,
}

impl Dating {
    /// The date in the headers, in Unix seconds. `None` if they have none or are not used.
    pub(crate) fn of(&self, headers: &[u8]) -> Option<i64> {
        match self {
            Self::Headers(date) => date(headers),
            Self::FirstSeen => None,
        }
    }
}
