//! Reading is not copying: only a process that itself read the messages may remove many of them
//! without a confirmation.

use std::path::Path;

use pop3fs::cli::Failure;

use crate::common::{Liar, Mount, stdout_of};
use crate::{listed, message, mounted, name, of_different_sizes, remove, said, sync, umount};

const COUNT: usize = 12;

fn maildrop() -> (Liar, Mount) {
    let liar = Liar::start(&of_different_sizes(COUNT));
    let mount = mounted(&liar, &["timeout=5s"]);
    (liar, mount)
}

fn shell(mount: &Mount, script: &str, target: &Path) {
    stdout_of(&[
        Path::new("sh"),
        Path::new("-euc"),
        Path::new(script),
        Path::new("sh"),
        mount.path(),
        target,
    ]);
}

/// The umount must be held back and delete nothing.
fn assert_held_back(liar: &Liar, mount: &mut Mount) {
    assert_eq!(listed(mount), [""; 0]);
    let output = mount.umount();
    let (status, said) = said(&output);
    assert_eq!(liar.left_serials().len(), COUNT, "{said}");
    assert_eq!(status, Some(Failure::HeldBack.status().into()), "{said}");
}

fn assert_all_go(script: &str) {
    let (liar, mut mount) = maildrop();
    let archive = tempfile::tempdir().expect("an archive");
    shell(&mount, script, archive.path());
    assert_eq!(listed(&mount), [""; 0]);
    let (status, said) = umount(&mut mount);
    assert_eq!((status, liar.left_serials().len()), (Some(0), 0), "{said}");
}

#[test]
fn grep_in_an_earlier_mount_does_not_excuse_rm() {
    let (liar, mut mount) = maildrop();
    shell(
        &mount,
        "grep -rl message \"$1\" > \"$2\"",
        Path::new("/dev/null"),
    );
    mount.remount();
    shell(&mount, "rm -rf \"$1\"/*", Path::new("/"));
    assert_held_back(&liar, &mut mount);
}

#[test]
fn grep_in_this_mount_does_not_excuse_rm() {
    let (liar, mut mount) = maildrop();
    shell(
        &mount,
        "grep -rl message \"$1\" > \"$2\"",
        Path::new("/dev/null"),
    );
    shell(&mount, "rm -rf \"$1\"/*", Path::new("/"));
    assert_held_back(&liar, &mut mount);
}

#[test]
fn reading_a_part_of_each_message_does_not_excuse_its_removal() {
    // Larger than the kernel's read-ahead, so that the mount can see where reading stops.
    let filler = "x".repeat(500_000);
    let messages: Vec<Vec<u8>> = (0..COUNT).map(|index| message(index, &filler)).collect();
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar, &["timeout=5s"]);
    let script = "import os, sys
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    with open(path, 'rb') as file:
        os.pread(file.fileno(), 20, 0)
    os.unlink(path)";
    stdout_of(&["python3", "-c", script, mount.arg()]);
    assert_held_back(&liar, &mut mount);
}

#[test]
fn reading_the_headers_of_each_message_does_not_excuse_its_removal() {
    let (liar, mut mount) = maildrop();
    let script = "import os, sys
view = os.path.join(sys.argv[1], '.headers')
for name in sorted(os.listdir(view)):
    path = os.path.join(view, name)
    open(path, 'rb').read()
    os.unlink(path)";
    stdout_of(&["python3", "-c", script, mount.arg()]);
    assert_held_back(&liar, &mut mount);
}

#[test]
fn mv_of_all_messages_needs_no_confirmation() {
    assert_all_go("mv \"$1\"/* \"$2\"");
}

#[test]
fn find_exec_mv_needs_no_confirmation() {
    assert_all_go("find \"$1\" -name '*.eml' -exec mv {} \"$2\" \\;");
}

#[test]
fn rsync_with_remove_source_files_needs_no_confirmation() {
    assert_all_go("rsync -a --remove-source-files \"$1\"/ \"$2\"");
}

#[test]
fn a_program_that_reads_and_unlinks_needs_no_confirmation() {
    assert_all_go(
        "python3 -c 'import os, sys
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    open(path, \"rb\").read()
    os.unlink(path)' \"$1\"",
    );
}

#[test]
fn max_delete_counts_what_another_process_read() {
    let liar = Liar::start(&of_different_sizes(COUNT));
    let mount = mounted(&liar, &["timeout=5s", "max_delete=2"]);
    shell(&mount, "cat \"$1\"/* > \"$2\"", Path::new("/dev/null"));
    for serial in 1..=3 {
        remove(&mount, &name(serial));
    }
    let output = sync(&mount);
    assert_eq!(liar.left_serials().len(), COUNT, "{output:?}");
}

/// The kernel serves these reads from the pages that it keeps, without a request.
#[test]
fn mv_of_messages_that_another_process_read_needs_no_confirmation() {
    for script in [
        "cat \"$1\"/* > /dev/null; mv \"$1\"/* \"$2\"",
        "cat \"$1\"/* > /dev/null; cat \"$1\"/* > /dev/null; mv \"$1\"/* \"$2\"",
        "cat \"$1\"/* > /dev/null; rsync -a --remove-source-files \"$1\"/ \"$2\"",
    ] {
        assert_all_go(script);
    }
}

/// Without a cache on disk all bodies are in memory, and their pages are kept.
#[test]
fn mv_needs_no_confirmation_without_a_cache_on_disk() {
    let liar = Liar::start(&of_different_sizes(COUNT));
    let mut mount = mounted(&liar, &["timeout=5s", "cache=off"]);
    let archive = tempfile::tempdir().expect("an archive");
    shell(
        &mount,
        "cat \"$1\"/* > /dev/null; mv \"$1\"/* \"$2\"",
        archive.path(),
    );
    let (status, said) = umount(&mut mount);
    assert_eq!((status, liar.left_serials().len()), (Some(0), 0), "{said}");
}

#[test]
fn a_thread_may_remove_what_another_thread_of_its_process_read() {
    assert_all_go(
        "python3 -c 'import os, sys, threading
def run(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    run(lambda: open(path, \"rb\").read())
    run(lambda: os.unlink(path))' \"$1\"",
    );
}

#[test]
fn a_memory_map_that_was_read_to_its_end_needs_no_confirmation() {
    assert_all_go(
        "python3 -c 'import mmap, os, sys
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    with open(path, \"rb\") as file:
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:]
    os.unlink(path)' \"$1\"",
    );
}

#[test]
fn mv_of_texts_and_of_parts_needs_no_confirmation() {
    assert_all_go("mv \"$1\"/.text/* \"$2\"");
    assert_all_go("mv \"$1\"/.parts/* \"$2\"");
    assert_all_go("mv \"$1\"/.named/* \"$2\"");
}

#[test]
fn a_child_that_removes_what_its_parent_read_needs_a_confirmation() {
    let (liar, mut mount) = maildrop();
    let script = "import os, subprocess, sys
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    open(path, 'rb').read()
    subprocess.run(['rm', path], check=True)";
    stdout_of(&["python3", "-c", script, mount.arg()]);
    assert_held_back(&liar, &mut mount);
}
