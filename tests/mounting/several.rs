//! Several mounts at once, in different directories and in the same one.

use std::fs::{self, File};
use std::io::Read;

use crate::common::{Background, corpus, eventually, run};
use crate::{Ground, LIMIT, in_clear, liar, stderr, stdout};

#[test]
fn two_mounts_do_not_disturb_each_other() {
    let (here, there) = (liar(2), liar(3));
    let (mut one, two) = (in_clear(&here.source()), in_clear(&there.source()));
    fs::remove_file(one.join("liar-1.eml")).expect("to remove a file");
    fs::remove_file(two.join("liar-2.eml")).expect("to remove a file");
    let output = one.umount();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    one.wait();
    assert_eq!(here.left_serials(), [2]);
    assert_eq!(there.left_serials(), [1, 2, 3]);
    assert_eq!(fs::read_dir(two.path()).expect("the root").count(), 2);
    let output = two.subcommand(&["commit", two.arg()]);
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
    assert_eq!(there.left_serials(), [1, 3]);
}

#[test]
fn two_mounts_of_one_maildrop_both_serve() {
    let liar = liar(2);
    let (one, two) = (in_clear(&liar.source()), in_clear(&liar.source()));
    let messages = corpus::realistic(21, 2);
    for mount in [&one, &two] {
        let octets = fs::read(mount.join("liar-2.eml")).expect("a message");
        assert!(octets == messages[1]);
    }
}

/// A mount in the foreground at a mount point that several mounts of the test use.
fn serving(ground: &Ground, source: &str) -> Background {
    let mut command = ground.0.program();
    command
        .args(["-f", "-o", "tls=off,cache=off", source, ground.dir()])
        .env("POP3FS_PASSWORD", "secret");
    let serving = Background::spawn(&mut command);
    eventually("the mount", || ground.0.is_mounted().then_some(()));
    serving
}

#[test]
fn the_end_of_a_lazily_unmounted_mount_spares_a_newer_one() {
    let (ground, old, new) = (Ground::new(), liar(2), liar(3));
    let older = serving(&ground, &old.source());
    let mut file = File::open(ground.0.mount_point().join("liar-1.eml")).expect("a message");
    fs::remove_file(ground.0.mount_point().join("liar-2.eml")).expect("to remove a file");
    assert!(run(&["umount", "--lazy", ground.dir()]).status.success());
    assert!(!ground.0.is_mounted());
    let newer = serving(&ground, &new.source());
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("the rest of the file");
    assert!(octets == corpus::realistic(21, 1)[0]);
    drop(file);
    let ended = older.output_within(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(old.left_serials(), [1]);
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 3);
    let output = ground.pop3fs(&["umount", ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(newer.output_within(LIMIT).status.code(), Some(0));
}

#[test]
fn a_signal_to_a_lazily_unmounted_mount_spares_a_newer_one() {
    let (ground, old, new) = (Ground::new(), liar(2), liar(3));
    let older = serving(&ground, &old.source());
    let file = File::open(ground.0.mount_point().join("liar-1.eml")).expect("a message");
    assert!(run(&["umount", "--lazy", ground.dir()]).status.success());
    let _newer = serving(&ground, &new.source());
    older.signal(nix::sys::signal::Signal::SIGTERM);
    drop(file);
    assert_eq!(older.output_within(LIMIT).status.code(), Some(0));
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 3);
}

/// Hides the mounts of other tests in this mount namespace, then mounts $2 and $3 below the folder
/// $4, removes a message, and lists and unmounts all. One of those mounts may go with another one
/// that it lies in; the first `status` shows whether one is left.
const ALL: &str = "\
    awk '/ - fuse.pop3fs /{print $5}' /proc/self/mountinfo | while read -r dir; do umount -l \"$dir\" || true; done; \
    \"$1\" status; mkdir \"$4/one\" \"$4/two\"; \
    \"$1\" -o tls=off \"$2\" \"$4/one\"; \"$1\" -o tls=off \"$3\" \"$4/two\"; rm \"$4/two/liar-2.eml\"; \
    \"$1\" status; \"$1\" status --json; \"$1\" umount --all; \"$1\" status --json";

#[test]
fn all_mounts_are_listed_and_unmounted_together() {
    let (ground, first, second) = (Ground::new(), liar(2), liar(3));
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let (one, two) = (first.source(), second.source());
    let output = ground.in_a_namespace(ALL, &[&one, &two, folder]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<&str> = shown.lines().collect();
    let [
        none,
        listed_one,
        listed_two,
        json,
        ended_one,
        ended_two,
        empty,
    ] = lines[..]
    else {
        panic!("{shown}");
    };
    assert_eq!(none, "nothing is mounted");
    assert_eq!(listed_one, format!("{one} on {folder}/one: 2 messages"));
    let start = format!("{two} on {folder}/two: 2 messages, 1 deletion, ");
    assert!(listed_two.starts_with(&start), "{listed_two}");
    assert!(listed_two.ends_with(" pending"), "{listed_two}");
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(json[0]["source"], one);
    assert_eq!(json[1]["pending"], serde_json::json!(["liar-2.eml"]));
    assert!(json[1]["pending_octets"].as_u64() > Some(0), "{json}");
    assert_eq!(ended_one, format!("{folder}/one: nothing to delete"));
    assert_eq!(
        ended_two,
        format!("{folder}/two: 1 message deleted on the server")
    );
    assert_eq!(empty, "[]");
    assert_eq!(second.left_serials(), [1, 3]);
}
