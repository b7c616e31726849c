//! `pop3fs`: arguments in, exit code out.

use std::process::ExitCode;

use pop3fs::cli::{
    Format, Invocation, UserCommand, cache, check, commit, complete, completions, demo, fetch,
    keep_memory_secret, manual, mount, restore, search, status, umount, umount_all, watch,
};
use pop3fs::maildrop::{Consent, Depth, Farewell};

fn main() -> ExitCode {
    if let Err(errno) = keep_memory_secret() {
        eprintln!(
            "pop3fs: a crash may write the password to disk: this system lets nobody forbid it ({errno})"
        );
    }
    match Invocation::from_process() {
        Ok(Invocation::Mount(arguments)) => mount(&arguments),
        Ok(Invocation::Command(command)) => run(&command),
        Err(code) => code,
    }
}

fn run(command: &UserCommand) -> ExitCode {
    match command {
        UserCommand::Umount {
            dir, yes, discard, ..
        } => match dir {
            Some(dir) => umount(dir, farewell(*yes, *discard)),
            None => umount_all(farewell(*yes, *discard)),
        },
        UserCommand::Commit { dir, yes } => commit(dir, consent(*yes)),
        UserCommand::Restore { dir, names } => restore(dir, names),
        UserCommand::Fetch { dir, headers } => fetch(dir, depth(*headers)),
        UserCommand::Search { dir, words, json } => search(dir, words, format(*json, false)),
        UserCommand::Watch { dir, exec } => watch(dir, exec.as_deref()),
        UserCommand::Status { dir, json, names } => status(dir.as_deref(), format(*json, *names)),
        UserCommand::Cache { cache_dir, command } => cache(cache_dir.as_deref(), command.as_ref()),
        UserCommand::Check { source, options } => check(source, options),
        UserCommand::Demo { dir } => demo(dir.as_deref()),
        UserCommand::Completions { shell } => completions(*shell),
        UserCommand::Complete { names } => complete(*names),
        UserCommand::Man => manual(),
    }
}

fn farewell(yes: bool, discard: bool) -> Farewell {
    match discard {
        true => Farewell::Discard,
        false => Farewell::Commit(consent(yes)),
    }
}

fn consent(yes: bool) -> Consent {
    match yes {
        true => Consent::Given,
        false => Consent::Unsaid,
    }
}

fn format(json: bool, names: bool) -> Format {
    match (json, names) {
        (true, _) => Format::Json,
        (false, true) => Format::TextWithAllNames,
        (false, false) => Format::Text,
    }
}

fn depth(headers: bool) -> Depth {
    match headers {
        true => Depth::Headers,
        false => Depth::Body,
    }
}
