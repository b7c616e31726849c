//! Everyday programs on messages for which LIST tells a size that is too large, too small or right.
//!
//! Until a message was opened, stat(2) shows the size of LIST. Each program here reads messages
//! that nobody has opened before, and must print every octet of them and not one more.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{Liar, Mount, corpus, run, stdout_of};
use tempfile::TempDir;

/// How much more LIST tells than RETR sends.
const LIES: [i64; 3] = [10_000, -10_000, 0];

/// A word in the first and the last line of each message.
const NEEDLE: &str = "needle";

/// A mounted maildrop with one message for each lie. Nothing of it was read.
struct Maildrop {
    // Declared first, so that the mount ends before its server.
    mount: Mount,
    _liar: Liar,
    messages: Vec<Message>,
    elsewhere: TempDir,
}

struct Message {
    name: String,
    lie: i64,
    octets: Vec<u8>,
}

impl Maildrop {
    fn unread() -> Self {
        let octets: Vec<Vec<u8>> = (0..LIES.len()).map(message).collect();
        let liar = Liar::start(&octets);
        for (serial, lie) in (1..).zip(LIES) {
            liar.set_list_offset(serial, lie);
        }
        let mount = Mount::new(&liar.source(), &["tls=off"]);
        let messages = (1..)
            .zip(LIES)
            .zip(octets)
            .map(|((serial, lie), octets)| Message {
                name: format!("liar-{serial}.eml"),
                lie,
                octets,
            })
            .collect();
        let maildrop = Self {
            mount,
            _liar: liar,
            messages,
            elsewhere: tempfile::tempdir().expect("a folder to copy to"),
        };
        maildrop.check_lies();
        maildrop
    }

    /// Checks that stat(2) shows the wrong sizes, so that these tests can fail.
    fn check_lies(&self) {
        for message in &self.messages {
            let shown = fs::metadata(self.path(message)).expect("stat").len();
            let exact = i64::try_from(message.octets.len()).expect("a size");
            assert_eq!(i64::try_from(shown), Ok(exact + message.lie));
        }
    }

    fn path(&self, message: &Message) -> PathBuf {
        self.mount.join(&message.name)
    }

    /// A path outside of the mount.
    fn outside(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join(name)
    }

    /// The program must print exactly what `expected` makes of each message.
    fn assert_prints(
        &self,
        program: &[&str],
        behind: &[&str],
        expected: impl Fn(&Message) -> Vec<u8>,
    ) {
        for message in &self.messages {
            let path = text(&self.path(message));
            let line: Vec<&str> = [program, &[path.as_str()], behind].concat();
            let output = run(&line);
            assert!(
                output.status.success(),
                "{line:?} with LIST {:+}: {}",
                message.lie,
                String::from_utf8_lossy(&output.stderr)
            );
            assert_same(&output.stdout, &expected(message), &line, message.lie);
        }
    }

    /// The folder must have each message with its octets and mtime.
    fn assert_copied_to(&self, folder: &Path) {
        for message in &self.messages {
            let copy = folder.join(&message.name);
            assert_same(
                &fs::read(&copy).expect("a copy"),
                &message.octets,
                &["the copy"],
                message.lie,
            );
            let (copied, shown) = (mtime(&copy), mtime(&self.path(message)));
            assert_eq!(copied, shown, "mtime with LIST {:+}", message.lie);
        }
    }
}

/// About 100 kB, different for each index. The needle is in the first and the last line.
fn message(index: usize) -> Vec<u8> {
    let mut octets = format!("Subject: {NEEDLE}\r\n").into_bytes();
    octets.extend(corpus::large(100_000 + index));
    octets.extend_from_slice(format!("{NEEDLE} at the end\r\n").as_bytes());
    octets
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in ASCII").to_owned()
}

fn mtime(path: &Path) -> i64 {
    fs::metadata(path).expect("stat").mtime()
}

fn lines(octets: &[u8]) -> usize {
    octets.iter().filter(|&&octet| octet == b'\n').count()
}

fn assert_same(given: &[u8], expected: &[u8], program: &[&str], lie: i64) {
    assert!(
        given == expected,
        "{program:?} with LIST {lie:+}: {} octets instead of {}, beginning {:?}",
        given.len(),
        expected.len(),
        String::from_utf8_lossy(&given[..given.len().min(60)])
    );
}

#[test]
fn cat_prints_the_whole_message() {
    Maildrop::unread().assert_prints(&["cat"], &[], |message| message.octets.clone());
}

#[test]
fn grep_finds_what_stands_at_both_ends() {
    Maildrop::unread().assert_prints(&["grep", "-c", NEEDLE], &[], |_| b"2\n".to_vec());
}

#[test]
fn wc_counts_every_octet() {
    let maildrop = Maildrop::unread();
    maildrop.assert_prints(&["sh", "-c", "wc -c <\"$0\""], &[], |message| {
        format!("{}\n", message.octets.len()).into_bytes()
    });
}

#[test]
fn wc_of_a_named_file_counts_every_octet() {
    let maildrop = Maildrop::unread();
    for message in &maildrop.messages {
        let printed = stdout_of(&["wc", "-c", &text(&maildrop.path(message))]);
        let count = printed.split(' ').next().expect("a count").parse();
        assert_eq!(count, Ok(message.octets.len()), "LIST {:+}", message.lie);
    }
}

#[test]
fn head_prints_the_beginning() {
    Maildrop::unread().assert_prints(&["head", "-c", "70000"], &[], |message| {
        message.octets[..70_000].to_vec()
    });
}

#[test]
fn tail_prints_the_end() {
    Maildrop::unread().assert_prints(&["tail", "-c", "30000"], &[], |message| {
        message.octets[message.octets.len() - 30_000..].to_vec()
    });
}

