//! `.parts/NAME/attachments/`: the files that came with a message, with the octets that were sent,
//! under harmless names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::super::common::{Liar, Mount, output_within, run, stdout_of};
use super::super::{in_clear, read};
use super::{Attached, dovecot, names, noise, stems, with_attachments};

/// Files that are special for base64 or look like text: three lengths modulo 3, line ends, NUL,
/// dots.
fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let pdf = [
        b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\r\n",
        noise(1, 40_000).as_slice(),
        b"\n%%EOF",
    ]
    .concat();
    let png = [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        noise(2, 70_001).as_slice(),
    ]
    .concat();
    let zip = [
        b"PK\x03\x04\x14\0\0\0",
        noise(3, 123_456).as_slice(),
        b"PK\x05\x06",
    ]
    .concat();
    BTreeMap::from([
        ("report.pdf", pdf),
        ("picture.png", png),
        ("archive.zip", zip),
        ("empty.bin", Vec::new()),
        ("one.bin", vec![0]),
        ("two.bin", vec![b'\r', b'\n']),
        ("dots.txt", b".\r\n..\r\n.\n".to_vec()),
        ("text.csv", "a;ü\r\nb;\n".into()),
    ])
}

fn attached(files: &BTreeMap<&'static str, Vec<u8>>) -> Vec<u8> {
    let files: Vec<Attached> = files
        .iter()
        .map(|(name, octets)| Attached::named(name, octets.clone()))
        .collect();
    with_attachments(&files)
}

/// The attachments of the only message.
fn attachments(mount: &Mount) -> PathBuf {
    let stem = stems(mount).remove(0);
    mount.join(".parts").join(stem).join("attachments")
}

fn assert_holds(mount: &Mount, files: &BTreeMap<&'static str, Vec<u8>>) {
    let directory = attachments(mount);
    assert_eq!(names(&directory), files.keys().copied().collect::<Vec<_>>());
    for (name, octets) in files {
        let shown = fs::metadata(directory.join(name)).expect("stat").len();
        assert_eq!(shown, octets.len() as u64, "{name} at stat");
        assert!(read(&directory.join(name)) == *octets, "{name}");
    }
}

#[test]
fn attachments_are_the_octets_that_were_sent() {
    let files = files();
    let dovecot = dovecot(&[attached(&files)]);
    assert_holds(&in_clear(&dovecot.source(), &[]), &files);
}

#[test]
fn attachments_are_exact_even_if_list_is_wrong() {
    let files = files();
    for lie in [50_000, -50_000] {
        let liar = Liar::start(&[attached(&files)]);
        liar.set_list_offset(1, lie);
        assert_holds(&in_clear(&liar.source(), &[]), &files);
    }
}

#[test]
fn attachments_outlive_the_memory_that_they_were_made_in() {
    let files = files();
    let messages: Vec<Vec<u8>> = (0..5).map(|_| attached(&files)).collect();
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &["memory=1M", "cache=off"]);
    for _ in 0..2 {
        for stem in stems(&mount) {
            let directory = mount.join(".parts").join(stem).join("attachments");
            for (name, octets) in &files {
                assert!(read(&directory.join(name)) == *octets, "{name}");
            }
        }
    }
}

#[test]
fn an_attachment_of_50_megabytes_is_read_whole() {
    let octets = noise(4, 50_000_000);
    let original = tempfile::NamedTempFile::new().expect("a file");
    fs::write(original.path(), &octets).expect("the original");
    let liar = Liar::start(&[with_attachments(&[Attached::named("film.mkv", octets)])]);
    let mount = in_clear(&liar.source(), &[]);
    let film = attachments(&mount).join("film.mkv");
    assert_eq!(fs::metadata(&film).expect("stat").len(), 50_000_000);
    // A pop3fs that is not optimised needs more than a minute for it on a very busy machine.
    let mut cmp = Command::new("cmp");
    let compared = output_within(
        Duration::from_secs(300),
        cmp.arg(original.path()).arg(&film),
    );
    assert!(compared.status.success(), "{compared:?}");
    assert_eq!(liar.count("RETR"), 1);
}

