//! Getting the password of the maildrop. It never comes from an argument: every user of the machine
//! can read those.

use std::env;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::account::netrc;
use crate::cli::account::secret::{
    Password, PasswordError, Prompt, SourceOptions, VARIABLE, first_line, from_command_alone,
    from_file, open,
};
use crate::cli::account::source::Source;
use crate::cli::home::home;
use crate::cli::options::{Options, PasswordSource};

/// How many octets of `~/.netrc` are read.
const LONGEST_NETRC: usize = 1024 * 1024;

/// The credential of a service: `LoadCredential=pop3fs-password:FILE`.
const CREDENTIAL: &str = "pop3fs-password";

const SOURCES: SourceOptions = SourceOptions {
    command: "password_command",
    file: "password_file",
};

/// Gets the password: from where `options` say, else POP3FS_PASSWORD, else the credentials that
/// systemd gives a service, else `~/.netrc`, else by asking on the terminal. Before it asks, it
/// calls `check`, so that nobody types a password in vain.
///
/// Removes POP3FS_PASSWORD from the environment, so that no child process inherits it. (The kernel
/// still shows it to root in /proc.) The process must have a single thread.
pub(in crate::cli) fn obtain<E: From<PasswordError>>(
    options: &Options,
    source: &Source,
    check: impl FnOnce() -> Result<(), E>,
) -> Result<Password, E> {
    let from_environment = take_variable();
    if let Some(password) = SOURCES.obtain(&options.password) {
        return Ok(password?);
    }
    if let Some(text) = from_environment {
        return Ok(Password::new(text, VARIABLE)?);
    }
    match from_places(source) {
        Some(password) => Ok(password?),
        None => from_terminal(source, check),
    }
}

/// A credential of the service (systemd.exec(5)), else an entry of `~/.netrc`. None where neither
/// is found.
fn from_places(source: &Source) -> Option<Result<Password, PasswordError>> {
    let credential = env::var_os("CREDENTIALS_DIRECTORY")
        .and_then(|folder| File::open(Path::new(&folder).join(CREDENTIAL)).ok());
    if let Some(file) = credential {
        return Some(first_line(file, "the credential pop3fs-password"));
    }
    from_netrc(&source.host(), source.user())
}

/// The password in `~/.netrc` for this host and user. None where none is found.
pub(super) fn from_netrc(host: &str, user: &str) -> Option<Result<Password, PasswordError>> {
    const FROM: &str = "~/.netrc";
    let path = home()?.join(".netrc");
    let file = open(&path).ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    // A vector that grows would leave copies of the password in memory.
    let room = usize::try_from(metadata.len()).ok()?.min(LONGEST_NETRC) + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    let mut file = file.take(LONGEST_NETRC as u64);
    if let Err(source) = file.read_to_end(&mut text) {
        return Some(Err(PasswordError::Read { from: FROM, source }));
    }
    let password = netrc::password(&text, host, user)?;
    if metadata.mode() & 0o077 != 0 {
        return Some(Err(PasswordError::Exposed { path }));
    }
    Some(Password::new(password, FROM))
}

/// How to get the next token without asking anybody. None for sources that give only one.
///
/// A command runs in the directory in which this is called: the daemon itself moves to `/`. It is
/// killed after [`RENEWAL_LIMIT`].
pub(in crate::cli) fn renewal(
    from: &PasswordSource,
) -> Option<Box<dyn Fn() -> Result<Password, PasswordError> + Send + Sync>> {
    match from {
        PasswordSource::Command(command) => {
            let (command, folder) = (command.clone(), env::current_dir().ok());
            Some(Box::new(move || {
                from_command_alone(&command, folder.as_deref(), SOURCES.command)
            }))
        }
        PasswordSource::File(path) => {
            let path = path.clone();
            Some(Box::new(move || from_file(&path, SOURCES.file)))
        }
        PasswordSource::StandardInput | PasswordSource::Unsaid => None,
    }
}

fn take_variable() -> Option<Zeroizing<Vec<u8>>> {
    let value: OsString = env::var_os(VARIABLE)?;
    // SAFETY: the callers of `obtain` have a single thread, so no other thread reads the
    // environment meanwhile.
    #[allow(unsafe_code)]
    unsafe {
        env::remove_var(VARIABLE);
    }
    Some(Zeroizing::new(value.into_vec()))
}

fn from_terminal<E: From<PasswordError>>(
    source: &Source,
    check: impl FnOnce() -> Result<(), E>,
) -> Result<Password, E> {
    let prompt = Prompt::open().ok_or_else(|| PasswordError::NoTerminal {
        wanted: "password".to_owned(),
        remedy: "-o password_command=…, password_file=… or password_stdin, or set POP3FS_PASSWORD; a service of systemd has LoadCredential=pop3fs-password:FILE",
    })?;
    check()?;
    Ok(prompt.ask(&format!("Password for {source}: "))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_next_password_comes_from_where_the_last_one_came() {
        let here = env::current_dir().unwrap();
        let again = renewal(&PasswordSource::Command("pwd".to_owned())).unwrap();
        assert_eq!(
            *again().unwrap().into_octets(),
            here.into_os_string().into_vec()
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "one\n").unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        let again = renewal(&PasswordSource::File(file.path().to_owned())).unwrap();
        fs::write(file.path(), "two\n").unwrap();
        assert_eq!(again().unwrap().into_octets().as_slice(), b"two");
        assert!(renewal(&PasswordSource::Unsaid).is_none());
        assert!(renewal(&PasswordSource::StandardInput).is_none());
    }
}
