//! Parses the lines of a reply.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::error::ProtocolError;
use super::text::ServerText;
use super::types::{MessageNumber, UniqueId};

/// The first line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// Success or failure.
    pub indicator: Indicator,
    /// The response code, which gives the reason to a program.
    pub code: Option<ResponseCode>,
    /// What follows the indicator, including a response code, without white space around it.
    pub text: &'a [u8],
}

/// The first word of a status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// `+OK`
    Ok,
    /// `-ERR`
    Err,
}

/// The reason of a failure (RFC 2449 section 8, RFC 3206, RFC 6856 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseCode {
    /// `[IN-USE]`: another session holds the maildrop.
    InUse,
    /// `[LOGIN-DELAY]`: too soon after the last login.
    LoginDelay,
    /// `[SYS/TEMP]`: the server has trouble that may pass.
    SysTemp,
    /// `[SYS/PERM]`: the server has trouble that its administrator must end.
    SysPerm,
    /// `[AUTH]`: the credentials are wrong.
    Auth,
    /// `[UTF8]`: the message or the user name needs the UTF8 command.
    Utf8,
    /// Another code, which has no meaning here.
    Other,
}

/// The reply to STAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// How many messages.
    pub count: u32,
    /// The sum of their sizes in octets.
    pub octets: u64,
}

/// For a log.
impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indicator = match self.indicator {
            Indicator::Ok => "+OK",
            Indicator::Err => "-ERR",
        };
        match self.text {
            [] => f.write_str(indicator),
            text => write!(f, "{indicator} {}", ServerText::from(text)),
        }
    }
}

impl<'a> Status<'a> {
    /// Parses a status line without its end.
    ///
    /// ```text
    /// single-line  = status [SP text] CRLF      ; RFC 2449 section 9
    /// status       = "+OK" / "-ERR"
    /// ```
    /// Case does not matter. One server sends `+ERR` for `-ERR`. The indicator must be a word of
    /// its own.
    ///
    /// # Errors
    /// [`ProtocolError::NotAStatus`]
    pub fn parse(line: &'a [u8]) -> Result<Self, ProtocolError> {
        let word = line
            .iter()
            .skip(1)
            .take_while(|octet| octet.is_ascii_alphanumeric())
            .count();
        let (indicator, rest) = line.split_at(line.len().min(1 + word));
        let indicator = match indicator.to_ascii_uppercase().as_slice() {
            b"+OK" => Indicator::Ok,
            b"-ERR" | b"+ERR" => Indicator::Err,
            _ => return Err(ProtocolError::NotAStatus(ServerText::from(line))),
        };
        let text = rest.trim_ascii();
        Ok(Self {
            indicator,
            code: ResponseCode::parse(text),
            text,
        })
    }

    /// Whether the command succeeded.
    pub fn is_ok(&self) -> bool {
        self.indicator == Indicator::Ok
    }

    /// The server's words, safe for a log. popa3d answers `-ERR` without any.
    pub fn server_text(&self) -> ServerText {
        match self.text {
            b"" => ServerText::from(&b"no reason given"[..]),
            text => ServerText::from(text),
        }
    }
}

impl ResponseCode {
    /// The code at the beginning of a text.
    ///
    /// ```text
    /// resp-code    = "[" resp-level *("/" resp-level) "]"      ; RFC 2449 section 8
    /// ```
    ///
    /// A code with an unknown sub-level has the meaning of its known levels.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let inside = text.strip_prefix(b"[")?;
        let end = memchr::memchr(b']', inside)?;
        let code = inside[..end].to_ascii_uppercase();
        let mut levels = code.split(|&octet| octet == b'/');
        Some(match (levels.next().unwrap_or_default(), levels.next()) {
            (b"IN-USE", _) => Self::InUse,
            (b"LOGIN-DELAY", _) => Self::LoginDelay,
            (b"SYS", Some(b"TEMP")) => Self::SysTemp,
            (b"SYS", Some(b"PERM")) => Self::SysPerm,
            (b"AUTH", _) => Self::Auth,
            (b"UTF8", _) => Self::Utf8,
            _ => Self::Other,
        })
    }
}

/// Parses the text of STAT's `+OK`. Anything may follow the numbers (RFC 1939 section 5).
///
/// ```text
/// stat-text    = count SP octets [SP *OCTET]
/// ```
///
/// # Errors
/// [`ProtocolError::BadStat`], also for numbers that overflow.
pub fn stat(text: &[u8]) -> Result<Stat, ProtocolError> {
    let mut words = words(text);
    let count = words
        .next()
        .and_then(number)
        .and_then(|count| u32::try_from(count).ok());
    let octets = words.next().and_then(number);
    match (count, octets) {
        (Some(count), Some(octets)) => Ok(Stat { count, octets }),
        _ => Err(ProtocolError::BadStat(ServerText::from(text))),
    }
}

