//! `grep -r` in `.text` finds words that it cannot find in the messages as they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::in_clear;
use super::{dovecot, found, stems, wire};

/// A message with words in an encoding.
struct Hiding {
    words: &'static str,
    message: Vec<u8>,
}

fn hiding(words: &'static str, message: impl AsRef<[u8]>) -> Hiding {
    Hiding {
        words,
        message: message.as_ref().to_vec(),
    }
}

fn in_base64(words: &str) -> Vec<u8> {
    let encoded = STANDARD.encode(format!("One two {words} three.\r\n"));
    wire(&format!(
        "Subject: base64\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{encoded}\n"
    ))
}

fn nested(message: &[u8]) -> Vec<u8> {
    let mut outer = wire(
        "Subject: Fwd: something\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=outer\n\n\
         --outer\n\nSee below.\n--outer\nContent-Type: message/rfc822\n\n",
    );
    outer.extend_from_slice(message);
    outer.extend(wire("\n--outer--\n"));
    outer
}

/// One message for each encoding. Each has words of its own.
fn maildrop() -> Vec<Hiding> {
    vec![
        hiding("violet umbrella", in_base64("violet umbrella")),
        hiding(
            "confirmation of the contract",
            wire(
                "Subject: quoted-printable\nContent-Type: text/plain; charset=utf-8\n\
                 Content-Transfer-Encoding: quoted-printable\n\nthe confirma=\ntion of the con=\ntract\n",
            ),
        ),
        hiding(
            "Überraschung für Zoë",
            wire("Subject: =?utf-8?q?=C3=9Cberraschung_f=C3=BCr?=\n =?utf-8?b?IFpvw6s=?=\n\nhello\n"),
        ),
        hiding(
            "Małgorzata Wiśniewska",
            wire("From: =?iso-8859-2?q?Ma=B3gorzata_Wi=B6niewska?= <m@example.org>\nSubject: sender\n\nhello\n"),
        ),
        hiding(
            "an orange bicycle",
            wire(
                "Subject: html\nContent-Type: text/html; charset=us-ascii\n\n\
                 <html><body><p>an <b>oran</b>ge&#32;bi<i>cycle</i></p></body></html>\n",
            ),
        ),
        hiding(
            "日本語",
            b"Subject: iso-2022-jp\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$BF|K\\8l\x1b(B\r\n",
        ),
        hiding(
            "Привет",
            b"Subject: cyrillic\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2!\r\n",
        ),
        hiding("silver teapot", nested(&in_base64("silver teapot"))),
        hiding(
            "brass doorknob",
            nested(&nested(&in_base64("brass doorknob"))),
        ),
    ]
}

#[test]
fn encoded_words_are_found_in_the_text_of_their_message_only() {
    let hidden = maildrop();
    let messages: Vec<Vec<u8>> = hidden.iter().map(|each| each.message.clone()).collect();
    let dovecot = dovecot(&messages);
    let mount = in_clear(&dovecot.source(), &[]);
    for (stem, each) in stems(&mount).iter().zip(&hidden) {
        let expected = [format!("{stem}.txt")];
        assert_eq!(
            found(each.words, &mount.join(".text")),
            expected,
            "{}",
            each.words
        );
    }
}

/// Checks that the test above can fail.
#[test]
fn hidden_words_are_not_found_in_the_messages_as_they_are() {
    let hidden = maildrop();
    let messages: Vec<Vec<u8>> = hidden.iter().map(|each| each.message.clone()).collect();
    let dovecot = dovecot(&messages);
    let mount = in_clear(&dovecot.source(), &[]);
    for each in &hidden {
        assert_eq!(found(each.words, mount.path()), [""; 0], "{}", each.words);
    }
}

#[test]
fn hidden_words_are_found_in_the_parts_view_where_they_are() {
    let messages = [
        in_base64("violet umbrella"),
        nested(&in_base64("silver teapot")),
    ];
    let dovecot = dovecot(&messages);
    let mount = in_clear(&dovecot.source(), &[]);
    let [plain, forwarded] = &stems(&mount)[..] else {
        panic!("two messages");
    };
    let parts = mount.join(".parts");
    assert_eq!(
        found("violet umbrella", &parts),
        [format!("{plain}/text.txt")]
    );
    assert_eq!(
        found("silver teapot", &parts),
        [format!("{forwarded}/message-1/text.txt")]
    );
}
