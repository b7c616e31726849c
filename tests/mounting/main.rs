//! The life of a mount: refused mounts, sources of the password, the daemon, and the commands that
//! talk to it.

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

use std::process::Command;
use std::time::Duration;

use common::{Ground, Liar, Mount, PROGRAM, assert_says, corpus, sentence, stderr, stdout};

/// The longest time that one command may take.
const LIMIT: Duration = Duration::from_secs(60);

fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(21, count))
}

fn in_clear(source: &str) -> Mount {
    Mount::new(source, &["tls=off"])
}

/// `pop3fs ARGUMENT…` with the password `secret`, and a standard output whose reader has gone.
fn without_a_reader(ground: &Ground, arguments: &[&str]) -> Command {
    const SCRIPT: &str = "\
        mkfifo \"$0\"; exec 3<>\"$0\"; exec 4>\"$0\" 3<&-; exec \"$@\" >&4 4>&-";
    let mut command = ground.0.at_home(Command::new("sh"));
    command
        .args(["-euc", SCRIPT])
        .arg(ground.0.folder().join("pipe"))
        .arg(PROGRAM)
        .args(arguments)
        .env("POP3FS_PASSWORD", "secret");
    command
}
