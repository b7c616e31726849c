//! Ends of a mount other than a plain umount: an abort, a forced umount, and a filesystem that a
//! bind mount or another mount namespace keeps alive. These tests need root.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::{UnlinkatFlags, unlinkat};
use tempfile::TempDir;

use crate::common::{Background, Liar, Mount, eventually, output_within, run};
use crate::{SOON, liar, mounted, name, remove, said};

const COUNT: usize = 5;

/// A mount with five messages of which the second was removed.
fn second_removed() -> (Liar, Mount) {
    let liar = liar(COUNT);
    let mount = mounted(&liar, &["timeout=3s"]);
    remove(&mount, &name(2));
    (liar, mount)
}

/// The mount's process must end in time, report that nothing was committed, and delete nothing.
fn assert_ends_without_commit(liar: &Liar, mount: &mut Mount) {
    let ended = mount.wait();
    let status = ended.status.and_then(|status| status.code());
    assert_eq!(liar.left_serials().len(), COUNT, "{}", ended.stderr);
    assert_eq!(status, crate::uncommitted(), "{}", ended.stderr);
    assert_eq!(liar.count("DELE"), 0);
}

/// The server must lose the removed message soon and no other, without any further action.
fn assert_commits_soon(liar: &Liar) {
    eventually("the commit", || {
        (liar.left_serials() == [1, 3, 4, 5]).then_some(())
    });
}

/// The number of the mount's connection in fusectl: the minor number of its device.
fn connection(mount: &Mount) -> u64 {
    let device = fs::metadata(mount.path()).expect("the root").dev();
    nix::sys::stat::minor(device)
}

/// Aborts the mount's FUSE connection through fusectl, mounted only for this command.
fn abort(mount: &Mount) {
    let script = "mount --make-rprivate / && mount -t fusectl fusectl /sys/fs/fuse/connections \
                  && echo 1 > /sys/fs/fuse/connections/$1/abort";
    let number = connection(mount).to_string();
    let output = run(&["unshare", "--mount", "sh", "-euc", script, "sh", &number]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_abort_of_the_connection_commits_nothing() {
    let (liar, mut mount) = second_removed();
    abort(&mount);
    assert!(mount.is_mounted());
    assert_ends_without_commit(&liar, &mut mount);
}

#[test]
fn an_abort_with_an_open_file_commits_nothing() {
    let (liar, mut mount) = second_removed();
    let _open = File::open(mount.join(name(1))).expect("a message");
    abort(&mount);
    assert_ends_without_commit(&liar, &mut mount);
}

#[test]
fn an_abort_during_a_commit_ends_in_time() {
    let (liar, mut mount) = second_removed();
    liar.once("DELE", crate::common::Reply::Silent);
    let commit = Background::spawn(&mut mount.subcommand_line(&["commit", mount.arg()]));
    liar.wait_for("DELE", 1);
    abort(&mount);
    let ended = mount.wait();
    drop(commit);
    assert_eq!(liar.left_serials().len(), COUNT, "{}", ended.stderr);
}

#[test]
fn a_forced_umount_of_a_busy_mount_commits_nothing() {
    let (liar, mut mount) = second_removed();
    let _open = File::open(mount.join(name(1))).expect("a message");
    let _busy = run(&["umount", "-f", mount.arg()]);
    assert!(mount.is_mounted());
    assert_ends_without_commit(&liar, &mut mount);
}

#[test]
fn a_forced_umount_of_a_working_directory_commits_nothing() {
    let (liar, mut mount) = second_removed();
    let mut shell = Command::new("sleep");
    shell.arg("600").current_dir(mount.path());
    let _shell = Background::spawn(&mut shell);
    let _busy = run(&["umount", "-f", mount.arg()]);
    assert_ends_without_commit(&liar, &mut mount);
}

/// A bind mount of the mount; dropping it unmounts it.
struct Bind {
    place: PathBuf,
    _folder: TempDir,
}

impl Bind {
    fn of(mount: &Mount) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().canonicalize().expect("a path");
        let bound = run(&[
            Path::new("mount"),
            Path::new("--bind"),
            mount.path(),
            &place,
        ]);
        assert!(bound.status.success(), "{bound:?}");
        Self {
            place,
            _folder: folder,
        }
    }
}

impl Drop for Bind {
    fn drop(&mut self) {
        // It may be unmounted already.
        let _ = run(&[Path::new("umount"), Path::new("-l"), &self.place]);
    }
}

#[test]
fn a_forced_umount_of_a_bind_mount_commits_nothing() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    let _forced = run(&[Path::new("umount"), Path::new("-f"), &bind.place]);
    assert!(mount.is_mounted());
    assert_ends_without_commit(&liar, &mut mount);
}

