//! Files of the cache that were damaged by a disk, a crash or another program. What is read is
//! still what the server sent.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rusqlite::Connection;

use crate::common::{Liar, Mount, MountBuilder, run};
use crate::{
    assert_reads_all, assert_says, listed, messages, mounted, name, sentence, stderr, umount,
};

/// A mount of a few messages that has filled its cache and is unmounted.
struct Filled {
    messages: Vec<Vec<u8>>,
    liar: Liar,
    mount: Mount,
    /// The cache as it was before any damage.
    copy: tempfile::TempDir,
}

impl Filled {
    /// What a mount with this cache says that is refused.
    fn refusal(&self) -> String {
        let cache = self.mount.cache_dir().join("pop3fs");
        let output = MountBuilder::new(&self.liar.source())
            .option("tls=off")
            .option(&format!("cache_dir={}", cache.display()))
            .refused();
        sentence(&output)
    }

    fn new() -> Self {
        let messages = messages(20);
        let liar = Liar::start(&messages);
        let mut mount = mounted(&liar.source(), &[]);
        assert_reads_all(mount.path(), &messages);
        umount(&mut mount);
        let copy = tempfile::tempdir().expect("a folder for the copy");
        let filled = Self {
            messages,
            liar,
            mount,
            copy,
        };
        // SQLite could undo damage with a journal or a log beside the file.
        drop(Connection::open(filled.index()).and_then(|index| index.execute_batch("VACUUM")));
        assert_eq!(filled.files("sqlite-wal").len(), 0);
        replace(&filled.mount.cache_dir(), filled.copy.path());
        filled
    }

    fn restore(&self) {
        replace(self.copy.path(), &self.mount.cache_dir());
    }

    /// The files of the cache with this extension.
    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = walk(&self.mount.cache_dir())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        found.sort();
        found
    }

    fn bodies(&self) -> Vec<PathBuf> {
        let bodies = [self.files("segment"), self.files("large")].concat();
        assert!(bodies.len() >= 2, "{bodies:?}");
        bodies
    }

    fn index(&self) -> PathBuf {
        self.files("sqlite").remove(0)
    }

    /// Mounts again and reads everything. Returns how many messages were fetched, and the log.
    fn read_again(&mut self) -> (usize, String) {
        let before = self.liar.count("RETR");
        self.mount.remount();
        assert_reads_all(self.mount.path(), &self.messages);
        let fetched = self.liar.count("RETR") - before;
        (fetched, umount(&mut self.mount))
    }
}

/// Makes `to` a copy of `from`.
fn replace(from: &Path, to: &Path) {
    fs::remove_dir_all(to).expect("to remove a folder");
    let output = run(&[Path::new("cp"), Path::new("-a"), from, to]);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path),
        }
    }
    found
}

/// Damages the file like a disk or a crash does, at a place that the seed determines.
fn damage(path: &Path, random: &mut Rng) -> String {
    let mut octets = fs::read(path).expect("a file of the cache");
    let at = random.usize(..octets.len());
    let what = match random.u8(..5) {
        0 => {
            octets.truncate(at);
            "truncated"
        }
        1 => {
            octets[at..].fill(0);
            "zeroed to the end"
        }
        2 => {
            let end = octets.len().min(at + 4096);
            octets[at..end].fill_with(|| random.u8(..));
            "a block of garbage"
        }
        3 => {
            octets.splice(at..at, [random.u8(..)]);
            "an octet more"
        }
        _ => {
            octets[at] ^= 1 << random.u8(..8);
            "a bit flipped"
        }
    };
    fs::write(path, octets).expect("a file of the cache");
    format!("{} at {at}: {what}", path.display())
}

#[test]
fn damaged_bodies_are_fetched_again() {
    let mut filled = Filled::new();
    assert_eq!(filled.read_again().0, 0, "the whole cache serves all");
    let mut fetched = 0;
    for seed in 0..8 {
        filled.restore();
        let mut random = Rng::with_seed(seed);
        let files = filled.bodies();
        let damages: Vec<String> = files
            .iter()
            .flat_map(|file| [file; 3])
            .map(|file| damage(file, &mut random))
            .collect();
        eprintln!("seed {seed}: {damages:#?}");
        fetched += filled.read_again().0;
        // What was fetched again is cached again.
        assert_eq!(filled.read_again().0, 0, "seed {seed}");
    }
    assert!(fetched > 8, "{fetched}");
}

#[test]
fn swapped_and_foreign_files_are_not_taken_for_bodies() {
    let mut filled = Filled::new();
    let (segment, large) = (
        filled.files("segment").remove(0),
        filled.files("large").remove(0),
    );
    fs::copy(&segment, &large).expect("a swap");
    fs::write(segment.with_file_name("0.segment"), b"another program's").expect("a file");
    fs::write(segment.with_file_name("x.large"), b"another program's").expect("a file");
    assert_eq!(filled.read_again().0, 1);
    fs::remove_file(&segment).expect("to remove a segment");
    std::os::unix::fs::symlink("/etc/passwd", &segment).expect("a link");
    assert_eq!(filled.read_again().0, 20);
}

