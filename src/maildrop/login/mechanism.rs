//! How a user proves who they are, and which way is taken where none was asked for.

use std::fmt;

use crate::maildrop::fault::authentication::AuthenticationError;
use crate::pop3::{Capabilities, ServerText};

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// The strongest that the server offers of those that are taken unasked.
    #[default]
    Auto,
    /// This one or none.
    Only(Method),
}

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// USER and PASS: shows the password (RFC 1939 section 7).
    UserPass,
    /// APOP: MD5 of the greeting's timestamp and the password (RFC 1939 section 7).
    Apop,
    /// AUTH (RFC 5034).
    Sasl(SaslMechanism),
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// Shows the password (RFC 4616).
    Plain,
    /// Shows the password; obsolete, but some servers have nothing else.
    Login,
    /// HMAC-MD5 of the server's challenge (RFC 2195).
    CramMd5,
    /// Proves that both sides know the password, and shows it to nobody (RFC 5802).
    ScramSha1,
    /// The same with SHA-256 (RFC 7677).
    ScramSha256,
    /// A bearer token, as Google and Microsoft have it.
    Xoauth2,
    /// A bearer token (RFC 7628).
    Oauthbearer,
}

/// What is taken unasked, the strongest first. The MD5 digests help whoever listens to guess the password, and a token is
/// no password: those are for who asks for them.
const UNASKED: [Method; 5] = [
    Method::Sasl(SaslMechanism::ScramSha256),
    Method::Sasl(SaslMechanism::ScramSha1),
    Method::Sasl(SaslMechanism::Plain),
    Method::UserPass,
    Method::Sasl(SaslMechanism::Login),
];

impl Mechanism {
    /// Whether the secret is a bearer token, which expires.
    #[must_use]
    pub fn takes_a_token(self) -> bool {
        use SaslMechanism::{Oauthbearer, Xoauth2};
        matches!(self, Mechanism::Only(Method::Sasl(Xoauth2 | Oauthbearer)))
    }

    /// The way to go with a server that offers this.
    ///
    /// # Errors
    /// [`AuthenticationError::NotOffered`], [`AuthenticationError::NothingUnasked`].
    pub(in crate::maildrop) fn choose(
        self,
        offer: &Capabilities,
    ) -> Result<Method, AuthenticationError> {
        match self {
            Mechanism::Auto => strongest(offer),
            Mechanism::Only(Method::Sasl(mechanism)) if is_left_out(mechanism, offer) => {
                Err(AuthenticationError::NotOffered {
                    wanted: mechanism.name(),
                    offered: offered(offer),
                })
            }
            Mechanism::Only(method) => Ok(method),
        }
    }
}

impl Method {
    /// Whether everybody who sees the connection learns the password or the token.
    pub(super) fn shows_the_secret(self) -> bool {
        use SaslMechanism::{CramMd5, ScramSha1, ScramSha256};
        !matches!(
            self,
            Method::Apop | Method::Sasl(CramMd5 | ScramSha1 | ScramSha256)
        )
    }
}

/// As a server calls it.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::UserPass => "USER and PASS",
            Method::Apop => "APOP",
            Method::Sasl(mechanism) => mechanism.name(),
        })
    }
}

impl SaslMechanism {
    /// The name in the registry, as AUTH and CAPA have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::Login => "LOGIN",
            SaslMechanism::CramMd5 => "CRAM-MD5",
            SaslMechanism::ScramSha1 => "SCRAM-SHA-1",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::Xoauth2 => "XOAUTH2",
            SaslMechanism::Oauthbearer => "OAUTHBEARER",
        }
    }
}

fn strongest(offer: &Capabilities) -> Result<Method, AuthenticationError> {
    let found = UNASKED.into_iter().find(|method| match method {
        Method::Sasl(mechanism) => offer.offers_sasl(mechanism.name()),
        // Every server had these before there was CAPA, and many do not announce them.
        Method::UserPass => offer.user || offer.sasl.is_empty(),
        Method::Apop => false,
    });
    found.ok_or_else(|| AuthenticationError::NothingUnasked(offered(offer)))
}

/// A server that lists mechanisms has no others; one that lists none may have any.
fn is_left_out(mechanism: SaslMechanism, offer: &Capabilities) -> bool {
    !offer.sasl.is_empty() && !offer.offers_sasl(mechanism.name())
}

fn offered(offer: &Capabilities) -> ServerText {
    let user = offer.user.then_some("USER");
    let names: Vec<&str> = user
        .into_iter()
        .chain(offer.sasl.iter().map(String::as_str))
        .collect();
    ServerText::from(names.join(", ").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(lines: &[&str]) -> Capabilities {
        let mut offer = Capabilities::new();
        for line in lines {
            offer.add(line.as_bytes());
        }
        offer
    }

    #[test]
    fn auto_takes_the_strongest_that_is_offered() {
        use SaslMechanism::{Login, Plain, ScramSha1, ScramSha256};
        let all = "SASL OAUTHBEARER LOGIN CRAM-MD5 PLAIN SCRAM-SHA-1 SCRAM-SHA-256 XOAUTH2";
        for (lines, method) in [
            (&[all, "USER"][..], Method::Sasl(ScramSha256)),
            (&["SASL PLAIN SCRAM-SHA-1"], Method::Sasl(ScramSha1)),
            (&["USER", "SASL LOGIN PLAIN"], Method::Sasl(Plain)),
            (&["USER", "SASL LOGIN CRAM-MD5"], Method::UserPass),
            (&["SASL CRAM-MD5 login"], Method::Sasl(Login)),
            (&["USER"], Method::UserPass),
            (&["UIDL", "TOP"], Method::UserPass),
            (&[], Method::UserPass),
        ] {
            let chosen = Mechanism::Auto.choose(&offer(lines)).unwrap();
            assert_eq!(chosen, method, "{lines:?}");
        }
    }

    #[test]
    fn auto_takes_no_digest_and_no_token() {
        let error = Mechanism::Auto.choose(&offer(&["SASL CRAM-MD5 XOAUTH2 GSSAPI"]));
        let sentence = error.unwrap_err().to_string();
        assert!(sentence.contains("CRAM-MD5, XOAUTH2, GSSAPI"), "{sentence}");
    }

    #[test]
    fn what_is_asked_for_is_taken_unless_the_server_lists_others_only() {
        let scram = Mechanism::Only(Method::Sasl(SaslMechanism::ScramSha1));
        for lines in [&["SASL SCRAM-SHA-1"][..], &["USER"], &[]] {
            assert!(scram.choose(&offer(lines)).is_ok(), "{lines:?}");
        }
        let error = scram.choose(&offer(&["USER", "SASL PLAIN \x1b[2J"]));
        let sentence = error.unwrap_err().to_string();
        assert!(
            sentence.contains("does not offer SCRAM-SHA-1"),
            "{sentence}"
        );
        assert!(sentence.contains(r"USER, PLAIN, \x1b[2J"), "{sentence}");
    }
}
