//! The authentication methods, and the choice of one when the user did not ask for any.

use std::fmt;

use crate::maildrop::fault::authentication::AuthenticationError;
use crate::pop3::{Capabilities, ServerText};

/// Which authentication method the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// The strongest method that the server offers, except those that only an explicit option
    /// selects.
    #[default]
    Auto,
    /// This method. If the server does not offer it, the login fails.
    Only(Method),
}

/// An authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// USER and PASS, which send the password itself (RFC 1939 section 7).
    UserPass,
    /// APOP, which sends an MD5 digest of the greeting's timestamp and the password (RFC 1939
    /// section 7).
    Apop,
    /// AUTH with a SASL mechanism (RFC 5034).
    Sasl(SaslMechanism),
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// Sends the password itself (RFC 4616).
    Plain,
    /// Sends the password itself. Obsolete, but some servers offer nothing else.
    Login,
    /// Sends an HMAC-MD5 of the server's challenge (RFC 2195).
    CramMd5,
    /// Client and server each prove that they know the password, and neither sends it (RFC 5802).
    ScramSha1,
    /// The same as SCRAM-SHA-1, with SHA-256 (RFC 7677).
    ScramSha256,
    /// Sends a bearer token, in the form that Google and Microsoft defined.
    Xoauth2,
    /// Sends a bearer token (RFC 7628).
    Oauthbearer,
}

/// What [`Mechanism::Auto`] chooses from, strongest first. It leaves out the MD5 digests, because
/// an eavesdropper can guess passwords against them offline. It leaves out the token mechanisms,
/// because a password is not a token.
const AUTOMATIC: [Method; 5] = [
    Method::Sasl(SaslMechanism::ScramSha256),
    Method::Sasl(SaslMechanism::ScramSha1),
    Method::Sasl(SaslMechanism::Plain),
    Method::UserPass,
    Method::Sasl(SaslMechanism::Login),
];

impl Mechanism {
    /// Whether the secret is a bearer token, which can expire.
    #[must_use]
    pub fn takes_a_token(self) -> bool {
        use SaslMechanism::{Oauthbearer, Xoauth2};
        matches!(self, Self::Only(Method::Sasl(Xoauth2 | Oauthbearer)))
    }

    /// Chooses the method to use with a server that offers `offer`.
    ///
    /// # Errors
    /// [`AuthenticationError::NotOffered`], [`AuthenticationError::NothingUnasked`].
    pub(in crate::maildrop) fn choose(
        self,
        offer: &Capabilities,
    ) -> Result<Method, AuthenticationError> {
        match self {
            Self::Auto => strongest(offer),
            Self::Only(Method::Sasl(mechanism)) if is_left_out(mechanism, offer) => {
                Err(AuthenticationError::NotOffered {
                    wanted: mechanism.name(),
                    offered: offered(offer),
                })
            }
            Self::Only(method) => Ok(method),
        }
    }
}

impl Method {
    /// Whether an eavesdropper on an unencrypted connection learns the password or the token.
    pub(super) fn shows_the_secret(self) -> bool {
        use SaslMechanism::{CramMd5, ScramSha1, ScramSha256};
        !matches!(
            self,
            Self::Apop | Self::Sasl(CramMd5 | ScramSha1 | ScramSha256)
        )
    }
}

/// The name that servers use.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserPass => "USER and PASS",
            Self::Apop => "APOP",
            Self::Sasl(mechanism) => mechanism.name(),
        })
    }
}

impl SaslMechanism {
    /// The registered SASL name, as AUTH and CAPA use it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Xoauth2 => "XOAUTH2",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

/// The strongest method that is chosen automatically and that the server offers.
fn strongest(offer: &Capabilities) -> Result<Method, AuthenticationError> {
    let found = AUTOMATIC.into_iter().find(|method| match method {
        Method::Sasl(mechanism) => offer.offers_sasl(mechanism.name()),
        // USER and PASS are older than CAPA, and many servers do not announce them.
        Method::UserPass => offer.user || offer.sasl.is_empty(),
        Method::Apop => false,
    });
    found.ok_or_else(|| AuthenticationError::NothingUnasked(offered(offer)))
}

/// Whether the server lists its mechanisms without this one. A server that lists none may still
/// have it.
fn is_left_out(mechanism: SaslMechanism, offer: &Capabilities) -> bool {
    !offer.sasl.is_empty() && !offer.offers_sasl(mechanism.name())
}

/// The names of what the server offers, for an error sentence.
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
    fn auto_chooses_the_strongest_method_that_is_offered() {
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
    fn auto_never_chooses_an_md5_digest_or_a_token() {
        let error = Mechanism::Auto.choose(&offer(&["SASL CRAM-MD5 XOAUTH2 GSSAPI"]));
        let sentence = error.unwrap_err().to_string();
        assert!(sentence.contains("CRAM-MD5, XOAUTH2, GSSAPI"), "{sentence}");
    }

    #[test]
    fn a_requested_mechanism_fails_only_if_the_list_lacks_it() {
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
