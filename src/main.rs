//! `pop3fs`: arguments in, exit code out.

use std::process::ExitCode;

use pop3fs::cli::{
    Command, Format, Invocation, client, completions, demo, keep_memory_secret, manual, mount,
};

fn main() -> ExitCode {
    if let Err(errno) = keep_memory_secret() {
        eprintln!(
            "pop3fs: a crash may write the password to disk: this system lets nobody forbid it ({errno})"
        );
    }
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
        Command::Completions { shell } => completions(*shell),
        Command::Man => manual(),
    }
}
