//! A message that was opened and not read yet: what happens to the cache between the open and the
//! first read. The kernel is made to forget what it was given with the open, so a read finds the
//! damage.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::common::{Liar, Mount, Reply, corpus, forget_pages, stdout_of};
use crate::{assert_reads, assert_reads_all, errno, mounted, name, umount};

/// Enough for several reads of the kernel.
const LONG: usize = 900_000;

/// A mount whose cache has all messages, and that has not read any of them itself.
struct Cached {
    messages: Vec<Vec<u8>>,
    liar: Liar,
    mount: Mount,
}

impl Cached {
    fn new() -> Self {
        Self::beside(&[], &[])
    }

    /// The server has these messages, too, and the cache does not.
    fn beside(others: &[Vec<u8>], options: &[&str]) -> Self {
        let mut messages = corpus::realistic(62, 12);
        messages.push(corpus::large(LONG));
        let liar = Liar::start(&[&messages[..], others].concat());
        // Whoever fills the index for searches reads the cache.
        let mut mount = mounted(&liar.source(), &[&["index=off"], options].concat());
        assert_reads_all(mount.path(), &messages);
        mount.remount();
        Self {
            messages,
            liar,
            mount,
        }
    }

    fn open(&self, serial: u64) -> File {
        File::open(self.mount.join(name(serial))).expect("a message")
    }

    /// Opens every message, in maildrop order. The kernel has no page of them.
    fn open_all(&self) -> Vec<File> {
        let serials = 1..=self.messages.len() as u64;
        let files: Vec<File> = serials.map(|serial| self.open(serial)).collect();
        files.iter().for_each(forget_pages);
        files
    }

    /// The segments of the cache.
    fn segments(&self) -> Vec<PathBuf> {
        let found = stdout_of(&[
            "find".as_ref(),
            self.mount.cache_dir().as_os_str(),
            "-name".as_ref(),
            "*.segment".as_ref(),
        ]);
        let segments: Vec<PathBuf> = found.lines().map(PathBuf::from).collect();
        assert!(!segments.is_empty());
        segments
    }

    /// Changes every segment of the cache.
    fn damage(&self, change: impl Fn(&mut Vec<u8>)) {
        for segment in self.segments() {
            let mut octets = fs::read(&segment).expect("a segment");
            change(&mut octets);
            fs::write(&segment, octets).expect("a segment");
        }
    }

    fn retrieved(&self) -> usize {
        self.liar.count("RETR")
    }

    fn assert_read_right(&self, files: Vec<File>) {
        for (file, message) in files.into_iter().zip(&self.messages) {
            let octets = read_to_end(&file).expect("a message");
            assert!(octets == *message, "{} octets", octets.len());
        }
    }
}

fn read_to_end(mut file: &File) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    file.read_to_end(&mut octets)?;
    Ok(octets)
}

fn flip_a_bit(octets: &mut [u8]) {
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
}

/// Flips a bit in each part of so many octets.
fn flip_bits_everywhere(octets: &mut [u8]) {
    octets.chunks_mut(100).for_each(|part| part[0] ^= 1);
}

#[test]
fn an_open_of_a_damaged_message_asks_the_server_for_nothing() {
    let cached = Cached::new();
    cached.damage(Vec::clear);
    drop(cached.open_all());
    assert_eq!(cached.retrieved(), cached.messages.len());
}

#[test]
fn the_kernel_has_a_small_message_once_it_was_opened() {
    let cached = Cached::new();
    let before = cached.retrieved();
    let messages = (1..).zip(&cached.messages);
    let small: Vec<(File, &Vec<u8>)> = messages
        .filter(|(_, message)| message.len() <= 128 * 1024)
        .map(|(serial, message)| (cached.open(serial), message))
        .collect();
    assert!(small.len() >= 10);
    cached.damage(Vec::clear);
    for (file, message) in small {
        assert!(read_to_end(&file).expect("a message") == *message);
    }
    assert_eq!(cached.retrieved(), before);
}

