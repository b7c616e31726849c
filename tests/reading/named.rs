//! `.named`: the messages under names that tell date, sender and subject.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::errno::Errno;

use super::common::{
    Dovecot, DovecotOptions, Liar, Mount, MountBuilder, Reply, corpus, eventually,
};
use super::{in_clear, listed, read};

const COUNT: usize = 25;

fn names(mount: &Mount) -> Vec<String> {
    let entries = fs::read_dir(mount.join(".named")).expect("the view");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

fn named(mount: &Mount, name: &str) -> std::path::PathBuf {
    mount.join(Path::new(".named").join(name))
}

fn letter(from: &str, subject: &str) -> Vec<u8> {
    format!(
        "Received: by x; Wed, 1 May 2024 07:30:59 +0000\r\nFrom: {from}\r\nSubject: {subject}\r\n\r\nText.\r\n"
    )
    .into_bytes()
}

#[test]
fn a_name_tells_when_who_and_what() {
    let liar = Liar::start(&[letter(
        "Alice Smith <alice@example.org>",
        "Re: =?utf-8?q?caf=C3=A9?=",
    )]);
    let mount = MountBuilder::new(&liar.source())
        .option("tls=off")
        .environment("TZ", "UTC")
        .mount();
    let [name] = &names(&mount)[..] else {
        panic!("one name");
    };
    let (readable, tag) = name.split_once(" ~").expect("a tag");
    assert_eq!(readable, "2024-05-01T0730 Alice Smith - Re café");
    assert_eq!(tag.len(), "01234567.eml".len());
}

#[test]
fn what_is_named_is_read_octet_by_octet() {
    let messages = corpus::realistic(31, COUNT);
    let dovecot = Dovecot::start(&messages, &DovecotOptions::default());
    let mount = in_clear(&dovecot.source(), &[]);
    let mut octets: Vec<Vec<u8>> = names(&mount)
        .iter()
        .map(|name| read(&named(&mount, name)))
        .collect();
    let mut sent = messages;
    octets.sort();
    sent.sort();
    assert_eq!(octets, sent);
}

#[test]
fn a_listing_asks_for_each_header_once_over_all_mounts() {
    let liar = Liar::start(&corpus::realistic(32, COUNT));
    let mut mount = in_clear(&liar.source(), &[]);
    let first = names(&mount);
    assert_eq!(first.len(), COUNT);
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (COUNT, 0));
    assert_eq!(names(&mount), first);
    mount.remount();
    assert_eq!(names(&mount), first);
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (COUNT, 0));
}

#[test]
fn where_no_time_is_asked_for_the_names_still_tell_who_and_what() {
    let liar = Liar::start(&[letter("Alice <a@example.org>", "Hello")]);
    let mount = in_clear(&liar.source(), &["mtime=none"]);
    let names = names(&mount);
    assert!(names[0].contains(" Alice - Hello ~"), "{names:?}");
}

#[test]
fn a_server_without_top_gives_names_too() {
    let liar = Liar::start(&[letter("Alice <a@example.org>", "Hello")]);
    liar.set_capabilities(Some(&["UIDL"]));
    liar.on("TOP", Reply::Err("unknown command"));
    let mount = in_clear(&liar.source(), &[]);
    let names = names(&mount);
    assert!(names[0].contains(" Alice - Hello ~"), "{names:?}");
}

#[test]
fn those_who_are_called_the_same_are_told_apart() {
    let messages = vec![letter("Alice <a@example.org>", "Hello"); 3];
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    assert_eq!(names(&mount).len(), 3);
    for name in names(&mount) {
        assert_eq!(read(&named(&mount, &name)), messages[0]);
    }
}

#[test]
fn new_mail_renames_nothing() {
    let liar = Liar::start(&corpus::realistic(33, 5));
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    let before = names(&mount);
    liar.add(&letter("Bob <b@example.org>", "New"));
    let after = eventually("the new message", || {
        let names = names(&mount);
        (names.len() == 6).then_some(names)
    });
    assert!(before.iter().all(|name| after.contains(name)));
    assert!(after.iter().any(|name| name.contains(" Bob - New ~")));
}

#[test]
fn a_size_that_list_had_wrong_is_right_here_too() {
    let message = letter("Alice <a@example.org>", "Hello");
    for offset in [-20, 300] {
        let liar = Liar::start(std::slice::from_ref(&message));
        liar.set_list_offset(1, offset);
        let mount = in_clear(&liar.source(), &[]);
        let path = named(&mount, &names(&mount)[0]);
        let before = fs::metadata(&path).expect("stat").len();
        assert_eq!(before, (message.len() as u64).wrapping_add_signed(offset));
        assert_eq!(read(&path), message);
        assert_eq!(
            fs::metadata(&path).expect("stat").len(),
            message.len() as u64
        );
    }
}

#[test]
fn what_is_removed_here_is_removed_in_the_root() {
    let messages = [
        letter("Alice <a@example.org>", "One"),
        letter("Bob <b@example.org>", "Two"),
    ];
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    let by_name: BTreeMap<bool, String> = names(&mount)
        .into_iter()
        .map(|name| (name.contains("Alice"), name))
        .collect();
    fs::remove_file(named(&mount, &by_name[&true])).expect("rm");
    assert_eq!(listed(&mount).len(), 1);
    assert_eq!(names(&mount), [by_name[&false].clone()]);
    let gone = fs::metadata(named(&mount, &by_name[&true])).expect_err("it is gone");
    assert_eq!(gone.raw_os_error(), Some(Errno::ENOENT as i32));
    assert!(mount.umount().status.success());
    assert_eq!(liar.left(), [messages[1].clone()]);
}

#[test]
fn a_name_that_nothing_has_is_not_there() {
    let liar = Liar::start(&[letter("Alice <a@example.org>", "Hello")]);
    let mount = in_clear(&liar.source(), &[]);
    let name = names(&mount).remove(0);
    for other in [
        name.replace("Alice", "Bob"),
        name.replace(" ~", " ~0"),
        name.replace(".eml", ""),
        "x ~zz.eml".to_owned(),
        " ~.eml".to_owned(),
    ] {
        let missing = fs::metadata(named(&mount, &other)).expect_err(&other);
        assert_eq!(
            missing.raw_os_error(),
            Some(Errno::ENOENT as i32),
            "{other}"
        );
    }
}
