//! The states of RFC 1939: what each command answers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::USER;
use super::command::{Command, MessageNumber};
use super::maildrop::{Maildrop, Message};

/// How long PASS waits for another session to let go of the maildrop. Long enough for one whose client has just hung up.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// RFC 2449 §6.
const CAPABILITIES: &[u8] =
    b"TOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nRESP-CODES\r\nIMPLEMENTATION pop3fs-demo\r\n";

/// One client's session.
pub(super) struct Session<'a> {
    maildrop: &'a Mutex<Maildrop>,
    password: &'a str,
    state: State<'a>,
}

/// RFC 1939 §3. UPDATE is passed through within QUIT.
enum State<'a> {
    Authorization { user: Option<String> },
    Transaction(Transaction<'a>),
    Over,
}

/// Exclusive access to the maildrop, and the positions marked as deleted. Dropped other than by QUIT, it removes nothing.
struct Transaction<'a> {
    maildrop: MutexGuard<'a, Maildrop>,
    deleted: BTreeSet<usize>,
}

/// What follows `+OK `.
#[derive(Debug)]
pub(super) enum Reply {
    Line(String),
    /// The first line, then octets of CRLF lines that are not dot-stuffed yet.
    Lines(String, Vec<u8>),
}

/// What follows `-ERR `: the client's fault, but for the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no such command, or not with these arguments")]
    NotUnderstood,
    #[error("the line is too long")]
    TooLong,
    #[error("not before the login")]
    BeforeLogin,
    #[error("you are logged in")]
    AfterLogin,
    #[error("USER comes first")]
    NoUser,
    #[error("wrong user name or password")]
    WrongLogin,
    /// RFC 2449 §8.1.1.
    #[error("[IN-USE] another session has the maildrop")]
    InUse,
    #[error("no such message")]
    NoSuchMessage,
}

impl<'a> Session<'a> {
    /// In the AUTHORIZATION state.
    pub(super) fn new(maildrop: &'a Mutex<Maildrop>, password: &'a str) -> Self {
        Self {
            maildrop,
            password,
            state: State::Authorization { user: None },
        }
    }

    /// Whether QUIT was answered.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Does what `command` asks for.
    pub(super) fn answer(&mut self, command: Command) -> Result<Reply, Refusal> {
        match (command, &mut self.state) {
            (Command::Capa, _) => Ok(lines("my capabilities", CAPABILITIES.into())),
            (Command::Quit, _) => Ok(self.quit()),
            (Command::User(name), State::Authorization { user }) => {
                *user = Some(name);
                Ok(line("and the password?"))
            }
            (Command::Pass(password), State::Authorization { user }) => {
                let user = user.take().ok_or(Refusal::NoUser)?;
                self.log_in(&user, &password)
            }
            (_, State::Authorization { .. }) => Err(Refusal::BeforeLogin),
            (command, State::Transaction(transaction)) => transaction.answer(&command),
            (_, State::Over) => Err(Refusal::NotUnderstood),
        }
    }

    fn log_in(&mut self, user: &str, password: &str) -> Result<Reply, Refusal> {
        if user != USER || password != self.password {
            return Err(Refusal::WrongLogin);
        }
        let maildrop = self
            .maildrop
            .try_lock_for(LOCK_PATIENCE)
            .ok_or(Refusal::InUse)?;
        let transaction = Transaction {
            maildrop,
            deleted: BTreeSet::new(),
        };
        let reply = line(transaction.summary());
        self.state = State::Transaction(transaction);
        Ok(reply)
    }

    /// UPDATE, where there is something to update. The maildrop is unlocked before the client can read the answer.
    fn quit(&mut self) -> Reply {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Transaction(transaction) => {
                line(format!("goodbye, {} removed", transaction.update()))
            }
            State::Authorization { .. } | State::Over => line("goodbye"),
        }
    }
}

impl Transaction<'_> {
    fn answer(&mut self, command: &Command) -> Result<Reply, Refusal> {
        Ok(match *command {
            Command::Stat => {
                let (count, octets) = self.totals();
                line(format!("{count} {octets}"))
            }
            Command::List(None) => lines(
                self.summary(),
                self.listing(|message| message.octets.len().to_string()),
            ),
            Command::List(Some(number)) => line(format!(
                "{} {}",
                number.0,
                self.message(number)?.octets.len()
            )),
            Command::Uidl(None) => lines(
                self.summary(),
                self.listing(|message| message.unique_id.to_owned()),
            ),
            Command::Uidl(Some(number)) => {
                line(format!("{} {}", number.0, self.message(number)?.unique_id))
            }
            Command::Retr(number) => {
                let octets = &self.message(number)?.octets;
                lines(format!("{} octets", octets.len()), octets.clone())
            }
            Command::Top(number, count) => lines(
                "the top",
                top(&self.message(number)?.octets, count).to_vec(),
            ),
            Command::Dele(number) => {
                let position = self.position(number)?;
                self.deleted.insert(position);
                line(format!("message {} marked", number.0))
            }
            Command::Rset => {
                self.deleted.clear();
                line(self.summary())
            }
            Command::Noop => line("nothing done"),
            Command::Capa | Command::Quit | Command::User(_) | Command::Pass(_) => {
                return Err(Refusal::AfterLogin);
            }
        })
    }

    /// Those not marked as deleted, each with its position.
    fn left(&self) -> impl Iterator<Item = (usize, &Message)> {
        self.maildrop
            .messages
            .iter()
            .enumerate()
            .filter(|(position, _)| !self.deleted.contains(position))
    }

    fn position(&self, number: MessageNumber) -> Result<usize, Refusal> {
        let position = number.0.checked_sub(1).ok_or(Refusal::NoSuchMessage)?;
        let is_left = position < self.maildrop.messages.len() && !self.deleted.contains(&position);
        if is_left {
            Ok(position)
        } else {
            Err(Refusal::NoSuchMessage)
        }
    }

    fn message(&self, number: MessageNumber) -> Result<&Message, Refusal> {
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

    /// A scan listing or a unique-id listing (RFC 1939 §5, §7).
    fn listing(&self, what: impl Fn(&Message) -> String) -> Vec<u8> {
        let mut lines = String::new();
        for (position, message) in self.left() {
            let _ = write!(lines, "{} {}\r\n", position + 1, what(message));
        }
        lines.into_bytes()
    }

    /// RFC 1939 §6: removes what is marked and unlocks. Returns how many are gone.
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

impl Reply {
    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let (Self::Line(first) | Self::Lines(first, _)) = self;
        write!(out, "+OK {first}\r\n")?;
        if let Self::Lines(_, octets) = self {
            write_stuffed(octets, out)?;
        }
        Ok(())
    }
}

/// Writes a reply of either kind with all that frames it.
pub(super) fn write_reply(reply: &Result<Reply, Refusal>, out: &mut impl Write) -> io::Result<()> {
    match reply {
        Ok(reply) => reply.write_to(out),
        Err(refusal) => write!(out, "-ERR {refusal}\r\n"),
    }
}

fn line(first: impl Into<String>) -> Reply {
    Reply::Line(first.into())
}

fn lines(first: impl Into<String>, octets: Vec<u8>) -> Reply {
    Reply::Lines(first.into(), octets)
}

/// RFC 1939 §3: a line that begins with a dot gets one more, and a single dot ends it all.
fn write_stuffed(octets: &[u8], out: &mut impl Write) -> io::Result<()> {
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            out.write_all(b".")?;
        }
        out.write_all(line)?;
    }
    out.write_all(b".\r\n")
}

/// RFC 1939 §7: the headers, the blank line and the first `lines` of the body.
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
