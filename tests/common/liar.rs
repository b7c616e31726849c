//! A fake maildrop that speaks POP3 well, until a test tells it to lie.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use super::patience::PATIENCE;
use super::scripted::{Gate, Peer, Scripted};

mod session;
mod state;

use session::Session;
pub use state::Received;
use state::{Effect, Rule, Shared};

/// What is said instead of the right answer, or after the right deed.
#[derive(Debug, Clone)]
pub enum Reply {
    /// `+OK text`.
    Ok(&'static str),
    /// `-ERR text`.
    Err(&'static str),
    /// These octets as they are.
    Raw(Vec<u8>),
    /// These octets, then the end of the connection.
    RawThenClose(Vec<u8>),
    /// The end of the connection.
    Close,
    /// The connection is broken off (RST).
    Reset,
    /// No answer, neither to this nor to any later command of the connection.
    Silent,
    /// The right answer, once the gate is open.
    Held(Gate),
    /// The right answer, once the client has sent so many octets behind the command.
    HeldUntil {
        /// Octets of the commands that are in flight with this one.
        behind: usize,
    },
    /// The first octets, then the others again and again for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// The first octets, then the others again and again for ever, one at a time, so long after each other.
    Drip(Vec<u8>, Vec<u8>, Duration),
}

/// What happens to one RETR in the midst of its body.
#[derive(Debug, Clone)]
pub enum RetrFault {
    /// The connection ends.
    Close {
        /// Octets of the body, as sent (dot-stuffed), that still come.
        after: usize,
    },
    /// The connection is broken off (RST).
    Reset {
        /// As for `Close`; the network may lose some of them.
        after: usize,
    },
    /// The rest comes once the gate is open.
    Hold {
        /// As for `Close`.
        after: usize,
        /// What is waited for.
        gate: Gate,
    },
}

/// A fake POP3 server. Its settings count from the next command or session on, so set them before the client connects.
///
/// Any message is named by its serial number: the first one given is 1, also its message number in a fresh maildrop.
#[derive(Debug)]
pub struct Liar {
    server: Scripted,
    shared: Arc<Shared>,
}

impl Liar {
    /// The user name that is accepted.
    pub const USER: &str = "alice";
    /// The password that is accepted.
    pub const PASSWORD: &str = "secret";

    /// Serves these messages. Each is sent as given, dot-stuffed, with a CRLF added where the last one lacks.
    ///
    /// The UIDLs are `liar-1`, `liar-2` …, the capabilities `TOP UIDL USER PIPELINING RESP-CODES`.
    pub fn start(messages: &[Vec<u8>]) -> Self {
        Self::start_at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), messages)
    }

