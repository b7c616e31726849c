//! Texts whose labels are not true: the charset or the transfer encoding is another one, or several.

use pop3fs::message;

use super::kinds::{body, labelled};
use super::{text_file, wire};

const RUSSIAN: &[u8] = b"\xcf\xf0\xe8\xe2\xe5\xf2 \xe2\xf1\xe5\xec, \xea\xe0\xea \xe4\xe5\xeb\xe0?";
const JAPANESE: &[u8] = b"\xc6\xfc\xcb\xdc\xb8\xec\xa5\xc6\xa5\xb9\xa5\xc8";

fn encoded(encoding: &str, octets: &str) -> String {
    body(&wire(&format!(
        "Subject: x\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: {encoding}\n\n{octets}"
    )))
}

#[test]
fn octets_that_are_no_utf_8_are_not_read_as_utf_8() {
    assert_eq!(
        labelled("utf-8", b"Gr\xfc\xdfe aus K\xf6ln"),
        "Grüße aus Köln"
    );
    assert_eq!(labelled("utf-8", b"caf\xe9"), "café");
    assert_eq!(labelled("utf-8", RUSSIAN), "Привет всем, как дела?");
    let subject = message::summary(b"Subject: =?utf-8?q?Gr=FC=DFe?=\r\n\r\n").subject;
    assert_eq!(subject.as_deref(), Some("Grüße"));
}

#[test]
fn a_character_that_is_cut_off_does_not_deny_the_label() {
    assert_eq!(
        labelled("utf-8", b"Gr\xc3\xbc\xc3\x9fe K\xc3"),
        "Grüße K\u{fffd}"
    );
    assert_eq!(labelled("utf-8", b"5 \xe2\x82"), "5 \u{fffd}");
}

#[test]
fn seven_bit_labels_cover_the_eight_bit_form_of_a_script() {
    assert_eq!(labelled("iso-2022-jp", JAPANESE), "日本語テスト");
    let korean = b"\xc7\xd1\xb1\xb9\xbe\xee";
    assert_eq!(labelled("iso-2022-kr", korean), "한국어");
    assert_eq!(labelled("hz-gb-2312", b"\xd6\xd0\xce\xc4"), "中文");
    assert_eq!(labelled("cp50222", b"\x0eCDE\x0f abc"), "ﾃﾄﾅ abc");
}

#[test]
fn western_text_is_no_asian_text_whatever_its_label() {
    let western = b"Gr\xfc\xdfe aus K\xf6ln, sch\xf6ne \xc4";
    assert_eq!(labelled("euc-kr", western), "Grüße aus Köln, schöne Ä");
    assert_eq!(
        labelled("euc-kr", b"\xbe\xc8\xb3\xe7 \xff"),
        "안녕 \u{fffd}"
    );
}

#[test]
fn asian_text_without_a_label_is_not_taken_for_utf_8() {
    let japanese = "日本語テスト、これは長い文章です。";
    let octets =
        b"\xc6\xfc\xcb\xdc\xb8\xec\xa5\xc6\xa5\xb9\xa5\xc8\xa1\xa2\xa4\xb3\xa4\xec\xa4\xcf\
        \xc4\xb9\xa4\xa4\xca\xb8\xbe\xcf\xa4\xc7\xa4\xb9\xa1\xa3";
    assert_eq!(
        body(&[b"Subject: x\r\n\r\n", &octets[..]].concat()),
        japanese
    );
}

#[test]
fn utf_16_without_a_mark_is_read_in_either_order() {
    for label in ["utf-16", "ucs-2", "utf-16le"] {
        assert_eq!(
            labelled(label, b"\0G\0r\0\xfc\0\xdf\0e"),
            "Grüße",
            "{label}"
        );
        assert_eq!(
            labelled(label, b"G\0r\0\xfc\0\xdf\0e\0"),
            "Grüße",
            "{label}"
        );
    }
}

#[test]
fn a_text_without_a_charset_has_that_of_the_message() {
    let message =
        b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\xc1\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>\xee\xc5\xd4\r\n\
        --b\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2\r\n--b--\r\n";
    assert_eq!(body(message), "Да\n\nНет\n\nПр");
    assert_eq!(text_file(message, "text.txt"), "Да\nПр");
    assert_eq!(text_file(message, "text.html"), "<p>Нет");
}

#[test]
fn an_xml_declaration_states_the_charset_of_html() {
    let message = b"Subject: x\r\nContent-Type: text/html\r\n\r\n\
        <?xml version='1.0' encoding='koi8-r'?><html><body>\xf0\xd2\xc9\xd7\xc5\xd4";
    assert_eq!(body(message), "Привет");
}

#[test]
fn html_tells_its_charset_where_the_header_tells_none() {
    let html = |label: &str, html: &[u8]| {
        let header = format!("Subject: x\r\nContent-Type: text/html; charset={label}\r\n\r\n");
        body(&[header.as_bytes(), html].concat())
    };
    let russian = b"<meta charset=windows-1251><p>\xd1\xf7\xb8\xf2";
    let japanese = b"<meta charset=Shift_JIS><p>\x89\xef\x8bc\x82\xcc\x8e\x91\x97\xbf";
    let unicode = b"<meta charset=unicode><p>caf\xe9";
    for label in ["us-ascii", "utf-8", "unknown-8bit"] {
        assert_eq!(html(label, russian), "Счёт", "{label}");
        assert_eq!(html(label, japanese), "会議の資料", "{label}");
        assert_eq!(html(label, unicode), "café", "{label}");
        let utf_8 = "<meta charset=windows-1251><p>Счёт".as_bytes();
        assert_eq!(html(label, utf_8), "Счёт", "{label}");
    }
    assert_eq!(html("koi8-r", b"<meta charset=big5><p>\xf0\xd2"), "Пр");
}

#[test]
fn transfer_encodings_go_by_careless_names() {
    for name in [
        "\"quoted-printable\"",
        "Quoted_Printable",
        "quotedprintable",
    ] {
        assert_eq!(encoded(name, "Gr=C3=BC=C3=9Fe"), "Grüße", "{name}");
    }
    for name in ["base-64", "x-base64", "BASE64;"] {
        assert_eq!(encoded(name, "R3LDvMOfZQ=="), "Grüße", "{name}");
    }
}

#[test]
fn base64_that_was_encoded_in_pieces_is_whole() {
    assert_eq!(
        encoded("base64", "R3LDvMOfZQ==\nIGbDvHIgQsOkcg==\n"),
        "Grüße für Bär"
    );
    assert_eq!(encoded("base64", "R3LDvMOfZQ\n"), "Grüße");
}

#[test]
fn a_footer_behind_base64_does_not_become_junk() {
    for footer in [
        "\n____________\nlist mailing list\nhttps://example.org/list\n",
        "\n-- \nfooter\n",
    ] {
        let octets = format!("R3LDvMOfZSBmw7xyIELDpHIK\n{footer}");
        assert_eq!(encoded("base64", &octets), "Grüße für Bär");
    }
}

#[test]
fn text_that_is_called_base64_is_text() {
    let prose = "Hello all, a gateway has decoded this.\nSee you!";
    assert_eq!(encoded("base64", prose), prose);
    let html = "Subject: x\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n<p>hello there</p>\n";
    assert_eq!(body(&wire(html)), "hello there");
}
