//! Digests of header fields, by which a message is known again.

use sha2::{Digest, Sha256};

use crate::maildrop::catalogue::identity::{HeaderEnd, digest_of_fields};

/// A digest of header fields or of a whole body: 128 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HeaderDigest(pub(crate) [u8; 16]);

/// By which command header fields came. Some servers send other fields with one than with the other: Courier a surrogate
/// where the client did not say UTF8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderSource {
    /// TOP.
    Top,
    /// RETR.
    Body,
}

/// What LIST says of a message's content since its headers were last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentSince {
    /// It has the same octets.
    Unchanged,
    /// It had other octets.
    Altered,
}

/// The digests of a message's header fields, by the command that they came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    /// As TOP showed them.
    pub(crate) by_top: Option<HeaderDigest>,
    /// As RETR showed them.
    pub(crate) by_body: Option<HeaderDigest>,
}

impl HeaderDigest {
    /// Of the fields up to the empty line, without those that servers write themselves. `None` where the empty line is
    /// missing: the fields may have been cut.
    pub(crate) fn of_complete_headers(octets: &[u8]) -> Option<Self> {
        match digest_of_fields(octets) {
            (digest, HeaderEnd::EmptyLine) => Some(Self::from_sha256(digest)),
            (_, HeaderEnd::Missing) => None,
        }
    }

    /// Of all these octets.
    pub(crate) fn of_body(octets: &[u8]) -> Self {
        Self::from_sha256(Sha256::new_with_prefix(octets))
    }

    /// Shortens a complete digest.
    pub(crate) fn from_sha256(digest: Sha256) -> Self {
        let mut kept = [0; 16];
        kept.copy_from_slice(&digest.finalize()[..16]);
        Self(kept)
    }
}

impl Digests {
    /// The digest by that command.
    pub(crate) fn by(self, source: HeaderSource) -> Option<HeaderDigest> {
        match source {
            HeaderSource::Top => self.by_top,
            HeaderSource::Body => self.by_body,
        }
    }

    /// Whether the headers were ever seen.
    pub(crate) fn is_known(self) -> bool {
        self.by_top.is_some() || self.by_body.is_some()
    }

    /// Keeps a digest. Gives false where it contradicts what was known: the message is another, and nothing of the other
    /// digest holds. While the content is as it was only a digest by the same command contradicts.
    pub(crate) fn learn(
        &mut self,
        source: HeaderSource,
        digest: HeaderDigest,
        content: ContentSince,
    ) -> bool {
        let known = match content {
            ContentSince::Unchanged => self.by(source),
            ContentSince::Altered => self.by(source).or(self.by_top).or(self.by_body),
        };
        let is_same = known.is_none_or(|known| known == digest);
        if !is_same {
            *self = Self::default();
        }
        match source {
            HeaderSource::Top => self.by_top = Some(digest),
            HeaderSource::Body => self.by_body = Some(digest),
        }
        is_same
    }

    /// Whether TOP shows the same fields as RETR; `None` where only one of them is known.
    pub(crate) fn agree(self) -> Option<bool> {
        Some(self.by_top? == self.by_body?)
    }
}
