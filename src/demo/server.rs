//! Accepts connections, limits the number of sessions and closes them; reads commands and writes
//! replies.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::command::DemoCommand;
use super::maildrop::DemoMaildrop;
use super::refusal::DemoRefusal;
use super::session::{DemoSession, write_reply};

/// The most sessions at once.
pub(super) const MAX_SESSIONS: usize = 16;

/// The longest command in octets, with its CRLF (RFC 2449 section 4).
const MAX_COMMAND: u64 = 255;

/// The autologout timer: the shortest that RFC 1939 section 3 allows.
const AUTOLOGOUT: Duration = Duration::from_secs(600);

/// The pause after an error of accept(2) such as EMFILE, which an immediate retry would only
/// repeat.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `listener` is shut down. Then closes every session and returns when the last one
/// has ended.
pub(super) fn run(listener: &TcpListener, maildrop: &Mutex<DemoMaildrop>, password: &str) {
    thread::scope(|scope| {
        // The session's thread holds the only strong reference to its stream.
        let mut sessions: Vec<Weak<TcpStream>> = Vec::new();
        while let Some(stream) = next_client(listener) {
            sessions.retain(|session| session.strong_count() > 0);
            if sessions.len() >= MAX_SESSIONS {
                turn_away(&stream);
                continue;
            }
            let stream = Arc::new(stream);
            sessions.push(Arc::downgrade(&stream));
            let converse = move || log_end(converse(&stream, DemoSession::new(maildrop, password)));
            let thread = thread::Builder::new()
                .name("demo session".into())
                .spawn_scoped(scope, converse);
            if let Err(error) = thread {
                log::warn!("the demo server cannot start a thread for a session: {error}");
            }
        }
        hang_up(&sessions);
    });
}

/// `None` after the listener was shut down.
fn next_client(listener: &TcpListener) -> Option<TcpStream> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Some(stream),
            Err(error) if error.kind() == ErrorKind::InvalidInput => return None,
            Err(error) => {
                log::warn!("the demo server cannot accept a connection: {error}");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn turn_away(mut stream: &TcpStream) {
    // An error only means that the client has already gone.
    let _ = stream.write_all(b"-ERR [SYS/TEMP] too many sessions\r\n");
}

fn hang_up(sessions: &[Weak<TcpStream>]) {
    for stream in sessions.iter().filter_map(Weak::upgrade) {
        // Fails only if the client has already disconnected.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn log_end(end: io::Result<()>) {
    if let Err(error) = end {
        log::debug!("a demo session ended without QUIT: {error}");
    }
}

/// Runs one session from the greeting to QUIT. If the connection ends or times out before QUIT,
/// nothing is removed and nothing is sent (RFC 1939 section 3).
fn converse(stream: &TcpStream, mut session: DemoSession<'_>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(AUTOLOGOUT))?;
    stream.set_write_timeout(Some(AUTOLOGOUT))?;
    let mut commands = BufReader::new(stream);
    let mut replies = BufWriter::new(stream);
    replies.write_all(b"+OK the pop3fs demo maildrop\r\n")?;
    while !session.is_over() {
        // RFC 2449 section 6.6: pipelined commands are answered in one write.
        if !commands.buffer().contains(&b'\n') {
            replies.flush()?;
        }
        let Some(command) = next_command(&mut commands)? else {
            break;
        };
        write_reply(
            &command.and_then(|command| session.answer(command)),
            &mut replies,
        )?;
    }
    replies.flush()
}

/// `None` at the end of the connection; a line without a line end is no command. A bare LF also
/// ends a line, for people who type commands by hand.
fn next_command(input: &mut impl BufRead) -> io::Result<Option<Result<DemoCommand, DemoRefusal>>> {
    let mut line = Vec::new();
    let length = input
        .by_ref()
        .take(MAX_COMMAND)
        .read_until(b'\n', &mut line)?;
    if let Some(line) = line.strip_suffix(b"\n") {
        return Ok(Some(DemoCommand::parse(
            line.strip_suffix(b"\r").unwrap_or(line),
        )));
    }
    if (length as u64) < MAX_COMMAND {
        return Ok(None);
    }
    input.skip_until(b'\n')?;
    Ok(Some(Err(DemoRefusal::TooLong)))
}
