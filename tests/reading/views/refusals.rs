//! What cannot be done in views, and what they cannot show.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{mkfifo, truncate};

use super::super::common::{Liar, Mount, corpus, stdout_of};
use super::super::{in_clear, listed, read};
use super::{Attached, dovecot, names, noise, stems, with_attachments};

fn maildrop(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&[
        with_attachments(&[Attached::named("a.bin", vec![1])]),
        corpus::with_body(b"other\r\n"),
    ]);
    let mount = in_clear(&liar.source(), options);
    (liar, mount)
}

fn errno<T>(result: io::Result<T>) -> Errno {
    let error = result.err().expect("a refusal");
    Errno::from_raw(error.raw_os_error().expect("an errno"))
}

fn write(path: &Path, flags: i32) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(flags & libc::O_CREAT != 0);
    options.custom_flags(flags & !libc::O_CREAT).open(path)
}

const FILES: [&str; 4] = [
    ".text/liar-1.txt",
    ".parts/liar-1/headers",
    ".parts/liar-1/text.txt",
    ".parts/liar-1/attachments/a.bin",
];

const DIRECTORIES: [&str; 4] = [
    ".text",
    ".parts",
    ".parts/liar-1",
    ".parts/liar-1/attachments",
];

/// Every way to change something except a removal, and its errno.
fn attempts(mount: &Mount) -> Vec<(String, Errno)> {
    let (on_files, on_directories) = (
        FILES.map(|name| on_file(mount, name)),
        DIRECTORIES.map(|name| on_directory(mount, name)),
    );
    on_files
        .into_iter()
        .chain(on_directories)
        .flatten()
        .collect()
}

fn on_file(mount: &Mount, name: &str) -> Vec<(String, Errno)> {
    let file = mount.join(name);
    let elsewhere = |to: &str| errno(fs::rename(&file, mount.join(to)));
    let all = [
        ("write", errno(write(&file, 0))),
        ("append", errno(write(&file, libc::O_APPEND))),
        ("truncate by open", errno(write(&file, libc::O_TRUNC))),
        ("truncate", truncate(&file, 1).expect_err("a refusal")),
        (
            "chmod",
            errno(fs::set_permissions(&file, Permissions::from_mode(0o600))),
        ),
        (
            "rename",
            errno(fs::rename(&file, file.with_extension("new"))),
        ),
        ("rename to the root", elsewhere("new.eml")),
        ("rename over a message", elsewhere("liar-2.eml")),
        ("rename among the deleted", elsewhere(".deleted/liar-1.eml")),
        (
            "link",
            errno(fs::hard_link(&file, file.with_extension("new"))),
        ),
    ];
    all.map(|(what, errno)| (format!("{what} {name}"), errno))
        .into()
}

fn on_directory(mount: &Mount, name: &str) -> Vec<(String, Errno)> {
    let directory = mount.join(name);
    let new = directory.join("new.txt");
    let all = [
        ("create in", errno(write(&new, libc::O_CREAT))),
        ("mkdir in", errno(fs::create_dir(&new))),
        (
            "mkfifo in",
            mkfifo(&new, nix::sys::stat::Mode::S_IRUSR).expect_err("a refusal"),
        ),
        ("symlink in", errno(symlink("/etc/passwd", &new))),
        (
            "move a message into",
            errno(fs::rename(
                mount.join("liar-2.eml"),
                directory.join("liar-2.eml"),
            )),
        ),
        (
            "chmod",
            errno(fs::set_permissions(
                &directory,
                Permissions::from_mode(0o755),
            )),
        ),
        ("rename", errno(fs::rename(&directory, mount.join("new")))),
    ];
    all.map(|(what, errno)| (format!("{what} {name}"), errno))
        .into()
}

fn assert_all(attempts: &[(String, Errno)], expected: Errno) {
    let others: Vec<_> = attempts
        .iter()
        .filter(|(_, errno)| *errno != expected)
        .collect();
    assert!(others.is_empty(), "not {expected:?}: {others:?}");
}

fn assert_unchanged(mount: &Mount) {
    assert_eq!(listed(mount), ["liar-1.eml", "liar-2.eml"]);
    assert_eq!(names(&mount.join(".text")), ["liar-1.txt", "liar-2.txt"]);
    assert_eq!(names(&mount.join(".parts")), ["liar-1", "liar-2"]);
    assert_eq!(read(&mount.join(FILES[3])), [1]);
}

#[test]
fn nothing_can_be_written_or_made_in_a_view() {
    let (_liar, mount) = maildrop(&[]);
    assert_all(&attempts(&mount), Errno::EPERM);
    assert_unchanged(&mount);
}

#[test]
fn the_views_of_a_read_only_mount_say_that_it_is_one() {
    let (_liar, mount) = maildrop(&["ro"]);
    let mut attempts = attempts(&mount);
    for name in FILES {
        attempts.push((
            format!("unlink {name}"),
            errno(fs::remove_file(mount.join(name))),
        ));
    }
    attempts.push((
        "rmdir".to_owned(),
        errno(fs::remove_dir(mount.join(".parts/liar-1"))),
    ));
    assert_all(&attempts, Errno::EROFS);
    assert_unchanged(&mount);
}

#[test]
fn a_view_itself_cannot_be_removed() {
    let (_liar, mount) = maildrop(&[]);
    for view in [".text", ".parts"] {
        assert_eq!(
            errno(fs::remove_dir(mount.join(view))),
            Errno::EPERM,
            "{view}"
        );
    }
    assert_unchanged(&mount);
}

