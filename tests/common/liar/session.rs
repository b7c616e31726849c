//! One client's session with the liar.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use super::state::{Effect, LiarMessage, LiarShared, Received, verb};
use super::{Liar, Reply, RetrFault};
use crate::common::scripted::Peer;

/// The reply to a command, and what happens after it.
struct Answer {
    octets: Vec<u8>,
    fault: Option<RetrFault>,
    then: AfterReply,
}

#[derive(PartialEq)]
enum AfterReply {
    GoOn,
    End,
}

/// Progress of the login.
enum Login {
    NotYet {
        user: Option<String>,
    },
    /// `AUTH PLAIN` came without its initial response (RFC 5034 section 4).
    AwaitsPlain,
    Done,
}

pub(super) struct LiarSession<'a> {
    shared: &'a Arc<LiarShared>,
    peer: &'a mut Peer,
    login: Login,
    /// The maildrop as it was at login; the message number is the index plus 1.
    messages: Vec<LiarMessage>,
    deleted: BTreeSet<u64>,
    /// UTF8 was sent (RFC 6856 section 2).
    is_utf8: bool,
}

impl<'a> LiarSession<'a> {
    pub(super) fn new(shared: &'a Arc<LiarShared>, peer: &'a mut Peer) -> Self {
        Self {
            shared,
            peer,
            login: Login::NotYet { user: None },
            messages: Vec::new(),
            deleted: BTreeSet::new(),
            is_utf8: false,
        }
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        let greeting = self.shared.state.lock().greeting.clone();
        self.send(&greeting)?;
        while let Some(line) = self.read_line()? {
            if self.shared.state.lock().refuses_pipelining && self.peer.octets_behind() > 0 {
                break;
            }
            if self.shared.state.lock().loses_what_is_pipelined {
                self.peer.lose_octets_behind()?;
            }
            let pause = self.shared.state.lock().pause;
            thread::sleep(pause);
            if self.respond(&line)? == AfterReply::End {
                break;
            }
        }
        Ok(())
    }

    fn read_line(&mut self) -> io::Result<Option<String>> {
        let line = self.peer.read_line()?;
        if let Some(line) = &line {
            let received = Received {
                connection: self.peer.connection(),
                line: line.clone(),
            };
            self.shared.state.lock().received.push(received);
            self.shared.changed.notify_all();
        }
        Ok(line)
    }

    fn respond(&mut self, line: &str) -> io::Result<AfterReply> {
        let rule = self.shared.state.lock().take_rule(line);
        let rule = rule.or_else(|| self.message_rule(line));
        let then = match rule {
            None => {
                let answer = self.perform(line);
                self.give(answer)
            }
            Some(Effect::Instead(reply)) => self.say(reply, line),
            Some(Effect::After(reply)) => {
                self.perform(line);
                self.say(reply, line)
            }
        }?;
        // The server closes the connection whatever it answered (RFC 1939 section 6).
        Ok(match verb(line).as_str() {
            "QUIT" => AfterReply::End,
            _ => then,
        })
    }

    fn message_rule(&self, line: &str) -> Option<Effect> {
        let number: usize = line.split(' ').nth(1)?.parse().ok()?;
        let (_, message) = self.present().find(|(of, _)| *of == number)?;
        let state = self.shared.state.lock();
        state.message_rule(&verb(line), message.serial)
    }

