//! Removing a message in a view removes it everywhere, and a removed message is in no view.

use std::fs;
use std::path::Path;

use nix::errno::Errno;

use crate::common::{Liar, Mount, corpus, run, stdout_of};
use crate::{dovecot, files, listed, mounted, remove, stderr, succeed, umount, without};

const COUNT: usize = 4;

/// A message with two attachments and a nested message.
fn message(subject: &str) -> Vec<u8> {
    format!(
        "From: a@example.org\nDate: Mon, 1 Jan 2024 10:00:00 +0000\nSubject: {subject}\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=next\n\n--next\n\ntext\n\
         --next\nContent-Type: image/png; name=a.png\n\none\n\
         --next\nContent-Type: image/png; name=b.png\n\ntwo\n\
         --next\nContent-Type: message/rfc822\n\nSubject: inner\n\nnested\n--next--\n"
    )
    .replace('\n', "\r\n")
    .into_bytes()
}

fn messages() -> Vec<Vec<u8>> {
    (1..=COUNT)
        .map(|number| message(&format!("number {number}")))
        .collect()
}

/// A mount whose views the kernel has cached.
fn maildrop(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&messages());
    let mount = mounted(&liar.source(), options);
    stdout_of(&[
        "ls",
        "-lR",
        &path(&mount, ".text"),
        &path(&mount, ".parts"),
        mount.arg(),
    ]);
    (liar, mount)
}

fn path(mount: &Mount, name: &str) -> String {
    mount
        .join(name)
        .to_str()
        .expect("a path in ASCII")
        .to_owned()
}

fn names(mount: &Mount, directory: &str) -> Vec<String> {
    let shown = stdout_of(&["ls", "-1", &path(mount, directory)]);
    shown.lines().map(str::to_owned).collect()
}

fn numbered(serials: &[usize], name: impl Fn(usize) -> String) -> Vec<String> {
    serials.iter().map(|&serial| name(serial)).collect()
}

/// The messages `shown` must be in the root and in every view, those in `deleted` only in
/// `.deleted`.
fn assert_shown(mount: &Mount, shown: &[usize], deleted: &[usize]) {
    let eml = |serial| format!("liar-{serial}.eml");
    assert_eq!(listed(mount), numbered(shown, eml));
    assert_eq!(
        names(mount, ".text"),
        numbered(shown, |serial| format!("liar-{serial}.txt"))
    );
    assert_eq!(
        names(mount, ".parts"),
        numbered(shown, |serial| format!("liar-{serial}"))
    );
    assert_eq!(
        names(mount, ".headers"),
        numbered(shown, |serial| format!("liar-{serial}.txt"))
    );
    assert_eq!(names(mount, ".deleted"), numbered(deleted, eml));
    for serial in 1..=COUNT {
        let is_shown = shown.contains(&serial);
        for name in places(serial) {
            let found = fs::read(mount.join(&name));
            assert_eq!(found.is_ok(), is_shown, "{name}: {found:?}");
        }
    }
    for &serial in deleted {
        let octets = fs::read(mount.join(format!(".deleted/liar-{serial}.eml")));
        assert_eq!(octets.expect("a pending message"), messages()[serial - 1]);
    }
}

/// The files that show this message.
fn places(serial: usize) -> [String; 6] {
    [
        format!(".headers/liar-{serial}.txt"),
        format!("liar-{serial}.eml"),
        format!(".text/liar-{serial}.txt"),
        format!(".parts/liar-{serial}/headers"),
        format!(".parts/liar-{serial}/attachments/b.png"),
        format!(".parts/liar-{serial}/message-1/text.txt"),
    ]
}

/// Removes the second message with this program, restores it, removes and restores it again,
/// removes it once more and unmounts. Each step must show everywhere; the server deletes it at the
/// end.
fn assert_removes(program: &[&str], name: &str) {
    let (liar, mut mount) = maildrop(&[]);
    let remove = || {
        let path = path(&mount, name);
        succeed(&[program, &[path.as_str()]].concat());
    };
    remove();
    assert_shown(&mount, &[1, 3, 4], &[2]);
    let output = mount.subcommand(&["restore", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_shown(&mount, &[1, 2, 3, 4], &[]);
    remove();
    assert_shown(&mount, &[1, 3, 4], &[2]);
    succeed(&["mv", &path(&mount, ".deleted/liar-2.eml"), mount.arg()]);
    assert_shown(&mount, &[1, 2, 3, 4], &[]);
    remove();
    assert_eq!(liar.count("DELE"), 0);
    assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3, 4]);
}

