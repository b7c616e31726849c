//! SOURCE: the URL of a maildrop (RFC 2384, and other schemes in use).
//!
//! ```text
//! ( pops | pop3s | pop | pop3 ) :// user [ ;AUTH=mechanism ] @ host [ :port ] [ / ]
//! ```

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use clap::ValueEnum;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::cli::options::{Auth, TlsPolicy, words};

/// At Gmail, a user name with this prefix sees the mail of the last 30 days, even if another client
/// fetched it.
const RECENT: &str = "recent:";

/// The characters that a user name in a URL must escape.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'?')
    .add(b'#');

/// One account on one server.
///
/// Displayed as a URL. It never holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    tls: TlsPolicy,
    user: String,
    auth: Option<Auth>,
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// A name or an IPv4 address, in lower case.
    Name(String),
    Ipv6(Ipv6Addr),
}

/// Why a SOURCE is refused. All are the caller's fault. No message shows the URL: it may hold a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Neither a URL nor a command.
    #[error(
        "SOURCE is not the URL of a maildrop: write pops://USER@HOST, or the name of an account in ~/.config/pop3fs/config.toml (`pop3fs --help` shows the commands)"
    )]
    NotAUrl,
    /// A URL of something else.
    #[error(
        "'{0}' is not a scheme of POP3: write pops://USER@HOST (TLS) or pop://USER@HOST (STLS)"
    )]
    Scheme(String),
    /// A password in the URL: every user of the machine can read arguments.
    #[error(
        "the URL must not contain a password, because `ps` shows it: leave it out to be asked, or use -o password_command or password_file (a `:` in a user name is written %3A)"
    )]
    Password,
    /// No `USER@`.
    #[error("no user in SOURCE: write pops://USER@HOST")]
    NoUser,
    /// The user is named both in the URL and in the configuration.
    #[error("the user is named twice: remove one of them")]
    TwoUsers,
    /// The user name would inject commands into the session, or is not UTF-8.
    #[error(
        "the user name in SOURCE holds a control character or is not UTF-8: %XX escapes are octets of UTF-8"
    )]
    User,
    /// Nothing between `@` and the port.
    #[error("no host in SOURCE: write pops://USER@HOST")]
    NoHost,
    /// It cannot be a host name.
    #[error(
        "what follows the user in SOURCE is not a host name or address: write pops://USER@HOST (an IPv6 address in brackets: pops://USER@[::1])"
    )]
    Host,
    /// The port is not in 1..=65535. Some people write the password there.
    #[error(
        "what follows the host in SOURCE is not a port, a number from 1 to 65535; the URL must not contain a password: leave it out to be asked, or use -o password_command or password_file"
    )]
    Port,
    /// A maildrop has no folders.
    #[error("nothing may follow the host and port in SOURCE: a maildrop has no folders")]
    Path,
    /// An unknown or unsupported mechanism after `;AUTH=`.
    #[error("what follows the ; in SOURCE is not a supported authentication: after ;AUTH= stands {choices}", choices = words::<Auth>())]
    Auth,
}

impl Source {
    /// How the session is protected: as the scheme says, unless [`Source::with_tls`] changed it.
    pub fn tls(&self) -> TlsPolicy {
        self.tls
    }

    /// The login name, decoded. Without control characters.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What `;AUTH=` asked for.
    pub fn auth(&self) -> Option<Auth> {
        self.auth
    }

