//! `-o xattr`: facts about messages as extended attributes.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::common::{Liar, Mount, Reply, corpus, run, stdout_of};
use super::{in_clear, listed, read};

const COUNT: usize = 12;

const NAMES: [&str; 5] = [
    "user.mime_type",
    "user.pop3.uidl",
    "user.xdg.origin.email.from",
    "user.xdg.origin.email.message-id",
    "user.xdg.origin.email.subject",
];

fn name(serial: usize) -> String {
    format!("liar-{serial}.eml")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("ASCII")
}

/// `getfattr -d` of a file: `name="value"` in lines, sorted.
fn dumped(path: &Path) -> Vec<String> {
    let printed = stdout_of(&["getfattr", "-d", "--absolute-names", text(path)]);
    let lines = printed.lines().filter(|line| line.contains('='));
    let mut lines: Vec<String> = lines.map(ToOwned::to_owned).collect();
    lines.sort();
    lines
}

/// What `getfattr -d` must show for the message at `index` of the everyday ones.
fn expected(seed: u64, index: usize, media_type: &str) -> Vec<String> {
    let message = corpus::realistic_message(seed, index);
    let summary = pop3fs::message::summary(&message.octets);
    let values = [
        media_type.to_owned(),
        format!("liar-{}", index + 1),
        summary.from.expect("From"),
        format!("{seed:x}.{index}@example.org"),
        message.subject,
    ];
    let lines = NAMES.iter().zip(values);
    lines
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect()
}

/// The errno of getxattr(2) with so much room, or the length of the value.
fn raw_getxattr(path: &Path, name: &str, room: usize) -> String {
    const SCRIPT: &str = "
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
room = int(sys.argv[3])
buffer = ctypes.create_string_buffer(max(room, 1))
call = libc.getxattr(sys.argv[1].encode(), sys.argv[2].encode(), buffer, room) if sys.argv[2] \\
    else libc.listxattr(sys.argv[1].encode(), buffer, room)
print(call if call >= 0 else f'errno {ctypes.get_errno()}')
";
    let room = room.to_string();
    stdout_of(&["python3", "-c", SCRIPT, text(path), name, &room])
        .trim()
        .to_owned()
}

#[test]
fn messages_have_their_attributes_in_the_root_and_in_views() {
    let liar = Liar::start(&corpus::realistic(70, COUNT));
    let mount = in_clear(&liar.source(), &["xattr"]);
    for index in 0..COUNT {
        let raw = expected(70, index, "message/rfc822");
        assert_eq!(dumped(&mount.join(name(index + 1))), raw);
        let text = mount.join(format!(".text/liar-{}.txt", index + 1));
        assert_eq!(dumped(&text), expected(70, index, "text/plain"));
    }
    for (directory, serial) in [(".named", 1), (".maildir/new", 1)] {
        let mut entries = fs::read_dir(mount.join(directory)).expect("a view");
        let first = entries.next().expect("a message").expect("an entry");
        assert_eq!(
            dumped(&first.path()),
            expected(70, serial - 1, "message/rfc822")
        );
    }
    assert_eq!(liar.count("RETR"), 0);
}

#[test]
fn what_is_no_message_has_none() {
    let liar = Liar::start(&corpus::realistic(71, 1));
    let mount = in_clear(&liar.source(), &["xattr"]);
    for path in [
        "",
        ".deleted",
        ".text",
        ".maildir/cur",
        ".parts/liar-1",
        ".parts/liar-1/headers",
    ] {
        let path = mount.join(path);
        assert_eq!(raw_getxattr(&path, "", 1000), "0", "{}", path.display());
        let none = format!("errno {}", libc::ENODATA);
        assert_eq!(
            raw_getxattr(&path, NAMES[0], 1000),
            none,
            "{}",
            path.display()
        );
    }
}

