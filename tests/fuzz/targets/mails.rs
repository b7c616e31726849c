//! Made messages: one of each kind that mail comes in. All are well-formed, so that other readers of mail agree on what is in them.

/// The message as it comes from the wire: every line end of the literal is CRLF.
pub(crate) fn wire(message: &str) -> Vec<u8> {
    message.replace('\n', "\r\n").into_bytes()
}

/// A message and what it is.
pub(crate) struct Made {
    pub(crate) name: &'static str,
    pub(crate) octets: Vec<u8>,
}

/// All of them.
pub(crate) fn corpus() -> Vec<Made> {
    let texts = [
        ("plain", PLAIN),
        ("alternative", ALTERNATIVE),
        ("attached", ATTACHED),
        ("related", RELATED),
        ("forwarded", FORWARDED),
        ("digest", DIGEST),
        ("signed", SIGNED),
        ("bounced", BOUNCED),
        ("flowed", FLOWED),
        ("encoded forward", ENCODED_FORWARD),
    ];
    let mut corpus: Vec<Made> = texts
        .iter()
        .map(|(name, text)| Made {
            name,
            octets: wire(text),
        })
        .collect();
    corpus.push(Made {
        name: "eight-bit",
        octets: b"Subject: 8bit\r\nContent-Type: text/plain; charset=windows-1251\r\n\
            Content-Transfer-Encoding: 8bit\r\n\r\n\xcf\xf0\xe8\xe2\xe5\xf2\r\n"
            .to_vec(),
    });
    corpus
}

/// The octets of all of them.
pub(crate) fn octets() -> Vec<Vec<u8>> {
    corpus().into_iter().map(|made| made.octets).collect()
}

/// The one of the name.
pub(crate) fn made(name: &str) -> Vec<u8> {
    let found = corpus().into_iter().find(|made| made.name == name);
    found.expect("a message of the corpus").octets
}

const PLAIN: &str = "\
From: Alice Smith <alice@example.org>
To: bob@example.net
Date: Wed, 1 May 2024 09:30:00 +0200
Subject: =?utf-8?q?caf=C3=A9?=
Message-ID: <1@example.org>

Dear Bob,

see you there.
";

const ALTERNATIVE: &str = "\
From: shop@example.org
Subject: offer
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=\"b 1\"

This is for readers without MIME.
--b 1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Only 5=E2=82=AC, today=
 only.
--b 1
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>Only <b>5=A4</b>
--b 1--
nobody reads this
";

const ATTACHED: &str = "\
From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
Subject: files
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain

Here they are.
--outer
Content-Type: application/pdf; name=\"report.pdf\"
Content-Disposition: attachment; filename=\"report.pdf\"
Content-Transfer-Encoding: base64

JVBERi0xLjQKJeLjz9MK
AAECAwQFBgcICQ==
--outer
Content-Type: application/pdf
Content-Disposition: attachment; filename=\"report.pdf\"
Content-Transfer-Encoding: base64

JVBERi0xLjU=
--outer
Content-Type: text/csv; charset=utf-8; header=present
Content-Disposition: attachment;
 filename*0*=utf-8''%C3%BCber;
 filename*1*=sicht%20;
 filename*2=\"2024.csv\"
Content-Transfer-Encoding: quoted-printable

n;v
\u{20}a;=C3=BC
--outer
Content-Type: image/png
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--outer
Content-Type: text/plain; name=notes.txt
Content-Disposition: inline; filename=notes.txt

A note.
--outer--
";

const RELATED: &str = "\
Subject: picture
MIME-Version: 1.0
Content-Type: multipart/related; boundary=r; type=\"text/html\"

--r
Content-Type: text/html; charset=utf-8

<p>Look: <img src=\"cid:cat\" alt=\"a cat\"></p><p><a href=\"https://cats.example/\">more</a></p>
--r
Content-Type: image/gif
Content-ID: <cat>
Content-Disposition: inline; filename=\"cat.gif\"
Content-Transfer-Encoding: base64

R0lGODlh
--r--
";

const FORWARDED: &str = "\
From: bob@example.net
Subject: Fwd: lost
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=f

--f

Is it yours?
--f
Content-Type: message/rfc822
Content-Disposition: attachment; filename=lost.eml

From: mo@example.com
Date: Tue, 30 Apr 2024 23:59:59 -0330
Subject: lost
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=g

--g
Content-Type: text/plain

One glove.
--g
Content-Type: image/jpeg
Content-Disposition: attachment; filename=glove.jpg
Content-Transfer-Encoding: base64

/9j/4A==
--g--
--f--
";

const DIGEST: &str = "\
Subject: two letters
MIME-Version: 1.0
Content-Type: multipart/digest; boundary=d

--d

From: one@example.org
Subject: first

The first letter.
--d

From: two@example.org
Subject: second

The second letter.
--d--
";

const SIGNED: &str = "\
Subject: signed
MIME-Version: 1.0
Content-Type: multipart/signed; boundary=s; micalg=pgp-sha256; protocol=\"application/pgp-signature\"

--s
Content-Type: text/plain

I said so.
--s
Content-Type: application/pgp-signature; name=signature.asc
Content-Disposition: attachment; filename=signature.asc

-----BEGIN PGP SIGNATURE-----

iQ==
-----END PGP SIGNATURE-----
--s--
";

const BOUNCED: &str = "\
From: MAILER-DAEMON@example.org
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=p

--p
Content-Type: text/plain

It came back.
--p
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; nobody@example.net
Action: failed
--p
Content-Type: text/rfc822-headers

Subject: hello
--p--
";

const FLOWED: &str = "\
Subject: flowed
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii; format=flowed

> Did you \n> get it?

Yes, and it is \nfine.
\u{20}From here on
-- \nAlice
";

const ENCODED_FORWARD: &str = "\
Subject: encoded
MIME-Version: 1.0
Content-Type: message/rfc822
Content-Transfer-Encoding: base64

U3ViamVjdDogaW5uZXINCkNvbnRlbnQtVHlwZTogdGV4dC9wbGFpbjsgY2hhcnNldD1r
b2k4LXINCg0K8NLJ18XUDQo=
";
