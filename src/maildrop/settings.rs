//! What the maildrop needs to know.

use std::time::Duration;

use crate::maildrop::connection::pipelining::Pipeline;
use crate::maildrop::login::Login;

/// What the maildrop needs to know.
#[derive(Debug)]
pub struct Settings {
    /// How to log in.
    pub login: Login,
    /// After so long without use the session is closed.
    pub idle_timeout: Duration,
    /// How often the server hears from an unused session, which then is not closed.
    pub keepalive: Option<Duration>,
    /// A listing older than this is renewed when the directory is read.
    pub refresh: Duration,
    /// How many commands may be in flight.
    pub pipeline: Pipeline,
    /// The most octets of bodies kept in memory.
    pub memory: u64,
    /// The most octets of one body.
    pub max_message: u64,
    /// The most messages that one commit deletes if the removing program had not read them; none for any number.
    pub max_delete: Option<u32>,
    /// Where the mtime of a message comes from.
    pub dating: Dating,
    /// What a message of these headers is called for people.
    pub titling: fn(&[u8]) -> String,
    /// What else is kept of the headers; none where nothing is.
    pub outlining: Option<fn(&[u8]) -> String>,
}

/// Where the mtime of a message comes from.
#[derive(Debug)]
pub enum Dating {
    /// From the headers, in Unix seconds; where they tell nothing, the first time that the message was seen.
    Headers(fn(&[u8]) -> Option<i64>),
    /// The first time that the message was seen: nothing is asked for.
    FirstSeen,
}

impl Dating {
    /// Unix seconds out of headers; none where they tell nothing, or are not asked.
    pub(crate) fn of(&self, headers: &[u8]) -> Option<i64> {
        match self {
            Dating::Headers(date) => date(headers),
            Dating::FirstSeen => None,
        }
    }
}
