//! Large directories. Everything is listed once, however slow the program is and whatever changes
//! meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::common::{Liar, corpus, stdout_of};
use super::renewal::list_until;
use super::{in_clear, listed};

const COUNT: usize = 3_000;

/// Messages whose names do not sort in maildrop order.
fn large_maildrop() -> Liar {
    let message = corpus::with_body(b"one of many\r\n");
    Liar::start(&vec![message; COUNT])
}

fn name(serial: usize) -> String {
    format!("liar-{serial}.eml")
}

fn all() -> BTreeSet<String> {
    (1..=COUNT).map(name).collect()
}

/// The lines, each of which must be there once.
fn once_each(lines: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for line in lines.lines() {
        assert!(seen.insert(line.to_owned()), "{line} twice");
    }
    seen
}

#[test]
fn three_thousand_messages_are_listed_once_each() {
    let liar = large_maildrop();
    let mount = in_clear(&liar.source(), &[]);
    let names = listed(&mount);
    assert_eq!(names.len(), COUNT);
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), all());
    assert_eq!(once_each(&stdout_of(&["ls", mount.arg()])), all());
    let find = ["find", mount.arg(), "-type", "f", "-printf", "%f\\n"];
    assert_eq!(once_each(&stdout_of(&find)), all());
}

#[test]
fn a_reader_finds_its_place_in_the_directory_again() {
    const READER: &str = r#"
        opendir(my $folder, $ARGV[0]) or die $!;
        my @first = map { scalar readdir $folder } 1 .. 1500;
        my $place = telldir $folder;
        my @rest = readdir $folder;
        seekdir $folder, $place;
        my @again = readdir $folder;
        rewinddir $folder;
        my @whole = readdir $folder;
        die "behind the place" unless "@rest" eq "@again";
        die "from the beginning" unless "@whole" eq "@first @rest";
        print scalar(@whole);
    "#;
    let liar = large_maildrop();
    let mount = in_clear(&liar.source(), &[]);
    let entries = stdout_of(&["perl", "-e", READER, mount.arg()]);
    // `.` and `..` are listed, too.
    assert_eq!(entries, (COUNT + 2).to_string());
}

#[test]
fn a_slow_listing_shows_what_stays_while_mail_comes_and_goes() {
    let liar = large_maildrop();
    let mount = in_clear(&liar.source(), &["refresh=1s"]);
    let mut slow = fs::read_dir(mount.path()).expect("the root");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut see = |name: std::ffi::OsString| {
        *seen.entry(name.into_string().expect("ASCII")).or_default() += 1;
    };
    for _ in 0..500 {
        see(slow.next().expect("many").expect("an entry").file_name());
    }
    let gone: BTreeSet<u64> = (1..=COUNT as u64).step_by(3).collect();
    gone.iter().for_each(|&serial| liar.remove(serial));
    let added = liar.add(&corpus::with_body(b"new\r\n"));
    list_until(&mount, "the changes", |names| {
        names.len() == COUNT - gone.len() + 1
    });
    slow.for_each(|entry| see(entry.expect("an entry").file_name()));
    let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let stay = (1..=COUNT as u64).filter(|serial| !gone.contains(serial) && *serial != added);
    let missing: Vec<_> = stay
        .map(|serial| format!("liar-{serial}.eml"))
        .filter(|name| !seen.contains_key(name))
        .collect();
    assert!(missing.is_empty(), "{} missing: {missing:?}", missing.len());
}
