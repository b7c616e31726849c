//! A message as a directory: its entries, their times, and walks through it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::common::{Mount, corpus, stdout_of};
use super::super::{in_clear, read};
use super::{Attached, dovecot, names, stems, wire, with_attachments};

/// Alternatives, an attachment, and a message that holds another one with an attachment.
fn forwarded_twice() -> Vec<u8> {
    let innermost = with_attachments(&[Attached::named("deep.bin", vec![1, 2, 3])]);
    let wrapped = |subject: &str, message: &[u8]| {
        let mut outer = wire(&format!(
            "From: b@example.org\nDate: Tue, 2 Jan 2024 10:00:00 +0000\nSubject: {subject}\nMIME-Version: 1.0\n\
             Content-Type: multipart/mixed; boundary={subject}\n\n\
             --{subject}\nContent-Type: multipart/alternative; boundary=alternatives\n\n\
             --alternatives\n\nplain\n--alternatives\nContent-Type: text/html\n\n<p>rich\n--alternatives--\n\
             --{subject}\nContent-Type: message/rfc822\n\n"
        ));
        outer.extend_from_slice(message);
        outer.extend(wire(&format!("\n--{subject}--\n")));
        outer
    };
    wrapped("outer", &wrapped("inner", &innermost))
}

fn parts(mount: &Mount) -> PathBuf {
    mount.join(".parts").join(stems(mount).remove(0))
}

/// The relative paths of everything below a directory, sorted.
fn walked(directory: &Path) -> Vec<String> {
    let shown = stdout_of(&[
        "find".as_ref(),
        directory.as_os_str(),
        "-mindepth".as_ref(),
        "1".as_ref(),
        "-printf".as_ref(),
        "%P\\n".as_ref(),
    ]);
    let mut paths: Vec<String> = shown.lines().map(str::to_owned).collect();
    paths.sort();
    paths
}

#[test]
fn a_nested_message_is_a_directory_in_the_one_around_it() {
    let message = forwarded_twice();
    let dovecot = dovecot(std::slice::from_ref(&message));
    let mount = in_clear(&dovecot.source(), &[]);
    let parts = parts(&mount);
    assert_eq!(
        walked(&parts),
        [
            "headers",
            "message-1",
            "message-1/headers",
            "message-1/message-1",
            "message-1/message-1/attachments",
            "message-1/message-1/attachments/deep.bin",
            "message-1/message-1/headers",
            "message-1/message-1/message.eml",
            "message-1/message-1/text.txt",
            "message-1/message.eml",
            "message-1/text.html",
            "message-1/text.txt",
            "message.eml",
            "text.html",
            "text.txt",
        ]
    );
    assert!(read(&parts.join("message.eml")) == message);
    assert!(
        read(&parts.join("message-1/message-1/message.eml"))
            .starts_with(b"From: a@example.org\r\n")
    );
    assert_eq!(
        read(&parts.join("message-1/message-1/attachments/deep.bin")),
        [1, 2, 3]
    );
    assert_eq!(read(&parts.join("message-1/text.html")), b"<p>rich");
}

/// Programs make different assumptions about the entries and links of a directory.
#[test]
fn every_program_walks_the_whole_tree() {
    let dovecot = dovecot(&[forwarded_twice(), corpus::with_body(b"other\r\n")]);
    let mount = in_clear(&dovecot.source(), &[]);
    let expected = walked(&mount.join(".parts"));
    assert_eq!(expected.len(), 15 + 3 + 2);
    let of = |program: &[&str]| {
        let view = mount.join(".parts");
        let line = [program, &[view.to_str().expect("a path in ASCII")]].concat();
        stdout_of(&line).lines().count()
    };
    assert_eq!(of(&["du", "-a"]), expected.len() + 1);
    let python = "import os, sys; [print(x) for at in os.walk(sys.argv[1]) for x in at[1] + at[2]]";
    assert_eq!(of(&["python3", "-c", python]), expected.len());
    let perl = "use File::Find; find(sub { print \"$_\\n\" }, shift)";
    assert_eq!(of(&["perl", "-e", perl]), expected.len() + 1);
    let tar = stdout_of(&[
        "sh",
        "-c",
        "tar -C \"$1\" -cf - .parts | tar -tf -",
        "sh",
        mount.arg(),
    ]);
    assert_eq!(tar.lines().count(), expected.len() + 1);
}

#[test]
fn everything_that_is_shown_of_a_message_has_its_time() {
    let mut messages = corpus::realistic(62, 3);
    messages.push(forwarded_twice());
    let dovecot = dovecot(&messages);
    let mut mount = in_clear(&dovecot.source(), &[]);
    assert_times(&mount);
    mount.remount();
    assert_times(&mount);
}

fn assert_times(mount: &Mount) {
    let time = |path: &Path| fs::symlink_metadata(path).expect("stat").mtime();
    for stem in stems(mount) {
        let parts = mount.join(".parts").join(&stem);
        // The parts come first, while nobody has listed the messages.
        let of_parts: Vec<i64> = walked(&parts)
            .iter()
            .map(|path| time(&parts.join(path)))
            .collect();
        let of_text = time(&mount.join(format!(".text/{stem}.txt")));
        let of_message = time(&mount.join(format!("{stem}.eml")));
        assert!(of_message > 1_700_000_000, "{stem}");
        assert_eq!(of_text, of_message, "{stem}");
        assert_eq!(of_parts, vec![of_message; of_parts.len()], "{stem}");
    }
}

#[test]
fn inode_numbers_are_all_different_and_the_same_after_a_remount() {
    let dovecot = dovecot(&[forwarded_twice(), forwarded_twice()]);
    let mut mount = in_clear(&dovecot.source(), &[]);
    let before = inodes(&mount);
    let mut distinct = before.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), before.len());
    mount.remount();
    assert_eq!(inodes(&mount), before);
}

fn inodes(mount: &Mount) -> Vec<u64> {
    let of = |directory: PathBuf| {
        let paths = walked(&directory);
        paths
            .into_iter()
            .map(move |path| fs::metadata(directory.join(path)).expect("stat").ino())
    };
    let directories = [
        mount.path().to_owned(),
        mount.join(".text"),
        mount.join(".parts"),
    ];
    directories.into_iter().flat_map(of).collect()
}

#[test]
fn malformed_messages_have_a_text_and_parts_all_the_same() {
    let messages = corpus::octets(&corpus::awkward());
    let liar = super::super::common::Liar::start(&messages);
    let mount = in_clear(&liar.source(), &[]);
    for (serial, (shape, octets)) in (1..).zip(corpus::awkward()) {
        let stem = format!("liar-{serial}");
        let text = read(&mount.join(format!(".text/{stem}.txt")));
        assert!(String::from_utf8(text).is_ok(), "{shape}");
        let parts = mount.join(".parts").join(&stem);
        assert!(
            names(&parts).starts_with(&["headers".to_owned(), "message.eml".to_owned()]),
            "{shape}"
        );
        assert!(
            read(&parts.join("message.eml")) == super::super::ended(&octets),
            "{shape}"
        );
        for path in walked(&parts) {
            read(&parts.join(path));
        }
    }
}
