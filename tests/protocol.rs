//! The protocol against transcripts of the RFCs and of real servers, in every way of cutting them
//! into chunks, and against generated input.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "common/decoding.rs"]
mod decoding;

use std::fmt::Write as _;

use pop3fs::pop3::limits::{
    MAX_LISTING, MAX_LISTING_LINE, MAX_MESSAGES, MAX_SASL_LINE, MAX_STATUS_LINE,
};
use pop3fs::pop3::{Capabilities, Command, Event, MessageNumber, ProtocolError, ServerText, Shape};
use proptest::prelude::*;

use decoding::{Seen, Session, stuffed};

/// A session as RFCs print them:
///
/// ```text
/// C: a command, which has to be what the next of the given commands encodes to
/// S: a line of the server, with CRLF behind it; `\xNN`, `\r`, `\n` and `\\` are octets
/// L: the same with LF behind it
/// E: an event that these make
/// ```
struct Transcript<'a> {
    steps: Vec<Step<'a>>,
    expected: Vec<String>,
}

enum Step<'a> {
    Command { command: Command<'a>, line: &'a str },
    Server(Vec<u8>),
}

impl<'a> Transcript<'a> {
    fn read(text: &'a str, commands: &[Command<'a>]) -> Self {
        let mut commands = commands.iter().copied();
        let mut transcript = Self {
            steps: Vec::new(),
            expected: Vec::new(),
        };
        for line in text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty())
        {
            let (side, rest) = line.split_at(2);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            match side {
                "C:" => {
                    let command = commands.next().expect("a command for each C: line");
                    transcript.steps.push(Step::Command {
                        command,
                        line: rest,
                    });
                }
                "S:" => transcript.server([&unescaped(rest)[..], b"\r\n"].concat()),
                "L:" => transcript.server([&unescaped(rest)[..], b"\n"].concat()),
                "E:" => transcript.expected.push(rest.to_owned()),
                _ => panic!("not a line of a transcript: {line}"),
            }
        }
        assert_eq!(commands.next(), None, "a C: line for each command");
        transcript
    }

    fn server(&mut self, octets: Vec<u8>) {
        match self.steps.last_mut() {
            Some(Step::Server(before)) => before.extend(octets),
            _ => self.steps.push(Step::Server(octets)),
        }
    }

    fn check_commands(&self) {
        for step in &self.steps {
            if let Step::Command { command, line } = step {
                let mut encoded = Vec::new();
                command.encode(&mut encoded).unwrap();
                assert_eq!(String::from_utf8(encoded).unwrap(), format!("{line}\r\n"));
            }
        }
    }

    /// Plays the session after a greeting is expected; `chunks` cuts what the server writes between
    /// two commands, which begins at an offset of all that it writes.
    fn play(&self, chunks: impl Fn(usize, &[u8]) -> Vec<Vec<u8>>) -> Vec<String> {
        let mut session = Session::expecting(&[Shape::Status]);
        let mut offset = 0;
        for step in &self.steps {
            match step {
                Step::Command {
                    command: Command::SaslResponse(_) | Command::SaslCancel,
                    ..
                } => {}
                Step::Command { command, .. } => session.decoder.expect(command.shape()),
                Step::Server(octets) => {
                    chunks(offset, octets)
                        .iter()
                        .for_each(|chunk| session.feed(chunk));
                    offset += octets.len();
                }
            }
        }
        session.seen.iter().map(Seen::described).collect()
    }

    fn server_octets(&self) -> usize {
        let octets = |step: &Step<'_>| match step {
            Step::Server(octets) => octets.len(),
            Step::Command { .. } => 0,
        };
        self.steps.iter().map(octets).sum()
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let unescaped = match (octet, octet == b'\\') {
            (_, false) => octet,
            (_, true) => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b'\\') => b'\\',
                Some(b'x') => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("unknown escape {other:?} in {text}"),
            },
        };
        octets.push(unescaped);
    }
    octets
}

