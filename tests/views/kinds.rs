//! More mails of the kinds in `mails.rs`.

use pop3fs::message::{self, DatePreference};

use super::{file, paths, text, text_file, wire};

/// The text under the headers.
pub(super) fn body(message: &[u8]) -> String {
    let text = message::text(message);
    let body = text.split_once("\n\n").map(|(_, body)| body);
    body.or_else(|| text.strip_prefix('\n'))
        .expect("a blank line")
        .trim_end()
        .to_owned()
}

/// A plain text in a charset.
pub(super) fn labelled(charset: &str, octets: &[u8]) -> String {
    let headers = format!("Subject: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n");
    body(&[headers.as_bytes(), octets].concat())
}

/// A message with one part behind a text.
pub(super) fn with_part(part: &str) -> Vec<u8> {
    wire(&format!(
        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\n{part}\n--b--\n"
    ))
}

pub(super) fn dated(date: &str) -> Option<i64> {
    message::arrival(
        &wire(&format!("From: a\nDate: {date}\n\nx\n")),
        DatePreference::Date,
    )
}

/// 2024-05-02 10:00:00 UTC.
pub(super) const MAY: i64 = 1_714_644_000;

#[test]
fn charsets_go_by_all_of_their_names() {
    for (charset, octets, expected) in [
        (
            "iso-2022-jp-1",
            &b"\x1b$(D0!\x1b(B\x1b$B%F\x1b(B"[..],
            "丂テ",
        ),
        (
            "ISO-2022-JP-2",
            b"\x1b$A<W\x1b$(C0!\x1b(B \x1b.A\x1bNi",
            "甲가 é",
        ),
        ("iso-2022-jp-3", b"\x1b$(Q%F%9%H\x1b(B", "テスト"),
        ("cp850", b"gr\x81\xe1e", "grüße"),
        ("IBM852", b"\x9fa", "ča"),
        ("866", b"\x8f\xe0\xa8", "При"),
        ("eucJP", b"\xa5\xc6\xa5\xb9", "テス"),
        ("8859-1", b"gr\xfc\xdfe", "grüße"),
        ("iso8859-15", b"\xa4", "€"),
        ("cp-1252", b"\x80 \xfc", "€ ü"),
        ("win-1251", b"\xcf\xf0\xe8", "При"),
        ("x-unknown", b"gr\xfc\xdfe", "grüße"),
        ("unknown-8bit", "grüße".as_bytes(), "grüße"),
        ("ISO_646.irv:1991", "grüße".as_bytes(), "grüße"),
        ("utf8", "grüße".as_bytes(), "grüße"),
        ("MS932", b"\x87\x40", "①"),
        ("ks_c_5601-1987", b"\xbe\xc8\xb3\xe7", "안녕"),
        ("gb_2312-80", b"\xc4\xe3\xba\xc3", "你好"),
    ] {
        assert_eq!(labelled(charset, octets), expected, "{charset}");
    }
}

