//! Checks step by step whether a mount would work with a server. It changes nothing on the server.
//!
//! ```text
//! resolve ─▶ connect, TLS ─▶ CAPA ─▶ login ─▶ STAT, UIDL, LIST
//!         ─▶ TOP of the smallest message, RETR of several ─▶ PIPELINING
//! ```
//! The last command is QUIT, unless QUIT may delete the message that was retrieved.

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
use crate::pop3::{Capabilities, Command, Expire, MessageNumber};

/// The check warns of a certificate that expires within this time.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The check fetches no message of more octets than this.
const MOST_FETCHED: u64 = 1024 * 1024;
/// This many messages of different sizes show whether LIST is right.
const MOST_COMPARED: usize = 5;

/// The result of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the step, in one word.
    pub step: &'static str,
    /// What it means for a mount.
    pub rating: Rating,
    /// One or two sentences. The server's words in them are escaped.
    pub told: String,
    /// What a mount can do about it.
    pub remedy: Option<Remedy>,
}

/// What a mount can do about a server's weakness. The command line says how to ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Take no times from the headers.
    NoDates,
    /// Send one command at a time.
    NoPipelining,
}

/// What a finding means for a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rating {
    /// The step succeeded.
    Good,
    /// A mount would work, but the user should know something.
    Warning,
    /// A mount would not work.
    Failure,
}

/// Whether a mount would work.
#[derive(Clone, Debug)]
pub enum Report {
    /// A mount would work.
    Works,
    /// A mount would not work. The last finding has reported this fault.
    Fails(Fault),
}

/// Checks the server, and passes each finding to `tell` as soon as it is known. Blocks until all
/// steps are done; a server that is silent for the timeout makes a step fail.
pub fn probe(settings: &Settings, tell: &mut dyn FnMut(&Finding)) -> Report {
    let mut probe = Probe {
        settings,
        quirks: Quirks::default(),
        last_heard: LastHeard::new(),
        tell,
    };
    match probe.run() {
        Ok(()) => Report::Works,
        Err(Failed(fault)) => Report::Fails(fault),
    }
}

/// Connects, starts TLS and disconnects. That checks the server before the password is known.
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

/// The fault of a step that failed. Its finding is already reported.
struct Failed(Fault);

