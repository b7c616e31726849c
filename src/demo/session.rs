//! The states of RFC 1939, and the reply to each command.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::USER;
use super::command::{DemoCommand, RequestedNumber};
use super::maildrop::{DemoMaildrop, SampleMail};
use super::refusal::DemoRefusal;

/// How long PASS waits for another session to release the maildrop: long enough if that client has
/// just hung up.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// RFC 2449 section 6.
const CAPABILITIES: &[u8] =
    b"TOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nRESP-CODES\r\nIMPLEMENTATION pop3fs-demo\r\n";

/// One client's session.
pub(super) struct DemoSession<'a> {
    maildrop: &'a Mutex<DemoMaildrop>,
    password: &'a str,
    state: DemoState<'a>,
}

/// RFC 1939 section 3. QUIT enters UPDATE and leaves it at once.
enum DemoState<'a> {
    Authorization { user: Option<String> },
    Transaction(Transaction<'a>),
    Over,
}

/// Exclusive access to the maildrop, and the positions marked as deleted. Only QUIT removes them.
struct Transaction<'a> {
    maildrop: MutexGuard<'a, DemoMaildrop>,
    deleted: BTreeSet<usize>,
}

/// A positive reply, without `+OK `.
#[derive(Debug)]
pub(super) enum DemoReply {
    Line(String),
    /// The first line, then CRLF lines, not yet dot-stuffed.
    Lines(String, Vec<u8>),
}

impl<'a> DemoSession<'a> {
    /// A session in the AUTHORIZATION state.
    pub(super) fn new(maildrop: &'a Mutex<DemoMaildrop>, password: &'a str) -> Self {
        Self {
            maildrop,
            password,
            state: DemoState::Authorization { user: None },
        }
    }

    /// Whether the session has answered QUIT.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, DemoState::Over)
    }

    /// Carries out `command` and returns the reply.
    pub(super) fn answer(&mut self, command: DemoCommand) -> Result<DemoReply, DemoRefusal> {
        match (command, &mut self.state) {
            (DemoCommand::Capa, _) => Ok(lines("my capabilities", CAPABILITIES.into())),
            (DemoCommand::Quit, _) => Ok(self.quit()),
            (DemoCommand::User(name), DemoState::Authorization { user }) => {
                *user = Some(name);
                Ok(line("and the password?"))
            }
            (DemoCommand::Pass(password), DemoState::Authorization { user }) => {
                let user = user.take().ok_or(DemoRefusal::NoUser)?;
                self.log_in(&user, &password)
            }
            (_, DemoState::Authorization { .. }) => Err(DemoRefusal::BeforeLogin),
            (command, DemoState::Transaction(transaction)) => transaction.answer(&command),
            (_, DemoState::Over) => Err(DemoRefusal::NotUnderstood),
        }
    }

    fn log_in(&mut self, user: &str, password: &str) -> Result<DemoReply, DemoRefusal> {
        if user != USER || password != self.password {
            return Err(DemoRefusal::WrongLogin);
        }
        let maildrop = self
            .maildrop
            .try_lock_for(LOCK_PATIENCE)
            .ok_or(DemoRefusal::InUse)?;
        let transaction = Transaction {
            maildrop,
            deleted: BTreeSet::new(),
        };
        let reply = line(transaction.summary());
        self.state = DemoState::Transaction(transaction);
        Ok(reply)
    }

    /// Enters UPDATE if the client had logged in. The maildrop is unlocked before the client can
    /// read the reply.
    fn quit(&mut self) -> DemoReply {
        match std::mem::replace(&mut self.state, DemoState::Over) {
            DemoState::Transaction(transaction) => {
                line(format!("goodbye, {} removed", transaction.update()))
            }
            DemoState::Authorization { .. } | DemoState::Over => line("goodbye"),
        }
    }
}

