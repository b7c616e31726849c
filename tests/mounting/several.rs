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
