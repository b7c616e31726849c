//! Mails as real mailers write them, against the standards or at their edge. Each one stands for a
//! kind; `kinds.rs` has more of each.

use std::fs;
use std::path::Path;

use pop3fs::message::{self, DatePreference};

use super::{file, paths, text_file};

/// The mail of that number in `mails/`.
fn mail(number: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views/mails");
    let found = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("a mail").path())
        .find(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name.starts_with(&format!("{number}-"))
        });
    fs::read(found.unwrap_or_else(|| panic!("mail {number}"))).expect("a mail")
}

/// The body of the text view.
fn body(number: &str) -> String {
    let text = message::text(&mail(number));
    let (_, body) = text.split_once("\n\n").expect("a blank line");
    body.trim_end().to_owned()
}

fn subject(number: &str) -> Option<String> {
    message::summary(&mail(number)).subject
}

fn arrival(number: &str) -> Option<i64> {
    message::arrival(&mail(number), DatePreference::Received)
}

#[test]
fn neighbouring_words_of_iso_2022_jp_are_one_text() {
    let mail = mail("01");
    let summary = message::summary(&mail);
    assert_eq!(summary.subject.as_deref(), Some("テストテスト"));
    assert_eq!(
        summary.from.as_deref(),
        Some("テストテスト <a@example.org>")
    );
    assert_eq!(message::title(&mail), "テストテスト - テストテスト");
    let text = message::text(&mail);
    assert!(text.starts_with("From: テストテスト <a@example.org>\nSubject: テストテスト\n\n"));
}

#[test]
fn escape_sequences_may_follow_each_other() {
    assert_eq!(body("02"), "テストテスト");
}

#[test]
fn every_charset_of_mail_is_read() {
    assert_eq!(body("04"), "Müller grüßt (what cron in the C locale sends)");
    for (number, text) in [
        ("05", "日本語①"),
        ("06", "한국어 시험"),
        ("07", "中文测试"),
        ("10", "grüße"),
    ] {
        assert_eq!(subject(number).as_deref(), Some(text), "{number}");
        assert_eq!(body(number), text, "{number}");
        assert_eq!(
            text_file(&mail(number), "text.txt").trim_end(),
            text,
            "{number}"
        );
    }
}

#[test]
fn the_text_of_an_attachment_beside_html_is_shown() {
    let text = message::text(&mail("12"));
    assert!(
        text.contains("\nAttachments: notes.txt (38 octets)\n"),
        "{text}"
    );
    assert_eq!(
        body("12"),
        "hello plain\n\n[attachment: notes.txt]\n\nzebrawords inside the attached notes"
    );
}

#[test]
fn an_invitation_is_shown() {
    assert_eq!(
        body("14"),
        "You are invited\n\n[attachment: part-3.ics]\n\n\
         BEGIN:VCALENDAR\nSUMMARY:gardenparty\nEND:VCALENDAR"
    );
}

#[test]
fn base64_begins_without_a_blank_line() {
    let pdf = file(&mail("16"), "attachments/a.pdf");
    assert_eq!(pdf, b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".repeat(2));
}

#[test]
fn text_begins_without_a_blank_line() {
    let line = "this line is the body, there is no blank line";
    assert_eq!(body("17"), line);
    assert_eq!(text_file(&mail("17"), "text.txt"), format!("{line}\n"));
    assert_eq!(
        file(&mail("17"), "headers"),
        b"From: a@example.org\r\nSubject: here\r\n"
    );
}

#[test]
fn dates_are_read_as_they_are_meant() {
    for (number, expected) in [
        ("19", 1_714_680_000), // 2024-05-02 20:00:00 UTC
        ("21", 1_714_644_000), // 10:00:00
        ("22", 1_714_644_000),
        ("33", 1_714_644_000),
    ] {
        assert_eq!(arrival(number), Some(expected), "{number}");
    }
}

#[test]
fn a_type_without_a_subtype_has_its_charset() {
    assert_eq!(body("23"), "Müller grüßt");
}

#[test]
fn raw_headers_take_the_charset_of_the_message() {
    let mail = mail("24");
    assert_eq!(message::title(&mail), "Иван - Привет всем");
    assert_eq!(
        message::text(&mail),
        "From: Иван <ivan@example.org>\nSubject: Привет всем\n\nДобрый день\n"
    );
    let outline = message::outline(&mail);
    assert_eq!(outline, "Привет всем\nИван <ivan@example.org>\n");
}

#[test]
fn text_without_a_charset_is_guessed() {
    assert_eq!(body("25"), "Müller grüßt");
}

#[test]
fn utf_8_is_not_taken_for_what_its_label_says() {
    assert_eq!(body("26"), "日本語テスト");
}

#[test]
fn the_name_of_an_attached_message_is_shown() {
    assert_eq!(
        body("28"),
        "see attached\n\n[message-1: minutes of May.eml]\nFrom: c@example.com\nSubject: inner\n\nbody"
    );
}

#[test]
fn a_picture_without_a_type_is_no_text() {
    let mail = mail("29");
    let text = message::text(&mail);
    assert!(
        text.contains("\nAttachments: face.jpg (57 octets)\n\nhello\n"),
        "{text}"
    );
    assert_eq!(body("29"), "hello");
    assert!(file(&mail, "attachments/face.jpg").starts_with(b"\xff\xd8\xff"));
}

#[test]
fn a_uuencoded_file_within_a_text_is_an_attachment() {
    let mail = mail("30");
    assert_eq!(file(&mail, "attachments/hello.txt"), b"hello world\n");
    assert_eq!(text_file(&mail, "text.txt").trim_end(), "hello");
    assert_eq!(
        body("30"),
        "hello\n\n[attachment: hello.txt]\n\nhello world"
    );
}

#[test]
fn a_bare_cr_ends_lines_in_a_mail_without_lf() {
    let mail = mail("32");
    assert_eq!(
        message::text(&mail),
        "From: a@example.org\nSubject: mac\n\nhello bare CR\n"
    );
    assert_eq!(paths(&mail), ["headers", "message.eml", "text.txt"]);
    assert_eq!(file(&mail, "message.eml"), mail);
}

#[test]
fn base64_without_padding_loses_no_letter() {
    assert_eq!(subject("35").as_deref(), Some("Grüße für Bär"));
}
