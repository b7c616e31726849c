//! Messages and settings of the liar, shared by its sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Reply, RetrFault};

/// One line that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The number of the connection, counted from 1.
    pub connection: usize,
    /// The line without its end.
    pub line: String,
}

impl Received {
    /// The first word in capitals.
    pub fn verb(&self) -> String {
        verb(&self.line)
    }
}

#[derive(Debug, Default)]
pub(super) struct LiarShared {
    pub(super) state: Mutex<LiarState>,
    pub(super) changed: Condvar,
}

#[derive(Debug)]
pub(super) struct LiarState {
    pub(super) messages: Vec<LiarMessage>,
    pub(super) greeting: Vec<u8>,
    pub(super) capabilities: Option<Vec<String>>,
    pub(super) capabilities_after_login: Option<Vec<String>>,
    pub(super) chunk_size: Option<usize>,
    /// Before each reply.
    pub(super) pause: Duration,
    pub(super) locking: bool,
    pub(super) locked_by: Option<usize>,
    pub(super) loses_what_follows_pass: bool,
    pub(super) loses_what_is_pipelined: bool,
    pub(super) refuses_pipelining: bool,
    pub(super) stuffs_no_dots: bool,
    pub(super) login_delay: Option<Duration>,
    pub(super) last_login: Option<Instant>,
    pub(super) logins_too_soon: usize,
    pub(super) rules: Vec<Rule>,
    /// Replies to a verb for the message with a serial number.
    pub(super) message_rules: Vec<(String, u64, Reply)>,
    pub(super) retr_faults: Vec<(u64, RetrFault)>,
    pub(super) received: Vec<Received>,
    added: u64,
}

#[derive(Debug, Clone)]
pub(super) struct LiarMessage {
    pub(super) serial: u64,
    pub(super) octets: Arc<[u8]>,
    pub(super) uidl: Vec<u8>,
    pub(super) list_offset: i64,
    /// What RETR sends in a session without UTF8.
    pub(super) surrogate: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// A verb or a whole line.
    pub(super) command: String,
    pub(super) effect: Effect,
    /// How many more times it applies; `None` means always.
    pub(super) times: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// The reply is sent and the command is not carried out.
    Instead(Reply),
    /// The command is carried out, and this reply is sent in place of the right one.
    After(Reply),
}

impl Default for LiarState {
    fn default() -> Self {
        let capabilities: Vec<String> = ["TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES"]
            .map(str::to_owned)
            .to_vec();
        Self {
            messages: Vec::new(),
            greeting: b"+OK ready\r\n".to_vec(),
            capabilities: Some(capabilities.clone()),
            capabilities_after_login: Some(capabilities),
            chunk_size: None,
            pause: Duration::ZERO,
            locking: false,
            locked_by: None,
            loses_what_follows_pass: false,
            loses_what_is_pipelined: false,
            refuses_pipelining: false,
            stuffs_no_dots: false,
            login_delay: None,
            last_login: None,
            logins_too_soon: 0,
            rules: Vec::new(),
            message_rules: Vec::new(),
            retr_faults: Vec::new(),
            received: Vec::new(),
            added: 0,
        }
    }
}

impl LiarState {
    pub(super) fn add(&mut self, octets: &[u8]) -> u64 {
        self.added += 1;
        self.messages.push(LiarMessage {
            serial: self.added,
            octets: octets.into(),
            uidl: format!("liar-{}", self.added).into_bytes(),
            list_offset: 0,
            surrogate: None,
        });
        self.added
    }

    pub(super) fn message(&mut self, serial: u64) -> &mut LiarMessage {
        self.messages
            .iter_mut()
            .find(|message| message.serial == serial)
            .unwrap_or_else(|| panic!("no message {serial} in the maildrop"))
    }

    pub(super) fn count(&self, command: &str) -> usize {
        self.received
            .iter()
            .filter(|received| is(&received.line, command))
            .count()
    }

    /// Ends a session's hold on the maildrop, if it has it.
    pub(super) fn unlock(&mut self, connection: usize) {
        if self.locked_by == Some(connection) {
            self.locked_by = None;
        }
    }

    /// Applies LOGIN-DELAY to a login: returns whether it is accepted, and records it if so.
    pub(super) fn accept_login(&mut self) -> bool {
        let since = self.last_login.map(|last| last.elapsed());
        if let (Some(delay), Some(since)) = (self.login_delay, since)
            && since < delay
        {
            self.logins_too_soon += 1;
            return false;
        }
        self.last_login = Some(Instant::now());
        true
    }

    /// The effect of the first rule for the line; the rule has one use less afterwards.
    pub(super) fn take_rule(&mut self, line: &str) -> Option<Effect> {
        let index = self.rules.iter().position(|rule| is(line, &rule.command))?;
        let rule = &mut self.rules[index];
        let effect = rule.effect.clone();
        match &mut rule.times {
            Some(1) => drop(self.rules.remove(index)),
            Some(times) => *times -= 1,
            None => {}
        }
        Some(effect)
    }

    pub(super) fn message_rule(&self, verb: &str, serial: u64) -> Option<Effect> {
        let mut rules = self.message_rules.iter();
        let (.., reply) = rules.find(|(of, message, _)| of == verb && *message == serial)?;
        Some(Effect::Instead(reply.clone()))
    }

    pub(super) fn take_retr_fault(&mut self, serial: u64) -> Option<RetrFault> {
        let index = self
            .retr_faults
            .iter()
            .position(|(faulty, _)| *faulty == serial)?;
        Some(self.retr_faults.remove(index).1)
    }
}

impl LiarMessage {
    /// What RETR sends before dot-stuffing: the message, with a CRLF if its last line has none.
    pub(super) fn sent(&self) -> Vec<u8> {
        let mut sent = self.octets.to_vec();
        if !sent.is_empty() && !sent.ends_with(b"\r\n") {
            sent.extend_from_slice(b"\r\n");
        }
        sent
    }

    /// The size that LIST gives.
    pub(super) fn listed(&self) -> i64 {
        let exact = i64::try_from(self.sent().len()).expect("a size");
        (exact + self.list_offset).max(0)
    }
}

/// The first word of a line in capitals.
pub(super) fn verb(line: &str) -> String {
    line.split(' ')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase()
}

/// Whether a line matches a command, which is a whole line or a verb.
fn is(line: &str, command: &str) -> bool {
    line.eq_ignore_ascii_case(command) || verb(line).eq_ignore_ascii_case(command)
}