impl Probe<'_> {
    fn run(&mut self) -> Result<(), Failed> {
        self.resolve()?;
        self.reach()?;
        let (mut session, listing) = self.log_in()?;
        self.rate_capabilities(&session.capabilities);
        self.rate_listing(&listing);
        // QUIT may delete what was read, so no more is read than is needed.
        let most = match session.deletes_what_was_read() {
            true => 1,
            false => MOST_COMPARED,
        };
        let largest = MOST_FETCHED.min(self.settings.max_message);
        let samples = listing.samples(largest, most);
        match samples.first() {
            Some(&(smallest, _)) => {
                self.try_top(&mut session, smallest)?;
                self.try_retr(&mut session, &samples)?;
            }
            None => self.good(
                "messages",
                "no message is small enough to try TOP and RETR on",
            ),
        }
        self.try_pipelining(session);
        Ok(())
    }

    fn resolve(&mut self) -> Result<(), Failed> {
        let found = self.settings.login.route.addresses();
        let found = self.report_failure("resolve", found.map_err(Fault::from))?;
        let addresses: Vec<String> = found
            .iter()
            .map(|address| address.ip().to_string())
            .collect();
        let addresses = addresses.join(", ");
        match self.settings.login.route.proxy() {
            None => self.good("resolve", &addresses),
            Some(proxy) => self.good("resolve", &format!("{addresses}, of the proxy {proxy}")),
        }
        Ok(())
    }

    /// Connects separately, so that a failure here cannot be due to the password.
    fn reach(&mut self) -> Result<(), Failed> {
        let Settings { login, .. } = self.settings;
        let reached = login.reach(&self.last_heard, &mut self.quirks);
        let mut reached = self.report_failure("connect", reached)?;
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
                "none: anyone on the network can read the mail, and with most login methods the password",
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
                self.good("TLS", &format!("{told}, valid for {}", days(left)));
            }
            Some(Ok(left)) => self.warn(
                "TLS",
                &format!(
                    "{told}: it expires in {}, and the server's administrator must renew it",
                    days(left)
                ),
            ),
            // Only a pin makes an expired certificate acceptable.
            Some(Err(since)) => self.warn(
                "TLS",
                &format!(
                    "{told}: it expired {} ago, and is accepted only because it is pinned",
                    days(since.duration())
                ),
            ),
        }
    }

    fn log_in(&mut self) -> Result<(Session, Listing), Failed> {
        let settings = self.settings;
        let logged_in = settings.login.open(&self.last_heard, &mut self.quirks);
        let logged_in = self.report_failure("log-in", logged_in)?;
        self.good(
            "log-in",
            &format!("{}, as {}", logged_in.method, settings.login.user),
        );
        let entered = Session::enter(logged_in, settings, &self.last_heard, &mut self.quirks);
        self.report_failure("listing", entered)
    }

    fn rate_capabilities(&mut self, capabilities: &Capabilities) {
        match capabilities.is_empty() {
            true => self.good("CAPA", "the server does not announce its capabilities"),
            false => self.good("CAPA", &capabilities.to_string()),
        }
        if capabilities.expire == Some(Expire::Days(0)) {
            self.warn(
                "EXPIRE",
                "the server may delete messages that were read when it receives QUIT (EXPIRE 0): a mount ends sessions without QUIT, unless they delete messages",
            );
        }
        if let Some(seconds @ 1..) = capabilities.login_delay {
            self.warn(
                "LOGIN-DELAY",
                &format!(
                    "the server allows one login every {seconds} s: a mount cannot renew its listing more often"
                ),
            );
        }
    }

    fn rate_listing(&mut self, listing: &Listing) {
        let entries = &listing.entries;
        let octets: u64 = entries.iter().map(|entry| entry.octets).sum();
        self.good(
            "maildrop",
            &format!("{}, {octets} octets", messages(entries.len())),
        );
        match self.quirks.identity {
            Some(Identity::Headers) => self.warn(
                "UIDL",
                "the server has none: messages are identified by their headers, which each session fetches again",
            ),
            Some(Identity::Uidl) => self.good("UIDL", "works"),
            None => self.good("UIDL", "refused, as some servers do while the maildrop is empty"),
        }
        if listing.unnamed > 0 {
            self.warn(
                "LIST",
                &format!(
                    "{} without a permanent name, which a mount does not show",
                    messages(listing.unnamed)
                ),
            );
        }
    }

    fn try_top(&mut self, session: &mut Session, message: MessageNumber) -> Result<(), Failed> {
        let most = self.settings.max_message;
        let answer = session
            .link
            .body(&Command::Top { message, lines: 0 }, most, |_| ());
        match self.report_failure("TOP", answer)? {
            Ok(_) => self.good("TOP", "works"),
            Err(text) => self.advise(
                "TOP",
                &format!("refused ({text}): messages are fetched for their dates"),
                Remedy::NoDates,
            ),
        }
        Ok(())
    }

    /// Sends three commands at once, but only if the server offers PIPELINING. Some servers close
    /// the connection otherwise.
    fn try_pipelining(&mut self, mut session: Session) {
        const STEP: &str = "PIPELINING";
        if !session.capabilities.pipelining {
            self.good(STEP, "not offered: one command at a time");
        } else if self.settings.pipeline == Pipeline::Off {
            self.good(STEP, "offered, and not used");
        } else if let Err(fault) = answers_three_at_once(&mut session.link) {
            let told = format!("three commands at once: {fault}");
            return self.advise(STEP, &told, Remedy::NoPipelining);
        } else {
            self.good(STEP, "works");
        }
        session.leave();
    }

    /// Fetches the samples, and compares their sizes with those in LIST.
    fn try_retr(
        &mut self,
        session: &mut Session,
        samples: &[(MessageNumber, u64)],
    ) -> Result<(), Failed> {
        let most = self.settings.max_message;
        session.has_retrieved = true;
        let (mut fetched, mut wrong, mut example) = (0, 0, None);
        for &(message, listed) in samples {
            let answer = session.link.body(&Command::Retr(message), most, |_| ());
            match self.report_failure("RETR", answer)? {
                Ok(octets) => {
                    fetched += 1;
                    if octets != listed {
                        wrong += 1;
                        example = Some((octets, listed));
                    }
                }
                Err(text) => self.warn("RETR", &format!("refused for message {message} ({text})")),
            }
        }
        match example {
            Some((octets, listed)) => self.warn(
                "RETR",
                &format!(
                    "LIST gives a wrong size for {wrong} of {fetched} messages, such as {octets} octets where LIST says {listed}: file sizes are exact only after a message was opened"
                ),
            ),
            None if fetched > 0 => self.good(
                "RETR",
                &format!("works, and LIST gives the right size for {fetched} of {fetched} messages"),
            ),
            None => {}
        }
        Ok(())
    }

    /// Reports the failure of a step.
    fn report_failure<T>(
        &mut self,
        step: &'static str,
        result: Result<T, Fault>,
    ) -> Result<T, Failed> {
        result.map_err(|fault| {
            self.tell(step, Rating::Failure, &fault.to_string(), None);
            Failed(fault)
        })
    }

    fn good(&mut self, step: &'static str, told: &str) {
        self.tell(step, Rating::Good, told, None);
    }

    fn warn(&mut self, step: &'static str, told: &str) {
        self.tell(step, Rating::Warning, told, None);
    }

    fn advise(&mut self, step: &'static str, told: &str, remedy: Remedy) {
        self.tell(step, Rating::Warning, told, Some(remedy));
    }

    fn tell(&mut self, step: &'static str, rating: Rating, told: &str, remedy: Option<Remedy>) {
        (self.tell)(&Finding {
            step,
            rating,
            told: told.to_owned(),
            remedy,
        });
    }
}

fn answers_three_at_once(link: &mut Link) -> Result<(), Fault> {
    for command in [Command::Noop, Command::Stat, Command::Noop] {
        link.queue(&command)?;
    }
    for _ in 0..3 {
        link.reply(|_| ())?;
    }
    Ok(())
}

fn messages(count: usize) -> String {
    match count {
        1 => "1 message".to_owned(),
        _ => format!("{count} messages"),
    }
}

fn days(time: Duration) -> String {
    match time.as_secs() / DAY.as_secs() {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
