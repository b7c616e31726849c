//! The manual page, made from the definition of the command line and the table of options.

use std::io::{self, Write};
use std::process::ExitCode;

use roff::{Roff, bold, roman};

use super::pages::{
    ATTRIBUTES, COMMITTING, DESCRIPTION, ENVIRONMENT, EXAMPLES, FILES, LAST_CHANGED, LIMITS, LOG,
    OF_MOUNT, OF_VIEWS, SEE_ALSO, SOURCE, SUCCESS, VIEWS,
};
use crate::cli::arguments::help::{about_of, help_of, is_short, spelling, wrap};
use crate::cli::arguments::{MOUNT_USAGE, command_line};
use crate::cli::failure::{Failure, refuse};
use crate::cli::options::{LIST, OptionGroup, TABLE};

/// `pop3fs man`: writes pop3fs(1) to standard output.
pub fn manual() -> ExitCode {
    print(page().render().as_bytes())
}

/// A reader that closes the pipe early, such as `head`, is not an error.
pub(super) fn print(text: &[u8]) -> ExitCode {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => refuse(&error),
        _ => ExitCode::SUCCESS,
    }
}

fn page() -> Roff {
    let version = concat!("pop3fs ", env!("CARGO_PKG_VERSION"));
    let mut page = Roff::new();
    page.control("TH", ["POP3FS", "1", LAST_CHANGED, version]);
    section(&mut page, "NAME");
    page.text([roman("pop3fs - a POP3 maildrop as a directory")]);
    synopsis(&mut page);
    prose(&mut page, "DESCRIPTION", DESCRIPTION);
    list(&mut page, "SOURCE", SOURCE);
    commands(&mut page);
    options(&mut page);
    views(&mut page);
    list(&mut page, "ATTRIBUTES", ATTRIBUTES);
    prose(&mut page, "DELETING", COMMITTING);
    prose(&mut page, "LIMITS", LIMITS);
    prose(&mut page, "LOG", LOG);
    examples(&mut page);
    exit_status(&mut page);
    list(&mut page, "ENVIRONMENT", ENVIRONMENT);
    list(&mut page, "FILES", FILES);
    prose(&mut page, "SEE ALSO", SEE_ALSO);
    page
}

fn section(page: &mut Roff, name: &str) {
    page.control("SH", [name]);
}

fn synopsis(page: &mut Roff) {
    section(page, "SYNOPSIS");
    page.text([
        bold("pop3fs"),
        roman(format!(" {}", MOUNT_USAGE.replace('…', "..."))),
    ]);
    for command in shown(&command_line()) {
        page.control("br", []);
        page.text([
            bold(format!("pop3fs {}", command.get_name())),
            roman(usage_of(command)),
        ]);
    }
    page.control("br", []);
    page.text([bold("pop3fs man")]);
}

fn commands(page: &mut Roff) {
    section(page, "COMMANDS");
    for command in shown(&command_line()) {
        let about = format!("{}.", about_of(command));
        entry(page, command.get_name(), &about);
        let named = |found: &&clap::Arg| found.get_long().is_some() && !is_of_the_table(found);
        for argument in command.get_arguments().filter(named) {
            let help = format!(": {}.", help_of(argument));
            line_below(page, &usage(argument), &help);
        }
        for inner in shown(command) {
            let help = format!(": {}.", about_of(inner));
            line_below(
                page,
                &format!("{}{}", inner.get_name(), usage_of(inner)),
                &help,
            );
        }
    }
}

fn shown(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command
        .get_subcommands()
        .filter(|found| !found.is_hide_set())
}

/// The arguments of a command, each with a space in front: ` DIR [NAME...]`, ` [--cache-dir DIR]
/// [list | clear]`.
fn usage_of(command: &clap::Command) -> String {
    let own = command.get_arguments();
    let mut words: Vec<String> = own
        .filter(|found| !is_of_the_table(found) && !found.is_global_set())
        .map(usage)
        .collect();
    let names: Vec<&str> = shown(command).map(clap::Command::get_name).collect();
    if !names.is_empty() {
        words.push(format!("[{}]", names.join(" | ")));
    }
    words.iter().map(|word| format!(" {word}")).collect()
}

