//! XOAUTH2 and OAUTHBEARER: tokens that are valid, refused, long or expired.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::common::{Dovecot, DovecotOptions, Mount, MountBuilder, corpus, eventually, token};
use crate::guard::{Guard, Visitor, decoded};
use crate::{NO_PENALTY, assert_says, count, in_the_clear, refusal};

const MECHANISMS: [&str; 2] = ["xoauth2", "oauthbearer"];

fn dovecot() -> Dovecot {
    let options = DovecotOptions {
        mechanisms: Dovecot::TOKEN_MECHANISMS,
        extra: NO_PENALTY.to_owned(),
        ..DovecotOptions::default()
    };
    Dovecot::start(&corpus::realistic(43, 2), &options)
}

/// A `password_command` that prints the first of these tokens on its first run, then the second,
/// and so on.
struct Provider(TempDir);

impl Provider {
    fn of(tokens: &[&str]) -> Provider {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("tokens"), tokens.join("\n") + "\n").expect("tokens");
        Provider(folder)
    }

    fn option(&self) -> String {
        let folder = self.0.path().display();
        format!("password_command=cd {folder}; echo run >>runs; sed -n \"$(wc -l <runs)p\" tokens")
    }

    fn runs(&self) -> usize {
        let runs = fs::read_to_string(self.0.path().join("runs"));
        runs.unwrap_or_default().lines().count()
    }
}

fn with_provider(source: &str, mechanism: &str, provider: &Provider) -> MountBuilder {
    in_the_clear(source, mechanism)
        .password(None)
        .option(&provider.option())
}

#[test]
fn a_token_opens_the_maildrop() {
    let dovecot = dovecot();
    let token = token::until(token::in_an_hour());
    for mechanism in MECHANISMS {
        let builder = in_the_clear(&dovecot.source(), mechanism).password(Some(&token));
        assert_eq!(count(&builder.mount()), 2, "{mechanism}");
    }
    let log = dovecot.log();
    assert!(log.contains("method=XOAUTH2,"), "{log}");
    assert!(log.contains("method=OAUTHBEARER,"), "{log}");
}

#[test]
fn a_token_of_more_than_4_kb_is_sent_in_two_steps() {
    let dovecot = dovecot();
    let token = token::longer_than(4096);
    for mechanism in MECHANISMS {
        let builder = in_the_clear(&dovecot.source(), mechanism).password(Some(&token));
        assert_eq!(count(&builder.mount()), 2, "{mechanism}");
    }
}

