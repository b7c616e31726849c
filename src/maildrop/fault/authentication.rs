//! Why nobody could prove who they are: the user, the server, or the options between them.

use std::error::Error;
use std::sync::Arc;

use crate::pop3::ServerText;

/// A login that failed before the server had a password to refuse, or for more than a wrong one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The user's: the server lists its mechanisms, and the one asked for is none of them.
    #[error("the server does not offer {wanted}; it offers {offered}")]
    NotOffered {
        /// By its name in the registry.
        wanted: &'static str,
        /// What CAPA lists.
        offered: ServerText,
    },
    /// The user's: all that the server lists has to be asked for.
    #[error("the server offers only {0}, which is not used unasked")]
    NothingUnasked(ServerText),
    /// The server's: it does not begin the exchange, and nothing secret was sent.
    #[error("the server refuses AUTH {mechanism} ({text})")]
    MechanismRefused {
        /// By its name in the registry.
        mechanism: &'static str,
        /// The server's words.
        text: ServerText,
    },
    /// The user's: the greeting has no timestamp that a digest may be made of.
    #[error("the server does not offer APOP (its greeting has no safe timestamp)")]
    NoTimestamp,
    /// The user's: the mechanism has no form for this user name or secret.
    #[error("{mechanism} cannot carry this user name or secret ({reason})")]
    Unusable {
        /// By its name in the registry.
        mechanism: &'static str,
        /// What is wrong with it; never the thing itself.
        reason: String,
    },
    /// The server's: what it says within the exchange is not what the mechanism has there.
    #[error("the server's part of AUTH {mechanism} is wrong ({reason})")]
    BadChallenge {
        /// By its name in the registry.
        mechanism: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's, or that of somebody who plays it: a wrong signature, or none. Never tried again by itself.
    #[error(
        "the server could not prove that it knows the password: it may not be the server that you think it is"
    )]
    ServerUnproven,
    /// The user's, or that of whoever gave the token. Never tried again by itself.
    #[error("the server refused the token ({text}{}): it may have expired, or be for another service", after_comma(.details.as_ref()))]
    TokenRefused {
        /// The server's words.
        text: ServerText,
        /// What it said within the exchange: JSON (RFC 7628 section 3.2.2).
        details: Option<ServerText>,
    },
    /// The user's: the token is no longer accepted, and there is no other one.
    #[error("the token has expired, and there is no fresh one: {0}")]
    NoFreshToken(Arc<dyn Error + Send + Sync>),
}

impl AuthenticationError {
    /// Whether the same secret would be refused again, or is better not shown again.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::ServerUnproven | Self::TokenRefused { .. })
    }
}

fn after_comma(details: Option<&ServerText>) -> String {
    details.map_or_else(String::new, |details| format!(", {details}"))
}
