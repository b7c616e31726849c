//! What cannot be done in a mount, and the errno for it.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, chown, mkfifo, truncate};

use super::common::{Liar, Mount, corpus, stdout_of};
use super::{in_clear, listed, read};

const MESSAGE: &str = "liar-1.eml";
const OTHER: &str = "liar-2.eml";

fn maildrop(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&corpus::realistic(40, 2));
    let mount = in_clear(&liar.source(), options);
    (liar, mount)
}

fn errno<T>(result: io::Result<T>) -> Errno {
    let error = result.err().expect("a refusal");
    Errno::from_raw(error.raw_os_error().expect("an errno"))
}

fn open(path: &Path, flags: i32) -> io::Result<fs::File> {
    let write = flags & libc::O_ACCMODE != libc::O_RDONLY;
    let read = flags & libc::O_ACCMODE != libc::O_WRONLY;
    OpenOptions::new()
        .read(read)
        .write(write)
        .create(flags & libc::O_CREAT != 0 && write)
        .custom_flags(flags & !libc::O_ACCMODE)
        .open(path)
}

/// Every way to change something except unlink, and its errno.
fn attempts(mount: &Mount) -> Vec<(&'static str, Errno)> {
    let message = mount.join(MESSAGE);
    let new = mount.join("new");
    let mode = Mode::from_bits_truncate(0o600);
    let refused = |result: nix::Result<()>| result.expect_err("a refusal");
    vec![
        ("write only", errno(open(&message, libc::O_WRONLY))),
        ("read and write", errno(open(&message, libc::O_RDWR))),
        (
            "append",
            errno(open(&message, libc::O_WRONLY | libc::O_APPEND)),
        ),
        (
            "open and truncate",
            errno(open(&message, libc::O_RDONLY | libc::O_TRUNC)),
        ),
        ("create", errno(open(&new, libc::O_WRONLY | libc::O_CREAT))),
        (
            "create in .deleted",
            errno(open(
                &mount.join(".deleted/new"),
                libc::O_RDWR | libc::O_CREAT,
            )),
        ),
        (
            "an unnamed file",
            errno(open(mount.path(), libc::O_RDWR | libc::O_TMPFILE)),
        ),
        ("truncate", refused(truncate(&message, 10))),
        ("lengthen", refused(truncate(&message, 1 << 30))),
        (
            "chmod",
            errno(fs::set_permissions(&message, Permissions::from_mode(0o600))),
        ),
        (
            "chmod of the root",
            errno(fs::set_permissions(
                mount.path(),
                Permissions::from_mode(0o755),
            )),
        ),
        (
            "chown",
            refused(chown(
                &message,
                Some(Uid::from_raw(1)),
                Some(Gid::from_raw(1)),
            )),
        ),
        ("utimensat", refused(touch(&message))),
        ("mkdir", errno(fs::create_dir(&new))),
        ("mknod", refused(mknod(&new, SFlag::S_IFREG, mode, 0))),
        ("mkfifo", refused(mkfifo(&new, mode))),
        ("symlink", errno(symlink("/etc/passwd", &new))),
        ("link", errno(fs::hard_link(&message, &new))),
        ("rename", errno(fs::rename(&message, &new))),
        (
            "rename over another",
            errno(fs::rename(&message, mount.join(OTHER))),
        ),
        (
            "rename on the way to .deleted",
            errno(fs::rename(&message, mount.join(".deleted/other.eml"))),
        ),
        ("rmdir", errno(fs::remove_dir(mount.join(".deleted")))),
    ]
}

fn touch(path: &Path) -> nix::Result<()> {
    let time = TimeSpec::new(1, 0);
    utimensat(
        nix::fcntl::AT_FDCWD,
        path,
        &time,
        &time,
        UtimensatFlags::FollowSymlink,
    )
}

fn assert_all(attempts: &[(&str, Errno)], expected: Errno) {
    let others: Vec<_> = attempts
        .iter()
        .filter(|(_, errno)| *errno != expected)
        .collect();
    assert!(others.is_empty(), "not {expected:?}: {others:?}");
}

#[test]
fn a_maildrop_cannot_be_written_to() {
    let (_liar, mount) = maildrop(&[]);
    let attempts: Vec<_> = attempts(&mount)
        .into_iter()
        // The kernel asks for an operation that pop3fs does not have, and reports that.
        .filter(|(what, _)| *what != "an unnamed file")
        .collect();
    assert_all(&attempts, Errno::EPERM);
    assert_unchanged(&mount);
}

#[test]
fn a_read_only_maildrop_says_so() {
    let (_liar, mount) = maildrop(&["ro"]);
    let mut attempts = attempts(&mount);
    attempts.push(("unlink", errno(fs::remove_file(mount.join(MESSAGE)))));
    assert_all(&attempts, Errno::EROFS);
    assert_unchanged(&mount);
}

