//! A cache on a full or read-only disk, and what readers get then.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use crate::common::{Liar, Mount, MountBuilder, corpus};
use crate::{
    assert_reads, assert_reads_all, assert_says, errno, forget_pages, messages, mounted, name,
    read, sentence, umount,
};

/// A folder that is a filesystem of its own. It is unmounted when dropped.
struct Filesystem(TempDir);

impl Filesystem {
    /// A disk in memory, of so many KiB.
    fn of_kib(kib: u32) -> Self {
        let folder = TempDir::new().expect("a folder");
        let options = format!("size={kib}k,mode=700");
        let options = Some(options.as_str());
        mount(
            Some("cache"),
            folder.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            options,
        )
        .expect("a tmpfs");
        Self(folder)
    }

    /// A read-only mount of the folder.
    fn read_only(of: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        let bind = |flags| {
            mount(
                Some(of),
                folder.path(),
                None::<&str>,
                MsFlags::MS_BIND | flags,
                None::<&str>,
            )
        };
        bind(MsFlags::empty()).expect("a bind mount");
        bind(MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY).expect("a read-only mount");
        Self(folder)
    }

    fn option(&self) -> String {
        format!("cache_dir={}", self.0.path().display())
    }

    /// The files with bodies.
    fn bodies(&self) -> Vec<PathBuf> {
        let account = fs::read_dir(self.0.path())
            .expect("the cache")
            .next()
            .expect("an account's folder")
            .expect("an entry");
        fs::read_dir(account.path().join("bodies"))
            .expect("the bodies")
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }
}

impl Drop for Filesystem {
    fn drop(&mut self) {
        umount2(self.0.path(), MntFlags::MNT_DETACH).expect("to unmount the cache");
    }
}

/// 100 MB in messages of 1 MB, and small ones between them that fill a disk to its last octet.
fn hundred_megabytes() -> Vec<Vec<u8>> {
    let megabyte = corpus::large(1_000_000);
    let large = (0..100).map(|number| {
        [
            format!("X-Number: {number}\r\n").into_bytes(),
            megabyte.clone(),
        ]
        .concat()
    });
    large
        .zip(corpus::realistic(64, 100))
        .flat_map(<[_; 2]>::from)
        .collect()
}

fn how_often(said: &str, words: &str) -> usize {
    said.lines().filter(|line| line.contains(words)).count()
}

#[test]
fn a_hundred_megabytes_are_read_right_beside_a_cache_of_one() {
    let disk = Filesystem::of_kib(1024);
    let messages = hundred_megabytes();
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &["memory=4M", &disk.option()]);
    let mut order: Vec<u64> = (1..=messages.len() as u64).collect();
    Rng::with_seed(3).shuffle(&mut order);
    for serial in order {
        assert_reads(mount.path(), serial, &messages[serial as usize - 1]);
    }
    assert_eq!(disk.bodies().len(), 1, "nothing half-written stays");
    let said = umount(&mut mount);
    assert_eq!(how_often(&said, "kept in memory only"), 1, "{said}");
    assert!(how_often(&said, "cannot write") <= 1, "{said}");
    // What found room is complete.
    mount.remount();
    assert_reads_all(mount.path(), &messages[..4]);
}

#[test]
fn a_message_too_large_for_memory_and_disk_harms_no_other() {
    let disk = Filesystem::of_kib(1024);
    let mut messages = corpus::realistic(65, 20);
    messages.insert(10, corpus::large(6_000_000));
    let liar = Liar::start(&messages);
    let mut mount = MountBuilder::new(&liar.source())
        .option("tls=off")
        .option(&disk.option())
        .environment("TMPDIR", &disk.0.path().display().to_string())
        .mount();
    assert_eq!(errno(read(&mount.join(name(11)))), Errno::ENOSPC);
    for serial in (1..=21).filter(|&serial| serial != 11) {
        assert_reads(mount.path(), serial, &messages[serial as usize - 1]);
    }
    assert_eq!(errno(read(&mount.join(name(11)))), Errno::ENOSPC);
    let said = umount(&mut mount);
    assert_says(
        &said,
        &["liar-11.eml: there is no room for the message on this machine"],
    );
    assert!(disk.bodies().iter().all(|path| !is_temporary(path)));
    // Another disk has room for it.
    let mount = mounted(&liar.source(), &[]);
    assert_reads_all(mount.path(), &messages);
}

#[test]
fn a_message_too_large_for_the_cache_uses_a_temporary_file() {
    // Less and more than is kept of a message in memory.
    for kib in [1024, 5 * 1024] {
        let disk = Filesystem::of_kib(kib);
        let messages = [6_000_000, 6_000_001].map(corpus::large);
        let liar = Liar::start(&messages);
        let mut mount = mounted(&liar.source(), &["memory=1M", &disk.option()]);
        assert_reads_all(mount.path(), &messages);
        assert!(disk.bodies().is_empty(), "half a message stays");
        let said = umount(&mut mount);
        assert_eq!(how_often(&said, "No space left"), 1, "{said}");
    }
}

fn is_temporary(path: &Path) -> bool {
    path.to_string_lossy().contains("/incoming-")
}

#[test]
fn a_disk_without_room_for_an_index_is_refused_with_remedies() {
    let disk = Filesystem::of_kib(8);
    let liar = Liar::start(&corpus::realistic(65, 1));
    let output = MountBuilder::new(&liar.source())
        .option("tls=off")
        .option(&disk.option())
        .refused();
    assert_says(
        &sentence(&output),
        &["cannot use", "make room", "cache=off"],
    );
}

#[test]
fn a_read_only_cache_is_refused_with_remedies_empty_or_not() {
    let liar = Liar::start(&corpus::realistic(66, 3));
    let cache = TempDir::new().expect("a cache");
    let refused = || {
        let disk = Filesystem::read_only(cache.path());
        let output = MountBuilder::new(&liar.source())
            .option("tls=off")
            .option(&disk.option())
            .refused();
        let remedies = ["Read-only file system", "cache_dir", "cache=off"];
        assert_says(&sentence(&output), &remedies);
    };
    refused();
    let option = format!("cache_dir={}", cache.path().display());
    let mut mount: Mount = mounted(&liar.source(), &[&option]);
    assert_reads_all(mount.path(), &corpus::realistic(66, 3));
    umount(&mut mount);
    refused();
}

#[test]
fn a_cache_that_somebody_removes_leaves_the_mount_reading() {
    let messages = messages(10);
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &["memory=1M"]);
    for serial in [1, 2, 11] {
        assert_reads(mount.path(), serial, &messages[serial as usize - 1]);
    }
    fs::remove_dir_all(mount.cache_dir()).expect("to remove the cache");
    for _ in 0..2 {
        assert_reads_all(mount.path(), &messages);
        forget_pages(&mount, messages.len());
    }
    umount(&mut mount);
    fs::create_dir(mount.cache_dir()).expect("a new cache");
    mount.remount();
    assert_reads_all(mount.path(), &messages);
}
