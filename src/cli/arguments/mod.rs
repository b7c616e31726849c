//! The command line: its definition for clap, and what was read of it.

pub(super) mod completions;
mod error;
pub(super) mod help;
pub(super) mod manual;
mod pages;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use log::LevelFilter;

use crate::cli::account::target::{Target, TargetError};
use crate::cli::failure::Failure;
use crate::cli::options::OptionArguments;
use crate::fs::mount::Access;

/// What the user asks for.
#[derive(Debug)]
pub enum Invocation {
    /// `pop3fs SOURCE MOUNTPOINT`.
    Mount(MountArguments),
    /// `pop3fs COMMAND`.
    Command(UserCommand),
}

/// The arguments of a mount, after the program's name.
pub(super) const MOUNT_USAGE: &str = "[-f] [-d] [-r] [-v] [-o opt[,opt…]] SOURCE MOUNTPOINT";

/// The two forms of the command line.
fn usage() -> String {
    format!("pop3fs {MOUNT_USAGE}\n       pop3fs COMMAND")
}

/// A POP3 maildrop as a directory
#[derive(Debug, Parser)]
#[command(
    name = "pop3fs",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = usage()
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<UserCommand>,
    #[command(flatten)]
    operands: Option<Operands>,
    #[command(flatten)]
    options: OptionArguments,
}

/// The arguments of a mount. SOURCE and the options are not parsed yet.
#[derive(Debug)]
pub struct MountArguments {
    operands: Operands,
    options: OptionArguments,
}

#[derive(Debug, Args)]
struct Operands {
    /// pops://USER@HOST (TLS), pop://USER@HOST (STLS), or a named account
    #[arg(value_name = "SOURCE")]
    source: String,
    /// An existing directory
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    mountpoint: PathBuf,
    /// Stay in the foreground, with the log on stderr
    #[arg(short)]
    foreground: bool,
    /// The same, and log everything, with both sides of the protocol
    #[arg(short)]
    debug: bool,
    /// Read-only, as -o ro
    #[arg(short)]
    read_only: bool,
    /// Log also what happens, not only what goes wrong
    #[arg(short)]
    verbose: bool,
}

/// What to do with an existing mount, or without a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UserCommand {
    /// Commit the deletions, unmount, and say what the server answered
    #[command(alias = "unmount")]
    Umount {
        /// The mount point
        #[arg(value_hint = ValueHint::DirPath, required_unless_present = "all", conflicts_with = "all")]
        dir: Option<PathBuf>,
        /// Unmount all of your mounts
        #[arg(long)]
        all: bool,
        /// Delete even if programs removed more messages, without reading them, than max_delete
        /// allows
        #[arg(short, long)]
        yes: bool,
        /// Delete nothing: what was removed here stays on the server
        #[arg(long, conflicts_with = "yes")]
        discard: bool,
    },
    /// Delete on the server what was removed here, and stay mounted
    Commit {
        /// The mount point
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Delete even if programs removed more messages, without reading them, than max_delete
        /// allows
        #[arg(short, long)]
        yes: bool,
    },
    /// Take back deletions that are not committed yet
    Restore {
        /// The mount point
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Messages, as .deleted lists them (NAME.eml); all if none is named
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Fetch all messages into the cache
    Fetch {
        /// The mount point
        dir: PathBuf,
        /// Only what `ls -l` needs: sizes and times
        #[arg(long)]
        headers: bool,
    },
    /// Find messages by their words: names as the root lists them
    Search {
        /// The mount point
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Words, "phrases", OR, -word, from:alice, after:2024-05, size:>1M, has:attachment,
        /// is:unread …
        #[arg(value_name = "QUERY", required = true, allow_hyphen_values = true)]
        words: Vec<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Tell of each message that arrives or departs, as lines of JSON
    Watch {
        /// The mount point
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Run it by `sh -c` for each message instead: POP3FS_EVENT, POP3FS_NAME, POP3FS_SUBJECT …
        /// are in its environment
        #[arg(long, value_name = "COMMAND")]
        exec: Option<String>,
    },
    /// Show what is mounted and what is pending
    Status {
        /// The mount point; without it, all of your mounts are listed
        #[arg(value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
        /// Name all pending deletions, not only the first ten
        #[arg(long)]
        names: bool,
    },
    /// Check whether a mount would work, and what the server can do; nothing is changed
    Check {
        /// The maildrop, as for a mount
        source: String,
        /// As for a mount
        #[command(flatten)]
        options: OptionArguments,
    },
    /// List the caches of accounts, or remove them
    Cache {
        /// The folder of the caches, instead of the usual one
        // An id of its own: the option cache_dir of a mount has that name, and a value of another
        // type.
        #[arg(id = "base", long = "cache-dir", value_name = "DIR", global = true)]
        cache_dir: Option<PathBuf>,
        /// What to do; without it, the caches are listed
        #[command(subcommand)]
        command: Option<CacheCommand>,
    },
    /// Mount a sample maildrop, to try pop3fs out
    Demo {
        /// An existing directory; without it, a new one
        dir: Option<PathBuf>,
    },
    /// Print the completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the names that a shell can complete, a line each
    #[command(hide = true)]
    Complete {
        /// Which names
        names: CompletedNames,
    },
    /// Print the manual page, for `man -l -`
    #[command(hide = true)]
    Man,
}

/// What a shell can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletedNames {
    /// The accounts of the configuration.
    Accounts,
    /// The mount points of the user.
    Mounts,
    /// What may stand in a list of options.
    Options,
}

