//! Accepts, bounds the sessions and hangs up; reads commands and writes replies.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::command::Command;
use super::maildrop::Maildrop;
use super::session::{Refusal, Session, write_reply};

/// The most sessions at once.
pub(super) const MAX_SESSIONS: usize = 16;

/// The longest command with its CRLF (RFC 2449 §4).
const MAX_COMMAND: u64 = 255;

/// The autologout timer, as short as RFC 1939 §3 allows.
const AUTOLOGOUT: Duration = Duration::from_secs(600);

/// What accept(2) waits after an error such as EMFILE, which the next call would only meet again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `listener` is shut down, then hangs up on every session and returns when the last one has ended.
pub(super) fn run(listener: &TcpListener, maildrop: &Mutex<Maildrop>, password: &str) {
    thread::scope(|scope| {
        // A session's thread holds its stream's only strong reference.
        let mut sessions: Vec<Weak<TcpStream>> = Vec::new();
        while let Some(stream) = next_client(listener) {
            sessions.retain(|session| session.strong_count() > 0);
            if sessions.len() >= MAX_SESSIONS {
                turn_away(&stream);
                continue;
            }
            let stream = Arc::new(stream);
            sessions.push(Arc::downgrade(&stream));
            let converse = move || log_end(converse(&stream, Session::new(maildrop, password)));
            let thread = thread::Builder::new()
                .name("demo session".into())
                .spawn_scoped(scope, converse);
            if let Err(error) = thread {
                log::warn!("the demo server has no thread for a session: {error}");
            }
        }
        hang_up(&sessions);
    });
}

/// `None` once the listener is shut down.
fn next_client(listener: &TcpListener) -> Option<TcpStream> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Some(stream),
            Err(error) if error.kind() == ErrorKind::InvalidInput => return None,
            Err(error) => {
                log::warn!("the demo server cannot accept: {error}");
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

fn turn_away(mut stream: &TcpStream) {
    // The client may be gone already; so much the better.
    let _ = stream.write_all(b"-ERR [SYS/TEMP] too many sessions\r\n");
}

fn hang_up(sessions: &[Weak<TcpStream>]) {
    for stream in sessions.iter().filter_map(Weak::upgrade) {
        // Fails only where the client was quicker.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn log_end(end: io::Result<()>) {
    if let Err(error) = end {
        log::debug!("a demo session ended without QUIT: {error}");
    }
}

/// One session from greeting to QUIT, or to the end of the connection or of the client's time, which removes nothing and
/// sends nothing (RFC 1939 §3).
fn converse(stream: &TcpStream, mut session: Session<'_>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(AUTOLOGOUT))?;
    stream.set_write_timeout(Some(AUTOLOGOUT))?;
    let mut commands = BufReader::new(stream);
    let mut replies = BufWriter::new(stream);
    replies.write_all(b"+OK the pop3fs demo maildrop\r\n")?;
    while !session.is_over() {
        // RFC 2449 §6.6: the replies to commands that came together leave together.
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

/// `None` at the end of the connection: a command without its line end is none. A bare LF ends a line, too, for people
/// who type.
fn next_command(input: &mut impl BufRead) -> io::Result<Option<Result<Command, Refusal>>> {
    let mut line = Vec::new();
    let length = input
        .by_ref()
        .take(MAX_COMMAND)
        .read_until(b'\n', &mut line)?;
    if let Some(line) = line.strip_suffix(b"\n") {
        return Ok(Some(Command::parse(
            line.strip_suffix(b"\r").unwrap_or(line),
        )));
    }
    if (length as u64) < MAX_COMMAND {
        return Ok(None);
    }
    input.skip_until(b'\n')?;
    Ok(Some(Err(Refusal::TooLong)))
}