#[test]
fn a_damaged_index_is_set_aside_and_learnt_again() {
    let mut filled = Filled::new();
    let whole = fs::read(filled.index()).expect("the index");
    let mut random = Rng::with_seed(7);
    let mut garbage = whole.clone();
    garbage.fill_with(|| random.u8(..));
    let mut header_only = garbage.clone();
    header_only[..100].copy_from_slice(&whole[..100]);
    for (what, octets) in [
        ("truncated", &whole[..whole.len() / 2]),
        ("cut in its header", &whole[..50]),
        ("garbage", &garbage),
        ("garbage behind its header", &header_only),
        ("text", b"dear index, ".repeat(1000).as_slice()),
    ] {
        filled.restore();
        fs::write(filled.index(), octets).expect("the index");
        let (fetched, said) = filled.read_again();
        assert_eq!(fetched, 21, "{what}: without an index no body counts");
        assert_says(&said, &["is damaged", "set aside"]);
        let aside = filled.index().with_file_name("index.sqlite.damaged");
        assert!(
            fs::read(aside).expect("what was set aside") == octets,
            "{what}"
        );
        assert_eq!(filled.read_again().0, 0, "{what}");
    }
}

#[test]
fn an_empty_or_missing_index_is_created_again() {
    let mut filled = Filled::new();
    fs::write(filled.index(), b"").expect("the index");
    assert_eq!(filled.read_again().0, 21);
    fs::remove_file(filled.index()).expect("to remove the index");
    assert_eq!(filled.read_again().0, 21);
    assert_eq!(filled.read_again().0, 0);
}

#[test]
fn garbage_beside_the_index_does_no_harm() {
    let mut filled = Filled::new();
    for beside in [
        "index.sqlite-journal",
        "index.sqlite-wal",
        "index.sqlite-shm",
    ] {
        let path = filled.index().with_file_name(beside);
        fs::write(path, [0xa5; 40_000]).expect("a file beside the index");
        filled.read_again();
        assert_eq!(filled.read_again().0, 0, "{beside}");
    }
}

#[test]
fn a_mount_outlives_the_truncation_of_its_cache() {
    let mut filled = Filled::new();
    filled.mount.remount();
    for path in walk(&filled.mount.cache_dir()) {
        let file = fs::File::options().write(true).open(path);
        let truncated = file.and_then(|file| file.set_len(0));
        truncated.expect("a file of the cache");
    }
    assert_reads_all(filled.mount.path(), &filled.messages);
    assert_eq!(listed(filled.mount.path()).len(), 21);
    umount(&mut filled.mount);
}

#[test]
fn an_index_of_a_newer_version_is_refused_and_kept() {
    let filled = Filled::new();
    let outside = Connection::open(filled.index()).expect("the index");
    outside
        .pragma_update(None, "user_version", 1000)
        .expect("a newer version");
    drop(outside);
    let before = fs::read(filled.index()).expect("the index");
    assert_says(
        &filled.refusal(),
        &[
            "has format 1000",
            "use the newer pop3fs, or remove the file",
        ],
    );
    assert!(fs::read(filled.index()).expect("the index") == before);
}

/// A mount that is stopped while it begins keeps the lock.
#[test]
fn a_mount_says_that_another_one_keeps_its_folder_locked() {
    let filled = Filled::new();
    let index = filled.index();
    let folder = index.parent().expect("a folder");
    let lock = fs::File::open(folder).expect("the folder");
    lock.lock().expect("a lock");
    assert_says(
        &filled.refusal(),
        &["another pop3fs is beginning or ending with it, or was stopped there"],
    );
}

#[test]
fn impossible_rows_harm_no_other_message() {
    let mut filled = Filled::new();
    let outside = Connection::open(filled.index()).expect("the index");
    for statement in [
        "UPDATE message SET inode = 1 WHERE uidl = CAST('liar-1' AS BLOB)",
        "UPDATE message SET inode = -5 WHERE uidl = CAST('liar-2' AS BLOB)",
        "UPDATE message SET ordinal = -1 WHERE uidl = CAST('liar-3' AS BLOB)",
        "UPDATE message SET size = size + 1 WHERE uidl = CAST('liar-4' AS BLOB)",
        "UPDATE message SET size = 0 WHERE uidl = CAST('liar-5' AS BLOB)",
        "UPDATE message SET arrived = 9223372036854775807 WHERE uidl = CAST('liar-6' AS BLOB)",
        "UPDATE message SET arrived = -9223372036854775808 WHERE uidl = CAST('liar-7' AS BLOB)",
        "UPDATE message SET twins = 9 WHERE uidl = CAST('liar-9' AS BLOB)",
    ] {
        assert_eq!(outside.execute(statement, []), Ok(1), "{statement}");
    }
    drop(outside);
    let before: Vec<String> = (1..=21).map(name).collect();
    filled.mount.remount();
    let listed = listed(filled.mount.path());
    assert_eq!(listed.len(), before.len());
    assert!(before.iter().all(|name| listed.contains(name)));
    assert_reads_all(filled.mount.path(), &filled.messages);
    umount(&mut filled.mount);
}