/// The kernel caches the names of the root, so it has to be told.
#[test]
fn a_removal_in_a_view_removes_the_message_from_the_root() {
    const COUNT: usize = 300;
    let liar = Liar::start(&corpus::realistic(17, COUNT));
    let mount = mounted(&liar.source(), &[]);
    let names = listed(&mount);
    for name in &names {
        fs::metadata(mount.join(name)).expect("a message");
    }
    for name in &names {
        let text = Path::new(".text").join(name).with_extension("txt");
        fs::remove_file(mount.join(text)).expect("to remove a text");
        assert!(!mount.join(name).exists(), "{name}");
    }
}

#[test]
fn rm_of_a_text_removes_its_message() {
    assert_removes(&["rm"], ".text/liar-2.txt");
}

#[test]
fn rm_of_headers_removes_their_message() {
    assert_removes(&["rm"], ".headers/liar-2.txt");
}

#[test]
fn rmdir_of_the_parts_removes_their_message() {
    assert_removes(&["rmdir"], ".parts/liar-2");
}

#[test]
fn rm_r_of_the_parts_removes_their_message() {
    assert_removes(&["rm", "-r"], ".parts/liar-2");
    assert_removes(&["rm", "-rf"], ".parts/liar-2");
    assert_removes(
        &[
            "python3",
            "-c",
            "import shutil, sys; shutil.rmtree(sys.argv[1])",
        ],
        ".parts/liar-2",
    );
}

#[test]
fn rm_in_the_root_removes_the_message_from_the_views() {
    assert_removes(&["rm"], "liar-2.eml");
}

#[test]
fn find_delete_removes_messages_by_their_parts() {
    assert_removes(&["sh", "-c", "find \"$1\" -delete", "sh"], ".parts/liar-2");
}

#[test]
fn dovecot_deletes_what_is_removed_in_a_view() {
    let messages = messages();
    let dovecot = dovecot(&messages);
    let stem = |at: usize| {
        let (name, _) = files(dovecot.port(), crate::Dovecot::USER).swap_remove(at);
        name.strip_suffix(".eml")
            .expect("a message's name")
            .to_owned()
    };
    let (first, third) = (stem(0), stem(2));
    let mut mount = mounted(&dovecot.source(), &[]);
    remove(&mount, &format!(".text/{first}.txt"));
    succeed(&["rm", "-r", &path(&mount, &format!(".parts/{third}"))]);
    assert_eq!(dovecot.messages_left(), messages);
    assert_eq!(umount(&mut mount), "2 messages deleted on the server\n");
    assert_eq!(dovecot.messages_left(), without(&messages, &[0, 2]));
}

#[test]
fn removing_some_parts_hides_them_and_deletes_nothing() {
    let (liar, mut mount) = maildrop(&[]);
    succeed(&["rm", "-rf", &path(&mount, ".parts/liar-2/attachments")]);
    remove(&mount, ".parts/liar-2/headers");
    assert_eq!(
        names(&mount, ".parts/liar-2"),
        ["message-1", "message.eml", "text.txt"]
    );
    for name in ["headers", "attachments", "attachments/a.png"] {
        let gone = fs::metadata(mount.join(".parts/liar-2").join(name));
        assert!(gone.is_err(), "{name}");
    }
    assert_eq!(listed(&mount).len(), COUNT);
    assert_eq!(
        fs::read(mount.join("liar-2.eml")).expect("a message"),
        messages()[1]
    );
    assert_eq!(umount(&mut mount), "nothing to delete\n");
    assert_eq!((liar.left_serials().len(), liar.count("DELE")), (COUNT, 0));
    mount.remount();
    assert_shown(&mount, &[1, 2, 3, 4], &[]);
}

