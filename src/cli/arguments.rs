//! The command line, as people and mount.fuse(8) write it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand};

use super::options::{Kind, OptionError, Options, Row, Setting, TABLE};
use super::source::{Source, SourceError};
use crate::fs::mount::Access;

/// What is to be done.
#[derive(Debug)]
pub enum Invocation {
    /// `pop3fs SOURCE MOUNTPOINT`.
    Mount(MountArguments),
    /// `pop3fs COMMAND`.
    Command(Command),
}

/// A POP3 maildrop as a directory
#[derive(Debug, Parser)]
#[command(
    name = "pop3fs",
    version,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "pop3fs [-f] [-d] [-r] [-v] [-o opt[,opt…]] SOURCE MOUNTPOINT\n       pop3fs COMMAND"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    mount: Option<MountArguments>,
}

/// The arguments of a mount. SOURCE and options are not understood yet: see [`MountArguments::source`] and
/// [`MountArguments::options`].
#[derive(Debug, Args)]
pub struct MountArguments {
    /// The maildrop: pops://USER@HOST (TLS), or pop://USER@HOST (STLS)
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// An existing directory
    #[arg(value_name = "MOUNTPOINT")]
    pub mountpoint: PathBuf,
    /// Stay in the foreground
    #[arg(short)]
    foreground: bool,
    /// Stay in the foreground and log everything
    #[arg(short)]
    debug: bool,
    /// Read-only, as -o ro
    #[arg(short)]
    read_only: bool,
    /// Log what happens (in the foreground)
    #[arg(short)]
    verbose: bool,
    #[command(flatten)]
    settings: Settings,
}

/// What to do with an existing mount, or without a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Commit the deletions, unmount, and say what the server answered
    Umount {
        /// The mount point
        dir: PathBuf,
    },
    /// Delete on the server what was removed here, and stay mounted
    Commit {
        /// The mount point
        dir: PathBuf,
    },
    /// Take deletions back that are not committed yet
    Restore {
        /// The mount point
        dir: PathBuf,
        /// Messages, as they were listed; all if none is named
        names: Vec<String>,
    },
    /// Show what is mounted and what is pending
    Status {
        /// The mount point
        dir: PathBuf,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Mount a maildrop that comes with pop3fs, to try it out
    Demo {
        /// Where; a new directory if unsaid
        dir: Option<PathBuf>,
    },
}

/// Where the process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where it was started, with the log on stderr.
    Foreground,
    /// As a daemon.
    Background,
}