impl Transaction<'_> {
    fn answer(&mut self, command: &DemoCommand) -> Result<DemoReply, DemoRefusal> {
        Ok(match *command {
            DemoCommand::Stat => {
                let (count, octets) = self.totals();
                line(format!("{count} {octets}"))
            }
            DemoCommand::List(None) => lines(
                self.summary(),
                self.listing(|message| message.octets.len().to_string()),
            ),
            DemoCommand::List(Some(number)) => line(format!(
                "{} {}",
                number.0,
                self.message(number)?.octets.len()
            )),
            DemoCommand::Uidl(None) => lines(
                self.summary(),
                self.listing(|message| message.unique_id.to_owned()),
            ),
            DemoCommand::Uidl(Some(number)) => {
                line(format!("{} {}", number.0, self.message(number)?.unique_id))
            }
            DemoCommand::Retr(number) => {
                let octets = &self.message(number)?.octets;
                lines(format!("{} octets", octets.len()), octets.clone())
            }
            DemoCommand::Top(number, count) => lines(
                "the top",
                top(&self.message(number)?.octets, count).to_vec(),
            ),
            DemoCommand::Dele(number) => {
                let position = self.position(number)?;
                self.deleted.insert(position);
                line(format!("message {} marked", number.0))
            }
            DemoCommand::Rset => {
                self.deleted.clear();
                line(self.summary())
            }
            DemoCommand::Noop => line("nothing done"),
            DemoCommand::Capa | DemoCommand::Quit | DemoCommand::User(_) | DemoCommand::Pass(_) => {
                return Err(DemoRefusal::AfterLogin);
            }
        })
    }

    /// The mails not marked as deleted, each with its position.
    fn left(&self) -> impl Iterator<Item = (usize, &SampleMail)> {
        self.maildrop
            .messages
            .iter()
            .enumerate()
            .filter(|(position, _)| !self.deleted.contains(position))
    }

    fn position(&self, number: RequestedNumber) -> Result<usize, DemoRefusal> {
        let position = number.0.checked_sub(1).ok_or(DemoRefusal::NoSuchMessage)?;
        let is_left = position < self.maildrop.messages.len() && !self.deleted.contains(&position);
        if is_left {
            Ok(position)
        } else {
            Err(DemoRefusal::NoSuchMessage)
        }
    }

    fn message(&self, number: RequestedNumber) -> Result<&SampleMail, DemoRefusal> {
        self.position(number)
            .map(|position| &self.maildrop.messages[position])
    }

    fn totals(&self) -> (usize, usize) {
        self.left().fold((0, 0), |(count, octets), (_, message)| {
            (count + 1, octets + message.octets.len())
        })
    }

    fn summary(&self) -> String {
        let (count, octets) = self.totals();
        format!("{count} messages ({octets} octets)")
    }

    /// A scan listing or a unique-id listing (RFC 1939 section 5, section 7).
    fn listing(&self, what: impl Fn(&SampleMail) -> String) -> Vec<u8> {
        let mut lines = String::new();
        for (position, message) in self.left() {
            let _ = write!(lines, "{} {}\r\n", position + 1, what(message));
        }
        lines.into_bytes()
    }

    /// RFC 1939 section 6: removes the marked mails and unlocks the maildrop. Returns how many were
    /// removed.
    fn update(mut self) -> usize {
        let mut positions = 0..;
        self.maildrop.messages.retain(|_| {
            positions
                .next()
                .is_some_and(|position| !self.deleted.contains(&position))
        });
        self.deleted.len()
    }
}

impl DemoReply {
    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let (Self::Line(first) | Self::Lines(first, _)) = self;
        write!(out, "+OK {first}\r\n")?;
        if let Self::Lines(_, octets) = self {
            write_stuffed(octets, out)?;
        }
        Ok(())
    }
}

/// Writes a positive or negative reply as it goes over the wire.
pub(super) fn write_reply(
    reply: &Result<DemoReply, DemoRefusal>,
    out: &mut impl Write,
) -> io::Result<()> {
    match reply {
        Ok(reply) => reply.write_to(out),
        Err(refusal) => write!(out, "-ERR {refusal}\r\n"),
    }
}

fn line(first: impl Into<String>) -> DemoReply {
    DemoReply::Line(first.into())
}

fn lines(first: impl Into<String>, octets: Vec<u8>) -> DemoReply {
    DemoReply::Lines(first.into(), octets)
}

/// RFC 1939 section 3: a line that starts with a dot gets another dot; a line with a single dot
/// ends the reply.
fn write_stuffed(octets: &[u8], out: &mut impl Write) -> io::Result<()> {
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            out.write_all(b".")?;
        }
        out.write_all(line)?;
    }
    out.write_all(b".\r\n")
}

/// RFC 1939 section 7: the headers, the blank line and the first `lines` lines of the body.
fn top(octets: &[u8], lines: usize) -> &[u8] {
    let body = octets
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(octets.len(), |end| end + 4);
    let shown: usize = octets[body..]
        .split_inclusive(|&octet| octet == b'\n')
        .take(lines)
        .map(<[u8]>::len)
        .sum();
    &octets[..body + shown]
}