#[test]
fn a_plain_umount_of_a_bind_mount_ends_nothing() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    let output = run(&[Path::new("umount"), &bind.place]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        fs::read(mount.join(name(1))).expect("a message"),
        liar.left()[0]
    );
    assert_eq!(liar.count("DELE"), 0);
    let (status, said) = crate::umount(&mut mount);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}

/// A process in a mount namespace of its own, which holds the mount and no other FUSE filesystem.
fn holder(mount: &Mount) -> Background {
    let script = "for other in $(findmnt -rno TARGET -t fuse.pop3fs); do
          [ \"$other\" = \"$1\" ] || umount -l \"$other\"
      done
      echo held
      exec sleep 600";
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-uc",
        script,
        "sh",
    ]);
    command.arg(mount.path());
    let holder = Background::spawn(&mut command);
    eventually("the namespace to hold the mount", || {
        (holder.stdout() == "held\n").then_some(())
    });
    holder
}

/// Runs `pop3fs umount`, which must commit and end in time; returns what it said.
fn umount_in_time(mount: &Mount) -> String {
    let mut command = mount.subcommand_line(&["umount", mount.arg()]);
    let (status, said) = said(&output_within(SOON, &mut command));
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("1 message deleted"), "{said}");
    said
}

#[test]
fn pop3fs_umount_commits_while_a_bind_mount_lives() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    umount_in_time(&mount);
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
    drop(bind);
    mount.wait();
}

#[test]
fn pop3fs_umount_commits_while_a_namespace_lives() {
    let (liar, mut mount) = second_removed();
    let holder = holder(&mount);
    umount_in_time(&mount);
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
    drop(holder);
    mount.wait();
}