    /// A name or an address, without brackets: for the resolver and for the certificate.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    /// The port of the URL, else 995 for implicit TLS and 110 otherwise (RFC 8314 section 3.3, RFC
    /// 1939 section 3).
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.tls.default_port())
    }

    /// Combines a URL without a user with a user name, which is taken literally: `@` and `%` have
    /// no meaning in it.
    pub fn of_user(url: &str, user: &str) -> Result<Self, SourceError> {
        let (scheme, server) = url.split_once("://").ok_or(SourceError::NotAUrl)?;
        if server.contains('@') {
            return Err(SourceError::TwoUsers);
        }
        let (host, port) = parse_server(server)?;
        Ok(Self {
            tls: scheme_policy(scheme)?,
            user: check_user(user)?.to_owned(),
            auth: None,
            host,
            port,
        })
    }

    /// The same account under another policy (`-o tls=`). A port that the URL does not name follows
    /// the policy.
    pub fn with_tls(self, tls: TlsPolicy) -> Self {
        Self { tls, ..self }
    }

    /// `user@host:port`, the name of the account in the cache. Every spelling of the same URL gives
    /// the same name.
    pub fn account(&self) -> String {
        format!("{}@{}:{}", self.user, self.host, self.port())
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(url: &str) -> Result<Self, SourceError> {
        let (scheme, rest) = url.split_once("://").ok_or(SourceError::NotAUrl)?;
        let tls = scheme_policy(scheme)?;
        // User names are often mail addresses: only the last @ separates.
        let (userinfo, server) = rest.rsplit_once('@').ok_or(SourceError::NoUser)?;
        let (user, auth) = parse_userinfo(userinfo)?;
        let (host, port) = parse_server(server)?;
        Ok(Self {
            tls,
            user,
            auth,
            host,
            port,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.tls {
            TlsPolicy::Implicit => "pops",
            TlsPolicy::Starttls | TlsPolicy::Off => "pop",
        };
        let (recent, name) = split_recent(&self.user);
        let name = utf8_percent_encode(name, RESERVED);
        write!(f, "{scheme}://{recent}{name}@{}", self.host)?;
        match self.port {
            Some(port) if port != self.tls.default_port() => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// An IPv6 address in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

fn scheme_policy(scheme: &str) -> Result<TlsPolicy, SourceError> {
    match scheme.to_ascii_lowercase().as_str() {
        "pops" | "pop3s" => Ok(TlsPolicy::Implicit),
        "pop" | "pop3" => Ok(TlsPolicy::Starttls),
        _ if scheme.bytes().all(|octet| octet.is_ascii_alphanumeric()) => {
            Err(SourceError::Scheme(scheme.to_owned()))
        }
        _ => Err(SourceError::NotAUrl),
    }
}

fn parse_userinfo(userinfo: &str) -> Result<(String, Option<Auth>), SourceError> {
    let (user, parameter) = match userinfo.split_once(';') {
        Some((user, parameter)) => (user, Some(parameter)),
        None => (userinfo, None),
    };
    let (_, name) = split_recent(user);
    if name.contains(':') || parameter.is_some_and(|text| text.contains(':')) {
        return Err(SourceError::Password);
    }
    let auth = parameter.map(parse_auth).transpose()?;
    Ok((decode(user)?, auth))
}

/// `AUTH=mechanism`, where `*` means any and `+APOP` is not a SASL mechanism (RFC 2384 section 4).
fn parse_auth(parameter: &str) -> Result<Auth, SourceError> {
    let (name, mechanism) = parameter.split_once('=').ok_or(SourceError::Auth)?;
    if !name.eq_ignore_ascii_case("auth") {
        return Err(SourceError::Auth);
    }
    match mechanism {
        "*" => Ok(Auth::Auto),
        word if word.eq_ignore_ascii_case("+APOP") => Ok(Auth::Apop),
        word => ValueEnum::from_str(word, true).map_err(|_| SourceError::Auth),
    }
}

fn parse_server(text: &str) -> Result<(Host, Option<u16>), SourceError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.contains(['/', '?', '#']) {
        return Err(SourceError::Path);
    }
    let (host, port) = split_port(text)?;
    let port = port.map(parse_port).transpose()?;
    Ok((host, port))
}

fn split_port(text: &str) -> Result<(Host, Option<&str>), SourceError> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']').ok_or(SourceError::Host)?;
        let host = Host::Ipv6(address.parse().map_err(|_| SourceError::Host)?);
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(SourceError::Host),
        };
    }
    match text.split_once(':') {
        Some((name, port)) if !port.contains(':') => Ok((parse_name(name)?, Some(port))),
        Some(_) => Err(SourceError::Host),
        None => Ok((parse_name(text)?, None)),
    }
}

fn parse_name(name: &str) -> Result<Host, SourceError> {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
    if name.is_empty() {
        return Err(SourceError::NoHost);
    }
    // A later program could take a leading hyphen for an option.
    if name.starts_with('-') || !name.bytes().all(allowed) {
        return Err(SourceError::Host);
    }
    Ok(Host::Name(name.to_ascii_lowercase()))
}

fn parse_port(text: &str) -> Result<u16, SourceError> {
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(SourceError::Port),
    }
}

fn split_recent(user: &str) -> (&str, &str) {
    match user.strip_prefix(RECENT) {
        Some(name) => (RECENT, name),
        None => ("", user),
    }
}

fn decode(user: &str) -> Result<String, SourceError> {
    let user = percent_decode_str(user)
        .decode_utf8()
        .map_err(|_| SourceError::User)?;
    check_user(&user).map(str::to_owned)
}

