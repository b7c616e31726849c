//! `pop3fs check`: what a server can do, and whether a mount would work.

use std::process::Output;

use pop3fs::cli::Failure;

use crate::common::{
    Certificate, Dovecot, DovecotOptions, Liar, Mpopd, Reply, corpus, output_within,
};
use crate::{Ground, LIMIT, assert_says, liar, sentence, stderr, stdout, without_a_reader};

/// Runs the check with the password `secret` in the environment.
fn check(arguments: &[&str]) -> Output {
    let ground = Ground::new();
    ground.pop3fs(&[&["check"], arguments].concat())
}

/// Checks a server with which a mount would work. Returns the report.
fn good(source: &str, options: &[&str]) -> String {
    let output = check(&[options, &[source]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = stdout(&output);
    assert!(shown.ends_with("A mount would work.\n"), "{shown}");
    shown
}

/// Checks a server with which a mount would not work. Returns the report.
fn bad(source: &str, options: &[&str]) -> String {
    let output = check(&[options, &[source]].concat());
    assert!(!output.status.success(), "{output:?}");
    let shown = stdout(&output);
    assert!(shown.ends_with("A mount would not work.\n"), "{shown}");
    shown
}

fn line<'a>(shown: &'a str, step: &str) -> &'a str {
    let line = shown
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(step));
    line.unwrap_or_else(|| panic!("no {step} in\n{shown}"))
}

#[test]
fn dovecot_in_clear() {
    let messages = corpus::realistic(41, 3);
    let dovecot = Dovecot::start(&messages, &DovecotOptions::default());
    let shown = good(&dovecot.source(), &["-o", "tls=off"]);
    for (step, parts) in [
        ("resolve", &["ok", "127.0.0.1"][..]),
        ("connect", &["ok", "127.0.0.1:"]),
        (
            "TLS",
            &[
                "warning",
                "none: anyone on the network can read the mail, and with most login methods the password",
            ],
        ),
        ("log-in", &["ok", "PLAIN"]),
        ("CAPA", &["ok", "UIDL", "PIPELINING"]),
        ("maildrop", &["ok", "3 messages"]),
        ("UIDL", &["ok"]),
        ("TOP", &["ok"]),
        ("RETR", &["ok"]),
        ("PIPELINING", &["ok  ", "works"]),
    ] {
        assert_says(line(&shown, step), parts);
    }
    assert_eq!(dovecot.messages_left(), messages);
}

#[test]
fn check_reports_the_tls_version_and_the_certificate() {
    let options = DovecotOptions {
        tls: Some(Certificate::Good),
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&corpus::realistic(42, 1), &options);
    let authority = format!("ca_file={}", dovecot.ca_file().display());
    let starttls = dovecot.source().replace("127.0.0.1", "localhost");
    for source in [dovecot.tls_source(), starttls] {
        let shown = good(&source, &["-o", &authority]);
        let parts = ["TLSv1.3", "localhost", "sha256:", ", valid for "];
        assert_says(line(&shown, "TLS"), &parts);
    }
    let shown = bad(&dovecot.tls_source(), &[]);
    assert_says(line(&shown, "connect"), &["FAILED", "not trusted"]);
    assert_says(line(&shown, "remedy"), &["-o ca_file=FILE", "-o tls_pin="]);
}

#[test]
fn a_host_without_an_address() {
    let shown = bad("pops://al@h.invalid", &[]);
    assert_says(
        line(&shown, "resolve"),
        &["FAILED", "h.invalid has no address"],
    );
}

#[test]
fn a_wrong_password() {
    let liar = liar(2);
    let source = liar.source().replace("alice", "bob");
    let shown = bad(&source, &["-o", "tls=off"]);
    assert_says(line(&shown, "connect"), &["ok"]);
    assert_says(line(&shown, "log-in"), &["FAILED", "refused the login"]);
    assert_eq!(liar.count("PASS"), 1);
}

#[test]
fn check_leaves_a_server_that_deletes_read_mail_without_quit() {
    let liar = liar(2);
    let capabilities = ["TOP", "UIDL", "USER", "EXPIRE 0"];
    liar.set_capabilities(Some(&capabilities));
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "EXPIRE"), &["warning", "without QUIT"]);
    assert_eq!(liar.count("RETR"), 1);
    assert_no_quit_behind_retr(&liar);
    assert_eq!(liar.left_serials(), [1, 2]);
}

#[test]
fn check_leaves_without_quit_where_capa_was_cut_off() {
    let liar = liar(2);
    liar.set_capabilities(Some(&["TOP", "UIDL", "USER", "EXPIRE 0"]));
    liar.once("CAPA", Reply::Close);
    good(&liar.source(), &["-o", "tls=off"]);
    assert_no_quit_behind_retr(&liar);
}

fn assert_no_quit_behind_retr(liar: &Liar) {
    let commands = liar.commands();
    let retr = commands
        .iter()
        .position(|command| command.line.starts_with("RETR"));
    let after = &commands[retr.expect("a RETR")..];
    assert!(
        after.iter().all(|command| command.line != "QUIT"),
        "{after:?}"
    );
}

#[test]
fn check_warns_of_sizes_that_are_only_a_hint() {
    let liar = liar(1);
    liar.set_list_offset(1, 55);
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "RETR"), &["warning", "where LIST says"]);
}

