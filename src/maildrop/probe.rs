//! Trying a server out, step by step, as a mount would use it; nothing is changed.
//!
//! ```text
//! resolve ─▶ connect, TLS ─▶ CAPA ─▶ log-in ─▶ STAT, UIDL, LIST ─▶ TOP, RETR of the smallest message ─▶ PIPELINING
//! ```
//! The last step of all is QUIT, unless the server may delete what was retrieved then.

use std::time::{Duration, SystemTime};

use crate::maildrop::catalogue::identity::Identity;
use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::link::Link;
use crate::maildrop::connection::pipelining::Pipeline;
use crate::maildrop::connection::quirks::Quirks;
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::OpenError;
use crate::maildrop::login::Login;
use crate::maildrop::session::Session;
use crate::maildrop::session::scan::Listing;
use crate::maildrop::settings::Settings;
use crate::net::{Accepted, ShownCertificate, Stream, TlsVersion};
use crate::pop3::{Capabilities, Command, Event, Expire, MessageNumber, ServerText};

/// A certificate that lasts no longer is warned of.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A larger message is not fetched for the sake of its size.
const MOST_FETCHED: u64 = 1024 * 1024;

/// What one step has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In a word.
    pub step: &'static str,
    /// What it means for a mount.
    pub rating: Rating,
    /// A sentence or two; the server's words in it are escaped.
    pub told: String,
}

/// What a finding means for a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rating {
    /// All is well.
    Good,
    /// A mount would work, and something should be known.
    Warning,
    /// A mount would not work.
    Failure,
}

/// Whether a mount would work.
#[derive(Clone, Debug)]
pub enum Outlook {
    /// It would.
    Works,
    /// It would not: the last finding has told of this.
    Fails(Fault),
}

/// Tries the server out, and tells each finding when it has come. Blocks, as long as the server's time-outs.
pub fn probe(settings: &Settings, tell: &mut dyn FnMut(&Finding)) -> Outlook {
    let mut probe = Probe {
        settings,
        quirks: Quirks::default(),
        last_heard: LastHeard::new(),
        tell,
    };
    match probe.run() {
        Ok(()) => Outlook::Works,
        Err(Failed(fault)) => Outlook::Fails(fault),
    }
}

/// Connects, secures the connection and leaves again: what can be checked before the password is known.
///
/// # Errors
/// The server cannot be reached, or its certificate is not trusted.
pub fn reach(login: &Login) -> Result<(), OpenError> {
    let mut quirks = Quirks::default();
    match login.reach(&LastHeard::new(), &mut quirks) {
        Ok(mut reached) => {
            let _only_polite = reached.link.status(&Command::Quit, |_| ());
            Ok(())
        }
        // A server that closes the connection on CAPA is asked without it by the mount.
        Err(_) if quirks.capas_avoided() > 0 => Ok(()),
        Err(fault) => Err(OpenError::Maildrop {
            endpoint: login.route.endpoint().clone(),
            fault,
        }),
    }
}

struct Probe<'a> {
    settings: &'a Settings,
    quirks: Quirks,
    last_heard: LastHeard,
    tell: &'a mut dyn FnMut(&Finding),
}

/// A step has failed, and was told.
struct Failed(Fault);

