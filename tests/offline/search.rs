//! `.search` without the server: a query finds what it found with it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::common::{Mount, eventually, stderr, stdout, stdout_of};
use crate::{
    Provider, all_but, await_server, listed, listed_with_all, message, name, pending, remove,
    umount, umount_in_vain,
};

/// Of all messages here.
const QUERY: &str = "text of message";

fn await_indexed(mount: &Mount, count: u64) {
    eventually("an index of all messages", || {
        (mount.status()["indexed"] == count).then_some(())
    });
}

/// A mount with an index of all its messages.
fn searchable(provider: &Provider, count: u64, options: &[&str]) -> Mount {
    let mount = provider.mount(&[&["index=full"], options].concat());
    listed_with_all(&mount, "");
    await_indexed(&mount, count);
    mount
}

/// Mounts again with the server stopped.
fn lose_server(provider: &mut Provider, mount: &mut Mount) {
    umount(mount);
    provider.stop();
    mount.remount();
    assert!(mount.status()["offline"]["since"].is_u64());
}

fn result(query: &str, view: &str) -> String {
    format!(".search/{query}/{view}")
}

/// The names that a query finds, sorted.
fn found(mount: &Mount, query: &str) -> Vec<String> {
    let mut found = listed(mount, &result(query, ""));
    found.sort();
    found
}

fn names(serials: impl IntoIterator<Item = u64>) -> Vec<String> {
    let mut names: Vec<String> = serials.into_iter().map(name).collect();
    names.sort();
    names
}

fn pin(mount: &Mount, query: &str) {
    stdout_of(&[OsStr::new("touch"), mount.join(result(query, "")).as_ref()]);
}

/// The files of a directory and of those below it, with what is in them.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            let octets = fs::read(&path).expect("a file");
            files.push((path, octets));
        }
    }
    files.sort();
    files
}

#[test]
fn a_result_is_the_same_without_the_server() {
    let mut provider = Provider::start(9);
    let mut mount = searchable(&provider, 9, &[]);
    let queries = [
        "text",
        "\"message 0007\"",
        "from:alice 0003 OR 0005",
        "before:2024-01-16 -0001",
        "size:<200",
        "is:unread",
        "nowhere",
    ];
    let before = queries.map(|query| listed_with_all(&mount, &result(query, "")));
    assert_eq!(before[1].lines().count(), 1);
    lose_server(&mut provider, &mut mount);
    for (query, before) in queries.iter().zip(before) {
        let now = listed_with_all(&mount, &result(query, ""));
        assert_eq!(now, before, "{query}");
    }
    let octets = fs::read(mount.join(result("0007", &name(7)))).expect("a cached message");
    assert_eq!(octets, message(7));
    let searched = mount.subcommand(&["search", mount.arg(), "0007"]);
    assert_eq!(stdout(&searched), format!("{}\n", name(7)));
}

#[test]
fn the_views_of_a_result_are_the_same_without_the_server() {
    let mut provider = Provider::start(4);
    let mut mount = searchable(&provider, 4, &[]);
    let views = [
        ".text",
        ".parts",
        ".named",
        ".maildir/cur",
        ".maildir/new",
        ".headers",
    ];
    let all = |mount: &Mount| views.map(|view| files(&mount.join(result("0003", view))));
    let before = all(&mount);
    lose_server(&mut provider, &mut mount);
    let now = all(&mount);
    for (view, (now, before)) in views.iter().zip(now.iter().zip(&before)) {
        assert_eq!(now, before, "{view}");
    }
}

#[test]
fn a_result_has_the_form_of_an_offline_root() {
    for view in ["text", "named", "headers", "parts"] {
        let mut provider = Provider::start(3);
        let option = format!("view={view}");
        let mut mount = searchable(&provider, 3, &[&option]);
        let before = files(&mount.join(result("0002", "")));
        assert!(!before.is_empty(), "{view}");
        lose_server(&mut provider, &mut mount);
        let now = files(&mount.join(result("0002", "")));
        assert_eq!(now, before, "{view}");
        let root = listed(&mount, "");
        for name in listed(&mount, &result("0002", "")) {
            assert!(root.contains(&name), "{view}: {name}");
        }
    }
}

