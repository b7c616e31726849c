//! The log: on stderr in the foreground, else where this system keeps logs.
//!
//! ```text
//! -o log_file=FILE ──▶ FILE
//! foreground       ──▶ stderr; where that is the journal, the journal itself, which keeps the levels
//! background       ──▶ the journal ──▶ else syslog ──▶ else nowhere, and the launcher warns
//! ```
//! The only user of env_logger and systemd-journal-logger.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use env_logger::Target;
use log::LevelFilter;
use systemd_journal_logger::{JournalLog, connected_to_journal};

use super::syslog::Syslog;
use crate::cli::arguments::RunMode;

/// A log that is open. Nothing is written to it before [`Log::begin`].
pub(in crate::cli) struct Log {
    sink: Sink,
    level: LevelFilter,
}

/// The file of `-o log_file` cannot be written: the user's fault.
#[derive(Debug, thiserror::Error)]
#[error("cannot write log_file {}: {source}", path.display())]
pub(in crate::cli) struct LogError {
    path: PathBuf,
    source: io::Error,
}

enum Sink {
    Stderr,
    File(File),
    Journal(JournalLog),
    Syslog(Syslog),
    Nowhere,
}

impl Log {
    /// Opens the log of a mount. Every entry in the journal has the field POP3FS_MOUNTPOINT with
    /// `mountpoint`, the path as the mount table shows it.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(in crate::cli) fn open(
        place: RunMode,
        file: Option<&Path>,
        level: LevelFilter,
        mountpoint: &Path,
    ) -> Result<Self, LogError> {
        let sink = match (file, place) {
            (Some(path), _) => Sink::File(append(path)?),
            (None, RunMode::Foreground) if !connected_to_journal() => Sink::Stderr,
            (None, RunMode::Foreground) => journal(mountpoint).unwrap_or(Sink::Stderr),
            (None, RunMode::Background) => journal(mountpoint)
                .or_else(|| Syslog::open().map(Sink::Syslog))
                .unwrap_or(Sink::Nowhere),
        };
        Ok(Self { sink, level })
    }

    /// Warnings and worse, on standard error.
    pub(in crate::cli) fn on_stderr() -> Self {
        Self {
            sink: Sink::Stderr,
            level: LevelFilter::Warn,
        }
    }

    /// The warning for the user where the log goes nowhere.
    pub(in crate::cli) fn caution(&self) -> Option<&'static str> {
        matches!(self.sink, Sink::Nowhere).then_some(
            "this system has neither a journal nor syslog, so nothing of this mount is logged: -o log_file=FILE keeps a log",
        )
    }

    /// Makes this the log of the process. May be called once.
    pub(in crate::cli) fn begin(self) {
        let level = self.level;
        let logger: Box<dyn log::Log> = match self.sink {
            Sink::Stderr if level <= LevelFilter::Warn => Box::new(terse(level).build()),
            Sink::Stderr => Box::new(complete(level).build()),
            Sink::File(file) => {
                let target = Target::Pipe(Box::new(file));
                Box::new(complete(level).target(target).build())
            }
            Sink::Journal(journal) => Box::new(journal),
            Sink::Syslog(syslog) => Box::new(syslog),
            Sink::Nowhere => return,
        };
        let begun = log::set_boxed_logger(Box::new(WithoutFuser { logger, level }));
        match begun {
            Ok(()) => log::set_max_level(level),
            Err(error) => eprintln!("pop3fs: there is no log: {error}"),
        }
    }
}

/// Leaves out what the crate fuser logs, unless everything is wanted.
struct WithoutFuser {
    logger: Box<dyn log::Log>,
    level: LevelFilter,
}

impl log::Log for WithoutFuser {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let is_wanted = self.level >= LevelFilter::Debug || !metadata.target().starts_with("fuser");
        is_wanted && self.logger.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.logger.log(record);
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// Lines with time, level and module. The time has milliseconds where everything is logged.
fn complete(level: LevelFilter) -> env_logger::Builder {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level);
    if level >= LevelFilter::Debug {
        builder.format_timestamp_millis();
    }
    builder
}

/// Lines with the program's name, as error messages have it.
fn terse(level: LevelFilter) -> env_logger::Builder {
    let mut builder = complete(level);
    builder.format(|out, record| writeln!(out, "pop3fs: {}", record.args()));
    builder
}

/// Opens the file for appending. Other users may not read it: it names senders.
fn append(path: &Path) -> Result<File, LogError> {
    let mut how = OpenOptions::new();
    how.append(true).create(true).mode(0o600);
    how.open(path).map_err(|source| LogError {
        path: path.to_owned(),
        source,
    })
}

/// None where no journal listens.
fn journal(mountpoint: &Path) -> Option<Sink> {
    let journal = JournalLog::empty().ok()?;
    let field = mountpoint.as_os_str().as_encoded_bytes();
    Some(Sink::Journal(
        journal
            .with_syslog_identifier("pop3fs".to_owned())
            .add_extra_field("POP3FS_MOUNTPOINT", field),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_log_file_is_for_its_owner_and_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path).unwrap().write_all(b"one\n").unwrap();
        append(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn lines_of_fuser_are_only_for_who_wants_all() {
        let is_logged = |level, target| {
            let logger = WithoutFuser {
                logger: Box::new(complete(LevelFilter::Trace).build()),
                level,
            };
            let metadata = log::Metadata::builder()
                .level(log::Level::Info)
                .target(target)
                .build();
            log::Log::enabled(&logger, &metadata)
        };
        assert!(is_logged(LevelFilter::Info, "pop3fs::cli"));
        assert!(!is_logged(LevelFilter::Info, "fuser::session"));
        assert!(is_logged(LevelFilter::Trace, "fuser::session"));
    }

    #[test]
    fn a_log_file_that_cannot_be_written_is_named() {
        let path = Path::new("/no/such/log");
        let refused = Log::open(
            RunMode::Background,
            Some(path),
            LevelFilter::Info,
            Path::new("/m"),
        );
        let said = refused.err().unwrap().to_string();
        assert!(said.contains("log_file /no/such/log"), "{said}");
    }
}