#[test]
fn rmdir_of_nonempty_parts_inside_a_message_fails() {
    let (_liar, mount) = maildrop(&[]);
    for name in ["attachments", "message-1"] {
        let refused = fs::remove_dir(mount.join(".parts/liar-2").join(name));
        let errno = refused.expect_err("a refusal").raw_os_error();
        assert_eq!(errno, Some(Errno::ENOTEMPTY as i32), "{name}");
    }
    assert_shown(&mount, &[1, 2, 3, 4], &[]);
}

#[test]
fn restoring_a_message_restores_its_hidden_parts() {
    for program in [&["rm"][..], &["mv", "-t", "DELETED"]] {
        let (_liar, mount) = maildrop(&[]);
        remove(&mount, ".parts/liar-2/headers");
        let deleted = path(&mount, ".deleted");
        let program = program.iter().map(|&word| {
            if word == "DELETED" {
                deleted.as_str()
            } else {
                word
            }
        });
        let message = path(&mount, "liar-2.eml");
        succeed(&program.chain([message.as_str()]).collect::<Vec<_>>());
        assert_shown(&mount, &[1, 3, 4], &[2]);
        succeed(&["mv", &path(&mount, ".deleted/liar-2.eml"), mount.arg()]);
        assert_shown(&mount, &[1, 2, 3, 4], &[]);
    }
}

#[test]
fn an_open_text_stays_readable_after_its_deletion() {
    let liar = Liar::start(&[corpus::large(600_000), corpus::with_body(b"other\r\n")]);
    let mount = mounted(&liar.source(), &[]);
    let text = mount.join(".text/liar-1.txt");
    let mut file = fs::File::open(&text).expect("a text");
    remove(&mount, ".text/liar-1.txt");
    assert_eq!(crate::sync(&mount).status.code(), Some(0));
    assert_eq!(liar.left_serials(), [2]);
    let mut octets = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut octets).expect("the text");
    assert_eq!(
        octets,
        pop3fs::message::text(&corpus::large(600_000)).as_bytes()
    );
}

#[test]
fn rm_removes_messages_where_the_root_is_a_view() {
    for (view, program, name) in [
        ("text", "rm", "liar-2.txt"),
        ("parts", "rm -r", "liar-2"),
        ("parts", "rmdir", "liar-2"),
    ] {
        let (liar, mut mount) = maildrop(&[&format!("view={view}")]);
        let before = listed(&mount);
        let line: Vec<&str> = program.split(' ').collect();
        let target = path(&mount, name);
        succeed(&[&line[..], &[target.as_str()]].concat());
        assert_eq!(listed(&mount), without_name(&before, name));
        assert_eq!(names(&mount, ".deleted"), ["liar-2.eml"]);
        succeed(&["mv", &path(&mount, ".deleted/liar-2.eml"), mount.arg()]);
        assert_eq!(listed(&mount), before);
        succeed(&[&line[..], &[target.as_str()]].concat());
        assert_eq!(umount(&mut mount), "1 message deleted on the server\n");
        assert_eq!(liar.left_serials(), [1, 3, 4]);
    }
}

fn without_name(names: &[String], name: &str) -> Vec<String> {
    names
        .iter()
        .filter(|shown| *shown != name)
        .cloned()
        .collect()
}

/// The size of a text is a guess until it is opened, and rsync does not remove a file whose size
/// changed while it was copied.
#[test]
fn rsync_moves_texts_off_the_server_once_it_knows_their_sizes() {
    let (liar, mut mount) = maildrop(&[]);
    let archive = tempfile::tempdir().expect("an archive");
    let from = mount.join(".text/");
    let rsync = || {
        run(&[
            Path::new("rsync"),
            Path::new("-a"),
            Path::new("--remove-source-files"),
            &from,
            archive.path(),
        ])
    };
    let first = rsync();
    assert!(stderr(&first).contains("Skipping"), "{first:?}");
    assert_eq!(listed(&mount).len(), COUNT);
    let second = rsync();
    assert!(second.status.success(), "{second:?}");
    for (serial, message) in (1..).zip(messages()) {
        let text = fs::read(archive.path().join(format!("liar-{serial}.txt"))).expect("a copy");
        assert_eq!(text, pop3fs::message::text(&message).as_bytes());
    }
    assert_eq!(
        umount(&mut mount),
        format!("{COUNT} messages deleted on the server\n")
    );
    assert_eq!(liar.left_serials(), [0; 0]);
}
