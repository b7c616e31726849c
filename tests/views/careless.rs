//! Headers, parts and dates as careless mailers, gateways and lists write them.

use pop3fs::message::{self, DatePreference};

use super::kinds::{MAY, body, dated, with_part};
use super::{file, paths, wire};

/// The name of the one attachment of a part with these headers.
fn attached(headers: &str) -> String {
    let message = with_part(&format!(
        "{headers}\nContent-Transfer-Encoding: base64\n\naGVsbG8="
    ));
    let name = paths(&message)
        .into_iter()
        .find_map(|path| path.strip_prefix("attachments/").map(str::to_owned));
    name.unwrap_or_else(|| panic!("{headers}: {:?}", paths(&message)))
}

/// The text of a message with this field.
fn typed(content_type: &str, octets: &[u8]) -> String {
    let headers = format!("Subject: x\r\nContent-Type: {content_type}\r\n\r\n");
    body(&[headers.as_bytes(), octets].concat())
}

fn multipart(boundary: &str, rest: &str) -> Vec<u8> {
    wire(&format!(
        "Subject: x\nContent-Type: multipart/mixed{boundary}\n\n{rest}"
    ))
}

#[test]
fn a_type_counts_however_its_field_is_written() {
    for field in [
        "text/plain charset=koi8-r",
        "text/plain, charset=koi8-r",
        "charset=koi8-r",
        "text/*; charset=koi8-r",
        "text/plain;; charset=\"koi8-r\" (Cyrillic);",
        "\"text/plain\"; charset=koi8-r",
        "text / plain; charset=koi8-r (Cyrillic)",
    ] {
        assert_eq!(typed(field, b"\xf0\xd2\xc9"), "При", "{field}");
    }
    for field in ["text / html", "\"text/html\"", "application/xhtml+xml"] {
        assert_eq!(typed(field, b"<p>hi</p>"), "hi", "{field}");
    }
}

#[test]
fn a_name_counts_however_its_parameter_is_written() {
    for (headers, name) in [
        (
            "Content-Disposition: attachment filename=\"a.bin\"",
            "a.bin",
        ),
        ("Content-Disposition: filename=a.bin", "a.bin"),
        (
            "Content-Disposition: attachment; filename=\"a.bin\" (the file)",
            "a.bin",
        ),
        (
            "Content-Disposition: attachment; filename=\"the \"best\".bin\"",
            "the \"best\".bin",
        ),
        (
            "Content-Disposition: attachment; filename=a (1).bin",
            "a (1).bin",
        ),
        (
            "Content-Disposition: attachment; filename=utf-8''%C3%A4.bin",
            "ä.bin",
        ),
        (
            "Content-Disposition: attachment; filename=\"iso-8859-1'de'%E4.bin\"",
            "ä.bin",
        ),
        (
            "Content-Disposition: attachment; filename=\"don''t 100%.bin\"",
            "don''t 100%.bin",
        ),
    ] {
        let typed = format!("Content-Type: application/octet-stream\n{headers}");
        assert_eq!(attached(&typed), name, "{headers}");
    }
}

#[test]
fn reports_have_names_that_open_as_text() {
    for (media_type, name) in [
        ("message/feedback-report", "part-2.txt"),
        ("message/disposition-notification", "part-2.txt"),
        ("message/delivery-status", "part-2.txt"),
    ] {
        assert_eq!(attached(&format!("Content-Type: {media_type}")), name);
    }
}

#[test]
fn messages_of_other_types_are_messages() {
    for media_type in [
        "message/news",
        "message",
        "message/partial; id=a; number=01; total=2",
    ] {
        let message = with_part(&format!(
            "Content-Type: {media_type}\n\nFrom: c@example.org\nSubject: inner\n\nwords"
        ));
        assert_eq!(
            body(&message),
            "hello\n\n[message-1]\nFrom: c@example.org\nSubject: inner\n\nwords",
            "{media_type}"
        );
    }
}

#[test]
fn a_body_that_is_elsewhere_has_its_place_shown() {
    for (access, place) in [
        (
            "URL;\n URL=\"https://example.org/a\"",
            "https://example.org/a",
        ),
        (
            "mail-server;\n server=\"mailserv@example.org\"",
            "mailserv@example.org",
        ),
    ] {
        let message = with_part(&format!(
            "Content-Type: message/external-body; access-type={access}\n\n\
             Content-Type: text/plain\n\n",
        ));
        assert_eq!(body(&message), format!("hello\n\n[external: {place}]"));
    }
}

