//! A thousand readers while the server does not answer, many open messages, and a server whose LIST
//! makes large messages look small: memory and disk stay bounded.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;

use crate::common::{
    Dovecot, DovecotOptions, Liar, Mount, Reply, corpus, eventually, output_within, readers,
    retr_all, stdout_of,
};
use crate::{AT_ONCE, errno, listed, messages, mounted, resident, stderr};

const READERS: usize = 1000;
/// The most memory that the readers may cost, in octets, however many they are.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

fn assert_answers_at_once(mount: &Mount) {
    for program in ["ls", "df"] {
        let output = output_within(AT_ONCE, Command::new(program).arg(mount.path()));
        assert!(output.status.success(), "{program}: {}", stderr(&output));
    }
    let output = mount.subcommand(&["status", mount.arg()]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_thousand_readers_get_their_mail_when_the_server_resumes() {
    let dovecot = Dovecot::start(&corpus::realistic(77, 250), &DovecotOptions::default());
    let files: Vec<(String, Vec<u8>)> = retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD)
        .into_iter()
        .map(|message| {
            let uidl = String::from_utf8(message.uidl).expect("a unique-id in ASCII");
            (format!("{uidl}.eml"), message.bytes)
        })
        .collect();
    let mount = mounted(&dovecot.source(), &[]);
    assert_answers_at_once(&mount);
    let before = resident(&mount);
    dovecot.pause();
    let wanted: Vec<&(String, Vec<u8>)> = files.iter().cycle().take(READERS).collect();
    let readers = readers(wanted.iter().map(|(name, _)| mount.join(name)));
    assert_answers_at_once(&mount);
    assert!(
        resident(&mount) < before + MOST_MEMORY,
        "{} of {before}",
        resident(&mount)
    );
    dovecot.resume();
    for (reader, (name, octets)) in readers.into_iter().zip(wanted) {
        let read = reader.join().expect("a reader");
        assert!(read.expect("a message") == *octets, "{name}");
    }
    assert!(
        resident(&mount) < before + MOST_MEMORY,
        "{} of {before}",
        resident(&mount)
    );
}

/// Each is below what a single message may take of memory.
#[test]
fn many_open_messages_take_little_memory_with_and_without_a_cache() {
    const COUNT: usize = 24;
    let messages: Vec<Vec<u8>> = (0..COUNT)
        .map(|number| corpus::large(3_800_000 + number))
        .collect();
    let liar = Liar::start(&messages);
    for options in [&["memory=1M"][..], &["memory=1M", "cache=off"]] {
        let mut mount = mounted(&liar.source(), options);
        crate::assert_reads(mount.path(), 1, &messages[0]);
        let before = resident(&mount);
        // Fetched when they are opened; from the cache the second time.
        for _ in 0..2 {
            let open: Vec<File> = (1..=COUNT as u64)
                .map(|serial| File::open(mount.join(crate::name(serial))).expect("a message"))
                .collect();
            for (file, message) in open.iter().zip(&messages) {
                let mut octets = vec![0; message.len()];
                file.read_exact_at(&mut octets, 0).expect("a message");
                assert!(octets == *message);
            }
            let all_open = resident(&mount);
            assert!(all_open < before + MOST_MEMORY, "{all_open} of {before}");
            drop(open);
            eventually("the memory to be given back", || {
                (resident(&mount) < before + MOST_MEMORY / 2).then_some(())
            });
        }
        crate::umount(&mut mount);
    }
}

/// The octets of the files in a folder, as far as they have names.
fn octets_in(folder: &Path) -> u64 {
    let sizes = stdout_of(&[
        "find".as_ref(),
        folder.as_os_str(),
        "-type".as_ref(),
        "f".as_ref(),
        "-printf".as_ref(),
        "%s\n".as_ref(),
    ]);
    let size = |line: &str| line.parse::<u64>().expect("a size");
    sizes.lines().map(size).sum()
}

#[test]
fn what_is_read_ahead_is_bounded_though_list_says_1() {
    const COUNT: usize = 30;
    const LONG: usize = 5_000_000;
    const CACHE: u64 = 1024 * 1024;
    /// Octets that may be on their way at a time.
    const WINDOW: u64 = 32 * 1024 * 1024;
    let messages = vec![corpus::large(LONG); COUNT];
    let liar = Liar::start(&messages);
    for serial in 1..=COUNT as u64 {
        liar.set_list_offset(serial, i64::MIN / 2);
    }
    let mount = mounted(&liar.source(), &["cache_size=1M", "index=off"]);
    // In the order of the directory.
    for (read, serial) in (1..).zip([1, 10, 11, 12, 13]) {
        crate::assert_reads(mount.path(), serial, &messages[0]);
        let ahead = liar.count("RETR") - read;
        assert!(ahead * LONG <= WINDOW as usize + LONG, "{ahead} too early");
        let kept = octets_in(&mount.cache_dir());
        assert!(kept <= CACHE + WINDOW, "{kept} octets in the cache");
    }
}

#[test]
fn a_thousand_readers_of_a_silent_server_all_time_out() {
    let messages = messages(99);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &["timeout=4s"]);
    let before = resident(&mount);
    liar.on("RETR", Reply::Silent);
    let paths = (0..READERS).map(|reader| mount.join(crate::name(reader as u64 % 100 + 1)));
    for reader in readers(paths) {
        assert_eq!(errno(reader.join().expect("a reader")), Errno::ETIMEDOUT);
    }
    assert_answers_at_once(&mount);
    assert!(resident(&mount) < before + MOST_MEMORY);
    liar.behave("RETR");
    crate::assert_reads_all(mount.path(), &messages);
}

/// The index keeps 10,000 messages that the server no longer lists. A mount that begins does not know
/// yet which of all those that it remembers are listed.
#[test]
fn a_remount_shows_each_of_twelve_thousand_messages() {
    let messages = vec![corpus::with_body(b"short\r\n"); 12_000];
    let liar = Liar::start(&messages);
    let mut mount = mounted(&liar.source(), &["mtime=none"]);
    let names = |mount: &Mount| HashSet::<String>::from_iter(listed(mount.path()));
    let before = names(&mount);
    assert_eq!(before.len(), messages.len());
    liar.add(&messages[0]);
    for _ in 0..2 {
        assert!(mount.umount().status.success());
        mount.wait();
        mount.remount();
        let after = names(&mount);
        assert_eq!(after.len(), before.len() + 1);
        assert!(before.is_subset(&after));
    }
}
