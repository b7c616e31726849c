//! A fake POP3 server that keeps to the protocol until a test tells it to lie.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use super::patience::PATIENCE;
use super::scripted::{Gate, Peer, Scripted};

mod session;
mod state;

use session::LiarSession;
pub use state::Received;
use state::{Effect, LiarShared, Rule};

/// What the server sends in place of the right reply.
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
    /// The server resets the connection (RST).
    Reset,
    /// No reply, neither to this nor to any later command of the connection.
    Silent,
    /// The right reply, once the gate is open.
    Held(Gate),
    /// The right reply, once the client has sent this many octets after the command.
    HeldUntil {
        /// Octets of the commands that are in flight with this one.
        behind: usize,
    },
    /// The first octets, then the others repeated for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// The first octets, then the others repeated for ever, one octet at a time with this pause.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// The first octets, then this piece repeated for ever with this pause after each: enough
    /// octets for a limit on silence, too few for a total limit.
    Trickle {
        /// Sent at once.
        first: Vec<u8>,
        /// Sent again and again.
        piece: Vec<u8>,
        /// Time between two pieces.
        pause: Duration,
    },
    /// The right reply, twice.
    Duplicated,
    /// No reply to this command, but the right replies to the later ones.
    Missing,
    /// The right reply to another command line. Two such rules swap two replies.
    AnswerTo(String),
    /// The right reply to another command line, and after this pause the right one: the other reply
    /// came twice, the second time late.
    BehindAnswerTo(String, Duration),
}

/// What goes wrong within the body of one RETR.
#[derive(Debug, Clone)]
pub enum RetrFault {
    /// The connection ends.
    Close {
        /// Octets of the body, as sent (dot-stuffed), that the server still sends.
        after: usize,
    },
    /// The server resets the connection (RST).
    Reset {
        /// See `Close`; the network may lose some of them.
        after: usize,
    },
    /// The server sends the rest once the gate is open.
    Hold {
        /// See `Close`.
        after: usize,
        /// The gate that the server waits for.
        gate: Gate,
    },
}

/// A fake POP3 server. Settings apply from the next command or session, so set them before the
/// client connects.
///
/// A message is identified by its serial number. The first message has 1, and so on; these are also
/// the message numbers until a message is removed.
#[derive(Debug)]
pub struct Liar {
    server: Scripted,
    shared: Arc<LiarShared>,
}

impl Liar {
    /// The user name that the server accepts.
    pub const USER: &str = "alice";
    /// The password that the server accepts.
    pub const PASSWORD: &str = "secret";

