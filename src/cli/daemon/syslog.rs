//! The C library's syslog(3): it stamps the local time, and finds the daemon again that was restarted.

use std::ffi::{CStr, CString};
use std::path::Path;

use log::{Level, Metadata, Record};

/// Where syslog(3) writes (`_PATH_LOG` of the C library).
const SOCKET: &str = "/dev/log";

/// What each line begins with.
const IDENTIFIER: &CStr = c"pop3fs";

/// The system's log.
#[derive(Debug)]
pub(in crate::cli) struct Syslog(());

impl Syslog {
    /// None where there is no socket for it.
    pub(in crate::cli) fn open() -> Option<Self> {
        if !Path::new(SOCKET).exists() {
            return None;
        }
        // SAFETY: the identifier, which syslog(3) keeps a pointer to, is static.
        #[allow(unsafe_code)]
        unsafe {
            libc::openlog(IDENTIFIER.as_ptr(), libc::LOG_PID, libc::LOG_USER);
        }
        Some(Self(()))
    }
}

impl log::Log for Syslog {
    /// The level is that of `log::set_max_level`.
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = c_line(record.args().to_string());
        // SAFETY: both are strings of C that live until the call returns, and the format takes exactly one.
        #[allow(unsafe_code)]
        unsafe {
            libc::syslog(priority(record.level()), c"%s".as_ptr(), line.as_ptr());
        }
    }

    fn flush(&self) {}
}

/// A line of C ends at its first NUL.
fn c_line(mut text: String) -> CString {
    text.retain(|character| character != '\0');
    CString::new(text).unwrap_or_default()
}

fn priority(level: Level) -> libc::c_int {
    match level {
        Level::Error => libc::LOG_ERR,
        Level::Warn => libc::LOG_WARNING,
        Level::Info => libc::LOG_INFO,
        Level::Debug | Level::Trace => libc::LOG_DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_does_not_cut_a_line() {
        assert_eq!(c_line("a\0b".to_owned()).as_c_str(), c"ab");
    }
}
