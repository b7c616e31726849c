//! What was given away on a connection: a server may repeat what it does not understand, and its words are logged and shown.

use memchr::memmem::find;
use zeroize::Zeroizing;

use crate::maildrop::fault::Fault;
use crate::pop3::{Event, ProtocolError, ServerText, Status};

/// What is said instead of words that nobody may see.
const WITHHELD: &str = "its words repeat the secret";

/// The secrets as they were written, each for as long as the connection: words may come late.
#[derive(Default)]
pub(crate) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl Secrets {
    pub(crate) fn add(&mut self, secret: &[u8]) {
        if !secret.is_empty() {
            self.0.push(Zeroizing::new(secret.to_vec()));
        }
    }

    /// The words of an -ERR are shown. A program may have to read those of a +OK, which go to the log alone.
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

    pub(crate) fn withhold_from(&self, mut fault: Fault) -> Fault {
        if let Fault::Protocol(error) = &mut fault {
            self.withhold_from_words(error);
        }
        fault
    }

    /// The event for the log.
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
