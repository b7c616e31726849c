//! A server with an empty maildrop whose login is decided by the test.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;

use crate::common::{Peer, Scripted};

/// A server whose login is a closure.
pub(crate) struct Guard {
    server: Scripted,
    lines: Lines,
    greeting: Arc<Mutex<&'static str>>,
}

/// Every line that arrived.
type Lines = Arc<Mutex<Vec<String>>>;

/// One client that logs in.
pub(crate) struct Visitor<'a> {
    peer: &'a mut Peer,
    lines: &'a Lines,
}

impl Guard {
    /// Answers CAPA with these lines, or with -ERR if there are none. On AUTH, USER and APOP it
    /// calls `admit` with the line; `admit` sends all replies itself.
    pub(crate) fn start(
        capabilities: &'static [&'static str],
        admit: impl Fn(&mut Visitor<'_>, &str) -> io::Result<()> + Send + Sync + 'static,
    ) -> Guard {
        let lines = Lines::default();
        let greeting = Arc::new(Mutex::new("+OK ready <1896.697170952@dbc.mtview.ca.us>"));
        let server = {
            let (lines, greeting) = (Arc::clone(&lines), Arc::clone(&greeting));
            Scripted::start(move |peer| {
                let mut visitor = Visitor {
                    peer,
                    lines: &lines,
                };
                visitor.say(*greeting.lock())?;
                visitor.serve(capabilities, &admit)
            })
        };
        Guard {
            server,
            lines,
            greeting,
        }
    }

    /// Sets the greeting for later connections.
    pub(crate) fn greet(&self, line: &'static str) {
        *self.greeting.lock() = line;
    }

    pub(crate) fn source(&self) -> String {
        format!("pop://alice@127.0.0.1:{}", self.server.port())
    }

    /// The lines that start with this.
    pub(crate) fn lines_with(&self, start: &str) -> Vec<String> {
        let lines = self.lines.lock();
        let found = lines.iter().filter(|line| line.starts_with(start));
        found.cloned().collect()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        self.lines_with(start).len()
    }
}

impl Visitor<'_> {
    /// The next line.
    pub(crate) fn hear(&mut self) -> io::Result<String> {
        let line = self.peer.read_line()?;
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.lines.lock().push(line.clone());
        Ok(line)
    }

    /// The next line, decoded from base64.
    pub(crate) fn hear_response(&mut self) -> io::Result<String> {
        self.hear().map(|line| decoded(&line))
    }

    /// Whether this is the first connection.
    pub(crate) fn is_first(&self) -> bool {
        self.peer.connection() == 1
    }

    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.peer.send(format!("{line}\r\n").as_bytes())
    }

    /// Sends `+ ` and the base64 of the message.
    pub(crate) fn challenge(&mut self, message: &str) -> io::Result<()> {
        self.say(&format!("+ {}", STANDARD.encode(message)))
    }

    fn serve(
        &mut self,
        capabilities: &[&str],
        admit: &impl Fn(&mut Visitor<'_>, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let line = self.hear()?;
            match line.split(' ').next().unwrap_or_default() {
                "AUTH" | "USER" | "APOP" => admit(self, &line)?,
                "CAPA" if capabilities.is_empty() => self.say("-ERR unknown command")?,
                "CAPA" => self.say(&format!("+OK\r\n{}\r\n.", capabilities.join("\r\n")))?,
                "STAT" => self.say("+OK 0 0")?,
                "QUIT" => return self.say("+OK bye"),
                _ => self.say("-ERR unknown command")?,
            }
        }
    }
}

/// The decoded text; empty if it is not base64.
pub(crate) fn decoded(base64: &str) -> String {
    String::from_utf8_lossy(&STANDARD.decode(base64).unwrap_or_default()).into_owned()
}
