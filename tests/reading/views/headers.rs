//! `.headers`: the headers of each message, by TOP and never by RETR, once and for all mounts.

use std::fs;
use std::path::Path;

use super::super::common::{Liar, Mount, Mpopd, Reply, corpus, eventually, run, stdout_of};
use super::super::{ended, in_clear, listed, read};
use super::{found, names, wire};

const COUNT: usize = 1000;

/// A word of every message's headers.
const WORD: &str = "Message-ID";

fn letters() -> Vec<Vec<u8>> {
    ["spam", "ham", "eggs"]
        .map(|word| {
            let flag = if word == "spam" { "YES" } else { "NO" };
            wire(&format!(
                "From: a@example.org\nX-Spam-Flag: {flag}\nSubject: {word}\n\nX-Spam-Flag: YES\n"
            ))
        })
        .to_vec()
}

/// The header block of a message of [`letters`] or of a realistic one.
fn block(message: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(message, b"\r\n\r\n").expect("a blank line");
    &message[..end + 4]
}

fn file(mount: &Mount, serial: usize) -> std::path::PathBuf {
    mount.join(format!(".headers/liar-{serial}.txt"))
}

#[test]
fn headers_are_what_top_shows_with_the_line_ends_of_the_root() {
    let messages = letters();
    for (options, is_lf) in [(&[][..], false), (&["eol=lf"], true)] {
        let liar = Liar::start(&messages);
        let mount = in_clear(&liar.source(), options);
        for (serial, message) in (1..).zip(&messages) {
            let shown = read(&file(&mount, serial));
            let expected = match is_lf {
                true => corpus::with_lf(block(message)),
                false => block(message).to_vec(),
            };
            assert_eq!(shown, expected, "{serial} {options:?}");
        }
        assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, 3));
    }
}

#[test]
fn headers_of_odd_messages_are_those_of_the_body() {
    let messages = corpus::octets(&corpus::awkward());
    let (by_top, by_body) = (Liar::start(&messages), Liar::start(&messages));
    let (one, other) = (
        in_clear(&by_top.source(), &[]),
        in_clear(&by_body.source(), &[]),
    );
    for name in listed(&other) {
        read(&other.join(&name));
    }
    for (serial, (shape, octets)) in (1..).zip(corpus::awkward()) {
        let octets = ended(&octets);
        let expected = pop3fs::message::header_block(&octets);
        assert_eq!(read(&file(&other, serial)), expected, "{shape}");
        let stem = format!(".parts/liar-{serial}/headers");
        assert_eq!(read(&other.join(stem)), expected, "{shape}");
        let shown = read(&file(&one, serial));
        assert_eq!(shown, expected, "{shape}");
    }
    assert_eq!(by_body.count("TOP"), 0);
}

#[test]
fn headers_of_many_cost_one_top_each_and_nothing_after_a_remount() {
    let liar = Liar::start(&corpus::realistic(71, COUNT));
    let mut mount = in_clear(&liar.source(), &[]);
    let first = found(WORD, &mount.join(".headers"));
    assert_eq!(first.len(), COUNT);
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, COUNT));
    assert_eq!(found(WORD, &mount.join(".headers")), first);
    mount.remount();
    assert_eq!(found(WORD, &mount.join(".headers")), first);
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, COUNT));
}

/// A TOP is a line of ten octets or more.
#[test]
fn headers_are_read_ahead_in_one_pipeline() {
    let liar = Liar::start(&corpus::realistic(72, COUNT));
    let mount = in_clear(&liar.source(), &["pipeline=auto"]);
    liar.once("TOP 500 0", Reply::HeldUntil { behind: 50 * 10 });
    assert_eq!(found(WORD, &mount.join(".headers")).len(), COUNT);
    assert_eq!(liar.count("TOP"), COUNT);
}

#[test]
fn headers_that_were_read_for_their_dates_are_not_fetched_again() {
    let liar = Liar::start(&corpus::realistic(73, COUNT));
    let mount = in_clear(&liar.source(), &[]);
    stdout_of(&["ls", "-l", mount.arg()]);
    assert_eq!(liar.count("TOP"), COUNT);
    assert_eq!(found(WORD, &mount.join(".headers")).len(), COUNT);
    stdout_of(&["ls", "-l", mount.arg()]);
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, COUNT));
}

