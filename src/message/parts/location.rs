//! Where the octets of a part are in a message.

use std::borrow::Cow;
use std::ops::Range;

use crate::message::body::transfer::Encoding;

/// A range of the message's octets, or of those of a nested message, which may be encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Location {
    /// What to decode, from the outside in, to get the octets that the range belongs to.
    through: Vec<Encoded>,
    range: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Encoded {
    range: Range<usize>,
    encoding: Encoding,
}

impl Location {
    pub(super) fn whole(octets: &[u8]) -> Self {
        Self {
            through: Vec::new(),
            range: 0..octets.len(),
        }
    }

    /// A range within this location.
    pub(super) fn within(&self, range: &Range<usize>) -> Self {
        Self {
            through: self.through.clone(),
            range: self.range.start + range.start..self.range.start + range.end,
        }
    }

    /// The decoded octets of a range within this location.
    pub(super) fn decoded(&self, range: &Range<usize>, encoding: Encoding, size: usize) -> Self {
        if encoding == Encoding::Identity {
            return self.within(range);
        }
        let mut through = self.through.clone();
        through.push(Encoded {
            range: self.within(range).range,
            encoding,
        });
        Self {
            through,
            range: 0..size,
        }
    }

    /// The octets, if `message` is the one that the location was made for. In another message
    /// whatever is there, perhaps nothing.
    pub(super) fn octets<'m>(&self, message: &'m [u8]) -> Cow<'m, [u8]> {
        let mut octets = Cow::Borrowed(message);
        for step in &self.through {
            octets = Cow::Owned(
                step.encoding
                    .decode(&slice(octets, &step.range))
                    .into_owned(),
            );
        }
        slice(octets, &self.range)
    }
}

fn slice<'m>(octets: Cow<'m, [u8]>, range: &Range<usize>) -> Cow<'m, [u8]> {
    match octets {
        Cow::Borrowed(octets) => Cow::Borrowed(octets.get(range.clone()).unwrap_or_default()),
        Cow::Owned(octets) if *range == (0..octets.len()) => Cow::Owned(octets),
        Cow::Owned(octets) => Cow::Owned(octets.get(range.clone()).unwrap_or_default().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_may_lead_through_encoded_octets() {
        let message = b"..aGVsbG8gd29ybGQ=..";
        let whole = Location::whole(message);
        let decoded = whole.decoded(&(2..18), Encoding::Base64, 11);
        assert_eq!(&*decoded.octets(message), b"hello world");
        assert_eq!(&*decoded.within(&(6..11)).octets(message), b"world");
        assert_eq!(
            &*whole.within(&(2..18)).within(&(0..4)).octets(message),
            b"aGVs"
        );
    }

    #[test]
    fn another_message_gives_no_panic() {
        let location = Location::whole(b"abc").within(&(1..3));
        assert_eq!(&*location.octets(b""), b"");
        let decoded = Location::whole(b"aGVsbG8=").decoded(&(0..8), Encoding::Base64, 5);
        assert_eq!(&*decoded.octets(b"aGVs"), b"");
    }
}