impl Invocation {
    /// Reads the process's arguments. Wrong ones, `--help` and `--version` end the process.
    pub fn from_process() -> Self {
        Self::parse(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    fn parse(
        line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let arguments = Arguments::try_parse_from(line)?;
        match (arguments.command, arguments.mount) {
            (Some(command), _) => Ok(Self::Command(command)),
            (None, Some(mount)) => Ok(Self::Mount(mount)),
            // Of `pop3fs -f`, clap makes neither.
            (None, None) => Err(command_line().error(
                ErrorKind::MissingRequiredArgument,
                "SOURCE and MOUNTPOINT are missing",
            )),
        }
    }
}

impl MountArguments {
    /// SOURCE, with the policy of `-o tls` applied.
    pub fn source(&self, options: &Options) -> Result<Source, SourceError> {
        let source: Source = self.source.parse()?;
        Ok(match options.tls {
            Some(tls) => source.with_tls(tls),
            None => source,
        })
    }

    /// All `-o` and `--name` options in their order, and `-r`.
    pub fn options(&self) -> Result<Options, OptionError> {
        let mut options = Options::from_settings(&self.settings.0)?;
        if self.read_only {
            options.access = Access::ReadOnly;
        }
        Ok(options)
    }

    /// `-d` implies the foreground.
    pub fn place(&self) -> Place {
        match self.foreground || self.debug {
            true => Place::Foreground,
            false => Place::Background,
        }
    }

    /// Up to where to log.
    pub fn log_level(&self) -> log::LevelFilter {
        match (self.debug, self.verbose) {
            (true, _) => log::LevelFilter::Debug,
            (false, true) => log::LevelFilter::Info,
            (false, false) => log::LevelFilter::Warn,
        }
    }
}

/// The command line's definition, for its help, completions and man page.
pub fn command_line() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// The options of the table, each as `-o name=value` and as `--name value`, in the order given.
#[derive(Debug)]
struct Settings(Vec<Setting>);

const LIST: &str = "o";

impl Args for Settings {
    fn augment_args(command: clap::Command) -> clap::Command {
        let list = Arg::new(LIST)
            .short('o')
            .value_name("opt[,opt…]")
            .action(ArgAction::Append)
            .help("Any of the options below, as -o name=value; a comma in a value is \\,");
        command.arg(list).args(TABLE.iter().map(long_option))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found: Vec<(usize, Vec<Setting>)> = Vec::new();
        for (index, list) in occurrences(matches, LIST) {
            found.push((index, Setting::split(list)));
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

fn long_option(row: &'static Row) -> Arg {
    let help = match row.default {
        "" => row.help.to_owned(),
        default => format!("{} [default: {default}]", row.help),
    };
    let option = Arg::new(row.name)
        .long(row.name)
        .alias(row.name.replace('_', "-"))
        .help_heading("Mount options, as --name VALUE or -o name=VALUE")
        .help(help);
    match row.kind {
        Kind::Flag => option.action(ArgAction::Count),
        Kind::Value(name) => option.action(ArgAction::Append).value_name(name),
    }
}

fn settings_of(matches: &ArgMatches, row: &Row) -> Vec<(usize, Vec<Setting>)> {
    let setting = |value: Option<&str>| {
        vec![Setting {
            name: row.name.to_owned(),
            value: value.map(str::to_owned),
        }]
    };
    let typed = matches.value_source(row.name) == Some(ValueSource::CommandLine);
    match row.kind {
        Kind::Value(_) => occurrences(matches, row.name)
            .map(|(index, value)| (index, setting(Some(value))))
            .collect(),
        // A count has a default, which has an index too.
        Kind::Flag if typed => matches
            .indices_of(row.name)
            .into_iter()
            .flatten()
            .map(|index| (index, setting(None)))
            .collect(),
        Kind::Flag => Vec::new(),
    }
}

fn occurrences<'a>(matches: &'a ArgMatches, name: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let indices = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<String>(name).into_iter().flatten();
    indices.zip(values.map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::TlsPolicy;
    use std::time::Duration;

    fn parse(line: &str) -> Result<Invocation, clap::Error> {
        Invocation::parse(line.split_whitespace())
    }

    fn mount(line: &str) -> MountArguments {
        match parse(line).unwrap() {
            Invocation::Mount(mount) => mount,
            Invocation::Command(command) => panic!("{command:?}"),
        }
    }

    fn command(line: &str) -> Command {
        match parse(line).unwrap() {
            Invocation::Command(command) => command,
            Invocation::Mount(mount) => panic!("{mount:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        command_line().debug_assert();
    }

    #[test]
    fn options_may_follow_the_operands_as_mount_fuse_writes_them() {
        let arguments = mount("pop3fs pops://al@h /mnt -o rw,ro,nodev,nosuid,timeout=5 -v");
        let options = arguments.options().unwrap();
        assert_eq!(options.access, Access::ReadOnly);
        assert_eq!(options.timeout, Duration::from_secs(5));
        assert_eq!(arguments.mountpoint, PathBuf::from("/mnt"));
        assert_eq!(arguments.place(), Place::Background);
        assert_eq!(arguments.log_level(), log::LevelFilter::Info);
    }

    #[test]
    fn an_option_is_the_same_in_both_forms_and_the_last_counts() {
        for (line, seconds) in [
            ("pop3fs --idle_timeout 7 s m", 7),
            ("pop3fs --idle-timeout=7 s m", 7),
            ("pop3fs --idle_timeout 7 -o idle_timeout=8 s m", 8),
            ("pop3fs -o idle_timeout=8 s m --idle_timeout 7", 7),
            ("pop3fs --idle_timeout 9 -o ro --idle_timeout 7 s m", 7),
        ] {
            let options = mount(line).options().unwrap();
            assert_eq!(options.idle_timeout, Duration::from_secs(seconds), "{line}");
        }
    }

    #[test]
    fn flags_take_no_value_and_may_be_repeated() {
        let options = mount("pop3fs --ro s --ro m --password_stdin")
            .options()
            .unwrap();
        assert_eq!(options.access, Access::ReadOnly);
        let options = mount("pop3fs s m").options().unwrap();
        assert_eq!(options.access, Access::ReadWrite);
    }

    #[test]
    fn a_comma_in_the_long_form_needs_no_escape() {
        let options = mount("pop3fs s m --password_command a,b")
            .options()
            .unwrap();
        let expected = crate::cli::options::PasswordSource::Command("a,b".to_owned());
        assert_eq!(options.password, expected);
    }

    #[test]
    fn the_letters_mean_what_they_say() {
        let arguments = mount("pop3fs -fr s m");
        assert_eq!(arguments.place(), Place::Foreground);
        assert_eq!(arguments.log_level(), log::LevelFilter::Warn);
        assert_eq!(arguments.options().unwrap().access, Access::ReadOnly);
        let arguments = mount("pop3fs -d s m");
        assert_eq!(arguments.place(), Place::Foreground);
        assert_eq!(arguments.log_level(), log::LevelFilter::Debug);
    }

    #[test]
    fn tls_overrides_the_scheme() {
        let arguments = mount("pop3fs pop://al@h m -o tls=implicit");
        let source = arguments.source(&arguments.options().unwrap()).unwrap();
        assert_eq!((source.tls(), source.port()), (TlsPolicy::Implicit, 995));
    }

    #[test]
    fn commands_stand_beside_mounts() {
        let dir = PathBuf::from("m");
        assert_eq!(
            command("pop3fs umount m"),
            Command::Umount { dir: dir.clone() }
        );
        assert_eq!(
            command("pop3fs commit m"),
            Command::Commit { dir: dir.clone() }
        );
        assert_eq!(
            command("pop3fs restore m a.eml b.eml"),
            Command::Restore {
                dir: dir.clone(),
                names: vec!["a.eml".to_owned(), "b.eml".to_owned()]
            }
        );
        assert_eq!(
            command("pop3fs status --json m"),
            Command::Status {
                dir: dir.clone(),
                json: true
            }
        );
        assert_eq!(command("pop3fs demo"), Command::Demo { dir: None });
    }

    #[test]
    fn incomplete_lines_are_errors() {
        for line in [
            "pop3fs",
            "pop3fs -f",
            "pop3fs s",
            "pop3fs umount",
            "pop3fs s m x",
            "pop3fs -o",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