#[test]
fn tail_prints_the_last_line() {
    Maildrop::unread().assert_prints(&["tail", "-n", "1"], &[], |_| {
        format!("{NEEDLE} at the end\r\n").into_bytes()
    });
}

#[test]
fn less_shows_the_whole_message_to_a_pipe() {
    Maildrop::unread().assert_prints(&["less"], &[], |message| message.octets.clone());
}

#[test]
fn dd_reads_in_small_and_in_large_blocks() {
    for block in ["bs=1000", "bs=1M"] {
        Maildrop::unread().assert_prints(
            &["sh", "-c", "dd status=none if=\"$0\" \"$1\""],
            &[block],
            |message| message.octets.clone(),
        );
    }
}

#[test]
fn md5sum_digests_the_whole_message() {
    let maildrop = Maildrop::unread();
    for message in &maildrop.messages {
        let known = maildrop.outside("known");
        fs::write(&known, &message.octets).expect("a copy of the message");
        let digest = |path: &Path| {
            let printed = stdout_of(&["md5sum", &text(path)]);
            printed.split(' ').next().map(str::to_owned)
        };
        let digests = (digest(&maildrop.path(message)), digest(&known));
        assert_eq!(digests.0, digests.1, "LIST {:+}", message.lie);
    }
}

#[test]
fn cp_copies_octets_and_mtime() {
    let maildrop = Maildrop::unread();
    let target = maildrop.outside("copy");
    stdout_of(&["cp", "-a", maildrop.mount.arg(), &text(&target)]);
    maildrop.assert_copied_to(&target);
}

#[test]
fn a_second_rsync_moves_nothing() {
    let maildrop = Maildrop::unread();
    let target = maildrop.outside("backup");
    fs::create_dir(&target).expect("a folder for the backup");
    let rsync = [
        "rsync",
        "-a",
        "--itemize-changes",
        &format!("{}/", maildrop.mount.arg()),
        &text(&target),
    ];
    let first = stdout_of(&rsync);
    assert_eq!(lines(first.as_bytes()), 1 + LIES.len(), "{first}");
    maildrop.assert_copied_to(&target);
    assert_eq!(stdout_of(&rsync), "");
}

#[test]
fn tar_packs_octets_and_mtime() {
    let maildrop = Maildrop::unread();
    let archive = text(&maildrop.outside("archive.tar"));
    let target = maildrop.outside("extracted");
    fs::create_dir(&target).expect("a folder to extract to");
    stdout_of(&["tar", "-cf", &archive, "-C", maildrop.mount.arg(), "."]);
    stdout_of(&["tar", "-xf", &archive, "-C", &text(&target)]);
    maildrop.assert_copied_to(&target);
    stdout_of(&["tar", "-df", &archive, "-C", maildrop.mount.arg()]);
}

#[test]
fn python_reads_the_whole_message() {
    let script = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())";
    Maildrop::unread().assert_prints(&["python3", "-c", script], &[], |message| {
        message.octets.clone()
    });
}

#[test]
fn python_maps_the_whole_message() {
    let script = "import mmap, sys\n\
                  file = open(sys.argv[1], 'rb')\n\
                  sys.stdout.buffer.write(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:])";
    Maildrop::unread().assert_prints(&["python3", "-c", script], &[], |message| {
        message.octets.clone()
    });
}

#[test]
fn sendfile_after_fstat_sends_the_whole_message() {
    let script = "import os, sys\n\
                  source, at = os.open(sys.argv[1], os.O_RDONLY), 0\n\
                  os.fstat(source)\n\
                  while sent := os.sendfile(1, source, at, 1 << 20):\n at += sent";
    Maildrop::unread().assert_prints(&["python3", "-c", script], &[], |message| {
        message.octets.clone()
    });
}

#[test]
fn git_hashes_the_whole_message() {
    let maildrop = Maildrop::unread();
    for message in &maildrop.messages {
        let known = maildrop.outside("known");
        fs::write(&known, &message.octets).expect("a copy of the message");
        let digest = |path: &Path| stdout_of(&["git", "hash-object", "--no-filters", &text(path)]);
        let digests = (digest(&maildrop.path(message)), digest(&known));
        assert_eq!(digests.0, digests.1, "LIST {:+}", message.lie);
    }
}

/// git maps as many octets as lstat(2) told before the open, so it needs a message that was opened
/// before, or a right LIST.
#[test]
fn git_adds_the_whole_of_a_message_that_was_seen() {
    let maildrop = Maildrop::unread();
    for message in maildrop.messages.iter().filter(|message| message.lie != 0) {
        fs::read(maildrop.path(message)).expect("a message");
    }
    let repository = format!("--git-dir={}", text(&maildrop.outside("repository")));
    let work_tree = format!("--work-tree={}", maildrop.mount.arg());
    let git = |arguments: &[&str]| {
        let ours = ["git", "-c", "core.autocrlf=false", &repository, &work_tree];
        stdout_of(&[&ours, arguments].concat())
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    for message in &maildrop.messages {
        let stored = git(&["cat-file", "blob", &format!(":{}", message.name)]);
        assert_same(
            stored.as_bytes(),
            &message.octets,
            &["git add"],
            message.lie,
        );
    }
}

/// As cat and cp of busybox do.
#[test]
fn sendfile_without_fstat_sends_the_whole_message() {
    let script = "import os, sys\n\
                  source, at = os.open(sys.argv[1], os.O_RDONLY), 0\n\
                  while sent := os.sendfile(1, source, at, 1 << 20):\n at += sent";
    Maildrop::unread().assert_prints(&["python3", "-c", script], &[], |message| {
        message.octets.clone()
    });
}
