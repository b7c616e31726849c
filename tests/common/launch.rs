//! Starts a server program on a free port.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::{Uid, getgid, getuid};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::patience::{PATIENCE, before};
use super::process_group::ProcessGroup;

/// How many ports are tried if other programs take them first.
const PORTS_TO_TRY: usize = 10;

/// A server that has sent its greeting.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) processes: ProcessGroup,
    pub(super) port: u16,
}

/// Starts the server with the command that `command_for` builds for a port, and returns once it
/// greets.
///
/// The server writes to `log`. If the port is taken, another one is tried; any other error fails
/// the test.
pub(super) fn launch(log: &Path, command_for: impl Fn(u16) -> Command) -> Launched {
    for _ in 0..PORTS_TO_TRY {
        let port = free_port();
        let output = File::create(log).expect("a server's log");
        let mut command = command_for(port);
        command
            .stdout(output.try_clone().expect("a second handle of a log"))
            .stderr(output);
        let mut processes = ProcessGroup::spawn(&mut command);
        if greets(&mut processes, port) {
            return Launched { processes, port };
        }
        let said = fs::read_to_string(log).unwrap_or_default();
        assert!(
            said.contains("already in use"),
            "{command:?} does not greet on port {port}; it says:\n{said}"
        );
    }
    panic!("{PORTS_TO_TRY} ports were all taken");
}

/// A port of the loopback address on which no program listens.
///
/// It is below the range of ports that the kernel gives to outgoing connections. No other running
/// test gets the same one.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let step = process::id().wrapping_mul(97) % COUNT + TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + step % COUNT).expect("a port is a u16");
        if claim(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("every port is taken");
}

/// Keeps the port for this process until it ends, and tells whether no other process had it. The
/// claim is an abstract socket, which each process of this network namespace sees and the kernel
/// takes away.
fn claim(port: u16) -> bool {
    static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let name = format!("pop3fs-test-port-{port}");
    let address = SocketAddr::from_abstract_name(name).expect("a short name");
    let listener = UnixListener::bind_addr(&address);
    let is_ours = listener.is_ok();
    CLAIMS.lock().extend(listener);
    is_ours
}

/// A server's folder, which the account that the server runs as can enter.
pub(super) fn server_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a server's folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
        .expect("mode of a server's folder");
    folder
}

/// User and group id of the mail files: `nobody` if the tests run as root, else the test's own.
pub(super) fn mail_owner() -> (u32, u32) {
    const NOBODY: u32 = 65534;
    if is_root() {
        (NOBODY, NOBODY)
    } else {
        (getuid().as_raw(), getgid().as_raw())
    }
}

pub(super) fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Makes the account of the server the owner of the file or folder.
pub(super) fn give_to_mail_owner(path: &Path) {
    let (user, group) = mail_owner();
    std::os::unix::fs::chown(path, Some(user), Some(group))
        .unwrap_or_else(|error| panic!("chown {}: {error}", path.display()));
}

/// The first of the paths that exists. If none does, the test fails and names the Debian package.
pub(super) fn program(candidates: &[&str], package: &str) -> PathBuf {
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{} is missing: apt-get install {package}", candidates[0]))
}

fn greets(processes: &mut ProcessGroup, port: u16) -> bool {
    before(Instant::now() + PATIENCE, || {
        let ended = processes.ended().is_some();
        (ended || greeting(port).is_some()).then_some(!ended)
    })
    .unwrap_or(false)
}

fn greeting(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    stream.write_all(b"QUIT\r\n").ok()?;
    line.starts_with("+OK").then_some(line)
}
