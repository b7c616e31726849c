//! Threads of one process read in every way, at places that a seed determines, and compare with
//! known octets. They share descriptors, and bodies leave the memory, the cache and the kernel
//! meanwhile.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::thread;

use fastrand::Rng;
use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, copy_file_range, posix_fadvise};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::sendfile::sendfile;
use nix::unistd::{Whence, lseek};

use crate::common::{Liar, Mount, corpus};
use crate::{mounted, name};

const THREADS: u64 = 4;
const ROUNDS: usize = 150;

/// Reads some of the file and compares it with the octets that it must have.
type Way = fn(&mut Rng, &File, &[u8]) -> io::Result<bool>;

const WAYS: [(&str, Way); 9] = [
    ("pread", pread),
    ("pread", pread),
    ("mmap", map),
    ("sendfile", send),
    ("copy_file_range", copy),
    ("SEEK_DATA and SEEK_HOLE", seek),
    ("fadvise", forget),
    ("drop_caches", drop_caches),
    ("several threads on one descriptor", share),
];

fn read(random: &mut Rng, mount: &Mount, messages: &[Vec<u8>]) {
    for round in 0..ROUNDS {
        let at = random.usize(..messages.len());
        let path = mount.join(name(at as u64 + 1));
        let file = File::open(&path).expect("a message");
        for _ in 0..random.u8(1..6) {
            let (what, way) = WAYS[random.usize(..WAYS.len())];
            let is_right = way(random, &file, &messages[at]);
            let shown = path.display();
            match is_right {
                Ok(true) => {}
                wrong => panic!("round {round}: {what} of {shown}: {wrong:?}"),
            }
        }
    }
}

fn place(random: &mut Rng, octets: &[u8]) -> usize {
    let anywhere = random.usize(..=octets.len());
    match random.u8(..5) {
        0 => 0,
        1 => octets.len(),
        2 => octets.len().saturating_sub(1),
        3 => anywhere & !4095,
        _ => anywhere,
    }
}

/// A place, the octets from there on, and the random length that is asked for.
fn slice<'o>(random: &mut Rng, octets: &'o [u8]) -> (usize, &'o [u8], usize) {
    let at = place(random, octets);
    let wanted = match random.u8(..3) {
        0 => 4096,
        1 => random.usize(1..1000),
        _ => random.usize(1..300_000),
    };
    let end = (at + wanted).min(octets.len());
    (at, &octets[at..end], wanted)
}

fn pread(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    let (at, expected, wanted) = slice(random, octets);
    let mut read = vec![0; wanted];
    let count = file.read_at(&mut read, at as u64)?;
    Ok(read[..count] == *expected)
}

fn map(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    let Some(length) = NonZeroUsize::new(octets.len()) else {
        return Ok(true);
    };
    let (at, expected, _) = slice(random, octets);
    // SAFETY: a new private mapping of a file that is as long, read before it is unmapped and
    // nowhere else.
    #[allow(unsafe_code)]
    let is_right = unsafe {
        let view = mmap(
            None,
            length,
            ProtFlags::PROT_READ,
            MapFlags::MAP_PRIVATE,
            file,
            0,
        )?;
        let mapped = std::slice::from_raw_parts(view.cast::<u8>().as_ptr(), octets.len());
        let is_right = mapped[at..at + expected.len()] == *expected;
        munmap(view, octets.len())?;
        is_right
    };
    Ok(is_right)
}

fn send(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    let (at, expected, wanted) = slice(random, octets);
    let target = tempfile::tempfile()?;
    let mut offset = at as i64;
    let sent = sendfile(&target, file, Some(&mut offset), wanted)?;
    Ok(sent == expected.len() && contents(&target)? == expected)
}

/// From one filesystem to another, if the kernel allows it. cp(1) asks for this, too.
fn copy(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    let (at, expected, wanted) = slice(random, octets);
    let target = tempfile::tempfile()?;
    let mut offset = at as i64;
    match copy_file_range(file, Some(&mut offset), &target, None, wanted) {
        Ok(copied) => Ok(copied == expected.len() && contents(&target)? == expected),
        Err(errno) => Ok(matches!(
            errno,
            Errno::EXDEV | Errno::EOPNOTSUPP | Errno::EINVAL
        )),
    }
}

fn seek(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    let at = place(random, octets) as i64;
    let end = octets.len() as i64;
    let found = [Whence::SeekData, Whence::SeekHole].map(|whence| lseek(file, at, whence));
    Ok(match at < end {
        true => found == [Ok(at), Ok(end)],
        false => found == [Err(Errno::ENXIO); 2],
    })
}

fn forget(_: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    Ok(file.metadata()?.len() == octets.len() as u64)
}

/// Rarely, because it affects the whole machine. The kernel forgets inodes, too, and looks them up
/// again.
fn drop_caches(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    if random.u8(..20) == 0 {
        // Only root can do this, and in a container not even root.
        let _where_it_is_allowed = fs::write("/proc/sys/vm/drop_caches", "3");
    }
    forget(random, file, octets)
}

fn share(random: &mut Rng, file: &File, octets: &[u8]) -> io::Result<bool> {
    let (mut one, mut other) = (random.fork(), random.fork());
    thread::scope(|scope| {
        let one = scope.spawn(|| pread(&mut one, file, octets));
        let other = scope.spawn(|| pread(&mut other, file, octets));
        let read = [one, other].map(|reader| reader.join().expect("a reader"));
        read.into_iter()
            .try_fold(true, |right, read| Ok(right && read?))
    })
}

fn contents(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len() as usize;
    let mut octets = vec![0; length];
    file.read_exact_at(&mut octets, 0)?;
    Ok(octets)
}

/// About 9 MB in files of all sizes, one of them too large for the memory of a transfer.
fn messages() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = [4_300_000, 1_200_000, 900_000, 700_000, 131_072, 4_000]
        .map(corpus::large)
        .to_vec();
    messages.extend([Vec::new(), corpus::with_body(b"\r\n")]);
    messages.extend(corpus::realistic(78, 40));
    messages
}

/// Gives the number of messages, and of the RETRs that reading them took.
fn read_at_random(options: &[&str]) -> (usize, usize) {
    let messages = messages();
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), options);
    thread::scope(|scope| {
        for seed in 1..=THREADS {
            let (mount, messages) = (&mount, &messages);
            scope.spawn(move || read(&mut Rng::with_seed(seed), mount, messages));
        }
    });
    (messages.len(), liar.count("RETR"))
}

#[test]
fn without_a_cache_every_way_of_reading_finds_the_known_octets() {
    let (count, fetched) = read_at_random(&["memory=1M", "cache=off"]);
    assert!(fetched > count, "nothing was evicted: {fetched} RETR");
}

#[test]
fn every_way_of_reading_is_right_with_a_small_cache() {
    let (count, fetched) = read_at_random(&["memory=1M", "cache_size=2M"]);
    assert!(fetched > count, "nothing was evicted: {fetched} RETR");
}

#[test]
fn every_way_of_reading_is_right_with_a_large_cache() {
    let (count, fetched) = read_at_random(&["memory=1M"]);
    assert!(fetched <= count, "{fetched} RETR of {count} messages");
}
