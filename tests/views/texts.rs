//! The text view: what grep and less see.

use super::corpus::made;
use super::text;

fn shown(name: &str) -> String {
    pop3fs::message::text(&made(name))
}

/// The text under the headers of a message that has this type and body.
fn body(content_type: &str, body: &str) -> String {
    let shown = text(&format!("Content-Type: {content_type}\n\n{body}"));
    let (headers, body) = shown.split_once('\n').expect("the blank line");
    assert_eq!(headers, "");
    body.to_owned()
}

#[test]
fn headers_are_decoded_and_the_date_keeps_its_zone() {
    assert_eq!(
        shown("plain"),
        "From: Alice Smith <alice@example.org>\nTo: bob@example.net\nDate: 2024-05-01T09:30:00+02:00\nSubject: café\n\n\
         Dear Bob,\n\nsee you there.\n"
    );
}

#[test]
fn of_alternatives_the_plain_text_is_shown() {
    assert_eq!(
        shown("alternative"),
        "From: shop@example.org\nSubject: offer\n\nOnly 5€, today only.\n"
    );
}

#[test]
fn an_empty_plain_alternative_gives_way_to_html() {
    let message = "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n<p>in<b>voi</b>ce\n--b--\n";
    assert_eq!(text(message), "\ninvoice\n");
}

#[test]
fn attachments_are_named_and_their_text_is_shown() {
    assert_eq!(
        shown("attached"),
        "From: Jürgen <j@example.org>\nSubject: files\nAttachments: report.pdf (25 octets), report (2).pdf (8 octets), \
         übersicht 2024.csv (10 octets), part-5.png (8 octets), notes.txt (7 octets)\n\n\
         Here they are.\n\n[attachment: übersicht 2024.csv]\n\nn;v\n a;ü\n\n[attachment: notes.txt]\n\nA note.\n"
    );
}

#[test]
fn html_is_readable_and_its_links_are_kept() {
    assert_eq!(
        shown("related"),
        "Subject: picture\nAttachments: cat.gif (6 octets)\n\nLook: a cat\n\nmore <https://cats.example/>\n"
    );
}

#[test]
fn a_nested_message_is_shown_with_its_headers() {
    assert_eq!(
        shown("forwarded"),
        "From: bob@example.net\nSubject: Fwd: lost\n\nIs it yours?\n\n[message-1: lost.eml]\n\
         From: mo@example.com\nDate: 2024-04-30T23:59:59-03:30\nSubject: lost\nAttachments: glove.jpg (4 octets)\n\nOne glove.\n"
    );
    assert_eq!(
        shown("encoded forward"),
        "Subject: encoded\n\n[message-1]\nSubject: inner\n\nПривет\n"
    );
    assert_eq!(
        shown("digest"),
        "Subject: two letters\n\n[message-1]\nFrom: one@example.org\nSubject: first\n\nThe first letter.\n\n\
         [message-2]\nFrom: two@example.org\nSubject: second\n\nThe second letter.\n"
    );
}

#[test]
fn what_is_signed_or_encrypted_is_named() {
    assert_eq!(
        shown("signed"),
        "Subject: signed\nAttachments: signature.asc (66 octets)\n\n[signed: application/pgp-signature]\n\nI said so.\n"
    );
    for (content_type, mark) in [
        (
            "multipart/encrypted; boundary=b; protocol=\"application/pgp-encrypted\"",
            "[encrypted: application/pgp-encrypted]",
        ),
        (
            "application/pkcs7-mime; smime-type=enveloped-data",
            "[encrypted: application/pkcs7-mime]",
        ),
        (
            "application/x-pkcs7-mime; smime-type=signed-data",
            "[signed: application/x-pkcs7-mime]",
        ),
        (
            "application/pkcs7-signature",
            "[signed: application/pkcs7-signature]",
        ),
    ] {
        let message = format!(
            "Content-Type: {content_type}\n\n--b\nContent-Type: application/octet-stream\n\nAAAA\n--b--\n"
        );
        let shown = text(&message);
        assert!(shown.ends_with(&format!("\n\n{mark}\n")), "{shown}");
    }
}

#[test]
fn reports_are_shown() {
    let shown = shown("bounced");
    assert!(shown.contains("It came back.\n"), "{shown}");
    assert!(
        shown.contains("\nFinal-Recipient: rfc822; nobody@example.net\nAction: failed\n"),
        "{shown}"
    );
}

#[test]
fn flowed_lines_are_joined() {
    assert_eq!(
        shown("flowed"),
        "Subject: flowed\n\n> Did you get it?\n\nYes, and it is fine.\nFrom here on\n-- \nAlice\n"
    );
}

#[test]
fn charsets_become_utf_8() {
    assert_eq!(shown("eight-bit"), "Subject: 8bit\n\nПривет\n");
    for (charset, encoded, decoded) in [
        ("iso-2022-jp", "=1B$BF|K\\=1B(B", "日本"),
        ("gb18030", "=C4=E3=BA=C3", "你好"),
        ("koi8-r", "=F0=D2", "Пр"),
        ("utf-7", "+AOQ-", "ä"),
        ("x-unheard-of", "=C3=A4 =E4", "ä ä"),
        ("utf-8", "a=FFb", "a\u{fffd}b"),
    ] {
        let headers =
            format!("text/plain; charset={charset}\nContent-Transfer-Encoding: quoted-printable");
        assert_eq!(body(&headers, encoded), format!("{decoded}\n"), "{charset}");
    }
}

#[test]
fn control_characters_are_visible_and_line_ends_are_lf() {
    assert_eq!(body("text/plain", "a\tb\x1b[2J\rc\0\n"), "a\tb␛[2J\nc␀\n");
    assert_eq!(body("text/html", "a&#27;[2J<br>b"), "a␛[2J\nb\n");
}

#[test]
fn no_header_can_forge_another() {
    let shown = text(
        "From: =?utf-8?q?a=0AAttachments:_b?= <x@y>\nSubject: =?utf-8?q?c=0D=0A=0D=0Ad?=\n\ne\n",
    );
    assert_eq!(shown, "From: a Attachments: b <x@y>\nSubject: c d\n\ne\n");
}

#[test]
fn the_first_blank_line_ends_the_headers_whatever_the_message() {
    for (message, shown) in [
        ("", "\n"),
        ("Subject: only", "Subject: only\n\n"),
        ("\nFrom: not a header\n", "\nFrom: not a header\n"),
        (
            "no header at all\nsecond line\n",
            "\nno header at all\nsecond line\n",
        ),
    ] {
        assert_eq!(text(message), shown, "{message:?}");
    }
}
