//! Digests of header fields. They show whether a message is still the same one.

use sha2::{Digest, Sha256};

use crate::maildrop::catalogue::identity::{HeaderEnd, digest_of_fields};

/// A digest of header fields or of a whole body: 128 bits of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HeaderDigest(pub(crate) [u8; 16]);

/// The command that showed the header fields. Some servers send different fields by TOP and by
/// RETR. Courier, for example, sends a surrogate message unless the client has sent UTF8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderSource {
    /// TOP.
    Top,
    /// RETR.
    Body,
}

/// Whether LIST has changed a message's size since its headers were last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentSince {
    /// LIST gives the same octets.
    Unchanged,
    /// LIST has given other octets, so the content may be another.
    Altered,
}

/// The digests of a message's header fields, one for each command that showed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests {
    /// As TOP showed them.
    pub(crate) by_top: Option<HeaderDigest>,
    /// As RETR showed them.
    pub(crate) by_body: Option<HeaderDigest>,
}

impl HeaderDigest {
    /// The digest of the fields above the empty line, except fields that servers add. `None` if the
    /// empty line is missing, because the fields may have been cut.
    pub(crate) fn of_complete_headers(octets: &[u8]) -> Option<Self> {
        match digest_of_fields(octets) {
            (digest, HeaderEnd::EmptyLine) => Some(Self::from_sha256(digest)),
            (_, HeaderEnd::Missing) => None,
        }
    }

    /// The digest of the fields, except fields that servers add, whether the empty line ends them or
    /// the octets do.
    pub(crate) fn of_fields(octets: &[u8]) -> Self {
        Self::from_sha256(digest_of_fields(octets).0)
    }

    /// The digest of all these octets.
    pub(crate) fn of_body(octets: &[u8]) -> Self {
        Self::from_sha256(Sha256::new_with_prefix(octets))
    }

    /// Keeps the first 128 bits of a SHA-256 digest.
    pub(crate) fn from_sha256(digest: Sha256) -> Self {
        let mut kept = [0; 16];
        kept.copy_from_slice(&digest.finalize()[..16]);
        Self(kept)
    }
}

/// The digest of a whole body, made while the server sends it.
#[derive(Debug, Default)]
pub(crate) struct BodyDigest(Sha256);

impl BodyDigest {
    pub(crate) fn take(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// The digest of what was taken. Begins again.
    pub(crate) fn finish(&mut self) -> HeaderDigest {
        HeaderDigest::from_sha256(std::mem::take(&mut self.0))
    }
}

impl Digests {
    /// The digest of the fields that this command showed.
    pub(crate) fn by(self, source: HeaderSource) -> Option<HeaderDigest> {
        match source {
            HeaderSource::Top => self.by_top,
            HeaderSource::Body => self.by_body,
        }
    }

    /// Whether a digest is known for at least one command.
    pub(crate) fn is_known(self) -> bool {
        self.by_top.is_some() || self.by_body.is_some()
    }

    /// Keeps a digest. Returns false if it contradicts a known digest: then the message is another
    /// one, and both older digests are dropped.
    ///
    /// While the content is unchanged, only a digest by the same command can contradict this one,
    /// because TOP may show other fields than RETR. After a change any known digest can.
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

    /// Whether TOP and RETR have both shown the fields, and the same ones.
    pub(crate) fn are_equal(self) -> bool {
        self.by_top.is_some() && self.by_top == self.by_body
    }
}
