//! A small POP3 server (RFC 1939, RFC 2449) on loopback with a few sample mails, for trying the
//! mount without an account.
//!
//! It shares no code with [`crate::pop3`]: if one side misreads the RFC, the other side does not.
//! ```text
//! server    accepts connections, limits sessions, hangs up; reads commands and writes replies
//! session   the states of RFC 1939, and the reply to each command
//! command   parses a line into a command
//! maildrop  the sample mails that have not been deleted
//! refusal   why a command is refused
//! ```

mod command;
mod maildrop;
mod refusal;
mod server;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread::{self, JoinHandle};

use nix::sys::socket::{Shutdown, shutdown};

use maildrop::DemoMaildrop;

/// The only user name that the server accepts.
pub const USER: &str = "demo";

/// A POP3 server on a free port of 127.0.0.1; it runs until this value is dropped.
///
/// Deleted mails stay deleted while the server runs. A new server has all mails again.
pub struct DemoServer {
    address: SocketAddr,
    password: String,
    listener: TcpListener,
    accepting: Option<JoinHandle<()>>,
}

impl DemoServer {
    /// Binds a port, fills the maildrop and starts accepting connections.
    ///
    /// Fails if loopback cannot be bound, `/dev/urandom` cannot be read or no thread can be
    /// started.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let password = random_password()?;
        let accepting = {
            let (listener, password) = (listener.try_clone()?, password.clone());
            let serve = move || server::run(&listener, &DemoMaildrop::of_samples(), &password);
            thread::Builder::new()
                .name("demo server".into())
                .spawn(serve)?
        };
        Ok(Self {
            address,
            password,
            listener,
            accepting: Some(accepting),
        })
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The password of [`USER`]. Each start makes a new one, because every local user can reach
    /// loopback.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl Drop for DemoServer {
    /// Closes every session without UPDATE and waits until all threads have ended.
    fn drop(&mut self) {
        // On Linux this makes accept(2) return EINVAL.
        if let Err(error) = shutdown(self.listener.as_raw_fd(), Shutdown::Both) {
            log::warn!("cannot stop the demo server: {error}");
            return;
        }
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl fmt::Debug for DemoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Commands to try on the demo maildrop mounted at `dir`: one on each line, with a remark.
///
/// `dir` is quoted if the shell needs it; bytes that are not UTF-8 are replaced.
pub fn suggestions(dir: &Path) -> String {
    let mails = shell_word(dir);
    let contents = shell_word(&dir.join(""));
    let text = shell_word(&dir.join(".text"));
    let search = shell_word(&dir.join(".search/subject:invoice"));
    let raffle = shell_word(&dir.join("15-raffle.eml"));
    let commands = [
        (format!("ls -l {mails}"), "every message is a file"),
        (
            format!("grep -r invoice {mails}"),
            "a file holds what the server sent",
        ),
        (
            format!("grep -r invoice {text}"),
            "the same as a person would read it",
        ),
        (format!("ls {search}"), "a query is a directory"),
        (
            format!("rsync -a {contents} backup/"),
            "the second time, nothing is left to copy",
        ),
        (format!("rm {raffle}"), "nothing happens on the server yet"),
        (
            format!("pop3fs umount {mails}"),
            "now it does, and you see what the server answers",
        ),
    ];
    let width = commands
        .iter()
        .map(|(command, _)| command.chars().count())
        .max()
        .unwrap_or(0);
    let lines = commands
        .iter()
        .map(|(command, remark)| format!("  {command:<width$}  # {remark}\n"));
    format!("Try, in another terminal:\n{}", lines.collect::<String>())
}

/// `path` as one word for a POSIX shell; never starts with `-`.
fn shell_word(path: &Path) -> String {
    let mut path = path.to_string_lossy().into_owned();
    if path.starts_with('-') {
        path.insert_str(0, "./");
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=@,:%".contains(c);
    if path.chars().all(is_plain) && !path.is_empty() {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// 128 random bits from the kernel, in hexadecimal.
fn random_password() -> io::Result<String> {
    let mut octets = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(hex::encode(octets))
}
