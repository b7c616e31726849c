//! SOURCE: an account that can be written and read again, or a refusal that does not tell a password.

use pop3fs::cli::account::source::{Source, SourceError};
use pop3fs::cli::options::TlsPolicy;

pub fn check(octets: &[u8]) {
    let Ok(url) = str::from_utf8(octets) else {
        return;
    };
    match url.parse::<Source>() {
        Ok(source) => names_one_account(&source),
        Err(error) => is_refused_safely(url, &error),
    }
}

fn names_one_account(source: &Source) {
    let user = source.user();
    assert!(
        !user.is_empty() && !user.contains(char::is_control),
        "{user:?}"
    );
    let host = source.host();
    assert!(!host.is_empty() && !host.starts_with('-'), "{host}");
    assert!(
        host.bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b'@'),
        "{host}"
    );
    for policy in [TlsPolicy::Implicit, TlsPolicy::Starttls, TlsPolicy::Off] {
        assert_ne!(source.clone().with_tls(policy).port(), 0);
    }
    is_written_and_read_again(source);
}

/// The mechanism is not part of the account, and not shown.
fn is_written_and_read_again(source: &Source) {
    let shown = source.to_string();
    assert!(
        !shown.contains(char::is_control) && !shown.contains(' '),
        "{shown:?}"
    );
    let again: Source = shown
        .parse()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(again.account(), source.account(), "{shown}");
    assert_eq!(again.tls(), source.tls(), "{shown}");
    assert_eq!(again.to_string(), shown);
    let account = source.account();
    let (user, server) = account.rsplit_once('@').expect("user@host:port");
    assert_eq!(user, source.user());
    assert!(server.ends_with(&format!(":{}", source.port())), "{server}");
}

fn is_refused_safely(url: &str, error: &SourceError) {
    let sentence = error.to_string();
    assert!(!sentence.contains(char::is_control), "{sentence:?}");
    let may_be_a_password = url
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'))
        .is_some_and(|(userinfo, _)| userinfo.replacen("recent:", "", 1).contains(':'));
    if may_be_a_password {
        let tells_none = matches!(
            error,
            SourceError::NotAUrl | SourceError::Scheme(_) | SourceError::Password
        );
        assert!(tells_none, "{sentence}");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "pops://al@h",
        "POP3S://al@H.Example/",
        "pop3://al%40b.c@127.0.0.1:1110",
        "pops://recent:al@g.c@h",
        "pops://a%2541%253A@h",
        "pops://a%3Ab%2F%25%C3%A4;AUTH=SCRAM-SHA-256@h_1.example:65535",
        "pop://al;auth=+APOP@[2001:db8::1]:99",
        "pops://al;AUTH=*@[::ffff:1.2.3.4]",
        "pops://al:hunter2@h",
        "imaps://al@h",
        "pops://al%0D%0ADELE 1@h",
    ]
    .map(|url| url.as_bytes().to_vec())
    .to_vec()
}
