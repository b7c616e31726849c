//! The daemon's end of the control socket.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;

use super::{ControlResponse, LONGEST_REQUEST, Request, folder};
use crate::cli::failure::Failure;
use crate::fs::mount::DeviceNumber;

/// The longest silence of a client before its request is complete, and while it takes the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many clients are served at the same time. Others wait until they are accepted.
pub(super) const MOST_CLIENTS: usize = 32;

/// How often to check whether a place for a client is free, in milliseconds.
const BETWEEN_PLACES: u16 = 20;

/// The pause before the next attempt when descriptors or memory have run out.
const PAUSE: Duration = Duration::from_millis(200);

/// How often the server checks that the socket's file still exists, in milliseconds.
const BETWEEN_LOOKS: u16 = 5_000;

/// Called for each request, on a thread of its own. It may keep the [`ControlReply`] and return.
pub(in crate::cli) type Handler = Arc<dyn Fn(Request, ControlReply) + Send + Sync>;

/// A control socket. Clients can connect, and wait until it is served.
#[derive(Debug)]
pub(in crate::cli) struct Server {
    device: DeviceNumber,
    // Dropped before the listener: while that is open, no other file gets the same inode number.
    file: SocketFile,
    listener: UnixListener,
    clients: Places,
}

/// Counts the clients that are being served: there are as many clones as clients, and one more.
#[derive(Debug, Clone, Default)]
struct Places(Arc<()>);

impl Places {
    fn is_full(&self) -> bool {
        Arc::strong_count(&self.0) > MOST_CLIENTS
    }
}

/// A control socket that is served. Dropping this ends it and removes its file.
#[derive(Debug)]
pub(in crate::cli) struct ControlServing {
    // Closing it ends the thread.
    end: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// The answer to one client. Dropping it without an answer sends a failure.
pub(in crate::cli) struct ControlReply(Option<UnixStream>);

/// A socket's file, which dropping this removes.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

/// Why the server woke up.
enum Woken {
    Client,
    End,
    Nobody,
}

impl Server {
    /// Makes the control socket of the mount with this device number, in the first folder that can
    /// be used.
    pub(in crate::cli) fn listen(device: DeviceNumber) -> io::Result<Self> {
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
        // A killed process with the same id left this file: the name contains the process id.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let file = SocketFile::at(path)?;
        fs::set_permissions(&file.path, Permissions::from_mode(0o600))?;
        Ok(Self {
            device,
            file,
            listener,
            clients: Places::default(),
        })
    }

    /// Answers clients of the same user and of root, from a thread of its own.
    pub(in crate::cli) fn serve(self, handler: Handler) -> io::Result<ControlServing> {
        let (ended, end) = io::pipe()?;
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || self.accept_all(&ended, &handler))?;
        Ok(ControlServing {
            end: Some(end),
            thread: Some(thread),
        })
    }

    fn accept_all(mut self, ended: &PipeReader, handler: &Handler) {
        loop {
            let served = match self.wait(ended) {
                Ok(Woken::End) => return,
                Ok(Woken::Client) => self.accept(handler),
                Ok(Woken::Nobody) => {
                    self.renew();
                    continue;
                }
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                log::warn!("the control socket: {error}");
                thread::sleep(PAUSE);
            }
        }
    }

    fn wait(&self, ended: &PipeReader) -> io::Result<Woken> {
        let (event, timeout) = match self.clients.is_full() {
            true => (PollFlags::empty(), BETWEEN_PLACES),
            false => (PollFlags::POLLIN, BETWEEN_LOOKS),
        };
        let mut polled = [
            PollFd::new(ended.as_fd(), PollFlags::empty()),
            PollFd::new(self.listener.as_fd(), event),
        ];
        poll(&mut polled, timeout)?;
        Ok(match polled.map(|one| one.any()) {
            [Some(true), _] => Woken::End,
            [_, Some(true)] => Woken::Client,
            _ => Woken::Nobody,
        })
    }

    fn accept(&self, handler: &Handler) -> io::Result<()> {
        let (client, _) = self.listener.accept()?;
        attend(client, handler, self.clients.clone())
    }

