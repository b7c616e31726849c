//! `pop3fs cache`: listing and removing caches.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use pop3fs::cli::Failure;

use crate::common::{Mount, Reply, assert_failed, output_within};
use crate::{
    Ground, LIMIT, assert_says, in_clear, liar, sentence, stderr, stdout, without_a_reader,
};

fn cache(mount: &Mount, arguments: &[&str]) -> Output {
    mount.subcommand(&[&["cache"], arguments].concat())
}

fn listed(mount: &Mount) -> String {
    let output = cache(mount, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

fn end(mount: &mut Mount) {
    assert!(mount.umount().status.success());
    mount.wait();
}

#[test]
fn the_cache_of_a_mount_is_listed_and_cannot_be_removed() {
    let liar = liar(3);
    let mut mount = in_clear(&liar.source());
    fs::read(mount.join("liar-1.eml")).expect("a message");
    let shown = listed(&mount);
    let name = format!("alice@127.0.0.1_{}-", liar.port());
    assert_says(&shown, &[&name, "KiB", "mounted"]);
    for arguments in [&["clear", &liar.source()][..], &["clear", "--all"]] {
        let output = cache(&mount, arguments);
        assert_failed(&output, Failure::Other);
        assert_says(&stderr(&output), &["is used by a mount", "pop3fs umount"]);
    }
    end(&mut mount);
    assert!(!listed(&mount).contains("mounted"));
}

#[test]
fn a_cache_is_removed_by_its_url_or_by_its_name() {
    for by_name in [false, true] {
        let liar = liar(3);
        let mut mount = in_clear(&liar.source());
        fs::read(mount.join("liar-1.eml")).expect("a message");
        end(&mut mount);
        let shown = listed(&mount);
        let name = shown.split_whitespace().last().expect("a name");
        let account = if by_name { name } else { &liar.source() };
        let account = account.to_owned();
        let output = cache(&mount, &["clear", &account]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_says(&listed(&mount), &["nothing is cached"]);
        let output = cache(&mount, &["clear", &account]);
        assert_failed(&output, Failure::Usage);
        mount.remount();
        fs::read(mount.join("liar-1.eml")).expect("a message");
        assert_eq!(liar.count("RETR"), 2);
    }
}

#[test]
fn clear_wants_to_know_of_what() {
    let ground = Ground::new();
    let output = ground.pop3fs(&["cache", "clear"]);
    assert_failed(&output, Failure::Usage);
    let said = sentence(&ground.pop3fs(&["cache", "clear", "pops://al@h.invalid"]));
    assert_says(&said, &["nothing is cached of", "pop3fs cache"]);
    let output = ground.pop3fs(&["cache", "clear", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn cache_dir_is_accepted_before_and_after_the_subcommand() {
    let liar = liar(1);
    let mut mount = in_clear(&liar.source());
    fs::read(mount.join("liar-1.eml")).expect("a message");
    end(&mut mount);
    let ground = Ground::new();
    let folder = mount.cache_dir().join("pop3fs");
    let folder = folder.to_str().expect("a path in ASCII");
    let name = format!("alice@127.0.0.1_{}-", liar.port());
    for arguments in [
        &["cache", "--cache-dir", folder][..],
        &["cache", "--cache-dir", folder, "list"],
        &["cache", "list", "--cache-dir", folder],
    ] {
        let output = ground.pop3fs(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_says(&stdout(&output), &[&name]);
    }
    for (arguments, said) in [
        (
            ["cache", "--cache-dir", folder, "clear", "--all"],
            "removed: ",
        ),
        (["cache", "clear", "--all", "--cache-dir", folder], ""),
    ] {
        let output = ground.pop3fs(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).starts_with(said), "{output:?}");
    }
    assert_says(&listed(&mount), &["nothing is cached"]);
}

#[test]
fn a_cache_list_cut_off_by_its_reader_is_no_failure() {
    let ground = Ground::new();
    let output = output_within(LIMIT, &mut without_a_reader(&ground, &["cache"]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_failed_first_mount_leaves_no_cache() {
    let (ground, liar) = (Ground::new(), liar(1));
    let base = ground.0.folder().join("caches");
    let options = format!("tls=off,cache_dir={}", base.display());
    liar.on("PASS", Reply::Err("[AUTH] no"));
    let mount = |dir: &str| ground.pop3fs(&["-o", &options, &liar.source(), dir]);
    assert_failed(&mount(ground.dir()), Failure::LoginRefused);
    assert!(!base.exists());
    fs::create_dir(&base).expect("a folder");
    fs::set_permissions(&base, fs::Permissions::from_mode(0o700)).expect("a mode");
    assert_failed(&mount(ground.dir()), Failure::LoginRefused);
    assert_eq!(fs::read_dir(&base).expect("the caches").count(), 0);
}