#[test]
fn a_refused_token_is_reported_with_reasons_and_not_shown() {
    let dovecot = dovecot();
    let expired = token::until(SystemTime::now() - Duration::from_secs(30));
    for (mechanism, status) in [("xoauth2", "401"), ("oauthbearer", "invalid_token")] {
        let builder = in_the_clear(&dovecot.source(), mechanism).password(Some(&expired));
        let said = refusal(builder);
        let reason = format!(r#""status":"{status}""#);
        assert_says(&said, &["refused the token", &reason]);
        assert!(!said.contains(&expired[..20]), "{said}");
    }
}

#[test]
fn an_expired_token_is_replaced_by_a_fresh_one() {
    let dovecot = dovecot();
    for mechanism in MECHANISMS {
        let expiry = SystemTime::now() + Duration::from_secs(4);
        let (short, long) = (token::until(expiry), token::until(token::in_an_hour()));
        let provider = Provider::of(&[&short, &long]);
        let builder = with_provider(&dovecot.source(), mechanism, &provider);
        let mount = builder
            .option("idle_timeout=1s")
            .option("cache=off")
            .mount();
        assert_eq!(provider.runs(), 1);
        eventually("the token to expire", || {
            (SystemTime::now() > expiry + Duration::from_secs(1)).then_some(())
        });
        read_all(&mount);
        assert_eq!(provider.runs(), 2, "{mechanism}");
    }
}

fn read_all(mount: &Mount) {
    for entry in fs::read_dir(mount.path()).expect("the root") {
        let path = entry.expect("an entry").path();
        assert!(!fs::read(&path).expect("a message").is_empty());
    }
}

/// A server that accepts this many logins and then says in JSON that the token has expired.
fn doorkeeper(times: usize) -> Guard {
    let seen = Arc::new(AtomicUsize::new(0));
    Guard::start(&["SASL XOAUTH2 OAUTHBEARER"], move |visitor, _| {
        if seen.fetch_add(1, Ordering::SeqCst) < times {
            return visitor.say("+OK welcome");
        }
        refuse_token(visitor)
    })
}

fn refuse_token(visitor: &mut Visitor<'_>) -> std::io::Result<()> {
    visitor.challenge("{\"status\":\"401\",\"schemes\":\"bearer\"}\x1b[2J")?;
    visitor.hear()?;
    visitor.say("-ERR [AUTH] no")
}

/// Reads the directory, which renews the listing, until the server has seen this many logins.
fn renew_listing(mount: &Mount, guard: &Guard, logins: usize) {
    eventually("another login", || {
        // Reading may fail: only the login attempt matters.
        let _ = fs::read_dir(mount.path()).map(Iterator::count);
        (guard.count("AUTH") >= logins).then_some(())
    });
}

#[test]
fn after_a_refused_fresh_token_no_other_is_fetched() {
    let guard = doorkeeper(1);
    let provider = Provider::of(&["one", "two", "three"]);
    let builder = with_provider(&guard.source(), "xoauth2", &provider);
    let mut mount = builder.option("refresh=1s").mount();
    renew_listing(&mount, &guard, 3);
    // The mount answers from the last listing, without another login.
    assert_eq!(count(&mount), 0);
    assert!(mount.umount().status.success());
    let log = mount.wait().stderr;
    assert!(log.contains("refused the token"), "{log}");
    assert!(
        log.contains(r#"{"status":"401","schemes":"bearer"}\x1b[2J"#),
        "{log}"
    );
    let tokens: Vec<String> = guard
        .lines_with("AUTH")
        .iter()
        .map(|line| token_in(line))
        .collect();
    assert_eq!(tokens, ["one", "one", "two"]);
    assert_eq!(provider.runs(), 2);
}

/// The token in an XOAUTH2 line.
fn token_in(line: &str) -> String {
    let response = decoded(line.rsplit(' ').next().unwrap_or_default());
    let (_, token) = response.split_once("Bearer ").expect("a token");
    token.trim_end_matches('\x01').to_owned()
}

#[test]
fn a_token_that_was_never_accepted_is_sent_once() {
    for (mechanism, answer) in [("xoauth2", ""), ("oauthbearer", "AQ==")] {
        let guard = Guard::start(&["SASL XOAUTH2 OAUTHBEARER"], move |visitor, _| {
            visitor.challenge(r#"{"status":"invalid_token"}"#)?;
            assert_eq!(visitor.hear()?, answer);
            visitor.say("-ERR no")
        });
        let provider = Provider::of(&["one", "two"]);
        let said = refusal(with_provider(&guard.source(), mechanism, &provider));
        assert_says(
            &said,
            &["refused the token", r#"{"status":"invalid_token"}"#],
        );
        assert_eq!((guard.count("AUTH"), provider.runs()), (1, 1));
    }
}

#[test]
fn a_password_from_a_command_is_fetched_once() {
    let logins = AtomicUsize::new(0);
    let guard = Guard::start(&["SASL PLAIN"], move |visitor, _| {
        match logins.fetch_add(1, Ordering::SeqCst) {
            0 => visitor.say("+OK welcome"),
            _ => visitor.say("-ERR [AUTH] changed"),
        }
    });
    let provider = Provider::of(&["one", "two"]);
    let builder = with_provider(&guard.source(), "plain", &provider);
    let mount = builder.option("refresh=1s").mount();
    renew_listing(&mount, &guard, 2);
    assert!(mount.umount().status.success());
    assert_eq!((guard.count("AUTH"), provider.runs()), (2, 1));
}

#[test]
fn an_err_greeting_does_not_count_as_a_refused_token() {
    let guard = doorkeeper(usize::MAX);
    let provider = Provider::of(&["one", "two"]);
    let builder = with_provider(&guard.source(), "xoauth2", &provider);
    let mut mount = builder.option("refresh=1s").mount();
    guard.greet("-ERR too many connections");
    eventually("a log that tells of it", || {
        // The listing cannot be renewed and stays as it was.
        assert_eq!(count(&mount), 0);
        mount
            .stderr()
            .contains("too many connections")
            .then_some(())
    });
    assert!(mount.umount().status.success());
    mount.wait();
    assert_eq!((guard.count("AUTH"), provider.runs()), (1, 1));
}

#[test]
fn a_token_file_is_read_again() {
    let guard = Guard::start(&["SASL XOAUTH2"], |visitor, line| {
        match token_in(line).as_str() {
            "two" => visitor.say("+OK welcome"),
            "one" if visitor.is_first() => visitor.say("+OK welcome"),
            _ => refuse_token(visitor),
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    write_private(&file, "one\n");
    let builder = in_the_clear(&guard.source(), "xoauth2").password(None);
    let option = format!("password_file={}", file.display());
    let mount = builder.option(&option).option("refresh=1s").mount();
    write_private(&file, "two\n");
    renew_listing(&mount, &guard, 3);
    let tokens: Vec<String> = guard
        .lines_with("AUTH")
        .iter()
        .map(|line| token_in(line))
        .collect();
    assert_eq!(tokens[..3], ["one", "one", "two"]);
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}