    /// The same on an address of loopback, which an earlier server may have had.
    pub fn start_at(address: SocketAddrV4, messages: &[Vec<u8>]) -> Self {
        let shared = Arc::new(Shared::default());
        for message in messages {
            shared.state.lock().add(message);
        }
        let server = {
            let shared = Arc::clone(&shared);
            Scripted::start_at(address, move |peer| serve(&shared, peer))
        };
        Self { server, shared }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// `pop://alice@127.0.0.1:PORT`; needs `tls=off`.
    pub fn source(&self) -> String {
        format!("pop://{}@127.0.0.1:{}", Self::USER, self.port())
    }

    /// The server of bytes below: its connections can be counted, awaited and cut.
    pub fn server(&self) -> &Scripted {
        &self.server
    }

    /// Adds a message, for sessions that start later; returns its serial number.
    pub fn add(&self, message: &[u8]) -> u64 {
        self.shared.state.lock().add(message)
    }

    /// Takes a message away as another client does: running sessions list it still, but RETR says `-ERR`.
    pub fn remove(&self, serial: u64) {
        self.shared
            .state
            .lock()
            .messages
            .retain(|message| message.serial != serial);
    }

    /// Makes sessions that start later show this unique-id, whatever octets it has.
    pub fn set_uidl(&self, serial: u64, uidl: &[u8]) {
        self.shared.state.lock().message(serial).uidl = uidl.to_vec();
    }

    /// Makes LIST and STAT of later sessions say so many octets more (or less) than RETR sends; never below 0.
    pub fn set_list_offset(&self, serial: u64, octets: i64) {
        self.shared.state.lock().message(serial).list_offset = octets;
    }

    /// The lines of CAPA, before and after login; `None` makes CAPA fail.
    pub fn set_capabilities(&self, lines: Option<&[&str]>) {
        let lines = lines.map(owned);
        let mut state = self.shared.state.lock();
        state.capabilities.clone_from(&lines);
        state.capabilities_after_login = lines;
    }

    /// The lines of CAPA after login only.
    pub fn set_capabilities_after_login(&self, lines: Option<&[&str]>) {
        self.shared.state.lock().capabilities_after_login = lines.map(owned);
    }

    /// The octets sent when a client connects, instead of `+OK ready` and CRLF.
    pub fn set_greeting(&self, octets: &[u8]) {
        self.shared.state.lock().greeting = octets.to_vec();
    }

    /// Sends everything in pieces of `size` octets.
    pub fn set_chunk_size(&self, size: usize) {
        self.shared.state.lock().chunk_size = Some(size);
    }

    /// Lets one session at a time have the maildrop; a second login is told `-ERR [IN-USE]`.
    pub fn lock_maildrop(&self) {
        self.shared.state.lock().locking = true;
    }

    /// Loses whatever is pipelined behind PASS in the same packet, as Courier does.
    pub fn lose_what_follows_pass(&self) {
        self.shared.state.lock().loses_what_follows_pass = true;
    }

    /// Loses whatever is pipelined behind any command in the same packet.
    pub fn lose_what_is_pipelined(&self) {
        self.shared.state.lock().loses_what_is_pipelined = true;
    }

    /// Closes the connection, unanswered, on commands that come in one packet, as mpopd does.
    pub fn refuse_pipelining(&self) {
        self.shared.state.lock().refuses_pipelining = true;
    }

    /// Announces a LOGIN-DELAY of so many seconds before the login and refuses who logs in sooner after the last login.
    pub fn set_login_delay(&self, seconds: u32) {
        let mut state = self.shared.state.lock();
        state.login_delay = Some(Duration::from_secs(seconds.into()));
        for lines in state.capabilities.iter_mut() {
            lines.push(format!("LOGIN-DELAY {seconds}"));
        }
    }

    /// How many logins were refused because they came too soon.
    pub fn logins_too_soon(&self) -> usize {
        self.shared.state.lock().logins_too_soon
    }

    /// Announces UTF8, and RETR gives these octets instead of the message to a session without it, as Courier does.
    pub fn set_surrogate(&self, serial: u64, octets: &[u8]) {
        let mut state = self.shared.state.lock();
        state.message(serial).surrogate = Some(octets.into());
        state
            .capabilities
            .get_or_insert_default()
            .push("UTF8".to_owned());
    }

    /// Always says this instead of doing the command: a verb (`QUIT`) or a whole line (`RETR 3`), in any case.
    pub fn on(&self, command: &str, reply: Reply) {
        self.rule(command, Effect::Instead(reply), None);
    }

    /// As [`Liar::on`], for the next such command only. Repeated calls queue up.
    pub fn once(&self, command: &str, reply: Reply) {
        self.rule(command, Effect::Instead(reply), Some(1));
    }

    /// Does the command, then says this instead of its answer: a QUIT that deletes, and whose answer is lost.
    pub fn after(&self, command: &str, reply: Reply) {
        self.rule(command, Effect::After(reply), None);
    }

    /// Answers the command well again.
    pub fn behave(&self, command: &str) {
        let mut state = self.shared.state.lock();
        state
            .rules
            .retain(|rule| !rule.command.eq_ignore_ascii_case(command));
    }

    /// Makes the next RETR of this message go wrong, once.
    pub fn fault_retr(&self, serial: u64, fault: RetrFault) {
        self.shared.state.lock().retr_faults.push((serial, fault));
    }

    /// Every line received so far, in the order of arrival. Lines of a SASL exchange are there too.
    pub fn commands(&self) -> Vec<Received> {
        self.shared.state.lock().received.clone()
    }

    /// How many commands with this verb (`RETR`) or of this whole line (`RETR 3`) have come.
    pub fn count(&self, command: &str) -> usize {
        self.shared.state.lock().count(command)
    }

    /// Returns once `count` such commands have come since the start; fails the test if that takes 20 s.
    pub fn wait_for(&self, command: &str, count: usize) {
        let mut state = self.shared.state.lock();
        let changed = &self.shared.changed;
        let timed_out = changed
            .wait_while_for(&mut state, |state| state.count(command) < count, PATIENCE)
            .timed_out();
        assert!(
            !timed_out,
            "{count} {command} did not come, only {:#?}",
            state.received
        );
    }

    /// The messages in the maildrop now, in its order: what was not deleted by a DELE that a QUIT made good.
    pub fn left(&self) -> Vec<Vec<u8>> {
        let state = self.shared.state.lock();
        state
            .messages
            .iter()
            .map(|message| message.octets.to_vec())
            .collect()
    }

    /// The serial numbers of the messages in the maildrop now.
    pub fn left_serials(&self) -> Vec<u64> {
        let state = self.shared.state.lock();
        state
            .messages
            .iter()
            .map(|message| message.serial)
            .collect()
    }

    fn rule(&self, command: &str, effect: Effect, times: Option<usize>) {
        let rule = Rule {
            command: command.to_owned(),
            effect,
            times,
        };
        self.shared.state.lock().rules.push(rule);
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

fn serve(shared: &Arc<Shared>, peer: &mut Peer) -> io::Result<()> {
    Session::new(shared, peer).run()
}