    fn say(&mut self, reply: Reply, line: &str) -> io::Result<AfterReply> {
        match reply {
            Reply::Ok(text) => self.give(Answer::ok(text)),
            Reply::Err(text) => self.give(Answer::err(text)),
            Reply::Raw(octets) => self.give(Answer::of(octets)),
            Reply::RawThenClose(octets) => self.give(Answer::last(octets)),
            Reply::Close => Ok(AfterReply::End),
            Reply::Reset => {
                self.peer.reset();
                Ok(AfterReply::End)
            }
            Reply::Silent => {
                while self.read_line()?.is_some() {}
                Ok(AfterReply::End)
            }
            Reply::Endless(first, others) => {
                self.peer.send(&first)?;
                self.peer.flood(&others)?;
                Ok(AfterReply::End)
            }
            Reply::Drip(first, others, pause) => {
                self.peer.send(&first)?;
                self.peer.drip(&others, pause)?;
                Ok(AfterReply::End)
            }
            Reply::Trickle {
                first,
                piece,
                pause,
            } => {
                self.peer.send(&first)?;
                self.peer.trickle(&piece, pause)?;
                Ok(AfterReply::End)
            }
            Reply::Duplicated => {
                let answer = self.perform(line);
                let octets = answer.octets.repeat(2);
                self.give(Answer { octets, ..answer })
            }
            Reply::Missing => Ok(self.perform(line).then),
            Reply::AnswerTo(other) => {
                let answer = self.perform(&other);
                self.give(answer)
            }
            Reply::BehindAnswerTo(other, pause) => {
                let surplus = self.perform(&other);
                self.send(&surplus.octets)?;
                thread::sleep(pause);
                let answer = self.perform(line);
                self.give(answer)
            }
            Reply::Held(gate) => {
                self.peer.wait(&gate)?;
                let answer = self.perform(line);
                self.give(answer)
            }
            Reply::HeldUntil { behind } => {
                self.peer.wait_for_octets_behind(behind)?;
                let answer = self.perform(line);
                self.give(answer)
            }
        }
    }

    fn give(&mut self, answer: Answer) -> io::Result<AfterReply> {
        let octets = &answer.octets;
        // A fault counts octets from the start of the body, after the status line.
        let body = octets
            .iter()
            .position(|&octet| octet == b'\n')
            .map_or(0, |end| end + 1);
        let until = |sent: usize| (body + sent).min(octets.len());
        match answer.fault {
            None => self.send(octets)?,
            Some(RetrFault::Close { after }) => {
                self.send(&octets[..until(after)])?;
                return Ok(AfterReply::End);
            }
            Some(RetrFault::Reset { after }) => {
                self.send(&octets[..until(after)])?;
                self.peer.reset();
                return Ok(AfterReply::End);
            }
            Some(RetrFault::Hold { after, gate }) => {
                self.send(&octets[..until(after)])?;
                self.peer.wait(&gate)?;
                self.send(&octets[until(after)..])?;
            }
        }
        Ok(answer.then)
    }

    fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let chunk_size = self.shared.state.lock().chunk_size;
        match chunk_size {
            Some(size) => self.peer.send_in_chunks(octets, size),
            None => self.peer.send(octets),
        }
    }

    fn perform(&mut self, line: &str) -> Answer {
        let argument = line.split_once(' ').map_or("", |(_, argument)| argument);
        match (verb(line).as_str(), &self.login) {
            (_, Login::AwaitsPlain) => self.check_plain(line),
            ("CAPA", _) => self.capabilities(),
            ("QUIT", _) => self.quit(),
            ("NOOP", Login::Done) => Answer::ok(""),
            ("UTF8", Login::NotYet { .. }) => {
                self.is_utf8 = true;
                Answer::ok("UTF8 it is")
            }
            ("USER", Login::NotYet { .. }) => {
                self.login = Login::NotYet {
                    user: Some(argument.to_owned()),
                };
                Answer::ok("send PASS")
            }
            ("PASS", Login::NotYet { user: Some(user) }) => self.check(&user.clone(), argument),
            ("AUTH", Login::NotYet { .. }) => self.authenticate(argument),
            ("STAT", Login::Done) => self.stat(),
            ("LIST", Login::Done) => self.list(argument, |message| {
                message.listed().to_string().into_bytes()
            }),
            ("UIDL", Login::Done) => self.list(argument, |message| message.uidl.clone()),
            ("RETR", Login::Done) => self.retr(argument),
            ("TOP", Login::Done) => self.top(argument),
            ("DELE", Login::Done) => self.dele(argument),
            ("RSET", Login::Done) => {
                self.deleted.clear();
                Answer::ok("")
            }
            _ => Answer::err("unknown command, or not now"),
        }
    }

    fn capabilities(&self) -> Answer {
        let state = self.shared.state.lock();
        let lines = match self.login {
            Login::Done => &state.capabilities_after_login,
            Login::NotYet { .. } | Login::AwaitsPlain => &state.capabilities,
        };
        match lines {
            None => Answer::err("unknown command"),
            Some(lines) => Answer::multi_line(
                "capabilities",
                lines.iter().map(|line| line.clone().into_bytes()),
            ),
        }
    }

    fn authenticate(&mut self, argument: &str) -> Answer {
        match argument.split_once(' ') {
            Some((mechanism, response)) if mechanism.eq_ignore_ascii_case("PLAIN") => {
                self.check_plain(response)
            }
            None if argument.eq_ignore_ascii_case("PLAIN") => {
                self.login = Login::AwaitsPlain;
                Answer::of(b"+ \r\n".to_vec())
            }
            _ => Answer::err("unknown mechanism"),
        }
    }

    fn check_plain(&mut self, response: &str) -> Answer {
        self.login = Login::NotYet { user: None };
        let decoded = STANDARD.decode(response).unwrap_or_default();
        let text = String::from_utf8_lossy(&decoded);
        match text.split('\0').collect::<Vec<_>>().as_slice() {
            [_, user, password] => self.check(user, password),
            _ => Answer::err("[AUTH] not a PLAIN response"),
        }
    }

    fn check(&mut self, user: &str, password: &str) -> Answer {
        let connection = self.peer.connection();
        let mut state = self.shared.state.lock();
        if state.loses_what_follows_pass {
            // An error means that the client has closed, which the next read notices too.
            let _ = self.peer.lose_octets_behind();
        }
        if (user, password) != (Liar::USER, Liar::PASSWORD) {
            self.login = Login::NotYet { user: None };
            return Answer::err("[AUTH] wrong user or password");
        }
        if state.locking && state.locked_by.is_some() {
            self.login = Login::NotYet { user: None };
            return Answer::err("[IN-USE] another session has the maildrop");
        }
        if !state.accept_login() {
            self.login = Login::NotYet { user: None };
            return Answer::err("[LOGIN-DELAY] too soon");
        }
        state.locked_by = Some(connection);
        self.messages.clone_from(&state.messages);
        self.login = Login::Done;
        Answer::ok("logged in")
    }

    fn stat(&self) -> Answer {
        let octets: i64 = self.present().map(|(_, message)| message.listed()).sum();
        Answer::ok(&format!("{} {octets}", self.present().count()))
    }

    /// LIST and UIDL: one line per message, or only the message that the argument names.
    fn list(&self, argument: &str, shown: impl Fn(&LiarMessage) -> Vec<u8>) -> Answer {
        let line = |(number, message): (usize, &LiarMessage)| {
            [format!("{number} ").into_bytes(), shown(message)].concat()
        };
        if argument.is_empty() {
            return Answer::multi_line("listing follows", self.present().map(line));
        }
        let wanted = argument.parse().ok();
        match self.present().find(|(number, _)| Some(*number) == wanted) {
            Some(found) => Answer::of([b"+OK ", line(found).as_slice(), b"\r\n"].concat()),
            None => Answer::err("no such message"),
        }
    }

    fn retr(&self, argument: &str) -> Answer {
        let Some(message) = self.stored(argument) else {
            return Answer::err("no such message");
        };
        let fault = self.shared.state.lock().take_retr_fault(message.serial);
        let sent = match &message.surrogate {
            Some(surrogate) if !self.is_utf8 => surrogate.to_vec(),
            _ => message.sent(),
        };
        Answer {
            fault,
            ..self.body(&sent)
        }
    }

    fn body(&self, sent: &[u8]) -> Answer {
        let wire = match self.shared.state.lock().stuffs_no_dots {
            true => sent.to_vec(),
            false => stuffed(sent),
        };
        Answer::of([b"+OK message follows\r\n", wire.as_slice(), b".\r\n"].concat())
    }

    fn top(&self, argument: &str) -> Answer {
        let (number, lines) = argument.split_once(' ').unwrap_or_default();
        match (self.stored(number), lines.parse()) {
            (Some(message), Ok(lines)) => self.body(&head(&message.sent(), lines)),
            _ => Answer::err("no such message"),
        }
    }

    fn dele(&mut self, argument: &str) -> Answer {
        let Some(serial) = self.stored(argument).map(|message| message.serial) else {
            return Answer::err("no such message");
        };
        self.deleted.insert(serial);
        Answer::ok("marked")
    }

    /// The UPDATE state (RFC 1939 section 6): the only place where messages are deleted.
    fn quit(&self) -> Answer {
        let mut state = self.shared.state.lock();
        state
            .messages
            .retain(|message| !self.deleted.contains(&message.serial));
        state.unlock(self.peer.connection());
        Answer::last(b"+OK bye\r\n".to_vec())
    }

    /// The messages of the session that are not marked, with their numbers.
    fn present(&self) -> impl Iterator<Item = (usize, &LiarMessage)> {
        (1..)
            .zip(&self.messages)
            .filter(|(_, message)| !self.deleted.contains(&message.serial))
    }

    /// A message that is neither marked nor removed by another client.
    fn stored(&self, number: &str) -> Option<&LiarMessage> {
        let wanted: usize = number.parse().ok()?;
        let (_, message) = self.present().find(|(number, _)| *number == wanted)?;
        let state = self.shared.state.lock();
        state
            .messages
            .iter()
            .any(|stored| stored.serial == message.serial)
            .then_some(message)
    }
}