/// A shell that can complete our command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash(1)
    Bash,
    /// zsh(1)
    Zsh,
    /// fish(1)
    Fish,
}

/// What to do with the caches.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum CacheCommand {
    /// List the accounts, and how much is cached of each
    List,
    /// Remove what is cached of an account, for good
    Clear {
        /// A name as listed, or SOURCE as for a mount
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        account: Option<String>,
        /// Remove the caches of all accounts
        #[arg(long)]
        all: bool,
    },
}

/// Whether the process that serves the mount stays in the foreground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunMode {
    /// It stays, with the log on stderr.
    Foreground,
    /// It becomes a daemon, with the log where the system keeps logs.
    Background,
}

impl Invocation {
    /// Reads the process's arguments.
    ///
    /// # Errors
    /// The exit status, where the arguments are wrong or only ask for help or the version. The text
    /// is already printed.
    pub fn from_process() -> Result<Self, ExitCode> {
        let words: Vec<OsString> = std::env::args_os().collect();
        Self::parse(words.iter()).map_err(|error| match error.use_stderr() {
            true => {
                eprintln!(
                    "pop3fs: {}",
                    error::sentence(&error, &words, &command_line())
                );
                Failure::Usage.into()
            }
            false => {
                let _closed = error.print();
                ExitCode::SUCCESS
            }
        })
    }

    fn parse(
        line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let words = line.into_iter().map(Into::into).collect();
        let mut matches = command_line().try_get_matches_from(without_mount(words))?;
        let arguments = Arguments::from_arg_matches_mut(&mut matches)?;
        let options = arguments.options;
        match (arguments.command, arguments.operands) {
            (Some(command), _) => Ok(Self::Command(command)),
            (None, Some(operands)) => Ok(Self::Mount(MountArguments { operands, options })),
            // `pop3fs -f` gives neither.
            (None, None) => {
                Err(command_line().error(ErrorKind::MissingRequiredArgument, error::NO_ARGUMENTS))
            }
        }
    }
}

impl MountArguments {
    /// Where to mount, as given.
    pub(super) fn mountpoint(&self) -> &Path {
        &self.operands.mountpoint
    }

    /// `-o remount,ro` or `-o remount,rw`, which mount(8) hands on together with all other options
    /// of the mount. Those cannot be changed, so they have no effect.
    pub(super) fn remount(&self) -> Option<Access> {
        let names = || {
            self.options
                .as_slice()
                .iter()
                .map(|option| option.name.as_str())
        };
        if !names().any(|name| name == "remount") {
            return None;
        }
        let last = names().rfind(|name| matches!(*name, "ro" | "rw"));
        match last == Some("ro") || self.operands.read_only {
            true => Some(Access::ReadOnly),
            false => Some(Access::ReadWrite),
        }
    }

    /// What SOURCE names, with all `-o` and `--name` options in their order, and `-r`.
    pub(super) fn target(&self) -> Result<Target, TargetError> {
        let source = &self.operands.source;
        let resolved = Target::resolve(source, self.options.as_slice());
        let mut target = resolved.map_err(|error| of_misspelt_command(source, error))?;
        if self.operands.read_only {
            target.options.access = Access::ReadOnly;
        }
        Ok(target)
    }

    /// `-d` implies the foreground.
    pub(super) fn place(&self) -> RunMode {
        match self.operands.foreground || self.operands.debug {
            true => RunMode::Foreground,
            false => RunMode::Background,
        }
    }