    /// Serves these messages as given, dot-stuffed, with a CRLF added if the last line has none.
    ///
    /// The UIDLs are `liar-1`, `liar-2` …, the capabilities `TOP UIDL USER PIPELINING RESP-CODES`.
    pub fn start(messages: &[Vec<u8>]) -> Self {
        Self::start_at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), messages)
    }

    /// Like [`Liar::start`], on a loopback address that an earlier server may have used.
    pub fn start_at(address: SocketAddrV4, messages: &[Vec<u8>]) -> Self {
        let shared = Arc::new(LiarShared::default());
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

    /// The server underneath, whose connections can be counted, awaited and cut.
    pub fn server(&self) -> &Scripted {
        &self.server
    }

    /// Adds a message, for sessions that start later; returns its serial number.
    pub fn add(&self, message: &[u8]) -> u64 {
        self.shared.state.lock().add(message)
    }

    /// Removes a message as another client would: open sessions still list it, but RETR gives
    /// `-ERR`.
    pub fn remove(&self, serial: u64) {
        self.shared
            .state
            .lock()
            .messages
            .retain(|message| message.serial != serial);
    }

    /// Sets the unique-id that later sessions show. Any octets are allowed.
    pub fn set_uidl(&self, serial: u64, uidl: &[u8]) {
        self.shared.state.lock().message(serial).uidl = uidl.to_vec();
    }

    /// Makes LIST and STAT of later sessions give this many octets more (or less) than RETR sends,
    /// at least 0.
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

    /// Sends these octets when a client connects, in place of `+OK ready` and CRLF.
    pub fn set_greeting(&self, octets: &[u8]) {
        self.shared.state.lock().greeting = octets.to_vec();
    }

    /// Takes so long for each command.
    pub fn set_pause(&self, pause: Duration) {
        self.shared.state.lock().pause = pause;
    }

    /// Sends everything in pieces of `size` octets.
    pub fn set_chunk_size(&self, size: usize) {
        self.shared.state.lock().chunk_size = Some(size);
    }

    /// Allows one session at a time; a second login gets `-ERR [IN-USE]`.
    pub fn lock_maildrop(&self) {
        self.shared.state.lock().locking = true;
    }

    /// Loses commands that arrive in the same packet as PASS, as Courier does.
    pub fn lose_what_follows_pass(&self) {
        self.shared.state.lock().loses_what_follows_pass = true;
    }

    /// Loses commands that arrive in the same packet as an earlier one.
    pub fn lose_what_is_pipelined(&self) {
        self.shared.state.lock().loses_what_is_pipelined = true;
    }

    /// Sends bodies without doubling the dots at the start of lines: such a line of a single dot
    /// ends the reply, and the rest of the message follows it.
    pub fn stuff_no_dots(&self) {
        self.shared.state.lock().stuffs_no_dots = true;
    }

    /// Stuffs dots again.
    pub fn stuff_dots(&self) {
        self.shared.state.lock().stuffs_no_dots = false;
    }

    /// Gives each of two messages the unique-id of the other, for later sessions.
    pub fn exchange_uidls(&self, first: u64, second: u64) {
        let mut state = self.shared.state.lock();
        let kept = state.message(first).uidl.clone();
        let other = std::mem::replace(&mut state.message(second).uidl, kept);
        state.message(first).uidl = other;
    }

    /// Closes the connection without a reply if two commands arrive in one packet, as mpopd does.
    pub fn refuse_pipelining(&self) {
        self.shared.state.lock().refuses_pipelining = true;
    }

    /// Announces a LOGIN-DELAY of this many seconds, and refuses a login that comes sooner than
    /// that.
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

    /// Announces UTF8; in a session without UTF8 RETR gives these octets in place of the message,
    /// as Courier does.
    pub fn set_surrogate(&self, serial: u64, octets: &[u8]) {
        let mut state = self.shared.state.lock();
        state.message(serial).surrogate = Some(octets.into());
        state
            .capabilities
            .get_or_insert_default()
            .push("UTF8".to_owned());
    }

    /// Always sends this reply and does not carry the command out. The command is a verb (`QUIT`)
    /// or a whole line (`RETR 3`), in upper or lower case.
    pub fn on(&self, command: &str, reply: Reply) {
        self.rule(command, Effect::Instead(reply), None);
    }

    /// Like [`Liar::on`], for the next such command only. Repeated calls queue up.
    pub fn once(&self, command: &str, reply: Reply) {
        self.rule(command, Effect::Instead(reply), Some(1));
    }

    /// Carries the command out, then sends this in place of the right reply: for example a QUIT
    /// that deletes but whose reply is lost.
    pub fn after(&self, command: &str, reply: Reply) {
        self.rule(command, Effect::After(reply), None);
    }

    /// Always sends this reply to commands with this verb (`DELE`) for this message, whatever number
    /// it has in the session, and does not carry them out.
    pub fn on_message(&self, verb: &str, serial: u64, reply: Reply) {
        let rule = (verb.to_owned(), serial, reply);
        self.shared.state.lock().message_rules.push(rule);
    }

    /// Removes all rules for single messages.
    pub fn behave_for_messages(&self) {
        self.shared.state.lock().message_rules.clear();
    }

    /// Removes all rules for the command.
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

    /// Every line received so far in the order of arrival, including those of a SASL exchange.
    pub fn commands(&self) -> Vec<Received> {
        self.shared.state.lock().received.clone()
    }

    /// How many commands with this verb (`RETR`) or this whole line (`RETR 3`) have arrived.
    pub fn count(&self, command: &str) -> usize {
        self.shared.state.lock().count(command)
    }

    /// Returns once `count` such commands have arrived since the start; fails the test after 20 s.
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

    /// The messages in the maildrop now, in maildrop order. DELE takes effect at QUIT.
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

fn serve(shared: &Arc<LiarShared>, peer: &mut Peer) -> io::Result<()> {
    LiarSession::new(shared, peer).run()
}
