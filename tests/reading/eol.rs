//! `-o eol=lf`: messages with LF line ends, and their exact sizes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::common::{Liar, Mount, corpus, run, stdout_of};
use super::identity::seen;
use super::{ended, in_clear, listed, read};

fn with_lf(message: &[u8]) -> Vec<u8> {
    corpus::with_lf(&ended(message))
}

fn all_with_lf(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    messages.iter().map(|message| with_lf(message)).collect()
}

fn name(serial: usize) -> String {
    format!("liar-{serial}.eml")
}

/// The sizes that stat(2) shows, in maildrop order.
fn sizes(mount: &Mount, count: usize) -> Vec<u64> {
    let size = |serial| fs::metadata(mount.join(name(serial))).expect("stat").len();
    (1..=count).map(size).collect()
}

fn lengths(messages: &[Vec<u8>]) -> Vec<u64> {
    messages.iter().map(|octets| octets.len() as u64).collect()
}

fn assert_reads_with_lf(mount: &Mount, messages: &[Vec<u8>]) {
    for (serial, message) in (1..).zip(messages) {
        let octets = read(&mount.join(name(serial)));
        assert!(octets == with_lf(message), "{}", name(serial));
    }
}

/// The content of each file of a directory.
fn contents(directory: &Path) -> BTreeSet<Vec<u8>> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| read(&entry.expect("an entry").path()))
        .collect()
}

#[test]
fn eol_lf_changes_only_crlf_wherever_messages_are_unchanged() {
    let messages = corpus::octets(&corpus::awkward());
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &["eol=lf"]);
    assert_reads_with_lf(&mount, &messages);
    let expected = BTreeSet::from_iter(all_with_lf(&messages));
    assert_eq!(contents(&mount.join(".named")), expected);
    assert_eq!(contents(&mount.join(".maildir/new")), expected);
    let deleted = mount.join(".deleted").join(name(1));
    fs::rename(mount.join(name(1)), &deleted).expect("to remove a message");
    assert_eq!(read(&deleted), with_lf(&messages[0]));
}

#[test]
fn views_that_make_something_of_a_message_are_the_same() {
    let messages = corpus::realistic(50, 3);
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &["eol=lf"]);
    for (serial, message) in (1..).zip(&messages) {
        let whole = mount.join(format!(".parts/liar-{serial}/message.eml"));
        assert!(read(&whole) == *message);
        let text = read(&mount.join(format!(".text/liar-{serial}.txt")));
        assert!(text == pop3fs::message::text(message).into_bytes());
    }
}

#[test]
fn the_size_is_that_of_list_until_the_first_read_then_exact() {
    let messages = corpus::realistic(51, 30);
    let liar = Liar::start(&messages);
    let mut mount = in_clear(&liar.source(), &["eol=lf"]);
    assert_eq!(sizes(&mount, 30), lengths(&messages));
    assert_reads_with_lf(&mount, &messages);
    let (exact, before) = (sizes(&mount, 30), seen(&mount));
    assert_eq!(exact, lengths(&all_with_lf(&messages)));
    mount.remount();
    assert_eq!(seen(&mount), before);
    let retrieved = liar.count("RETR");
    assert_reads_with_lf(&mount, &messages);
    assert_eq!(seen(&mount), before);
    assert_eq!(liar.count("RETR"), retrieved);
}

