//! The views, which are hidden directories in the root: their content, their cost, and that no walk
//! finds them.

mod alteration;
mod at_the_root;
mod attachments;
mod corpora;
mod headers;
mod hidden;
mod refusals;
mod requests;
mod search;
mod tools;
mod trees;
mod unmade;

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::common::{Dovecot, DovecotOptions, Mount, run};

/// A message as a server sends it: each line end of the literal becomes CRLF.
fn wire(message: &str) -> Vec<u8> {
    message.replace('\n', "\r\n").into_bytes()
}

fn dovecot(messages: &[Vec<u8>]) -> Dovecot {
    Dovecot::start(messages, &DovecotOptions::default())
}

/// Base64 in lines of 76, as mailers write it.
fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(octets);
    let lines = encoded.as_bytes().chunks(76);
    lines.flat_map(|line| [line, b"\r\n"].concat()).collect()
}

/// A file that comes with a message.
struct Attached {
    /// The header lines with its type and name, with LF.
    headers: String,
    octets: Vec<u8>,
}

impl Attached {
    /// A file under a harmless name.
    fn named(name: &str, octets: Vec<u8>) -> Self {
        Self::with_headers(
            &format!("Content-Disposition: attachment; filename=\"{name}\""),
            octets,
        )
    }

    fn with_headers(headers: &str, octets: Vec<u8>) -> Self {
        Self {
            headers: format!("Content-Type: application/octet-stream\n{headers}\n"),
            octets,
        }
    }
}

/// A message with a line of text and files, in base64.
fn with_attachments(files: &[Attached]) -> Vec<u8> {
    let mut message = wire(
        "From: a@example.org\nDate: Mon, 1 Jan 2024 10:00:00 +0000\nSubject: files\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=next\n\n--next\n\nHere they are.\n",
    );
    for file in files {
        let headers = format!(
            "--next\n{}Content-Transfer-Encoding: base64\n\n",
            file.headers
        );
        message.extend(wire(&headers));
        message.extend(base64_lines(&file.octets));
    }
    message.extend(b"--next--\r\n");
    message
}

/// Random octets, the same for the same seed.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut octets = vec![0; count];
    random.fill(&mut octets);
    octets
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("list {}: {error}", directory.display()));
    let mut names: Vec<String> = entries
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a name in UTF-8")
        })
        .collect();
    names.sort();
    names
}

/// The names of the root without their ending, in its order, which is maildrop order with Dovecot.
fn stems(mount: &Mount) -> Vec<String> {
    let stem = |name: String| {
        name.strip_suffix(".eml")
            .expect("a message's name")
            .to_owned()
    };
    super::listed(mount).into_iter().map(stem).collect()
}

/// The files below the directory in which `grep` finds the words: relative paths, sorted. Empty if
/// it finds none. An error of grep fails the test.
fn found(words: &str, directory: &Path) -> Vec<String> {
    let arguments = ["grep", "-rlF", "--", words].map(AsRef::as_ref);
    let output = run(&[&arguments[..], &[directory.as_os_str()]].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code().is_some_and(|code| code < 2), "{told}");
    assert_eq!(told, "");
    let found = String::from_utf8(output.stdout).expect("paths in UTF-8");
    let mut paths: Vec<String> = found
        .lines()
        .map(|line| {
            let path = Path::new(line)
                .strip_prefix(directory)
                .expect("a path in there");
            path.to_str().expect("a path in UTF-8").to_owned()
        })
        .collect();
    paths.sort();
    paths
}
