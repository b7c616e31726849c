//! Facts about real servers that the design relies on, and tests of the test servers themselves.

mod common;

use common::{
    Certificate, Dovecot, DovecotOptions, Gate, Liar, Mailutils, MailutilsOptions, Mpopd,
    ReferenceClient, Reply, RetrFault, Retrieved, Scripted, Store, corpus, retr_all, stdout_of,
};

fn dovecot(messages: &[Vec<u8>]) -> Dovecot {
    Dovecot::start(messages, &DovecotOptions::default())
}

fn mailutils(messages: &[Vec<u8>]) -> Mailutils {
    Mailutils::start(messages, MailutilsOptions::default())
}

fn session(port: u16, user: &str) -> ReferenceClient {
    let mut client = ReferenceClient::connect(port);
    client.log_in(user, "secret");
    client
}

fn bytes(messages: Vec<Retrieved>) -> Vec<Vec<u8>> {
    messages.into_iter().map(|message| message.bytes).collect()
}

/// The message as a server sends it: with a CRLF if its last line has none.
fn ended(message: &[u8]) -> Vec<u8> {
    let mut ended = message.to_vec();
    if !ended.ends_with(b"\r\n") {
        ended.extend_from_slice(b"\r\n");
    }
    ended
}

fn lf_count(message: &[u8]) -> u64 {
    message.iter().filter(|&&octet| octet == b'\n').count() as u64
}

fn pipelined(client: &mut ReferenceClient, count: usize) -> usize {
    let batch: String = (1..=count)
        .map(|number| format!("RETR {number}\r\n"))
        .collect();
    client.send(batch.as_bytes());
    let answered = (0..count).map_while(|_| {
        let status = client.read_status()?;
        assert!(status.starts_with("+OK"), "{status}");
        Some(client.read_body())
    });
    answered.count()
}

#[test]
fn dovecot_sends_awkward_messages_as_they_were_delivered() {
    let messages = corpus::octets(&corpus::storable());
    let dovecot = dovecot(&messages);
    let expected: Vec<_> = messages.iter().map(|message| ended(message)).collect();
    assert_eq!(
        bytes(retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD)),
        expected
    );
}

#[test]
fn dovecot_lists_two_octets_too_few_without_a_final_line_end() {
    let messages = [
        corpus::with_body(b"whole\r\n"),
        corpus::with_body(b"cut short"),
    ];
    let dovecot = dovecot(&messages);
    let truth = retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD);
    assert_eq!(truth[0].list_octets, truth[0].bytes.len() as u64);
    assert_eq!(truth[1].list_octets + 2, truth[1].bytes.len() as u64);
}

#[test]
fn dovecot_answers_fifty_pipelined_retrievals() {
    let dovecot = dovecot(&corpus::realistic(1, 50));
    let mut client = session(dovecot.port(), Dovecot::USER);
    assert_eq!(pipelined(&mut client, 50), 50);
}

#[test]
fn dovecot_offers_stls_only_with_a_certificate() {
    let dovecot = dovecot(&[]);
    let capabilities = ReferenceClient::connect(dovecot.port()).body("CAPA");
    let text = String::from_utf8(capabilities).expect("capabilities");
    for offered in ["TOP", "UIDL", "PIPELINING", "RESP-CODES"] {
        assert!(
            text.lines().any(|line| line == offered),
            "{offered} in {text}"
        );
    }
    assert!(!text.contains("STLS"), "{text}");
}

#[test]
fn dovecot_allows_a_second_session() {
    let dovecot = dovecot(&corpus::realistic(1, 1));
    let _first = session(dovecot.port(), Dovecot::USER);
    assert!(
        session(dovecot.port(), Dovecot::USER)
            .command("STAT")
            .starts_with("+OK 1 ")
    );
}

#[test]
fn dovecot_with_a_locked_maildrop_says_in_use() {
    let options = DovecotOptions {
        lock_session: true,
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&corpus::realistic(1, 1), &options);
    let _first = session(dovecot.port(), Dovecot::USER);
    let mut second = ReferenceClient::connect(dovecot.port());
    second.command("USER alice");
    let refusal = second.command("PASS secret");
    assert!(refusal.starts_with("-ERR [IN-USE]"), "{refusal}");
}

#[test]
fn dovecot_keeps_marked_messages_if_a_session_breaks() {
    let messages = corpus::realistic(1, 3);
    let dovecot = dovecot(&messages);
    let mut broken = session(dovecot.port(), Dovecot::USER);
    assert!(broken.command("DELE 2").starts_with("+OK"));
    drop(broken);
    let mut next = session(dovecot.port(), Dovecot::USER);
    assert!(next.command("STAT").starts_with("+OK 3 "));
    assert_eq!(dovecot.messages_left(), messages);
}

