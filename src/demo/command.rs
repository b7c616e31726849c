//! Parses a line from the client into a command.

use super::refusal::DemoRefusal;

/// A command of RFC 1939 section 9, or CAPA (RFC 2449 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DemoCommand {
    Capa,
    User(String),
    Pass(String),
    Stat,
    List(Option<RequestedNumber>),
    Uidl(Option<RequestedNumber>),
    Retr(RequestedNumber),
    /// The message and the number of body lines.
    Top(RequestedNumber, usize),
    Dele(RequestedNumber),
    Rset,
    Noop,
    Quit,
}

/// The number that the client sent; the maildrop may have no such message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestedNumber(pub(super) usize);

impl DemoCommand {
    /// Parses a line without its CRLF. Keywords are case-insensitive; one space precedes each
    /// argument (RFC 1939 section 3).
    pub(super) fn parse(line: &[u8]) -> Result<Self, DemoRefusal> {
        let line = str::from_utf8(line).map_err(|_| DemoRefusal::NotUnderstood)?;
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        let arguments: Vec<&str> = if rest.is_empty() {
            vec![]
        } else {
            rest.split(' ').collect()
        };
        Ok(
            match (keyword.to_ascii_uppercase().as_str(), arguments.as_slice()) {
                ("CAPA", []) => Self::Capa,
                ("USER", [name]) => Self::User((*name).to_owned()),
                // A password may contain spaces (RFC 1939 section 7).
                ("PASS", [_, ..]) => Self::Pass(rest.to_owned()),
                ("STAT", []) => Self::Stat,
                ("LIST", []) => Self::List(None),
                ("LIST", [number]) => Self::List(Some(message_number(number)?)),
                ("UIDL", []) => Self::Uidl(None),
                ("UIDL", [number]) => Self::Uidl(Some(message_number(number)?)),
                ("RETR", [number]) => Self::Retr(message_number(number)?),
                ("TOP", [number, lines]) => Self::Top(message_number(number)?, decimal(lines)?),
                ("DELE", [number]) => Self::Dele(message_number(number)?),
                ("RSET", []) => Self::Rset,
                ("NOOP", []) => Self::Noop,
                ("QUIT", []) => Self::Quit,
                _ => return Err(DemoRefusal::NotUnderstood),
            },
        )
    }
}

fn message_number(digits: &str) -> Result<RequestedNumber, DemoRefusal> {
    decimal(digits).map(RequestedNumber)
}

/// Accepts digits only; `parse` alone would also accept a sign.
fn decimal(digits: &str) -> Result<usize, DemoRefusal> {
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(DemoRefusal::NotUnderstood);
    }
    digits.parse().map_err(|_| DemoRefusal::NotUnderstood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_case_insensitive() {
        assert_eq!(
            DemoCommand::parse(b"rEtR 7"),
            Ok(DemoCommand::Retr(RequestedNumber(7)))
        );
    }

    #[test]
    fn a_password_keeps_its_spaces() {
        assert_eq!(
            DemoCommand::parse(b"PASS a  b "),
            Ok(DemoCommand::Pass("a  b ".into()))
        );
    }

    #[test]
    fn unknown_commands_and_wrong_arguments_are_refused() {
        for line in [
            "",
            "HELO",
            "RETR",
            "RETR +1",
            "RETR -1",
            "RETR 1 2",
            "TOP 1",
            "DELE 99999999999999999999",
            "NOOP 1",
        ] {
            assert_eq!(
                DemoCommand::parse(line.as_bytes()),
                Err(DemoRefusal::NotUnderstood),
                "{line}"
            );
        }
        assert_eq!(
            DemoCommand::parse(b"USER \xff"),
            Err(DemoRefusal::NotUnderstood)
        );
    }
}
