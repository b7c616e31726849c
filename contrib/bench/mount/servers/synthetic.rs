//! A server whose messages are made while they are sent: as many or as large ones as one likes, at
//! the speed of memory.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};

/// The listener lives as long as the bench; each connection is a thread that ends with it.
#[derive(Debug)]
pub(crate) struct Synthetic {
    port: u16,
}

/// The messages, which are all alike.
#[derive(Debug, Clone, Copy)]
struct Contents {
    messages: u32,
    octets_each: u64,
}

/// Lines without a dot at their start, sent again and again.
struct Filler {
    lines: Vec<u8>,
}

const LINE: u64 = 78;

const CAPABILITIES: &str = "USER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n";

impl Synthetic {
    /// Serves so many messages of so many octets each, at least 300, on a port of loopback.
    pub(crate) fn serve(messages: u32, octets_each: u64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
        let port = listener.local_addr()?.port();
        let contents = Contents {
            messages,
            octets_each,
        };
        let filler = Arc::new(Filler::new());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let filler = Arc::clone(&filler);
                // An error is the client's leaving.
                thread::spawn(move || contents.serve(&stream, &filler));
            }
        });
        Ok(Self { port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Contents {
    fn serve(self, stream: &TcpStream, filler: &Filler) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut commands = BufReader::new(stream);
        let mut replies = BufWriter::with_capacity(64 << 10, stream);
        replies.write_all(b"+OK ready\r\n")?;
        let mut line = String::new();
        loop {
            // What has come in one packet is answered in one.
            if commands.buffer().is_empty() {
                replies.flush()?;
            }
            line.clear();
            if commands.read_line(&mut line)? == 0 {
                return Ok(());
            }
            self.answer(line.trim_end(), filler, &mut replies)?;
            if line.trim_end().eq_ignore_ascii_case("QUIT") {
                return replies.flush();
            }
        }
    }

    fn answer(self, command: &str, filler: &Filler, out: &mut impl Write) -> io::Result<()> {
        let mut words = command.split(' ');
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let number = words.next().and_then(|word| word.parse::<u32>().ok());
        match (verb.as_str(), number) {
            ("CAPA", _) => write!(out, "+OK\r\n{CAPABILITIES}"),
            ("USER" | "PASS" | "NOOP" | "QUIT", _) => out.write_all(b"+OK\r\n"),
            ("STAT", _) => write!(out, "+OK {} {}\r\n", self.messages, self.octets()),
            ("LIST", None) => self.listing(out, |number, out| {
                write!(out, "{number} {}\r\n", self.octets_each)
            }),
            ("UIDL", None) => {
                self.listing(out, |number, out| write!(out, "{number} {number:016x}\r\n"))
            }
            ("RETR", Some(1..)) => {
                let header = header(number);
                write!(out, "+OK\r\n{header}")?;
                filler.write(self.octets_each - header.len() as u64, out)?;
                out.write_all(b".\r\n")
            }
            ("TOP", Some(1..)) => write!(out, "+OK\r\n{}.\r\n", header(number)),
            _ => out.write_all(b"-ERR not here\r\n"),
        }
    }

    fn listing<W: Write>(
        self,
        out: &mut W,
        line: impl Fn(u32, &mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        out.write_all(b"+OK\r\n")?;
        (1..=self.messages).try_for_each(|number| line(number, out))?;
        out.write_all(b".\r\n")
    }

    fn octets(self) -> u64 {
        u64::from(self.messages) * self.octets_each
    }
}

/// Under 300 octets, with the empty line at its end.
fn header(number: Option<u32>) -> String {
    let number = number.unwrap_or_default();
    format!(
        "Received: from a.example by b.example; Mon, 1 Jan 2024 10:00:00 +0000\r\n\
         From: a@example.org\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nSubject: {number}\r\n\r\n"
    )
}

impl Filler {
    fn new() -> Self {
        let mut line = vec![b'A'; usize::try_from(LINE).unwrap_or(0) - 2];
        line.extend_from_slice(b"\r\n");
        Self {
            lines: line.repeat(16 << 10),
        }
    }

    /// Exactly so many octets, at least 2, ending with a line end.
    fn write(&self, octets: u64, out: &mut impl Write) -> io::Result<()> {
        let first_line = 2 + (octets - 2) % LINE;
        let mut left = octets - first_line;
        out.write_all(&vec![b'a'; usize::try_from(first_line - 2).unwrap_or(0)])?;
        out.write_all(b"\r\n")?;
        while left > 0 {
            let piece = left.min(self.lines.len() as u64);
            out.write_all(&self.lines[..usize::try_from(piece).unwrap_or(0)])?;
            left -= piece;
        }
        Ok(())
    }
}
