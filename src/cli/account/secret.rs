//! One line that must stay secret, and the places that give one: a command, a file, standard input,
//! the terminal.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::Zeroizing;

use crate::cli::account::command_output::{self, CommandOutput};
use crate::cli::account::terminal::{self, TypedAnswer};
use crate::cli::options::PasswordSource;

/// The variable with the password of the maildrop. No child process inherits it.
pub(super) const VARIABLE: &str = "POP3FS_PASSWORD";

/// The longest password, in octets; tokens are of this order. A command line of POP3 takes far
/// less.
const LONGEST: usize = 16 * 1024;

/// How long a password_command may take to print the next token while the mount's connection waits
/// for it.
const RENEWAL_LIMIT: Duration = Duration::from_secs(60);

/// How long reading a password_file may take: nobody may be writing to a FIFO.
const FILE_LIMIT: Duration = Duration::from_secs(10);

/// A password or passphrase: any octets but CR, LF and NUL, which would inject commands, and at
/// least one. Dropping it wipes it from memory, and Debug does not show it.
pub(in crate::cli) struct Password(Zeroizing<Vec<u8>>);

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PasswordError {
    /// The user's.
    #[error("the password from {from} is empty: write it there, or take it from elsewhere")]
    Empty { from: &'static str },
    /// The user's.
    #[error("the password from {from} holds a CR, LF or NUL, which cannot be sent")]
    Forbidden { from: &'static str },
    /// The user's.
    #[error("the first line from {from} is longer than {LONGEST} octets: it is no password")]
    TooLong { from: &'static str },
    /// The user's command.
    #[error("{from} failed with {status}{}", after_colon(said))]
    Command {
        /// The option.
        from: &'static str,
        status: ExitStatus,
        /// What it wrote on stderr, on one line.
        said: String,
    },
    /// The user's.
    #[error("{path} can be read by others, so it is not used: `chmod 600 {path}` first", path = path.display())]
    Exposed { path: PathBuf },
    /// The user's: a missing file, mostly.
    #[error("cannot read {from} {}: {source}", path.display())]
    File {
        /// The option.
        from: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The user's fault: no option names a password, and there is no terminal to ask on.
    #[error("no {wanted}, and no terminal to ask on: give {remedy}")]
    NoTerminal {
        /// What is missing, for a sentence.
        wanted: String,
        /// Where it could come from.
        remedy: &'static str,
    },
    /// The user pressed Ctrl-D or only Enter.
    #[error("no password given: nothing is mounted")]
    NotGiven,
    /// The user pressed Ctrl-C.
    #[error("interrupted: nothing is mounted")]
    Interrupted,
    /// The system's.
    #[error("cannot read the password from {from}: {source}")]
    Read {
        from: &'static str,
        source: io::Error,
    },
}

/// The options that name the source of one secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceOptions {
    pub(super) command: &'static str,
    pub(super) file: &'static str,
}

impl SourceOptions {
    /// The secret from where an option says. None where no option does.
    pub(super) fn obtain(self, source: &PasswordSource) -> Option<Result<Password, PasswordError>> {
        match source {
            PasswordSource::Command(command) => Some(from_command(command, self.command)),
            PasswordSource::File(path) => Some(from_file(path, self.file)),
            PasswordSource::StandardInput => Some(from_standard_input()),
            PasswordSource::Unsaid => None,
        }
    }
}

impl Password {
    /// For the authentication exchange, and nothing else.
    pub(in crate::cli) fn into_octets(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// Checks `text`; `from` is named in the error.
    pub(in crate::cli) fn new(
        text: Zeroizing<Vec<u8>>,
        from: &'static str,
    ) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Empty { from });
        }
        if text.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            return Err(PasswordError::Forbidden { from });
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

fn from_command(command: &str, from: &'static str) -> Result<Password, PasswordError> {
    printed(command_output::run(&mut shell(command), None), from)
}

/// Runs the command in its own process group, which is killed when it takes too long.
pub(super) fn from_command_alone(
    command: &str,
    folder: Option<&Path>,
    from: &'static str,
) -> Result<Password, PasswordError> {
    let mut shell = shell(command);
    shell.stdin(Stdio::null()).process_group(0);
    if let Some(folder) = folder {
        shell.current_dir(folder);
    }
    printed(command_output::run(&mut shell, Some(RENEWAL_LIMIT)), from)
}

fn printed(
    output: io::Result<CommandOutput>,
    from: &'static str,
) -> Result<Password, PasswordError> {
    let output = output.map_err(|source| PasswordError::Read { from, source })?;
    if !output.is_success() {
        return Err(PasswordError::Command {
            from,
            status: output.status,
            said: one_line(&output.said),
        });
    }
    first_line(output.printed.as_slice(), from)
}

/// `sh -c command` with our standard input, because the command may ask the user something.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(command)
        .env_remove(VARIABLE)
        .stdin(Stdio::inherit());
    shell
}

pub(super) fn from_file(path: &Path, from: &'static str) -> Result<Password, PasswordError> {
    let unreadable = |source| PasswordError::File {
        from,
        path: path.to_owned(),
        source,
    };
    let file = open(path).map_err(unreadable)?;
    // Ask the open file: the path may name another file by now.
    let mode = file.metadata().map_err(unreadable)?.mode();
    if mode & 0o077 != 0 {
        return Err(PasswordError::Exposed {
            path: path.to_owned(),
        });
    }
    match first_line(InTime::new(file), from) {
        Err(PasswordError::Read { source, .. }) => Err(unreadable(source)),
        other => other,
    }
}

/// Opens a file without waiting for somebody to write to it, if it is a FIFO.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).custom_flags(libc::O_NONBLOCK);
    how.open(path)
}

/// A file or FIFO that is read for [`FILE_LIMIT`] at most.
struct InTime {
    file: File,
    end: Instant,
}

impl InTime {
    fn new(file: File) -> Self {
        let end = Instant::now() + FILE_LIMIT;
        Self { file, end }
    }
}

impl Read for InTime {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut polled = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, timeout)? {
            0 => {
                let why = format!(
                    "nothing was written to it within {} s",
                    FILE_LIMIT.as_secs()
                );
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            }
            _ => self.file.read(buffer),
        }
    }
}