/// Plays a transcript whole, cut in two at every octet, and octet by octet.
fn check(commands: &[Command<'_>], text: &str) {
    let transcript = Transcript::read(text, commands);
    transcript.check_commands();
    assert_eq!(
        transcript.play(|_, octets| vec![octets.to_vec()]),
        transcript.expected,
        "in one piece"
    );
    for cut in 1..transcript.server_octets() {
        let in_two = |offset: usize, octets: &[u8]| {
            let (before, behind) = octets.split_at(cut.saturating_sub(offset).min(octets.len()));
            vec![before.to_vec(), behind.to_vec()]
        };
        assert_eq!(transcript.play(in_two), transcript.expected, "cut at {cut}");
    }
    let in_octets = |_, octets: &[u8]| octets.iter().map(|&octet| vec![octet]).collect();
    assert_eq!(
        transcript.play(in_octets),
        transcript.expected,
        "octet by octet"
    );
}

fn number(number: u32) -> MessageNumber {
    MessageNumber::new(number).unwrap()
}

#[test]
fn the_example_session_of_rfc_1939_is_understood() {
    let apop = Command::Apop {
        user: "mrose",
        digest: "c4c9334bac560ecc979e58001b3e22fb",
    };
    let (one, two) = (number(1), number(2));
    let commands = [
        apop,
        Command::Stat,
        Command::List,
        Command::Retr(one),
        Command::Dele(one),
        Command::Retr(two),
        Command::Dele(two),
        Command::Quit,
    ];
    check(
        &commands,
        r"
        S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
        E: done +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
        C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
        S: +OK mrose's maildrop has 2 messages (320 octets)
        E: done +OK mrose's maildrop has 2 messages (320 octets)
        C: STAT
        S: +OK 2 320
        E: done +OK 2 320
        C: LIST
        S: +OK 2 messages (320 octets)
        S: 1 120
        S: 2 200
        S: .
        E: opened +OK 2 messages (320 octets)
        E: line 1 120
        E: line 2 200
        E: end
        C: RETR 1
        S: +OK 120 octets
        S: From: a
        S:
        S: text
        S: .
        E: opened +OK 120 octets
        E: body From: a\x0d\x0a\x0d\x0atext\x0d\x0a
        E: end
        C: DELE 1
        S: +OK message 1 deleted
        E: done +OK message 1 deleted
        C: RETR 2
        S: -ERR no such message
        E: done -ERR no such message
        C: DELE 2
        S: +OK message 2 deleted
        E: done +OK message 2 deleted
        C: QUIT
        S: +OK dewey POP3 server signing off (maildrop empty)
        E: done +OK dewey POP3 server signing off (maildrop empty)
        ",
    );
}

#[test]
fn the_other_commands_of_rfc_1939_are_understood() {
    let commands = [
        Command::User("frated"),
        Command::User("mrose"),
        Command::Pass(b"secret"),
        Command::Noop,
        Command::Rset,
        Command::Top {
            message: number(1),
            lines: 10,
        },
        Command::Top {
            message: number(100),
            lines: 3,
        },
        Command::Uidl,
    ];
    check(
        &commands,
        r"
        S: +OK
        E: done +OK
        C: USER frated
        S: -ERR sorry, no mailbox for frated here
        E: done -ERR sorry, no mailbox for frated here
        C: USER mrose
        S: +OK mrose is a real hoopy frood
        E: done +OK mrose is a real hoopy frood
        C: PASS secret
        S: -ERR maildrop already locked
        E: done -ERR maildrop already locked
        C: NOOP
        S: +OK
        E: done +OK
        C: RSET
        S: +OK maildrop has 2 messages (320 octets)
        E: done +OK maildrop has 2 messages (320 octets)
        C: TOP 1 10
        S: +OK
        S: Subject: a
        S:
        S: .
        E: opened +OK
        E: body Subject: a\x0d\x0a\x0d\x0a
        E: end
        C: TOP 100 3
        S: -ERR no such message
        E: done -ERR no such message
        C: UIDL
        S: +OK
        S: 1 whqtswO00WBw418f9t5JxYwZ
        S: 2 QhdPYR:00WBw1Ph7x7
        S: .
        E: opened +OK
        E: line 1 whqtswO00WBw418f9t5JxYwZ
        E: line 2 QhdPYR:00WBw1Ph7x7
        E: end
        ",
    );
}

#[test]
fn the_capabilities_of_rfc_2449_and_the_tls_of_rfc_2595_are_understood() {
    check(
        &[Command::Capa, Command::Stls, Command::Stls],
        r"
        S: +OK
        E: done +OK
        C: CAPA
        S: +OK Capability list follows
        S: TOP
        S: USER
        S: SASL CRAM-MD5 KERBEROS_V4
        S: RESP-CODES
        S: LOGIN-DELAY 900
        S: PIPELINING
        S: EXPIRE 60
        S: UIDL
        S: IMPLEMENTATION Shlemazle-Plotz-v302
        S: .
        E: opened +OK Capability list follows
        E: line TOP
        E: line USER
        E: line SASL CRAM-MD5 KERBEROS_V4
        E: line RESP-CODES
        E: line LOGIN-DELAY 900
        E: line PIPELINING
        E: line EXPIRE 60
        E: line UIDL
        E: line IMPLEMENTATION Shlemazle-Plotz-v302
        E: end
        C: STLS
        S: +OK Begin TLS negotiation
        E: done +OK Begin TLS negotiation
        C: STLS
        S: -ERR Command not permitted when TLS active
        E: done -ERR Command not permitted when TLS active
        ",
    );
}

#[test]
fn the_exchanges_of_rfc_5034_are_understood() {
    let plain = Command::Auth {
        mechanism: "PLAIN",
        initial: Some(b"\0test\0test"),
    };
    let in_two_steps = Command::Auth {
        mechanism: "PLAIN",
        initial: None,
    };
    let empty = Command::Auth {
        mechanism: "EXTERNAL",
        initial: Some(b""),
    };
    let cram = Command::Auth {
        mechanism: "CRAM-MD5",
        initial: None,
    };
    let commands = [
        plain,
        in_two_steps,
        Command::SaslResponse(b"\0test\0test"),
        empty,
        cram,
        Command::SaslCancel,
        cram,
        Command::SaslResponse(b""),
        Command::SaslResponse(b"\x01"),
        Command::Stat,
    ];
    check(
        &commands,
        r"
        S: +OK pop.example.com BlurdyBlurp POP3 server ready
        E: done +OK pop.example.com BlurdyBlurp POP3 server ready
        C: AUTH PLAIN AHRlc3QAdGVzdA==
        S: +OK Maildrop locked and ready
        E: done +OK Maildrop locked and ready
        C: AUTH PLAIN
        S: +\x20
        E: challenge
        C: AHRlc3QAdGVzdA==
        S: +OK Maildrop locked and ready
        E: done +OK Maildrop locked and ready
        C: AUTH EXTERNAL =
        S: -ERR [AUTH] no
        E: done -ERR [AUTH] no
        C: AUTH CRAM-MD5
        S: + PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
        E: challenge PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
        C: *
        S: -ERR authentication cancelled
        E: done -ERR authentication cancelled
        C: AUTH CRAM-MD5
        S: +
        E: challenge
        C:
        S: + AA==
        E: challenge AA==
        C: AQ==
        S: -ERR no
        E: done -ERR no
        C: STAT
        S: +\x20
        E: error the server's reply is neither +OK nor -ERR: +
        ",
    );
}

#[test]
fn the_utf_8_of_rfc_6856_is_understood() {
    check(
        &[Command::Utf8, Command::Retr(number(1))],
        r"
        S: +OK
        E: done +OK
        C: UTF8
        S: +OK UTF8 enabled
        E: done +OK UTF8 enabled
        C: RETR 1
        S: -ERR [UTF8] message needs UTF-8
        E: done -ERR [UTF8] message needs UTF-8
        ",
    );
}

#[test]
fn pipelined_replies_of_every_shape_are_told_apart() {
    let one = number(1);
    let commands = [
        Command::Stat,
        Command::Uidl,
        Command::List,
        Command::Retr(one),
        Command::Retr(number(9)),
        Command::Top {
            message: one,
            lines: 0,
        },
        Command::Noop,
    ];
    check(
        &commands,
        r"
        S: +OK
        E: done +OK
        C: STAT
        C: UIDL
        C: LIST
        C: RETR 1
        C: RETR 9
        C: TOP 1 0
        C: NOOP
        S: +OK 1 8
        S: +OK
        S: 1 a
        S: .
        S: -ERR
        S: +OK
        S: ..
        S: +OK not a status
        S: .
        S: -ERR no such message
        S: +OK
        S: .
        S: +OK
        E: done +OK 1 8
        E: opened +OK
        E: line 1 a
        E: end
        E: done -ERR
        E: opened +OK
        E: body .\x0d\x0a+OK not a status\x0d\x0a
        E: end
        E: done -ERR no such message
        E: opened +OK
        E: end
        E: done +OK
        ",
    );
}

#[test]
fn the_idle_line_of_dovecot_is_nobodys_reply() {
    check(
        &[],
        r"
        S: +OK
        S: -ERR Disconnected for inactivity.
        E: done +OK
        E: error the server said, unasked: -ERR Disconnected for inactivity.
        ",
    );
}

#[test]
fn a_line_that_began_unasked_does_not_become_a_reply() {
    let mut session = Session::default();
    session.feed(b"-ERR Disconnected");
    session.decoder.expect(Shape::Status);
    session.feed(b" for inactivity\r\n");
    let text = ServerText::from(&b"-ERR Disconnected for inactivity"[..]);
    assert_eq!(
        session.seen,
        [Seen::Error(ProtocolError::Unsolicited(text))]
    );
}

#[test]
fn status_lines_of_careless_servers_are_understood() {
    check(
        &[Command::Noop, Command::Noop, Command::Noop],
        r"
        L: +ok ready
        E: done +OK ready
        C: NOOP
        S: +ERR no
        E: done -ERR no
        C: NOOP
        S: +OK\x1b[2J\xff
        E: done +OK \x1b[2J\xff
        C: NOOP
        S: +OKAY
        E: error the server's reply is neither +OK nor -ERR: +OKAY
        ",
    );
}

#[test]
fn a_dot_line_ends_the_body() {
    check(
        &[Command::Retr(number(1)); 4],
        r"
        S: +OK
        E: done +OK
        C: RETR 1
        S: +OK
        S: .
        E: opened +OK
        E: end
        C: RETR 1
        S: +OK
        S: ..
        S: ...
        S: ..a
        S: .b
        S: a.
        S: .
        E: opened +OK
        E: body .\x0d\x0a..\x0d\x0a.a\x0d\x0ab\x0d\x0aa.\x0d\x0a
        E: end
        C: RETR 1
        S: +OK
        L: .
        E: opened +OK
        E: end
        C: RETR 1
        S: +OK
        S: a
        L: .
        E: opened +OK
        E: body a\x0d\x0a
        E: end
        ",
    );
}

#[test]
fn nul_bare_cr_and_bare_lf_are_octets_of_the_message() {
    check(
        &[Command::Retr(number(1)); 2],
        r"
        S: +OK
        E: done +OK
        C: RETR 1
        S: +OK
        S: a
        S: \x00\r.\r
        S: .\rb\r\r
        S: ..\r
        S: .
        E: opened +OK
        E: body a\x0d\x0a\x00\x0d.\x0d\x0d\x0a\x0db\x0d\x0d\x0d\x0a.\x0d\x0d\x0a
        E: end
        C: RETR 1
        S: +OK
        S: a
        S: b\n.\nc\n..d\n\n.
        S: .
        E: opened +OK
        E: body a\x0d\x0ab\x0a.\x0ac\x0a..d\x0a\x0a.\x0d\x0a
        E: end
        ",
    );
}

#[test]
fn replies_within_a_message_are_not_smuggled_behind_a_bare_lf() {
    check(
        &[Command::Retr(number(1)), Command::Noop],
        r"
        S: +OK
        E: done +OK
        C: RETR 1
        C: NOOP
        S: +OK
        S: Received: here
        S: a\n.
        S: -ERR forged
        S: .
        S: +OK
        E: opened +OK
        E: body Received: here\x0d\x0aa\x0a.\x0d\x0a-ERR forged\x0d\x0a
        E: end
        E: done +OK
        ",
    );
}

#[test]
fn a_server_that_ends_lines_with_lf_is_understood() {
    check(
        &[Command::List, Command::Retr(number(1))],
        r"
        L: +OK
        E: done +OK
        C: LIST
        L: +OK
        L: 1 8
        L: .
        E: opened +OK
        E: line 1 8
        E: end
        C: RETR 1
        L: +OK
        L: a
        L: ..b
        L: .
        E: opened +OK
        E: body a\x0a.b\x0a
        E: end
        ",
    );
}

#[test]
fn bare_lf_in_a_body_ends_no_line_behind_a_status_line_with_crlf() {
    check(
        &[Command::Retr(number(1))],
        r"
        S: +OK
        E: done +OK
        C: RETR 1
        S: +OK
        L: a
        L: ..b
        S: .
        S: +OK forged
        S: .
        E: opened +OK
        E: body a\x0a..b\x0a.\x0d\x0a+OK forged\x0d\x0a
        E: end
        ",
    );
}

#[test]
fn listings_are_unstuffed_too() {
    check(
        &[Command::Uidl],
        r"
        S: +OK
        E: done +OK
        C: UIDL
        S: +OK
        S: ..
        S: ..a
        S:
        S: 1 \xff\x00
        L: .
        E: opened +OK
        E: line .
        E: line .a
        E: line
        E: line 1 \xff\x00
        E: end
        ",
    );
}

#[test]
fn the_capabilities_of_real_servers_are_taken_in() {
    let mut dovecot = Capabilities::new();
    for line in [
        "CAPA",
        "TOP",
        "UIDL",
        "RESP-CODES",
        "PIPELINING",
        "AUTH-RESP-CODE",
        "STLS",
        "SASL PLAIN LOGIN",
    ] {
        dovecot.add(line.as_bytes());
    }
    assert!(dovecot.top && dovecot.pipelining && !dovecot.user && !dovecot.utf8);
    assert_eq!(dovecot.sasl, ["PLAIN", "LOGIN"]);
    let mut courier = Capabilities::new();
    for line in [
        "UTF8 USER",
        "LOGIN-DELAY 10",
        "IMPLEMENTATION Courier Mail\x1b Server",
    ] {
        courier.add(line.as_bytes());
    }
    assert!(courier.utf8);
    assert_eq!(courier.login_delay, Some(10));
    assert_eq!(
        courier.to_string(),
        r"UTF8 USER, LOGIN-DELAY 10, IMPLEMENTATION Courier Mail\x1b Server"
    );
}

#[test]
fn lines_beyond_their_caps_are_errors() {
    for (shapes, opening, cap) in [
        (&[Shape::Status][..], &b""[..], MAX_STATUS_LINE),
        (&[], b"", MAX_STATUS_LINE),
        (&[Shape::Lines], b"+OK\r\n", MAX_LISTING_LINE),
        (&[Shape::Sasl], b"", MAX_SASL_LINE),
    ] {
        for chunk in [1000, usize::MAX] {
            let mut session = Session::expecting(shapes);
            session.feed(opening);
            session.feed_in_chunks(&vec![b'+'; cap], &[chunk]);
            assert!(!session.failed, "{shapes:?}: a line within its cap");
            session.feed(b"+");
            let error = session.seen.last();
            assert!(
                matches!(error, Some(Seen::Error(ProtocolError::LineTooLong { limit, .. })) if *limit == cap)
            );
        }
    }
}

#[test]
fn a_line_of_a_body_has_no_cap() {
    let line = vec![b'x'; 10 * MAX_LISTING_LINE];
    let mut session = Session::expecting(&[Shape::Body]);
    session.feed_in_chunks(&[b"+OK\r\n", &line[..], b"\r\n.\r\n"].concat(), &[4096]);
    let body = [&line[..], b"\r\n"].concat();
    assert_eq!(
        session.seen,
        [Seen::Opened(b"+OK".to_vec()), Seen::Body(body), Seen::End]
    );
}

#[test]
fn an_endless_listing_is_an_error() {
    let mut session = Session::expecting(&[Shape::Lines]);
    session.feed(b"+OK\r\n");
    let lines = b"1 1\n".repeat(1000);
    let mut count = 0;
    let error = loop {
        let mut input = &lines[..];
        match session.decoder.next(&mut input) {
            Ok(Some(Event::Line(_))) => count += 1,
            Err(error) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(count, MAX_MESSAGES);
    assert_eq!(
        error,
        ProtocolError::TooManyLines {
            limit: MAX_MESSAGES
        }
    );
}

#[test]
fn a_listing_of_endless_lines_is_an_error_before_it_fills_the_memory() {
    let mut session = Session::expecting(&[Shape::Lines]);
    session.feed(b"+OK\r\n");
    let line = [&vec![b'x'; MAX_LISTING_LINE][..], b"\n"].concat();
    let mut count = 0;
    let error = loop {
        let mut input = &line[..];
        match session.decoder.next(&mut input) {
            Ok(Some(Event::Line(_))) => count += 1,
            Err(error) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(count, MAX_LISTING / MAX_LISTING_LINE);
    assert_eq!(error, ProtocolError::ListingTooLarge { limit: MAX_LISTING });
}

/// Octets that matter to the framing, more often than chance has them.
fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(b'.'), 4 => Just(b'\r'), 4 => Just(b'\n'), 1 => Just(0), 2 => Just(b'+'), 3 => any::<u8>()]
}

/// A message as a server can send it: its last line is ended, and its first one with CRLF.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop_oneof![
        prop::collection::vec(octet(), 0..200),
        prop::collection::vec(
            prop_oneof![
                Just(b"\r\n".to_vec()),
                Just(b".".to_vec()),
                Just(b"ab".to_vec())
            ],
            0..100
        )
        .prop_map(|words| words.concat()),
    ];
    (prop::collection::vec(any::<u8>(), 0..20), rest).prop_map(|(mut first, rest)| {
        first.retain(|&octet| octet != b'\n');
        [&first[..], b"\r\n", &rest, b"\r\n"].concat()
    })
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1]),
        prop::collection::vec(1..8usize, 1..20),
        prop::collection::vec(1..100usize, 1..10)
    ]
}