impl Drop for LiarSession<'_> {
    fn drop(&mut self) {
        self.shared.state.lock().unlock(self.peer.connection());
    }
}

impl Answer {
    fn of(octets: Vec<u8>) -> Self {
        Self {
            octets,
            fault: None,
            then: AfterReply::GoOn,
        }
    }

    fn last(octets: Vec<u8>) -> Self {
        Self {
            then: AfterReply::End,
            ..Self::of(octets)
        }
    }

    fn ok(text: &str) -> Self {
        Self::of(format!("+OK {text}\r\n").into_bytes())
    }

    fn err(text: &str) -> Self {
        Self::of(format!("-ERR {text}\r\n").into_bytes())
    }

    fn multi_line(status: &str, lines: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut octets = format!("+OK {status}\r\n").into_bytes();
        for line in lines {
            octets.extend(line);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b".\r\n");
        Self::of(octets)
    }
}

/// Doubles every dot at the start of a line; a line ends with CRLF (RFC 1939 section 3).
fn stuffed(sent: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(sent.len() + 16);
    if sent.starts_with(b".") {
        stuffed.push(b'.');
    }
    let mut rest = sent;
    while let Some(end) = memmem::find(rest, b"\r\n.") {
        let (lines, behind) = rest.split_at(end + 2);
        stuffed.extend_from_slice(lines);
        stuffed.push(b'.');
        rest = behind;
    }
    stuffed.extend_from_slice(rest);
    stuffed
}

/// The headers, the empty line and this many lines of the body (RFC 1939 section 7).
fn head(sent: &[u8], lines: usize) -> Vec<u8> {
    let mut left = None;
    let mut head = Vec::new();
    for line in sent.split_inclusive(|&octet| octet == b'\n') {
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None if line == b"\r\n" => left = Some(lines),
            None => {}
        }
        head.extend_from_slice(line);
    }
    head
}
