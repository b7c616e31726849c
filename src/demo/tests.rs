//! Raw sessions over TCP; the client only reads and writes lines.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::{DemoServer, USER, server, suggestions};

/// How long a test waits for octets before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    replies: BufReader<TcpStream>,
}

impl Client {
    fn connect(server: &DemoServer) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            replies: BufReader::new(stream),
        }
    }

    fn logged_in(server: &DemoServer) -> Self {
        let mut client = Self::connect(server);
        client.line();
        client.ask(&format!("USER {USER}"));
        let reply = client.ask(&format!("PASS {}", server.password()));
        assert!(reply.starts_with("+OK"), "{reply}");
        client
    }

    fn send(&mut self, octets: &str) {
        self.replies.get_mut().write_all(octets.as_bytes()).unwrap();
    }

    /// Reads the next line without its CRLF; empty at the end of the connection.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.replies.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n"));
        self.line()
    }

    /// Reads a multi-line reply and removes the dot-stuffing.
    fn ask_for_lines(&mut self, command: &str) -> Vec<u8> {
        let first = self.ask(command);
        assert!(first.starts_with("+OK"), "{command}: {first}");
        let mut octets = Vec::new();
        loop {
            let mut line = Vec::new();
            self.replies.read_until(b'\n', &mut line).unwrap();
            assert!(line.ends_with(b"\r\n"), "{command}: {line:?}");
            if line == b".\r\n" {
                return octets;
            }
            octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn ask_for_text(&mut self, command: &str) -> String {
        String::from_utf8(self.ask_for_lines(command)).unwrap()
    }
}

/// The message-number of `name`.
fn number_of(client: &mut Client, name: &str) -> String {
    let listing = client.ask_for_text("UIDL");
    let entry = listing.lines().find(|entry| entry.ends_with(name)).unwrap();
    entry.split(' ').next().unwrap().to_owned()
}

#[test]
fn the_server_greets_and_lists_its_capabilities() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::connect(&server);
    assert!(client.line().starts_with("+OK "));
    assert_eq!(client.ask("USER demo"), "+OK and the password?");
    assert!(client.ask("CAPA").starts_with("+OK my capabilities"));
    while client.line() != "." {}
    let wrong = client.ask("PASS no");
    assert!(wrong.starts_with("-ERR "), "{wrong}");
    let capabilities = client.ask_for_text("CAPA");
    for capability in [
        "TOP",
        "UIDL",
        "USER",
        "PIPELINING",
        "RESP-CODES",
        "IMPLEMENTATION pop3fs-demo",
    ] {
        assert!(
            capabilities.lines().any(|line| line == capability),
            "{capabilities}"
        );
    }
}

#[test]
fn list_gives_the_size_that_retr_sends() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    assert_eq!(client.ask("NOOP"), "+OK nothing done");
    let listing = client.ask_for_text("LIST");
    let mut total = 0;
    for entry in listing.lines() {
        let (number, octets) = entry.split_once(' ').unwrap();
        assert_eq!(
            client
                .ask_for_lines(&format!("RETR {number}"))
                .len()
                .to_string(),
            octets,
            "message {number}"
        );
        assert_eq!(
            client.ask(&format!("LIST {number}")),
            format!("+OK {entry}")
        );
        total += octets.parse::<usize>().unwrap();
    }
    assert_eq!(
        client.ask("STAT"),
        format!("+OK {} {total}", listing.lines().count())
    );
}

#[test]
fn unique_ids_are_the_same_after_a_restart() {
    let [first, second] =
        [(); 2].map(|()| Client::logged_in(&DemoServer::start().unwrap()).ask_for_text("UIDL"));
    assert_eq!(first, second);
}

#[test]
fn mails_removed_by_quit_are_gone_in_the_next_session() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    let before = client.ask_for_text("UIDL").lines().count();
    let raffle = number_of(&mut client, "15-raffle");
    assert!(client.ask(&format!("DELE {raffle}")).starts_with("+OK"));
    assert!(client.ask("DELE 1").starts_with("+OK"));
    assert_eq!(client.ask("QUIT"), "+OK goodbye, 2 removed");
    assert_eq!(client.line(), "");

    let after = Client::logged_in(&server).ask_for_text("UIDL");
    assert_eq!(after.lines().count(), before - 2);
    assert!(
        after.starts_with("1 02-") && !after.contains("raffle"),
        "{after}"
    );
}

#[test]
fn a_session_without_quit_removes_nothing() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    let before = client.ask("STAT");
    assert!(client.ask("DELE 1").starts_with("+OK"));
    assert_ne!(client.ask("STAT"), before);
    client.send("QUIT");
    client.replies.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.line(), "");
    assert_eq!(Client::logged_in(&server).ask("STAT"), before);
}

#[test]
fn a_deleted_message_is_refused_until_rset() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    client.ask("DELE 2");
    for command in ["RETR 2", "DELE 2", "LIST 2", "UIDL 2", "TOP 2 0"] {
        assert!(client.ask(command).starts_with("-ERR"), "{command}");
    }
    assert!(!client.ask_for_text("LIST").contains("\n2 "));
    assert!(client.ask("UIDL 3").starts_with("+OK 3 03-"));
    client.ask("RSET");
    assert!(client.ask("UIDL 2").starts_with("+OK 2 02-"));
}

