//! What the liar knows and was told, shared by its sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Reply, RetrFault};

/// One line that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Which connection it came on, counted from 1.
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
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) messages: Vec<Message>,
    pub(super) greeting: Vec<u8>,
    pub(super) capabilities: Option<Vec<String>>,
    pub(super) capabilities_after_login: Option<Vec<String>>,
    pub(super) chunk_size: Option<usize>,
    pub(super) locking: bool,
    pub(super) locked_by: Option<usize>,
    pub(super) loses_what_follows_pass: bool,
    pub(super) loses_what_is_pipelined: bool,
    pub(super) refuses_pipelining: bool,
    pub(super) login_delay: Option<Duration>,
    pub(super) last_login: Option<Instant>,
    pub(super) logins_too_soon: usize,
    pub(super) rules: Vec<Rule>,
    pub(super) retr_faults: Vec<(u64, RetrFault)>,
    pub(super) received: Vec<Received>,
    added: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) serial: u64,
    pub(super) octets: Arc<[u8]>,
    pub(super) uidl: Vec<u8>,
    pub(super) list_offset: i64,
    /// What a session without UTF8 gets.
    pub(super) surrogate: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// A verb or a whole line.
    pub(super) command: String,
    pub(super) effect: Effect,
    /// How often it still applies; `None` is for ever.
    pub(super) times: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Effect {
    /// Said in place of the deed.
    Instead(Reply),
    /// Said in place of the answer, the deed being done.
    After(Reply),
}

impl Default for State {
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
            locking: false,
            locked_by: None,
            loses_what_follows_pass: false,
            loses_what_is_pipelined: false,
            refuses_pipelining: false,
            login_delay: None,
            last_login: None,
            logins_too_soon: 0,
            rules: Vec::new(),
            retr_faults: Vec::new(),
            received: Vec::new(),
            added: 0,
        }
    }
}

impl State {
    pub(super) fn add(&mut self, octets: &[u8]) -> u64 {
        self.added += 1;
        self.messages.push(Message {
            serial: self.added,
            octets: octets.into(),
            uidl: format!("liar-{}", self.added).into_bytes(),
            list_offset: 0,
            surrogate: None,
        });
        self.added
    }

    pub(super) fn message(&mut self, serial: u64) -> &mut Message {
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

    /// Whether the server takes a login now; it is the last one then.
    pub(super) fn takes_login(&mut self) -> bool {
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

    /// The first rule for the line, used up by one.
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

    pub(super) fn take_retr_fault(&mut self, serial: u64) -> Option<RetrFault> {
        let index = self
            .retr_faults
            .iter()
            .position(|(faulty, _)| *faulty == serial)?;
        Some(self.retr_faults.remove(index).1)
    }
}

impl Message {
    /// The octets that RETR gives, before dot-stuffing: the message, and a CRLF where its end lacks one.
    pub(super) fn sent(&self) -> Vec<u8> {
        let mut sent = self.octets.to_vec();
        if !sent.is_empty() && !sent.ends_with(b"\r\n") {
            sent.extend_from_slice(b"\r\n");
        }
        sent
    }

    /// What LIST says.
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

/// Whether a line is the command: the whole of it, or its verb where the command is one word.
fn is(line: &str, command: &str) -> bool {
    line.eq_ignore_ascii_case(command) || verb(line).eq_ignore_ascii_case(command)
}
