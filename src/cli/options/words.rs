//! The options that take one of a few words.

use clap::ValueEnum;

/// How the session is protected: as the scheme of SOURCE says, unless `-o tls=` overrides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsPolicy {
    /// TLS from the first octet (RFC 8314 section 3.3).
    Implicit,
    /// STLS before anything secret; a server without it is refused (RFC 2595 section 4).
    Starttls,
    /// No TLS: mail and password go in the clear. Only `-o tls=off` chooses it.
    Off,
}

impl TlsPolicy {
    /// 995 or 110.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Implicit => 995,
            Self::Starttls | Self::Off => 110,
        }
    }
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// The strongest mechanism that the server offers, of those that take a password and do not
    /// help an eavesdropper to guess it.
    Auto,
    /// USER and PASS (RFC 1939 section 7).
    User,
    /// AUTH PLAIN (RFC 5034, RFC 4616).
    Plain,
    /// AUTH LOGIN, which is PLAIN in two steps.
    Login,
    /// AUTH CRAM-MD5 (RFC 2195).
    CramMd5,
    /// AUTH SCRAM-SHA-1 (RFC 5802).
    #[value(name = "scram-sha-1")]
    ScramSha1,
    /// AUTH SCRAM-SHA-256 (RFC 7677).
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// APOP (RFC 1939 section 7).
    Apop,
    /// AUTH XOAUTH2: the password is a token.
    Xoauth2,
    /// AUTH OAUTHBEARER (RFC 7628): the password is a token.
    Oauthbearer,
}

/// Where a message's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mtime {
    /// The topmost Received header, else Date, else when this machine first saw it.
    Received,
    /// Date first.
    Date,
    /// When this machine first saw it: asks the server for nothing.
    None,
}

/// Whether anything is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Caching {
    /// In the cache folder.
    On,
    /// Nowhere but in memory.
    Off,
}

/// Whether messages are fetched although nobody reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirroring {
    /// Only what is read, and what is read ahead.
    Off,
    /// All of them.
    All,
}

/// Whether the words of the messages are indexed, to be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Indexing {
    /// Those of messages that are fetched anyway.
    On,
    /// None: there is no `.search`.
    Off,
    /// Those of all messages, which are fetched for that.
    Full,
}

/// All words of a type.
pub(super) fn word_list<T: ValueEnum>() -> Vec<String> {
    let values = T::value_variants().iter();
    values
        .filter_map(|variant| Some(variant.to_possible_value()?.get_name().to_owned()))
        .collect()
}

/// All words of a type, for a sentence: `implicit, starttls or off`.
pub fn words<T: ValueEnum>() -> String {
    let names = word_list::<T>();
    match names.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_type_read_as_a_sentence() {
        assert_eq!(words::<TlsPolicy>(), "implicit, starttls or off");
        assert_eq!(words::<Caching>(), "on or off");
        assert_eq!(
            words::<Auth>(),
            "auto, user, plain, login, cram-md5, scram-sha-1, scram-sha-256, apop, xoauth2 or oauthbearer"
        );
    }
}
