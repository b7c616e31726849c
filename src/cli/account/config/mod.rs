//! The configuration file: accounts by name.
//!
//! ```toml
//! timeout = "10s"                        # an option of every account in this file
//!
//! [account.work]
//! url = "pops://alice@mail.example.org"
//! password_command = "pass show work"
//! tls_pin = ["sha256:…", "sha256:…"]
//! ro = true
//!
//! [account.home]
//! url = "pops://mail.example.net"
//! user = "alice@example.net"             # as it is, without %XX
//! ```
//! Each option of a mount is a key. The user's file is searched first, then `/etc/pop3fs.toml`,
//! which fstab needs. There is no key for a password.

mod error;
mod keys;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use toml::{Table, Value};

use crate::cli::account::source::Source;
use crate::cli::home;
use crate::cli::options::{Options, RawOption, nearest_of};
pub(in crate::cli) use error::ConfigError;
use keys::{URL, USER};

/// The file for the whole system.
const SYSTEM: &str = "/etc/pop3fs.toml";
/// The table of accounts.
const ACCOUNT: &str = "account";
/// The accounts of all files, as tables that are not parsed yet.
#[derive(Debug)]
pub(in crate::cli) struct Config(Vec<ConfigFile>);

/// An account, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct ConfiguredAccount {
    /// Its maildrop.
    pub source: Source,
    /// Its options in the order of a command line: those that all accounts share come first.
    pub settings: Vec<RawOption>,
}

#[derive(Debug)]
struct ConfigFile {
    path: PathBuf,
    shared: Table,
    accounts: Vec<(String, Table)>,
}