#[test]
fn dovecot_deletes_at_quit() {
    let messages = corpus::realistic(1, 3);
    let dovecot = dovecot(&messages);
    let mut client = session(dovecot.port(), Dovecot::USER);
    assert!(client.command("DELE 2").starts_with("+OK"));
    assert_eq!(dovecot.messages_left(), messages);
    assert!(client.command("QUIT").starts_with("+OK"));
    assert_eq!(
        dovecot.messages_left(),
        [messages[0].clone(), messages[2].clone()]
    );
}

#[test]
fn dovecot_refuses_the_second_dele() {
    let dovecot = dovecot(&corpus::realistic(1, 1));
    let mut client = session(dovecot.port(), Dovecot::USER);
    assert!(client.command("DELE 1").starts_with("+OK"));
    assert!(client.command("DELE 1").starts_with("-ERR"));
}

#[test]
fn dovecot_shows_new_mail_to_the_next_session_only() {
    let mut dovecot = dovecot(&corpus::realistic(1, 1));
    let mut before = session(dovecot.port(), Dovecot::USER);
    // Dovecot answers PASS before it reads the maildrop.
    assert!(before.command("STAT").starts_with("+OK 1 "));
    dovecot.deliver(&corpus::realistic(2, 1)[0]);
    assert!(before.command("STAT").starts_with("+OK 1 "));
    assert!(
        session(dovecot.port(), Dovecot::USER)
            .command("STAT")
            .starts_with("+OK 2 ")
    );
}