/// Parses a line of LIST: a message and its size in octets, which may be wrong, or `None` if it is
/// no number. Anything may follow (RFC 1939 section 5).
///
/// ```text
/// scan-line    = message-number SP octets [SP *OCTET]
/// ```
///
/// # Errors
/// [`ProtocolError::BadListing`], also for message 0 and a number that overflows.
pub fn list_line(line: &[u8]) -> Result<(MessageNumber, Option<u64>), ProtocolError> {
    let mut words = words(line);
    let message = words.next().and_then(message_number);
    let octets = words.next().and_then(number);
    message
        .map(|message| (message, octets))
        .ok_or_else(|| ProtocolError::BadListing(ServerText::from(line)))
}

/// Parses a line of UIDL: a message and its unique-id (RFC 1939 section 7).
///
/// ```text
/// uidl-line    = message-number SP unique-id
/// unique-id    = 1*70(%x21-7E)
/// ```
/// Nothing may follow the unique-id, so it is the rest of the line: if it were cut at a space, two
/// messages could get the same one. White space around it is removed, and it may be empty.
///
/// # Errors
/// [`ProtocolError::BadUniqueIdListing`], also for message 0 and a number that overflows.
pub fn uidl_line(line: &[u8]) -> Result<(MessageNumber, UniqueId), ProtocolError> {
    let line = line.trim_ascii();
    let end = line
        .iter()
        .position(|&octet| is_separator(octet))
        .unwrap_or(line.len());
    let (message, unique_id) = line.split_at(end);
    let message = message_number(message)
        .ok_or_else(|| ProtocolError::BadUniqueIdListing(ServerText::from(line)))?;
    Ok((message, UniqueId::from_wire(unique_id.trim_ascii())))
}

/// The timestamp in the greeting of a server that knows APOP (RFC 1939 section 7), with its angle
/// brackets.
///
/// ```text
/// msg-id       = "<" local-part "@" domain ">"       ; RFC 822 section 4.1
/// local-part   = atom *("." atom)
/// domain       = atom *("." atom)
/// ```
/// Only ASCII atoms are accepted. With other octets an attacker in the middle can make MD5 collide
/// and learn the password step by step (CVE-2007-1558). Quoted strings and domain literals are
/// refused for the same reason.
pub fn greeting_timestamp(text: &[u8]) -> Option<&[u8]> {
    memchr::memchr_iter(b'<', text).find_map(|start| {
        let end = start + memchr::memchr(b'>', &text[start..])?;
        let (local, domain) = split_once(&text[start + 1..end], b'@')?;
        (is_dot_atom(local) && is_dot_atom(domain)).then(|| &text[start..=end])
    })
}

/// Decodes a challenge, which is `[base64]` (RFC 5034 section 6). None for anything else. White
/// space around it is ignored.
pub fn challenge(encoded: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(encoded.trim_ascii()).ok()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&octet| is_separator(octet))
        .filter(|word| !word.is_empty())
}

