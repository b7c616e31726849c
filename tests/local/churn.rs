//! A server that gives every message another unique-id in each session.

use std::fs;
use std::path::Path;

use crate::common::{Liar, Mount, Reply, corpus, eventually};
use crate::{mounted, resident};

const MESSAGES: usize = 1_000;
/// After so many sessions the index and the mount keep as many departed messages as they ever do.
const UNTIL_FULL: usize = 12;

/// Has the server list unique-ids of this session alone.
fn set_session(liar: &Liar, session: usize) {
    let lines = (1..=MESSAGES).map(|n| format!("{n} {session:05}-{n:020}\r\n"));
    let listing = format!("+OK\r\n{}.\r\n", lines.collect::<String>());
    liar.behave("UIDL");
    liar.on("UIDL", Reply::Raw(listing.into_bytes()));
}

/// The octets of the files in a folder.
fn octets(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let octets = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => octets(&entry.path()),
        _ => entry.metadata().map_or(0, |metadata| metadata.len()),
    });
    octets.sum()
}

/// The names in the root begin with the session's number once its listing was taken in.
fn list_until_session(mount: &Mount, session: usize) {
    let is_new = |name: &str| name.starts_with(&format!("{session:05}-"));
    eventually("the listing of the session", || {
        let mut names = fs::read_dir(mount.path()).expect("a root").flatten();
        let is_there = names.all(|entry| entry.file_name().to_str().is_some_and(is_new));
        is_there.then_some(())
    });
}

#[test]
fn new_unique_ids_in_each_session_do_not_pile_up() {
    let liar = Liar::start(&corpus::realistic(70, MESSAGES));
    set_session(&liar, 0);
    let mut mount = mounted(&liar.source(), &["refresh=1s"]);
    list_until_session(&mount, 0);
    let mut memory = Vec::new();
    for session in 1..=2 * UNTIL_FULL {
        set_session(&liar, session);
        list_until_session(&mount, session);
        memory.push(resident(&mount) / 1024);
    }
    let grown = memory[2 * UNTIL_FULL - 1].saturating_sub(memory[UNTIL_FULL]);
    assert!(grown < 1024, "KiB: {memory:?}");
    mount.remount();
    let stored = octets(&mount.cache_dir());
    for session in 2 * UNTIL_FULL + 1..=3 * UNTIL_FULL {
        set_session(&liar, session);
        mount.remount();
        list_until_session(&mount, session);
    }
    assert_eq!(mount.umount().status.code(), Some(0));
    let now = octets(&mount.cache_dir());
    assert!(now < stored * 3 / 2, "octets: {stored}, then {now}");
}