#[test]
fn check_compares_the_sizes_of_several_messages() {
    let liar = liar(9);
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "RETR"), &["right size for 5 of 5 messages"]);
    assert_eq!(liar.count("RETR"), 5);
    (1..=9).for_each(|serial| liar.set_list_offset(serial, 1));
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "RETR"), &["wrong size for 5 of 5 messages"]);
}

#[test]
fn check_accepts_a_server_without_top_and_pipelining() {
    let mpopd = Mpopd::start(&corpus::realistic(43, 2));
    let shown = good(&mpopd.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "TOP"), &["warning", "fetched for their dates"]);
    assert_says(line(&shown, "PIPELINING"), &["ok", "not offered"]);
    assert_eq!(mpopd.messages_left().len(), 2);
}

#[test]
fn check_finds_a_server_that_closes_on_pipelined_commands() {
    let liar = liar(1);
    liar.on("NOOP", Reply::Close);
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    let parts = [
        "warning",
        "three commands at once: ",
        ": mount with -o pipeline=off",
    ];
    assert_says(line(&shown, "PIPELINING"), &parts);
}

#[test]
fn check_says_what_it_left_out() {
    let liar = liar(2);
    let shown = good(&liar.source(), &["-o", "tls=off,pipeline=off"]);
    assert_says(line(&shown, "PIPELINING"), &["ok", "offered, and not used"]);
    liar.on("CAPA", Reply::Err("what"));
    liar.once("RETR", Reply::Err("not now"));
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    let announced = "the server does not announce its capabilities";
    assert_says(line(&shown, "CAPA"), &["ok", announced]);
    assert_says(line(&shown, "RETR"), &["warning", "refused for message "]);
    let large = Liar::start(&[[b"\r\n", &b"x".repeat(2000)[..], b"\r\n"].concat()]);
    let shown = good(&large.source(), &["-o", "tls=off,max_message=1K"]);
    let left_out = "no message is small enough to try TOP and RETR on";
    assert_says(line(&shown, "messages"), &["ok", left_out]);
}

#[test]
fn check_warns_of_a_certificate_that_only_a_pin_makes_good() {
    let options = DovecotOptions {
        tls: Some(Certificate::Expired),
        ..DovecotOptions::default()
    };
    let dovecot = Dovecot::start(&corpus::realistic(44, 1), &options);
    let pin = format!("tls_pin=sha256:{}", dovecot.identity().fingerprint());
    let shown = good(&dovecot.tls_source(), &["-o", &pin]);
    let parts = ["warning", " ago, and is accepted only because it is pinned"];
    assert_says(line(&shown, "TLS"), &parts);
}

#[test]
fn check_accepts_a_server_without_uidl_and_pipelining() {
    let liar = liar(5);
    liar.on("UIDL", Reply::Err("unknown command"));
    liar.refuse_pipelining();
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "maildrop"), &["5 messages"]);
    let identified = "the server has none: messages are identified by their headers, which each session fetches again";
    assert_says(line(&shown, "UIDL"), &["warning", identified]);
    assert_says(line(&shown, "PIPELINING"), &["warning", "pipeline=off"]);
}

#[test]
fn check_refuses_a_server_with_neither_uidl_nor_top() {
    let liar = liar(2);
    liar.set_capabilities(Some(&["USER"]));
    liar.on("UIDL", Reply::Err("what"));
    liar.on("TOP", Reply::Err("what"));
    let shown = bad(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "listing"), &["FAILED", "neither UIDL nor TOP"]);
}

#[test]
fn an_empty_maildrop() {
    let liar = Liar::start(&[]);
    let shown = good(&liar.source(), &["-o", "tls=off"]);
    assert_says(line(&shown, "maildrop"), &["0 messages"]);
    liar.on("UIDL", Reply::Err("nothing to list"));
    let refusing = good(&liar.source(), &["-o", "tls=off"]);
    let words = "refused, as some servers do while the maildrop is empty";
    assert_says(line(&refusing, "UIDL"), &["ok", words]);
    assert_eq!((liar.count("RETR"), liar.count("TOP")), (0, 0));
}

#[test]
fn a_missing_password_is_explained() {
    let ground = Ground::new();
    let mut command = ground.0.at_home(std::process::Command::new("setsid"));
    command.args(["--wait", crate::PROGRAM, "check", "pops://al@h.invalid"]);
    let output = output_within(LIMIT, &mut command);
    assert_says(&sentence(&output), &["no password"]);
}

#[test]
fn check_leaves_a_server_whose_message_never_ends() {
    let liar = liar(2);
    liar.on(
        "RETR",
        Reply::Endless(b"+OK\r\n".to_vec(), b"again and again\r\n".to_vec()),
    );
    let shown = bad(&liar.source(), &["-o", "tls=off,max_message=1M"]);
    assert_says(line(&shown, "RETR"), &["larger than max_message"]);
}

#[test]
fn a_report_cut_off_by_its_reader_keeps_its_status() {
    let liar = liar(2);
    for (source, status) in [
        (liar.source(), 0),
        (
            liar.source().replace("alice", "bob"),
            Failure::LoginRefused.status(),
        ),
    ] {
        let ground = Ground::new();
        let arguments = ["check", "-o", "tls=off", &source];
        let output = output_within(LIMIT, &mut without_a_reader(&ground, &arguments));
        assert_eq!(output.status.code(), Some(status.into()), "{output:?}");
        assert_eq!(stderr(&output), "");
    }
}
