//! One connection of the server.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;

use memchr::memmem;

use super::reply::WireReply;
use super::{Event, Misreply, ModelShared, PASSWORD, Pace, Quit, Update};
use crate::common::Peer;
use crate::mail::Mail;

/// One connection.
pub(super) struct ModelSession<'a> {
    pub(super) shared: &'a ModelShared,
    pub(super) connection: usize,
    pub(super) phase: Phase,
    pub(super) messages: Vec<Mail>,
    retrieved: HashSet<u32>,
    marked: Vec<Mail>,
    /// A reply that comes after the reply to the next command.
    held: Option<WireReply>,
    /// Whether the client waits for a reply that does not come.
    lacks_reply: bool,
    has_misreplied: bool,
    pub(super) random: fastrand::Rng,
}

/// Progress of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not sent a complete listing yet.
    LogIn,
    Listed,
}

/// What happens after a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterReply {
    GoOn,
    End,
}

impl<'a> ModelSession<'a> {
    pub(super) fn new(shared: &'a ModelShared, connection: usize) -> ModelSession<'a> {
        ModelSession {
            shared,
            connection,
            phase: Phase::LogIn,
            messages: Vec::new(),
            retrieved: HashSet::new(),
            marked: Vec::new(),
            held: None,
            lacks_reply: false,
            has_misreplied: false,
            random: fastrand::Rng::with_seed(connection as u64),
        }
    }

    pub(super) fn serve(mut self, peer: &mut Peer) -> io::Result<()> {
        self.say(peer, &WireReply::Line("+OK ready".to_owned()))?;
        while let Some(line) = peer.read_line()? {
            // After a reply too many, the client is a command ahead without knowing it.
            let is_in_step = !self.has_misreplied;
            if self.shared.pace == Pace::OneAtATime && is_in_step && peer.octets_behind() > 0 {
                self.complain(format!("{line:?} was not alone"));
            }
            let held = self.held.take();
            if self.answer(peer, &line)? == AfterReply::End {
                return Ok(());
            }
            if let Some(reply) = held {
                self.say(peer, &reply)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, peer: &mut Peer, line: &str) -> io::Result<AfterReply> {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let number: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let reply = match verb {
            "CAPA" => self.capabilities(),
            "USER" => WireReply::Line("+OK".to_owned()),
            "PASS" => self.log_in(line),
            "STAT" => self.stat(),
            "UIDL" => self.listing(|mail| mail.uidl.to_string()),
            "LIST" => return self.list(peer),
            "RETR" => {
                let reply = self.retrieve(number);
                return self.say_or_misreply(peer, reply);
            }
            "TOP" if self.shared.offers.top => self.top(number),
            "DELE" => self.mark(number),
            "QUIT" => return self.quit(peer),
            _ => WireReply::Line("-ERR unknown command".to_owned()),
        };
        self.say(peer, &reply)?;
        Ok(AfterReply::GoOn)
    }

    fn capabilities(&self) -> WireReply {
        let offers = self.shared.offers;
        let mut lines = "USER\r\nUIDL\r\nRESP-CODES\r\n".to_owned();
        for (is_offered, line) in [
            (offers.pipelining, "PIPELINING\r\n"),
            (offers.top, "TOP\r\n"),
            (offers.expire_at_once, "EXPIRE 0\r\n"),
        ] {
            if is_offered {
                lines.push_str(line);
            }
        }
        WireReply::Lines("+OK".to_owned(), lines.into_bytes())
    }

    fn log_in(&mut self, line: &str) -> WireReply {
        if line != format!("PASS {PASSWORD}") {
            self.complain(format!("the password was {line:?}"));
        }
        self.messages.clone_from(&self.shared.state.lock().mailbox);
        WireReply::Line("+OK".to_owned())
    }

    fn stat(&self) -> WireReply {
        let octets: u64 = self.messages.iter().map(|mail| mail.listed).sum();
        WireReply::Line(format!("+OK {} {octets}", self.messages.len()))
    }

    /// LIST is the last command of every listing, also of an empty maildrop.
    fn list(&mut self, peer: &mut Peer) -> io::Result<AfterReply> {
        let reply = self.listing(|mail| mail.listed.to_string());
        self.say_the_listing(peer, &reply)?;
        Ok(AfterReply::GoOn)
    }

    fn listing(&self, what: impl Fn(&Mail) -> String) -> WireReply {
        let mut lines = String::new();
        for (mail, number) in self.messages.iter().zip(1..) {
            let _infallible = write!(lines, "{number} {}\r\n", what(mail));
        }
        WireReply::Lines("+OK".to_owned(), lines.into_bytes())
    }

    fn message(&self, number: usize) -> Option<&Mail> {
        let mail = self.messages.get(number.checked_sub(1)?)?;
        let mut state = self.shared.state.lock();
        let is_there = state.has(mail);
        if !is_there {
            state.asked_in_vain.insert(mail.serial);
        }
        is_there.then_some(mail)
    }

    fn retrieve(&mut self, number: usize) -> WireReply {
        let Some(mail) = self.message(number) else {
            return WireReply::Line("-ERR no such message".to_owned());
        };
        let (serial, content) = (mail.serial, mail.content.to_vec());
        self.retrieved.insert(serial);
        WireReply::Lines(format!("+OK {} octets", content.len()), content)
    }

    /// Sends a reply to RETR, or what a misreply makes of it.
    fn say_or_misreply(&mut self, peer: &mut Peer, reply: WireReply) -> io::Result<AfterReply> {
        match (self.take_misreply(&reply, peer), reply) {
            (Some(Misreply::Duplicate), reply) => {
                self.say(peer, &reply)?;
                self.say(peer, &reply)?;
            }
            (Some(Misreply::Missing), _) => {
                self.lacks_reply = true;
                self.shared.state.lock().broken.silent += 1;
            }
            (Some(Misreply::Swapped), reply) => self.held = Some(reply),
            (Some(Misreply::Unstuffed), WireReply::Lines(line, lines)) => {
                let octets = [line.as_bytes(), b"\r\n", &lines, b".\r\n"].concat();
                self.say(peer, &WireReply::Raw(octets))?;
            }
            (None | Some(Misreply::Unstuffed), reply) => self.say(peer, &reply)?,
        }
        Ok(AfterReply::GoOn)
    }

    /// The misreply that is due, counted as a break.
    fn take_misreply(&mut self, reply: &WireReply, peer: &Peer) -> Option<Misreply> {
        let WireReply::Lines(_, lines) = reply else {
            return None;
        };
        if self.held.is_some() {
            return None;
        }
        let mut state = self.shared.state.lock();
        let misreply = *state.misreplies.front()?;
        let is_noticeable = state.is_list_exact || !self.has_misreplied;
        let is_possible = match misreply {
            // The client may wait for this reply before it sends another command.
            Misreply::Swapped => state.is_list_exact && peer.octets_behind() > 0,
            Misreply::Unstuffed => memmem::find(lines, b"\r\n.\r\n").is_some(),
            Misreply::Duplicate | Misreply::Missing => true,
        };
        if !is_possible || !is_noticeable {
            return None;
        }
        self.has_misreplied = true;
        state.misreplies.pop_front();
        state.misreplied += 1;
        state.broken.later += 1;
        if misreply == Misreply::Missing {
            state.broken.by_silence += 1;
        }
        Some(misreply)
    }

    fn top(&self, number: usize) -> WireReply {
        let Some(mail) = self.message(number) else {
            return WireReply::Line("-ERR no such message".to_owned());
        };
        let end = mail.content.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.map_or(mail.content.len(), |at| at + 4);
        WireReply::Lines("+OK".to_owned(), mail.content[..end].to_vec())
    }

    /// A message that another client has deleted can be marked: Dovecot checks only at QUIT.
    fn mark(&mut self, number: usize) -> WireReply {
        let Some(mail) = number
            .checked_sub(1)
            .and_then(|at| self.messages.get(at))
            .cloned()
        else {
            self.complain(format!("DELE {number}, which there is not"));
            return WireReply::Line("-ERR no such message".to_owned());
        };
        let mut state = self.shared.state.lock();
        state.events.push(Event::Marked(mail.clone()));
        let is_refused = state.refused & 1 == 1;
        state.refused >>= 1;
        if is_refused {
            return WireReply::Line("-ERR it is read-only".to_owned());
        }
        state.events.push(Event::Accepted(mail.clone()));
        drop(state);
        self.marked.push(mail);
        WireReply::Line("+OK".to_owned())
    }

    fn quit(&mut self, peer: &mut Peer) -> io::Result<AfterReply> {
        let mut state = self.shared.state.lock();
        let quit = match self.marked.is_empty() {
            true => Quit::Confirmed,
            false => {
                state.events.push(Event::Quit);
                state.quit.take().unwrap_or(Quit::Confirmed)
            }
        };
        drop(state);
        match quit {
            Quit::Confirmed => {
                // The reply may break off; the messages are deleted by then.
                self.update(Update::Done);
                self.say(peer, &WireReply::Line("+OK bye".to_owned()))?;
            }
            Quit::Refused(update) => {
                self.update(update);
                self.say(
                    peer,
                    &WireReply::Line("-ERR [SYS/TEMP] some are left".to_owned()),
                )?;
            }
            Quit::Closed(update) => self.update(update),
            Quit::Silent(update) => {
                self.update(update);
                self.stay_silent(peer)?;
            }
        }
        peer.close();
        Ok(AfterReply::End)
    }

    fn update(&mut self, update: Update) {
        if update == Update::NotDone {
            return;
        }
        let mut gone: HashSet<u32> = self.marked.iter().map(|mail| mail.serial).collect();
        if self.shared.offers.expire_at_once {
            gone.extend(&self.retrieved);
        }
        let mut state = self.shared.state.lock();
        let (deleted, left) = std::mem::take(&mut state.mailbox)
            .into_iter()
            .partition(|mail| gone.contains(&mail.serial));
        state.mailbox = left;
        // A message that has another unique-id by now is named as this session has listed it.
        let as_listed = |mail: Mail| {
            let mut marked = self.marked.iter();
            let listed = marked.find(|listed| listed.serial == mail.serial);
            listed.cloned().unwrap_or(mail)
        };
        let deleted: Vec<Mail> = deleted.into_iter().map(as_listed).collect();
        if !deleted.is_empty() {
            state.events.push(Event::Deleted(deleted));
        }
    }

    fn complain(&self, of: String) {
        self.shared.state.lock().complaints.push(of);
    }
}

impl Drop for ModelSession<'_> {
    fn drop(&mut self) {
        if self.lacks_reply {
            self.shared.state.lock().broken.silent -= 1;
        }
    }
}
