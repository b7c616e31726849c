//! One line in, one command out.

use super::session::Refusal;

/// A command of RFC 1939 §9, or CAPA (RFC 2449 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Capa,
    User(String),
    Pass(String),
    Stat,
    List(Option<MessageNumber>),
    Uidl(Option<MessageNumber>),
    Retr(MessageNumber),
    /// With how many lines of the body.
    Top(MessageNumber, usize),
    Dele(MessageNumber),
    Rset,
    Noop,
    Quit,
}

/// As the client wrote it: may lie outside the maildrop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageNumber(pub(super) usize);

impl Command {
    /// Parses a line without its CRLF. Keywords are case-insensitive, arguments stand behind one space (RFC 1939 §3).
    pub(super) fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let line = str::from_utf8(line).map_err(|_| Refusal::NotUnderstood)?;
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
                // A password may hold spaces (RFC 1939 §7).
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
                _ => return Err(Refusal::NotUnderstood),
            },
        )
    }
}

fn message_number(digits: &str) -> Result<MessageNumber, Refusal> {
    decimal(digits).map(MessageNumber)
}

/// Digits alone: `parse` would take a sign, too.
fn decimal(digits: &str) -> Result<usize, Refusal> {
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Refusal::NotUnderstood);
    }
    digits.parse().map_err(|_| Refusal::NotUnderstood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_case_insensitive() {
        assert_eq!(
            Command::parse(b"rEtR 7"),
            Ok(Command::Retr(MessageNumber(7)))
        );
    }

    #[test]
    fn a_password_keeps_its_spaces() {
        assert_eq!(
            Command::parse(b"PASS a  b "),
            Ok(Command::Pass("a  b ".into()))
        );
    }

    #[test]
    fn what_is_not_a_command_is_not_understood() {
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
                Command::parse(line.as_bytes()),
                Err(Refusal::NotUnderstood),
                "{line}"
            );
        }
        assert_eq!(Command::parse(b"USER \xff"), Err(Refusal::NotUnderstood));
    }
}
