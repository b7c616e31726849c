//! A buffer for the headers of one message.

use crate::maildrop::catalogue::identity::LONGEST_HEADERS;
use crate::maildrop::fault::Fault;

/// Collects the headers of one message while the server sends them.
#[derive(Debug, Default)]
pub(crate) struct HeaderBuffer {
    /// The headers received so far, at most [`LONGEST_HEADERS`] octets.
    pub(crate) kept: Vec<u8>,
    /// How many octets were received, kept or not.
    received: u64,
}

impl HeaderBuffer {
    /// Adds octets that were received.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] if the server has sent more than `most` octets.
    pub(crate) fn take(&mut self, octets: &[u8], most: u64) -> Result<(), Fault> {
        self.received += octets.len() as u64;
        if self.received > most {
            return Err(Fault::TooLarge);
        }
        let room = LONGEST_HEADERS - self.kept.len();
        self.kept
            .extend_from_slice(&octets[..octets.len().min(room)]);
        Ok(())
    }
}
