//! A message that has other content under its unique-id now. Its text and parts are of the new
//! content.

use std::fs;

use super::super::common::{Liar, Mount, corpus, eventually};
use super::super::renewal::list_until;
use super::super::{in_clear, listed, read, read_beside_others};
use super::{Attached, dovecot, names, noise, with_attachments};

/// Octets of a message whose text takes longer to make than a listing takes to be renewed.
const LONG: usize = 12_000_000;

fn message(seed: u64, octets: usize, files: &[&str]) -> Vec<u8> {
    let file = |name: &&str| Attached::named(name, noise(seed, octets));
    with_attachments(&files.iter().map(file).collect::<Vec<_>>())
}

/// A mounted maildrop with one message. Each view of it was read, so the kernel keeps their
/// attributes and pages.
fn seen(message: &[u8]) -> (Liar, Mount) {
    let liar = Liar::start(&[message.to_vec()]);
    liar.set_uidl(1, b"same");
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    assert_shows(&mount, message);
    (liar, mount)
}

fn replace(liar: &Liar, mount: &Mount, message: &[u8]) {
    liar.remove(1);
    let serial = liar.add(message);
    liar.set_uidl(serial, b"same");
    let listings = liar.count("LIST");
    list_until(mount, "a new listing", |_| liar.count("LIST") > listings);
}

/// Whether the thread that makes views is running.
fn is_making_views(mount: &Mount) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", mount.pid())).expect("the threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .any(|stat| stat.contains("(views) R"))
}

/// Checks that the views show this message, and that the attachments have the size that stat(2)
/// told.
fn assert_shows(mount: &Mount, message: &[u8]) {
    let text = read(&mount.join(".text/same.txt"));
    assert!(text == pop3fs::message::text(message).as_bytes());
    let tree = pop3fs::message::parts(message);
    let Some(pop3fs::message::parts::PartNode::Directory(attachments)) = tree.get("attachments")
    else {
        panic!("a message with attachments");
    };
    let directory = mount.join(".parts/same/attachments");
    let mut expected: Vec<&str> = attachments
        .entries
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    expected.sort_unstable();
    assert_eq!(names(&directory), expected);
    for entry in &attachments.entries {
        let pop3fs::message::parts::PartNode::File(file) = &entry.node else {
            panic!("a file");
        };
        let path = directory.join(&entry.name);
        assert_eq!(fs::metadata(&path).expect("stat").len(), file.size());
        assert!(read(&path) == *file.octets(message), "{}", entry.name);
    }
    assert!(read(&mount.join(".parts/same/message.eml")) == message);
}

#[test]
fn the_views_show_the_new_octets() {
    let short = message(1, 5_000, &["a.bin"]);
    let long = message(2, 50_000, &["a.bin", "b.bin"]);
    for (before, after) in [(&short, &long), (&long, &short)] {
        let (liar, mount) = seen(before);
        replace(&liar, &mount, after);
        assert_shows(&mount, after);
    }
}

/// The kernel keeps the pages of a file whose size and time are as before.
#[test]
fn the_views_show_a_new_attachment_that_is_as_long_as_the_old() {
    let (before, after) = (
        message(1, 5_000, &["a.bin"]),
        message(2, 5_000, &["a.bin", "b.bin"]),
    );
    let (liar, mount) = seen(&before);
    replace(&liar, &mount, &after);
    assert_shows(&mount, &after);
}

/// The tree of the message is no longer in memory, but the kernel still knows its parts.
#[test]
fn the_views_show_new_octets_after_many_others_were_listed() {
    let (before, after) = (
        message(3, 40_000, &["a.bin"]),
        message(4, 40_000, &["a.bin", "b.bin"]),
    );
    let (liar, mount) = seen(&before);
    for message in corpus::realistic(64, 100) {
        liar.add(&message);
    }
    list_until(&mount, "new mail", |names| names.len() == 101);
    for stem in super::stems(&mount) {
        names(&mount.join(".parts").join(stem));
    }
    replace(&liar, &mount, &after);
    assert_shows(&mount, &after);
}

/// Parts are numbered, so a removed part of the old content must not hide a part of the new one.
#[test]
fn a_part_removed_from_the_old_content_does_not_hide_a_new_one() {
    let (before, after) = (message(5, 1_000, &["a.bin"]), message(6, 2_000, &["b.bin"]));
    let (liar, mount) = seen(&before);
    fs::remove_file(mount.join(".parts/same/attachments/a.bin")).expect("to hide a part");
    replace(&liar, &mount, &after);
    assert_shows(&mount, &after);
}

/// Views wait behind one that takes long, and the listing is renewed meanwhile.
#[test]
fn views_asked_for_before_an_alteration_show_the_new_content() {
    let (before, after) = (
        message(7, 5_000, &["a.bin"]),
        message(8, 9_000, &["a.bin", "b.bin"]),
    );
    let liar = Liar::start(&[before.clone(), corpus::large(LONG)]);
    liar.set_uidl(1, b"same");
    liar.set_uidl(2, b"long");
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    for name in ["same.eml", "long.eml"] {
        read(&mount.join(name));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| read(&mount.join(".text/long.txt")));
        eventually("a view to be made", || {
            is_making_views(&mount).then_some(())
        });
        // The listing may be renewed between the open and fstat(2), which shows the new content then.
        scope.spawn(|| {
            let text = read_beside_others(&mount.join(".text/same.txt"));
            let texts = [&before, &after].map(|message| pop3fs::message::text(message));
            assert!(texts.iter().any(|known| known.as_bytes() == text));
        });
        scope.spawn(|| names(&mount.join(".parts/same")));
        replace(&liar, &mount, &after);
    });
    assert_shows(&mount, &after);
}

#[test]
fn new_mail_appears_in_the_views() {
    let messages = corpus::realistic(65, 3);
    let mut dovecot = dovecot(&messages[..2]);
    let mount = in_clear(&dovecot.source(), &["refresh=1s"]);
    let views = [mount.join(".text"), mount.join(".parts")];
    assert_eq!(views.each_ref().map(|view| names(view).len()), [2, 2]);
    dovecot.deliver(&messages[2]);
    for view in &views {
        eventually("new mail in the view", || {
            (names(view).len() == 3).then_some(())
        });
    }
    let stem = super::stems(&mount).remove(2);
    let text = read(&views[0].join(format!("{stem}.txt")));
    assert_eq!(
        String::from_utf8(text).expect("UTF-8"),
        pop3fs::message::text(&messages[2])
    );
    assert_eq!(
        names(&views[1].join(stem)),
        ["headers", "message.eml", "text.txt"]
    );
}

#[test]
fn what_another_client_deleted_is_gone_from_the_views() {
    let liar = Liar::start(&corpus::realistic(66, 2));
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    read(&mount.join(".text/liar-1.txt"));
    read(&mount.join(".parts/liar-1/text.txt"));
    liar.remove(1);
    list_until(&mount, "the message to go", |names| names.len() == 1);
    assert_eq!(names(&mount.join(".text")), ["liar-2.txt"]);
    assert_eq!(names(&mount.join(".parts")), ["liar-2"]);
    for name in [
        ".text/liar-1.txt",
        ".parts/liar-1",
        ".parts/liar-1/text.txt",
    ] {
        let error = fs::metadata(mount.join(name)).expect_err("a message that is gone");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}");
    }
    assert_eq!(listed(&mount), ["liar-2.eml"]);
}