#[test]
fn a_file_has_its_name_before_its_resource_fork() {
    let message = with_part(
        "Content-Type: multipart/appledouble; boundary=AD\n\n\
         --AD\nContent-Type: application/applefile; name=photo.jpg\n\nfork\n\
         --AD\nContent-Type: image/jpeg; name=photo.jpg\n\npicture\n--AD--\n",
    );
    assert_eq!(file(&message, "attachments/photo.jpg"), b"picture");
    assert_eq!(file(&message, "attachments/photo (2).jpg"), b"fork");
}

#[test]
fn an_attached_text_is_shown_whatever_its_type() {
    for (media_type, name) in [
        ("application/octet-stream", "notes.txt"),
        ("application/ics", "invite.ics"),
        ("application/x-patch", "a.patch"),
    ] {
        let message = with_part(&format!("Content-Type: {media_type}; name={name}\n\nwords"));
        assert_eq!(
            body(&message),
            format!("hello\n\n[attachment: {name}]\n\nwords")
        );
    }
    let file = with_part(
        "Content-Type: application/octet-stream; name=a.txt\nContent-Transfer-Encoding: base64\n\nAAECAwQFBgc=",
    );
    assert_eq!(body(&file), "hello");
}

#[test]
fn a_picture_that_is_called_text_is_none() {
    let picture = "Content-Transfer-Encoding: base64\n\n/9j/4AAQSkZJRgABAQEAYABgAAD/2wBD";
    let message = with_part(&format!("Content-Type: text/plain\n{picture}"));
    assert_eq!(body(&message), "hello");
    assert!(file(&message, "attachments/part-2.txt").starts_with(b"\xff\xd8\xff"));
    let prose = typed("text/plain", b"%PDF-1.4 is how such files begin");
    assert_eq!(prose, "%PDF-1.4 is how such files begin");
}

#[test]
fn texts_of_one_type_are_no_alternatives() {
    let message = |second: &str| {
        wire(&format!(
            "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n\
             --b\n\none\n--b\n\n{second}\n--b--\n"
        ))
    };
    assert_eq!(body(&message("list footer")), "one\n\nlist footer");
    assert_eq!(body(&message("one")), "one");
}

#[test]
fn a_boundary_is_found_as_it_is_in_the_body() {
    let parts = |boundary: &str| {
        format!(
            "--{boundary}\nContent-Type: text/plain\n\nwords\n--{boundary}\n\
             Content-Type: image/png; name=a.png\n\nx\n--{boundary}--\n"
        )
    };
    for stated in [
        "",
        "; boundary=\"b \"",
        "; boundary='b'",
        "; boundary=b (comment)",
        "; boundary=other",
        " boundary=b",
    ] {
        let message = multipart(stated, &parts("b"));
        assert_eq!(body(&message), "words", "{stated}");
        assert_eq!(file(&message, "attachments/a.png"), b"x", "{stated}");
    }
    let spaced = multipart("; boundary=\"b \"", &parts("b "));
    assert_eq!(body(&spaced), "words");
    let prose = "--\nno part\n-- b\nContents: none";
    assert_eq!(body(&multipart("; boundary=c", prose)), prose);
}

#[test]
fn markup_and_programs_are_no_fields() {
    for text in ["<p>Hello: there</p>", "{\"a\": 1}", "(a): b", "x=3D: y"] {
        assert_eq!(body(&wire(&format!("Subject: x\n{text}\n"))), text);
    }
}

#[test]
fn a_byte_order_mark_hides_no_header() {
    let message = "\u{feff}From: a@example.org\nDate: Thu, 2 May 2024 12:00:00 +0200\n\nx\n";
    assert_eq!(message::title(&wire(message)), "a@example.org");
    assert_eq!(
        message::arrival(
            &wire("\u{feff}Date: 2 May 2024 10:00:00\n\nx\n"),
            DatePreference::Date
        ),
        Some(MAY)
    );
}

#[test]
fn a_uuencoded_file_may_lose_its_end() {
    let encoded = "begin 644 a.txt\n,:&5L;&\\@=V]R;&0*\n";
    let message = wire(&format!("Subject: x\n\n{encoded}\nwords behind\n"));
    assert_eq!(file(&message, "attachments/a.txt"), b"hello world\n");
    assert!(body(&message).ends_with("words behind"));
    let spaced = format!("Subject: x\n\n{encoded}`\nend\n").replace('\n', "  \n");
    let spaced = spaced.replacen("x  \n  \n", "x\n\n", 1);
    assert_eq!(file(&wire(&spaced), "attachments/a.txt"), b"hello world\n");
}

