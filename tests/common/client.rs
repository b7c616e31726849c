//! A small blocking POP3 client, independent of pop3fs: tests compare the mount with what it reads.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Longer than any server here takes to answer (Dovecot's `[IN-USE]` takes 12 s).
const SILENCE: Duration = Duration::from_secs(60);

/// One message as a server gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrieved {
    /// The unique-id, as sent.
    pub uidl: Vec<u8>,
    /// The size that LIST gives after UIDL.
    pub list_octets: u64,
    /// The body of RETR, dot-unstuffed, each line with its end.
    pub bytes: Vec<u8>,
}

/// Logs in, lists and retrieves every message, and quits; nothing is deleted.
pub fn retr_all(port: u16, user: &str, password: &str) -> Vec<Retrieved> {
    let mut client = ReferenceClient::connect(port);
    client.log_in(user, password);
    let uidls = client.listing("UIDL");
    let sizes = client.listing("LIST");
    let messages = uidls
        .into_iter()
        .zip(sizes)
        .map(|((number, uidl), (listed, size))| {
            assert_eq!(number, listed, "UIDL and LIST number alike");
            Retrieved {
                uidl,
                list_octets: decimal(&size),
                bytes: client.body(&format!("RETR {number}")),
            }
        })
        .collect();
    assert!(client.command("QUIT").starts_with("+OK"));
    messages
}

/// A session. Every method fails the test if the server is silent for 60 s.
#[derive(Debug)]
pub struct ReferenceClient {
    stream: BufReader<TcpStream>,
    greeting: String,
}

impl ReferenceClient {
    /// Connects to loopback and reads the greeting.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        stream
            .set_read_timeout(Some(SILENCE))
            .expect("a read time-out");
        stream.set_nodelay(true).expect("no delay");
        let mut client = Self {
            stream: BufReader::new(stream),
            greeting: String::new(),
        };
        client.greeting = client.read_status().expect("a greeting");
        client
    }

    /// The server's first line.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// USER and PASS, both of which must be accepted.
    pub fn log_in(&mut self, user: &str, password: &str) {
        let user = self.command(&format!("USER {user}"));
        assert!(user.starts_with("+OK"), "{user}");
        let password = self.command(&format!("PASS {password}"));
        assert!(password.starts_with("+OK"), "{password}");
    }

    /// Sends a command and returns its status line without the line end. The server must not close.
    pub fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.read_status()
            .unwrap_or_else(|| panic!("the server closed instead of answering {line}"))
    }

    /// Sends a command that has a multi-line reply; `None` when the server refuses it.
    pub fn multi_line(&mut self, line: &str) -> Option<Vec<u8>> {
        self.command(line)
            .starts_with("+OK")
            .then(|| self.read_body())
    }

    /// Like [`ReferenceClient::multi_line`], but the server must accept the command.
    pub fn body(&mut self, line: &str) -> Vec<u8> {
        self.multi_line(line)
            .unwrap_or_else(|| panic!("the server refuses {line}"))
    }

    /// The lines of `LIST` or `UIDL`: the message number and whatever follows the space.
    pub fn listing(&mut self, command: &str) -> Vec<(u64, Vec<u8>)> {
        self.body(command)
            .split(|&octet| octet == b'\n')
            .filter_map(|line| line.strip_suffix(b"\r"))
            .map(|line| {
                let space = line
                    .iter()
                    .position(|&octet| octet == b' ')
                    .expect("a space");
                (decimal(&line[..space]), line[space + 1..].to_vec())
            })
            .collect()
    }

    /// Sends octets as they are, in one write.
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).expect("send");
    }

    /// The next status line without its end, or `None` when the server has closed or reset the
    /// connection.
    pub fn read_status(&mut self) -> Option<String> {
        self.read_line()
            .map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// The body that follows a positive status line, dot-unstuffed, up to the dot line.
    pub fn read_body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line().expect("the end of a multi-line reply");
            match line.as_slice() {
                b".\r\n" => return body,
                [b'.', rest @ ..] => body.extend_from_slice(rest),
                whole => body.extend_from_slice(whole),
            }
        }
    }

    /// Reads up to CRLF; a bare LF or CR is part of the line.
    fn read_line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match self.stream.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the server is silent: {error}"),
            }
        }
        Some(line)
    }
}

fn decimal(digits: &[u8]) -> u64 {
    let first_word = digits
        .split(|&octet| octet == b' ')
        .next()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(first_word);
    text.parse()
        .unwrap_or_else(|_| panic!("not a number: {text:?}"))
}
