//! Mails of public corpora and hostile messages. Everything that the views show of them can be
//! read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::common::gathered::gathered;
use super::super::common::{Liar, Mount, corpus};
use super::super::{ended, in_clear, read};
use super::{names, wire};

/// The most memory of the program, in KiB: several times the largest of these messages, and what
/// the caches may hold.
const MEMORY: u64 = 128 << 10;

fn mounted(messages: &[Vec<u8>]) -> (Liar, Mount) {
    let liar = Liar::start(messages);
    let mount = in_clear(&liar.source(), &["memory=16M"]);
    (liar, mount)
}

/// Reads every file of every view. Each view must have each message once.
fn assert_all_can_be_read(mount: &Mount, messages: &[Vec<u8>]) {
    for (serial, message) in (1..).zip(messages) {
        let text = read(&mount.join(format!(".text/liar-{serial}.txt")));
        assert!(
            text == pop3fs::message::text(message).as_bytes(),
            "{serial}"
        );
        let parts = mount.join(format!(".parts/liar-{serial}"));
        let files = below(&parts);
        assert!(files[&parts.join("message.eml")] == *message, "{serial}");
    }
    let octets_in = |directory: &str| -> Vec<Vec<u8>> {
        sorted(below(&mount.join(directory)).into_values().collect())
    };
    assert!(octets_in(".named") == sorted(messages.to_vec()));
    let with_lf = messages.iter().map(|message| corpus::with_lf(message));
    assert!(octets_in(".maildir") == sorted(with_lf.collect()));
}

fn sorted(mut all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    all.sort();
    all
}

/// All files below a directory. Each must have the size that stat(2) told before the open, if it
/// was exact.
fn below(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in names(directory) {
        let path = directory.join(name);
        if fs::symlink_metadata(&path).expect("stat").is_dir() {
            files.extend(below(&path));
        } else {
            let octets = read(&path);
            files.insert(path, octets);
        }
    }
    files
}

/// The most memory that the process ever used, in KiB.
fn peak(mount: &Mount) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", mount.pid())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let amount = line.and_then(|line| line.trim().strip_suffix(" kB"));
    amount
        .and_then(|kib| kib.parse().ok())
        .expect("VmHWM in kB")
}

#[test]
fn every_view_of_every_mail_of_public_corpora_can_be_read() {
    let messages: Vec<Vec<u8>> = gathered().into_iter().map(|mail| mail.octets).collect();
    let (_liar, mount) = mounted(&messages);
    assert_all_can_be_read(&mount, &messages);
}

#[test]
fn every_view_of_hostile_mail_can_be_read_in_bounded_memory() {
    let messages: Vec<Vec<u8>> = hostile().iter().map(|message| ended(message)).collect();
    let (_liar, mount) = mounted(&messages);
    assert_all_can_be_read(&mount, &messages);
    assert!(peak(&mount) < MEMORY, "{} KiB", peak(&mount));
}

fn hostile() -> Vec<Vec<u8>> {
    let many_headers = "X-A: b\n".repeat((10 << 20) / 8);
    let one_header = format!(
        "Subject: {}\n",
        "=?utf-8?q?=C3=BC?= ".repeat((10 << 20) / 19)
    );
    let parts = |count| "--b\nContent-Type: image/png; name=a.png\n\nx\n".repeat(count);
    let multiparts: String = (0..200)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"))
        .collect();
    let multipart = "Content-Type: multipart/mixed; boundary=b\n\n";
    let html = "<div><b><table><tr><td><a href=http://a.example>".repeat(50_000);
    let mut messages: Vec<Vec<u8>> = [
        format!("{many_headers}\nbody\n"),
        format!("{one_header}\nbody\n"),
        format!("{multipart}{}--b--\n", parts(1_000)),
        format!("{multipart}{}", parts(100_000)),
        format!("{multiparts}\nthe end\n"),
        "Content-Type: message/rfc822\n\n".repeat(200),
        "Content-Type: message/rfc822\n\n".repeat(100_000),
        format!("Content-Type: text/html\n\n{html}"),
        "Content-Type: multipart/mixed\n\n--b\n\nno boundary is named\n".to_owned(),
        "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nan empty one\n--\n".to_owned(),
        format!("{multipart}--b--\n--b\n--b\n--b--\n\n--b"),
        format!("{multipart}--bb\n\n--b \n--b\t--b\n"),
        "Content-Type: text/plain; charset=no-such-charset\n\nG\u{fc}te\n".to_owned(),
        format!(
            "Content-Type: text/html; charset={}\n\nx\n",
            "x".repeat(70_000)
        ),
        "Subject: =?no-such-charset?q?=FC?= =?utf-8?x?y?=\n\nx\n".to_owned(),
    ]
    .iter()
    .map(|message| wire(message))
    .collect();
    messages.extend([
        vec![0; 100_000],
        b"Subject: a\0b\r\nContent-Type: text/pl\0ain; charset=\0\r\n\r\nc\0d\r\n".to_vec(),
        b"Content-Type: multipart/mixed; boundary=\"\0\"\r\n\r\n--\0\r\n\r\n\0\r\n--\0--\r\n"
            .to_vec(),
    ]);
    messages
}
