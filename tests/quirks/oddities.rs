//! Servers whose trouble comes in another place or another form than the other tests have it: a
//! limit told before the password, a refusal cut in the middle, a listing with other blanks, an
//! outage that shows itself only after the connection.

use std::thread;

use pop3fs::cli::Failure;

use crate::common::{Liar, MountBuilder, Reply, assert_failed, corpus};
use crate::{assert_reads, assert_says, assert_shows, listed, ls_l, mounted, refusal, sentence};

fn liar() -> (Liar, Vec<Vec<u8>>) {
    let messages = corpus::realistic(77, 5);
    (Liar::start(&messages), messages)
}

#[test]
fn trouble_told_before_the_password_is_no_refused_password() {
    for words in ["too many connections", "server is down", "[SYS/TEMP] disk"] {
        for command in ["USER", "greeting"] {
            let (liar, _) = liar();
            match command {
                "greeting" => liar.set_greeting(format!("-ERR {words}\r\n").as_bytes()),
                _ => liar.on(command, Reply::Err(words)),
            }
            let said = refusal(&liar, &[]);
            assert_says(&said, &["a passing fault of its own", words]);
            assert_eq!(liar.count("PASS"), 0, "{said}");
        }
    }
}

#[test]
fn trouble_told_before_a_listing_is_no_refused_password() {
    for command in ["STAT", "UIDL", "LIST"] {
        let (liar, _) = liar();
        liar.on(command, Reply::Err("temporarily out of memory"));
        let said = refusal(&liar, &[]);
        assert_says(&said, &["a passing fault of its own"]);
    }
}

/// What may be a refusal counts as one after the second time, whatever its form.
#[test]
fn a_refusal_of_another_form_is_not_sent_a_third_password() {
    for reply in [
        Reply::RawThenClose(b"-ERR wrong pass".to_vec()),
        Reply::RawThenClose(b"535 5.7.8 authentication failed\r\n".to_vec()),
        Reply::RawThenClose(b"-".to_vec()),
        Reply::RawThenClose(b"-ERR authorization failed\r\n".to_vec()),
        Reply::Raw(b"ERR authorization failed\r\n".to_vec()),
        Reply::Raw(b"\r\n-ERR authorization failed\r\n".to_vec()),
    ] {
        for auth in [false, true] {
            let (liar, _) = liar();
            let verb = match auth {
                true => {
                    let offered = ["TOP", "UIDL", "USER", "SASL PLAIN"];
                    liar.set_capabilities(Some(&offered));
                    "AUTH"
                }
                false => "PASS",
            };
            liar.on("AUTH", reply.clone());
            liar.on("PASS", reply.clone());
            let auth = if auth { "auth=plain" } else { "auth=user" };
            let refused = MountBuilder::new(&liar.source())
                .option("tls=off")
                .option(auth)
                .option("timeout=20s")
                .refused();
            assert_failed(&refused, Failure::LoginRefused);
            let sent = liar.count(verb);
            assert!((1..=2).contains(&sent), "{reply:?} {sent}");
            assert_says(&sentence(&refused), &["the password"]);
        }
    }
}

#[test]
fn listings_with_other_blanks_and_numbers_are_understood() {
    let (plain, messages) = liar();
    drop(plain);
    for (before, between) in [
        ("", "\t"),
        ("", "  "),
        (" ", " "),
        ("0", " "),
        ("00", "\t "),
    ] {
        let liar = Liar::start(&messages);
        let lines = |of: &dyn Fn(usize) -> String| {
            let lines =
                (1..=5).map(|serial| format!("{before}{serial}{between}{}\r\n", of(serial)));
            format!("+OK\r\n{}.\r\n", lines.collect::<String>()).into_bytes()
        };
        liar.on(
            "UIDL",
            Reply::Raw(lines(&|serial| format!("liar-{serial}"))),
        );
        let size = |serial: usize| messages[serial - 1].len().to_string();
        liar.on("LIST", Reply::Raw(lines(&size)));
        assert_shows(&mounted(&liar, &[]), &messages);
    }
}

/// The whole message in place of its headers, no body behind them, and lines that end in LF.
#[test]
fn tops_of_another_form_give_dates_and_spoil_no_body() {
    let (plain, messages) = liar();
    drop(plain);
    for form in ["whole", "headers", "lf"] {
        let liar = Liar::start(&messages);
        for (serial, message) in (1..).zip(&messages) {
            let end = message
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .expect("headers");
            let shown = match form {
                "whole" => message.clone(),
                "headers" => message[..end + 2].to_vec(),
                _ => String::from_utf8_lossy(&message[..end + 4])
                    .replace("\r\n", "\n")
                    .into_bytes(),
            };
            let shown = [b"+OK\r\n", &*shown, b"\r\n.\r\n"].concat();
            liar.on(&format!("TOP {serial} 0"), Reply::Raw(shown));
        }
        let mount = mounted(&liar, &["timeout=20s"]);
        ls_l(&mount);
        assert_shows(&mount, &messages);
    }
}

#[test]
fn a_capa_of_another_form_hides_nothing() {
    for capa in [
        "+OK\r\n.\r\n",
        "+OK\r\n\r\nTOP\r\n\r\nUIDL\r\n.\r\n",
        "+OK\r\n top\r\n\tuidl\r\nPIPELINING yes\r\nEXPIRE\r\nLOGIN-DELAY\r\n.\r\n",
        "+OK\r\nSASL\r\nLOGIN-DELAY many USER\r\nEXPIRE soon\r\nIMPLEMENTATION\r\n.\r\n",
    ] {
        let (liar, messages) = liar();
        liar.on("CAPA", Reply::Raw(capa.as_bytes().to_vec()));
        assert_shows(&mounted(&liar, &["timeout=20s"]), &messages);
    }
}

/// A proxy accepts connections while the server behind it is away.
#[test]
fn readers_wait_out_an_outage_behind_a_proxy() {
    for is_told in [true, false] {
        let (liar, messages) = liar();
        let mount = mounted(&liar, &["mtime=none", "timeout=20s"]);
        assert_eq!(listed(&mount).len(), 5);
        if is_told {
            liar.set_greeting(b"-ERR server is down\r\n");
        } else {
            liar.on("CAPA", Reply::Close);
            liar.on("USER", Reply::Close);
        }
        let before = liar.server().connections();
        liar.server().cut_all();
        thread::scope(|scope| {
            for (serial, message) in (1..).zip(&messages) {
                let mount = &mount;
                scope.spawn(move || assert_reads(mount, &format!("liar-{serial}.eml"), message));
            }
            liar.server().wait_for_connections(before + 2);
            liar.behave("CAPA");
            liar.behave("USER");
            liar.set_greeting(b"+OK ready\r\n");
        });
    }
}
