//! File names are escaped unique-ids. No server can make a path, a hidden file or an option of
//! them.

use std::collections::BTreeSet;
use std::fs;

use super::common::{Dovecot, DovecotOptions, Liar, Mount, Store, corpus, retr_all, stdout_of};
use super::{assert_same, by_identity, in_clear, listed, read, read_all};

/// A liar with one message for each unique-id; the message's subject is its serial number.
pub(super) fn with_uidls(uidls: &[&[u8]]) -> Liar {
    let messages: Vec<Vec<u8>> = (1..=uidls.len()).map(numbered).collect();
    let liar = Liar::start(&messages);
    for (serial, uidl) in (1..).zip(uidls) {
        liar.set_uidl(serial, uidl);
    }
    liar
}

fn numbered(serial: usize) -> Vec<u8> {
    format!("Subject: {serial}\r\n\r\n").into_bytes()
}

/// Reads names with a shell, so that the test does not depend on how Rust sees them.
fn grepped_names(mount: &Mount) -> BTreeSet<String> {
    let script = "cd \"$1\" && grep -l Subject *";
    stdout_of(&["sh", "-c", script, "sh", mount.arg()])
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_unique_id_of_safe_octets_is_the_name() {
    let safe = b"AZaz09._+=@,-";
    let liar = with_uidls(&[safe]);
    assert_eq!(
        listed(&in_clear(&liar.source(), &[])),
        ["AZaz09._+=@,-.eml"]
    );
}

#[test]
fn a_hostile_unique_id_is_a_harmless_name() {
    let cases: [(&[u8], &str); 14] = [
        (b"../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.eml"),
        (b"-rf", "%2Drf.eml"),
        (b".", "%2E.eml"),
        (b"..", "%2E..eml"),
        (b".deleted", "%2Edeleted.eml"),
        (b"", "%.eml"),
        (b"%", "%25.eml"),
        (b"%2F", "%252F.eml"),
        (b"a\xff\xc3\xa4", "a%FF%C3%A4.eml"),
        (b"a\0b\x07", "a%00b%07.eml"),
        (b"x~2", "x%7E2.eml"),
        (b"*?[]{}$`'\"\\", "%2A%3F%5B%5D%7B%7D%24%60%27%22%5C.eml"),
        (b"a.eml", "a.eml.eml"),
        (b"<id@host>", "%3Cid@host%3E.eml"),
    ];
    let uidls: Vec<&[u8]> = cases.iter().map(|(uidl, _)| *uidl).collect();
    let liar = with_uidls(&uidls);
    let mount = in_clear(&liar.source(), &[]);
    let expected: BTreeSet<String> = cases.iter().map(|(_, name)| (*name).to_owned()).collect();
    assert_eq!(
        listed(&mount).into_iter().collect::<BTreeSet<_>>(),
        expected
    );
    for (serial, (_, name)) in (1..).zip(cases) {
        assert_eq!(read(&mount.join(name)), numbered(serial), "{name}");
    }
    assert_eq!(grepped_names(&mount), expected);
}

#[test]
fn a_name_that_would_be_too_long_ends_in_a_digest() {
    let long = vec![b'x'; 5_000];
    let mut other = long.clone();
    other[4_999] = b'y';
    let slashes = vec![b'/'; 100];
    let fits = vec![b'z'; 251];
    let liar = with_uidls(&[&long, &other, &slashes, &fits]);
    let mut mount = in_clear(&liar.source(), &[]);
    let names = listed(&mount);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 4, "{names:?}");
    for name in &names {
        assert!(name.len() <= 255 && name.ends_with(".eml"), "{name}");
        assert!(name.contains("~=") || name.len() == 255, "{name}");
    }
    let subjects = |mount: &Mount| -> Vec<Vec<u8>> {
        names.iter().map(|name| read(&mount.join(name))).collect()
    };
    let before = subjects(&mount);
    mount.umount();
    mount.wait();
    fs::remove_dir_all(mount.cache_dir()).expect("the cache");
    mount.remount();
    assert_eq!(listed(&mount), names);
    assert_eq!(subjects(&mount), before);
}

#[test]
fn every_view_reads_what_has_a_long_unique_id() {
    let ids = [180, 230, 250, 251, 252, 5_000].map(|octets| vec![b'x'; octets]);
    let uidls: Vec<&[u8]> = ids.iter().chain(&ids).map(Vec::as_slice).collect();
    let liar = with_uidls(&uidls);
    let mount = in_clear(&liar.source(), &[]);
    for view in [".text", ".named", ".maildir/new", ".parts"] {
        let entries = fs::read_dir(mount.join(view)).expect("the directory of a view");
        let shown: BTreeSet<Vec<u8>> = entries
            .map(|entry| entry.expect("an entry").path())
            .map(|path| match view {
                ".parts" => read(&path.join("message.eml")),
                _ => read(&path),
            })
            .collect();
        assert_eq!(shown.len(), uidls.len(), "{view}");
    }
}

#[test]
fn those_that_share_a_unique_id_are_numbered_in_maildrop_order() {
    let liar = with_uidls(&[b"twin", b"single", b"twin", b"", b"twin", b""]);
    let mount = in_clear(&liar.source(), &[]);
    let names: BTreeSet<String> = listed(&mount).into_iter().collect();
    let expected = [
        ("%.eml", 4),
        ("%~2.eml", 6),
        ("single.eml", 2),
        ("twin.eml", 1),
        ("twin~2.eml", 3),
        ("twin~3.eml", 5),
    ];
    assert_eq!(
        names,
        expected
            .map(|(name, _)| name.to_owned())
            .into_iter()
            .collect()
    );
    for (name, serial) in expected {
        assert_eq!(read(&mount.join(name)), numbered(serial), "{name}");
    }
}

#[test]
fn long_twins_have_names_of_their_own() {
    let long = vec![b'x'; 300];
    let liar = with_uidls(&[&long, &long]);
    let mount = in_clear(&liar.source(), &[]);
    let names = listed(&mount);
    let contents: BTreeSet<Vec<u8>> = names.iter().map(|name| read(&mount.join(name))).collect();
    assert_eq!(contents, BTreeSet::from([numbered(1), numbered(2)]));
}

#[test]
fn dovecots_identical_messages_are_all_there() {
    let mut messages = corpus::realistic(2, 4);
    messages.extend([
        messages[1].clone(),
        messages[3].clone(),
        messages[1].clone(),
    ]);
    let options = DovecotOptions {
        store: Store::MboxWithEqualUidls,
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&messages, &options);
    let sent = by_identity(retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD));
    let mount = in_clear(&dovecot.source(), &[]);
    let numbered = |suffix: &str| {
        let names = listed(&mount);
        names.iter().filter(|name| name.ends_with(suffix)).count()
    };
    assert_eq!((numbered("~2.eml"), numbered("~3.eml")), (2, 1));
    assert_same(&read_all(&mount), &sent);
}
