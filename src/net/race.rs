//! Connects to the first of several addresses that answers (RFC 8305, "happy eyeballs").
//!
//! A host whose IPv6 is broken often has an IPv6 address first. If each address were given the
//! whole timeout, every login would take that long. So the next attempt starts when the last one
//! has failed, or after a short time, and the first connection wins.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::NetError;
use super::wait::poll_until;

/// The time between two attempts (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Why no address accepted the connection.
#[derive(Debug)]
pub(super) enum RaceError {
    /// The most telling error of an address.
    NoAnswer(io::Error),
    /// poll(2) failed.
    System(NetError),
}

/// An attempt that is under way.
struct ConnectAttempt {
    socket: Socket,
    address: SocketAddr,
    deadline: Instant,
}

/// The race: attempts under way, and addresses that are still to be tried.
struct Race<'a> {
    left: &'a [SocketAddr],
    attempts: Vec<ConnectAttempt>,
    next_start: Instant,
    error: Option<io::Error>,
}

/// Connects to the addresses in this order. Each is given `timeout`.
pub(super) fn connect_to_any(
    addresses: &[SocketAddr],
    timeout: Duration,
) -> Result<TcpStream, RaceError> {
    let mut race = Race {
        left: addresses,
        attempts: Vec::new(),
        next_start: Instant::now(),
        error: None,
    };
    loop {
        race.start_due_attempt(timeout);
        if race.attempts.is_empty() && race.left.is_empty() {
            let none = || io::Error::new(ErrorKind::NotFound, "no address");
            return Err(RaceError::NoAnswer(race.error.unwrap_or_else(none)));
        }
        race.wait().map_err(RaceError::System)?;
        if let Some(winner) = race.take_winner() {
            return Ok(winner);
        }
    }
}

/// The addresses with the families in turn (RFC 8305 section 4), so that not all of a broken family
/// are tried first. `winner` comes first if it is still an address of the host.
pub(super) fn in_racing_order(
    addresses: Vec<SocketAddr>,
    winner: Option<SocketAddr>,
) -> Vec<SocketAddr> {
    let is_ipv6 = |address: &SocketAddr| address.is_ipv6();
    let first_family = addresses.first().is_some_and(is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| is_ipv6(address) == first_family);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => break,
            (one, other) => ordered.extend(one.into_iter().chain(other)),
        }
    }
    if let Some(at) = ordered.iter().position(|&address| Some(address) == winner) {
        ordered[..=at].rotate_right(1);
    }
    ordered
}

impl Race<'_> {
    /// Starts an attempt if its time has come, or if no other is under way.
    fn start_due_attempt(&mut self, timeout: Duration) {
        let now = Instant::now();
        while let Some((&address, left)) = self.left.split_first()
            && (self.attempts.is_empty() || now >= self.next_start)
        {
            self.left = left;
            match start(address) {
                Ok(socket) => {
                    self.next_start = now + ATTEMPT_DELAY;
                    self.attempts.push(ConnectAttempt {
                        socket,
                        address,
                        deadline: now + timeout,
                    });
                }
                Err(error) => self.note(address, error),
            }
        }
    }

    /// Waits until an attempt ends or the next one is due.
    fn wait(&self) -> Result<(), NetError> {
        let deadlines = self.attempts.iter().map(|attempt| attempt.deadline);
        let next_start = (!self.left.is_empty()).then_some(self.next_start);
        let until = deadlines.chain(next_start).min();
        let mut fds: Vec<PollFd<'_>> = self
            .attempts
            .iter()
            .map(|attempt| PollFd::new(attempt.socket.as_fd(), PollFlags::POLLOUT))
            .collect();
        poll_until(&mut fds, until)
    }

    /// The first attempt that has connected. Attempts that failed are removed.
    fn take_winner(&mut self) -> Option<TcpStream> {
        let mut at = 0;
        while at < self.attempts.len() {
            match self.attempts[at].outcome() {
                None => at += 1,
                Some(Ok(())) => return Some(self.attempts.swap_remove(at).socket.into()),
                Some(Err(error)) => {
                    let failed = self.attempts.remove(at);
                    self.note(failed.address, error);
                    self.next_start = Instant::now();
                }
            }
        }
        None
    }

    /// Keeps the most telling error: a refusal is the answer of a machine, silence is not.
    fn note(&mut self, address: SocketAddr, error: io::Error) {
        log::debug!("{address} does not answer: {error}");
        let is_refusal = |error: &io::Error| error.kind() == ErrorKind::ConnectionRefused;
        if !self.error.as_ref().is_some_and(is_refusal) {
            self.error = Some(error);
        }
    }
}

impl ConnectAttempt {
    /// None while it is under way.
    fn outcome(&self) -> Option<io::Result<()>> {
        match self.socket.take_error() {
            Ok(Some(error)) | Err(error) => return Some(Err(error)),
            Ok(None) => {}
        }
        if self.socket.peer_addr().is_ok() {
            return Some(Ok(()));
        }
        let is_late = Instant::now() >= self.deadline;
        is_late.then(|| Err(ErrorKind::TimedOut.into()))
    }
}

fn start(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => Ok(socket),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Far more than any of these tests needs.
    const TIMEOUT: Duration = Duration::from_secs(60);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A listener whose queue is full: the kernel ignores further attempts to connect.
    fn silent() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let queue = (0..8).map(|_| start(address).unwrap()).collect();
        (listener, queue, address)
    }

    #[test]
    fn the_families_take_turns() {
        let resolved = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(in_racing_order(resolved, None), expected);
    }

    #[test]
    fn the_last_winner_comes_first_if_the_host_still_has_it() {
        let resolved = addresses(&["[::1]:1", "[::2]:1", "1.1.1.1:1"]);
        let winner = Some("1.1.1.1:1".parse().unwrap());
        let expected = addresses(&["1.1.1.1:1", "[::1]:1", "[::2]:1"]);
        assert_eq!(in_racing_order(resolved.clone(), winner), expected);
        let gone = Some("2.2.2.2:1".parse().unwrap());
        assert_eq!(in_racing_order(resolved, gone)[0], expected[1]);
    }

    #[test]
    fn a_silent_address_does_not_hold_up_the_next() {
        let (_listener, _queue, silent) = silent();
        let (_answering, address) = listener();
        let begin = Instant::now();
        let connected = connect_to_any(&[silent, address], TIMEOUT).unwrap();
        assert_eq!(connected.peer_addr().unwrap(), address);
        assert!(begin.elapsed() < TIMEOUT);
    }

    #[test]
    fn a_refusing_address_is_followed_by_the_next() {
        let (closed, refusing) = listener();
        drop(closed);
        let (_answering, address) = listener();
        let connected = connect_to_any(&[refusing, address], TIMEOUT).unwrap();
        assert_eq!(connected.peer_addr().unwrap(), address);
    }

    #[test]
    fn the_error_is_a_refusal_rather_than_silence() {
        let (closed, refusing) = listener();
        drop(closed);
        let (_listener, _queue, silent) = silent();
        for addresses in [[refusing, silent], [silent, refusing]] {
            let error = connect_to_any(&addresses, Duration::from_millis(1)).unwrap_err();
            let RaceError::NoAnswer(error) = error else {
                panic!("{error:?}");
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn no_address_at_all_is_an_error() {
        assert!(connect_to_any(&[], TIMEOUT).is_err());
    }
}
