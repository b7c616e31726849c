//! The file name of a message, from its unique-id; the same in every session.
//!
//! ```text
//! name    = id [ "~" ordinal ] ".eml"         ; ordinal from 2, in maildrop order
//! id      = 1*( safe / "%" 2HEXDIG ) / "%"    ; "%" alone is the empty unique-id
//! safe    = ALPHA / DIGIT / "." / "_" / "+" / "=" / "@" / "," / "-"   ; the first neither "." nor "-"
//! longer than 255 octets:
//! name    = prefix-of-id "~=" 32HEXDIG [ "~" ordinal ] ".eml"         ; a digest of the unique-id
//! ```
//! `~` is never in an id, so no unique-id can take another's name; nothing of a server's choosing can be a path,
//! a hidden file or an option.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};

use crate::pop3::UniqueId;

/// The most octets of a name, as of every Linux filesystem.
pub const NAME_MAX: usize = 255;
/// What every message's name ends in.
pub const SUFFIX: &str = ".eml";
/// What of ASCII is no `safe` character.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'_')
    .remove(b'+')
    .remove(b'=')
    .remove(b'@')
    .remove(b',')
    .remove(b'-');
/// What is none at the beginning.
const UNSAFE_FIRST: &AsciiSet = &UNSAFE.add(b'.').add(b'-');
/// Octets of the digest in a name that would be too long.
const DIGEST_OCTETS: usize = 16;
/// What of an escaped id stays before `~=`, the digest, `~`, an ordinal of ten digits and the suffix.
const PREFIX_ROOM: usize = NAME_MAX - (2 + 2 * DIGEST_OCTETS) - 11 - SUFFIX.len();

/// The name of the message that is the `ordinal`-th (from 1) of those that share the unique-id.
#[must_use]
pub fn file_name(uidl: &UniqueId, ordinal: u32) -> String {
    let mut name = escaped(uidl.as_bytes());
    let id = name.len();
    push_suffix(&mut name, ordinal);
    if name.len() <= NAME_MAX {
        return name;
    }
    name.truncate(whole_escapes(&name[..id], PREFIX_ROOM));
    name.push_str("~=");
    name.push_str(&hex::encode_upper(
        &Sha256::digest(uidl.as_bytes())[..DIGEST_OCTETS],
    ));
    push_suffix(&mut name, ordinal);
    name
}

fn push_suffix(name: &mut String, ordinal: u32) {
    if ordinal > 1 {
        let _infallible = write!(name, "~{ordinal}");
    }
    name.push_str(SUFFIX);
}

fn escaped(id: &[u8]) -> String {
    let Some((first, rest)) = id.split_at_checked(1) else {
        return "%".to_owned();
    };
    let mut name = String::with_capacity(id.len() + SUFFIX.len());
    name.extend(percent_encode(first, UNSAFE_FIRST));
    name.extend(percent_encode(rest, UNSAFE));
    name
}

/// The greatest length up to `most` that cuts no `%XX` in two.
fn whole_escapes(name: &str, most: usize) -> usize {
    match name[most - 2..most].find('%') {
        Some(at) => most - 2 + at,
        None => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn name(id: &[u8]) -> String {
        file_name(&UniqueId::from_wire(id), 1)
    }

    #[test]
    fn a_plain_unique_id_is_its_own_name() {
        assert_eq!(name(b"000000045f3e2a1b"), "000000045f3e2a1b.eml");
        assert_eq!(name(b"<a+b=c@d,e>"), "%3Ca+b=c@d,e%3E.eml");
    }

    #[test]
    fn a_hostile_unique_id_is_a_harmless_name() {
        assert_eq!(name(b"../../etc/passwd"), "%2E.%2F..%2Fetc%2Fpasswd.eml");
        assert_eq!(name(b"-rf"), "%2Drf.eml");
        assert_eq!(name(b"."), "%2E.eml");
        assert_eq!(name(b""), "%.eml");
        assert_eq!(name(b"a\0b\xff~2"), "a%00b%FF%7E2.eml");
    }

    #[test]
    fn duplicates_are_numbered_from_the_second() {
        assert_eq!(file_name(&UniqueId::from_wire(b"x"), 2), "x~2.eml");
    }

    #[test]
    fn a_name_that_would_be_too_long_ends_in_a_digest() {
        let one = name(&[b'/'; 5000]);
        let other = name(&[b'/'; 5001]);
        assert!(one.len() <= NAME_MAX && one.contains("~="), "{one}");
        assert_ne!(one, other);
    }

    proptest! {
        #[test]
        fn names_are_files_of_their_own(ids in proptest::collection::hash_set(proptest::collection::vec(any::<u8>(), 0..400), 1..20), ordinal in 1u32..4) {
            let mut taken = HashMap::new();
            for id in ids {
                for ordinal in 1..=ordinal {
                    let name = file_name(&UniqueId::from_wire(&id), ordinal);
                    prop_assert!(name.len() <= NAME_MAX);
                    prop_assert!(!name.starts_with(['.', '-']));
                    prop_assert!(name.bytes().all(|b| b.is_ascii_graphic() && b != b'/'));
                    prop_assert_eq!(taken.insert(name, (id.clone(), ordinal)), None);
                }
            }
        }
    }
}