#[test]
fn headers_are_fetched_once_for_all_attributes_and_ahead() {
    let liar = Liar::start(&corpus::realistic(72, COUNT));
    let mut mount = in_clear(&liar.source(), &["xattr", "mtime=none"]);
    let uidl = |mount: &Mount| raw_getxattr(&mount.join(name(3)), "user.pop3.uidl", 100);
    assert_eq!((uidl(&mount).as_str(), liar.count("TOP")), ("6", 0));
    dumped(&mount.join(name(1)));
    liar.wait_for("TOP", COUNT);
    for serial in 1..=COUNT {
        dumped(&mount.join(name(serial)));
    }
    assert_eq!(liar.count("TOP"), COUNT);
    mount.remount();
    for serial in 1..=COUNT {
        assert_eq!(
            dumped(&mount.join(name(serial))),
            expected(72, serial - 1, "message/rfc822")
        );
    }
    assert_eq!((liar.count("TOP"), liar.count("RETR")), (COUNT, 0));
}

#[test]
fn headers_that_tell_the_time_tell_the_attributes() {
    let liar = Liar::start(&corpus::realistic(73, COUNT));
    let mount = in_clear(&liar.source(), &["xattr"]);
    stdout_of(&["ls", "-l", mount.arg()]);
    assert_eq!(liar.count("TOP"), COUNT);
    for serial in 1..=COUNT {
        assert_eq!(
            dumped(&mount.join(name(serial))),
            expected(73, serial - 1, "message/rfc822")
        );
    }
    assert_eq!(liar.count("TOP"), COUNT);
}

#[test]
fn a_body_in_the_cache_is_asked_rather_than_the_server() {
    let liar = Liar::start(&corpus::realistic(74, COUNT));
    let mut mount = in_clear(&liar.source(), &[]);
    for serial in 1..=COUNT {
        read(&mount.join(name(serial)));
    }
    mount.remount_with(&["xattr"]);
    let asked = (liar.count("TOP"), liar.count("RETR"));
    for serial in 1..=COUNT {
        assert_eq!(
            dumped(&mount.join(name(serial))),
            expected(74, serial - 1, "message/rfc822")
        );
    }
    assert_eq!((liar.count("TOP"), liar.count("RETR")), asked);
}

#[test]
fn a_server_without_top_is_asked_for_the_body() {
    let liar = Liar::start(&corpus::realistic(75, 2));
    liar.on("TOP", Reply::Err("unknown command"));
    let mount = in_clear(&liar.source(), &["xattr"]);
    for index in 0..2 {
        assert_eq!(
            dumped(&mount.join(name(index + 1))),
            expected(75, index, "message/rfc822")
        );
    }
}

#[test]
fn without_uidl_there_is_no_unique_id() {
    let liar = Liar::start(&corpus::realistic(76, 1));
    liar.set_capabilities(Some(&["TOP", "USER"]));
    liar.on("UIDL", Reply::Err("unknown command"));
    let mount = in_clear(&liar.source(), &["xattr"]);
    let shown = dumped(&mount.join(&listed(&mount)[0]));
    let mut others = expected(76, 0, "message/rfc822");
    others.remove(1);
    assert_eq!(shown, others);
}

#[test]
fn what_the_headers_do_not_say_is_not_listed_and_has_no_value() {
    let liar = Liar::start(&[corpus::with_body(b"x\r\n"), b"\r\nno header\r\n".to_vec()]);
    let mount = in_clear(&liar.source(), &["xattr"]);
    let path = mount.join(name(1));
    assert_eq!(
        dumped(&path),
        [
            "user.mime_type=\"message/rfc822\"",
            "user.pop3.uidl=\"liar-1\"",
            "user.xdg.origin.email.from=\"a@example.org\"",
            "user.xdg.origin.email.subject=\"test\"",
        ]
    );
    let listed: usize = ["user.mime_type", "user.pop3.uidl"]
        .iter()
        .map(|name| name.len() + 1)
        .sum();
    let listing = raw_getxattr(&mount.join(name(2)), "", 1000);
    assert_eq!(listing, listed.to_string());
    let none = format!("errno {}", libc::ENODATA);
    for name in [
        "user.xdg.origin.email.message-id",
        "user.xdg.origin.email",
        "user.x",
        "security.selinux",
    ] {
        assert_eq!(raw_getxattr(&path, name, 1000), none, "{name}");
    }
}

