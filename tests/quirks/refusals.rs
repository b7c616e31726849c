//! A server that refuses the login: what the user is told, and whether and when pop3fs tries again.

use nix::errno::Errno;

use pop3fs::cli::Failure;

use crate::common::{
    Dovecot, DovecotOptions, Liar, Mailutils, MailutilsOptions, Mount, MountBuilder, Mpopd,
    ReferenceClient, Reply, assert_failed, corpus, stderr, stdout,
};
use crate::{
    assert_fails, assert_reads, assert_says, eventually_reads, listed, mounted, refusal, remove,
    sentence, umount,
};

fn liar(count: usize) -> Liar {
    Liar::start(&corpus::realistic(32, count))
}

#[test]
fn a_refused_login_is_explained_by_response_code_or_words() {
    for (refused, told) in [
        ("[IN-USE] another session", "the maildrop is busy"),
        ("maildrop already locked", "the maildrop is busy"),
        ("Mailbox in use", "the maildrop is busy"),
        ("cannot access mailbox", "the maildrop is busy"),
        ("[LOGIN-DELAY] wait", "wants more time between two logins"),
        ("[SYS/TEMP] disk", "a passing fault of its own"),
        // nginx, perdition, Courier, InterMail
        ("internal server error", "a passing fault of its own"),
        (
            "failed: Could not connect to server",
            "a passing fault of its own",
        ),
        (
            "Temporary problem, please try again later",
            "a passing fault of its own",
        ),
        (
            "Services unavailable, wait a few minutes",
            "a passing fault of its own",
        ),
        (
            "Exceeded the login limit for a 15 minute period",
            "a passing fault of its own",
        ),
        // solid-pop3d and Courier, if they cannot read the maildrop
        ("mailbox is damaged", "a passing fault of its own"),
        (
            "Maildir invalid (no 'cur' directory)",
            "a passing fault of its own",
        ),
        (
            "Too many failed logins, try again later",
            "check the user name",
        ),
        ("[SYS/PERM] no maildrop", "ask its administrator"),
        ("[AUTH] maildrop locked", "check the user name"),
        ("your account is locked", "check the user name"),
        ("no", "check the user name"),
        // popa3d, if it cannot read the maildrop
        ("", "refused the login (no reason given)"),
    ] {
        let liar = liar(1);
        liar.on("PASS", Reply::Err(refused));
        assert_says(&refusal(&liar, &[]), &[told, refused]);
        assert_eq!(liar.count("PASS"), 1, "{refused}");
    }
}

/// What pop3fs says when it cannot mount because another session holds the maildrop.
fn refusal_while_held(port: u16, user: &str, source: &str) -> String {
    let mut other = ReferenceClient::connect(port);
    other.log_in(user, "secret");
    // Dovecot answers PASS before it locks the maildrop.
    assert!(other.command("STAT").starts_with("+OK"));
    sentence(&MountBuilder::new(source).option("tls=off").refused())
}

#[test]
fn mailutils_and_others_report_a_locked_maildrop_as_busy() {
    let messages = corpus::realistic(32, 2);
    let locked = DovecotOptions {
        lock_session: true,
        ..DovecotOptions::default()
    };
    let server = Dovecot::start(&messages, &locked);
    let said = refusal_while_held(server.port(), Dovecot::USER, &server.source());
    assert_says(&said, &["the maildrop is busy"]);
    let server = Mailutils::start(&messages, MailutilsOptions::default());
    let said = refusal_while_held(server.port(), Mailutils::USER, &server.source());
    assert_says(&said, &["the maildrop is busy"]);
    let server = Mpopd::start(&messages);
    let said = refusal_while_held(server.port(), Mpopd::USER, &server.source());
    assert_says(&said, &["the maildrop is busy"]);
}

#[test]
fn a_refusal_in_the_greeting_is_not_a_wrong_password() {
    let liar = liar(1);
    liar.set_greeting(b"-ERR too many connections\r\n");
    let said = refusal(&liar, &[]);
    assert_says(
        &said,
        &["127.0.0.1 port", "too many connections", "try again"],
    );
    assert!(!said.contains("password"), "{said}");
}

#[test]
fn a_maildrop_locked_after_the_login_is_not_a_wrong_password() {
    let liar = liar(1);
    liar.on("STAT", Reply::Err("maildrop is locked"));
    assert_says(&refusal(&liar, &[]), &["the maildrop is busy"]);
    liar.behave("STAT");
    liar.on("STAT", Reply::Err("what?"));
    assert_says(&refusal(&liar, &[]), &["refused STAT (what?)"]);
}

