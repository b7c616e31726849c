//! One session in TRANSACTION state. Message numbers are valid only within one session.

pub(crate) mod headers;
pub(crate) mod numbers;
pub(crate) mod scan;
pub(crate) mod show;
pub(crate) mod shown;
pub(crate) mod terms;

use std::time::{Duration, Instant};

use crate::maildrop::catalogue::id::{ListingSerial, MessageId};
use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::quirks::{Notice, Quirks};
use crate::maildrop::fault::Fault;
use crate::maildrop::login::LoggedIn;
use crate::maildrop::login::mechanism::Method;
use crate::maildrop::session::numbers::Numbers;
use crate::maildrop::session::scan::{Listing, Scan};
use crate::maildrop::session::shown::ShownHeaders;
use crate::maildrop::session::terms::Terms;
use crate::maildrop::settings::Settings;
use crate::pop3::{Capabilities, Command, Expire, MessageNumber};

/// The most commands of a listing or a commit that may be in flight, whatever the user allows. A
/// commit of ten thousand deletions waits for one round trip before its QUIT then.
const MOST_IN_FLIGHT: usize = 32 * 1024;
/// How often to log in and list until a listing succeeds.
const MOST_LISTINGS: u32 = 64;
/// After this many timeouts a listing that fails is not tried again.
const MOST_TIMEOUTS: u32 = 8;
/// How long to wait for the server to close the connection after QUIT.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// A session. If it is dropped without [`Session::leave`], the connection closes without QUIT and
/// the server must delete nothing (RFC 1939 section 6).
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) capabilities: Capabilities,
    method: Method,
    numbers: Numbers,
    /// What it has shown, and was confirmed.
    pub(crate) shown: ShownHeaders,
    /// The client has sent RETR.
    pub(crate) has_retrieved: bool,
    retention: Retention,
    /// The server's replies were out of step in an earlier session.
    is_one_at_a_time: bool,
    /// How many commands of a listing or a commit may be in flight.
    ahead: usize,
    pub(crate) reason: OpenReason,
    /// Something was fetched in this session.
    pub(crate) made_progress: bool,
}

/// Why a session was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OpenReason {
    /// A request needed it.
    #[default]
    Demand,
    /// The server refused a message in the previous session. The message may be gone, so a new
    /// listing is needed.
    Refusal,
}

/// What QUIT does to messages that were retrieved but not deleted (RFC 2449 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retention {
    /// The server keeps them.
    Kept,
    /// The server may delete them, since it announces `EXPIRE 0`.
    Deleted,
    /// Unknown, because CAPA is not sent: an earlier connection ended on it, perhaps because of the
    /// network.
    Unknown,
    /// Not told: the server has no CAPA. Most such servers keep them. solid-pop3d with `ReadExpire
    /// 0` deletes them.
    Untold,
}