#[test]
fn no_unnamed_file_can_be_made() {
    let (_liar, mount) = maildrop(&[]);
    let errno = errno(open(mount.path(), libc::O_RDWR | libc::O_TMPFILE));
    assert!(matches!(errno, Errno::EPERM | Errno::EOPNOTSUPP), "{errno}");
}

fn assert_unchanged(mount: &Mount) {
    assert_eq!(listed(mount), [MESSAGE, OTHER]);
    assert_eq!(read(&mount.join(MESSAGE)), corpus::realistic(40, 1)[0]);
}

#[test]
fn what_is_not_there_is_not_found() {
    let (_liar, mount) = maildrop(&[]);
    for name in [
        "x",
        "liar-1",
        "LIAR-1.eml",
        "liar-1.eml ",
        "%.eml",
        "liar-1~1.eml",
        "liar-1~2.eml",
        ".deleted.eml",
        ".deleted/liar-1.eml",
        ".Trash",
        "...",
    ] {
        assert_eq!(
            errno(fs::metadata(mount.join(name))),
            Errno::ENOENT,
            "{name}"
        );
        assert_eq!(
            errno(open(&mount.join(name), libc::O_RDONLY)),
            Errno::ENOENT,
            "{name}"
        );
    }
    assert_eq!(errno(fs::remove_file(mount.join("x"))), Errno::ENOENT);
    assert_eq!(
        errno(fs::rename(mount.join("x"), mount.join("y"))),
        Errno::ENOENT
    );
}

#[test]
fn a_name_of_octets_that_are_no_text_is_not_found() {
    let (_liar, mount) = maildrop(&[]);
    let name = OsStr::from_bytes(b"\xff\xfe");
    assert_eq!(errno(fs::metadata(mount.path().join(name))), Errno::ENOENT);
}

#[test]
fn a_message_is_no_directory() {
    let (_liar, mount) = maildrop(&[]);
    let message = mount.join(MESSAGE);
    assert_eq!(errno(fs::metadata(message.join("x"))), Errno::ENOTDIR);
    assert_eq!(errno(fs::read_dir(&message)), Errno::ENOTDIR);
    assert_eq!(errno(fs::remove_dir(&message)), Errno::ENOTDIR);
    assert_eq!(
        errno(open(&message, libc::O_RDONLY | libc::O_DIRECTORY)),
        Errno::ENOTDIR
    );
}

#[test]
fn a_directory_is_no_message() {
    let (_liar, mount) = maildrop(&[]);
    for directory in [mount.path().to_owned(), mount.join(".deleted")] {
        assert_eq!(errno(fs::read(&directory)), Errno::EISDIR);
        assert_eq!(errno(open(&directory, libc::O_WRONLY)), Errno::EISDIR);
    }
    assert_eq!(
        errno(fs::remove_file(mount.join(".deleted"))),
        Errno::EISDIR
    );
}

#[test]
fn a_name_of_256_octets_is_too_long() {
    let (_liar, mount) = maildrop(&[]);
    let (fits, too_long) = (mount.join("x".repeat(255)), mount.join("x".repeat(256)));
    assert_eq!(errno(fs::metadata(&fits)), Errno::ENOENT);
    assert_eq!(errno(fs::metadata(&too_long)), Errno::ENAMETOOLONG);
    assert_eq!(errno(fs::remove_file(&too_long)), Errno::ENAMETOOLONG);
    let message = mount.join(MESSAGE);
    assert_eq!(errno(fs::rename(&message, &too_long)), Errno::ENAMETOOLONG);
}

#[test]
fn a_name_of_256_octets_is_too_long_even_if_they_are_no_text() {
    let (_liar, mount) = maildrop(&[]);
    let too_long = mount.path().join(OsStr::from_bytes(&[0xff; 256]));
    assert_eq!(errno(fs::metadata(too_long)), Errno::ENAMETOOLONG);
}

/// The errno of getxattr, listxattr, setxattr and removexattr.
fn xattr_refusals(mount: &Mount) -> Vec<i32> {
    let script = "import os, sys\n\
                  path = sys.argv[1]\n\
                  for call in (lambda: os.getxattr(path, 'user.x'), lambda: os.listxattr(path),\n\
                  \x20            lambda: os.setxattr(path, 'user.x', b'1'), lambda: os.removexattr(path, 'user.x')):\n\
                  \x20   try: call(); print(0)\n\
                  \x20   except OSError as error: print(error.errno)";
    let message = mount.join(MESSAGE);
    let printed = stdout_of(&[
        "python3".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        message.as_os_str(),
    ]);
    printed
        .lines()
        .map(|line| line.parse().expect("an errno"))
        .collect()
}

#[test]
fn there_are_no_extended_attributes() {
    let (_liar, mount) = maildrop(&[]);
    let [get, list, set, remove] = xattr_refusals(&mount)[..] else {
        panic!("four answers");
    };
    assert_eq!([get, set, remove], [libc::EOPNOTSUPP; 3]);
    // Python reports an unsupported listing as an empty one or as an error.
    assert!([0, libc::EOPNOTSUPP].contains(&list), "{list}");
}