    /// The least severe level to log. A log that is kept has more than one that somebody watches.
    pub(super) fn log_level(&self) -> LevelFilter {
        match (self.place(), self.operands.verbose) {
            _ if self.operands.debug => LevelFilter::Trace,
            (RunMode::Foreground, false) => LevelFilter::Warn,
            (_, true) | (RunMode::Background, _) => LevelFilter::Info,
        }
    }
}

/// `pop3fs mount SOURCE MOUNTPOINT` is the same as without `mount`.
fn without_mount(mut words: Vec<OsString>) -> Vec<OsString> {
    let is = |at: usize, name: &str| words.get(at).is_some_and(|word| word == name);
    match (is(1, "mount"), is(1, "help") && is(2, "mount")) {
        (true, _) => drop(words.remove(1)),
        (_, true) => drop(words.splice(1.., ["--help".into()])),
        _ => {}
    }
    words
}

/// `pop3fs statsu DIR` reads as a mount of the account `statsu`.
fn of_misspelt_command(source: &str, error: TargetError) -> TargetError {
    match error::meant(source, &error::names(&command_line())) {
        Some(meant) if error.is_of_unknown_name() => {
            TargetError::NoCommand(error::unknown_command(source, meant))
        }
        _ => error,
    }
}

/// The definition of the command line, also for its help, completions and man page.
pub(super) fn command_line() -> clap::Command {
    let command = <Arguments as clap::CommandFactory>::command();
    let help = help::overview(&command, &usage());
    command.override_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::{Options, TlsPolicy};
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

    fn options(arguments: &MountArguments) -> Options {
        arguments.target().unwrap().options
    }

    fn command(line: &str) -> UserCommand {
        match parse(line).unwrap() {
            Invocation::Command(command) => command,
            Invocation::Mount(mount) => panic!("{mount:?}"),
        }
    }

    #[test]
    fn clap_accepts_the_definition() {
        command_line().debug_assert();
    }

    #[test]
    fn options_may_follow_the_operands_as_mount_fuse_writes_them() {
        let arguments = mount("pop3fs pops://al@h /mnt -o rw,ro,nodev,nosuid,timeout=5 -v");
        let options = options(&arguments);
        assert_eq!(options.access, Access::ReadOnly);
        assert_eq!(options.timeout, Duration::from_secs(5));
        assert_eq!(arguments.mountpoint(), Path::new("/mnt"));
        assert_eq!(arguments.place(), RunMode::Background);
        assert_eq!(arguments.log_level(), LevelFilter::Info);
    }

    #[test]
    fn both_forms_of_an_option_are_equal_and_the_last_counts() {
        for (line, seconds) in [
            ("pop3fs --idle_timeout 7 pop://a@h m", 7),
            ("pop3fs --idle-timeout=7 pop://a@h m", 7),
            ("pop3fs --idle_timeout 7 -o idle_timeout=8 pop://a@h m", 8),
            ("pop3fs -o idle_timeout=8 pop://a@h m --idle_timeout 7", 7),
            (
                "pop3fs --idle_timeout 9 -o ro --idle_timeout 7 pop://a@h m",
                7,
            ),
        ] {
            let options = options(&mount(line));
            assert_eq!(options.idle_timeout, Duration::from_secs(seconds), "{line}");
        }
    }

    #[test]
    fn flags_take_no_value_and_may_be_repeated() {
        let options_of = |line| options(&mount(line));
        let options = options_of("pop3fs --ro pop://a@h --ro m --password_stdin");
        assert_eq!(options.access, Access::ReadOnly);
        let options = options_of("pop3fs pop://a@h m");
        assert_eq!(options.access, Access::ReadWrite);
    }

    #[test]
    fn a_comma_in_the_long_form_needs_no_escape() {
        let options = options(&mount("pop3fs pop://a@h m --password_command a,b"));
        let expected = crate::cli::options::PasswordSource::Command("a,b".to_owned());
        assert_eq!(options.password, expected);
    }

    #[test]
    fn the_short_flags_set_mode_level_and_access() {
        let arguments = mount("pop3fs -fr pop://a@h m");
        assert_eq!(arguments.place(), RunMode::Foreground);
        assert_eq!(arguments.log_level(), LevelFilter::Warn);
        assert_eq!(options(&arguments).access, Access::ReadOnly);
        let arguments = mount("pop3fs -d pop://a@h m");
        assert_eq!(arguments.place(), RunMode::Foreground);
        assert_eq!(arguments.log_level(), LevelFilter::Trace);
    }

    #[test]
    fn tls_overrides_the_scheme() {
        let arguments = mount("pop3fs pop://al@h m -o tls=implicit");
        let source = arguments.target().unwrap().source;
        assert_eq!((source.tls(), source.port()), (TlsPolicy::Implicit, 995));
    }

    #[test]
    fn commands_are_told_from_mounts() {
        let dir = PathBuf::from("m");
        assert_eq!(
            command("pop3fs umount m"),
            UserCommand::Umount {
                dir: Some(dir.clone()),
                all: false,
                yes: false,
                discard: false
            }
        );
        assert_eq!(
            command("pop3fs commit --yes m"),
            UserCommand::Commit {
                dir: dir.clone(),
                yes: true
            }
        );
        assert_eq!(
            command("pop3fs restore m a.eml b.eml"),
            UserCommand::Restore {
                dir: dir.clone(),
                names: vec!["a.eml".to_owned(), "b.eml".to_owned()]
            }
        );
        assert_eq!(
            command("pop3fs status --json m"),
            UserCommand::Status {
                dir: Some(dir.clone()),
                json: true,
                names: false
            }
        );
        assert_eq!(command("pop3fs demo"), UserCommand::Demo { dir: None });
    }

    #[test]
    fn incomplete_lines_are_errors() {
        for line in [
            "pop3fs",
            "pop3fs -f",
            "pop3fs s",
            "pop3fs umount",
            "pop3fs umount --yes --discard m",
            "pop3fs s m x",
            "pop3fs -o",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn mount_may_be_written_as_a_command() {
        let arguments = mount("pop3fs mount -r pops://al@h /mnt");
        assert_eq!(arguments.mountpoint(), Path::new("/mnt"));
        assert_eq!(options(&arguments).access, Access::ReadOnly);
    }

    #[test]
    fn unmount_is_umount() {
        let dir = Some(PathBuf::from("m"));
        assert!(
            matches!(command("pop3fs unmount m"), UserCommand::Umount { dir: given, .. } if given == dir)
        );
    }

    #[test]
    fn a_wrong_line_is_explained_in_one_line() {
        for (line, expected) in [
            (
                "pop3fs",
                "SOURCE and MOUNTPOINT are missing: `pop3fs pops://USER@HOST DIR` mounts a maildrop, \
                 `pop3fs demo` tries it out, `pop3fs --help` tells more",
            ),
            (
                "pop3fs pops://al@h",
                "MOUNTPOINT is missing: `pop3fs --help` shows what to write",
            ),
            (
                "pop3fs statsu",
                "there is no command 'statsu': did you mean `pop3fs status`?",
            ),
            (
                "pop3fs restor m a.eml",
                "there is no command 'restor': did you mean `pop3fs restore`?",
            ),
            (
                "pop3fs pops://al@h m x",
                "one argument too many: 'x' (`pop3fs --help` shows what to write)",
            ),
            (
                "pop3fs umount",
                "DIR is missing: `pop3fs help umount` shows what to write",
            ),
            (
                "pop3fs umount m n",
                "one argument too many: 'n' (`pop3fs help umount` shows what to write)",
            ),
            (
                "pop3fs umount --yse m",
                "unknown option '--yse' (did you mean --yes?): `pop3fs help umount` lists them",
            ),
            (
                "pop3fs umount --yes --discard m",
                "--yes and --discard exclude each other: leave out one",
            ),
            (
                "pop3fs pops://al@h m --timeuot 5",
                "unknown option '--timeuot' (did you mean --timeout?): `pop3fs --help` lists them",
            ),
            ("pop3fs pops://al@h m --timeout", "--timeout needs a value"),
            (
                "pop3fs completions tcsh",
                "invalid value 'tcsh' for SHELL: expected bash, zsh, fish",
            ),
            (
                "pop3fs cache lsit",
                "unknown command 'lsit' (did you mean list?): `pop3fs help cache` lists them",
            ),
            (
                "pop3fs help statsu",
                "unknown command 'statsu' (did you mean status?): `pop3fs --help` lists them",
            ),
        ] {
            let words: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
            let error = Invocation::parse(words.iter()).unwrap_err();
            let said = error::sentence(&error, &words, &command_line());
            assert_eq!(said, expected, "{line}");
        }
    }

    #[test]
    fn a_misspelt_command_with_a_directory_is_recognized() {
        let error = mount("pop3fs statsu m").target().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no command 'statsu': did you mean `pop3fs status`?"
        );
    }
}
