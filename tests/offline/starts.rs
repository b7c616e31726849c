//! Mounts that begin without their server.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{MountBuilder, Place, Reply, assert_failed, assert_says, stderr, stdout};
use crate::{
    OFFLINE, Provider, attempt, await_server, listed, listed_with_all, name, read, read_alone,
    umount,
};
use pop3fs::cli::Failure;

const VIEWS: [&str; 5] = ["", ".text", ".named", ".maildir/cur", ".maildir/new"];

#[test]
fn an_offline_mount_shows_all_as_it_was() {
    let mut provider = Provider::start(60);
    let mut mount = provider.mount(&["xattr"]);
    read_alone(&mount, 1..=40);
    for view in VIEWS {
        listed_with_all(&mount, view);
    }
    let before = VIEWS.map(|view| listed_with_all(&mount, view));
    umount(&mut mount);
    provider.stop();
    mount.remount();
    let status = mount.status();
    assert!(status["offline"]["since"].is_u64(), "{status}");
    for (view, before) in VIEWS.iter().zip(before) {
        assert_eq!(listed_with_all(&mount, view), before, "{view}");
    }
    read(&mount, 1..=40);
    assert_says(&mount.stderr(), &["offline: ", "the listing of "]);
}

#[test]
fn grep_finds_what_is_cached_while_the_server_is_away() {
    let mut provider = Provider::start(60);
    let mut mount = provider.mount(&[]);
    read_alone(&mount, 1..=40);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    let arguments = ["grep", "-rl", "text of message"].map(Path::new);
    let output = attempt(&[&arguments[..], &[mount.path()]].concat());
    assert_eq!(stdout(&output).lines().count(), 40);
    assert_eq!(stderr(&output).lines().count(), 20);
    for view in [".text", ".parts"] {
        let path = mount.join(view);
        let output = attempt(&[&arguments[..], &[&path]].concat());
        assert!(stdout(&output).lines().count() >= 40, "{view}");
    }
}

#[test]
fn an_uncached_message_fails_while_the_server_is_away() {
    let mut provider = Provider::start(3);
    let mut mount = provider.mount(&[]);
    read_alone(&mount, 1..=2);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    for _ in 0..3 {
        let error = fs::read(mount.join(name(3))).expect_err("no body");
        let errnos = [Some(libc::EIO), Some(libc::ETIMEDOUT)];
        assert!(errnos.contains(&error.raw_os_error()), "{error}");
    }
    provider.restart(0);
    await_server(&mount);
    read(&mount, 1..=3);
}

#[test]
fn new_mail_shows_when_the_server_is_there_again() {
    let mut provider = Provider::start(5);
    let mut mount = provider.mount(&[]);
    read(&mount, 1..=5);
    umount(&mut mount);
    provider.stop();
    mount.remount();
    assert_eq!(listed(&mount, "").len(), 5);
    provider.restart(2);
    await_server(&mount);
    assert_eq!(listed(&mount, "").len(), 7);
    read(&mount, 1..=7);
    let status = mount.status();
    assert!(status["offline"].is_null(), "{status}");
}

#[test]
fn a_mount_that_may_not_begin_offline_is_refused() {
    let mut provider = Provider::start(3);
    let mut mount = provider.mount(&[]);
    umount(&mut mount);
    provider.stop();
    let output = provider.refused(&mount, &["offline=no"]);
    assert_failed(&output, Failure::Unreachable);
}

#[test]
fn a_first_mount_without_a_server_is_refused_and_leaves_nothing() {
    let mut provider = Provider::start(3);
    provider.stop();
    let builder = MountBuilder::new(&provider.source());
    let builder = OFFLINE
        .iter()
        .fold(builder, |builder, option| builder.option(option));
    assert_failed(&builder.refused(), Failure::Unreachable);
}

#[test]
fn a_busy_maildrop_is_mounted_offline_and_a_refused_login_is_not() {
    let provider = Provider::start(3);
    let mut mount = provider.mount(&[]);
    read(&mount, 1..=3);
    umount(&mut mount);
    provider.liar().on("PASS", Reply::Err("[IN-USE] locked"));
    mount.remount();
    assert_eq!(listed(&mount, "").len(), 3);
    read(&mount, 1..=3);
    provider.liar().behave("PASS");
    await_server(&mount);
    umount(&mut mount);
    provider.liar().on("PASS", Reply::Err("wrong password"));
    let output = provider.refused(&mount, &[]);
    assert_failed(&output, Failure::LoginRefused);
}

#[test]
fn a_mount_in_the_background_says_that_it_is_offline() {
    let mut provider = Provider::start(3);
    let mut mount = provider.mount(&[]);
    umount(&mut mount);
    provider.stop();
    let cache = format!("cache_dir={}", mount.cache_dir().join("pop3fs").display());
    let place = Place::create();
    let mut command = place.program();
    for option in OFFLINE.iter().chain([&cache.as_str()]) {
        command.args(["-o", option]);
    }
    command.arg(provider.source()).arg(place.mount_point());
    command.env("POP3FS_PASSWORD", "secret");
    let output = command.output().expect("the program");
    assert!(output.status.success(), "{}", stderr(&output));
    assert_says(&stderr(&output), &["offline: ", "the listing of "]);
    let umounted = Command::new("umount").arg(place.mount_point()).status();
    assert!(umounted.expect("umount").success());
    place.wait_until_no_process_is_left();
}
