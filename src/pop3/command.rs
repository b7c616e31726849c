//! The commands of the client.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::decoder::Shape;
use super::error::{Argument, CommandError};
use super::limits::{COMMAND_LENGTH, MAX_MECHANISM_NAME};
use super::text::ServerText;
use super::types::MessageNumber;

/// A command, or the client's part of a SASL exchange.
///
/// Neither `Debug` nor `Display` shows a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Asks for the capabilities (RFC 2449 section 5).
    Capa,
    /// Begins TLS. Nothing may be written before the handshake (RFC 2595 section 4).
    Stls,
    /// Asks for messages as they are, with UTF-8 in headers (RFC 6856 section 2).
    Utf8,
    /// Names the user.
    User(&'a str),
    /// The password, unencrypted in the line. It need not be UTF-8.
    Pass(&'a [u8]),
    /// Names the user and proves the password by an MD5 digest (RFC 1939 section 7).
    Apop {
        /// The user name, which must not contain a space.
        user: &'a str,
        /// 32 hexadecimal digits.
        digest: &'a str,
    },
    /// Begins a SASL exchange (RFC 5034 section 4).
    Auth {
        /// The registered name of the mechanism, such as `PLAIN`.
        mechanism: &'a str,
        /// The first response before base64, if [`Command::initial_response_fits`].
        initial: Option<&'a [u8]>,
    },
    /// The answer to a challenge, before base64.
    SaslResponse(&'a [u8]),
    /// Cancels a SASL exchange. The server answers -ERR.
    SaslCancel,
    /// Asks for the number of messages and octets.
    Stat,
    /// Asks for the size of every message.
    List,
    /// Asks for the unique-id of every message.
    Uidl,
    /// Asks for the headers of a message and its first lines.
    Top {
        /// The message.
        message: MessageNumber,
        /// How many lines behind the headers.
        lines: u32,
    },
    /// Asks for a whole message.
    Retr(MessageNumber),
    /// Marks a message, which QUIT then deletes.
    Dele(MessageNumber),
    /// Does nothing but reset the server's idle timer.
    Noop,
    /// Cancels every DELE of the session.
    Rset,
    /// Ends the session. The server deletes the marked messages (UPDATE state).
    Quit,
}

impl Command<'_> {
    /// Appends the line to `out`, with its CRLF.
    ///
    /// After a PASS or a SASL response `out` contains a secret, which the caller must wipe.
    ///
    /// # Errors
    /// POP3 cannot carry an argument. `out` is then unchanged.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        self.check()?;
        let start = out.len();
        // A buffer that grows while it is written would leave a part of the secret in freed memory.
        out.reserve(self.most_octets());
        self.write(out);
        out.extend_from_slice(b"\r\n");
        match self.bounded_by() {
            Some(argument) if out.len() - start > COMMAND_LENGTH => {
                out.truncate(start);
                Err(CommandError::TooLong(argument))
            }
            _ => Ok(()),
        }
    }

    /// The framing of the reply. [`Command::SaslResponse`] and [`Command::SaslCancel`] belong to
    /// the reply that AUTH already made the server owe; do not expect another.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Capa | Self::List | Self::Uidl => Shape::Lines,
            Self::Top { .. } | Self::Retr(_) => Shape::Body,
            Self::Auth { .. } | Self::SaslResponse(_) | Self::SaslCancel => Shape::Sasl,
            _ => Shape::Status,
        }
    }

    /// The secret in a line made by [`Command::encode`].
    pub fn secret_in<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        let before = match *self {
            Self::Pass(_) => "PASS ".len(),
            Self::SaslResponse(_) => 0,
            Self::Auth {
                mechanism,
                initial: Some(_),
            } => "AUTH ".len() + mechanism.len() + " ".len(),
            _ => return None,
        };
        line.get(before..)?.strip_suffix(b"\r\n")
    }

    /// Whether AUTH may carry this first response. If not, the server asks for it with an empty
    /// challenge.
    pub fn initial_response_fits(mechanism: &str, initial: &[u8]) -> bool {
        let encoded = encoded_length(initial).max("=".len());
        let framing = "AUTH ".len() + mechanism.len() + " ".len() + "\r\n".len();
        encoded.saturating_add(framing) <= COMMAND_LENGTH
    }

    /// An upper bound of the length of the line.
    fn most_octets(&self) -> usize {
        let secret = match *self {
            Self::Pass(password) => password.len(),
            Self::Auth {
                initial: Some(response),
                ..
            }
            | Self::SaslResponse(response) => encoded_length(response),
            _ => 0,
        };
        COMMAND_LENGTH.saturating_add(secret)
    }

    fn check(&self) -> Result<(), CommandError> {
        match *self {
            Self::User(user) => {
                check_not_empty(user, Argument::UserName)?;
                check_line(user.as_bytes(), Argument::UserName)
            }
            Self::Pass(password) => check_line(password, Argument::Password),
            Self::Apop { user, digest } => {
                check_word(user, Argument::UserName)?;
                check_word(digest, Argument::Digest)
            }
            Self::Auth { mechanism, .. } => check_mechanism(mechanism),
            _ => Ok(()),
        }
    }

    /// The argument to blame if the command is too long.
    fn bounded_by(&self) -> Option<Argument> {
        match self {
            Self::User(_) | Self::Apop { .. } => Some(Argument::UserName),
            Self::Pass(_) => Some(Argument::Password),
            Self::Auth { .. } => Some(Argument::InitialResponse),
            _ => None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.verb().as_bytes());
        match *self {
            Self::User(user) => write_argument(user.as_bytes(), out),
            Self::Pass(password) => write_argument(password, out),
            Self::Apop { user, digest } => {
                write_argument(user.as_bytes(), out);
                write_argument(digest.as_bytes(), out);
            }
            Self::Auth { mechanism, initial } => {
                write_argument(mechanism.as_bytes(), out);
                write_initial_response(initial, out);
            }
            Self::SaslResponse(response) => write_base64(response, out),
            Self::Top { message, lines } => {
                write_argument(message.to_string().as_bytes(), out);
                write_argument(lines.to_string().as_bytes(), out);
            }
            Self::Retr(message) | Self::Dele(message) => {
                write_argument(message.to_string().as_bytes(), out);
            }
            _ => {}
        }
    }

    /// The first word of the line. A SASL response has none.
    fn verb(&self) -> &'static str {
        match self {
            Self::Capa => "CAPA",
            Self::Stls => "STLS",
            Self::Utf8 => "UTF8",
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Apop { .. } => "APOP",
            Self::Auth { .. } => "AUTH",
            Self::SaslResponse(_) => "",
            Self::SaslCancel => "*",
            Self::Stat => "STAT",
            Self::List => "LIST",
            Self::Uidl => "UIDL",
            Self::Top { .. } => "TOP",
            Self::Retr(_) => "RETR",
            Self::Dele(_) => "DELE",
            Self::Noop => "NOOP",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
        }
    }
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        match *self {
            Self::User(user) => write!(f, " {}", ServerText::from(user.as_bytes())),
            Self::Apop { user, .. } => write!(f, " {} ***", ServerText::from(user.as_bytes())),
            Self::Auth { mechanism, initial } => {
                write!(f, " {}", ServerText::from(mechanism.as_bytes()))?;
                f.write_str(initial.map_or("", |_| " ***"))
            }
            Self::Pass(_) => f.write_str(" ***"),
            Self::SaslResponse(_) => f.write_str("***"),
            Self::Top { message, lines } => write!(f, " {message} {lines}"),
            Self::Retr(message) | Self::Dele(message) => write!(f, " {message}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}

fn write_argument(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(octets);
}

/// `AUTH mechanism [initial-response]`, where the empty response is `=` (RFC 5034 section 4).
fn write_initial_response(initial: Option<&[u8]>, out: &mut Vec<u8>) {
    match initial {
        None => {}
        Some([]) => write_argument(b"=", out),
        Some(response) => {
            out.push(b' ');
            write_base64(response, out);
        }
    }
}

/// The length of the base64, with padding.
fn encoded_length(octets: &[u8]) -> usize {
    octets.len().div_ceil(3).saturating_mul(4)
}

fn write_base64(octets: &[u8], out: &mut Vec<u8>) {
    let encoded = Zeroizing::new(BASE64.encode(octets));
    out.extend_from_slice(encoded.as_bytes());
}

fn check_not_empty(text: &str, argument: Argument) -> Result<(), CommandError> {
    if text.is_empty() {
        return Err(CommandError::Empty(argument));
    }
    Ok(())
}

fn check_line(octets: &[u8], argument: Argument) -> Result<(), CommandError> {
    if octets.iter().any(|octet| b"\r\n\0".contains(octet)) {
        return Err(CommandError::ForbiddenOctet(argument));
    }
    Ok(())
}

fn check_word(text: &str, argument: Argument) -> Result<(), CommandError> {
    check_not_empty(text, argument)?;
    check_line(text.as_bytes(), argument)?;
    if text.contains(' ') {
        return Err(CommandError::ForbiddenSpace(argument));
    }
    Ok(())
}

fn check_mechanism(name: &str) -> Result<(), CommandError> {
    check_word(name, Argument::Mechanism)?;
    let known_octets = name
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    if !known_octets || name.len() > MAX_MECHANISM_NAME {
        return Err(CommandError::BadMechanism(ServerText::from(
            name.as_bytes(),
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(command: Command<'_>) -> Result<String, CommandError> {
        let mut out = Vec::new();
        command.encode(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_line_end_in_an_argument_is_refused() {
        for text in ["a\r\nDELE 1", "a\n", "a\0b"] {
            let error = CommandError::ForbiddenOctet;
            assert_eq!(encoded(Command::User(text)), Err(error(Argument::UserName)));
            assert_eq!(
                encoded(Command::Pass(text.as_bytes())),
                Err(error(Argument::Password))
            );
            assert_eq!(
                encoded(Command::Apop {
                    user: "a",
                    digest: text
                }),
                Err(error(Argument::Digest))
            );
            let auth = Command::Auth {
                mechanism: text,
                initial: None,
            };
            assert_eq!(encoded(auth), Err(error(Argument::Mechanism)));
        }
    }

    #[test]
    fn a_name_that_must_be_one_word_is_refused_otherwise() {
        let apop = |user| encoded(Command::Apop { user, digest: "0" });
        assert_eq!(
            apop("a b"),
            Err(CommandError::ForbiddenSpace(Argument::UserName))
        );
        assert_eq!(apop(""), Err(CommandError::Empty(Argument::UserName)));
        assert_eq!(
            encoded(Command::User("")),
            Err(CommandError::Empty(Argument::UserName))
        );
        assert_eq!(encoded(Command::User("a b")).unwrap(), "USER a b\r\n");
        assert_eq!(encoded(Command::Pass(b" ")).unwrap(), "PASS  \r\n");
        let auth = |mechanism| {
            encoded(Command::Auth {
                mechanism,
                initial: None,
            })
        };
        assert!(matches!(auth("PLAIN;"), Err(CommandError::BadMechanism(_))));
        assert!(matches!(
            auth("A-NAME-OF-21-OCTETS-X"),
            Err(CommandError::BadMechanism(_))
        ));
    }

    #[test]
    fn a_command_of_more_than_255_octets_writes_nothing() {
        let longest = vec![b'\xff'; COMMAND_LENGTH - "PASS \r\n".len()];
        let mut out = Vec::new();
        Command::Pass(&longest).encode(&mut out).unwrap();
        assert_eq!(out.len(), COMMAND_LENGTH);
        let mut out = b"STAT\r\n".to_vec();
        let error = Command::Pass(&[&longest[..], b"x"].concat()).encode(&mut out);
        assert_eq!(error, Err(CommandError::TooLong(Argument::Password)));
        assert_eq!(out, b"STAT\r\n");
    }

    #[test]
    fn an_initial_response_fits_only_if_auth_can_be_written() {
        for length in 0..300 {
            let response = vec![b'x'; length];
            let auth = Command::Auth {
                mechanism: "SCRAM-SHA-256",
                initial: Some(&response),
            };
            let fits = Command::initial_response_fits("SCRAM-SHA-256", &response);
            assert_eq!(encoded(auth).is_ok(), fits, "{length} octets");
        }
        assert_eq!(
            encoded(Command::SaslResponse(&[b'x'; 3000])).unwrap().len(),
            4002
        );
    }

    #[test]
    fn the_buffer_does_not_move_while_a_secret_is_written() {
        let token = vec![b'x'; 5000];
        let mut out = Vec::new();
        let response = Command::SaslResponse(&token);
        out.reserve(response.most_octets());
        let place = out.as_ptr();
        response.encode(&mut out).unwrap();
        assert_eq!(out.as_ptr(), place);
        assert!(out.len() <= response.most_octets());
    }

    #[test]
    fn debug_and_display_show_no_secret() {
        let commands = [
            (Command::Pass(b"secret"), "PASS ***"),
            (
                Command::Apop {
                    user: "alice",
                    digest: "secret",
                },
                "APOP alice ***",
            ),
            (
                Command::Auth {
                    mechanism: "PLAIN",
                    initial: Some(b"secret"),
                },
                "AUTH PLAIN ***",
            ),
            (
                Command::Auth {
                    mechanism: "PLAIN",
                    initial: None,
                },
                "AUTH PLAIN",
            ),
            (Command::SaslResponse(b"secret"), "***"),
            (Command::User("alice\n"), r"USER alice\x0a"),
        ];
        for (command, shown) in commands {
            assert_eq!(command.to_string(), shown);
            assert_eq!(format!("{command:?}"), format!("Command({shown})"));
        }
    }
}