    /// Makes the socket again if its file is gone. logind removes `/run/user/UID` at the last
    /// log-out, while a mount from fstab stays.
    fn renew(&mut self) {
        if self.file.is_there() {
            return;
        }
        match Self::listen(self.device) {
            Ok(renewed) => {
                *self = Self {
                    clients: self.clients.clone(),
                    ..renewed
                };
                let path = self.file.path.display();
                log::info!("the control socket was removed, and is {path} now");
            }
            Err(error) => log::debug!("the control socket was removed: {error}"),
        }
    }
}

impl Drop for ControlServing {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::warn!("the control socket's thread had panicked");
        }
    }
}

impl ControlReply {
    /// Sends the answer. If the client is gone, only the log tells.
    pub(in crate::cli) fn send(mut self, response: &ControlResponse) {
        self.send_once(response);
    }

    /// Sends a response before the answer. An error means that the client is gone.
    pub(in crate::cli) fn going(&mut self, response: &ControlResponse) -> io::Result<()> {
        match &mut self.0 {
            Some(client) => write_line(client, response),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// From now on the client may take its time for each response.
    pub(in crate::cli) fn wait_for_slow_client(&mut self) {
        if let Some(client) = &self.0
            && let Err(error) = client.set_write_timeout(None)
        {
            log::debug!("a slow client may be dropped: {error}");
        }
    }

    /// Waits this long, or until the client leaves. Returns whether it has.
    pub(in crate::cli) fn has_left_within(&self, time: Duration) -> bool {
        let Some(client) = &self.0 else {
            return true;
        };
        let mut polled = [PollFd::new(client.as_fd(), PollFlags::empty())];
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, time) {
            Ok(_) => polled[0].any().unwrap_or(true),
            Err(errno) => errno != Errno::EINTR,
        }
    }

    fn send_once(&mut self, response: &ControlResponse) {
        let Some(mut client) = self.0.take() else {
            return;
        };
        if let Err(error) = write_line(&mut client, response) {
            log::info!("a client left before its answer: {error}");
        }
    }
}

impl Drop for ControlReply {
    fn drop(&mut self) {
        self.send_once(&ControlResponse::failed(
            Failure::Other,
            "the pop3fs that serves this mount gave no answer: see its log",
        ));
    }
}

impl fmt::Debug for ControlReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlReply")
    }
}

impl SocketFile {
    fn at(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }

    fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another daemon's file may have the same path by now.
        if !self.is_there() {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("{} stays: {error}", self.path.display());
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = path.symlink_metadata()?;
    Ok((found.dev(), found.ino()))
}

/// Serves the client on a thread of its own, so that a silent one keeps nobody waiting.
fn attend(client: UnixStream, handler: &Handler, place: Places) -> io::Result<()> {
    let handler = Arc::clone(handler);
    thread::Builder::new()
        .name("control client".to_owned())
        .spawn(move || {
            match receive(&client) {
                Ok(request) => {
                    // A watch lasts as long as the mount, and must not keep other clients out.
                    let place = (request != Request::Watch).then_some(place);
                    handler(request, ControlReply(Some(client)));
                    drop(place);
                }
                Err(error) => log::warn!("a client of the control socket: {error}"),
            }
        })?;
    Ok(())
}

fn receive(client: &UnixStream) -> io::Result<Request> {
    check_peer(client)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let line = read_line(client)?;
    serde_json::from_slice(&line).map_err(|error| {
        ControlReply(client.try_clone().ok()).send(&ControlResponse::failed(
            Failure::Other,
            "the pop3fs that serves this mount is of another version and does not know the request: use its own program, or unmount and mount again",
        ));
        error.into()
    })
}

/// Refuses other users, even if somebody has opened the folder to them.
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

/// The first line, up to the limit. What follows it is lost.
pub(super) fn read_line(stream: &UnixStream) -> io::Result<Vec<u8>> {
    next_line(&mut BufReader::new(stream).take(LONGEST_REQUEST))
}

/// One whole line. A stream that ends within it is an error.
pub(super) fn next_line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(line),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
