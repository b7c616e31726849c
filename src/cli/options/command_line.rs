//! The options as clap's arguments, made from the table.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, ValueHint};

use super::table::suggestions;
use super::{OptionKind, OptionRow, RawOption, TABLE};

/// The options of the table, each as `-o name=value` and as `--name value`, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionArguments(Vec<RawOption>);

/// `-o` among the arguments.
pub(in crate::cli) const LIST: &str = "o";

impl OptionArguments {
    /// In the order of the command line.
    pub fn as_slice(&self) -> &[RawOption] {
        &self.0
    }
}

impl Args for OptionArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let list = Arg::new(LIST)
            .short('o')
            .value_name("opt[,opt…]")
            .action(ArgAction::Append)
            .help("Options, as -o name=value; a comma in a value is \\,");
        command.arg(list).args(TABLE.iter().map(long_option))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for OptionArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found: Vec<(usize, Vec<RawOption>)> = Vec::new();
        for (index, list) in occurrences(matches, LIST) {
            found.push((index, RawOption::split(list)));
        }
        for row in TABLE {
            found.extend(settings_of(matches, row));
        }
        found.sort_by_key(|(index, _)| *index);
        Ok(Self(
            found
                .into_iter()
                .flat_map(|(_, settings)| settings)
                .collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn long_option(row: &'static OptionRow) -> Arg {
    let option = Arg::new(row.name)
        .long(row.name)
        .alias(row.name.replace('_', "-"))
        .help(row.explanation());
    match row.kind {
        OptionKind::Flag => option.action(ArgAction::SetTrue).overrides_with(row.name),
        OptionKind::Value(name) => option
            .action(ArgAction::Append)
            .value_name(name)
            .value_parser(Suggested(suggestions(row.name)))
            .hide_possible_values(true)
            .value_hint(hint(name)),
    }
}

/// Takes any text, which the table parses, and gives shells some words to complete.
#[derive(Debug, Clone)]
struct Suggested(Vec<String>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        match self.0.is_empty() {
            true => None,
            false => Some(Box::new(self.0.iter().map(PossibleValue::new))),
        }
    }
}

/// What a shell completes for a value.
fn hint(value: &str) -> ValueHint {
    match value {
        "FILE" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        "COMMAND" => ValueHint::CommandString,
        _ => ValueHint::Other,
    }
}

fn settings_of(matches: &ArgMatches, row: &OptionRow) -> Vec<(usize, Vec<RawOption>)> {
    let setting = |value: Option<&str>| {
        vec![RawOption {
            name: row.name.to_owned(),
            value: value.map(str::to_owned),
        }]
    };
    let typed = matches.value_source(row.name) == Some(ValueSource::CommandLine);
    match row.kind {
        OptionKind::Value(_) => occurrences(matches, row.name)
            .map(|(index, value)| (index, setting(Some(value))))
            .collect(),
        // clap gives an index to the default of a flag that was not typed, too.
        OptionKind::Flag if typed => matches
            .indices_of(row.name)
            .into_iter()
            .flatten()
            .map(|index| (index, setting(None)))
            .collect(),
        OptionKind::Flag => Vec::new(),
    }
}

fn occurrences<'a>(matches: &'a ArgMatches, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let indices = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<String>(name).into_iter().flatten();
    indices.zip(values.map(String::as_str))
}
