//! A link with a round-trip time: everything that passes arrives half of it later, as much a second
//! as ever.

mod line;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;

use line::Line;

/// As much as is taken from a socket at once.
const READ: usize = 256 << 10;

/// Stands before a server on loopback and counts what is asked. Dropping it cuts every connection.
#[derive(Debug)]
pub(crate) struct Relay {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What crossed towards the server since the relay began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) bodies: u64,
    pub(crate) headers: u64,
}

impl Asked {
    /// How many more commands than `before`.
    pub(crate) fn since(self, before: Self) -> u64 {
        self.bodies + self.headers - before.bodies - before.headers
    }
}

#[derive(Debug, Default)]
struct Shared {
    bodies: AtomicU64,
    headers: AtomicU64,
    ending: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Relays to a port of loopback.
    pub(crate) fn start(server: u16, round_trip: Duration) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, server, round_trip / 2, &shared))
        };
        Ok(Self {
            port,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked {
            bodies: self.shared.bodies.load(Ordering::Relaxed),
            headers: self.shared.headers.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Only wakes the acceptor, which sees that it is to end.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for stream in self.shared.streams.lock().drain(..) {
            // The peers may have been the first to close.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, server: u16, one_way: Duration, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.ending.load(Ordering::SeqCst) {
            return;
        }
        // Without a server the client sees a closed connection, and says so.
        if let Err(error) = connect(client, server, one_way, shared) {
            eprintln!("bench: the relay has no server: {error}");
        }
    }
}

fn connect(
    client: TcpStream,
    server: u16,
    one_way: Duration,
    shared: &Arc<Shared>,
) -> std::io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        shared.streams.lock().push(stream.try_clone()?);
    }
    let counter = Counter {
        shared: Arc::clone(shared),
        verb: Vec::new(),
    };
    carry(
        client.try_clone()?,
        server.try_clone()?,
        one_way,
        Some(counter),
    );
    carry(server, client, one_way, None);
    Ok(())
}

/// One direction, until its sender closes or its receiver is gone.
fn carry(from: TcpStream, to: TcpStream, one_way: Duration, counter: Option<Counter>) {
    if one_way.is_zero() {
        thread::spawn(move || pass_on(from, to, counter));
        return;
    }
    let line = Arc::new(Line::new(one_way));
    let far_end = Arc::clone(&line);
    thread::spawn(move || take_in(from, &line, counter));
    thread::spawn(move || give_out(to, &far_end));
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, mut counter: Option<Counter>) {
    let mut buffer = vec![0; READ];
    while let Some(octets) = read(&mut from, &mut buffer, &mut counter) {
        if to.write_all(octets).is_err() {
            break;
        }
    }
    close(&from, &to);
}

fn take_in(mut from: TcpStream, line: &Line, mut counter: Option<Counter>) {
    let mut buffer = vec![0; READ];
    while let Some(octets) = read(&mut from, &mut buffer, &mut counter) {
        if !line.put(octets) {
            break;
        }
    }
    line.close();
    // Nothing more is taken; what was taken is still given out.
    let _ = from.shutdown(Shutdown::Read);
}

fn give_out(mut to: TcpStream, line: &Line) {
    while let Some(octets) = line.take() {
        if to.write_all(&octets).is_err() {
            break;
        }
    }
    line.close();
    let _ = to.shutdown(Shutdown::Write);
}

fn read<'a>(
    from: &mut TcpStream,
    buffer: &'a mut [u8],
    counter: &mut Option<Counter>,
) -> Option<&'a [u8]> {
    let length = from.read(buffer).ok().filter(|&length| length > 0)?;
    let octets = &buffer[..length];
    if let Some(counter) = counter {
        counter.watch(octets);
    }
    Some(octets)
}

/// One direction has ended; the other may still have something to say.
fn close(from: &TcpStream, to: &TcpStream) {
    let _ = from.shutdown(Shutdown::Read);
    let _ = to.shutdown(Shutdown::Write);
}

/// Counts commands, wherever the packets cut them.
struct Counter {
    shared: Arc<Shared>,
    /// What has come of the line, up to its first five octets.
    verb: Vec<u8>,
}

impl Counter {
    fn watch(&mut self, octets: &[u8]) {
        for &octet in octets {
            match octet {
                b'\n' => self.verb.clear(),
                _ if self.verb.len() < 5 => self.begin(octet),
                _ => {}
            }
        }
    }

    fn begin(&mut self, octet: u8) {
        self.verb.push(octet.to_ascii_uppercase());
        let count = match self.verb.as_slice() {
            b"RETR " => &self.shared.bodies,
            b"TOP " => &self.shared.headers,
            _ => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
