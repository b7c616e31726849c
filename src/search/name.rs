//! A query as the name of a directory.

use std::ffi::OsStr;

use percent_encoding::percent_decode_str;

use super::error::QueryError;
use super::grammar;
use super::query::{QUERY_MAX, Query};

/// What file managers, backups and shells look for in every folder; names with a dot in front are
/// none either.
const PROBES: [&str; 10] = [
    "autorun.inf",
    "desktop.ini",
    "thumbs.db",
    "folder.jpg",
    "lost+found",
    "system volume information",
    "$recycle.bin",
    "cachedir.tag",
    "bdmv",
    "video_ts",
];

impl Query {
    /// Reads a query (see [`search`](super)).
    ///
    /// # Errors
    /// What cannot be understood, in words for the user.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        refuse_if_long(text.len())?;
        grammar::parse(text)
    }

    /// Reads a query that is a name in a directory, where a slash cannot be.
    ///
    /// # Errors
    /// What cannot be understood, and names that programs look for in every folder.
    pub fn from_name(name: &OsStr) -> Result<Self, QueryError> {
        refuse_if_long(name.len())?;
        let name = name.to_str().ok_or(QueryError::NotText)?;
        if is_probe(name) {
            return Err(QueryError::Probe { name: name.into() });
        }
        let spaced = name.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8();
        grammar::parse(&text.map_err(|_| QueryError::NotText)?)
    }
}

fn refuse_if_long(octets: usize) -> Result<(), QueryError> {
    match octets > QUERY_MAX {
        true => Err(QueryError::TooLong { octets }),
        false => Ok(()),
    }
}

fn is_probe(name: &str) -> bool {
    name.starts_with('.') || PROBES.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_name(name: &str) -> Result<Query, QueryError> {
        Query::from_name(name.as_ref())
    }

    #[test]
    fn a_name_and_a_query_say_the_same() {
        for (name, query) in [
            ("invoice+from:alice", "invoice from:alice"),
            ("invoice from:alice", "invoice from:alice"),
            ("either%2For", "either/or"),
            ("c%2B%2B 100%", "c++ 100%"),
            ("\"a+b\"", "\"a b\""),
        ] {
            assert_eq!(from_name(name), Query::parse(query), "{name}");
        }
    }

    #[test]
    fn what_programs_look_for_is_no_query() {
        for name in [
            ".git",
            ".Trash",
            ".Trash-1000",
            ".directory",
            ".hidden",
            ".",
            ".DS_Store",
            "autorun.inf",
            "Autorun.inf",
            "Thumbs.db",
            "lost+found",
        ] {
            assert!(
                matches!(from_name(name), Err(QueryError::Probe { .. })),
                "{name}"
            );
        }
        assert!(from_name("\".git\"").is_ok());
    }

    #[test]
    fn a_name_that_is_no_text_is_no_query() {
        use std::os::unix::ffi::OsStrExt as _;
        let octets = OsStr::from_bytes(b"caf\xe9");
        assert_eq!(Query::from_name(octets), Err(QueryError::NotText));
        assert_eq!(from_name("caf%e9"), Err(QueryError::NotText));
    }

    #[test]
    fn a_query_is_as_long_as_a_name_can_be() {
        assert!(Query::parse(&"a".repeat(QUERY_MAX)).is_ok());
        let octets = QUERY_MAX + 1;
        assert_eq!(
            Query::parse(&"a".repeat(octets)),
            Err(QueryError::TooLong { octets })
        );
        assert_eq!(
            from_name(&"a".repeat(octets)),
            Err(QueryError::TooLong { octets })
        );
    }
}
