//! The names of attachments, which senders choose.

use super::{paths, wire};

/// The name that one attachment with these header lines gets.
fn name(headers: &str) -> String {
    let message = wire(&format!("MIME-Version: 1.0\n{headers}\n\nx"));
    let attached: Vec<String> = paths(&message)
        .into_iter()
        .filter_map(|path| path.strip_prefix("attachments/").map(str::to_owned))
        .collect();
    assert_eq!(attached.len(), 1, "{headers}: {:?}", paths(&message));
    attached.concat()
}

#[test]
fn every_way_to_write_a_name_is_read() {
    for (headers, expected) in [
        ("Content-Disposition: attachment; filename=a.pdf", "a.pdf"),
        ("Content-Type: image/png; name=\"a b.png\"", "a b.png"),
        (
            "Content-Type: image/png; name=a.png\nContent-Disposition: attachment; filename=b.png",
            "b.png",
        ),
        (
            "Content-Disposition: attachment; filename*=utf-8'en'%E2%82%AC%20rates.pdf",
            "€ rates.pdf",
        ),
        (
            "Content-Disposition: attachment;\n filename*0*=koi8-r''%F0%D2;\n filename*1=.txt",
            "Пр.txt",
        ),
        (
            "Content-Disposition: attachment; filename=\"=?iso-8859-1?q?=FCber.txt?=\"",
            "über.txt",
        ),
        (
            "Content-Disposition: attachment; filename=\"=?utf-8?b?w7w=?=\n =?utf-8?q?ber.txt?=\"",
            "über.txt",
        ),
        ("Content-Disposition: attachment", "part-1.txt"),
        ("Content-Type: application/pdf", "part-1.pdf"),
        ("Content-Type: application/x-unheard-of", "part-1.bin"),
    ] {
        assert_eq!(name(headers), expected, "{headers}");
    }
}

#[test]
fn no_name_leaves_its_directory_or_hides() {
    for (given, expected) in [
        ("../../.ssh/authorized_keys", "authorized_keys"),
        ("..", "part-1.bin"),
        (".", "part-1.bin"),
        (".bashrc", "bashrc"),
        ("-rf *", "rf *"),
        ("a/b\\\\c.txt", "c.txt"),
        ("a\u{202e}fdp.exe", "afdp.exe"),
        ("a\x07\u{0}b", "ab"),
    ] {
        let headers = format!(
            "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"{given}\""
        );
        assert_eq!(name(&headers), expected, "{given:?}");
    }
}

#[test]
fn a_long_name_is_cut_between_characters_and_keeps_its_extension() {
    let long = name(&format!(
        "Content-Disposition: attachment; filename=\"{}.pdf\"",
        "ü".repeat(300)
    ));
    assert_eq!(long, format!("{}.pdf", "ü".repeat(125)));
}

#[test]
fn equal_names_are_numbered() {
    let part = "--b\nContent-Type: image/png; name=a.png\n\nx\n";
    let message = wire(&format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n",
        part.repeat(3)
    ));
    assert_eq!(
        paths(&message)[2..],
        [
            "attachments/a.png",
            "attachments/a (2).png",
            "attachments/a (3).png"
        ]
    );
}
