//! Message numbers and unique-ids.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::text::ServerText;

/// The number of a message, which is valid only within one session (RFC 1939 section 5).
///
/// Never 0: `RETR 0` crashes one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(NonZeroU32);

impl MessageNumber {
    /// None for 0.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number, at least 1.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identifier that UIDL gives a message in every session (RFC 1939 section 7). It comes from
/// the server, so it may be empty, contain `/`, `..`, NUL or 8-bit octets, be as long as a line of
/// a listing, and belong to two messages. A clone shares the octets: a listing of 100,000 messages is
/// passed on several times.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(Arc<[u8]>);

impl UniqueId {
    /// The identifier as the server sent it. [`super::limits::MAX_LISTING_LINE`] bounds its length.
    pub fn from_wire(octets: &[u8]) -> Self {
        Self(octets.into())
    }

    /// The identifier whose octets these are, without a copy.
    pub fn from_octets(octets: &Arc<[u8]>) -> Self {
        Self(Arc::clone(octets))
    }

    /// The octets as the server sent them, without a copy.
    pub fn octets(&self) -> Arc<[u8]> {
        Arc::clone(&self.0)
    }

    /// The octets as the server sent them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UniqueId({:?})", ServerText::from(&*self.0))
    }
}
