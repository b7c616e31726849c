//! The file name of a message. It is made from the unique-id, so it is the same in every session.
//!
//! ```text
//! name    = id [ "~" ordinal ] ".eml"         ; ordinal from 2, in maildrop order
//! id      = 1*( safe / "%" 2HEXDIG ) / "%"    ; "%" alone is the empty unique-id
//! safe    = ALPHA / DIGIT / "." / "_" / "+" / "=" / "@" / "," / "-"
//!                                             ; "." and "-" are escaped at the beginning
//! A name longer than 255 octets is shortened:
//! name    = prefix-of-id "~=" 32HEXDIG [ "~" ordinal ] ".eml"   ; a digest of the unique-id
//! ```
//! An id never contains `~`, so two unique-ids never get the same name. A server cannot choose a
//! unique-id that becomes a path, a hidden file or a command-line option.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest, Sha256};

use crate::pop3::UniqueId;

/// The most octets of a name. This is the limit of every Linux filesystem.
pub const NAME_MAX: usize = 255;
/// The end of every message's name.
pub const SUFFIX: &str = ".eml";
/// The ASCII characters that are not `safe`.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'_')
    .remove(b'+')
    .remove(b'=')
    .remove(b'@')
    .remove(b',')
    .remove(b'-');
/// The ASCII characters that are not `safe` at the beginning.
const UNSAFE_FIRST: &AsciiSet = &UNSAFE.add(b'.').add(b'-');
/// How many octets of the digest a shortened name contains.
const DIGEST_OCTETS: usize = 16;
/// How much of an escaped id a shortened name keeps. The rest of the name is `~=`, the digest, `~`,
/// an ordinal of up to ten digits and the suffix.
const PREFIX_ROOM: usize = NAME_MAX - (2 + 2 * DIGEST_OCTETS) - 11 - SUFFIX.len();

/// The name of a message. `ordinal` is its position, from 1, among those with the same unique-id.
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

/// The greatest length up to `most` that does not split a `%XX`.
fn whole_escapes(name: &str, most: usize) -> usize {
    match name[most - 2..most].find('%') {
        Some(at) => most - 2 + at,
        None => most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{hash_set, vec};
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
        fn distinct_messages_have_distinct_safe_names(
            ids in hash_set(vec(any::<u8>(), 0..400), 1..20),
            ordinal in 1u32..4,
        ) {
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