#[test]
fn a_message_damaged_after_its_open_is_fetched_again() {
    for (least, damage) in [
        (1, (|octets| flip_a_bit(octets)) as fn(&mut Vec<u8>)),
        (10, |octets| flip_bits_everywhere(octets)),
        (10, Vec::clear),
    ] {
        let cached = Cached::new();
        let before = cached.retrieved();
        let files = cached.open_all();
        cached.damage(damage);
        cached.assert_read_right(files);
        let again = cached.retrieved() - before;
        assert!((least..=cached.messages.len()).contains(&again), "{again}");
        assert_reads_all(cached.mount.path(), &cached.messages);
        assert_eq!(cached.retrieved() - before, again, "each is fetched once");
    }
}

#[test]
fn a_message_damaged_while_it_is_read_is_read_to_its_end() {
    let cached = Cached::new();
    let long = cached.open_all().pop().expect("the long message");
    let message = &cached.messages[12];
    let mut octets = vec![0; message.len()];
    long.read_exact_at(&mut octets[..10], 0).expect("its start");
    cached.damage(|octets| octets.truncate(100));
    long.read_exact_at(&mut octets[10..], 10).expect("its rest");
    assert!(octets == *message);
}

#[test]
fn a_damaged_message_that_is_gone_cannot_be_read() {
    let cached = Cached::new();
    let files = cached.open_all();
    cached.damage(|octets| flip_bits_everywhere(octets));
    (1..=13).for_each(|serial| cached.liar.remove(serial));
    for file in files {
        assert_eq!(errno(read_to_end(&file)), Errno::EIO);
    }
}

#[test]
fn a_damaged_message_that_the_server_refuses_cannot_be_read() {
    let cached = Cached::new();
    let files = cached.open_all();
    cached.damage(|octets| flip_bits_everywhere(octets));
    cached.liar.on("RETR", Reply::Err("not today"));
    assert_eq!(errno(read_to_end(&files[3])), Errno::EIO);
    cached.liar.behave("RETR");
    assert!(read_to_end(&files[3]).expect("a message") == cached.messages[3]);
}

#[test]
fn a_damaged_message_has_to_come_back_with_the_same_size() {
    let mut cached = Cached::new();
    let files = cached.open_all();
    cached.damage(|octets| flip_bits_everywhere(octets));
    let longer = b"+OK\r\nSubject: other mail\r\n\r\n.\r\n";
    cached.liar.on("RETR", Reply::Raw(longer.to_vec()));
    assert_eq!(errno(read_to_end(&files[3])), Errno::EIO);
    drop(files);
    umount(&mut cached.mount);
}

#[test]
fn what_is_open_can_be_read_after_its_deletion() {
    let cached = Cached::new();
    let before = cached.retrieved();
    let files = cached.open_all();
    for serial in 6..=13 {
        fs::remove_file(cached.mount.join(name(serial))).expect("rm");
    }
    stdout_of(&["sync", cached.mount.arg()]);
    assert_eq!(cached.liar.left_serials(), [1, 2, 3, 4, 5]);
    cached.assert_read_right(files);
    assert_eq!(cached.retrieved(), before);
}

#[test]
fn a_deleted_and_damaged_message_cannot_be_read() {
    let cached = Cached::new();
    let files = cached.open_all();
    fs::remove_file(cached.mount.join(name(4))).expect("rm");
    stdout_of(&["sync", cached.mount.arg()]);
    cached.damage(|octets| flip_bits_everywhere(octets));
    assert_eq!(errno(read_to_end(&files[3])), Errno::EIO);
    assert!(read_to_end(&files[4]).expect("a message") == cached.messages[4]);
}

#[test]
fn what_is_open_can_be_read_after_its_eviction() {
    let others = vec![corpus::large(LONG); 6];
    let mut cached = Cached::beside(&others, &["cache_size=3M", "memory=1M"]);
    let (files, segments) = (cached.open_all(), cached.segments());
    // Against the order of the directory, so that nothing is read ahead.
    for (serial, other) in (14..=19u64).rev().zip(&others) {
        assert_reads(cached.mount.path(), serial, other);
    }
    assert!(segments.iter().any(|segment| !segment.exists()));
    let before = cached.retrieved();
    cached.assert_read_right(files);
    assert_eq!(cached.retrieved(), before);
    umount(&mut cached.mount);
}

#[test]
fn what_is_open_can_be_read_after_the_cache_is_removed() {
    let cached = Cached::new();
    let before = cached.retrieved();
    let files = cached.open_all();
    fs::remove_dir_all(cached.mount.cache_dir()).expect("to remove the cache");
    cached.assert_read_right(files);
    assert_eq!(cached.retrieved(), before);
}
