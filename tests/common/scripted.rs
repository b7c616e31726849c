//! A server that knows no protocol, so that a test can make it send any bytes.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use parking_lot::{Condvar, Mutex};

use super::patience::{PATIENCE, eventually};

/// Octets per write of a flood.
const FLOOD: usize = 64 * 1024;
/// Pause between two checks for received octets.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// A server that runs a closure for every connection, each in its own thread.
///
/// Dropping it closes every connection and waits for the closures. A closure that panicked fails
/// the test.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<ScriptedShared>,
    acceptor: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

impl Scripted {
    /// Listens on a free loopback port. If the handler returns `Err`, the client has gone; that is
    /// no failure.
    pub fn start(handler: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), handler)
    }

    /// Listens on a loopback address that an earlier server may have used.
    pub fn start_at(
        address: SocketAddrV4,
        handler: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        // A child process of another test has an earlier listener open until it begins its program.
        let listener = eventually("a free address", || TcpListener::bind(address).ok());
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(ScriptedShared::default());
        let handler: Arc<Handler> = Arc::new(handler);
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, &shared, &handler))
        };
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> usize {
        self.shared.state.lock().accepted
    }

    /// How many connections are open now on the server's side.
    pub fn open_connections(&self) -> usize {
        self.shared.state.lock().open.len()
    }

    /// Returns once `count` connections were accepted since the start; fails the test if that takes
    /// 20 s.
    pub fn wait_for_connections(&self, count: usize) {
        self.wait_until(&format!("{count} connections"), |state| {
            state.accepted >= count
        });
    }

    /// Returns once no connection is open; fails the test if that takes 20 s.
    pub fn wait_until_idle(&self) {
        self.wait_until("the last connection to end", |state| state.open.is_empty());
    }

    /// Shuts down every open connection, as a broken link would. The server still accepts new ones.
    /// Returns the numbers of the connections.
    pub fn cut_all(&self) -> Vec<usize> {
        let state = self.shared.state.lock();
        for stream in state.open.values() {
            // An error means that the client has already gone.
            let _ = stream.shutdown(Shutdown::Both);
        }
        state.open.keys().copied().collect()
    }

    fn wait_until(&self, what: &str, condition: impl Fn(&Connections) -> bool) {
        let mut state = self.shared.state.lock();
        let timed_out = self
            .shared
            .changed
            .wait_while_for(&mut state, |state| !condition(state), PATIENCE)
            .timed_out();
        assert!(!timed_out, "waited {} s for {what}", PATIENCE.as_secs());
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // This connection wakes the acceptor, which then sees `stopping`.
        let _ = TcpStream::connect(self.address);
        let handlers = self
            .acceptor
            .take()
            .and_then(|acceptor| acceptor.join().ok());
        self.cut_all();
        let failures: Vec<_> = handlers
            .unwrap_or_default()
            .into_iter()
            .filter_map(|handler| handler.join().err())
            .collect();
        match failures.into_iter().next() {
            Some(failure) if !thread::panicking() => panic::resume_unwind(failure),
            _ => {}
        }
    }
}

/// A gate that starts closed: the server stays silent until the test opens it. Clones share one
/// gate.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for all current and future waits.
    pub fn open(&self) {
        *self.inner.0.lock() = true;
        self.inner.1.notify_all();
    }

    fn is_open_within(&self, limit: Duration) -> bool {
        let mut open = self.inner.0.lock();
        self.inner.1.wait_while_for(&mut open, |open| !*open, limit);
        *open
    }
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Peer {
    number: usize,
    stream: Option<BufReader<TcpStream>>,
    shared: Arc<ScriptedShared>,
}

impl Peer {
    /// The number of this connection, counted from 1.
    pub fn connection(&self) -> usize {
        self.number
    }

    /// The next line without its LF or CRLF and with invalid UTF-8 replaced; `None` when the client
    /// closed.
    pub fn read_line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream()?.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Returns once unread octets are there or the client has closed.
    pub fn wait_for_octets(&mut self) -> io::Result<()> {
        self.stream()?.fill_buf().map(drop)
    }

