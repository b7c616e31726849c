//! Which mechanism pop3fs chooses, and what it says if none is possible.

use crate::guard::{Guard, Visitor};
use crate::{assert_says, in_the_clear, refusal};
use std::io;

fn refuse(visitor: &mut Visitor<'_>, _: &str) -> io::Result<()> {
    visitor.say("-ERR [AUTH] no")
}

fn admit(visitor: &mut Visitor<'_>, _: &str) -> io::Result<()> {
    visitor.say("+OK welcome")
}

#[test]
fn a_mechanism_that_is_not_offered_is_not_tried() {
    let guard = Guard::start(&["USER", "SASL PLAIN LOGIN"], admit);
    let said = refusal(in_the_clear(&guard.source(), "scram-sha-256"));
    assert_says(
        &said,
        &[
            "does not offer SCRAM-SHA-256",
            "USER, PLAIN, LOGIN",
            "-o auth=auto",
        ],
    );
    assert_eq!(guard.count("AUTH"), 0);
}

#[test]
fn auto_never_sends_a_password_as_a_token() {
    let guard = Guard::start(&["SASL XOAUTH2 OAUTHBEARER"], admit);
    let said = refusal(in_the_clear(&guard.source(), "auto"));
    assert_says(&said, &["only XOAUTH2, OAUTHBEARER", "-o auth="]);
    assert_eq!((guard.count("AUTH"), guard.count("USER")), (0, 0));
}

#[test]
fn without_sasl_in_capa_auth_has_no_initial_response() {
    for capabilities in [&[][..], &["UIDL"]] {
        let guard = Guard::start(capabilities, |visitor, _| {
            visitor.challenge("")?;
            let response = visitor.hear_response()?;
            assert_eq!(response, "\0alice\0secret");
            visitor.say("+OK welcome")
        });
        let _mount = in_the_clear(&guard.source(), "plain").mount();
        assert_eq!(guard.lines_with("AUTH"), ["AUTH PLAIN"]);
    }
}

#[test]
fn a_request_in_plain_words_is_answered_like_an_empty_one() {
    for (mechanism, told) in [
        ("plain", "\0alice\0secret"),
        ("xoauth2", "auth=Bearer secret"),
    ] {
        let guard = Guard::start(&["UIDL"], move |visitor, _| {
            visitor.say("+ go ahead")?;
            assert_says(&visitor.hear_response()?, &[told]);
            visitor.say("+OK welcome")
        });
        let _mount = in_the_clear(&guard.source(), mechanism).mount();
        assert_eq!(guard.count("AUTH"), 1);
    }
}

#[test]
fn an_unknown_mechanism_is_not_a_wrong_password() {
    let guard = Guard::start(&[], |visitor, _| visitor.say("-ERR unknown command"));
    let said = refusal(in_the_clear(&guard.source(), "cram-md5"));
    assert_says(
        &said,
        &["refuses AUTH CRAM-MD5", "unknown command", "-o auth="],
    );
}

#[test]
fn the_initial_response_is_sent_with_auth() {
    let guard = Guard::start(&["SASL PLAIN"], admit);
    let _mount = in_the_clear(&guard.source(), "plain").mount();
    assert_eq!(
        guard.lines_with("AUTH"),
        ["AUTH PLAIN AGFsaWNlAHNlY3JldA=="]
    );
}

#[test]
fn a_long_initial_response_waits_for_the_challenge() {
    let password = "x".repeat(300);
    let guard = Guard::start(&["SASL PLAIN"], |visitor, _| {
        visitor.say("+ ")?;
        let response = visitor.hear_response()?;
        assert_eq!(response.len(), "\0alice\0".len() + 300);
        visitor.say("+OK welcome")
    });
    let _mount = in_the_clear(&guard.source(), "plain")
        .password(Some(&password))
        .mount();
    assert_eq!(guard.lines_with("AUTH"), ["AUTH PLAIN"]);
}

#[test]
fn a_refused_password_is_sent_once() {
    for (mechanism, command) in [
        ("user", "USER"),
        ("apop", "APOP"),
        ("plain", "AUTH"),
        ("scram-sha-1", "AUTH"),
        ("scram-sha-256", "AUTH"),
        ("auto", "AUTH"),
    ] {
        let guard = Guard::start(&["USER", "SASL PLAIN SCRAM-SHA-1 SCRAM-SHA-256"], refuse);
        let said = refusal(in_the_clear(&guard.source(), mechanism));
        assert_says(&said, &["refused the login", "[AUTH] no"]);
        assert_eq!(guard.count(command), 1, "{mechanism}");
    }
}

#[test]
fn apop_digests_the_timestamp_of_the_greeting() {
    let guard = Guard::start(&["UIDL"], admit);
    let builder = in_the_clear(&guard.source(), "apop").password(Some("tanstaaf"));
    let _mount = builder.mount();
    assert_eq!(
        guard.lines_with("APOP"),
        ["APOP alice c4c9334bac560ecc979e58001b3e22fb"]
    );
}