/// Names as senders write them, what they become, and an octet that identifies the file.
fn names_given() -> Vec<(String, String)> {
    let simple = |name: &str| format!("Content-Disposition: attachment; filename=\"{name}\"");
    let long = "x".repeat(396) + ".pdf";
    vec![
        (simple("../../etc/passwd"), "passwd".to_owned()),
        (simple(".bashrc"), "bashrc".to_owned()),
        (simple("/etc/shadow"), "shadow".to_owned()),
        (simple("-rf"), "rf".to_owned()),
        (simple("C:\\\\Windows\\\\system.ini"), "system.ini".to_owned()),
        (simple(&long), format!("{}.pdf", "x".repeat(251))),
        (simple("twin.txt"), "twin.txt".to_owned()),
        (simple("twin.txt"), "twin (2).txt".to_owned()),
        (
            "Content-Disposition: attachment;\n filename*0*=utf-8''%E2%82%AC;\n filename*1=\" rates\";\n filename*2*=%20%C3%BC.csv"
                .to_owned(),
            "€ rates ü.csv".to_owned(),
        ),
        (simple(".."), "part-11.bin".to_owned()),
    ]
}

#[test]
fn a_senders_file_name_becomes_a_plain_file_in_its_directory() {
    let given = names_given();
    let files: Vec<Attached> = (0..)
        .zip(&given)
        .map(|(octet, (headers, _))| Attached::with_headers(headers, vec![octet; 10]))
        .collect();
    let dovecot = dovecot(&[with_attachments(&files)]);
    let mount = in_clear(&dovecot.source(), &[]);
    let directory = attachments(&mount);
    let mut expected: Vec<&str> = given.iter().map(|(_, name)| name.as_str()).collect();
    for (octet, name) in (0..).zip(&expected) {
        assert_eq!(read(&directory.join(name)), [octet; 10], "{name}");
    }
    expected.sort_unstable();
    assert_eq!(names(&directory), expected);
}

#[test]
fn cp_of_attachments_with_evil_names_stays_where_it_was_told() {
    let files = names_given()
        .into_iter()
        .map(|(headers, _)| Attached::with_headers(&headers, vec![1]));
    let dovecot = dovecot(&[with_attachments(&files.collect::<Vec<_>>())]);
    let mount = in_clear(&dovecot.source(), &[]);
    let folder = tempfile::tempdir().expect("a folder to copy to");
    let target = folder.path().join("a/b/c");
    fs::create_dir_all(folder.path().join("a/b")).expect("a folder");
    let copied = run(&[
        "cp".as_ref(),
        "-r".as_ref(),
        attachments(&mount).as_os_str(),
        target.as_os_str(),
    ]);
    assert!(copied.status.success(), "{copied:?}");
    let all = stdout_of(&[
        "find".as_ref(),
        folder.path().as_os_str(),
        "-type".as_ref(),
        "f".as_ref(),
    ]);
    assert_eq!(all.lines().count(), names_given().len());
    assert_eq!(names(&target).len(), names_given().len());
}

/// More entries than one reply of readdir holds. Each is looked up.
#[test]
fn hundreds_of_attachments_are_listed_once_each() {
    let files: BTreeMap<String, Vec<u8>> = (0..900)
        .map(|number| {
            (
                format!("{number:03}-{}.bin", "x".repeat(200)),
                noise(number, 20),
            )
        })
        .collect();
    let attached = files
        .iter()
        .map(|(name, octets)| Attached::named(name, octets.clone()));
    let liar = Liar::start(&[with_attachments(&attached.collect::<Vec<_>>())]);
    let mount = in_clear(&liar.source(), &[]);
    let directory = attachments(&mount);
    assert_eq!(names(&directory), files.keys().cloned().collect::<Vec<_>>());
    for (name, octets) in &files {
        assert_eq!(read(&directory.join(name)), *octets, "{name}");
    }
    let removed = run(&["rm".as_ref(), "-r".as_ref(), directory.as_os_str()]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(
        names(&mount.join(".parts/liar-1")),
        ["headers", "message.eml", "text.txt"]
    );
}
