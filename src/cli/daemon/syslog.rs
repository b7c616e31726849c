//! A log to syslog(3). The C library adds the local time and connects again to a restarted daemon.

use std::ffi::{CStr, CString};
use std::path::Path;

use log::{Level, Metadata, Record};

/// Where syslog(3) writes (`_PATH_LOG` of the C library).
const SOCKET: &str = "/dev/log";

/// The beginning of each line.
const IDENTIFIER: &CStr = c"pop3fs";

/// The connection to syslog.
#[derive(Debug)]
pub(in crate::cli) struct Syslog(());

impl Syslog {
    /// None without the socket of syslog.
    pub(in crate::cli) fn open() -> Option<Self> {
        if !Path::new(SOCKET).exists() {
            return None;
        }
        // SAFETY: openlog(3) keeps a pointer to the identifier, which is static.
        #[allow(unsafe_code)]
        unsafe {
            libc::openlog(IDENTIFIER.as_ptr(), libc::LOG_PID, libc::LOG_USER);
        }
        Some(Self(()))
    }
}

impl log::Log for Syslog {
    /// `log::set_max_level` has filtered already.
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = c_line(record.args().to_string());
        // SAFETY: both are C strings that live until the call returns, and the format takes exactly
        // one argument.
        #[allow(unsafe_code)]
        unsafe {
            libc::syslog(priority(record.level()), c"%s".as_ptr(), line.as_ptr());
        }
    }

    fn flush(&self) {}
}

/// Removes NULs, at which a C string would end.
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