#[test]
fn files_of_a_view_are_no_directories_and_directories_no_files() {
    let (_liar, mount) = maildrop(&[]);
    for name in FILES {
        let file = mount.join(name);
        assert_eq!(errno(fs::read_dir(&file)), Errno::ENOTDIR, "{name}");
        assert_eq!(
            errno(fs::metadata(file.join("x"))),
            Errno::ENOTDIR,
            "{name}"
        );
        assert_eq!(errno(fs::remove_dir(&file)), Errno::ENOTDIR, "{name}");
    }
    for name in DIRECTORIES {
        let directory = mount.join(name);
        assert_eq!(errno(fs::read(&directory)), Errno::EISDIR, "{name}");
        assert_eq!(errno(fs::remove_file(&directory)), Errno::EISDIR, "{name}");
    }
}

#[test]
fn what_a_view_does_not_have_is_not_found() {
    let (_liar, mount) = maildrop(&[]);
    for name in [
        ".text/liar-1.eml",
        ".text/liar-1",
        ".text/.parts",
        ".text/liar-3.txt",
        ".parts/liar-1.eml",
        ".parts/liar-1.txt",
        ".parts/.deleted",
        ".parts/liar-2/attachments",
        ".parts/liar-1/attachments/b.bin",
        ".parts/liar-1/message-1",
        ".raw",
        ".pictures",
        "text",
    ] {
        assert_eq!(
            errno(fs::symlink_metadata(mount.join(name))),
            Errno::ENOENT,
            "{name}"
        );
    }
}

#[test]
fn a_name_of_256_octets_is_too_long_in_a_view() {
    let (_liar, mount) = maildrop(&[]);
    for name in DIRECTORIES {
        let too_long = mount.join(name).join("x".repeat(256));
        assert_eq!(errno(fs::metadata(too_long)), Errno::ENAMETOOLONG, "{name}");
    }
}

/// The message can be read in the root. A view of it would need more memory than its size.
#[test]
fn a_message_over_256_mib_is_too_large_for_text_and_parts_only() {
    let size = (256 << 20) + 1000;
    let mut message = corpus::with_body(b"");
    message.resize(size - 2, b'x');
    message.extend_from_slice(b"\r\n");
    let liar = Liar::start(&[message, corpus::with_body(b"other\r\n")]);
    let mount = in_clear(&liar.source(), &["timeout=2m"]);
    assert_eq!(
        errno(fs::read(mount.join(".text/liar-1.txt"))),
        Errno::EFBIG
    );
    assert_eq!(
        errno(fs::read_dir(mount.join(".parts/liar-1"))),
        Errno::EFBIG
    );
    assert_eq!(
        errno(fs::metadata(mount.join(".parts/liar-1/message.eml"))),
        Errno::EFBIG
    );
    let blank_line = corpus::with_body(b"");
    for headers in [".parts/liar-1/headers", ".headers/liar-1.txt"] {
        assert!(read(&mount.join(headers)) == blank_line, "{headers}");
    }
    let tail = |path: PathBuf| stdout_of(&["tail", "-c", "4", path.to_str().expect("ASCII")]);
    assert_eq!(tail(mount.join("liar-1.eml")), "xx\r\n");
    let new = mount.join(".maildir/new");
    assert_eq!(tail(new.join(&names(&new)[0])), "xxx\n");
    assert_eq!(names(&mount.join(".parts")), ["liar-1", "liar-2"]);
    assert_eq!(liar.count("RETR 1"), 1);
    fs::remove_dir(mount.join(".parts/liar-1")).expect("to remove what is too large to show");
    assert_eq!(listed(&mount), ["liar-2.eml"]);
}

#[test]
fn views_of_read_messages_outlast_the_server_others_time_out() {
    let messages: Vec<Vec<u8>> = (0..3)
        .map(|seed| with_attachments(&[Attached::named("a.bin", noise(seed, 1_000))]))
        .collect();
    let dovecot = dovecot(&messages);
    let mount = in_clear(&dovecot.source(), &["timeout=2s"]);
    let stems = stems(&mount);
    // The last message, so that nothing is read ahead after it.
    read(&mount.join(format!("{}.eml", stems[2])));
    stdout_of(&["ls", "-l", mount.arg()]);
    dovecot.pause();
    let text = read(&mount.join(format!(".text/{}.txt", stems[2])));
    assert_eq!(
        String::from_utf8(text).expect("UTF-8"),
        pop3fs::message::text(&messages[2])
    );
    let attached = mount.join(format!(".parts/{}/attachments/a.bin", stems[2]));
    assert!(read(&attached) == noise(2, 1_000));
    let unread = &stems[0];
    let headers = read(&mount.join(format!(".headers/{unread}.txt")));
    assert_eq!(headers, pop3fs::message::header_block(&messages[0]));
    for attempt in [
        errno(fs::read(mount.join(format!(".text/{unread}.txt")))),
        errno(fs::read_dir(mount.join(format!(".parts/{unread}")))),
        errno(fs::metadata(
            mount.join(format!(".parts/{unread}/message.eml")),
        )),
    ] {
        assert_eq!(attempt, Errno::ETIMEDOUT);
    }
    assert_eq!(names(&mount.join(".text")).len(), 3);
    dovecot.resume();
}