/// A reply on the wire with the shape that it has, and what is to be seen of it.
fn reply() -> impl Strategy<Value = (Shape, Vec<u8>, Vec<Seen>)> {
    let lines = prop::collection::vec("[ -~]{0,20}", 0..5);
    prop_oneof![
        (any_shape(), "[!-~]{0,20}").prop_map(|(shape, text)| {
            let line = format!("-ERR {text}").trim_end().to_owned();
            (
                shape,
                format!("{line}\r\n").into_bytes(),
                vec![Seen::Done(line.into_bytes())],
            )
        }),
        Just((
            Shape::Status,
            b"+OK\r\n".to_vec(),
            vec![Seen::Done(b"+OK".to_vec())]
        )),
        Just((
            Shape::Sasl,
            b"+ AA==\r\n+OK\r\n".to_vec(),
            vec![
                Seen::Challenge(b"AA==".to_vec()),
                Seen::Done(b"+OK".to_vec())
            ]
        )),
        lines.prop_map(|lines| listing(&lines)),
        message().prop_map(|message| {
            let wire = [b"+OK\r\n", &stuffed(&message)[..]].concat();
            (
                Shape::Body,
                wire,
                vec![
                    Seen::Opened(b"+OK".to_vec()),
                    Seen::Body(message),
                    Seen::End,
                ],
            )
        }),
    ]
}

