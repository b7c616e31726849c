//! Programs that read the text of a message that nobody has opened before. stat(2) cannot know its
//! size, but they print all.

use std::fs;
use std::path::{Path, PathBuf};

use pop3fs::message;

use super::super::common::{Liar, Mount, corpus, run, stdout_of};
use super::super::{in_clear, read, read_beside_others};
use super::{names, wire};

/// How much more LIST tells than RETR sends.
const LIES: [i64; 3] = [0, 30_000, -30_000];

/// The ways to read a file. Each program prints what it was given.
const PROGRAMS: [&[&str]; 9] = [
    &["cat"],
    &["tail", "-c", "1000000"],
    &["tail", "-n", "1000000"],
    &["head", "-c", "1000000"],
    &["sed", "p", "-n"],
    &["sh", "-c", "stat \"$1\" >/dev/null && cat <\"$1\"", "sh"],
    &[
        "sh",
        "-c",
        "cp \"$1\" \"$TMPDIR/copy.$$\" && cat \"$TMPDIR/copy.$$\"",
        "sh",
    ],
    &["python3", "-c", SENDFILE],
    &["python3", "-c", MMAP],
];

const SENDFILE: &str = "import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
at = 0
while sent := os.sendfile(1, file, at, 1 << 20): at += sent";

const MMAP: &str = "import mmap, os, sys
with open(sys.argv[1], 'rb') as file:
    view = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    assert len(view) == os.fstat(file.fileno()).st_size
    sys.stdout.buffer.write(view)";

/// The text is longer than the message, because it is in UTF-8.
fn longer_as_text() -> Vec<u8> {
    let mut message = wire("Subject: long\nContent-Type: text/plain; charset=iso-8859-1\n\n");
    for _ in 0..500 {
        message.extend_from_slice(&[0xfc; 70]);
        message.extend_from_slice(b"\r\n");
    }
    message
}

/// The text is shorter than the message: it has no CR and few headers.
fn shorter_as_text() -> Vec<u8> {
    corpus::large(60_000)
}

/// A mount with a message for each program and lie. The kernel was shown a wrong size of each.
fn unread(message: &[u8]) -> (Liar, Mount) {
    let messages = vec![message.to_vec(); PROGRAMS.len() * LIES.len()];
    let liar = Liar::start(&messages);
    for (serial, lie) in (1..).zip(LIES.iter().cycle()).take(messages.len()) {
        liar.set_list_offset(serial, *lie);
    }
    let mount = in_clear(&liar.source(), &[]);
    for (at, path) in texts(&mount).enumerate() {
        let shown = fs::metadata(path).expect("stat").len();
        let listed = message.len() as i64 + LIES[at % LIES.len()];
        assert_eq!(shown as i64, listed);
    }
    (liar, mount)
}

fn texts(mount: &Mount) -> impl Iterator<Item = PathBuf> + use<> {
    let view = mount.join(".text");
    (1..=PROGRAMS.len() * LIES.len()).map(move |serial| view.join(format!("liar-{serial}.txt")))
}

fn assert_all_print(message: &[u8]) {
    let expected = message::text(message).into_bytes();
    assert!(expected.len().abs_diff(message.len()) > 100);
    let (_liar, mount) = unread(message);
    let mut texts = texts(&mount);
    for program in PROGRAMS {
        for (lie, path) in LIES.iter().zip(&mut texts) {
            let printed = printed(program, &path);
            assert!(
                printed == expected,
                "{program:?} with LIST {lie:+}: {} octets instead of {}",
                printed.len(),
                expected.len()
            );
            assert_eq!(
                fs::metadata(&path).expect("stat").len(),
                expected.len() as u64
            );
        }
    }
}

fn printed(program: &[&str], path: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder to copy to");
    let temporary = format!("TMPDIR={}", folder.path().display());
    let line = [
        &["env", &temporary],
        program,
        &[path.to_str().expect("a path in ASCII")],
    ]
    .concat();
    let output = run(&line);
    assert!(output.status.success(), "{program:?}: {output:?}");
    output.stdout
}

