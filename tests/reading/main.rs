//! What a user reads of a mounted maildrop: octets, names, sizes, times and refusals, on real servers and on one that lies.

#[path = "../common/mod.rs"]
mod common;

mod alteration;
mod attributes;
mod eol;
mod first_opens;
mod identity;
mod indexers;
mod listing;
mod maildir;
mod named;
mod names;
mod octets;
mod random_access;
mod refusals;
mod renewal;
mod requests;
mod sizes;
mod views;
mod xattrs;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use common::{Mount, Retrieved};
use percent_encoding::percent_decode_str;

/// A mount of a server that is asked in clear.
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

/// A message as it is known across sessions: its unique-id, and its place from 1 among those that share it.
type Identity = (Vec<u8>, u32);

/// The identity that a file name stands for, read back by percent-decoding. For names of up to 255 octets.
fn identity_of(name: &str) -> Identity {
    let stem = name.strip_suffix(".eml").expect("a name that ends in .eml");
    let (id, place) = stem.split_once('~').unwrap_or((stem, "1"));
    let uidl = match id {
        "%" => Vec::new(),
        _ => percent_decode_str(id).collect(),
    };
    (uidl, place.parse().expect("a place"))
}

/// What every file of the root reads as.
fn read_all(mount: &Mount) -> BTreeMap<Identity, Vec<u8>> {
    listed(mount)
        .into_iter()
        .map(|name| (identity_of(&name), read(&mount.join(&name))))
        .collect()
}

/// The octets of a file, as many as fstat told before the first was read.
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

/// The octets of a file that others open for the first time, too. What fstat shows then is the kernel's: it calls new attributes
/// valid before it writes the size of them (fuse_change_attributes), and shows who asks in between the size from before.
fn read_beside_others(path: &Path) -> Vec<u8> {
    let shown = path.display();
    let file = File::open(path).unwrap_or_else(|error| panic!("open {shown}: {error}"));
    // As programs do, which has the kernel ask for the size.
    file.metadata().expect("fstat");
    let mut octets = Vec::new();
    // Limited, it makes no room for what fstat shows.
    file.take(u64::MAX)
        .read_to_end(&mut octets)
        .unwrap_or_else(|error| panic!("read {shown}: {error}"));
    octets
}

/// What RETR sent, by identity.
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

/// The same messages with the same octets.
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

/// A message as the liar ends it where its last line lacks its end.
fn ended(message: &[u8]) -> Vec<u8> {
    let mut ended = message.to_vec();
    if !ended.is_empty() && !ended.ends_with(b"\r\n") {
        ended.extend_from_slice(b"\r\n");
    }
    ended
}