#[test]
fn a_fault_of_the_server_is_not_a_wrong_password() {
    for (line, meaning) in [
        ("-ERR [IN-USE] another session", "busy"),
        ("-ERR [LOGIN-DELAY] wait", "more time between two logins"),
        ("-ERR [SYS/TEMP] no disk", "a passing fault"),
        ("-ERR [SYS/PERM] no disk", "permanent fault"),
    ] {
        let guard = Guard::start(&["SASL SCRAM-SHA-256 XOAUTH2"], move |visitor, _| {
            visitor.say(line)
        });
        for mechanism in ["scram-sha-256", "xoauth2"] {
            assert_says(
                &refusal(in_the_clear(&guard.source(), mechanism)),
                &[meaning],
            );
        }
    }
}

#[test]
fn a_challenge_that_is_not_base64_ends_the_exchange() {
    for mechanism in ["cram-md5", "login", "plain", "scram-sha-256", "xoauth2"] {
        let guard = Guard::start(
            &["SASL LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 XOAUTH2"],
            |visitor, _| {
                visitor.say("+ not*base64")?;
                assert_eq!(visitor.hear()?, "*");
                visitor.say("-ERR cancelled")
            },
        );
        let said = refusal(in_the_clear(&guard.source(), mechanism));
        assert_says(&said, &["AUTH", "is wrong", "not base64"]);
        assert_eq!(guard.count("*"), 1, "{mechanism}");
    }
}

/// The secret is sent with and without base64, in the command and in the answer to a challenge.
#[test]
fn a_reply_that_repeats_the_secret_is_not_shown() {
    for (mechanism, capability) in [
        ("user", "USER"),
        ("plain", "SASL PLAIN"),
        ("login", "SASL LOGIN"),
        ("xoauth2", "SASL XOAUTH2"),
    ] {
        let guard = Guard::start(
            Vec::leak(vec![capability]),
            move |visitor, line| match mechanism {
                "user" => {
                    visitor.say("+OK")?;
                    let line = visitor.hear()?;
                    visitor.say(&format!("-ERR unknown command {line:?}"))
                }
                "login" => {
                    visitor.challenge("Username:")?;
                    visitor.hear()?;
                    visitor.challenge("Password:")?;
                    let line = visitor.hear()?;
                    visitor.say(&format!("-ERR unknown command {line:?}"))
                }
                _ => visitor.say(&format!("-ERR unknown command {line:?}")),
            },
        );
        let said = refusal(in_the_clear(&guard.source(), mechanism));
        assert_says(&said, &["refused the", "its words repeat the secret"]);
        assert!(!said.contains("unknown command"), "{said}");
    }
}

/// Where a server repeats a line outside of its reply.
#[derive(Clone, Copy, Debug)]
enum Echo {
    /// Neither +OK nor -ERR.
    InsteadOfAStatus,
    /// An unsolicited line in the same packet as +OK.
    BehindTheStatus,
    /// An unsolicited line in place of the reply to the next command.
    InsteadOfTheNextStatus,
    /// A line so long that pop3fs shows only its start, which may end within the secret.
    InALineTooLong { before: usize },
}

impl Echo {
    fn say(self, visitor: &mut Visitor<'_>, line: &str) -> io::Result<()> {
        match self {
            Echo::InsteadOfAStatus => visitor.say(&format!("500 unknown command {line:?}")),
            Echo::BehindTheStatus => visitor.say(&format!("+OK\r\n{line}")),
            Echo::InsteadOfTheNextStatus => {
                visitor.say("+OK")?;
                visitor.hear()?;
                visitor.say(line)
            }
            Echo::InALineTooLong { before } => {
                let (before, behind) = ("-".repeat(before), "-".repeat(100_000));
                visitor.say(&format!("{before}{line}{behind}"))
            }
        }
    }
}

#[test]
fn a_secret_repeated_outside_a_reply_is_not_shown() {
    let echoes = [
        Echo::InsteadOfAStatus,
        Echo::BehindTheStatus,
        Echo::InsteadOfTheNextStatus,
        Echo::InALineTooLong { before: 0 },
        // pop3fs shows 200 octets of a server's line.
        Echo::InALineTooLong { before: 192 },
    ];
    // For AUTH PLAIN the secret is the base64 of `\0alice\0hunter2`.
    for (mechanism, capability, secret) in [
        ("user", "USER", "hunter2"),
        ("plain", "SASL PLAIN", "AGFsaWNlAGh1bnRlcjI="),
    ] {
        for echo in echoes {
            let guard =
                Guard::start(
                    Vec::leak(vec![capability]),
                    move |visitor, line| match mechanism {
                        "user" => {
                            visitor.say("+OK")?;
                            let line = visitor.hear()?;
                            echo.say(visitor, &line)
                        }
                        _ => echo.say(visitor, line),
                    },
                );
            let builder = in_the_clear(&guard.source(), mechanism).password(Some("hunter2"));
            let output = builder.flag("-d").refused();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("C: CAPA"), "{said}");
            let shown = said.contains(secret) || said.contains(&secret[..secret.len() - 1]);
            assert!(!shown, "{mechanism}, {echo:?}: {said}");
        }
    }
}
