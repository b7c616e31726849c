//! `~/.netrc`, as ftp(1), curl(1) and mpop(1) read it.
//!
//! ```text
//! netrc = *( ("machine" HOST / "default") *( "login" USER / "password" PASSWORD / "account" WORD ) / "macdef" NAME lines )
//! ```
//! White space separates words; one in double quotes may hold it, and `\` there takes the next
//! octet as it is. A macro ends with an empty line. A word that begins with `#` where a keyword is
//! due begins a comment.

use zeroize::Zeroizing;

/// An octet string that is wiped when dropped.
type NetrcWord = Zeroizing<Vec<u8>>;

/// The password of the first entry for this host (in any case) and this user.
pub(in crate::cli) fn password(text: &[u8], host: &str, user: &str) -> Option<NetrcWord> {
    let mut words = Words { rest: text };
    let mut entry = NetrcEntry::default();
    while let Some(keyword) = words.next() {
        let is_of_host = match keyword.as_slice() {
            b"machine" => words
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case(host.as_bytes())),
            b"default" => true,
            b"login" => {
                entry.is_of_user = words.next().is_some_and(|name| *name == user.as_bytes());
                continue;
            }
            b"password" => {
                entry.password = words.next();
                continue;
            }
            b"account" => {
                words.next();
                continue;
            }
            b"macdef" => {
                words.skip_macro();
                continue;
            }
            [b'#', ..] => {
                words.skip_line();
                continue;
            }
            _ => continue,
        };
        if let Some(password) = entry.take() {
            return Some(password);
        }
        entry.is_of_host = is_of_host;
    }
    entry.take()
}

/// What is known so far of the entry that is being read.
#[derive(Default)]
struct NetrcEntry {
    is_of_host: bool,
    is_of_user: bool,
    password: Option<NetrcWord>,
}

impl NetrcEntry {
    /// Ends the entry. Returns its password if host and user match.
    fn take(&mut self) -> Option<NetrcWord> {
        let entry = std::mem::take(self);
        entry
            .password
            .filter(|_| entry.is_of_host && entry.is_of_user)
    }
}

struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    fn next(&mut self) -> Option<NetrcWord> {
        self.rest = self.rest.trim_ascii_start();
        match self.rest.first()? {
            b'"' => Some(self.quoted()),
            _ => {
                let end = self.rest.iter().position(u8::is_ascii_whitespace);
                let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                Some(Zeroizing::new(word.to_vec()))
            }
        }
    }

    fn quoted(&mut self) -> NetrcWord {
        let mut word = Zeroizing::new(Vec::with_capacity(self.rest.len()));
        let mut octets = self.rest[1..].iter();
        while let Some(&octet) = octets.next() {
            match octet {
                b'"' => break,
                b'\\' => word.extend(octets.next()),
                _ => word.push(octet),
            }
        }
        self.rest = octets.as_slice();
        word
    }

    fn skip_line(&mut self) {
        let end = self.rest.iter().position(|&octet| octet == b'\n');
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }

    fn skip_macro(&mut self) {
        let end = self.rest.windows(2).position(|pair| pair == b"\n\n");
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"# a comment with machine mail.example.org login al password wrong\n\
        machine other.example.org login al password other\n\
        macdef init\nmachine mail.example.org login al password macro\n\n\
        machine mail.example.org\n\tlogin bob\n\tpassword bobs\n\
        machine mail.example.org login al account x password \"a b\\\"c\\\\\"\n\
        machine Upper.Example.Org password first login al\n\
        default login al password fallback";

    fn found(host: &str, user: &str) -> Option<String> {
        let password = password(FILE, host, user)?;
        Some(String::from_utf8(password.to_vec()).unwrap())
    }

    #[test]
    fn host_and_user_choose_the_entry() {
        for (host, user, expected) in [
            ("mail.example.org", "bob", Some("bobs")),
            ("mail.example.org", "al", Some("a b\"c\\")),
            ("other.example.org", "al", Some("other")),
            ("upper.example.org", "al", Some("first")),
            ("elsewhere.example.org", "al", Some("fallback")),
            ("other.example.org", "bob", None),
        ] {
            assert_eq!(found(host, user).as_deref(), expected, "{host} {user}");
        }
    }

    #[test]
    fn a_file_that_is_cut_short_gives_nothing_and_no_panic() {
        let whole = b"machine h login al password secret";
        for end in 0..whole.len() {
            let found = password(&whole[..end], "h", "al");
            assert!(
                found.is_none_or(|word| whole.ends_with(&word) || b"secret".starts_with(&word))
            );
        }
        assert!(password(b"machine h login al password", "h", "al").is_none());
    }
}
