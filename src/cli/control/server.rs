//! The daemon's end of the control socket.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::socket::{Shutdown, getsockopt, shutdown, sockopt::PeerCredentials};
use nix::unistd::geteuid;

use super::{LONGEST_LINE, Request, Response, folder};
use crate::cli::failure::Failure;
use crate::fs::mount::DeviceNumber;
use crate::maildrop::Progress;

/// The longest silence of a client before its request is complete, and while it takes the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Before the next attempt when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(200);

/// Called once a request, on a thread of its own. It may keep the [`Reply`] and return.
pub type Handler = Arc<dyn Fn(Request, Reply) + Send + Sync>;

/// A control socket that clients can connect to already; they wait until it is served.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    socket: SocketFile,
}

/// A control socket that is served. It ends, and its file goes away, when this is dropped.
#[derive(Debug)]
pub struct Serving {
    listener: Arc<UnixListener>,
    thread: Option<JoinHandle<()>>,
    // Dropped last: while the file is there, somebody answers.
    _socket: SocketFile,
}

/// The answer that is owed to one client. Dropped unanswered, it says so to the client.
pub struct Reply(Option<UnixStream>);

/// Removes the socket's file.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Server {
    /// Makes the control socket of the mount with this device number, in the first folder that can be used.
    pub fn listen(device: DeviceNumber) -> io::Result<Self> {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for folder in folder::own() {
            match Self::listen_in(&folder, device) {
                Ok(server) => return Ok(server),
                Err(error) => {
                    log::debug!("no control socket in {}: {error}", folder.display());
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    pub(super) fn listen_in(folder: &Path, device: DeviceNumber) -> io::Result<Self> {
        folder::make(folder)?;
        let path = folder.join(folder::socket_name(device, process::id()));
        // Left by a process of the same id that was killed: nobody else has this name.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let socket = SocketFile(path);
        fs::set_permissions(&socket.0, Permissions::from_mode(0o600))?;
        Ok(Self { listener, socket })
    }

    /// Answers clients of the same user and of root, from a thread of its own.
    pub fn serve(self, handler: Handler) -> io::Result<Serving> {
        let listener = Arc::new(self.listener);
        let accepting = Arc::clone(&listener);
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept_all(&accepting, &handler))?;
        Ok(Serving {
            listener,
            thread: Some(thread),
            _socket: self.socket,
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Wakes accept(2), which then fails with EINVAL.
        if let Err(errno) = shutdown(self.listener.as_raw_fd(), Shutdown::Both) {
            log::warn!("the control socket cannot be shut down: {errno}");
            return;
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::warn!("the control socket's thread had panicked");
        }
    }
}

impl Reply {
    /// Sends the answer. A client that is gone by now misses it, and only the log knows.
    pub fn send(mut self, response: &Response) {
        self.send_once(response);
    }

    /// Tells how far it has come. An error means that the client is gone.
    pub fn going(&mut self, progress: Progress) -> io::Result<()> {
        match &mut self.0 {
            Some(client) => write_line(client, &Response::going(progress)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn send_once(&mut self, response: &Response) {
        let Some(mut client) = self.0.take() else {
            return;
        };
        if let Err(error) = write_line(&mut client, response) {
            log::info!("a client left before its answer: {error}");
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.send_once(&Response::failed(
            Failure::Other,
            "pop3fs dropped the request: see its log",
        ));
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            log::debug!("{} stays: {error}", self.0.display());
        }
    }
}

fn accept_all(listener: &UnixListener, handler: &Handler) {
    loop {
        let error = match listener.accept() {
            Ok((client, _)) => match attend(client, handler) {
                Ok(()) => continue,
                Err(error) => error,
            },
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return,
            Err(error) => error,
        };
        log::warn!("the control socket: {error}");
        thread::sleep(PAUSE);
    }
}

/// On a thread a client, so that a silent one keeps nobody waiting. All are the same user's, so they are not counted.
fn attend(client: UnixStream, handler: &Handler) -> io::Result<()> {
    let handler = Arc::clone(handler);
    thread::Builder::new()
        .name("control client".to_owned())
        .spawn(move || match receive(&client) {
            Ok(request) => handler(request, Reply(Some(client))),
            Err(error) => log::warn!("a client of the control socket: {error}"),
        })?;
    Ok(())
}

fn receive(client: &UnixStream) -> io::Result<Request> {
    check_peer(client)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let line = read_line(client)?;
    serde_json::from_slice(&line).map_err(|error| {
        Reply(client.try_clone().ok()).send(&Response::failed(
            Failure::Other,
            "this pop3fs does not know the request: it is of another version than the one that mounted",
        ));
        error.into()
    })
}

/// The folder keeps others out already; this holds even if somebody opens it.
fn check_peer(client: &UnixStream) -> io::Result<()> {
    let peer = getsockopt(client, PeerCredentials)?.uid();
    if peer == 0 || peer == geteuid().as_raw() {
        return Ok(());
    }
    let why = format!("user id {peer} may not control this mount");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

pub(super) fn write_line(
    stream: &mut UnixStream,
    message: &impl serde::Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// The first line; what comes behind it is lost.
pub(super) fn read_line(stream: &UnixStream) -> io::Result<Vec<u8>> {
    next_line(&mut BufReader::new(stream))
}

/// One whole line: an end in its midst, or beyond the limit, is an error.
pub(super) fn next_line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(line),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