#[test]
fn a_plain_umount_commits_while_a_bind_mount_lives() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    let output = run(&["umount", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    assert_commits_soon(&liar);
    drop(bind);
    mount.wait();
}

#[test]
fn a_plain_umount_commits_while_a_namespace_lives() {
    let (liar, mut mount) = second_removed();
    let holder = holder(&mount);
    let output = run(&["umount", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    assert_commits_soon(&liar);
    drop(holder);
    mount.wait();
}

#[test]
fn fusermount_commits_while_a_namespace_lives() {
    let (liar, mut mount) = second_removed();
    let holder = holder(&mount);
    let output = run(&["fusermount3", "-u", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    assert_commits_soon(&liar);
    drop(holder);
    mount.wait();
}

#[test]
fn a_lazy_umount_commits_while_a_namespace_lives() {
    let (liar, mut mount) = second_removed();
    let holder = holder(&mount);
    let output = run(&["umount", "-l", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    assert_commits_soon(&liar);
    drop(holder);
    mount.wait();
}

#[test]
fn sigterm_commits_and_ends_while_a_bind_mount_lives() {
    let (liar, mut mount) = second_removed();
    let _bind = Bind::of(&mount);
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    assert_eq!(liar.left_serials(), [1, 3, 4, 5], "{}", ended.stderr);
    assert!(ended.status.is_some_and(|status| status.success()));
}

#[test]
fn sigterm_commits_and_ends_while_a_namespace_lives() {
    let (liar, mut mount) = second_removed();
    let _holder = holder(&mount);
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    assert_eq!(liar.left_serials(), [1, 3, 4, 5], "{}", ended.stderr);
    assert!(ended.status.is_some_and(|status| status.success()));
}

/// A program that uses the bind mount can still read what it has open after the commit.
#[test]
fn a_file_open_in_a_bind_mount_is_readable_after_the_commit() {
    let (liar, mut mount) = second_removed();
    let right = liar.left();
    let bind = Bind::of(&mount);
    let mut file = File::open(bind.place.join(name(1))).expect("a message");
    umount_in_time(&mount);
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("an open file");
    assert!(octets == right[0]);
    drop(file);
    drop(bind);
    mount.wait();
}

/// After the commit nothing that happens in the other mount can delete anything.
#[test]
fn a_removal_in_a_bind_mount_after_the_commit_deletes_nothing() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    umount_in_time(&mount);
    let removed = fs::remove_file(bind.place.join(name(4)));
    assert_eq!(errno_of(removed), Some(Errno::EROFS));
    drop(bind);
    mount.wait();
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}

/// A new mount in the same place is independent of the old one that a bind mount keeps alive.
#[test]
fn the_old_mount_deletes_nothing_behind_a_new_one() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    let output = run(&["umount", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    assert_commits_soon(&liar);
    let new = mounted(&liar, &["timeout=3s"]);
    assert_eq!(crate::listed(&new).len(), 4);
    drop(bind);
    mount.wait();
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}

/// `umount -f` aborts the connection and then unmounts, so the session ends first.
#[test]
fn a_forced_umount_of_an_idle_mount_commits() {
    let (liar, mut mount) = second_removed();
    let output = run(&["umount", "-f", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    let ended = mount.wait();
    assert!(ended.status.is_some_and(|status| status.success()));
    assert_eq!(liar.left_serials(), [1, 3, 4, 5], "{}", ended.stderr);
}

/// timeout(1) sends its signal to the process and to its group.
#[test]
fn a_sigterm_that_comes_twice_at_once_commits() {
    let (liar, mut mount) = second_removed();
    mount.signal(Signal::SIGTERM);
    mount.signal(Signal::SIGTERM);
    let ended = mount.wait();
    assert!(ended.status.is_some_and(|status| status.success()));
    assert_eq!(liar.left_serials(), [1, 3, 4, 5], "{}", ended.stderr);
}

/// What is not open or cached cannot be read any more, and nobody waits for it.
#[test]
fn an_unread_file_of_a_committed_bind_mount_fails_at_once() {
    let (liar, mut mount) = second_removed();
    let bind = Bind::of(&mount);
    umount_in_time(&mount);
    let retrieved = liar.count("RETR");
    let read = fs::read(bind.place.join(name(5)));
    assert_eq!(errno_of(read), Some(Errno::EIO));
    assert_eq!(liar.count("RETR"), retrieved);
    drop(bind);
    mount.wait();
}

fn errno_of<T>(result: io::Result<T>) -> Option<Errno> {
    let errno = result.err()?.raw_os_error()?;
    Some(Errno::from_raw(errno))
}

/// The mount leaves the mount table at once; the filesystem lives until it is no longer used.
fn unmount_lazily(mount: &Mount) {
    let output = run(&["umount", "-l", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    assert!(!mount.is_mounted());
}

fn assert_ended_with_success(mount: &mut Mount) {
    let ended = mount.wait();
    let is_success = ended.status.is_some_and(|status| status.success());
    assert!(is_success, "{}", ended.stderr);
}

#[test]
fn a_lazy_umount_commits_when_the_last_file_is_closed() {
    let (liar, mut mount) = second_removed();
    let right = liar.left();
    let mut file = File::open(mount.join(name(1))).expect("a message");
    unmount_lazily(&mount);
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("an open file");
    assert!(octets == right[0]);
    drop(file);
    assert_ended_with_success(&mut mount);
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}

#[test]
fn a_lazy_umount_commits_though_a_file_stays_open() {
    let (liar, mut mount) = second_removed();
    let right = liar.left();
    let mut file = File::open(mount.join(name(1))).expect("a message");
    unmount_lazily(&mount);
    assert_commits_soon(&liar);
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("an open file");
    assert!(octets == right[0]);
    drop(file);
    assert_ended_with_success(&mut mount);
}

/// A program whose working directory is in the mount goes on for a while.
#[test]
fn a_removal_after_a_lazy_umount_is_committed_with_the_others() {
    let (liar, mut mount) = second_removed();
    let root = File::open(mount.path()).expect("the root");
    unmount_lazily(&mount);
    unlinkat(&root, name(4).as_str(), UnlinkatFlags::NoRemoveDir).expect("a removal");
    drop(root);
    assert_ended_with_success(&mut mount);
    assert_eq!(liar.left_serials(), [1, 3, 5]);
}

#[test]
fn after_the_commit_of_a_lazy_umount_nothing_is_removed() {
    let (liar, mut mount) = second_removed();
    let root = File::open(mount.path()).expect("the root");
    unmount_lazily(&mount);
    assert_commits_soon(&liar);
    let removed = unlinkat(&root, name(4).as_str(), UnlinkatFlags::NoRemoveDir);
    assert_eq!(removed, Err(Errno::EROFS));
    drop(root);
    assert_ended_with_success(&mut mount);
    assert_eq!(liar.left_serials(), [1, 3, 4, 5]);
}