impl Session {
    /// Logs in and lists.
    pub(crate) fn open(
        settings: &Settings,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<(Self, Listing), Fault> {
        let logged_in = settings.login.open(last_heard, quirks)?;
        Self::enter(logged_in, settings, last_heard, quirks)
    }

    /// Lists the maildrop. If the connection fails with several commands in flight, or over one
    /// TOP, this logs in and lists again, in the end with one command at a time and without that
    /// TOP. It does not retry if the server announces LOGIN-DELAY.
    pub(crate) fn enter(
        mut logged_in: LoggedIn,
        settings: &Settings,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<(Self, Listing), Fault> {
        let give_up = Instant::now() + settings.login.timeout * MOST_TIMEOUTS;
        for _ in 1..MOST_LISTINGS {
            let before = (quirks.pipelining, quirks.tops.breaks());
            match Self::list(logged_in, settings, quirks) {
                Err(fault)
                    if (quirks.pipelining, quirks.tops.breaks()) != before
                        && quirks.login_delay.is_none()
                        && Instant::now() < give_up =>
                {
                    log::info!("logging in again to list the maildrop: {fault}");
                }
                entered => return entered,
            }
            logged_in = settings.login.open(last_heard, quirks)?;
        }
        Self::list(logged_in, settings, quirks)
    }

    /// Lists the maildrop once.
    fn list(
        logged_in: LoggedIn,
        settings: &Settings,
        quirks: &mut Quirks,
    ) -> Result<(Self, Listing), Fault> {
        let LoggedIn {
            mut link,
            capabilities,
            has_sent_capa,
            method,
        } = logged_in;
        let retention = Retention::announced(&capabilities, has_sent_capa, quirks);
        if retention == Retention::Deleted {
            quirks.tell(Notice::DeletesWhatWasRead);
        }
        let pipeline = quirks.pipelining.limit(settings.pipeline);
        let ahead = pipeline.most_in_flight(&capabilities, MOST_IN_FLIGHT);
        let scan = Scan {
            link: &mut link,
            quirks,
            ahead,
            max_message: settings.max_message,
            dating: &settings.dating,
        };
        let listing = scan.ask()?;
        let session = Self {
            link,
            capabilities,
            method,
            numbers: Numbers::default(),
            shown: ShownHeaders::default(),
            has_retrieved: false,
            retention,
            is_one_at_a_time: quirks.pipelining.is_out_of_step(),
            ahead,
            reason: OpenReason::Demand,
            made_progress: false,
        };
        Ok((session, listing))
    }

    /// Sets which message has which number in this session.
    pub(crate) fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// The number of a message in this session. `None` if its listing did not have the message.
    pub(crate) fn number_of(&self, message: MessageId) -> Option<MessageNumber> {
        self.numbers.of(message)
    }

    /// The serial number of this session's listing.
    pub(crate) fn serial(&self) -> ListingSerial {
        self.numbers.serial
    }

    /// How many messages of the maildrop the server did not name in this session.
    pub(crate) fn unnamed(&self) -> usize {
        self.numbers.unnamed
    }

    /// How many commands of a listing or a commit may be in flight.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// How the session is protected, and what the server announced.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            tls: self.link.stream().tls_version(),
            method: self.method,
            is_one_at_a_time: self.is_one_at_a_time,
            capabilities: self.capabilities.clone(),
        }
    }

    /// Whether QUIT is likely to delete messages that were only retrieved.
    pub(crate) fn deletes_what_was_read(&self) -> bool {
        matches!(self.retention, Retention::Deleted | Retention::Unknown)
    }

    /// Whether QUIT may delete messages that this session retrieved.
    pub(crate) fn must_not_quit(&self) -> bool {
        self.has_retrieved && self.retention != Retention::Kept
    }

    /// Whether deletions need another session. QUIT may delete what this one retrieved, or the server
    /// may refuse it if another client has changed the maildrop since the login. popa3d and
    /// solid-pop3d do so, and have no CAPA.
    pub(crate) fn must_not_commit(&self) -> bool {
        self.retention == Retention::Untold || self.must_not_quit()
    }

    /// Ends a session in which nothing is marked for deletion.
    ///
    /// QUIT releases the server's lock. But with `EXPIRE 0` (RFC 2449 section 6.7) QUIT may delete
    /// the messages that were retrieved, and Gmail may hide them. If that is so or not told, this
    /// closes the connection without QUIT. RFC 1939 section 6 promises that the server then removes
    /// nothing.
    pub(crate) fn leave(mut self) {
        if self.must_not_quit() {
            log::debug!(
                "closing the session without QUIT, which may delete messages that were read"
            );
            return;
        }
        if self.link.owed() > 0 {
            return;
        }
        if let Err(fault) = self.link.status(&Command::Quit, |_| ()) {
            log::debug!("QUIT: {fault}");
            return;
        }
        let _more = self.link.wait_for_close(Instant::now() + FAREWELL);
    }
}

impl Retention {
    /// What the server announces. If it announces nothing now, what it announced in an earlier
    /// session.
    fn announced(capabilities: &Capabilities, has_sent_capa: bool, quirks: &Quirks) -> Self {
        match capabilities.expire {
            Some(Expire::Days(0)) => Self::Deleted,
            // CAPA before the login does not count: its answer may differ for this user.
            _ if !has_sent_capa => Self::Unknown,
            None if quirks.has_told(Notice::DeletesWhatWasRead) => Self::Deleted,
            _ if capabilities.is_empty() => Self::Untold,
            _ => Self::Kept,
        }
    }
}
