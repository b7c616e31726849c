//! The parts view: a message as a directory.

use pop3fs::message::parts;

use super::corpus::made;
use super::{file, paths, text_file, wire};

#[test]
fn a_plain_message_is_its_headers_itself_and_its_text() {
    let message = made("plain");
    assert_eq!(paths(&message), ["headers", "message.eml", "text.txt"]);
    assert_eq!(file(&message, "message.eml"), message);
    let headers = file(&message, "headers");
    assert!(message.starts_with(&headers) && headers.ends_with(b"\r\n\r\n"));
    assert_eq!(
        text_file(&message, "text.txt"),
        "Dear Bob,\n\nsee you there.\n"
    );
}

#[test]
fn alternatives_are_side_by_side() {
    let message = made("alternative");
    assert_eq!(
        paths(&message),
        ["headers", "message.eml", "text.txt", "text.html"]
    );
    assert_eq!(text_file(&message, "text.txt"), "Only 5€, today only.");
    assert_eq!(text_file(&message, "text.html"), "<p>Only <b>5¤</b>");
}

#[test]
fn attachments_are_decoded_under_their_names() {
    let message = made("attached");
    assert_eq!(
        paths(&message)[3..],
        [
            "report.pdf",
            "report (2).pdf",
            "übersicht 2024.csv",
            "part-5.png",
            "notes.txt"
        ]
        .map(|name| format!("attachments/{name}"))
    );
    assert_eq!(
        file(&message, "attachments/report.pdf"),
        b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n\0\x01\x02\x03\x04\x05\x06\x07\x08\x09"
    );
    assert_eq!(file(&message, "attachments/report (2).pdf"), b"%PDF-1.5");
    assert_eq!(
        file(&message, "attachments/part-5.png"),
        b"\x89PNG\r\n\x1a\n"
    );
    assert_eq!(text_file(&message, "text.txt"), "Here they are.");
}

#[test]
fn an_attachment_keeps_its_octets() {
    let message = made("attached");
    assert_eq!(
        file(&message, "attachments/übersicht 2024.csv"),
        "n;v\r\n a;ü".as_bytes()
    );
}

#[test]
fn several_texts_follow_each_other() {
    let message = wire(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n\n--b\n\nthree\n--b--\n",
    );
    assert_eq!(text_file(&message, "text.txt"), "one\ntwo\nthree");
}

#[test]
fn a_nested_message_is_a_directory() {
    let message = made("forwarded");
    assert_eq!(
        paths(&message)[3..],
        [
            "headers",
            "message.eml",
            "text.txt",
            "attachments/glove.jpg"
        ]
        .map(|path| format!("message-1/{path}"))
    );
    let nested = file(&message, "message-1/message.eml");
    assert!(nested.starts_with(b"From: mo@example.com\r\n") && nested.ends_with(b"--g--"));
    assert_eq!(
        file(&message, "message-1/attachments/glove.jpg"),
        b"\xff\xd8\xff\xe0"
    );
    assert_eq!(
        paths(&nested),
        [
            "headers",
            "message.eml",
            "text.txt",
            "attachments/glove.jpg"
        ]
    );
}

#[test]
fn an_encoded_nested_message_is_one_too() {
    let message = made("encoded forward");
    assert_eq!(
        file(&message, "message-1/headers"),
        b"Subject: inner\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n"
    );
    assert_eq!(text_file(&message, "message-1/text.txt"), "Привет\n");
    assert!(file(&message, "message-1/message.eml").ends_with(b"\xf0\xd2\xc9\xd7\xc5\xd4\r\n"));
}

#[test]
fn html_that_states_its_own_charset_is_read_in_it() {
    let message = b"Content-Type: text/html\r\n\r\n<meta charset=koi8-r>\xf0\xd2\r\n";
    assert_eq!(text_file(message, "text.html"), "<meta charset=koi8-r>Пр\n");
}

#[test]
fn a_message_that_is_one_file_has_it() {
    let message = wire(
        "Content-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n",
    );
    assert_eq!(
        paths(&message),
        ["headers", "message.eml", "attachments/a.zip"]
    );
    assert_eq!(file(&message, "attachments/a.zip"), b"PK\x03\x04");
}

#[test]
fn a_tree_made_of_another_message_gives_no_panic() {
    let tree = parts::parts(&made("attached"));
    for entry in &tree.entries {
        if let parts::PartNode::File(file) = &entry.node {
            assert!(file.octets(b"").is_empty(), "{}", entry.name);
        }
    }
}

#[test]
fn an_empty_message_has_files_all_the_same() {
    assert_eq!(paths(b""), ["headers", "message.eml", "text.txt"]);
}
