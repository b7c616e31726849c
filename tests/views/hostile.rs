//! Messages that mean harm: what they ask for is bounded, and what is not shown is told of.

use pop3fs::message;

use super::targets::survive;
use super::{file, paths, wire};

#[test]
fn deep_multiparts_are_one_part_from_some_depth_on() {
    let message: String = (0..200)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"))
        .collect();
    let message = wire(&format!("{message}\nthe end\n"));
    survive(&message);
    let rest = file(&message, "attachments/part-1.bin");
    assert!(message.ends_with(&rest) && rest.starts_with(b"--b32\r\n"));
}

#[test]
fn deep_messages_are_files_from_some_depth_on() {
    let message = wire(&"Content-Type: message/rfc822\n\n".repeat(100_000));
    survive(&message);
    let last = paths(&message).pop().expect("a file");
    assert_eq!(last, format!("{}message-1.eml", "message-1/".repeat(16)));
    assert!(message.ends_with(&file(&message, &last)));
    assert!(message::text(&message).ends_with("octets, not shown]\n"));
}

#[test]
fn the_thousandth_part_is_the_last_and_the_rest_is_a_file() {
    let part = |number| format!("--b\nContent-Type: image/png\n\n{number}\n");
    let parts: String = (0..100_000).map(part).collect();
    let message = wire(&format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n"
    ));
    survive(&message);
    let paths = paths(&message);
    assert_eq!(paths.len(), 2 + 999 + 1);
    let rest = file(&message, "rest.eml");
    assert!(
        message.ends_with(&rest) && rest.starts_with(b"Content-Type: image/png\r\n\r\n999\r\n")
    );
    assert!(
        message::text(&message).contains(&format!("[rest.eml: {} octets, not shown]", rest.len()))
    );
}

#[test]
fn parts_are_counted_through_nested_messages() {
    let picture = "--i\nContent-Type: image/png\n\nx\n";
    let inner = format!(
        "Content-Type: multipart/mixed; boundary=i\n\n{}",
        picture.repeat(400)
    );
    let part = format!("--o\nContent-Type: message/rfc822\n\n{inner}\n");
    let message = wire(&format!(
        "Content-Type: multipart/mixed; boundary=o\n\n{}--o--\n",
        part.repeat(5)
    ));
    survive(&message);
    let paths = paths(&message);
    let of = |start: &str| paths.iter().filter(|path| path.starts_with(start)).count();
    // The message and its five parts are the first 6 of 1,000; then 401 each, as far as they go.
    assert_eq!(of("message-1/attachments/"), 400);
    assert_eq!(of("message-2/attachments/"), 400);
    assert_eq!(of("message-3/attachments/"), 191);
    assert!(paths.contains(&"message-3/rest.eml".to_owned()));
    assert_eq!(paths[paths.len() - 2..], ["message-4.eml", "message-5.eml"]);
}

/// A control character of two octets is shown in eight.
#[test]
fn what_is_decoded_is_bounded_and_the_rest_is_a_file() {
    let line = [&[0x9b; 76][..], b"\r\n"].concat();
    let body = line.repeat((17 << 20) / line.len());
    for (headers, name) in [
        (
            "Content-Type: text/plain; charset=iso-8859-5\n\n",
            "part-1.txt",
        ),
        (
            "Content-Type: text/html; charset=iso-8859-5\n\n",
            "part-1.html",
        ),
        (
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n\n",
            "message-1",
        ),
        (
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n",
            "part-1.eml",
        ),
    ] {
        let message = [wire(headers), body.clone()].concat();
        let paths = paths(&message);
        assert!(paths.iter().any(|path| path.contains(name)), "{paths:?}");
        let text = message::text(&message);
        assert!(text.len() < 1000 && text.contains("part-1."), "{headers}");
    }
}

