//! `pop3fs`: arguments in, exit code out.

use std::process::ExitCode;

use pop3fs::cli::{Command, Format, Invocation, client, demo, mount};

fn main() -> ExitCode {
    match Invocation::from_process() {
        Invocation::Mount(arguments) => mount(&arguments),
        Invocation::Command(command) => run(&command),
    }
}

fn run(command: &Command) -> ExitCode {
    match command {
        Command::Umount { dir } => client::umount(dir),
        Command::Commit { dir } => client::commit(dir),
        Command::Restore { dir, names } => client::restore(dir, names),
        Command::Status { dir, json } => {
            client::status(dir, if *json { Format::Json } else { Format::Text })
        }
        Command::Demo { dir } => demo(dir.as_deref()),
    }
}