#[test]
fn a_uuencoded_file_may_lose_the_spaces_at_its_line_ends() {
    // uuencode with spaces for zeros, of 45 octets: a few, and none.
    let encoded = "begin 644 a.bin\nM1TE&.#EA\nM\n#:&5L\n`\nend\n";
    let message = wire(&format!("Subject: x\n\nwords\n\n{encoded}bye\n"));
    let zeros = [0; 45 - 6 + 45];
    let octets = [b"GIF89a", &zeros[..], b"hel"].concat();
    assert_eq!(file(&message, "attachments/a.bin"), octets);
    assert_eq!(body(&message), "words\n\nbye");
}

#[test]
fn a_uuencoded_file_has_a_name_in_the_charset_of_its_text() {
    for (headers, written, name) in [
        (
            "Content-Type: text/plain; charset=iso-8859-1",
            &b"r\xe9sum\xe9.txt"[..],
            "résumé.txt",
        ),
        (
            "Content-Type: text/plain; charset=koi8-r",
            b"\xf0\xd2\xc9\xd7\xc5\xd4.txt",
            "Привет.txt",
        ),
        ("Subject: x", "résumé.txt".as_bytes(), "résumé.txt"),
    ] {
        let message = [
            headers.as_bytes(),
            b"\r\n\r\nwords\r\nbegin 644 ",
            written,
            b"\r\n,:&5L;&\\@=V]R;&0*\r\n`\r\nend\r\n",
        ]
        .concat();
        let path = format!("attachments/{name}");
        assert_eq!(file(&message, &path), b"hello world\n", "{headers}");
    }
}

#[test]
fn dates_with_more_words_than_they_need_are_read() {
    for date in [
        "Thu, 2 May 2024 12:00:00 +0200 (GMT+02:00",
        "Thu, 2 May 2024 14:00:00 MSD",
        "Thu, 2 May 2024 12:00:00 MET DST",
        "Thu, 2 May 2024 12:00:00 +02:00:00",
        "Thu, 2. May 2024 10:00:00 +0000",
        "Thu, 2nd May 2024 10:00:00 +0000",
        "May 2, 2024 at 10:00:00 AM",
        "Date: Thu, 02 May 2024 10:00:00 +0000",
        "=?utf-8?Q?Thu,_2_May_2024_10:00:00_+0000?=",
        "20240502T100000Z",
        "20240502T120000+0200",
        "2024/05/02 10:00:00",
    ] {
        assert_eq!(dated(date), Some(MAY), "{date}");
    }
}

#[test]
fn the_date_of_a_server_is_found_among_its_clauses() {
    for field in [
        "by b; Thu, 2 May 2024 12:00:00 +0200; another note",
        "from a by b on Thu, 2 May 2024 12:00:00 +0200",
        "from a by b with SMTP id 7 (see a; Thu, 2 May 2024 12:00:00 +0200",
    ] {
        let headers = format!("Received: {field}\nDate: Wed, 1 May 2024 10:00:00 +0000\n\n");
        let arrival = message::arrival(&wire(&headers), DatePreference::Received);
        assert_eq!(arrival, Some(MAY), "{field}");
    }
}

#[test]
fn an_encoded_word_within_a_word_is_read() {
    for (from, shown) in [
        (
            "J=?utf-8?Q?=C3=B6?=rg <j@example.org>",
            "Jörg <j@example.org>",
        ),
        (
            "=?utf-8?Q?J=C3=B6rg?=M <j@example.org>",
            "JörgM <j@example.org>",
        ),
        (
            "=?utf-8?Q?=C3=B6=2C_b?=<j@example.org>",
            "ö, b <j@example.org>",
        ),
    ] {
        let message = wire(&format!("From: {from}\n\nx\n"));
        assert_eq!(message::summary(&message).from.as_deref(), Some(shown));
    }
}

#[test]
fn a_comma_in_a_name_need_not_be_quoted() {
    let title = |from: &str| message::title(&wire(&format!("From: {from}\n\nx\n")));
    assert_eq!(title("Smith, Alice <alice@example.org>"), "Smith, Alice");
    assert_eq!(
        title("alice@example.org, Bob <b@example.org>"),
        "alice@example.org"
    );
    assert_eq!(title("Alice Smith"), "Alice Smith");
}