#[test]
fn headers_come_from_a_body_in_the_cache() {
    let liar = Liar::start(&corpus::realistic(74, 20));
    let mut mount = in_clear(&liar.source(), &[]);
    found(WORD, mount.path());
    let (asked, all) = (liar.count("TOP"), names(&mount.join(".headers")));
    assert_eq!(found(WORD, &mount.join(".headers")), all);
    mount.remount();
    assert_eq!(found(WORD, &mount.join(".headers")), all);
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (asked, 20));
}

#[test]
fn the_headers_among_the_parts_take_no_body() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    let files = mount.join(".parts/*/headers");
    let grep = format!("grep -c '^X-Spam-Flag: YES' {}", files.display());
    let shown = stdout_of(&["sh", "-c", &grep]);
    let counts: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.rsplit(':').next())
        .collect();
    assert_eq!(counts, ["1", "0", "0"]);
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, 3));
    // Whoever looks around needs the body, and finds the same headers.
    assert_eq!(
        names(&mount.join(".parts/liar-1")),
        ["headers", "message.eml", "text.txt"]
    );
    assert_eq!(
        read(&mount.join(".parts/liar-1/headers")),
        block(&letters()[0])
    );
}

#[test]
fn sizes_of_headers_are_exact_once_they_were_opened() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    let size = |path: &Path| fs::metadata(path).expect("stat").len();
    for (serial, message) in (1..).zip(letters()) {
        for path in [
            file(&mount, serial),
            mount.join(format!(".parts/liar-{serial}/headers")),
        ] {
            assert!((1..=4096).contains(&size(&path)));
            read(&path);
            assert_eq!(size(&path), block(&message).len() as u64);
        }
    }
}

#[test]
fn tools_copy_the_headers_whole() {
    let mut messages = letters();
    let field = format!("X-Long: {}\n", "long ".repeat(15).trim_end());
    messages.push(wire(&format!("{}\nbody\n", field.repeat(200))));
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    let python = "import mmap, os, sys\n\
        for name in sys.argv[2:]:\n\
        \x20   f = os.open(name, os.O_RDONLY)\n\
        \x20   octets = bytes(mmap.mmap(f, 0, prot=mmap.PROT_READ))\n\
        \x20   open(sys.argv[1] + '/' + os.path.basename(name), 'wb').write(octets)\n";
    let headers = mount.join(".headers");
    let files = headers.display();
    for copy_by in [
        format!("python3 -c \"$0\" \"$1\" {files}/*"),
        format!("cat </dev/null; for f in {files}/*; do cat $f >\"$1/${{f##*/}}\"; done"),
        format!("cp {files}/* \"$1\""),
        format!("rsync -a {files}/ \"$1\""),
    ] {
        let copy = tempfile::tempdir().expect("a folder to copy to");
        let to = copy.path().to_str().expect("a path in ASCII");
        stdout_of(&["sh", "-c", &copy_by, python, to]);
        for (serial, message) in (1..).zip(&messages) {
            let copied = fs::read(copy.path().join(format!("liar-{serial}.txt")));
            assert!(copied.expect("a copy") == block(message), "{copy_by}");
        }
    }
}

#[test]
fn without_top_the_headers_come_from_the_body_once() {
    let liar = Liar::start(&letters());
    liar.set_capabilities(Some(&["UIDL", "USER"]));
    liar.on("TOP", Reply::Err("unknown command"));
    let mut mount = in_clear(&liar.source(), &[]);
    for _ in 0..2 {
        for (serial, message) in (1..).zip(letters()) {
            assert_eq!(read(&file(&mount, serial)), block(&message));
        }
        mount.remount();
    }
    assert_eq!(liar.count("RETR"), 3);
}

#[test]
fn mpopd_shows_headers_by_the_body() {
    let large = corpus::large(200_000);
    let mpopd = Mpopd::start(&[letters().remove(0), large.clone()]);
    let mount = in_clear(&mpopd.source(), &[]);
    let shown = found("Subject: ", &mount.join(".headers"));
    assert_eq!(shown.len(), 2);
    let flagged = found("X-Spam-Flag: YES", &mount.join(".headers"));
    assert_eq!(flagged.len(), 1);
    let spam = read(&mount.join(".headers").join(&flagged[0]));
    assert_eq!(spam, block(&letters()[0]));
}