impl Config {
    /// Reads the user's file (`$XDG_CONFIG_HOME/pop3fs/config.toml`, else
    /// `~/.config/pop3fs/config.toml`) and `/etc/pop3fs.toml`, as far as they are there.
    pub(in crate::cli) fn load() -> Result<Self, ConfigError> {
        let own = home::config().map(|folder| folder.join("pop3fs/config.toml"));
        let paths = own.into_iter().chain([PathBuf::from(SYSTEM)]);
        paths
            .filter_map(ConfigFile::read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The names of all accounts.
    pub(in crate::cli) fn names(&self) -> impl Iterator<Item = &str> {
        let accounts = self.0.iter().flat_map(|file| &file.accounts);
        accounts.map(|(name, _)| name.as_str())
    }

    /// Whether there is any account.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|file| file.accounts.is_empty())
    }

    /// The first account of that name.
    pub(super) fn account(&self, name: &str) -> Result<ConfiguredAccount, ConfigError> {
        let mut found = self.0.iter().flat_map(|file| {
            let accounts = file.accounts.iter();
            accounts.map(move |(name, table)| (file, name, table))
        });
        match found.find(|(_, known, _)| *known == name) {
            Some((file, name, table)) => file.account(name, table),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> ConfigError {
        let accounts = self.0.iter().flat_map(|file| &file.accounts);
        let known: Vec<&str> = accounts.map(|(known, _)| known.as_str()).collect();
        let files: Vec<String> = self.0.iter().map(ConfigFile::shown).collect();
        ConfigError::UnknownAccount {
            name: name.to_owned(),
            files: files.join(" and "),
            nearest: nearest_of(name, known.iter().copied()).map(str::to_owned),
            known: known.join(", "),
        }
    }
}

impl ConfigFile {
    /// `None` where there is no such file.
    fn read(path: PathBuf) -> Option<Result<Self, ConfigError>> {
        match read_own(&path) {
            Ok(text) => Some(Self::parse(path, &text)),
            Err(ConfigError::Unreadable { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory
                ) =>
            {
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, ConfigError> {
        let parsed: Result<Table, toml::de::Error> = text.parse();
        let mut shared = parsed.map_err(|error| ConfigError::Syntax {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: error.message().replace(char::is_control, " "),
            path: path.clone(),
        })?;
        let accounts = match shared.remove(ACCOUNT) {
            Some(Value::Table(accounts)) => accounts,
            Some(_) | None => Table::new(),
        };
        if let Some((name, _)) = shared.iter().find(|(_, value)| value.is_table()) {
            let name = name.clone();
            return Err(ConfigError::NotAnAccount { path, name });
        }
        let is_table = |(name, value)| match value {
            Value::Table(table) => Some((name, table)),
            _ => None,
        };
        Ok(Self {
            path,
            shared,
            accounts: accounts.into_iter().filter_map(is_table).collect(),
        })
    }

    fn account(&self, name: &str, table: &Table) -> Result<ConfiguredAccount, ConfigError> {
        let place = format!("{} [account.{name}]", self.shown());
        let mut table = table.clone();
        let source = source(&mut table, &place)?;
        let mut settings = keys::settings(&self.shared, &self.shown())?;
        settings.extend(keys::settings(&table, &place)?);
        match Options::from_settings(&settings) {
            Ok(_) => Ok(ConfiguredAccount { source, settings }),
            Err(error) => Err(ConfigError::Option { place, error }),
        }
    }

    fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// `url` and `user`, which leave the table.
fn source(table: &mut Table, place: &str) -> Result<Source, ConfigError> {
    let mut text = |name: &str| match table.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ConfigError::Kind {
            place: place.to_owned(),
            name: name.to_owned(),
        }),
    };
    let (url, user) = (text(URL)?, text(USER)?);
    let url = url.ok_or_else(|| ConfigError::NoUrl {
        place: place.to_owned(),
    })?;
    let source = match user {
        Some(user) => Source::of_user(&url, &user),
        None => url.parse(),
    };
    source.map_err(|error| ConfigError::Source {
        place: place.to_owned(),
        error,
    })
}

/// Reads the file, unless another user may have written it.
fn read_own(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let owners = [0, geteuid().as_raw()];
    let is_open = metadata.mode() & 0o002 != 0
        || (metadata.mode() & 0o020 != 0 && !home::is_own_private_group(metadata.gid()));
    if !owners.contains(&metadata.uid()) || is_open {
        return Err(ConfigError::Exposed {
            path: path.to_owned(),
        });
    }
    io::read_to_string(file).map_err(unreadable)
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|&&octet| octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const FILE: &str = r#"
        timeout = 5
        cache_size = "2G"

        [account.work]
        url = "pops://al@h"
        timeout = "7s"
        ro = true
        allow_other = false
        tls_pin = ["sha256:1", "sha256:2"]

        [account.home]
        url = "pops://h:1995"
        user = "al@b.c"
        password_command = "pass show home"
    "#;

    fn config(text: &str) -> Result<Config, ConfigError> {
        ConfigFile::parse("/c".into(), text).map(|file| Config(vec![file]))
    }

    fn account(text: &str) -> Result<ConfiguredAccount, ConfigError> {
        config(text)?.account("work")
    }

    fn sentence(text: &str) -> String {
        account(text).unwrap_err().to_string()
    }

    #[test]
    fn an_account_is_a_source_and_options() {
        let home = config(FILE).unwrap().account("home").unwrap();
        assert_eq!(home.source.account(), "al@b.c@h:1995");
        let expected = RawOption::split("cache_size=2G,timeout=5,password_command=pass show home");
        assert_eq!(home.settings, expected);
    }

    #[test]
    fn the_options_of_an_account_override_the_shared_ones() {
        let pin = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let file = FILE.replace("sha256:1", pin).replace("sha256:2", pin);
        let work = account(&file).unwrap();
        let options = Options::from_settings(&work.settings).unwrap();
        assert_eq!(options.timeout.as_secs(), 7);
        assert_eq!(options.access, crate::fs::mount::Access::ReadOnly);
        assert_eq!(options.visibility, crate::fs::mount::Visibility::Owner);
        assert_eq!(options.tls_pins.len(), 2);
    }

    #[test]
    fn an_unknown_account_is_answered_with_the_known_ones() {
        let error = config(FILE).unwrap().account("wrok").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no account 'wrok' in /c (did you mean work?): known are home, work"
        );
    }

    #[test]
    fn each_error_names_file_and_account() {
        let work = |lines: &str| format!("[account.work]\nurl = \"pops://al@h\"\n{lines}");
        for (text, expected) in [
            (
                "[account.work]".to_owned(),
                "/c [account.work]: no url: write url = \"pops://USER@HOST\"",
            ),
            (
                work("timeuot = 5"),
                "/c [account.work]: unknown key 'timeuot' (did you mean timeout?): the keys are url, user and the options in `pop3fs --help`",
            ),
            (
                work("password = \"hunter2\""),
                "/c [account.work]: this file must not contain a password: use password_command or password_file",
            ),
            (
                work("timeout = 0"),
                "/c [account.work]: invalid value '0' for timeout: expected 1s to 1h",
            ),
            (
                work("timeout = 1979-05-27"),
                "/c [account.work]: timeout takes a text, a number, true or false",
            ),
            (
                work("password_file = \"/a\"\npassword_command = \"b\""),
                "/c [account.work]: more than one source of the password: keep only one",
            ),
            (
                work("passphrase_file = \"/a\"\npassphrase_command = \"b\""),
                "/c [account.work]: more than one source of the passphrase: keep only one",
            ),
            (
                work("user = \"al\""),
                "/c [account.work]: the user is named twice: remove one of them",
            ),
            (
                "[work]\nurl = \"pops://al@h\"".to_owned(),
                "/c: [work] is not a table of this file: write [account.work] for an account",
            ),
        ] {
            assert_eq!(sentence(&text), expected);
        }
    }

    #[test]
    fn a_syntax_error_is_reported_by_line_without_the_text() {
        let said = sentence("[account.work]\npassword = hunter2\n");
        assert!(said.starts_with("/c line 2: "), "{said}");
        assert!(!said.contains("hunter2") && !said.contains('\n'), "{said}");
    }

    #[test]
    fn a_file_that_others_may_change_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), FILE).unwrap();
        for (mode, is_refused) in [(0o600, false), (0o644, false), (0o620, true), (0o602, true)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let read = ConfigFile::read(file.path().to_owned()).unwrap();
            assert_eq!(
                matches!(read, Err(ConfigError::Exposed { .. })),
                is_refused,
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error() {
        assert!(ConfigFile::read("/no/such/file".into()).is_none());
    }
}