#[test]
fn a_temporary_refusal_of_the_login_is_waited_out() {
    for refused in ["[SYS/TEMP] later", "mailbox in use", "[LOGIN-DELAY] later"] {
        let liar = liar(2);
        let mount = mounted(&liar, &[]);
        liar.once("PASS", Reply::Err(refused));
        liar.server().cut_all();
        assert_reads(&mount, "liar-1.eml", &liar.left()[0]);
        assert_eq!(liar.count("PASS"), 3, "{refused}");
    }
}

#[test]
fn a_lasting_refusal_that_may_pass_gives_ebusy() {
    let liar = liar(2);
    let mount = mounted(&liar, &["timeout=2s"]);
    liar.on("PASS", Reply::Err("internal server error"));
    liar.server().cut_all();
    assert_fails(&mount, "liar-1.eml", Errno::EBUSY);
    liar.behave("PASS");
    eventually_reads(&mount, "liar-1.eml", &liar.left()[0]);
}

#[test]
fn a_message_that_is_refused_for_now_gives_ebusy() {
    let liar = liar(3);
    let mount = mounted(&liar, &[]);
    liar.on("RETR 1", Reply::Err("[SYS/TEMP] download limit"));
    liar.on(
        "RETR 2",
        Reply::Err("Download exceeds the limit, try tomorrow"),
    );
    assert_fails(&mount, "liar-1.eml", Errno::EBUSY);
    assert_fails(&mount, "liar-2.eml", Errno::EBUSY);
    assert_reads(&mount, "liar-3.eml", &liar.left()[2]);
    assert_eq!(liar.count("PASS"), 1);
}

/// What `pop3fs status` says of the session.
fn session(mount: &Mount) -> String {
    let shown = stdout(&mount.subcommand(&["status", mount.arg()]));
    let line = shown.lines().find(|line| line.starts_with("session"));
    line.expect("a line about the session").to_owned()
}

#[test]
fn a_login_that_worked_before_is_never_refused_for_good() {
    let liar = liar(2);
    let mount = mounted(&liar, &[]);
    liar.on("PASS", Reply::Err("Logon failure"));
    liar.server().cut_all();
    for _ in 0..3 {
        assert_fails(&mount, "liar-1.eml", Errno::EACCES);
    }
    assert_eq!(liar.count("PASS"), 2);
    assert_says(
        &session(&mount),
        &["Logon failure", "tried again", "the next attempt is in"],
    );
}

/// Replies to a wrong password that are not -ERR.
fn odd_refusals() -> [Reply; 3] {
    let warning = b"warning: authorization failed (wrong password)\r\n-ERR no\r\n";
    [
        Reply::Close,
        Reply::Reset,
        Reply::RawThenClose(warning.to_vec()),
    ]
}

#[test]
fn a_password_that_is_not_answered_is_sent_twice_at_most() {
    for reply in odd_refusals() {
        let liar = liar(1);
        liar.on("PASS", reply);
        let refused = MountBuilder::new(&liar.source())
            .option("tls=off")
            .refused();
        assert_failed(&refused, Failure::LoginRefused);
        assert_says(
            &sentence(&refused),
            &[
                "it may be a refusal",
                "check the user name and the password",
            ],
        );
        assert_eq!(liar.count("PASS"), 2);
    }
}

#[test]
fn a_cut_at_the_password_while_mounting_is_tried_again() {
    let liar = liar(1);
    liar.once("PASS", Reply::Close);
    let mount = mounted(&liar, &[]);
    assert_reads(&mount, "liar-1.eml", &liar.left()[0]);
}

#[test]
fn a_password_that_worked_and_is_not_answered_is_sent_slowly() {
    for reply in odd_refusals() {
        let liar = liar(2);
        let mount = mounted(&liar, &[]);
        liar.on("PASS", reply);
        liar.server().cut_all();
        for _ in 0..3 {
            assert_fails(&mount, "liar-1.eml", Errno::EACCES);
        }
        assert_eq!(liar.count("PASS"), 3);
        assert_says(&session(&mount), &["it may be a refusal", "tried again"]);
    }
}

#[test]
fn a_commit_waits_until_another_session_ends() {
    let liar = liar(3);
    let mut mount = mounted(&liar, &[]);
    remove(&mount, "liar-2.eml");
    liar.server().cut_all();
    for refused in ["[IN-USE] another session", "maildrop already locked"] {
        liar.once("PASS", Reply::Err(refused));
    }
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!((liar.left_serials(), liar.count("PASS")), (vec![1, 3], 4));
}

