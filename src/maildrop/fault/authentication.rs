//! Why authentication failed, and whether the user, the server or the options are the cause.

use std::error::Error;
use std::sync::Arc;

use crate::pop3::ServerText;

/// A failed authentication, except for a plain refusal of the user name and the password. Each
/// variant begins with whose fault it is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The user's: the server lists its mechanisms, and the requested one is not among them.
    #[error("the server does not offer {wanted}; it offers {offered}")]
    NotOffered {
        /// The registered name of the requested mechanism.
        wanted: &'static str,
        /// What the server lists in CAPA.
        offered: ServerText,
    },
    /// The user's: the server offers only mechanisms that an option has to request.
    #[error("the server offers only {0}, which has to be requested explicitly")]
    NothingUnasked(ServerText),
    /// The server's: it refused to begin the exchange. No secret was sent.
    #[error("the server refuses AUTH {mechanism} ({text})")]
    MechanismRefused {
        /// The registered name.
        mechanism: &'static str,
        /// The server's words.
        text: ServerText,
    },
    /// The user's: they requested APOP, and the server's greeting has no timestamp that is safe to
    /// make a digest of.
    #[error("the server does not offer APOP (its greeting has no safe timestamp)")]
    NoTimestamp,
    /// The user's: the mechanism cannot encode this user name or secret.
    #[error("{mechanism} cannot carry this user name or secret ({reason})")]
    Unusable {
        /// The registered name.
        mechanism: &'static str,
        /// What is wrong with the user name or secret. It never contains either.
        reason: String,
    },
    /// The server's: it sent a challenge that the mechanism does not allow there.
    #[error("the server's part of AUTH {mechanism} is wrong ({reason})")]
    BadChallenge {
        /// The registered name.
        mechanism: &'static str,
        /// What is wrong with the challenge.
        reason: String,
    },
    /// The server's, or an impostor's: its signature is wrong or missing. pop3fs never tries again
    /// by itself.
    #[error(
        "the server could not prove that it knows the password: it may not be the server that you think it is"
    )]
    ServerUnproven,
    /// The user's, or the token provider's: the server refused the token. pop3fs never tries again
    /// by itself.
    #[error("the server refused the token ({text}{}): it may have expired, or be for another service", after_comma(.details.as_ref()))]
    TokenRefused {
        /// The server's words.
        text: ServerText,
        /// The error report that the server sent within the exchange, in JSON (RFC 7628 section
        /// 3.2.2).
        details: Option<ServerText>,
    },
    /// The user's: the token has expired, and fetching a fresh one failed.
    #[error("the token has expired, and fetching a fresh one failed: {0}")]
    NoFreshToken(Arc<dyn Error + Send + Sync>),
}

impl AuthenticationError {
    /// Whether the same secret must not be sent again: the server would refuse it, or may be an
    /// impostor.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::ServerUnproven | Self::TokenRefused { .. })
    }
}

fn after_comma(details: Option<&ServerText>) -> String {
    details.map_or_else(String::new, |details| format!(", {details}"))
}
