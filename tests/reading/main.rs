//! What a user reads in a mount: octets, names, sizes, times and refusals; on real servers and on
//! the liar.

#[path = "../common/mod.rs"]
mod common;

mod alteration;
mod attributes;
mod changed;
mod eol;
mod first_opens;
mod identity;
mod idle;
mod indexers;
mod listing;
mod maildir;
mod named;
mod names;
mod octets;
mod polling;
mod random_access;
mod refusals;
mod renewal;
mod requests;
mod search;
mod search_tools;
mod sizes;
mod views;
mod xattrs;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use common::{Mount, Retrieved};
use percent_encoding::percent_decode_str;

/// A mount without TLS.
fn in_clear(source: &str, options: &[&str]) -> Mount {
    Mount::new(source, &[&["tls=off"], options].concat())
}

/// The names of the root in the order of readdir.
fn listed(mount: &Mount) -> Vec<String> {
    fs::read_dir(mount.path())
        .expect("the root")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a name in ASCII")
        })
        .collect()
}

/// What identifies a message in all sessions: its unique-id, and its place (from 1) among the
/// messages that share it.
type Identity = (Vec<u8>, u32);

/// The identity in a file name of up to 255 octets, which is percent-encoded.
fn identity_of(name: &str) -> Identity {
    let stem = name.strip_suffix(".eml").expect("a name that ends in .eml");
    let (id, place) = stem.split_once('~').unwrap_or((stem, "1"));
    let uidl = match id {
        "%" => Vec::new(),
        _ => percent_decode_str(id).collect(),
    };
    (uidl, place.parse().expect("a place"))
}

/// The content of every file of the root.
fn read_all(mount: &Mount) -> BTreeMap<Identity, Vec<u8>> {
    listed(mount)
        .into_iter()
        .map(|name| (identity_of(&name), read(&mount.join(&name))))
        .collect()
}

/// The octets of a file, which must be as many as fstat(2) told before the read.
fn read(path: &Path) -> Vec<u8> {
    let shown = path.display();
    let mut file = File::open(path).unwrap_or_else(|error| panic!("open {shown}: {error}"));
    let size = file.metadata().expect("fstat").len();
    let mut octets = Vec::new();
    file.read_to_end(&mut octets)
        .unwrap_or_else(|error| panic!("read {shown}: {error}"));
    assert_eq!(octets.len() as u64, size, "{shown}: octets and fstat");
    octets
}

/// The octets of a file that other programs open for the first time, too. fstat(2) may show the old
/// size then: the kernel marks new attributes as valid before it stores the size
/// (fuse_change_attributes).
fn read_beside_others(path: &Path) -> Vec<u8> {
    let shown = path.display();
    let file = File::open(path).unwrap_or_else(|error| panic!("open {shown}: {error}"));
    // As most programs do. The kernel then asks for the size.
    file.metadata().expect("fstat");
    let mut octets = Vec::new();
    // With a limit, read_to_end does not go by the size of fstat(2).
    file.take(u64::MAX)
        .read_to_end(&mut octets)
        .unwrap_or_else(|error| panic!("read {shown}: {error}"));
    octets
}

/// What RETR sent, by the identity of the message.
fn by_identity(sent: Vec<Retrieved>) -> BTreeMap<Identity, Vec<u8>> {
    let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    sent.into_iter()
        .map(|message| {
            let place = seen.entry(message.uidl.clone()).or_default();
            *place += 1;
            ((message.uidl, *place), message.bytes)
        })
        .collect()
}

/// Checks that these are the same messages with the same octets.
fn assert_same(given: &BTreeMap<Identity, Vec<u8>>, sent: &BTreeMap<Identity, Vec<u8>>) {
    let identities = |messages: &BTreeMap<Identity, Vec<u8>>| -> Vec<String> {
        let shown = |(uidl, place): &Identity| format!("{} {place}", uidl.escape_ascii());
        messages.keys().map(shown).collect()
    };
    assert_eq!(identities(given), identities(sent));
    for ((uidl, place), octets) in given {
        let expected = &sent[&(uidl.clone(), *place)];
        assert!(
            octets == expected,
            "{} ({place}): {} octets read, {} sent",
            uidl.escape_ascii(),
            octets.len(),
            expected.len()
        );
    }
}

/// A message with the CRLF that the liar adds if the last line has none.
fn ended(message: &[u8]) -> Vec<u8> {
    let mut ended = message.to_vec();
    if !ended.is_empty() && !ended.ends_with(b"\r\n") {
        ended.extend_from_slice(b"\r\n");
    }
    ended
}