fn from_standard_input() -> Result<Password, PasswordError> {
    const FROM: &str = "standard input";
    // The standard library's handle would keep a copy of the password in its buffer.
    let unbuffered = io::stdin().as_fd().try_clone_to_owned();
    let unbuffered = unbuffered.map_err(|source| PasswordError::Read { from: FROM, source })?;
    first_line(File::from(unbuffered), FROM)
}

/// The terminal, to ask the user on.
pub(super) struct Prompt(File);

impl Prompt {
    /// None where there is no terminal.
    pub(super) fn open() -> Option<Self> {
        terminal::open().map(Self)
    }

    /// Shows `text`, and reads the answer without echo.
    pub(super) fn ask(mut self, text: &str) -> Result<Password, PasswordError> {
        const FROM: &str = "the terminal";
        let answer = terminal::ask(&mut self.0, text, LONGEST)
            .map_err(|source| PasswordError::Read { from: FROM, source })?;
        match answer {
            TypedAnswer::Line(line) => first_line(line.as_slice(), FROM),
            TypedAnswer::Nothing => Err(PasswordError::NotGiven),
            TypedAnswer::Interrupted => Err(PasswordError::Interrupted),
        }
    }
}

/// Reads octet by octet: nothing after the line is consumed, and no buffer keeps a copy.
pub(super) fn first_line(
    mut reader: impl Read,
    from: &'static str,
) -> Result<Password, PasswordError> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut octet = Zeroizing::new([0u8]);
    loop {
        match reader.read(octet.as_mut_slice()) {
            Ok(0) => break,
            Ok(_) if octet[0] == b'\n' => break,
            Ok(_) if line.len() == LONGEST => return Err(PasswordError::TooLong { from }),
            Ok(_) => line.push(octet[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(PasswordError::Read { from, source }),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Password::new(line, from)
}

fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("; ").replace(char::is_control, "?")
}

fn after_colon(said: &str) -> String {
    match said.is_empty() {
        true => String::new(),
        false => format!(": {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn the_first_line_of_a_file_is_the_password() {
        for text in ["secret\nmore\n", "secret\r\n", "secret"] {
            let file = file(text, 0o600);
            assert_eq!(
                from_file(file.path(), "test").unwrap().0.as_slice(),
                b"secret"
            );
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        for mode in [0o640, 0o604, 0o660] {
            let file = file("secret\n", mode);
            let error = from_file(file.path(), "test").unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{mode:o}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_fifo_is_read_when_somebody_writes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(
            &path,
            nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR,
        )
        .unwrap();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || fs::write(path, "secret\n").unwrap()
        });
        assert_eq!(from_file(&path, "test").unwrap().0.as_slice(), b"secret");
        writer.join().unwrap();
        let silent = InTime {
            file: open(&path).unwrap(),
            end: Instant::now() + Duration::from_millis(50),
        };
        let error = first_line(silent, "test").unwrap_err();
        assert!(error.to_string().contains("nothing was written"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = from_file(Path::new("/no/such"), "test")
            .unwrap_err()
            .to_string();
        assert!(error.contains("/no/such"), "{error}");
    }

    #[test]
    fn the_first_line_a_command_prints_is_the_password() {
        let password = from_command("printf 'sec ret\\nurl: x\\n'", "test").unwrap();
        assert_eq!(password.0.as_slice(), b"sec ret");
    }

    #[test]
    fn a_failed_command_is_reported_without_its_output() {
        let command = "echo hunter2; echo locked >&2; echo out >&2; exit 3";
        let error = from_command(command, "password_command").unwrap_err();
        assert_eq!(
            error.to_string(),
            "password_command failed with exit status: 3: locked; out"
        );
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed_with_what_it_started() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = shell("sleep 30 & wait");
        command.stdin(writer).process_group(0);
        let error = command_output::run(&mut command, Some(Duration::from_millis(200)));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(command);
        // Its end comes with the end of the last process that holds the other one.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_command_does_not_inherit_the_variable() {
        let shell = shell("true");
        let removed =
            |(name, value): (&std::ffi::OsStr, Option<_>)| name == VARIABLE && value.is_none();
        assert!(shell.get_envs().any(removed));
    }

    #[test]
    fn a_password_that_would_inject_a_command_is_refused() {
        for text in ["a\rDELE 1", "a\nDELE 1", "a\0b"] {
            let text = Zeroizing::new(text.as_bytes().to_vec());
            assert!(matches!(
                Password::new(text, "test"),
                Err(PasswordError::Forbidden { .. })
            ));
        }
        assert!(matches!(
            first_line(&b"a\rb\n"[..], "test"),
            Err(PasswordError::Forbidden { .. })
        ));
    }

    #[test]
    fn an_empty_password_is_refused() {
        for text in [&b""[..], b"\n", b"\r\n", b"\nsecond\n"] {
            assert!(matches!(
                first_line(text, "test"),
                Err(PasswordError::Empty { from: "test" })
            ));
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit() {
        let longest = vec![b'x'; LONGEST];
        assert!(first_line(longest.as_slice(), "test").is_ok());
        assert!(matches!(
            first_line(io::repeat(b'x'), "test"),
            Err(PasswordError::TooLong { .. })
        ));
    }

    #[test]
    fn only_the_line_is_taken_from_standard_input() {
        let mut input = &b"secret\nrest"[..];
        first_line(&mut input, "test").unwrap();
        assert_eq!(input, b"rest");
    }

    #[test]
    fn a_password_is_not_shown_by_debug() {
        let password = first_line(&b"hunter2"[..], "test").unwrap();
        assert!(!format!("{password:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_is_any_octets_as_they_come() {
        let password = first_line(&b"caf\xe9 \xff\n"[..], "test").unwrap();
        assert_eq!(password.into_octets().as_slice(), b"caf\xe9 \xff");
    }
}
