//! mpopd on loopback over a Maildir: it has no TOP, no pipelining, and counts sizes with LF.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::launch::{Launched, launch, program, server_folder};
use super::maildir::Maildir;

/// A running mpopd with one account.
#[derive(Debug)]
pub struct Mpopd {
    launched: Launched,
    maildir: Maildir,
    // Removed after the processes have gone.
    _folder: TempDir,
}

impl Mpopd {
    /// The account's name.
    pub const USER: &str = "u1";
    /// The account's password.
    pub const PASSWORD: &str = "secret";

    /// Starts a server whose maildrop holds the messages, which are given with CRLF line ends.
    pub fn start(messages: &[Vec<u8>]) -> Self {
        let mpopd = program(&["/usr/bin/mpopd"], "mpop");
        let folder = server_folder();
        let root = folder.path().join("Maildir");
        let maildir = Maildir::create(root.clone(), messages);
        let launched = launch(&folder.path().join("output"), |port| {
            let mut command = Command::new(&mpopd);
            command
                .arg("--interface=127.0.0.1")
                .arg(format!("--port={port}"))
                .arg(format!("--auth={},echo {}", Self::USER, Self::PASSWORD))
                .arg(format!("--maildir={}", root.display()))
                .stdin(Stdio::null());
            command
        });
        Self {
            launched,
            maildir,
            _folder: folder,
        }
    }

    /// The port of plain POP3.
    pub fn port(&self) -> u16 {
        self.launched.port
    }

    /// `pop://u1@127.0.0.1:PORT`; needs `tls=off`.
    pub fn source(&self) -> String {
        format!("pop://{}@127.0.0.1:{}", Self::USER, self.port())
    }

    /// The messages on disk now, in the order of delivery and with CRLF line ends.
    pub fn messages_left(&self) -> Vec<Vec<u8>> {
        self.maildir.messages()
    }

    /// Puts one more message into the maildrop, for the next session to see.
    pub fn deliver(&mut self, message: &[u8]) {
        self.maildir.deliver(message);
    }

    /// Freezes every process of the server: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.launched.processes.pause();
    }

    /// Ends [`Mpopd::pause`].
    pub fn resume(&self) {
        self.launched.processes.resume();
    }

    /// Kills every process of the server. The mail stays readable by [`Mpopd::messages_left`].
    pub fn stop(&mut self) {
        self.launched.processes.kill();
    }
}
