//! The errnos of what leaves the mount, of messages that have gone, and of sizes about which the
//! server lies.

use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use nix::unistd::ftruncate;
use tempfile::TempDir;

use crate::common::{Liar, Mount, Reply, corpus, stdout_of};
use crate::{assert_reads, assert_reads_all, errno, listed, mounted, name, read, umount};

fn maildrop(count: usize) -> (Vec<Vec<u8>>, Liar, Mount) {
    let messages = corpus::realistic(69, count);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    (messages, liar, mount)
}

#[test]
fn nothing_is_renamed_or_linked_across_the_border() {
    let (messages, _liar, mount) = maildrop(2);
    let outside = TempDir::new().expect("a folder");
    let (here, there) = (mount.join(name(1)), outside.path().join("x"));
    assert_eq!(errno(fs::rename(&here, &there)), Errno::EXDEV);
    assert_eq!(errno(fs::hard_link(&here, &there)), Errno::EXDEV);
    fs::write(&there, "x").expect("a file outside");
    assert_eq!(errno(fs::rename(&there, mount.join("x"))), Errno::EXDEV);
    assert_eq!(errno(fs::rename(&there, &here)), Errno::EXDEV);
    assert_eq!(errno(fs::copy(&there, &here)), Errno::EPERM);
    assert_reads_all(mount.path(), &messages);
}

#[test]
fn a_message_that_is_open_is_not_changed_through_its_descriptor() {
    let (messages, _liar, mount) = maildrop(1);
    let file = File::open(mount.join(name(1))).expect("a message");
    let now = TimeSpec::new(1, 0);
    assert_eq!(futimens(&file, &now, &now), Err(Errno::EPERM));
    assert_eq!(ftruncate(file.as_fd(), 0), Err(Errno::EINVAL));
    assert_eq!(
        errno(file.set_permissions(Permissions::from_mode(0o777))),
        Errno::EPERM
    );
    assert_reads_all(mount.path(), &messages);
}

#[test]
fn the_mount_point_itself_stays() {
    let (_, _liar, mount) = maildrop(1);
    assert_eq!(errno(fs::remove_dir(mount.path())), Errno::EBUSY);
    assert_eq!(
        errno(fs::rename(mount.path(), mount.path().with_file_name("x"))),
        Errno::EBUSY
    );
}

#[test]
fn the_directories_of_the_maildir_stay() {
    let (_, liar, mut mount) = maildrop(1);
    let at_the_root = mounted(&liar.source(), &["view=maildir"]);
    for maildir in [&mount.join(".maildir"), at_the_root.path()] {
        for (name, new_name) in [("cur", "x"), ("new", "cur"), ("tmp", "x")] {
            let renamed = fs::rename(maildir.join(name), maildir.join(new_name));
            assert_eq!(errno(renamed), Errno::EPERM, "{name}");
            let removed = fs::remove_dir(maildir.join(name));
            assert_eq!(errno(removed), Errno::EPERM, "{name}");
        }
        let nothing = fs::rename(maildir.join("nothing"), maildir.join("x"));
        assert_eq!(errno(nothing), Errno::ENOENT);
    }
    umount(&mut mount);
}

#[test]
fn a_message_that_vanished_on_the_server_is_stale_alone() {
    let (messages, liar, mount) = maildrop(4);
    stdout_of(&["ls", "-l", mount.arg()]);
    let held = File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(mount.join(name(3)))
        .expect("a handle that reads nothing");
    liar.remove(3);
    let again = format!("/proc/self/fd/{}", held.as_raw_fd());
    assert_eq!(errno(File::open(again)), Errno::ESTALE);
    // After ESTALE the kernel looks the name up again.
    assert_eq!(errno(read(&mount.join(name(3)))), Errno::ENOENT);
    for serial in [1, 2, 4] {
        assert_reads(mount.path(), serial, &messages[serial as usize - 1]);
    }
    assert_eq!(listed(mount.path()), [1, 2, 4].map(name));
}

#[test]
fn what_was_opened_before_it_vanished_is_read_to_its_end() {
    let (messages, liar, mount) = maildrop(2);
    let mut file = File::open(mount.join(name(2))).expect("a message");
    liar.remove(2);
    let mut octets = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut octets).expect("a message");
    assert!(octets == messages[1]);
}

#[test]
fn a_message_over_the_limit_is_too_large_and_harms_no_other() {
    let messages = [corpus::large(1_100_000), corpus::with_body(b"small\r\n")];
    let liar = Liar::start(&messages);
    // Too large according to LIST, or in fact while LIST tells less.
    for offset in [0, -1_000_000] {
        liar.set_list_offset(1, offset);
        let mut mount = mounted(&liar.source(), &["max_message=1M"]);
        assert_eq!(errno(read(&mount.join(name(1)))), Errno::EFBIG);
        assert_reads(mount.path(), 2, &messages[1]);
        umount(&mut mount);
    }
}

#[test]
fn sizes_beyond_reason_end_no_mount() {
    let messages = corpus::realistic(70, 5);
    let liar = Liar::start(&messages);
    liar.on("STAT", Reply::Ok("5 18446744073709551615"));
    for serial in 1..=4 {
        liar.set_list_offset(serial, i64::MAX - 1_000_000);
    }
    let mut mount = mounted(&liar.source(), &[]);
    stdout_of(&["ls", "-l", mount.arg()]);
    stdout_of(&["df", mount.arg()]);
    // The size is a lie, so the engine tries the message.
    assert_reads(mount.path(), 1, &messages[0]);
    assert_reads(mount.path(), 5, &messages[4]);
    fs::remove_file(mount.join(name(2))).expect("to remove a file");
    umount(&mut mount);
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}

#[test]
fn writing_is_refused_by_programs_too() {
    let (messages, _liar, mount) = maildrop(2);
    for script in [
        "echo x >$0",
        "echo x >>$0",
        "cp $0 $0.copy",
        "sed -i s/a/b/ $0",
        "touch $0",
        "ln -s $0 $0.link",
    ] {
        let file = mount.join(name(1));
        let output =
            crate::common::run(&[Path::new("sh"), Path::new("-c"), Path::new(script), &file]);
        assert!(!output.status.success(), "{script}");
        assert!(
            crate::stderr(&output).contains("not permitted"),
            "{script}: {output:?}"
        );
    }
    assert_eq!(listed(mount.path()), [1, 2].map(name));
    assert_reads_all(mount.path(), &messages);
}

/// Of a reply to TOP 256 KiB are kept. A part of the headers is not shown as if it were all.
#[test]
fn very_long_headers_are_shown_from_the_body() {
    let line = format!("X-Long: {}\r\n", "x".repeat(990));
    let headers = line.repeat(300);
    let message = format!("{headers}\r\nbody\r\n").into_bytes();
    let liar = Liar::start(std::slice::from_ref(&message));
    let mount = mounted(&liar.source(), &[]);
    let shown = fs::read(mount.join(".headers/liar-1.txt")).expect("the headers");
    assert!(shown.starts_with(headers.as_bytes()), "{}", shown.len());
    assert_reads(mount.path(), 1, &message);
}