/// Whatever size LIST told, each way to read gives all octets and no more.
#[test]
fn a_size_that_list_told_wrong_is_right_at_the_open() {
    const LIES: [i64; 6] = [0, 9_000, -9_000, 1 << 20, 1_300, -1_300];
    const SCRIPT: &str = "
import mmap, os, sys
known, path = open(sys.argv[1], 'rb').read(), sys.argv[2]
fd = os.open(path, os.O_RDONLY)
assert os.fstat(fd).st_size == len(known), os.fstat(fd).st_size
target = os.open('.', os.O_TMPFILE | os.O_RDWR)
while os.sendfile(target, fd, None, 1 << 20): pass
assert os.pread(target, len(known) + 1, 0) == known, 'sendfile'
assert os.pread(fd, 5000, len(known) - 3000) == known[-3000:], 'pread'
with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view: assert view[:] == known, 'mmap'
";
    let messages: Vec<Vec<u8>> = LIES
        .iter()
        .enumerate()
        .map(|(number, _)| corpus::large(100_000 + number))
        .collect();
    let liar = Liar::start(&messages);
    for (serial, lie) in (1..).zip(LIES) {
        liar.set_list_offset(serial, lie);
    }
    let mount = in_clear(&liar.source(), &["eol=lf"]);
    let lies = sizes(&mount, LIES.len());
    assert_eq!(lies[1], messages[1].len() as u64 + 9_000);
    let elsewhere = TempDir::new().expect("a folder");
    let known = elsewhere.path().join("known");
    for (serial, message) in (1..).zip(&messages) {
        fs::write(&known, with_lf(message)).expect("a known file");
        let path = mount.join(name(serial));
        let arguments = [known.as_path(), path.as_path()].map(|path| path.to_str().expect("ASCII"));
        let script = format!(
            "import os; os.chdir({:?}){SCRIPT}",
            elsewhere.path().to_str().expect("ASCII")
        );
        let output = run(&["python3", "-c", &script, arguments[0], arguments[1]]);
        assert!(
            output.status.success(),
            "LIST {:+}: {}",
            LIES[serial - 1],
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn rsync_copies_nothing_the_second_time_even_in_another_mount() {
    let messages = corpus::realistic(52, 40);
    let liar = Liar::start(&messages);
    let copies = TempDir::new().expect("a folder for copies");
    for (directory, options) in [("", ["eol=lf"]), (".maildir/", ["eol=crlf"])] {
        let mut mount = in_clear(&liar.source(), &options);
        let copy = copies.path().join(format!("copy{}", directory.len()));
        let rsync = |mount: &Mount| {
            let from = format!("{}/{directory}", mount.arg());
            stdout_of(&["rsync", "-ai", &from, copy.to_str().expect("ASCII")])
        };
        let first = rsync(&mount);
        assert_eq!(first.matches(">f").count(), 40, "{first}");
        let retrieved = liar.count("RETR");
        let same_mount = rsync(&mount);
        mount.remount();
        let (other_mount, copied) = (rsync(&mount), &copy);
        for again in [same_mount, other_mount] {
            assert_eq!(again.matches(">f").count(), 0, "{again}");
        }
        assert_eq!(liar.count("RETR"), retrieved);
        let folder = if directory.is_empty() { "" } else { "new" };
        let expected = BTreeSet::from_iter(all_with_lf(&messages));
        assert!(contents(&copied.join(folder)) == expected, "{directory}");
    }
}

#[test]
fn after_a_fetch_all_sizes_are_exact_and_rsync_moves_messages() {
    let messages = corpus::realistic(56, 10);
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &["eol=lf", "max_delete=off"]);
    assert_eq!(sizes(&mount, 10), lengths(&messages));
    let fetched = mount.subcommand(&["fetch", mount.arg()]);
    assert!(fetched.status.success(), "{fetched:?}");
    let exact = all_with_lf(&messages);
    assert_eq!(sizes(&mount, 10), lengths(&exact));
    let archive = TempDir::new().expect("a folder");
    let (from, to) = (format!("{}/", mount.arg()), archive.path());
    let to = to.to_str().expect("ASCII");
    stdout_of(&["rsync", "-a", "--remove-source-files", &from, to]);
    assert_eq!(listed(&mount), [""; 0]);
    assert!(contents(archive.path()) == exact.into_iter().collect());
}

#[test]
fn tools_of_this_system_find_the_ends_of_lines() {
    let liar = Liar::start(&[corpus::with_body(
        b"needle\r\nneedles\r\nneedle\r\nbare\rcr\r\n",
    )]);
    let mount = in_clear(&liar.source(), &["eol=lf"]);
    let path = mount.join(name(1));
    let path = path.to_str().expect("ASCII");
    assert_eq!(stdout_of(&["grep", "-c", "needle$", path]), "2\n");
    assert_eq!(stdout_of(&["grep", "-c", "\r", path]), "1\n");
    let octets = with_lf(&corpus::with_body(
        b"needle\r\nneedles\r\nneedle\r\nbare\rcr\r\n",
    ));
    let counted = stdout_of(&["wc", "-lc", path]);
    let counted: Vec<&str> = counted.split_whitespace().collect();
    assert_eq!(counted[..2], ["8".to_owned(), octets.len().to_string()]);
    assert_eq!(stdout_of(&["awk", "/^$/ {print NR}", path]), "4\n");
}

/// Octets of a message that is kept in a file and never in memory as a whole.
const LARGE: usize = 50 << 20;

#[test]
fn any_place_of_a_large_message_is_read_right() {
    const SCRIPT: &str = "
import mmap, os, random, sys
known, path = open(sys.argv[1], 'rb').read(), sys.argv[2]
choose, size = random.Random(7), len(known)
fd = os.open(path, os.O_RDONLY)
assert os.fstat(fd).st_size == size
with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
    for turn in range(300):
        at, count = choose.randrange(size), choose.choice([1, 4096, 70000, 300000])
        expected = known[at:at + count]
        assert os.pread(fd, count, at) == expected, ('pread', at, count)
        assert view[at:at + count] == expected, ('mmap', at, count)
    assert view[:] == known, 'all of it'
print(size)
";
    let message = corpus::large(LARGE);
    let liar = Liar::start(std::slice::from_ref(&message));
    let mut mount = in_clear(&liar.source(), &["eol=lf"]);
    let elsewhere = TempDir::new().expect("a folder");
    let known = elsewhere.path().join("known");
    let octets = with_lf(&message);
    fs::write(&known, &octets).expect("a known file");
    let (path, known) = (mount.join(name(1)), known.to_str().expect("ASCII"));
    let path = path.to_str().expect("ASCII");
    for _ in 0..2 {
        let told = stdout_of(&["python3", "-c", SCRIPT, known, path]);
        assert_eq!(told, format!("{}\n", octets.len()));
        assert_eq!(stdout_of(&["cmp", known, path]), "");
        mount.remount();
        assert_eq!(sizes(&mount, 1), [octets.len() as u64]);
    }
    assert_eq!(liar.count("RETR"), 1);
}

/// Turns the index into one of an older version, which did not count lines.
fn downgrade(index: &Path) {
    let outside = Connection::open(index).expect("the index");
    outside
        .execute_batch(
            "ALTER TABLE message DROP COLUMN crlfs; ALTER TABLE message DROP COLUMN outline;
            ALTER TABLE message DROP COLUMN first_listed; ALTER TABLE message DROP COLUMN departed;
             ALTER TABLE message DROP COLUMN top_digest;
             ALTER TABLE message DROP COLUMN body_digest;
            DROP TABLE watermark; DROP TABLE listing; DROP TABLE removal;
            DROP TABLE deletion;
            PRAGMA user_version = 2;",
        )
        .expect("an older index");
}

#[test]
fn an_older_index_keeps_its_facts_and_learns_sizes_unfetched() {
    const COUNT: usize = 12;
    let mut messages = corpus::realistic(53, COUNT - 1);
    messages.push(corpus::large(4_300_000));
    let liar = Liar::start(&messages);
    let mut mount = in_clear(&liar.source(), &[]);
    for serial in 1..=COUNT {
        read(&mount.join(name(serial)));
    }
    let mut before = seen(&mount);
    // The older version did not keep when it first listed a message.
    for message in &mut before {
        message.ctime = message.mtime;
    }
    mount.umount();
    mount.wait();
    downgrade(&mount.account_folder().join("index.sqlite"));
    let retrieved = liar.count("RETR");
    mount.remount_with(&["eol=lf"]);
    assert_eq!(seen(&mount), before);
    assert_reads_with_lf(&mount, &messages);
    let exact = lengths(&all_with_lf(&messages));
    assert_eq!(sizes(&mount, COUNT), exact);
    mount.remount();
    assert_eq!(sizes(&mount, COUNT), exact);
    assert_eq!(liar.count("RETR"), retrieved);
}

#[test]
fn two_mounts_on_one_cache_may_show_different_line_ends() {
    const COUNT: usize = 20;
    let mut messages = corpus::realistic(54, COUNT - 1);
    messages.push(corpus::large(4_300_000));
    let liar = Liar::start(&messages);
    let cache = TempDir::new().expect("a cache");
    let cache = format!("cache_dir={}", cache.path().display());
    let raw = in_clear(&liar.source(), &[&cache]);
    let mut lf = in_clear(&liar.source(), &[&cache, "eol=lf"]);
    for (serial, message) in (1..).zip(&messages) {
        let (one, other) = match serial % 2 {
            0 => (&raw, &lf),
            _ => (&lf, &raw),
        };
        for mount in [one, other] {
            read(&mount.join(name(serial)));
        }
        assert!(read(&raw.join(name(serial))) == *message);
        assert!(read(&lf.join(name(serial))) == with_lf(message));
    }
    assert_eq!(sizes(&raw, COUNT), lengths(&messages));
    let exact = sizes(&lf, COUNT);
    let retrieved = liar.count("RETR");
    drop(raw);
    lf.remount();
    assert_eq!(sizes(&lf, COUNT), exact);
    assert_reads_with_lf(&lf, &messages);
    assert_eq!(liar.count("RETR"), retrieved);
}

#[test]
fn what_a_maildir_shows_has_its_exact_size_in_every_mount() {
    let messages = corpus::realistic(55, 10);
    let liar = Liar::start(&messages);
    let mut mount = in_clear(&liar.source(), &[]);
    for serial in 1..=10 {
        read(&mount.join(name(serial)));
    }
    for _ in 0..2 {
        let entries = fs::read_dir(mount.join(".maildir/new")).expect("the view");
        let shown: BTreeSet<u64> = entries
            .map(|entry| entry.expect("an entry").metadata().expect("stat").len())
            .collect();
        let exact: BTreeSet<u64> = messages.iter().map(|m| with_lf(m).len() as u64).collect();
        assert_eq!(shown, exact);
        mount.remount();
    }
    assert_eq!(liar.count("RETR"), 10);
}
