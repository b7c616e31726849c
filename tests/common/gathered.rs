//! Test mails of other projects that read mail: real ones, and ones that broke a reader.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary that includes this uses only a part of it"
)]

use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A mail as a POP3 server sends it, and the file that it comes from.
#[derive(Debug)]
pub struct Gathered {
    pub name: String,
    pub octets: Vec<u8>,
}

/// All mails of all projects.
pub fn gathered() -> Vec<Gathered> {
    [pythons(), mail_parsers()]
        .concat()
        .iter()
        .map(|path| read(path))
        .collect()
}

/// The mails of Python's package `email`. Debian 12 has them in `libpython3.11-testsuite`, Debian
/// 13 in `libpython3.13-testsuite`.
fn pythons() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib").expect("/usr/lib");
    let folders =
        versions.map(|entry| entry.expect("an entry").path().join("test/test_email/data"));
    let folder = folders.filter(|folder| folder.is_dir()).max();
    let mut mails = below(&folder.expect("the mails of libpython3.*-testsuite"));
    mails.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    assert!(mails.len() >= 40, "{mails:?}");
    mails
}

/// The mails in the source of the crate mail-parser.
fn mail_parsers() -> Vec<PathBuf> {
    let mut mails = below(&source_of("mail-parser").join("resources/eml"));
    mails.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    assert!(mails.len() >= 100, "{mails:?}");
    mails
}

/// The folder of a dependency's source.
fn source_of(package: &str) -> PathBuf {
    // Dependencies of other platforms may not be downloaded.
    let platform = format!("{}-unknown-linux-gnu", consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let manifest = packages
        .iter()
        .find(|candidate| candidate["name"] == package)
        .and_then(|found| found["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("a dependency"));
    manifest.parent().expect("a folder").to_owned()
}

/// All files, sorted.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> Gathered {
    Gathered {
        name: path.display().to_string(),
        octets: with_crlf(&fs::read(path).expect("a mail")),
    }
}

/// Every line end is CRLF, and the last line has one.
fn with_crlf(stored: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(stored.len() + stored.len() / 32);
    for line in stored.split_inclusive(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        message.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        message.extend_from_slice(b"\r\n");
    }
    message
}
