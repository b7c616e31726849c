//! Numbers and tags that identify a message.

slotmap::new_key_type! {
    /// A message of this mount. It never changes while the mount lasts, and no other message gets
    /// it.
    pub struct MessageId;
}

/// Distinguishes messages that have the same title: `6b02a91c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) u32);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl std::str::FromStr for Tag {
    type Err = std::num::ParseIntError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        u32::from_str_radix(digits, 16).map(Self)
    }
}

/// The count of a mount's listings so far. POP3 message numbers are valid for one listing only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListingSerial(pub(crate) u64);