#[test]
fn a_top_that_is_refused_or_empty_is_made_up_for_by_the_body() {
    for reply in [
        Reply::Err("cannot read the message"),
        Reply::Raw(b"+OK\r\n.\r\n".to_vec()),
    ] {
        let mut messages = letters();
        messages[1].extend(vec![b'x'; 100_000]);
        let liar = Liar::start(&messages);
        liar.on("TOP 2 0", reply);
        let mount = in_clear(&liar.source(), &[]);
        for (serial, message) in (1..).zip(&messages) {
            assert_eq!(read(&file(&mount, serial)), block(message));
        }
        assert_eq!((liar.count("RETR"), liar.count("RETR 2")), (1, 1));
    }
}

#[test]
fn a_top_with_a_body_behind_it_is_cut_at_the_blank_line() {
    let liar = Liar::start(&letters());
    let reply = [b"+OK\r\n", &letters()[1][..], b".\r\n"].concat();
    liar.on("TOP 2 0", Reply::Raw(reply));
    let mut mount = in_clear(&liar.source(), &[]);
    for _ in 0..2 {
        assert_eq!(read(&file(&mount, 2)), block(&letters()[1]));
        mount.remount();
    }
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, 1));
}

#[test]
fn a_top_with_too_little_is_completed_by_the_body() {
    let liar = Liar::start(&letters());
    liar.on(
        "TOP 1 0",
        Reply::Raw(b"+OK\r\nFrom: a@example.org\r\n.\r\n".to_vec()),
    );
    let mount = in_clear(&liar.source(), &[]);
    for path in [file(&mount, 1), mount.join(".parts/liar-1/headers")] {
        assert_eq!(read(&path), block(&letters()[0]), "{}", path.display());
        let size = fs::metadata(&path).expect("stat").len();
        assert_eq!(size, block(&letters()[0]).len() as u64);
    }
    assert_eq!((liar.count("RETR"), liar.count("RETR 1")), (1, 1));
}

#[test]
fn headers_of_other_mail_under_the_same_id_are_fetched_again() {
    let liar = Liar::start(&letters());
    let mut mount = in_clear(&liar.source(), &[]);
    assert_eq!(read(&file(&mount, 1)), block(&letters()[0]));
    liar.remove(1);
    let other = wire("From: b@example.org\nX-Spam-Flag: NO\nSubject: other\n\nother\n");
    let serial = liar.add(&other);
    liar.set_uidl(serial, b"liar-1");
    mount.remount();
    assert_eq!(read(&file(&mount, 1)), block(&other));
}

#[test]
fn headers_without_their_digest_in_the_index_are_fetched_again() {
    let liar = Liar::start(&letters());
    let mut mount = in_clear(&liar.source(), &[]);
    read(&file(&mount, 1));
    let find = format!(
        "find '{}' -name 'index.sqlite*' -delete",
        mount.cache_dir().display()
    );
    stdout_of(&["sh", "-c", &find]);
    mount.remount();
    assert_eq!(read(&file(&mount, 1)), block(&letters()[0]));
    assert_eq!(liar.count("TOP 1 0"), 2);
}

#[test]
fn headers_in_the_cache_count_as_no_message() {
    let liar = Liar::start(&letters());
    let mut mount = in_clear(&liar.source(), &[]);
    found("From", &mount.join(".headers"));
    mount.remount();
    assert_eq!(mount.status()["disk"]["messages"], 0);
    read(&mount.join("liar-1.eml"));
    eventually("a message on disk", || {
        (mount.status()["disk"]["messages"] == 1).then_some(())
    });
}

#[test]
fn no_walk_of_the_root_finds_the_headers() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(names(&mount.join(".headers")).len(), 3);
    let shown = stdout_of(&["ls", "-a", mount.arg()]);
    assert!(!shown.contains("headers"), "{shown}");
    assert_eq!(found("X-Spam-Flag", mount.path()), listed(&mount));
    let listing = run(&["ls", "-l", &format!("{}/.headers", mount.arg())]);
    assert_eq!(String::from_utf8_lossy(&listing.stdout).lines().count(), 4);
}

#[test]
fn the_root_can_be_the_headers() {
    let liar = Liar::start(&letters());
    let mount = in_clear(&liar.source(), &["view=headers"]);
    assert_eq!(
        listed(&mount),
        [1, 2, 3].map(|serial| format!("liar-{serial}.txt"))
    );
    assert_eq!(found("X-Spam-Flag: YES", mount.path()), ["liar-1.txt"]);
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, 3));
}