impl Probe<'_> {
    fn run(&mut self) -> Result<(), Failed> {
        self.resolve()?;
        self.reach()?;
        let (mut session, listing) = self.log_in()?;
        self.rate_capabilities(&session.capabilities);
        self.rate_listing(&listing);
        match listing.smallest() {
            Some((number, listed)) if listed <= MOST_FETCHED => {
                self.try_top(&mut session, number)?;
                self.try_retr(&mut session, number, listed)?;
            }
            _ => self.good(
                "messages",
                "none that is small enough to try TOP and RETR on",
            ),
        }
        self.try_pipelining(session);
        Ok(())
    }

    fn resolve(&mut self) -> Result<(), Failed> {
        let found = self.settings.login.route.addresses();
        let found = self.unless_failed("resolve", found.map_err(Fault::from))?;
        let addresses: Vec<String> = found
            .iter()
            .map(|address| address.ip().to_string())
            .collect();
        self.good("resolve", &addresses.join(", "));
        Ok(())
    }

    /// A connection of its own: what fails here is not the password's fault.
    fn reach(&mut self) -> Result<(), Failed> {
        let Settings { login, .. } = self.settings;
        let reached = login.reach(&self.last_heard, &mut self.quirks);
        // A server that closes the connection on CAPA is asked without.
        let reached = match reached {
            Err(_) if self.quirks.capas_avoided() > 0 => {
                login.reach(&self.last_heard, &mut self.quirks)
            }
            reached => reached,
        };
        let mut reached = self.unless_failed("connect", reached)?;
        self.rate_stream(reached.link.stream());
        let _only_polite = reached.link.status(&Command::Quit, |_| ());
        Ok(())
    }

    fn rate_stream(&mut self, stream: &Stream) {
        let peer = stream
            .peer()
            .map_or_else(String::new, |peer| peer.to_string());
        self.good("connect", &peer);
        let Some(version) = stream.tls_version() else {
            return self.warn(
                "TLS",
                "none: everybody on the way can read the mail, and most log-ins",
            );
        };
        match stream.certificate() {
            None => self.good("TLS", &version.to_string()),
            Some(accepted) => self.rate_certificate(version, &accepted),
        }
    }

    fn rate_certificate(&mut self, version: TlsVersion, accepted: &Accepted) {
        let Accepted {
            shown: ShownCertificate { names, fingerprint },
            issuer,
            expires,
        } = accepted;
        let hosts = match names.is_empty() {
            true => "no host".to_owned(),
            false => names.to_string(),
        };
        let told = format!("{version}, a certificate for {hosts} by {issuer}, {fingerprint}");
        let left = expires.map(|expires| expires.duration_since(SystemTime::now()));
        match left {
            None => self.good("TLS", &told),
            Some(Ok(left)) if left > SOON => {
                self.good("TLS", &format!("{told}, for {} more days", days(left)));
            }
            Some(Ok(left)) => self.warn(
                "TLS",
                &format!(
                    "{told}: it expires in {} days, and the server's administrator must renew it",
                    days(left)
                ),
            ),
            // It is trusted by its pin alone.
            Some(Err(since)) => self.warn(
                "TLS",
                &format!(
                    "{told}: it has expired {} days ago, and only tls_pin trusts it",
                    days(since.duration())
                ),
            ),
        }
    }

    fn log_in(&mut self) -> Result<(Session, Listing), Failed> {
        let settings = self.settings;
        let logged_in = settings.login.open(&self.last_heard, &mut self.quirks);
        let logged_in = self.unless_failed("log-in", logged_in)?;
        self.good(
            "log-in",
            &format!("{}, as {}", logged_in.method, settings.login.user),
        );
        let entered = Session::enter(logged_in, settings, &self.last_heard, &mut self.quirks);
        self.unless_failed("listing", entered)
    }

    fn rate_capabilities(&mut self, capabilities: &Capabilities) {
        match capabilities.is_empty() {
            true => self.good("CAPA", "the server has none: what it can do is tried"),
            false => self.good("CAPA", &capabilities.to_string()),
        }
        if capabilities.expire == Some(Expire::Days(0)) {
            self.warn(
                "EXPIRE",
                "the server may delete what was read at the end of a session (EXPIRE 0): a mount leaves its sessions without QUIT, unless messages were removed in it",
            );
        }
        if let Some(seconds @ 1..) = capabilities.login_delay {
            self.warn(
                "LOGIN-DELAY",
                &format!(
                    "the server allows a log-in every {seconds} s: a listing is not renewed sooner"
                ),
            );
        }
    }

    fn rate_listing(&mut self, listing: &Listing) {
        let entries = &listing.entries;
        let octets: u64 = entries.iter().map(|entry| entry.octets).sum();
        self.good(
            "maildrop",
            &format!("{} messages, {octets} octets", entries.len()),
        );
        match self.quirks.identity {
            Some(Identity::Headers) => self.warn(
                "UIDL",
                "the server has none: messages are known by their headers, which each session asks for",
            ),
            Some(Identity::Uidl) => self.good("UIDL", "works"),
            None => self.good("UIDL", "not tried on an empty maildrop"),
        }
        if listing.unnamed > 0 {
            self.warn(
                "LIST",
                &format!(
                    "{} messages have no name that lasts: they are not shown",
                    listing.unnamed
                ),
            );
        }
    }

    fn try_top(&mut self, session: &mut Session, message: MessageNumber) -> Result<(), Failed> {
        let most = self.settings.max_message;
        let answer = session
            .link
            .octets(&Command::Top { message, lines: 0 }, most);
        match self.unless_failed("TOP", answer)? {
            Ok(_) => self.good("TOP", "works"),
            Err(text) => self.warn(
                "TOP",
                &format!(
                    "refused ({text}): messages are fetched for their dates, unless -o mtime=none"
                ),
            ),
        }
        Ok(())
    }

    /// Three commands in one packet. A server that does not offer it is not tried: some close the connection.
    fn try_pipelining(&mut self, mut session: Session) {
        const STEP: &str = "PIPELINING";
        if !session.capabilities.pipelining {
            self.good(STEP, "not offered: one command at a time");
        } else if self.settings.pipeline == Pipeline::Off {
            self.good(STEP, "offered, and not used (pipeline=off)");
        } else if let Err(fault) = session.link.answers_three_at_once() {
            let told =
                format!("three commands at once have failed ({fault}): mount with -o pipeline=off");
            return self.warn(STEP, &told);
        } else {
            self.good(STEP, "works");
        }
        session.leave();
    }

    fn try_retr(
        &mut self,
        session: &mut Session,
        message: MessageNumber,
        listed: u64,
    ) -> Result<(), Failed> {
        let most = self.settings.max_message;
        session.has_retrieved = true;
        let answer = session.link.octets(&Command::Retr(message), most);
        match self.unless_failed("RETR", answer)? {
            Ok(octets) if octets == listed => self.good("RETR", "works, and LIST tells the size"),
            Ok(octets) => self.warn(
                "RETR",
                &format!("{octets} octets where LIST says {listed}: sizes are right once a message was opened"),
            ),
            Err(text) => self.warn("RETR", &format!("refused for message {message} ({text})")),
        }
        Ok(())
    }

    fn unless_failed<T>(
        &mut self,
        step: &'static str,
        result: Result<T, Fault>,
    ) -> Result<T, Failed> {
        result.map_err(|fault| {
            self.tell(step, Rating::Failure, &fault.to_string());
            Failed(fault)
        })
    }

    fn good(&mut self, step: &'static str, told: &str) {
        self.tell(step, Rating::Good, told);
    }

    fn warn(&mut self, step: &'static str, told: &str) {
        self.tell(step, Rating::Warning, told);
    }

    fn tell(&mut self, step: &'static str, rating: Rating, told: &str) {
        (self.tell)(&Finding {
            step,
            rating,
            told: told.to_owned(),
        });
    }
}

impl Link {
    /// How many octets the answer has, up to the most that are waited for; the server's words where it is -ERR.
    fn octets(
        &mut self,
        command: &Command<'_>,
        most: u64,
    ) -> Result<Result<u64, ServerText>, Fault> {
        self.queue(command)?;
        let mut received = 0;
        loop {
            match self.next_event()? {
                Some(Event::Body(octets)) => {
                    received += octets.len() as u64;
                    if received > most {
                        return Err(Fault::TooLarge);
                    }
                }
                Some(Event::End) => return Ok(Ok(received)),
                Some(Event::Done(status)) => return Ok(Err(status.server_text())),
                Some(_) => {}
                None => {
                    self.exchange(None, None)?;
                }
            }
        }
    }

    fn answers_three_at_once(&mut self) -> Result<(), Fault> {
        for command in [Command::Noop, Command::Stat, Command::Noop] {
            self.queue(&command)?;
        }
        for _ in 0..3 {
            self.reply(|_| ())?;
        }
        Ok(())
    }
}

fn days(time: Duration) -> u64 {
    time.as_secs() / DAY.as_secs()
}
