//! The raw limit: one connection, every command sent at once, what comes thrown away.

mod deletions;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use memchr::memmem;

use crate::servers::{PASSWORD, USER};

/// The longest silence of a server.
const SILENCE: Duration = Duration::from_secs(120);

/// A session that is logged in.
#[derive(Debug)]
pub(crate) struct RawSession {
    stream: TcpStream,
    messages: u32,
}

impl RawSession {
    /// Connects to loopback, and logs in.
    pub(crate) fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut session = Self {
            stream,
            messages: 0,
        };
        session.status()?;
        session.command(&format!("USER {USER}"))?;
        session.command(&format!("PASS {PASSWORD}"))?;
        let stat = session.command("STAT")?;
        session.messages = stat
            .split(' ')
            .nth(1)
            .and_then(|count| count.parse().ok())
            .with_context(|| format!("STAT says {stat:?}"))?;
        Ok(session)
    }

    /// By STAT.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// UIDL and LIST, in one write.
    pub(crate) fn listing(&mut self) -> Result<u64> {
        self.at_once("UIDL\r\nLIST\r\n", 2)
    }

    /// RETR of every message; returns the octets that came.
    pub(crate) fn bodies(&mut self) -> Result<u64> {
        self.of_every_message(|number, commands| write!(commands, "RETR {number}\r\n"))
    }

    /// TOP n 0 of every message; returns the octets that came.
    pub(crate) fn headers(&mut self) -> Result<u64> {
        self.of_every_message(|number, commands| write!(commands, "TOP {number} 0\r\n"))
    }

    /// QUIT, so that the server remembers what it has learnt about the messages.
    pub(crate) fn quit(mut self) -> Result<()> {
        self.command("QUIT").map(drop)
    }

    fn of_every_message(
        &mut self,
        command: impl Fn(u32, &mut String) -> std::fmt::Result,
    ) -> Result<u64> {
        let mut commands = String::new();
        (1..=self.messages).try_for_each(|number| command(number, &mut commands))?;
        self.at_once(&commands, self.messages)
    }

    /// Writes and reads at the same time: neither side's full buffers stop the other.
    fn at_once(&mut self, commands: &str, replies: u32) -> Result<u64> {
        let mut writer = self.stream.try_clone()?;
        thread::scope(|scope| {
            let writing = scope.spawn(move || writer.write_all(commands.as_bytes()));
            let discarded = self.discard(replies);
            if discarded.is_err() {
                // Or the writer might wait for ever.
                let _ = self.stream.shutdown(Shutdown::Both);
            }
            writing
                .join()
                .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
            discarded
        })
    }

    /// Reads up to the end of so many replies of several lines.
    fn discard(&mut self, replies: u32) -> Result<u64> {
        let mut ends = Ends::default();
        let mut octets = 0;
        let mut buffer = vec![0; 256 << 10];
        while ends.seen < replies {
            let length = self.stream.read(&mut buffer).context("read a reply")?;
            ensure!(length > 0, "the server closed after {} replies", ends.seen);
            ends.count(&buffer[..length]);
            octets += length as u64;
        }
        ensure!(ends.seen == replies, "more replies than commands");
        Ok(octets)
    }

    fn command(&mut self, line: &str) -> Result<String> {
        self.stream.write_all(format!("{line}\r\n").as_bytes())?;
        self.status()
    }

    /// Nothing follows the line, since nothing more was asked for: a buffer for it alone loses
    /// nothing.
    fn status(&mut self) -> Result<String> {
        let mut line = String::new();
        BufReader::new(&self.stream)
            .read_line(&mut line)
            .context("read a status line")?;
        ensure!(line.starts_with("+OK"), "the server says {line:?}");
        Ok(line.trim_end().to_owned())
    }
}

const END: &[u8] = b"\r\n.\r\n";

/// Counts the ends of replies, wherever the reads cut them.
#[derive(Debug, Default)]
struct Ends {
    seen: u32,
    /// The last octets that came, fewer than an end has.
    tail: Vec<u8>,
}

impl Ends {
    fn count(&mut self, octets: &[u8]) {
        let border = octets.len().min(END.len() - 1);
        self.tail.extend_from_slice(&octets[..border]);
        self.seen += occurrences(&self.tail);
        if octets.len() > border {
            self.seen += occurrences(octets);
            self.tail.clear();
            self.tail
                .extend_from_slice(&octets[octets.len() - (END.len() - 1)..]);
            return;
        }
        let keep = self.tail.len().saturating_sub(END.len() - 1);
        self.tail.drain(..keep);
    }
}

fn occurrences(octets: &[u8]) -> u32 {
    u32::try_from(memmem::find_iter(octets, END).count()).unwrap_or(u32::MAX)
}