#[test]
fn programs_print_a_whole_text_that_is_longer_than_its_message() {
    assert_all_print(&longer_as_text());
}

#[test]
fn programs_print_a_whole_text_that_is_shorter_than_its_message() {
    assert_all_print(&shorter_as_text());
}

#[test]
fn wc_counts_what_is_there() {
    for message in [longer_as_text(), shorter_as_text()] {
        let text = message::text(&message);
        let (_liar, mount) = unread(&message);
        for (path, flag) in texts(&mount).zip(["-c", "-l", "-c", "-l", "-m", "-l"]) {
            let expected = match flag {
                "-c" => text.len(),
                "-m" => text.chars().count(),
                _ => text.lines().count(),
            };
            let shown = stdout_of(&[
                "env",
                "LC_ALL=C.UTF-8",
                "wc",
                flag,
                path.to_str().expect("a path in ASCII"),
            ]);
            let count = shown.split_whitespace().next().map(str::parse);
            assert_eq!(count, Some(Ok(expected)), "wc {flag}");
        }
    }
}

/// sendfile(2) goes by the size that the kernel knows. The text is longer than that size and
/// shorter than the message, whose size was corrected meanwhile.
#[test]
fn a_text_is_whole_when_its_messages_size_was_corrected_before() {
    let message = shorter_as_text();
    let text = message::text(&message).into_bytes();
    let liar = Liar::start(std::slice::from_ref(&message));
    liar.set_list_offset(1, text.len() as i64 - message.len() as i64 - 20_000);
    let mount = in_clear(&liar.source(), &[]);
    let path = mount.join(".text/liar-1.txt");
    assert_eq!(
        fs::metadata(&path).expect("stat").len(),
        text.len() as u64 - 20_000
    );
    assert_eq!(read(&mount.join("liar-1.eml")), message);
    assert!(printed(PROGRAMS[7], &path) == text);
}

/// LIST happens to tell the size of the text, but stat(2) has shown another size in between.
#[test]
fn a_text_is_whole_where_list_told_its_size() {
    let message = shorter_as_text();
    let text = message::text(&message).into_bytes();
    let liar = Liar::start(std::slice::from_ref(&message));
    liar.set_list_offset(1, text.len() as i64 - message.len() as i64);
    let mount = in_clear(&liar.source(), &[]);
    read(&mount.join("liar-1.eml"));
    let path = mount.join(".text/liar-1.txt");
    assert_eq!(
        fs::metadata(&path).expect("stat").len(),
        message.len() as u64
    );
    for program in PROGRAMS {
        assert!(printed(program, &path) == text, "{program:?}");
    }
}

#[test]
fn parts_have_their_exact_size_at_stat_whatever_list_says() {
    let message = longer_as_text();
    for lie in LIES {
        let liar = Liar::start(std::slice::from_ref(&message));
        liar.set_list_offset(1, lie);
        let mount = in_clear(&liar.source(), &[]);
        let parts = mount.join(".parts/liar-1");
        let stat = |name: &String| fs::symlink_metadata(parts.join(name)).expect("stat").len();
        let shown: Vec<u64> = names(&parts).iter().map(stat).collect();
        let headers = message::header_block(&message).len() as u64;
        // ü has one octet in the message and two in the text. CRLF becomes LF.
        assert_eq!(shown, [headers, message.len() as u64, 500 * 141]);
        for (name, size) in names(&parts).iter().zip(shown) {
            for program in PROGRAMS {
                let printed = printed(program, &parts.join(name));
                assert_eq!(printed.len() as u64, size, "{name} by {program:?}");
            }
        }
    }
}

#[test]
fn texts_that_many_read_at_once_are_whole_for_each_of_them() {
    const COUNT: usize = 300;
    let messages = corpus::realistic(69, COUNT);
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for (serial, message) in (1..).zip(&messages) {
                    let text = read_beside_others(&mount.join(format!(".text/liar-{serial}.txt")));
                    assert!(text == message::text(message).as_bytes(), "{serial}");
                }
            });
        }
    });
    assert_eq!(liar.count("RETR"), COUNT);
}
