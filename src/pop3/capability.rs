//! What the server announces with CAPA (RFC 2449).

use std::fmt;

use super::limits::{MAX_CAPABILITY_LINES, MAX_MECHANISM_NAME, MAX_SASL_MECHANISMS};
use super::text::ServerText;

/// The capabilities of a session, in the state in which CAPA was sent.
///
/// Many servers know UIDL and TOP without announcing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// TOP works.
    pub top: bool,
    /// USER and PASS work.
    pub user: bool,
    /// Commands may be written before the replies to earlier ones have come. Believe it only after
    /// the login.
    pub pipelining: bool,
    /// Headers can be served as UTF-8 (RFC 6856).
    pub utf8: bool,
    /// The SASL mechanisms in upper case and in the server's order (RFC 5034).
    pub sasl: Vec<String>,
    /// The least time between two logins, in seconds.
    pub login_delay: Option<u32>,
    /// How long the server keeps messages.
    pub expire: Option<Expire>,
    announced: Vec<ServerText>,
}

/// How long the server keeps a message (RFC 2449 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Until a client deletes it.
    Never,
    /// At least this many days. With 0 days the server may delete a retrieved message at QUIT
    /// without a DELE.
    Days(u32),
}

impl Capabilities {
    /// No capability.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of CAPA's reply. Lines that this program does not use are kept only for
    /// [`fmt::Display`]. Lines beyond [`MAX_CAPABILITY_LINES`] are dropped.
    ///
    /// ```text
    /// capability   = capa-tag *(SP param) CRLF      ; RFC 2449 section 3
    /// ```
    pub fn add(&mut self, line: &[u8]) {
        if self.announced.len() == MAX_CAPABILITY_LINES {
            return;
        }
        self.announced.push(ServerText::from(line));
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace();
        let Some(tag) = words.next() else { return };
        self.take(&tag.to_ascii_uppercase(), words);
    }

    /// Whether the server offers the SASL mechanism. Case does not matter.
    pub fn offers_sasl(&self, mechanism: &str) -> bool {
        self.sasl
            .iter()
            .any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }

    /// Whether the server announced nothing.
    pub fn is_empty(&self) -> bool {
        self.announced.is_empty()
    }

    /// The capabilities after the login: those announced then, or the earlier ones if none were.
    /// EXPIRE and LOGIN-DELAY restrict the client, so they hold until the server announces others.
    #[must_use]
    pub fn renewed(self, after: Self) -> Self {
        if after.is_empty() {
            return self;
        }
        Self {
            expire: after.expire.or(self.expire),
            login_delay: after.login_delay.or(self.login_delay),
            ..after
        }
    }

    fn take<'a>(&mut self, tag: &str, mut parameters: impl Iterator<Item = &'a str>) {
        match tag {
            "TOP" => self.top = true,
            "USER" => self.user = true,
            "PIPELINING" => self.pipelining = true,
            "UTF8" => self.utf8 = true,
            "SASL" => parameters.for_each(|name| self.add_mechanism(name)),
            "LOGIN-DELAY" => {
                self.login_delay = parameters.next().and_then(|seconds| seconds.parse().ok());
            }
            "EXPIRE" => self.expire = parameters.next().and_then(Expire::parse),
            // GNU mailutils leaves out the space.
            "EXPIRENEVER" => self.expire = Some(Expire::Never),
            _ => {}
        }
    }

    fn add_mechanism(&mut self, name: &str) {
        let acceptable = name.len() <= MAX_MECHANISM_NAME && !self.offers_sasl(name);
        if acceptable && self.sasl.len() < MAX_SASL_MECHANISMS {
            self.sasl.push(name.to_ascii_uppercase());
        }
    }
}

/// The announced lines, separated by commas.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.announced.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

impl Expire {
    fn parse(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        word.parse().ok().map(Self::Days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(lines: &[&str]) -> Capabilities {
        let mut capabilities = Capabilities::new();
        lines
            .iter()
            .for_each(|line| capabilities.add(line.as_bytes()));
        capabilities
    }

    #[test]
    fn tags_and_mechanisms_ignore_case() {
        let capabilities = announced(&[
            "top",
            "Uidl",
            "SASL plain Scram-Sha-256",
            "SASL PLAIN x-a-name-of-21-octets",
        ]);
        assert!(capabilities.top && !capabilities.pipelining);
        assert_eq!(capabilities.sasl, ["PLAIN", "SCRAM-SHA-256"]);
        assert!(capabilities.offers_sasl("plain"));
        assert_eq!(
            capabilities.to_string(),
            "top, Uidl, SASL plain Scram-Sha-256, SASL PLAIN x-a-name-of-21-octets"
        );
    }

    #[test]
    fn every_form_of_expire_is_parsed() {
        for (line, expire) in [
            ("EXPIRE NEVER", Some(Expire::Never)),
            ("EXPIRENEVER", Some(Expire::Never)),
            ("EXPIRE 0", Some(Expire::Days(0))),
            ("expire 30 USER", Some(Expire::Days(30))),
            ("EXPIRE", None),
            ("EXPIRE 4294967296", None),
        ] {
            assert_eq!(announced(&[line]).expire, expire, "{line}");
        }
    }

    #[test]
    fn earlier_restrictions_hold_until_the_server_changes_them() {
        let before = announced(&["TOP", "PIPELINING", "EXPIRE 0", "LOGIN-DELAY 300"]);
        assert_eq!(before.clone().renewed(Capabilities::new()), before);
        let after = before.renewed(announced(&["USER", "LOGIN-DELAY 10"]));
        assert!(after.user && !after.top && !after.pipelining);
        assert_eq!(after.expire, Some(Expire::Days(0)));
        assert_eq!(after.login_delay, Some(10));
    }

    #[test]
    fn an_endless_capa_reply_is_cut_at_its_limit() {
        let mut capabilities = Capabilities::new();
        (0..3 * MAX_CAPABILITY_LINES)
            .for_each(|n| capabilities.add(format!("SASL M{n}").as_bytes()));
        assert_eq!(capabilities.announced.len(), MAX_CAPABILITY_LINES);
        assert_eq!(capabilities.sasl.len(), MAX_SASL_MECHANISMS);
    }
}
