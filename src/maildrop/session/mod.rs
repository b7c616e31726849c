//! One session in TRANSACTION state: the only place where a message has a number.

pub(crate) mod headers;
pub(crate) mod numbers;
pub(crate) mod scan;
pub(crate) mod terms;
pub(crate) mod top;

use std::time::{Duration, Instant};

use crate::maildrop::catalogue::id::{ListingSerial, MessageId};
use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::quirks::{CapaTime, Notice, Quirks};
use crate::maildrop::fault::Fault;
use crate::maildrop::login::LoggedIn;
use crate::maildrop::login::mechanism::Method;
use crate::maildrop::session::numbers::Numbers;
use crate::maildrop::session::scan::{Listing, Scan};
use crate::maildrop::session::terms::Terms;
use crate::maildrop::session::top::Top;
use crate::maildrop::settings::Settings;
use crate::pop3::{Capabilities, Command, Expire, MessageNumber};

/// The commands of a listing or a commit that may be in flight.
const MOST_IN_FLIGHT: usize = 256;
/// The longest wait for the server to close the connection after QUIT.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// A session. Dropped without [`Session::leave`] it ends without QUIT, and the server deletes nothing (RFC 1939 section 6).
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) capabilities: Capabilities,
    method: Method,
    numbers: Numbers,
    pub(crate) top: Top,
    /// A RETR was sent.
    pub(crate) has_retrieved: bool,
    retention: Retention,
    /// How many messages are in the maildrop and have no number here, since the server does not tell which they are.
    pub(crate) unnamed: usize,
    /// The server's replies were out of step in an earlier session.
    is_one_at_a_time: bool,
    /// How many commands of a listing or a commit may be in flight.
    ahead: usize,
    pub(crate) reason: OpenReason,
    /// Something was fetched in it.
    pub(crate) made_progress: bool,
}

/// Why a session was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OpenReason {
    /// Something was wanted.
    #[default]
    Demand,
    /// The session before refused a message, which might have gone.
    Refusal,
}

/// What QUIT does to messages that were only retrieved (RFC 2449 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retention {
    /// It leaves them.
    Kept,
    /// It may delete them: `EXPIRE 0`.
    Deleted,
    /// Nobody knows: CAPA is not asked for, since the connection once ended over it. That may have been the link's doing.
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
        Session::enter(logged_in, settings, last_heard, quirks)
    }

    /// Lists; once more, after another log-in, where that broke down over several commands, until the server is asked one at
    /// a time; but no log-in is sooner than LOGIN-DELAY.
    pub(crate) fn enter(
        mut logged_in: LoggedIn,
        settings: &Settings,
        last_heard: &LastHeard,
        quirks: &mut Quirks,
    ) -> Result<(Session, Listing), Fault> {
        loop {
            let pipelining = quirks.pipelining;
            match Session::list(logged_in, settings, quirks) {
                Err(fault) if quirks.pipelining != pipelining && quirks.login_delay.is_none() => {
                    log::info!("the headers are asked for again: {fault}");
                }
                entered => return entered,
            }
            logged_in = settings.login.open(last_heard, quirks)?;
        }
    }

    fn list(
        logged_in: LoggedIn,
        settings: &Settings,
        quirks: &mut Quirks,
    ) -> Result<(Session, Listing), Fault> {
        let LoggedIn {
            mut link,
            capabilities,
            method,
        } = logged_in;
        let retention = Retention::announced(&capabilities, quirks);
        if retention == Retention::Deleted {
            quirks.tell(Notice::DeletesWhatWasRead);
        }
        let pipeline = quirks.pipelining.limit(settings.pipeline);
        let ahead = pipeline.most_in_flight(&capabilities, MOST_IN_FLIGHT);
        let mut top = if capabilities.top {
            Top::Works
        } else {
            Top::Untried
        };
        let scan = Scan {
            link: &mut link,
            quirks,
            top: &mut top,
            ahead,
            max_message: settings.max_message,
            dating: &settings.dating,
        };
        let listing = scan.ask()?;
        let session = Session {
            link,
            capabilities,
            method,
            numbers: Numbers::default(),
            top,
            has_retrieved: false,
            retention,
            unnamed: listing.unnamed,
            is_one_at_a_time: quirks.pipelining.is_out_of_step(),
            ahead,
            reason: OpenReason::Demand,
            made_progress: false,
        };
        Ok((session, listing))
    }

    /// Keeps which message each number of the listing is.
    pub(crate) fn set_numbers(&mut self, numbers: Numbers) {
        self.numbers = numbers;
    }

    /// The number of a message in this session, none where its listing did not name it.
    pub(crate) fn number_of(&self, message: MessageId) -> Option<MessageNumber> {
        self.numbers.of(message)
    }

    /// Which listing of the mount this session gave.
    pub(crate) fn serial(&self) -> ListingSerial {
        self.numbers.serial
    }

    /// How many commands of a listing or a commit may be in flight.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// On what terms it stands.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            tls: self.link.stream().tls_version(),
            method: self.method,
            is_one_at_a_time: self.is_one_at_a_time,
            capabilities: self.capabilities.clone(),
        }
    }

    /// True where QUIT may delete what was only retrieved.
    pub(crate) fn deletes_what_was_read(&self) -> bool {
        self.retention != Retention::Kept
    }

    /// True where QUIT might delete what was only read.
    pub(crate) fn must_not_quit(&self) -> bool {
        self.has_retrieved && self.deletes_what_was_read()
    }

    /// Ends the session, with nothing marked for deletion. Where the server deletes what was retrieved on QUIT
    /// (`EXPIRE 0`, RFC 2449 section 6.7), calls it popped (Gmail), or may do so for all that is known, the connection is
    /// closed without QUIT: RFC 1939 section 6 promises that this removes nothing. Elsewhere QUIT lets go of the server's
    /// lock.
    pub(crate) fn leave(mut self) {
        if self.must_not_quit() {
            log::debug!("leaving without QUIT, which may delete what was read");
            return;
        }
        if self.link.owed() > 0 {
            return;
        }
        if let Err(fault) = self.link.status(&Command::Quit, |_| ()) {
            log::debug!("QUIT: {fault}");
            return;
        }
        self.link.wait_for_close(Instant::now() + FAREWELL);
    }
}

impl Retention {
    /// What the server announces; where it announces nothing, what it did in an earlier session.
    fn announced(capabilities: &Capabilities, quirks: &Quirks) -> Retention {
        match capabilities.expire {
            Some(Expire::Days(0)) => Retention::Deleted,
            // What is said before the login may be another for this user.
            _ if quirks.avoids_capa(CapaTime::AfterLogin) => Retention::Untold,
            None if quirks.has_told(Notice::DeletesWhatWasRead) => Retention::Deleted,
            _ => Retention::Kept,
        }
    }
}
