//! Numbers and tags that tell messages apart.

/// A message of this mount; its place in the catalogue, for as long as the mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(crate) u32);

impl MessageId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Tells apart what is called the same: `6b02a91c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(crate) u32);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl std::str::FromStr for Tag {
    type Err = std::num::ParseIntError;

    fn from_str(digits: &str) -> Result<Tag, Self::Err> {
        u32::from_str_radix(digits, 16).map(Tag)
    }
}

/// Counts the listings of a mount. Message numbers are those of one listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListingSerial(pub(crate) u64);