#[test]
fn too_little_room_is_erange_and_no_room_gives_the_length() {
    let liar = Liar::start(&corpus::realistic(77, 1));
    let mount = in_clear(&liar.source(), &["xattr"]);
    let path = mount.join(name(1));
    let listed: usize = NAMES.iter().map(|name| name.len() + 1).sum();
    for (name, length) in [("user.mime_type", 14), ("user.pop3.uidl", 6), ("", listed)] {
        let range = format!("errno {}", libc::ERANGE);
        let asked = [0, length - 1, length, length + 1].map(|room| raw_getxattr(&path, name, room));
        let length = length.to_string();
        assert_eq!(
            asked,
            [length.clone(), range, length.clone(), length],
            "{name}"
        );
    }
}

#[test]
fn long_values_fit_where_they_are_copied_to() {
    let long = "\u{fc}ber ".repeat(5_000);
    let message = format!(
        "From: {}\r\nSubject: {long}\r\nMessage-ID: <1@example.org>\r\n\r\n",
        "a@example.org, ".repeat(4_000) + "b@example.org"
    );
    let liar = Liar::start(&[message.into_bytes()]);
    let mount = in_clear(&liar.source(), &["xattr"]);
    let elsewhere = TempDir::new().expect("a folder");
    let copy = elsewhere.path().join("copy");
    let path = mount.join(name(1));
    stdout_of(&["cp", "--preserve=xattr", text(&path), text(&copy)]);
    assert_eq!(dumped(&copy), dumped(&path));
    assert_eq!(dumped(&copy).len(), NAMES.len());
}

#[test]
fn programs_that_copy_attributes_copy_them() {
    let mut messages = corpus::realistic(78, 5);
    messages.push(b"From: nobody\r\n\r\nneither subject nor identifier\r\n".to_vec());
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &["xattr"]);
    let elsewhere = TempDir::new().expect("a folder");
    let to = |name: &str| {
        let folder = elsewhere.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        folder
    };
    let from = format!("{}/", mount.arg());
    let (rsynced, copied, extracted) = (to("rsync"), to("cp"), to("tar"));
    stdout_of(&["rsync", "-aX", &from, text(&rsynced)]);
    let all = format!("{from}.");
    stdout_of(&[
        "cp",
        "-r",
        "--preserve=xattr,timestamps",
        &all,
        text(&copied),
    ]);
    let archive = elsewhere.path().join("archive.tar");
    // tar sets the attributes of a file after its mode. With 0400 only root can.
    stdout_of(&[
        "tar",
        "--xattrs",
        "--mode=u+w",
        "-cf",
        text(&archive),
        "-C",
        &from,
        ".",
    ]);
    stdout_of(&[
        "tar",
        "--xattrs",
        "-xf",
        text(&archive),
        "-C",
        text(&extracted),
    ]);
    for (serial, message) in (1..).zip(&messages) {
        let attributes = dumped(&mount.join(name(serial)));
        for folder in [&rsynced, &copied, &extracted] {
            let copy = folder.join(name(serial));
            assert_eq!(dumped(&copy), attributes, "{}", copy.display());
            assert!(read(&copy) == *message);
        }
    }
    let again = stdout_of(&["rsync", "-aXi", &from, text(&rsynced)]);
    assert_eq!(again, "");
}

#[test]
fn attributes_cannot_be_set_or_removed() {
    let liar = Liar::start(&corpus::realistic(79, 1));
    let mount = in_clear(&liar.source(), &["xattr"]);
    let path = mount.join(name(1));
    for change in [["-n", "user.x"], ["-x", "user.mime_type"]] {
        let output = run(&["setfattr", change[0], change[1], text(&path)]);
        assert!(!output.status.success(), "{output:?}");
    }
    assert_eq!(dumped(&path).len(), NAMES.len());
}

#[test]
fn a_silent_server_keeps_only_those_who_ask_for_headers() {
    let liar = Liar::start(&corpus::realistic(80, 2));
    liar.on("TOP", Reply::Silent);
    let mount = in_clear(&liar.source(), &["xattr", "timeout=2s", "mtime=none"]);
    let path = mount.join(name(1));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| raw_getxattr(&path, NAMES[4], 1000));
        liar.wait_for("TOP", 1);
        assert_eq!(raw_getxattr(&path, NAMES[1], 1000), "6");
        assert_eq!(listed(&mount).len(), 2);
        let told = waiting.join().expect("an answer");
        // The engine gives up TOP for a message over which two sessions broke.
        assert_eq!(told, format!("errno {}", libc::ENODATA));
    });
}
