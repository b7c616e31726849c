//! Unique-ids and the names of their messages: each name is a harmless one of its own, and tells the unique-id it was made of.
//!
//! ```text
//! input = ordinal *( unique-id LF )       ; one octet, then lines as those of UIDL
//! ```

use std::collections::HashMap;

use pop3fs::maildrop::file_name;
use pop3fs::pop3::UniqueId;

/// The most messages of one maildrop.
const MOST: usize = 16;

pub fn check(octets: &[u8]) {
    let Some((&ordinal, lines)) = octets.split_first() else {
        return;
    };
    let mut taken = HashMap::new();
    for id in lines.split(|&octet| octet == b'\n').take(MOST) {
        for ordinal in [1, 2, spread(ordinal)] {
            let name = file_name(&UniqueId::from_wire(id), ordinal);
            is_harmless(&name);
            tells_what_it_was_made_of(&name, id, ordinal);
            let other = taken.insert(name, (id, ordinal));
            assert!(
                other.is_none_or(|other| other == (id, ordinal)),
                "{other:?} and {:?} share a name",
                (id, ordinal)
            );
        }
    }
}

/// From 3 to the greatest there is.
fn spread(octet: u8) -> u32 {
    u32::MAX >> (octet % 31)
}

fn is_harmless(name: &str) {
    assert!(name.len() <= 255 && name.ends_with(".eml"), "{name}");
    assert!(!name.starts_with(['.', '-']), "{name}");
    assert!(
        name.bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b'/'),
        "{name}"
    );
}

fn tells_what_it_was_made_of(name: &str, id: &[u8], ordinal: u32) {
    let stem = name.strip_suffix(".eml").expect("a message's name");
    if let Some((prefix, digest)) = stem.split_once("~=") {
        assert!(id.starts_with(&unescaped(prefix)), "{name}");
        let digest = digest.split('~').next().unwrap_or_default();
        assert!(digest.len() == 32 && id.len() > 50, "{name}");
        return;
    }
    let (escaped, number) = stem.split_once('~').unwrap_or((stem, "1"));
    assert_eq!(number, ordinal.to_string(), "{name}");
    assert_eq!(unescaped(escaped), id, "{name}");
}

/// What the grammar of names says of an id, read backwards.
fn unescaped(escaped: &str) -> Vec<u8> {
    if escaped == "%" {
        return Vec::new();
    }
    let mut pieces = escaped.split('%');
    let mut id = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        id.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
        id.extend_from_slice(rest.as_bytes());
    }
    id
}

pub fn seeds() -> Vec<Vec<u8>> {
    let long = [
        b"\0".as_slice(),
        &[b'a'; 252],
        b"\na",
        &[b'/'; 90],
        b"\n",
        &[b'%'; 600],
    ]
    .concat();
    vec![
        b"\x1e000000045f3e2a1b\n000000055f3e2a1b\n\n.\n..\n-rf\n../../etc/passwd".to_vec(),
        b"\0x\nx~2\nx%7E2\nx~=0123456789ABCDEF\n\xff\xfe\0 b".to_vec(),
        long,
    ]
}