fn is_separator(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

/// `1*DIGIT`, up to 2^64 - 1.
fn number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

fn message_number(word: &[u8]) -> Option<MessageNumber> {
    number(word)
        .and_then(|number| u32::try_from(number).ok())
        .and_then(MessageNumber::new)
}

fn split_once(octets: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let middle = memchr::memchr(at, octets)?;
    Some((&octets[..middle], &octets[middle + 1..]))
}

fn is_dot_atom(octets: &[u8]) -> bool {
    octets
        .split(|&octet| octet == b'.')
        .all(|atom| !atom.is_empty() && atom.iter().all(|&octet| is_atom_octet(octet)))
}

/// Any printable ASCII character but the `specials` of RFC 822 section 3.3.
fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !br#"()<>@,;:\".[]"#.contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &[u8]) -> Option<ResponseCode> {
        Status::parse(line).unwrap().code
    }

    #[test]
    fn an_indicator_must_be_a_word_of_its_own() {
        for (line, ok, text) in [
            (&b"+OK"[..], true, &b""[..]),
            (b"+OK ", true, b""),
            (b"+ok  dovecot ready. ", true, b"dovecot ready."),
            (b"+OK\tready", true, b"ready"),
            (b"+OK: ready", true, b": ready"),
            (b"-ERR", false, b""),
            (b"-err no", false, b"no"),
            (b"+ERR no", false, b"no"),
        ] {
            let status = Status::parse(line).unwrap();
            assert_eq!((status.is_ok(), status.text), (ok, text), "{line:?}");
        }
        for line in [
            &b""[..],
            b"+",
            b"+OKfoo",
            b"-ERROR",
            b"-OK",
            b"OK",
            b" +OK",
            b"+ OK",
            b"* OK",
            b"\xff",
        ] {
            assert!(
                matches!(Status::parse(line), Err(ProtocolError::NotAStatus(_))),
                "{line:?}"
            );
        }
    }

    #[test]
    fn unknown_sub_levels_of_a_response_code_are_ignored() {
        assert_eq!(code(b"-ERR [IN-USE] busy"), Some(ResponseCode::InUse));
        assert_eq!(
            code(b"-ERR [login-delay] wait"),
            Some(ResponseCode::LoginDelay)
        );
        assert_eq!(code(b"-ERR [SYS/TEMP] disk"), Some(ResponseCode::SysTemp));
        assert_eq!(
            code(b"-ERR [SYS/TEMP/DISK] disk"),
            Some(ResponseCode::SysTemp)
        );
        assert_eq!(code(b"-ERR [SYS/PERM]"), Some(ResponseCode::SysPerm));
        assert_eq!(code(b"-ERR [AUTH] no"), Some(ResponseCode::Auth));
        assert_eq!(code(b"-ERR [UTF8] no"), Some(ResponseCode::Utf8));
        assert_eq!(code(b"-ERR [SYS] no"), Some(ResponseCode::Other));
        assert_eq!(code(b"-ERR [X/Y] no"), Some(ResponseCode::Other));
        assert_eq!(code(b"-ERR [AUTH no"), None);
        assert_eq!(code(b"-ERR no [AUTH]"), None);
    }

    #[test]
    fn numbers_that_overflow_are_errors() {
        assert_eq!(
            stat(b"2  320 octets"),
            Ok(Stat {
                count: 2,
                octets: 320
            })
        );
        assert!(stat(b"4294967296 1").is_err());
        assert!(stat(b"1 18446744073709551616").is_err());
        assert!(stat(b"1").is_err());
        assert!(stat(b"-1 +2").is_err());
        assert!(list_line(b"0 12").is_err());
        assert!(list_line(b"4294967296 12").is_err());
        assert_eq!(
            list_line(b"4294967295 18446744073709551615").unwrap().1,
            Some(u64::MAX)
        );
        for line in [
            &b"2 18446744073709551616"[..],
            b"2 %!d(float64=162)",
            b"2 -3",
            b"2",
        ] {
            assert_eq!(list_line(line).unwrap().1, None, "{line:?}");
        }
    }

    #[test]
    fn a_unique_id_is_the_rest_of_its_line() {
        for (line, unique_id) in [
            (
                &b"1 whqtswO00WBw418f9t5JxYwZ"[..],
                &b"whqtswO00WBw418f9t5JxYwZ"[..],
            ),
            (b"1   two words \t", b"two words"),
            (b"1", b""),
            (b"1 ", b""),
            (b"1 \xff/../\0", b"\xff/../\0"),
        ] {
            assert_eq!(uidl_line(line).unwrap().1.as_bytes(), unique_id);
        }
        assert!(uidl_line(b"0 x").is_err());
        assert!(uidl_line(b"x 1").is_err());
        assert!(uidl_line(b"").is_err());
    }

    #[test]
    fn a_challenge_is_strict_base64() {
        assert_eq!(challenge(b"").unwrap(), b"");
        assert_eq!(challenge(b" dj1B ").unwrap(), b"v=A");
        for text in [
            &b"dj1"[..],
            b"dj 1B",
            b"dj1B=",
            b"dj1=",
            b"-_-_",
            b"\xff\xff\xff\xff",
        ] {
            assert_eq!(challenge(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_a_strict_message_id_is_a_timestamp() {
        let rfc = &b"<1896.697170952@dbc.mtview.ca.us>"[..];
        assert_eq!(
            greeting_timestamp(b"POP3 server ready <1896.697170952@dbc.mtview.ca.us>"),
            Some(rfc)
        );
        assert_eq!(
            greeting_timestamp(b"<ready> <1896.697170952@dbc.mtview.ca.us> go"),
            Some(rfc)
        );
        for text in [
            &b"<a>"[..],
            b"<a@b@c>",
            b"<a b@c>",
            b"<a@\xff>",
            b"<a@b",
            b"<@>",
            b"<a..b@c>",
            b"<\0@b>",
        ] {
            assert_eq!(greeting_timestamp(text), None, "{text:?}");
        }
    }
}
