//! Options whose value is one of a few words.

use std::num::NonZeroU16;
use std::str::FromStr;

use clap::ValueEnum;

use super::values::Unreadable;

/// How the session is protected. The scheme of SOURCE says it, `-o tls=` overrides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsPolicy {
    /// TLS from the first octet (RFC 8314 §3.3).
    Implicit,
    /// STLS before anything secret; a server without it is refused (RFC 2595 §4).
    Starttls,
    /// In clear, the password too: only ever by `-o tls=off`.
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
    /// The strongest that the server offers, of those that take a password and do not help to guess it.
    Auto,
    /// USER and PASS (RFC 1939 §7).
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
    /// APOP (RFC 1939 §7).
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

/// How lines end in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Eol {
    /// In CRLF, as the server sends them.
    Crlf,
    /// In LF.
    Lf,
}

/// Whether anything is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Caching {
    /// In the cache folder.
    On,
    /// Nowhere but in memory.
    Off,
}

/// How many commands may be unanswered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipeline {
    /// As many as the server's PIPELINING allows and the window takes.
    Auto,
    /// One.
    Off,
    /// As `Auto`, but never more than this.
    Most(NonZeroU16),
}

impl FromStr for Pipeline {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            number => number.parse().map(Self::Most).map_err(|_| Unreadable),
        }
    }
}

/// The words of a type, for a sentence: `implicit, starttls or off`.
pub fn words<T: ValueEnum>() -> String {
    let names: Vec<String> = T::value_variants()
        .iter()
        .filter_map(|variant| Some(variant.to_possible_value()?.get_name().to_owned()))
        .collect();
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

    #[test]
    fn a_pipeline_is_a_word_or_a_positive_number() {
        assert_eq!("auto".parse(), Ok(Pipeline::Auto));
        assert_eq!("off".parse(), Ok(Pipeline::Off));
        let most = Pipeline::Most(NonZeroU16::new(50).unwrap());
        assert_eq!("50".parse(), Ok(most));
        for text in ["0", "-1", "65536", "on", ""] {
            assert_eq!(text.parse::<Pipeline>(), Err(Unreadable), "{text}");
        }
    }
}