#[test]
fn octets_win_over_a_label_that_they_contradict() {
    let utf_8 = "日本語テスト, Grüße";
    for charset in [
        "iso-2022-jp",
        "gb2312",
        "big5",
        "euc-kr",
        "shift_jis",
        "hz-gb-2312",
        "utf-7",
        "utf-16",
    ] {
        assert_eq!(labelled(charset, utf_8.as_bytes()), utf_8, "{charset}");
    }
    assert_eq!(labelled("iso-8859-1", "Müller".as_bytes()), "Müller");
    assert_eq!(labelled("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет");
    assert_eq!(labelled("gb2312", b"\xc1\xaa\xcd\xa8"), "联通");
}

#[test]
fn text_without_a_charset_is_read_as_what_it_is() {
    let plain = |octets: &[u8]| body(&[b"Subject: x\r\n\r\n", octets].concat());
    assert_eq!(plain("日本".as_bytes()), "日本");
    assert_eq!(plain(b"\x1b$B%F%9\x1b(B"), "テス");
    assert_eq!(plain(b"caf\xe9 \x93x\x94"), "café “x”");
    let russian = b"\xf0\xd2\xc9\xd7\xc5\xd4 \xd7\xd3\xc5\xcd, \xcb\xc1\xcb \xc4\xc5\xcc\xc1? \xf1 \xd7\xde\xc5\xd2\xc1 \
        \xd0\xc9\xd3\xc1\xcc \xd4\xc5\xc2\xc5 \xd0\xc9\xd3\xd8\xcd\xcf";
    assert_eq!(
        plain(russian),
        "Привет всем, как дела? Я вчера писал тебе письмо"
    );
}

#[test]
fn raw_octets_in_names_and_headers_are_read() {
    let koi8 = b"Subject: \xf0\xd2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
        Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2\r\n--b\r\n\
        Content-Type: image/png; name=\"\xf0\xd2.png\"\r\n\r\nx\r\n--b--\r\n";
    let text = message::text(koi8);
    assert!(
        text.starts_with("Subject: Пр\nAttachments: Пр.png"),
        "{text}"
    );
    assert_eq!(
        message::summary(b"Subject: caf\xe9\r\n\r\n")
            .subject
            .as_deref(),
        Some("café")
    );
    let utf_8 = "Subject: café\r\nContent-Type: text/plain; charset=iso-8859-2\r\n\r\n";
    assert_eq!(
        message::summary(utf_8.as_bytes()).subject.as_deref(),
        Some("café")
    );
    let short = "Subject: ü\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n";
    assert_eq!(
        message::summary(short.as_bytes()).subject.as_deref(),
        Some("ü")
    );
    for charset in ["utf-7", "utf-32", "utf-16", "hz-gb-2312"] {
        let tagged = format!(
            "From: a+b-c@example.org\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
        );
        assert_eq!(message::title(tagged.as_bytes()), "a+b-c@example.org");
    }
    let japanese =
        b"Subject: \x1b$B%F%9\x1b(B\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n";
    assert_eq!(message::summary(japanese).subject.as_deref(), Some("テス"));
}

#[test]
fn attachments_and_messages_are_no_alternatives() {
    let message = "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n";
    let everything_attached = format!(
        "{message}--b\nContent-Disposition: attachment; filename=a.txt\n\none\n\
         --b\nContent-Disposition: attachment; filename=b.txt\n\ntwo\n--b--\n"
    );
    assert_eq!(
        body(&wire(&everything_attached)),
        "[attachment: a.txt]\n\none\n\n[attachment: b.txt]\n\ntwo"
    );
    let nested = format!(
        "{message}--b\n\nplain\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\nquoted words\n--b--\n"
    );
    assert_eq!(
        body(&wire(&nested)),
        "plain\n\n[message-1]\nSubject: inner\n\nquoted words"
    );
    let apple = format!(
        "{message}--b\n\nplain words sent from a phone\n--b\nContent-Type: multipart/mixed; boundary=c\n\n\
         --c\nContent-Type: text/html\n\n<p>plain words</p>\n\
         --c\nContent-Type: text/csv; name=a.csv\n\nn;v\n\
         --c\nContent-Type: text/html\n\n<p>sent from a phone</p>\n--c--\n--b--\n"
    );
    assert_eq!(
        body(&wire(&apple)),
        "plain words sent from a phone\n\n[attachment: a.csv]\n\nn;v"
    );
}

#[test]
fn a_plain_text_that_says_nothing_gives_way_to_html() {
    let html = "<p>Your order left our house this morning. The parcel comes on Thursday, and the invoice \
        for it is attached. We thank you for buying boots from us.</p>";
    let message = |plain: &str| {
        wire(&format!(
            "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n\
             --b\n\n{plain}\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
        ))
    };
    assert!(body(&message("Your client shows no HTML.")).starts_with("Your order left"));
    let same =
        "Your order left our house this morning. The parcel comes on Thursday, with the invoice.";
    assert_eq!(body(&message(same)), same);
    let other = "This message has a picture of a cat in it, and several links to pages where you can read \
        about other cats, their food and their games";
    let both = body(&message(other));
    assert!(
        both.starts_with(other) && both.contains("Your order left"),
        "{both}"
    );
}

#[test]
fn short_html_is_shown_if_the_plain_text_lacks_it() {
    let message = |plain: &str, html: &str| {
        wire(&format!(
            "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n\
             --b\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n\
             --b\nContent-Type: text/html\n\n{html}\n--b--\n"
        ))
    };
    let viewer = "To view the message, please use an HTML compatible email viewer!";
    for (html, shown) in [
        ("<p>Your code: 482913", "Your code: 482913"),
        (
            "<a href='https://a.example/reset'><img src=cid:x></a>",
            "<https://a.example/reset>",
        ),
    ] {
        assert_eq!(body(&message(viewer, html)), format!("{viewer}\n\n{shown}"));
    }
    for blank in ["\u{a0}", "\u{200b}", "&nbsp;&nbsp;", "&zwnj;"] {
        let html = "<p>The code of your parcel is 482913";
        assert!(
            body(&message(blank, html)).ends_with("is 482913"),
            "{blank}"
        );
    }
}

#[test]
fn headers_end_where_the_text_begins() {
    for (headers, shown) in [
        ("Subject: x\n \nwhite space before\n", "white space before"),
        (
            "Subject: x\n\t\n  indented\nand not\n",
            "  indented\nand not",
        ),
        (
            "Subject: x\nDear all,\n\nplease note: this\n",
            "Dear all,\n\nplease note: this",
        ),
        (
            "Subject: x\nDear all\nNote: be there\n",
            "Dear all\nNote: be there",
        ),
        (
            "Subject: x\nhttps://example.org/ is new\n",
            "https://example.org/ is new",
        ),
        ("junk\nSubject: x\n\nthe text\n", "the text"),
        ("Subject: x\njunk\nX-Other: y\n\nthe text\n", "the text"),
    ] {
        let message = wire(headers);
        assert_eq!(
            message::summary(&message).subject.as_deref(),
            Some("x"),
            "{headers:?}"
        );
        assert_eq!(body(&message), shown, "{headers:?}");
    }
    let boundary = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n--b\nContent-Type: text/plain\n\nhi\n--b--\n";
    assert_eq!(body(&wire(boundary)), "hi");
    let white_space =
        "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n \naGVsbG8=";
    assert_eq!(file(&with_part(white_space), "attachments/a.pdf"), b"hello");
}

#[test]
fn a_nested_message_with_junk_before_its_headers_is_read() {
    for junk in [
        "\n",
        ">From a@b Thu May  2 09:00:00 2024\n",
        "----- Original message -----\n",
        "junk\n",
        " \n",
    ] {
        let message = with_part(&format!(
            "Content-Type: message/rfc822\n\n{junk}From: c@example.org\nSubject: inner\n\
             Content-Type: text/html\n\n<b>in</b>ner text"
        ));
        let shown = body(&message);
        assert!(
            shown.ends_with("[message-1]\nFrom: c@example.org\nSubject: inner\n\ninner text"),
            "{junk:?}: {shown}"
        );
    }
}

#[test]
fn dates_of_careless_mailers_are_read() {
    for date in [
        "Thu, 2 May 2024 12:00:00 +0200 - queue",
        "Thu, 2 May 2024 12:00:00 +0200-",
        "Thu, 2 May 2024 03:00:00 pdt",
        "Thu, 2 May 2024 10:00:00 gmt",
        "Thu, 2 May 2024 12:00:00 UTC+0200",
        "Thu, 2 May 2024 12:00:00 GMT+02:00",
        "Thu May  2 10:00:00 GMT 2024",
        "Thu May  2 12:00:00 2024 +0200",
        "Thursday, 02 May 2024 10:00:00 +0000",
        "2-May-2024 10:00:00 +0000",
        "2024-05-02T12:00:00+02:00",
        "2024-05-02 10:00:00",
    ] {
        assert_eq!(dated(date), Some(MAY), "{date}");
    }
    assert_eq!(
        dated("2 September 2024 10:00:00 +0000"),
        Some(1_725_271_200)
    );
    let received = "Received: from a by b with SMTP id 7 Thu, 2 May 2024 12:00:00 +0200\n\n";
    assert_eq!(
        message::arrival(&wire(received), DatePreference::Received),
        Some(MAY)
    );
}

#[test]
fn a_file_without_a_type_is_no_text() {
    for headers in [
        "Content-Type: ; name=\"a.bin\"",
        "Content-Type: image; name=a.bin",
        "Content-Disposition: attachment; filename=a.bin",
        "Content-Type: text/plain; name=a.bin",
    ] {
        let message = with_part(&format!(
            "{headers}\nContent-Transfer-Encoding: base64\n\n/9j/4AAQSkZJRgABAQEAYABgAAD/2wBD"
        ));
        assert_eq!(body(&message), "hello", "{headers}");
        assert!(
            file(&message, "attachments/a.bin").starts_with(b"\xff\xd8\xff"),
            "{headers}"
        );
    }
    let text = with_part("Content-Disposition: attachment; filename=a.txt\n\nwords");
    assert_eq!(body(&text), "hello\n\n[attachment: a.txt]\n\nwords");
    let typed = with_part("Content-Type: text; charset=iso-8859-1; name=a.txt\n\n=FC");
    assert_eq!(
        paths(&typed).last().map(String::as_str),
        Some("attachments/a.txt")
    );
}

#[test]
fn files_within_a_text_are_attachments() {
    let message =
        b"Subject: x\r\n\r\nbefore\r\nbegin 644 a.bin\r\n#:&5L\r\n`\r\nend\r\nbetween\r\n\
        =ybegin line=128 size=5 name=b c.bin\r\n\x92\x8f\x96\x96\x99\r\n=yend size=5\r\nbehind\r\n";
    assert_eq!(file(message, "attachments/a.bin"), b"hel");
    assert_eq!(file(message, "attachments/b c.bin"), b"hello");
    assert_eq!(text_file(message, "text.txt"), "before\nbetween\nbehind\n");
    let prose = "Subject: x\n\nbegin 644 steps\nfrom here\nend\n";
    assert_eq!(paths(&wire(prose)), ["headers", "message.eml", "text.txt"]);
}

#[test]
fn a_piece_of_a_message_is_shown() {
    let first = "Subject: x\nContent-Type: message/partial; id=a; number=1; total=2\n\n\
        Subject: whole\nContent-Type: text/plain\n\nthe first half\n";
    assert_eq!(
        body(&wire(first)),
        "[message-1]\nSubject: whole\n\nthe first half"
    );
    let second =
        "Subject: x\nContent-Type: message/partial; id=a; number=2; total=2\n\nthe other half\n";
    assert_eq!(
        body(&wire(second)),
        "[attachment: part-1.txt]\n\nthe other half"
    );
}

#[test]
fn a_mail_with_bare_cr_has_its_parts() {
    let message = "Subject: mac\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\nthere\n--b\n\
        Content-Type: text/plain; name=a.txt\nContent-Transfer-Encoding: quoted-printable\n\nsoft=\nly\nyes\n--b--\n";
    let message = message.replace('\n', "\r");
    for message in [message.clone(), format!("{message}\n")] {
        let message = message.as_bytes();
        assert_eq!(
            body(message),
            "hello\nthere\n\n[attachment: a.txt]\n\nsoftly\nyes"
        );
        assert_eq!(text_file(message, "text.txt"), "hello\nthere");
        assert_eq!(file(message, "attachments/a.txt"), b"softly\ryes");
    }
}

#[test]
fn invisible_characters_are_in_no_name() {
    let subject = "=?utf-8?q?in=C2=ADv=E2=80=8Bo=E2=80=AEi=F3=A0=81=81ce?=";
    let message = wire(&format!("From: a@b\nSubject: {subject}\n\nx=E2\n"));
    assert_eq!(message::title(&message), "a@b - invoice");
    assert_eq!(
        message::summary(&message).subject.as_deref(),
        Some("invoice")
    );
    let shown =
        text("Subject: x\nContent-Type: text/plain; charset=utf-8\n\nin\u{202e}voi\u{ad}ce\n");
    assert_eq!(shown, "Subject: x\n\ninvoice\n");
    let html = text("Subject: x\nContent-Type: text/html; charset=utf-8\n\n<p>in&#x202e;voice\n");
    assert_eq!(html, "Subject: x\n\ninvoice\n");
    let name =
        with_part("Content-Type: image/png; name*=utf-8''in%E2%80%8Bvoice%E2%80%AE.png\n\nx");
    assert_eq!(
        paths(&name).last().map(String::as_str),
        Some("attachments/invoice.png")
    );
}
