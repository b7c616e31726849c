//! `--help`: what most people need, on a screen and a half. The manual ([`super::manual`]) has the
//! rest.

use std::fmt::{self, Write};

use crate::cli::options::{LIST, OptionGroup, OptionRow, TABLE};

/// The options that the help explains. It only names the others.
const EXPLAINED: &[&str] = &["tls", "password_command", "ro"];

/// Columns of the whole text.
const WIDTH: usize = 100;
/// Where the explanations begin.
const COLUMN: usize = 27;

/// The whole text, made from the definition of the command line and the table of options.
pub(in crate::cli) fn overview(command: &clap::Command, usage: &str) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, command, usage);
    text
}

fn write(out: &mut String, command: &clap::Command, usage: &str) -> fmt::Result {
    writeln!(out, "{}\n", about_of(command))?;
    writeln!(out, "Usage: {usage}\n")?;
    let shown = |found: &&clap::Arg| is_short(found) && found.get_id() != LIST;
    for argument in command.get_arguments().filter(shown) {
        entry(out, &spelling(argument), &help_of(argument))?;
    }
    entry(
        out,
        "-h, -V",
        "This text (`man pop3fs` has all); the version",
    )?;
    writeln!(out, "\nCommands (`pop3fs help COMMAND` tells more):")?;
    for command in command
        .get_subcommands()
        .filter(|found| !found.is_hide_set())
    {
        let about = about_of(command);
        let summary = about.split(';').next().unwrap_or_default();
        entry(out, command.get_name(), summary)?;
    }
    writeln!(
        out,
        "\nOptions, as -o name=value[,name=value…] or --name value (\\, is a comma):"
    )?;
    OptionGroup::ALL
        .iter()
        .try_for_each(|&group| section(out, group))
}

fn section(out: &mut String, group: OptionGroup) -> fmt::Result {
    let rows = || TABLE.iter().filter(move |row| row.group == group);
    for row in rows().filter(|row| is_explained(row)) {
        entry(out, &row.spelling(), &row.explanation())?;
    }
    let others: Vec<&str> = rows()
        .filter(|row| !is_explained(row))
        .map(|row| row.name)
        .collect();
    match others.as_slice() {
        [] => Ok(()),
        others => entry(out, &format!("({group})"), &others.join(", ")),
    }
}

fn entry(out: &mut String, term: &str, text: &str) -> fmt::Result {
    let mut term = term;
    for line in wrap(text, WIDTH - 2 - COLUMN) {
        writeln!(out, "  {term:COLUMN$}{line}")?;
        term = "";
    }
    Ok(())
}

/// Breaks the text into lines of at most `width` characters. A longer word has a line of its own.
pub(in crate::cli) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn is_explained(row: &OptionRow) -> bool {
    EXPLAINED.contains(&row.name)
}

/// An operand, or a letter without a long name.
pub(in crate::cli) fn is_short(argument: &clap::Arg) -> bool {
    argument.is_positional() || (argument.get_short().is_some() && argument.get_long().is_none())
}

/// `SOURCE`, `-f`, `-o opt[,opt…]`.
pub(in crate::cli) fn spelling(argument: &clap::Arg) -> String {
    let value = argument.get_value_names().and_then(<[_]>::first);
    match (argument.get_short(), value) {
        (None, Some(name)) => name.to_string(),
        (Some(letter), Some(name)) if argument.get_action().takes_values() => {
            format!("-{letter} {name}")
        }
        (Some(letter), _) => format!("-{letter}"),
        (None, None) => argument.get_id().to_string(),
    }
}

/// What a command does, in one line.
pub(in crate::cli) fn about_of(command: &clap::Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// In one line.
pub(in crate::cli) fn help_of(argument: &clap::Arg) -> String {
    argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::command_line;

    fn help() -> String {
        command_line().render_long_help().to_string()
    }

    #[test]
    fn the_help_fits_a_screen_and_a_half_of_100_columns() {
        let help = help();
        assert!(help.lines().count() <= 36, "{} lines", help.lines().count());
        for line in help.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one-long-word and", 7), ["one-long-word", "and"]);
        assert_eq!(wrap("", 7), [""]);
    }

    #[test]
    fn every_option_and_every_command_is_named() {
        let help = help();
        for row in TABLE {
            assert!(help.contains(row.name), "{}", row.name);
        }
        for command in command_line()
            .get_subcommands()
            .filter(|found| !found.is_hide_set())
        {
            assert!(help.contains(command.get_name()), "{}", command.get_name());
        }
    }

    #[test]
    fn explained_options_are_in_the_table() {
        for name in EXPLAINED {
            assert!(TABLE.iter().any(|row| row.name == *name), "{name}");
        }
    }
}
