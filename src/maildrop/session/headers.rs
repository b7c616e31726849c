//! The headers of one message on their way.

use crate::maildrop::catalogue::identity::LONGEST_HEADERS;
use crate::maildrop::fault::Fault;

/// The headers of one message on their way.
#[derive(Debug, Default)]
pub(crate) struct HeaderBuffer {
    pub(crate) kept: Vec<u8>,
    received: u64,
}

impl HeaderBuffer {
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