    /// Returns once this many octets have arrived after the last line read. Fails if the client or
    /// the server ends first.
    pub fn wait_for_octets_behind(&mut self, count: usize) -> io::Result<()> {
        let mut unread = vec![0; count];
        while self.octets_behind() < count {
            let waiting = self.stream()?.get_ref().peek(&mut unread)?;
            if self.octets_behind() + waiting >= count {
                break;
            }
            if waiting == 0 || self.shared.stopping.load(Ordering::SeqCst) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// How many octets have arrived after the last line read: commands pipelined in the same
    /// packet.
    pub fn octets_behind(&self) -> usize {
        self.stream
            .as_ref()
            .map_or(0, |stream| stream.buffer().len())
    }

    /// Discards commands that the client pipelined in the same packet.
    pub fn lose_octets_behind(&mut self) -> io::Result<()> {
        let octets = self.octets_behind();
        self.stream()?.consume(octets);
        Ok(())
    }

    /// Sends the octets.
    pub fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream()?.get_mut().write_all(octets)
    }

    /// Sends the octets in pieces of `size`, each in its own packet.
    pub fn send_in_chunks(&mut self, octets: &[u8], size: usize) -> io::Result<()> {
        octets.chunks(size).try_for_each(|chunk| self.send(chunk))
    }

    /// Waits until the gate opens. Fails if the server ends first.
    pub fn wait(&self, gate: &Gate) -> io::Result<()> {
        while !gate.is_open_within(Duration::from_millis(50)) {
            if self.shared.stopping.load(Ordering::SeqCst) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    /// Sends the octets repeatedly, one octet at a time with a pause after each, until the client
    /// closes.
    pub fn drip(&mut self, octets: &[u8], pause: Duration) -> io::Result<()> {
        for octet in octets.iter().cycle() {
            self.send(&[*octet])?;
            if self.shared.stopping.load(Ordering::SeqCst) {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            thread::sleep(pause);
        }
        Ok(())
    }

    /// Sends the piece repeatedly with a pause after each time, until the client closes.
    pub fn trickle(&mut self, piece: &[u8], pause: Duration) -> io::Result<()> {
        loop {
            self.send(piece)?;
            let deadline = Instant::now() + pause;
            while Instant::now() < deadline {
                if self.shared.stopping.load(Ordering::SeqCst) {
                    return Err(ErrorKind::ConnectionAborted.into());
                }
                thread::sleep(BETWEEN_LOOKS);
            }
        }
    }

    /// Sends the octets repeatedly until the client closes.
    pub fn flood(&mut self, octets: &[u8]) -> io::Result<()> {
        let many = octets.repeat(1 + FLOOD / octets.len().max(1));
        while !self.shared.stopping.load(Ordering::SeqCst) {
            self.send(&many)?;
        }
        Err(ErrorKind::ConnectionAborted.into())
    }

    /// Reads all commands and sends no reply until the client closes.
    pub fn stay_silent(&mut self) -> io::Result<()> {
        while self.read_line()?.is_some() {}
        Ok(())
    }

    /// A second handle of the socket, for another protocol such as TLS.
    pub fn socket(&mut self) -> io::Result<TcpStream> {
        self.stream()?.get_ref().try_clone()
    }

    /// Closes the connection in an orderly way (FIN). Nothing can be sent or read afterwards.
    pub fn close(&mut self) {
        self.forget();
        if let Some(stream) = self.stream.take() {
            // An error means that the client has already closed.
            let _ = stream.get_ref().shutdown(Shutdown::Both);
        }
    }

    /// Breaks the connection (RST). Nothing can be sent or read any more.
    pub fn reset(&mut self) {
        self.forget();
        if let Some(stream) = self.stream.take() {
            let at_once = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            setsockopt(stream.get_ref(), sockopt::Linger, &at_once).expect("SO_LINGER");
        }
    }

    fn stream(&mut self) -> io::Result<&mut BufReader<TcpStream>> {
        self.stream.as_mut().ok_or(ErrorKind::NotConnected.into())
    }

    /// Drops the server's second handle: a socket ends with its last one.
    fn forget(&self) {
        self.shared.state.lock().open.remove(&self.number);
        self.shared.changed.notify_all();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

#[derive(Debug, Default)]
struct ScriptedShared {
    state: Mutex<Connections>,
    changed: Condvar,
    stopping: AtomicBool,
}

#[derive(Debug, Default)]
struct Connections {
    accepted: usize,
    open: BTreeMap<usize, TcpStream>,
}

type Handler = dyn Fn(&mut Peer) -> io::Result<()> + Send + Sync;

fn accept(
    listener: &TcpListener,
    shared: &Arc<ScriptedShared>,
    handler: &Arc<Handler>,
) -> Vec<JoinHandle<()>> {
    let mut handlers = Vec::new();
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            break;
        }
        let mut peer = admit(stream.expect("a connection"), shared);
        let handler = Arc::clone(handler);
        handlers.push(thread::spawn(move || {
            // An error means that the client has gone.
            let _ = handler(&mut peer);
        }));
    }
    handlers
}

fn admit(stream: TcpStream, shared: &Arc<ScriptedShared>) -> Peer {
    stream.set_nodelay(true).expect("no delay");
    let second = stream.try_clone().expect("a second handle of a socket");
    let mut state = shared.state.lock();
    state.accepted += 1;
    let number = state.accepted;
    state.open.insert(number, second);
    shared.changed.notify_all();
    Peer {
        number,
        stream: Some(BufReader::new(stream)),
        shared: Arc::clone(shared),
    }
}
