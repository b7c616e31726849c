//! clap's errors in the style of all other errors: one line that says what is wrong, and what to
//! write instead.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::options::{did_you_mean, nearest_of};

/// For a command line without operands.
pub(super) const NO_ARGUMENTS: &str = "SOURCE and MOUNTPOINT are missing: `pop3fs pops://USER@HOST DIR` mounts a maildrop, \
     `pop3fs demo` tries it out, `pop3fs --help` tells more";

/// The error in one line. `words` is the command line.
pub(super) fn sentence(
    error: &clap::Error,
    words: &[OsString],
    definition: &clap::Command,
) -> String {
    if words.len() < 2 {
        return NO_ARGUMENTS.to_owned();
    }
    let first = words
        .get(1)
        .and_then(|word| word.to_str())
        .unwrap_or_default();
    let commands = names(definition);
    let command = definition.find_subcommand(first);
    let is_command = command.is_some() || first == "help";
    if !is_command
        && let Some(command) = meant(first, &commands)
        && matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::UnknownArgument
                | ErrorKind::ArgumentConflict
        )
    {
        return unknown_command(first, command);
    }
    let help = match command.is_some() {
        true => format!("`pop3fs help {first}`"),
        false => "`pop3fs --help`".to_owned(),
    };
    what_is_wrong(error, command.unwrap_or(definition), &help).unwrap_or_else(|| first_line(error))
}

/// The names of all commands, also those that the help does not show.
pub(super) fn names(definition: &clap::Command) -> Vec<String> {
    let names = definition.get_subcommands().flat_map(|command| {
        let aliases = command.get_all_aliases();
        aliases.chain([command.get_name()]).map(str::to_owned)
    });
    names.chain(["help".to_owned()]).collect()
}

/// The command that a misspelt word probably means.
pub(super) fn meant<'a>(word: &str, commands: &'a [String]) -> Option<&'a str> {
    nearest_of(word, commands.iter().map(String::as_str))
}

/// For a word in the place of a command that is none.
pub(super) fn unknown_command(word: &str, meant: &str) -> String {
    format!("there is no command '{word}': did you mean `pop3fs {meant}`?")
}

fn what_is_wrong(error: &clap::Error, definition: &clap::Command, help: &str) -> Option<String> {
    let text = |kind| context(error, kind);
    let argument = text(ContextKind::InvalidArg).map(|name| plain(&name));
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let names = argument?;
            Some(format!("{names} is missing: {help} shows what to write"))
        }
        ErrorKind::UnknownArgument => {
            let name = argument?;
            if !name.starts_with('-') {
                return Some(too_many(&name, help));
            }
            let hint = did_you_mean(nearest_option(&name, definition).as_deref());
            Some(format!("unknown option '{name}'{hint}: {help} lists them"))
        }
        ErrorKind::InvalidValue => {
            let (name, value) = (argument?, text(ContextKind::InvalidValue)?);
            let expected = text(ContextKind::ValidValue).unwrap_or_default();
            match (value.is_empty(), expected.is_empty()) {
                (true, _) => Some(format!("{name} needs a value")),
                (false, true) => Some(format!("invalid value '{value}' for {name}")),
                (false, false) => Some(format!(
                    "invalid value '{value}' for {name}: expected {expected}"
                )),
            }
        }
        ErrorKind::ArgumentConflict => match (argument, text(ContextKind::PriorArg)) {
            (Some(name), Some(other)) if name.starts_with('-') => Some(format!(
                "{name} and {} exclude each other: leave out one",
                plain(&other)
            )),
            // clap takes a third operand for a command.
            (name, _) => Some(too_many(
                &name.or(text(ContextKind::InvalidSubcommand))?,
                help,
            )),
        },
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand)?;
            let names = names(definition);
            let hint = did_you_mean(meant(&name, &names));
            Some(format!("unknown command '{name}'{hint}: {help} lists them"))
        }
        _ => None,
    }
}

fn nearest_option(name: &str, definition: &clap::Command) -> Option<String> {
    let name = name.strip_prefix("--")?;
    let known = definition.get_arguments().filter_map(clap::Arg::get_long);
    nearest_of(name, known).map(|nearest| format!("--{nearest}"))
}

fn too_many(name: &str, help: &str) -> String {
    format!("one argument too many: '{name}' ({help} shows what to write)")
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

/// `DIR` for `<DIR>`, `--timeout` for `--timeout <TIME>`.
fn plain(argument: &str) -> String {
    let names: Vec<&str> = argument
        .split(", ")
        .map(|name| match name.split_once(' ') {
            Some((option, _value)) => option,
            None => name.trim_matches(['<', '>', '[', ']', '.']),
        })
        .collect();
    names.join(" and ")
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