#[test]
fn an_unanswered_commit_is_checked_once_the_old_session_ends() {
    let liar = liar(3);
    liar.after("QUIT", Reply::Close);
    let mut mount = mounted(&liar, &[]);
    remove(&mount, "liar-2.eml");
    liar.once("PASS", Reply::Err("[IN-USE] the old session"));
    let (code, said) = umount(&mut mount);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "1 message deleted on the server\n")
    );
    assert_eq!((liar.left_serials(), liar.count("PASS")), (vec![1, 3], 3));
}

#[test]
fn a_permanent_refusal_is_not_tried_again() {
    let liar = liar(2);
    let mut mount = mounted(&liar, &[]);
    liar.on("PASS", Reply::Err("[SYS/PERM] moved away"));
    liar.server().cut_all();
    for _ in 0..3 {
        assert_fails(&mount, "liar-1.eml", Errno::EIO);
    }
    remove(&mount, "liar-2.eml");
    let (code, said) = umount(&mut mount);
    assert_eq!(code, Some(Failure::Uncommitted.status().into()));
    assert_says(&said, &["moved away"]);
    assert_eq!(liar.count("PASS"), 2);
}

#[test]
fn no_login_is_sooner_than_the_server_allows() {
    let liar = liar(3);
    liar.set_login_delay(2);
    let mut mount = mounted(&liar, &["refresh=1s"]);
    let messages = liar.left();
    liar.server().cut_all();
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    remove(&mount, "liar-2.eml");
    liar.server().cut_all();
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!(liar.left_serials(), [1, 3]);
    assert_eq!(liar.logins_too_soon(), 0);
}

#[test]
fn a_commit_waits_for_a_login_delay_of_several_timeouts() {
    let liar = liar(3);
    liar.set_login_delay(2);
    let mut mount = mounted(&liar, &["timeout=1s"]);
    remove(&mount, "liar-2.eml");
    liar.server().cut_all();
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_eq!(
        (liar.left_serials(), liar.logins_too_soon()),
        (vec![1, 3], 0)
    );
}

#[test]
fn umount_is_refused_while_a_long_login_delay_forbids_to_delete() {
    let liar = liar(3);
    liar.set_login_delay(900);
    let mut mount = mounted(&liar, &["timeout=1s"]);
    remove(&mount, "liar-1.eml");
    let commit = mount.subcommand(&["commit", mount.arg()]);
    assert!(commit.status.success(), "{commit:?}");
    remove(&mount, "liar-2.eml");
    let refused = mount.umount();
    assert_failed(&refused, Failure::HeldBack);
    assert_says(
        &stderr(&refused),
        &["LOGIN-DELAY", "still mounted", "--discard"],
    );
    assert_eq!(listed(&mount), ["liar-3.eml"]);
    let discarded = mount.subcommand(&["umount", "--discard", mount.arg()]);
    assert!(discarded.status.success(), "{discarded:?}");
    mount.wait();
    assert_eq!(
        (liar.left_serials(), liar.logins_too_soon()),
        (vec![2, 3], 0)
    );
}

#[test]
fn a_mount_that_may_not_log_in_yet_says_for_how_long() {
    let liar = liar(1);
    liar.set_login_delay(900);
    let mut mount = mounted(&liar, &[]);
    assert_eq!(umount(&mut mount).0, Some(0));
    assert_says(&refusal(&liar, &[]), &["LOGIN-DELAY", " s more"]);
}

#[test]
fn a_mount_that_somebody_watches_waits_until_it_may_log_in() {
    let liar = liar(1);
    liar.set_login_delay(2);
    let mut mount = mounted(&liar, &[]);
    assert_eq!(umount(&mut mount).0, Some(0));
    let socket = tempfile::tempdir().expect("a folder");
    let path = socket.path().join("notify");
    let _manager = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    let mount = MountBuilder::new(&liar.source())
        .option("tls=off")
        .environment("NOTIFY_SOCKET", &path.to_string_lossy())
        .mount();
    assert_eq!(listed(&mount), ["liar-1.eml"]);
}

#[test]
fn a_long_login_delay_fails_the_reader_at_once() {
    let liar = liar(2);
    liar.set_login_delay(900);
    let mount = mounted(&liar, &["idle_timeout=1s", "refresh=1s"]);
    let messages = liar.left();
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    liar.server().cut_all();
    assert_fails(&mount, "liar-2.eml", Errno::EBUSY);
    assert_reads(&mount, "liar-1.eml", &messages[0]);
    assert_eq!(listed(&mount).len(), 2);
    assert_eq!((liar.count("PASS"), liar.logins_too_soon()), (1, 0));
}