/// Whether this is an option of the table: those have a section of their own.
fn is_of_the_table(argument: &clap::Arg) -> bool {
    TABLE
        .iter()
        .any(|row| argument.get_long() == Some(row.name))
}

/// `DIR`, `[NAME...]`, `[--json]`, `[-o opt[,opt...]]`.
fn usage(argument: &clap::Arg) -> String {
    if argument.get_id() == LIST {
        return "[-o opt[,opt...]]".to_owned();
    }
    let value = argument.get_value_names().and_then(<[_]>::first);
    let value = value.map_or_else(|| argument.get_id().to_string(), ToString::to_string);
    let name = match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    };
    match (argument.is_required_set(), argument.get_action()) {
        (true, _) => name,
        (false, clap::ArgAction::Append) => format!("[{name}...]"),
        (false, _) => format!("[{name}]"),
    }
}

fn line_below(page: &mut Roff, term: &str, text: &str) {
    page.control("br", []);
    page.text([bold(term), roman(text)]);
}

fn options(page: &mut Roff) {
    section(page, "OPTIONS");
    for argument in command_line()
        .get_arguments()
        .filter(|found| is_short(found) && !found.is_positional())
    {
        entry(
            page,
            &spelling(argument),
            &format!("{}.", help_of(argument)),
        );
    }
    page.control("PP", []);
    paragraph(
        page,
        "Each of the following is written -o name=value, with commas between several, or --name value. In -o, a comma in a \
         value is \\, . What mount(8) and fstab(5) have for themselves (nofail, _netdev, user, x-...) is accepted.",
    );
    for group in OptionGroup::ALL {
        page.control("SS", [group.to_string().as_str()]);
        for row in TABLE.iter().filter(|row| row.group == group) {
            entry(page, &row.spelling(), &format!("{}.", row.explanation()));
        }
    }
}

fn views(page: &mut Roff) {
    section(page, "VIEWS");
    paragraph(page, OF_VIEWS);
    for (term, text) in VIEWS {
        entry(page, term, text);
    }
}

fn examples(page: &mut Roff) {
    section(page, "EXAMPLES");
    for (index, (what, line)) in EXAMPLES.iter().enumerate() {
        if index > 0 {
            page.control("PP", []);
        }
        paragraph(page, what);
        page.control("PP", []);
        page.control("RS", ["4"]);
        page.control("nf", []);
        for line in line.lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []);
        page.control("RE", []);
    }
}

fn exit_status(page: &mut Roff) {
    section(page, "EXIT STATUS");
    entry(page, "0", SUCCESS);
    for failure in Failure::ALL {
        entry(
            page,
            &failure.status().to_string(),
            &format!("{}.", failure.meaning()),
        );
    }
    page.control("PP", []);
    paragraph(page, OF_MOUNT);
}

fn prose(page: &mut Roff, name: &str, paragraphs: &[&str]) {
    section(page, name);
    for (index, text) in paragraphs.iter().enumerate() {
        if index > 0 {
            page.control("PP", []);
        }
        paragraph(page, text);
    }
}

fn list(page: &mut Roff, name: &str, entries: &[(&str, &str)]) {
    section(page, name);
    for (term, text) in entries {
        entry(page, term, text);
    }
}

fn entry(page: &mut Roff, term: &str, text: &str) {
    page.control("TP", []);
    page.text([bold(term)]);
    paragraph(page, text);
}

/// Formatters fill lines again. mandoc(1) warns of long lines in the source, so the text is broken
/// here.
fn paragraph(page: &mut Roff, text: &str) {
    for line in wrap(text, 70) {
        page.text([roman(line)]);
    }
}
