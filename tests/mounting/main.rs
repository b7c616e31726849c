//! The life of a mount: why there is none, where the password comes from, the daemon, and the commands that talk to it.

#[path = "../common/mod.rs"]
mod common;

mod cache;
mod check;
mod config;
mod control;
mod daemon;
mod demo;
mod fetch;
mod fstab;
mod logins;
mod logs;
mod managed;
mod passwords;
mod refusals;
mod secrets;
mod sentences;
mod several;
mod statuses;
mod systemd;
mod users;

use std::process::{Command, Output};
use std::time::Duration;

use common::{
    Liar, Mount, PROGRAM, Place, assert_says, corpus, output_within, sentence, stderr, stdout,
};
use nix::sys::signal::{Signal, kill};

/// The limit of one command.
const LIMIT: Duration = Duration::from_secs(60);

fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(21, count))
}

fn in_clear(source: &str) -> Mount {
    Mount::new(source, &["tls=off"])
}

/// A mount point that the test mounts on by itself. Dropping it ends whatever serves there.
struct Ground(Place);

impl Ground {
    fn new() -> Self {
        Self(Place::create())
    }

    /// The mount point as an argument.
    fn dir(&self) -> &str {
        self.0.mount_point().to_str().expect("a path in ASCII")
    }

    /// Runs the program with these arguments and the password `secret`.
    fn pop3fs(&self, arguments: &[&str]) -> Output {
        let mut command = self.0.program();
        command.args(arguments).env("POP3FS_PASSWORD", "secret");
        output_within(LIMIT, &mut command)
    }

    /// `sh -c SCRIPT sh POP3FS ARGUMENT…` in a mount namespace of its own, with the password `secret`.
    fn in_a_namespace(&self, script: &str, arguments: &[&str]) -> Output {
        let mut command = self.0.at_home(Command::new("unshare"));
        command
            .args(["--mount", "sh", "-euc", script, "sh", PROGRAM])
            .args(arguments)
            .env("POP3FS_PASSWORD", "secret");
        output_within(LIMIT, &mut command)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        while let Some(pid) = self.0.daemon() {
            // It may have ended this instant, and then there is nothing to kill.
            let _ = kill(pid, Signal::SIGKILL);
        }
        self.0.detach();
    }
}