#[test]
fn a_short_text_is_shown_beside_a_long_one() {
    let long = "x".repeat(17 << 20);
    let message = wire(&format!(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{long}\n--b\n\nshort\n--b--\n"
    ));
    let text = message::text(&message);
    assert!(text.starts_with("Attachments: part-1.txt (") && text.ends_with("\nshort\n"));
    assert_eq!(file(&message, "attachments/part-1.txt"), long.as_bytes());
    assert_eq!(file(&message, "text.txt"), b"short");
}

#[test]
fn malformed_multiparts_lose_nothing() {
    for (message, expected) in [
        (
            "Content-Type: multipart/mixed\n\nno boundary\n",
            "no boundary",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\nno delimiter\n",
            "no delimiter",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnever closed",
            "never closed",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--bb\n\n--b \t\n\npadded\n--b--",
            "padded",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nno header in the part\n--b--",
            "no header in the part",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b--\nepilogue\n--b\n\nreopened",
            "reopened",
        ),
        (
            "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nempty boundary",
            "empty boundary",
        ),
    ] {
        let octets = wire(message);
        survive(&octets);
        assert!(message::text(&octets).contains(expected), "{message:?}");
    }
}

#[test]
fn ten_megabytes_of_headers_are_not_read_to_the_end() {
    for field in [
        "X-A: b\r\n",
        "To: a@b, \"c\r\n d\" (((\r\n",
        "Content-Type: text/plain; a*0*=b\r\n ;c=d\r\n",
    ] {
        let mut message = field.repeat((10 << 20) / field.len()).into_bytes();
        message.extend_from_slice(b"Subject: too late\r\n\r\nbody\r\n");
        assert_eq!(message::summary(&message).subject, None);
        assert!(message::text(&message).ends_with("\nbody\n"));
    }
}

#[test]
fn a_wrong_charset_costs_no_letter_of_ascii() {
    let long = "x".repeat(100_000);
    for charset in [
        "",
        "no-such-charset",
        "utf-8x",
        "UTF_8",
        "\"utf-8",
        "=?utf-8?q?utf-8?=",
        "iso-8859-99",
        "unicode-1-1-utf-7",
        "iso-2022-jp",
        "big5",
        "cp65001",
        "\0",
        "../../etc/passwd",
        &long,
    ] {
        for media in ["text/plain", "text/html", "text/csv"] {
            let mut message = wire(&format!(
                "Content-Type: {media}; charset={charset}\n\ninvoice "
            ));
            message.extend_from_slice(b"\xfc\xff \xc3\xbc 2024\r\n");
            survive(&message);
            let text = message::text(&message);
            let shown = text.contains("invoice ") && text.ends_with(" 2024\n");
            assert!(shown, "{media}, {charset:.20}: {text}");
        }
    }
}

#[test]
fn html_of_any_depth_is_read() {
    for element in [
        "<div>",
        "<b>",
        "<table><tr><td>",
        "<blockquote>",
        "<a href=http://a.example>",
        "<pre>",
        "<ul><li>",
    ] {
        let message = format!(
            "Content-Type: text/html\r\n\r\n{}invoice",
            element.repeat(100_000)
        );
        assert!(
            message::text(message.as_bytes()).contains("invoice"),
            "{element}"
        );
    }
}

#[test]
fn odd_octets_are_survived() {
    for message in [
        &b""[..],
        b"\0",
        b"\r\n",
        b"\n\n\n",
        b":",
        b"Subject",
        b"Subject: \xff\xfe\r\n",
        b"From: \xe4 <\xf6@\xfc>\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=\"\xff\"\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=\"\xff\"\r\n\r\n--\xff\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n\0\0==\0",
        b"Content-Type: message/rfc822",
        b"Content-Type: /",
        b"Content-Type: multipart/; boundary=a\r\n\r\n--a--\r\n--a--",
    ] {
        survive(message);
    }
    survive(&[0; 100_000]);
    survive(&[b'\r'; 100_000]);
    survive(&[b'-'; 100_000]);
}