fn listing(lines: &[String]) -> (Shape, Vec<u8>, Vec<Seen>) {
    let mut text = String::new();
    lines
        .iter()
        .for_each(|line| write!(text, "{line}\r\n").unwrap());
    let wire = [b"+OK\r\n", &stuffed(text.as_bytes())[..]].concat();
    let mut seen = vec![Seen::Opened(b"+OK".to_vec())];
    seen.extend(
        lines
            .iter()
            .map(|line| Seen::Line(line.clone().into_bytes())),
    );
    seen.push(Seen::End);
    (Shape::Lines, wire, seen)
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Status),
        Just(Shape::Lines),
        Just(Shape::Body),
        Just(Shape::Sasl)
    ]
}

proptest! {
    #[test]
    fn a_stuffed_message_is_decoded_to_itself(message in message(), lengths in lengths()) {
        let mut session = Session::expecting(&[Shape::Body]);
        session.feed(b"+OK\r\n");
        session.feed_in_chunks(&stuffed(&message), &lengths);
        let expected = [Seen::Opened(b"+OK".to_vec()), Seen::Body(message), Seen::End];
        prop_assert_eq!(session.seen, expected);
        prop_assert_eq!(session.decoder.owed(), 0);
    }

    #[test]
    fn pipelined_replies_are_decoded_in_their_order(
        replies in prop::collection::vec(reply(), 0..12),
        lengths in lengths(),
    ) {
        let shapes: Vec<Shape> = replies.iter().map(|(shape, ..)| *shape).collect();
        let wire: Vec<u8> = replies.iter().flat_map(|(_, wire, _)| wire.clone()).collect();
        let expected: Vec<Seen> = replies.into_iter().flat_map(|(.., seen)| seen).collect();
        let mut session = Session::expecting(&shapes);
        session.feed_in_chunks(&wire, &lengths);
        prop_assert_eq!(session.seen, expected);
        prop_assert_eq!(session.decoder.owed(), 0);
    }
}