#[test]
fn an_uncached_message_is_found_by_nothing_offline() {
    let mut provider = Provider::start(3);
    let mut mount = provider.mount(&[]);
    crate::read_alone(&mount, 1..=2);
    await_indexed(&mount, 2);
    lose_server(&mut provider, &mut mount);
    assert_eq!(found(&mount, QUERY), names(1..=2));
    assert_eq!(mount.status()["indexed"], 2);
    // The message that nobody has read is none of those that a query finds by what they lack.
    assert_eq!(found(&mount, "-0001"), names([2]));
}

#[test]
fn what_is_removed_from_an_offline_result_comes_back_to_it() {
    let mut provider = Provider::start(6);
    let mut mount = searchable(&provider, 6, &[]);
    lose_server(&mut provider, &mut mount);
    for serial in [2, 5] {
        fs::remove_file(mount.join(result("text", &name(serial)))).expect("a removal");
    }
    assert_eq!(found(&mount, "text"), names(all_but(6, &[2, 5])));
    umount_in_vain(&mut mount);
    mount.remount();
    assert_eq!(pending(&mount), [name(2), name(5)]);
    assert_eq!(found(&mount, "text"), names(all_but(6, &[2, 5])));
    let restored = mount.subcommand(&["restore", mount.arg(), &name(5)]);
    assert!(restored.status.success(), "{}", stderr(&restored));
    eventually("the message in the result again", || {
        (found(&mount, "text") == names(all_but(6, &[2]))).then_some(())
    });
    provider.restart(0);
    await_server(&mount);
    umount(&mut mount);
    assert_eq!(provider.liar().left_serials(), all_but(6, &[2]));
}

#[test]
fn a_pinned_query_is_listed_and_finds_without_the_server() {
    let mut provider = Provider::start(3);
    let mut mount = searchable(&provider, 3, &[]);
    pin(&mount, "\"message 0002\"");
    lose_server(&mut provider, &mut mount);
    assert_eq!(listed(&mount, ".search"), ["\"message 0002\""]);
    assert_eq!(found(&mount, "\"message 0002\""), names([2]));
    pin(&mount, "0003");
    fs::remove_dir(mount.join(result("\"message 0002\"", ""))).expect("to unpin it");
    mount.remount();
    assert_eq!(listed(&mount, ".search"), ["0003"]);
}

#[test]
fn an_open_result_follows_the_server_that_is_back() {
    let mut provider = Provider::start(4);
    let mut mount = searchable(&provider, 4, &["refresh=1s"]);
    lose_server(&mut provider, &mut mount);
    let stays = File::open(mount.join(result("text", ""))).expect("a result");
    assert_eq!(found(&mount, "text"), names(1..=4));
    provider.restart(1);
    provider.liar().remove(2);
    eventually("what has come and gone in the result", || {
        (found(&mount, "text") == names([1, 3, 4, 5])).then_some(())
    });
    assert!(!mount.join(result("text", &name(2))).exists());
    drop(stays);
}

#[test]
fn an_offline_mount_without_an_index_has_no_searches() {
    let mut provider = Provider::start(3);
    let mut mount = searchable(&provider, 3, &[]);
    umount(&mut mount);
    provider.stop();
    mount.remount_with(&["index=off"]);
    assert_eq!(listed(&mount, "").len(), 3);
    assert!(!mount.join(".search").exists());
    let searched = mount.subcommand(&["search", mount.arg(), "text"]);
    assert_eq!(searched.status.code(), Some(1));
    remove(&mount, 3);
    umount_in_vain(&mut mount);
    mount.remount_with(&["index=on"]);
    assert_eq!(found(&mount, "text"), names(1..=2));
}