#[test]
fn commands_sent_together_are_answered_in_order() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    client.send("NOOP\r\nUIDL 1\r\nRETR 0\r\nUIDL 2\r\nQUIT\r\n");
    let replies = [(); 5].map(|()| client.line());
    assert!(replies[0].starts_with("+OK"), "{replies:?}");
    assert_eq!(replies[1], "+OK 1 01-welcome");
    assert!(replies[2].starts_with("-ERR"), "{replies:?}");
    assert_eq!(replies[3], "+OK 2 02-leap-day-concert");
    assert_eq!(replies[4], "+OK goodbye, 0 removed");
}

#[test]
fn a_reply_does_not_wait_for_the_rest_of_the_next_command() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    client.send("UIDL 1\r\nUID");
    assert_eq!(client.line(), "+OK 1 01-welcome");
    client.send("L 2\r\n");
    assert_eq!(client.line(), "+OK 2 02-leap-day-concert");
}

#[test]
fn top_sends_the_header_and_the_lines_asked_for() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    let whole = client.ask_for_text("RETR 1");
    let (header, body) = whole.split_once("\r\n\r\n").unwrap();
    assert_eq!(client.ask_for_text("TOP 1 0"), format!("{header}\r\n\r\n"));
    let first = body.split_inclusive('\n').next().unwrap();
    assert_eq!(
        client.ask_for_text("TOP 1 1"),
        format!("{header}\r\n\r\n{first}")
    );
    assert_eq!(client.ask_for_text("TOP 1 99999"), whole);
}

#[test]
fn lines_that_start_with_a_dot_are_dot_stuffed() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    let dots = number_of(&mut client, "09-dots");
    let text = client.ask_for_text(&format!("RETR {dots}"));
    assert!(
        text.contains("\r\n.\r\n..\r\n...\r\n.... . .-.. .-.. ---\r\n"),
        "{text}"
    );
}

#[test]
fn a_wrong_password_gives_no_access() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::connect(&server);
    client.line();
    for command in [
        "STAT",
        "PASS early",
        "USER demo",
        "PASS wrong",
        "PASS again",
        "RETR 1",
    ] {
        assert_eq!(
            client.ask(command).starts_with("+OK"),
            command.starts_with("USER"),
            "{command}"
        );
    }
    assert!(client.ask("QUIT").starts_with("+OK"));
}

#[test]
fn a_second_session_gets_in_use() {
    let server = DemoServer::start().unwrap();
    let mut first = Client::logged_in(&server);
    let mut second = Client::connect(&server);
    second.line();
    second.ask(&format!("USER {USER}"));
    assert!(
        second
            .ask(&format!("PASS {}", server.password()))
            .starts_with("-ERR [IN-USE]")
    );
    assert!(first.ask("QUIT").starts_with("+OK"));
    second.ask(&format!("USER {USER}"));
    assert!(
        second
            .ask(&format!("PASS {}", server.password()))
            .starts_with("+OK")
    );
}

#[test]
fn a_line_over_255_octets_is_refused_and_skipped() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::connect(&server);
    client.line();
    assert!(
        client
            .ask(&format!("USER {}", "x".repeat(248)))
            .starts_with("+OK")
    );
    assert!(
        client
            .ask(&format!("USER {}", "x".repeat(249)))
            .contains("too long")
    );
    assert!(client.ask(&"x".repeat(100_000)).contains("too long"));
    assert!(client.ask("QUIT").starts_with("+OK"));
}

#[test]
fn a_client_over_the_limit_of_sessions_is_refused() {
    let server = DemoServer::start().unwrap();
    let mut guests: Vec<_> = (0..server::MAX_SESSIONS)
        .map(|_| Client::connect(&server))
        .collect();
    for guest in &mut guests {
        assert!(guest.line().starts_with("+OK"));
    }
    let mut late = Client::connect(&server);
    assert!(late.line().starts_with("-ERR [SYS/TEMP]"));
    assert_eq!(late.line(), "");
}

#[test]
fn dropping_the_server_closes_its_sessions() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    drop(server);
    assert_eq!(client.line(), "");
}

#[test]
fn every_start_has_a_new_password_that_debug_hides() {
    let [first, second] = [(); 2].map(|()| DemoServer::start().unwrap());
    assert_ne!(first.password(), second.password());
    assert!(!format!("{first:?}").contains(first.password()));
}

#[test]
fn suggestions_quote_the_directory_if_needed() {
    let plain = suggestions(Path::new("/tmp/mail/"));
    assert!(plain.contains("  rsync -a /tmp/mail/ backup/ "), "{plain}");
    assert!(plain.contains("  rm /tmp/mail/15-raffle.eml "), "{plain}");
    let odd = suggestions(Path::new("-it's here"));
    assert!(odd.contains(r"  ls -l './-it'\''s here' "), "{odd}");
    assert!(
        odd.contains(r"  rm './-it'\''s here/15-raffle.eml' "),
        "{odd}"
    );
}

#[test]
fn the_suggested_commands_fit_the_samples() {
    let server = DemoServer::start().unwrap();
    let mut client = Client::logged_in(&server);
    number_of(&mut client, "15-raffle");
    let invoice = number_of(&mut client, "04-invoice");
    assert!(
        client
            .ask_for_text(&format!("RETR {invoice}"))
            .contains("invoice")
    );
}
