//! Programs that open a message for the first time at the same moment, while the kernel was shown a
//! wrong size for it. None of them asks for the size: what they read ends where the message ends.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Barrier;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::sendfile::sendfile;

use super::common::{Liar, corpus};
use super::in_clear;

const MESSAGES: usize = 200;
/// Programs for each way to read.
const PROGRAMS: usize = 2;

/// Reads the file, whose length the program knows from elsewhere.
type Way = fn(&File, usize) -> io::Result<Vec<u8>>;

const WAYS: [(&str, Way); 3] = [("read", read), ("mmap", map), ("sendfile", send)];

/// How much more LIST tells than RETR sends.
const OFFSETS: [i64; 4] = [700, -700, 9000, i64::MIN / 2];

#[test]
fn what_many_open_first_at_once_ends_where_it_ends() {
    let mut messages = corpus::realistic(71, MESSAGES);
    for (count, message) in messages.iter_mut().enumerate().step_by(3) {
        *message = corpus::large(200_000 + count);
    }
    let liar = Liar::start(&messages);
    for (serial, offset) in (1..=MESSAGES as u64).zip(OFFSETS.into_iter().cycle()) {
        liar.set_list_offset(serial, offset);
    }
    let mount = in_clear(&liar.source(), &[]);
    let barrier = Barrier::new(WAYS.len() * PROGRAMS);
    std::thread::scope(|scope| {
        for (what, way) in WAYS.iter().cycle().take(WAYS.len() * PROGRAMS) {
            scope.spawn(|| {
                for (serial, message) in (1..).zip(&messages) {
                    let path = mount.join(format!("liar-{serial}.eml"));
                    barrier.wait();
                    assert_reads(what, *way, &path, message);
                }
            });
        }
    });
}

fn assert_reads(what: &str, way: Way, path: &Path, message: &[u8]) {
    let file = File::open(path).expect("open");
    let octets = way(&file, message.len()).expect(what);
    let shown = path.display();
    assert!(
        octets == message,
        "{what} of {shown}: {} octets instead of {}",
        octets.len(),
        message.len()
    );
}

/// Up to the end that the kernel shows. Limited, `read_to_end` does not ask for the size.
fn read(file: &File, _length: usize) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    file.take(u64::MAX).read_to_end(&mut octets)?;
    Ok(octets)
}

/// Up to the end that the kernel shows.
fn send(file: &File, _length: usize) -> io::Result<Vec<u8>> {
    let target = tempfile::tempfile()?;
    let mut offset = 0;
    while sendfile(&target, file, Some(&mut offset), 1 << 20)? > 0 {}
    let mut octets = vec![0; offset as usize];
    target.read_exact_at(&mut octets, 0)?;
    Ok(octets)
}

/// So many octets: a mapping that the kernel believes to be longer than the file ends the program
/// by SIGBUS.
fn map(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mapped = NonZeroUsize::new(length).expect("a message");
    let (protection, flags) = (ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE);
    // SAFETY: a new private mapping, read before it is unmapped and nowhere else.
    #[allow(unsafe_code)]
    unsafe {
        let view = mmap(None, mapped, protection, flags, file, 0)?;
        let octets = std::slice::from_raw_parts(view.cast::<u8>().as_ptr(), length).to_vec();
        munmap(view, length)?;
        Ok(octets)
    }
}
