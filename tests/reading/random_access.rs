//! Every way to read at random places, compared with known octets, while bodies come into memory
//! and leave it.

use std::fs;
use std::path::Path;
use std::thread;

use super::common::{Liar, corpus, stdout_of};
use super::in_clear;

/// Reads at places that a seed determines, and compares them with the known files.
///
/// When the kernel drops its pages it asks again, and a body that has left the memory is fetched
/// again.
const READER: &str = r#"
import errno, mmap, os, random, sys, tempfile
seed, rounds, mount, known_folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
choose = random.Random(seed)
known = {}
for name in sorted(os.listdir(known_folder)):
    with open(os.path.join(known_folder, name), 'rb') as file:
        known[name] = file.read()

def place(size):
    return choose.choice([0, max(size - 1, 0), size, choose.randrange(size + 1), choose.randrange(size + 1) & ~4095])

def length():
    return choose.choice([1, 4096, choose.randrange(1, 1000), choose.randrange(1, 300000)])

def pread(fd, octets):
    at, count = place(len(octets)), length()
    return os.pread(fd, count, at) == octets[at:at + count]

def read_on(fd, octets):
    at = os.lseek(fd, place(len(octets)), os.SEEK_SET)
    counts = [length() for _ in range(3)]
    return b''.join(os.read(fd, count) for count in counts) == octets[at:at + sum(counts)]

def preadv(fd, octets):
    at, parts = place(len(octets)), [bytearray(length()) for _ in range(3)]
    count = os.preadv(fd, parts, at)
    return b''.join(parts)[:count] == octets[at:at + sum(map(len, parts))]

def mapped(fd, octets):
    if not octets:
        return True
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
        pairs = [(at, at + length()) for at in (place(len(octets)) for _ in range(5))]
        return len(view) == len(octets) and all(view[a:b] == octets[a:b] for a, b in pairs)

def sendfile(fd, octets):
    at, count = place(len(octets)), length()
    with tempfile.TemporaryFile() as target:
        sent = os.sendfile(target.fileno(), fd, at, count)
        return os.pread(target.fileno(), count + 1, 0) == octets[at:at + count] and sent == len(octets[at:at + count])

def seek(fd, octets):
    at = place(len(octets))
    if at < len(octets):
        return (os.lseek(fd, at, os.SEEK_DATA), os.lseek(fd, at, os.SEEK_HOLE)) == (at, len(octets))
    try:
        return os.lseek(fd, at, os.SEEK_DATA) is None
    except OSError as error:
        return error.errno == errno.ENXIO and os.lseek(fd, 0, os.SEEK_END) == len(octets)

def direct(fd, octets):
    past_pages = os.open(f'/proc/self/fd/{fd}', os.O_RDONLY | os.O_DIRECT)
    try:
        return pread(past_pages, octets)
    finally:
        os.close(past_pages)

def forget(fd, octets):
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return os.fstat(fd).st_size == len(octets)

ways = [pread, pread, read_on, preadv, mapped, sendfile, seek, direct, forget, forget]
done = 0
while done < rounds:
    name = choose.choice(list(known))
    fd = os.open(os.path.join(mount, name), os.O_RDONLY)
    for _ in range(choose.randrange(1, 8)):
        way = choose.choice(ways)
        if not way(fd, known[name]):
            sys.exit(f'round {done} of seed {seed}: {way.__name__} of {name} is wrong')
        done += 1
    os.close(fd)
print(done)
"#;

/// About 3 MB in files of all sizes. The memory option below holds a third of that.
fn messages() -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = [900_000, 700_000, 500_000, 400_000, 131_072, 4_000]
        .map(corpus::large)
        .to_vec();
    messages.extend([
        Vec::new(),
        corpus::with_body(b"\r\n"),
        corpus::large(1_200_000),
    ]);
    messages
}

fn keep(messages: &[Vec<u8>], folder: &Path) {
    for (serial, message) in (1..).zip(messages) {
        fs::write(folder.join(format!("liar-{serial}.eml")), message).expect("a known file");
    }
}

#[test]
fn random_reads_find_the_known_octets_while_bodies_are_evicted() {
    let (messages, retrieved) = read_at_random(&["memory=1M", "cache=off"]);
    assert!(
        retrieved > messages,
        "nothing was evicted: {retrieved} RETR"
    );
}

#[test]
fn random_reads_find_the_known_octets_with_lf() {
    let (messages, retrieved) = read_at_random(&["memory=1M", "eol=lf"]);
    assert_eq!(retrieved, messages, "each message is fetched once");
}

#[test]
fn random_reads_are_right_when_all_bodies_are_on_disk() {
    let (messages, retrieved) = read_at_random(&["memory=1M"]);
    assert_eq!(retrieved, messages, "each message is fetched once");
}

/// Three readers at once compare what they read. Gives the number of messages and of RETRs.
fn read_at_random(options: &[&str]) -> (usize, usize) {
    const READERS: usize = 3;
    const ROUNDS: usize = 300;
    let messages = messages();
    let known = tempfile::tempdir().expect("a folder of known files");
    let mut shown = messages.clone();
    if options.contains(&"eol=lf") {
        shown
            .iter_mut()
            .for_each(|message| *message = corpus::with_lf(message));
    }
    keep(&shown, known.path());
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), options);
    let known = known.path().to_str().expect("a path in ASCII");
    let read = |seed: usize| {
        let (seed, rounds) = (seed.to_string(), ROUNDS.to_string());
        let done = stdout_of(&["python3", "-c", READER, &seed, &rounds, mount.arg(), known]);
        assert!(
            done.trim()
                .parse::<usize>()
                .is_ok_and(|done| done >= ROUNDS),
            "{done}"
        );
    };
    thread::scope(|scope| {
        for seed in 1..=READERS {
            scope.spawn(move || read(seed));
        }
    });
    (messages.len(), liar.count("RETR"))
}