#[test]
fn dovecot_gives_equal_messages_in_an_mbox_one_unique_id() {
    let twin = corpus::with_body(b"we are two\r\n");
    let options = DovecotOptions {
        store: Store::MboxWithEqualUidls,
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(
        &[twin.clone(), corpus::with_body(b"other\r\n"), twin],
        &options,
    );
    let truth = retr_all(dovecot.port(), Dovecot::USER, Dovecot::PASSWORD);
    assert_eq!(truth.len(), 3);
    assert_eq!(truth[0].uidl, truth[2].uidl);
    assert_eq!(dovecot.messages_left().len(), 3);
}

#[test]
fn a_paused_dovecot_answers_once_it_is_resumed() {
    let dovecot = dovecot(&corpus::realistic(1, 1));
    let mut client = session(dovecot.port(), Dovecot::USER);
    dovecot.pause();
    client.send(b"STAT\r\n");
    dovecot.resume();
    assert!(
        client
            .read_status()
            .expect("an answer")
            .starts_with("+OK 1 ")
    );
}

#[test]
fn a_stopped_dovecot_closes_its_connections_and_keeps_its_mail() {
    let messages = corpus::realistic(1, 2);
    let mut dovecot = dovecot(&messages);
    let mut client = session(dovecot.port(), Dovecot::USER);
    dovecot.stop();
    assert_eq!(client.read_status(), None);
    assert_eq!(dovecot.messages_left(), messages);
}

/// What openssl, which trusts the test's authority, says about the certificate that Dovecot shows.
fn verification(certificate: Certificate) -> String {
    let options = DovecotOptions {
        tls: Some(certificate),
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&[], &options);
    let address = format!("127.0.0.1:{}", dovecot.tls_port());
    let authority = dovecot.ca_file().to_str().expect("a path in ASCII");
    stdout_of(&[
        "openssl",
        "s_client",
        "-connect",
        &address,
        "-CAfile",
        authority,
        "-verify_hostname",
        "localhost",
    ])
}

#[test]
fn openssl_accepts_the_good_certificate() {
    let said = verification(Certificate::Good);
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
}

#[test]
fn openssl_refuses_the_expired_certificate() {
    let said = verification(Certificate::Expired);
    assert!(said.contains("certificate has expired"), "{said}");
}

#[test]
fn openssl_refuses_the_certificate_that_is_not_yet_valid() {
    let said = verification(Certificate::NotYetValid);
    assert!(said.contains("certificate is not yet valid"), "{said}");
}

#[test]
fn openssl_refuses_the_certificate_of_another_host() {
    let said = verification(Certificate::WrongHost);
    assert!(said.contains("hostname mismatch"), "{said}");
}

#[test]
fn openssl_refuses_the_self_signed_certificate() {
    let said = verification(Certificate::SelfSigned);
    assert!(said.contains("self-signed certificate"), "{said}");
}

#[test]
fn dovecot_offers_stls_on_the_plain_port() {
    let options = DovecotOptions {
        tls: Some(Certificate::Good),
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&[], &options);
    let mut client = ReferenceClient::connect(dovecot.port());
    assert!(client.command("STLS").starts_with("+OK"));
}

#[test]
fn mailutils_changes_its_sizes_when_uidl_runs() {
    let mailutils = mailutils(&corpus::realistic(1, 3));
    let mut client = session(mailutils.port(), Mailutils::USER);
    let before = client.listing("LIST");
    client.listing("UIDL");
    let after = client.listing("LIST");
    assert_ne!(before, after);
    for (number, octets) in after {
        let body = client.body(&format!("RETR {number}"));
        assert_eq!(octets, body.len().to_string().into_bytes());
    }
}

#[test]
fn mailutils_announces_expire_never_without_the_space() {
    let mailutils = mailutils(&[]);
    let capabilities = ReferenceClient::connect(mailutils.port()).body("CAPA");
    let text = String::from_utf8(capabilities).expect("capabilities");
    assert!(text.lines().any(|line| line == "EXPIRENEVER"), "{text}");
}

#[test]
fn mailutils_answers_fifty_pipelined_retrievals() {
    let mailutils = mailutils(&corpus::realistic(1, 50));
    let mut client = session(mailutils.port(), Mailutils::USER);
    assert_eq!(pipelined(&mut client, 50), 50);
}

#[test]
fn mailutils_says_in_use_to_a_second_session() {
    let mailutils = mailutils(&corpus::realistic(1, 1));
    let _first = session(mailutils.port(), Mailutils::USER);
    let mut second = ReferenceClient::connect(mailutils.port());
    second.command(&format!("USER {}", Mailutils::USER));
    let refusal = second.command("PASS secret");
    assert!(refusal.starts_with("-ERR [IN-USE]"), "{refusal}");
}

#[test]
fn mailutils_ends_an_idle_session_with_an_unsolicited_line() {
    let mailutils = Mailutils::start(&corpus::realistic(1, 1), MailutilsOptions { timeout: 1 });
    let mut client = session(mailutils.port(), Mailutils::USER);
    let unsolicited = client.read_status().expect("a line before the end");
    assert!(unsolicited.starts_with("-ERR"), "{unsolicited}");
    assert_eq!(client.read_status(), None);
}

#[test]
fn mailutils_accepts_the_second_dele() {
    let mailutils = mailutils(&corpus::realistic(1, 1));
    let mut client = session(mailutils.port(), Mailutils::USER);
    assert!(client.command("DELE 1").starts_with("+OK"));
    assert!(client.command("DELE 1").starts_with("+OK"));
}

#[test]
fn mailutils_keeps_marked_messages_if_a_session_breaks() {
    let mailutils = mailutils(&corpus::realistic(1, 3));
    let mut broken = session(mailutils.port(), Mailutils::USER);
    assert!(broken.command("DELE 2").starts_with("+OK"));
    drop(broken);
    assert_eq!(mailutils.messages_left().len(), 3);
}

#[test]
fn mailutils_deletes_at_quit() {
    let mut mailutils = mailutils(&corpus::realistic(1, 2));
    let mut client = session(mailutils.port(), Mailutils::USER);
    assert!(client.command("DELE 1").starts_with("+OK"));
    assert!(client.command("QUIT").starts_with("+OK"));
    assert_eq!(mailutils.messages_left().len(), 1);
    mailutils.deliver(&corpus::realistic(2, 1)[0]);
    assert_eq!(
        retr_all(mailutils.port(), Mailutils::USER, Mailutils::PASSWORD).len(),
        2
    );
}

#[test]
fn mpopd_lists_one_octet_too_few_for_every_line() {
    let mpopd = Mpopd::start(&corpus::realistic(1, 3));
    for message in retr_all(mpopd.port(), Mpopd::USER, Mpopd::PASSWORD) {
        assert_eq!(
            message.list_octets + lf_count(&message.bytes),
            message.bytes.len() as u64
        );
    }
}

#[test]
fn mpopd_has_neither_top_nor_pipelining() {
    let mpopd = Mpopd::start(&corpus::realistic(1, 2));
    let mut client = session(mpopd.port(), Mpopd::USER);
    let capabilities = client.body("CAPA");
    assert_eq!(
        String::from_utf8(capabilities).expect("capabilities"),
        "USER\r\nUIDL\r\n"
    );
    assert!(client.command("TOP 1 0").starts_with("-ERR"));
    client.send(b"NOOP\r\nNOOP\r\nNOOP\r\n");
    assert_eq!(client.read_status(), None);
}

#[test]
fn mpopd_refuses_a_second_session() {
    let mpopd = Mpopd::start(&corpus::realistic(1, 1));
    let _first = session(mpopd.port(), Mpopd::USER);
    let mut second = ReferenceClient::connect(mpopd.port());
    second.command(&format!("USER {}", Mpopd::USER));
    let refusal = second.command("PASS secret");
    assert!(refusal.starts_with("-ERR"), "{refusal}");
}

#[test]
fn mpopd_deletes_at_quit_and_not_when_a_session_breaks() {
    let messages = corpus::realistic(1, 2);
    let mpopd = Mpopd::start(&messages);
    let mut broken = session(mpopd.port(), Mpopd::USER);
    assert!(broken.command("DELE 1").starts_with("+OK"));
    drop(broken);
    assert_eq!(mpopd.messages_left(), messages);
}

#[test]
fn the_liar_sends_every_awkward_message_as_given() {
    let messages = corpus::octets(&corpus::awkward());
    let liar = Liar::start(&messages);
    for chunk_size in [1 << 20, 1000] {
        liar.set_chunk_size(chunk_size);
        for (truth, message) in retr_all(liar.port(), Liar::USER, Liar::PASSWORD)
            .iter()
            .zip(&messages)
        {
            let expected = if message.is_empty() {
                Vec::new()
            } else {
                ended(message)
            };
            assert_eq!(truth.bytes, expected);
            assert_eq!(truth.list_octets, expected.len() as u64);
        }
    }
    assert_eq!(liar.count("RETR"), 2 * messages.len());
}

#[test]
fn the_liar_lies_about_sizes_and_unique_ids() {
    let liar = Liar::start(&corpus::realistic(1, 2));
    liar.set_list_offset(1, -5);
    liar.set_list_offset(2, 700);
    liar.set_uidl(2, b"../\xff b");
    let truth = retr_all(liar.port(), Liar::USER, Liar::PASSWORD);
    assert_eq!(truth[0].list_octets + 5, truth[0].bytes.len() as u64);
    assert_eq!(truth[1].list_octets, truth[1].bytes.len() as u64 + 700);
    assert_eq!(truth[1].uidl, b"../\xff b");
}

#[test]
fn the_liar_deletes_at_quit_and_not_before() {
    let liar = Liar::start(&corpus::realistic(1, 3));
    let mut broken = session(liar.port(), Liar::USER);
    broken.command("DELE 1");
    drop(broken);
    liar.server().wait_until_idle();
    assert_eq!(liar.left_serials(), [1, 2, 3]);
    let mut client = session(liar.port(), Liar::USER);
    client.command("DELE 2");
    assert!(client.command("RETR 2").starts_with("-ERR"));
    client.command("QUIT");
    assert_eq!(liar.left_serials(), [1, 3]);
    assert_eq!(liar.count("DELE"), 2);
    assert_eq!(liar.commands()[2].connection, 1);
}

#[test]
fn the_liar_can_delete_without_a_reply() {
    let liar = Liar::start(&corpus::realistic(1, 2));
    liar.after("QUIT", Reply::Close);
    let mut client = session(liar.port(), Liar::USER);
    client.command("DELE 1");
    client.send(b"QUIT\r\n");
    assert_eq!(client.read_status(), None);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn the_liar_sends_set_replies_once_or_always() {
    let liar = Liar::start(&corpus::realistic(1, 2));
    liar.once("retr 1", Reply::Err("not today"));
    liar.on("NOOP", Reply::Raw(b"+ERR\r\n".to_vec()));
    let mut client = session(liar.port(), Liar::USER);
    assert_eq!(client.command("RETR 1"), "-ERR not today");
    client.body("RETR 1");
    assert_eq!(client.command("NOOP"), "+ERR");
    assert_eq!(client.command("NOOP"), "+ERR");
    liar.behave("NOOP");
    assert_eq!(client.command("NOOP"), "+OK");
}

#[test]
fn the_liar_cuts_a_body_once() {
    let message = corpus::large(100_000);
    let liar = Liar::start(std::slice::from_ref(&message));
    liar.fault_retr(1, RetrFault::Close { after: 50_000 });
    let mut cut = session(liar.port(), Liar::USER);
    assert!(cut.command("RETR 1").starts_with("+OK"));
    let mut octets = 0;
    while let Some(line) = cut.read_status() {
        octets += line.len() + 2;
    }
    assert!(octets <= 50_000, "{octets} octets came");
    assert_eq!(session(liar.port(), Liar::USER).body("RETR 1"), message);
}

#[test]
fn the_liar_holds_a_body_until_the_gate_opens() {
    let message = corpus::large(1000);
    let liar = Liar::start(std::slice::from_ref(&message));
    let gate = Gate::new();
    liar.fault_retr(
        1,
        RetrFault::Hold {
            after: 10,
            gate: gate.clone(),
        },
    );
    let mut client = session(liar.port(), Liar::USER);
    client.send(b"RETR 1\r\n");
    liar.wait_for("RETR", 1);
    assert!(
        client
            .read_status()
            .expect("a status line")
            .starts_with("+OK")
    );
    gate.open();
    assert_eq!(client.read_body(), message);
}

#[test]
fn the_liar_locks_its_maildrop_until_the_session_ends() {
    let liar = Liar::start(&[]);
    liar.lock_maildrop();
    let mut first = session(liar.port(), Liar::USER);
    let mut second = ReferenceClient::connect(liar.port());
    second.command("USER alice");
    assert!(second.command("PASS secret").starts_with("-ERR [IN-USE]"));
    first.command("QUIT");
    second.log_in(Liar::USER, Liar::PASSWORD);
}

#[test]
fn the_liar_accepts_auth_plain_in_one_and_in_two_steps() {
    let liar = Liar::start(&[]);
    let mut client = ReferenceClient::connect(liar.port());
    assert!(
        client
            .command("AUTH PLAIN AGFsaWNlAHNlY3JldA==")
            .starts_with("+OK")
    );
    let mut client = ReferenceClient::connect(liar.port());
    assert_eq!(client.command("AUTH PLAIN"), "+");
    assert!(client.command("AGFsaWNlAHNlY3JldA==").starts_with("+OK"));
    let mut client = ReferenceClient::connect(liar.port());
    assert!(
        client
            .command("AUTH PLAIN AGFsaWNlAHdyb25n")
            .starts_with("-ERR [AUTH]")
    );
}

#[test]
fn the_liar_still_lists_what_another_client_removed() {
    let liar = Liar::start(&corpus::realistic(1, 2));
    let mut client = session(liar.port(), Liar::USER);
    liar.remove(1);
    liar.add(&corpus::realistic(2, 1)[0]);
    assert!(client.command("STAT").starts_with("+OK 2 "));
    assert!(client.command("RETR 1").starts_with("-ERR"));
    assert_eq!(liar.left_serials(), [2, 3]);
}

#[test]
fn the_liar_sends_as_many_lines_as_top_asks_for() {
    let liar = Liar::start(&[corpus::with_body(b"one\r\ntwo\r\n")]);
    let mut client = session(liar.port(), Liar::USER);
    assert!(client.body("TOP 1 0").ends_with(b"Subject: test\r\n\r\n"));
    assert!(client.body("TOP 1 1").ends_with(b"\r\n\r\none\r\n"));
}

#[test]
fn a_scripted_server_resets_and_counts_its_connections() {
    let server = Scripted::start(|peer| {
        peer.send(b"+OK\r\n")?;
        peer.read_line()?;
        peer.reset();
        Ok(())
    });
    for _ in 0..2 {
        let mut client = ReferenceClient::connect(server.port());
        client.send(b"NOOP\r\n");
        assert_eq!(client.read_status(), None);
    }
    server.wait_until_idle();
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_scripted_server_ends_while_its_handlers_still_wait() {
    let server = Scripted::start(|peer| {
        peer.send(b"+OK\r\n")?;
        peer.wait(&Gate::new())
    });
    let mut client = ReferenceClient::connect(server.port());
    drop(server);
    assert_eq!(client.read_status(), None);
}

#[test]
#[should_panic(expected = "a broken script")]
fn a_panic_in_a_script_fails_the_test() {
    let server = Scripted::start(|peer| {
        peer.send(b"+OK\r\n")?;
        panic!("a broken script");
    });
    ReferenceClient::connect(server.port());
    drop(server);
}

#[test]
#[should_panic(expected = "did not end within")]
fn a_command_that_hangs_is_killed() {
    let limit = std::time::Duration::from_millis(50);
    common::output_within(limit, std::process::Command::new("sleep").arg("1000"));
}

#[test]
fn realistic_messages_are_the_same_every_time_and_all_different() {
    let messages = corpus::realistic(7, 100);
    assert_eq!(messages, corpus::realistic(7, 100));
    let different: std::collections::BTreeSet<_> = messages.iter().collect();
    assert_eq!(different.len(), 100);
    let first = String::from_utf8(corpus::realistic_message(7, 31).octets).expect("UTF-8");
    assert!(
        first.contains("for <user@example.net>; 2 Jan 2024 07:00:00 +0000"),
        "{first}"
    );
}
