//! What a view has made once is not made again when it is opened, but when it is read.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::common::{Liar, Mount, forget_pages, stdout_of};
use super::super::{in_clear, read};
use super::{Attached, noise, wire, with_attachments};

/// Together their texts are more than what a mount keeps of what views have made.
const COUNT: u64 = 9;

fn messages() -> Vec<Vec<u8>> {
    let message = |seed: u64| {
        let line = format!("message {seed}, {}\n", "text ".repeat(12));
        let headers = format!("Subject: {seed}\n\n");
        wire(&format!("{headers}{}", line.repeat(30_000)))
    };
    (1..=COUNT).map(message).collect()
}

/// A mount in which every text was made, and the first one is not kept any more.
fn maildrop(options: &[&str]) -> (Liar, Mount, Vec<Vec<u8>>) {
    let messages = messages();
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), options);
    for (serial, message) in (1..).zip(&messages) {
        let text = read(&mount.join(format!(".text/liar-{serial}.txt")));
        assert!(text == pop3fs::message::text(message).as_bytes());
    }
    (liar, mount, messages)
}

/// Changes the first of these octets wherever they are in a segment of the cache.
fn damage(folder: &Path, octets: &[u8]) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            damage(&path, octets);
        } else if path.extension().is_some_and(|kind| kind == "segment") {
            let segment = fs::read(&path).expect("a segment");
            let file = File::options().write(true).open(&path).expect("a segment");
            for at in memchr::memmem::find_iter(&segment, octets) {
                file.write_all_at(b"X", at as u64).expect("to damage it");
            }
        }
    }
}

#[test]
fn a_text_that_is_opened_again_has_the_same_octets_and_size() {
    let (liar, mount, messages) = maildrop(&[]);
    let text = pop3fs::message::text(&messages[0]);
    let path = mount.join(".text/liar-1.txt");
    let mut file = File::open(&path).expect("a text");
    assert_eq!(file.metadata().expect("fstat").len(), text.len() as u64);
    forget_pages(&file);
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("the text");
    assert!(octets == text.as_bytes());
    let mut middle = vec![0; 1000];
    forget_pages(&file);
    file.read_exact_at(&mut middle, 500_000).expect("octets");
    assert!(middle == text.as_bytes()[500_000..501_000]);
    assert_eq!(liar.count("RETR"), messages.len());
}

#[test]
fn a_text_that_was_opened_again_stays_readable_after_its_deletion() {
    let (liar, mount, messages) = maildrop(&[]);
    let mut file = File::open(mount.join(".text/liar-1.txt")).expect("a text");
    forget_pages(&file);
    fs::remove_file(mount.join("liar-1.eml")).expect("to remove a message");
    stdout_of(&["sync", mount.arg()]);
    assert_eq!(liar.left_serials(), (2..=COUNT).collect::<Vec<_>>());
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("the text");
    assert!(octets == pop3fs::message::text(&messages[0]).as_bytes());
}

#[test]
fn without_its_message_in_the_cache_a_text_is_fetched_when_it_is_opened() {
    let (liar, mount, messages) = maildrop(&["memory=1M", "cache=off"]);
    let path = mount.join(".text/liar-1.txt");
    let before = liar.count("RETR");
    let file = File::open(&path).expect("a text");
    forget_pages(&file);
    drop(file);
    assert!(read(&path) == pop3fs::message::text(&messages[0]).as_bytes());
    assert!(liar.count("RETR 1") > 1 && liar.count("RETR") > before);
}

#[test]
fn a_text_whose_message_is_damaged_on_disk_is_made_of_a_new_copy() {
    let (liar, mut mount, messages) = maildrop(&["memory=1M"]);
    // Whatever waits to be written is on disk after this.
    mount.remount();
    for serial in 1..=COUNT {
        read(&mount.join(format!(".text/liar-{serial}.txt")));
    }
    let mut file = File::open(mount.join(".text/liar-1.txt")).expect("a text");
    forget_pages(&file);
    damage(&mount.cache_dir(), b"message 1, text");
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).expect("the text");
    assert!(octets == pop3fs::message::text(&messages[0]).as_bytes());
    assert_eq!(liar.count("RETR 1"), 2);
}

#[test]
fn an_attachment_that_is_opened_before_it_is_made_is_whole() {
    let octets = noise(5, 700_000);
    let message = with_attachments(&[Attached::named("a.bin", octets.clone())]);
    let liar = Liar::start(&[message]);
    let mount = in_clear(&liar.source(), &[]);
    let directory = mount.join(".parts/liar-1/attachments");
    assert_eq!(super::names(&directory), ["a.bin"]);
    let file = File::open(directory.join("a.bin")).expect("an attachment");
    let mut end = vec![0; 1000];
    file.read_exact_at(&mut end, 699_000).expect("octets");
    assert!(end == octets[699_000..]);
    assert!(read(&directory.join("a.bin")) == octets);
    assert_eq!(liar.count("RETR"), 1);
}