fn check_user(user: &str) -> Result<&str, SourceError> {
    if user.is_empty() {
        return Err(SourceError::NoUser);
    }
    match user.chars().any(char::is_control) {
        true => Err(SourceError::User),
        false => Ok(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Source, SourceError> {
        url.parse()
    }

    #[test]
    fn good_urls_name_one_account() {
        for (url, account, shown) in [
            ("pops://al@h", "al@h:995", "pops://al@h"),
            (
                "POP3S://al@H.Example/",
                "al@h.example:995",
                "pops://al@h.example",
            ),
            ("pop://al@h", "al@h:110", "pop://al@h"),
            ("pop3://al@h:1110", "al@h:1110", "pop://al@h:1110"),
            ("pops://al@h:995", "al@h:995", "pops://al@h"),
            ("pops://al@b.c@h", "al@b.c@h:995", "pops://al@b.c@h"),
            ("pops://al%40b.c@h", "al@b.c@h:995", "pops://al@b.c@h"),
            (
                "pops://recent:al@g.c@h",
                "recent:al@g.c@h:995",
                "pops://recent:al@g.c@h",
            ),
            ("pops://a%3Ab@h", "a:b@h:995", "pops://a%3Ab@h"),
            (
                "pops://al%2F%25;AUTH=plain@h",
                "al/%@h:995",
                "pops://al%2F%25@h",
            ),
            ("pops://al@[::1]:99", "al@[::1]:99", "pops://al@[::1]:99"),
            ("pops://al@[0:0::1]", "al@[::1]:995", "pops://al@[::1]"),
            (
                "pops://%C3%A4@127.0.0.1",
                "ä@127.0.0.1:995",
                "pops://%C3%A4@127.0.0.1",
            ),
        ] {
            let source = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(source.account(), account, "{url}");
            assert_eq!(source.to_string(), shown, "{url}");
            assert_eq!(parse(shown).unwrap().account(), account, "{shown}");
        }
    }

    #[test]
    fn bad_urls_are_refused_each_for_its_reason() {
        for (url, error) in [
            ("", SourceError::NotAUrl),
            ("umuont", SourceError::NotAUrl),
            ("al:secret@h", SourceError::NotAUrl),
            ("imaps://al@h", SourceError::Scheme("imaps".to_owned())),
            ("pops://h", SourceError::NoUser),
            ("pops://al:secret", SourceError::NoUser),
            ("pops://@h:1", SourceError::NoUser),
            ("pops://;AUTH=plain@h", SourceError::NoUser),
            ("pops://al@", SourceError::NoHost),
            ("pops://al@:995", SourceError::NoHost),
            ("pops://al@-h", SourceError::Host),
            ("pops://al@h h", SourceError::Host),
            ("pops://al@::1", SourceError::Host),
            ("pops://al@[::1", SourceError::Host),
            ("pops://al@[::1]x", SourceError::Host),
            ("pops://al@h:", SourceError::Port),
            ("pops://al@h:0", SourceError::Port),
            ("pops://al@h:+1", SourceError::Port),
            ("pops://al@h:65536", SourceError::Port),
            ("pops://al@h/INBOX", SourceError::Path),
            ("pops://al@h?x", SourceError::Path),
            ("pops://al%0D%0ADELE 1@h", SourceError::User),
            ("pops://al%00@h", SourceError::User),
            ("pops://%FF@h", SourceError::User),
            ("pops://al;AUTH=ntlm@h", SourceError::Auth),
            ("pops://al;x@h", SourceError::Auth),
        ] {
            assert_eq!(parse(url).unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for url in [
            "pops://al:hunter2@h",
            "pops://al@b.c:hunter2@h",
            "pops://recent:al:hunter2@h",
            "pops://al:hunter2/@@h",
            "pops://al;AUTH=plain:hunter2@h",
            "pops://:hunter2@h",
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error, SourceError::Password, "{url}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn nothing_that_may_be_a_password_is_repeated() {
        for url in [
            "pops://al@b.c:hunter2",
            "pops://al@b.c:hunter2/",
            "pops://al@b.c:hunter2:1",
            "pops://al@[::1]hunter2",
            "pops://al@b.c hunter2",
            "pops://al@b.c/hunter2",
            "pops://al:hunter2",
            "pops://al;hunter2@h",
            "pops://al;AUTH=hunter2@h",
            "al:hunter2@h",
        ] {
            let said = parse(url).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{url}: {said}");
        }
    }

    #[test]
    fn the_auth_parameter_is_read_in_any_case() {
        assert_eq!(
            parse("pops://al;auth=PLAIN@h").unwrap().auth(),
            Some(Auth::Plain)
        );
        for (word, auth) in [
            ("*", Auth::Auto),
            ("+APOP", Auth::Apop),
            ("SCRAM-SHA-256", Auth::ScramSha256),
            ("CRAM-MD5", Auth::CramMd5),
            ("XOAUTH2", Auth::Xoauth2),
        ] {
            let source = parse(&format!("pops://al;AUTH={word}@h")).unwrap();
            assert_eq!(source.auth(), Some(auth), "{word}");
        }
        assert_eq!(parse("pops://al@h").unwrap().auth(), None);
    }

    #[test]
    fn a_user_beside_the_url_is_taken_literally() {
        let source = Source::of_user("pops://h:1995", "a%b@c.d").unwrap();
        assert_eq!(source.account(), "a%b@c.d@h:1995");
        for (url, user, error) in [
            ("pops://al@h", "al", SourceError::TwoUsers),
            ("pops://h", "", SourceError::NoUser),
            ("pops://h", "al\r\nDELE 1", SourceError::User),
            ("h", "al", SourceError::NotAUrl),
            ("imaps://h", "al", SourceError::Scheme("imaps".to_owned())),
        ] {
            assert_eq!(Source::of_user(url, user), Err(error), "{url} {user}");
        }
    }

    #[test]
    fn an_unnamed_port_follows_the_tls_policy() {
        let source = parse("pop://al@h").unwrap();
        assert_eq!((source.tls(), source.port()), (TlsPolicy::Starttls, 110));
        assert_eq!(source.with_tls(TlsPolicy::Implicit).port(), 995);
        let source = parse("pop://al@h:7").unwrap();
        assert_eq!(source.with_tls(TlsPolicy::Implicit).port(), 7);
    }
}
