//! The secrets sent on a connection. A server may repeat a command that it does not understand, and
//! pop3fs logs and shows the server's words. So words that repeat a secret are withheld.

use memchr::memmem::find;
use zeroize::Zeroizing;

use crate::maildrop::fault::Fault;
use crate::pop3::{Event, ProtocolError, ServerText, Status};

/// What replaces words that repeat a secret.
const WITHHELD: &str = "its words repeat the secret";

/// The secrets as they were sent. They are kept until the connection ends, because the server may
/// repeat one late.
#[derive(Default)]
pub(crate) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl Secrets {
    /// Adds a secret, as it was sent.
    pub(crate) fn add(&mut self, secret: &[u8]) {
        if !secret.is_empty() {
            self.0.push(Zeroizing::new(secret.to_vec()));
        }
    }

    /// Replaces the words of an -ERR that repeat a secret, because users see them. The words of a
    /// +OK stay as they are, because the client may have to parse them. Only the log could show
    /// them, and [`Secrets::readable`] withholds them there.
    pub(crate) fn withhold<'e>(&self, event: Event<'e>) -> Event<'e> {
        match event {
            Event::Done(status) if !status.is_ok() && self.are_in(status.text) => {
                Event::Done(Status {
                    text: WITHHELD.as_bytes(),
                    ..status
                })
            }
            event => event,
        }
    }

    /// Replaces the server's words in a fault if they repeat a secret.
    pub(crate) fn withhold_from(&self, mut fault: Fault) -> Fault {
        if let Fault::Protocol(error) = &mut fault {
            self.withhold_from_words(error);
        }
        fault
    }

    /// The event as the log may show it.
    pub(crate) fn readable(&self, event: &Event<'_>) -> String {
        let octets = match event {
            Event::Done(status) | Event::Opened(status) => status.text,
            Event::Line(line) => line,
            Event::Challenge(_) | Event::Body(_) | Event::End => &[],
        };
        match self.are_in(octets) {
            true => format!("({WITHHELD})"),
            false => event.to_string(),
        }
    }

    fn withhold_from_words(&self, error: &mut ProtocolError) {
        if let Some(words) = error.words_mut()
            && self.0.iter().any(|secret| words.shows(secret))
        {
            *words = ServerText::from(WITHHELD.as_bytes());
        }
    }

    fn are_in(&self, octets: &[u8]) -> bool {
        self.0.iter().any(|secret| find(octets, secret).is_some())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}
