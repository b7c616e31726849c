//! One message: what is known of it, and what is shown of that.

use std::num::NonZeroU64;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::maildrop::catalogue::digest::{ContentSince, Digests, HeaderDigest};
use crate::maildrop::catalogue::id::Tag;
use crate::maildrop::catalogue::identity;
use crate::maildrop::catalogue::listing::Listed;
use crate::maildrop::catalogue::name::file_name;
use crate::maildrop::catalogue::pending::ShownBefore;
use crate::pop3::UniqueId;
use crate::store::{Body, BodyKey, Eol, Row};

/// The largest size that is shown, whatever LIST says: the kernel takes no file of 2^63 octets, and the sizes of as many
/// messages as a maildrop may have add up to less than that.
const LARGEST: u64 = 1 << 42;

/// Where a message stands between the server and the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the maildrop and in the directory.
    Listed,
    /// In the maildrop, and to be deleted by the next commit.
    Unlinked,
    /// Not in the maildrop when it was last listed.
    Departed,
}

/// What RETR is expected to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// LIST's octets.
    pub(crate) listed: u64,
    /// The octets of the body, if it was seen and LIST has not changed since.
    pub(crate) exact: Option<u64>,
}

impl Announced {
    /// The best estimate.
    pub(crate) fn octets(self) -> u64 {
        self.exact.unwrap_or(self.listed)
    }

    /// Whether a body of so many octets is what was announced.
    pub(crate) fn is(self, octets: u64) -> bool {
        self.exact.unwrap_or(self.listed) == octets || self.listed == octets
    }

    /// Whether the two bodies may have the same size.
    pub(crate) fn may_have_the_size_of(self, other: Self) -> bool {
        self.is(other.listed) || other.exact.is_some_and(|exact| self.is(exact))
    }
}

/// What the body showed when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) octets: u64,
    /// None where an index of an older version has told the octets alone.
    pub(crate) crlfs: Option<u64>,
}

impl Extent {
    pub(crate) fn of(body: &Body) -> Extent {
        Extent {
            octets: body.len(),
            crlfs: Some(body.crlfs()),
        }
    }

    fn with_lf(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.octets.checked_sub(self.crlfs?)?)
    }
}

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) uidl: UniqueId,
    ordinal: u32,
    /// How many shared the unique-id when the message was listed last.
    pub(super) twins: u32,
    /// It was deleted here, or had gone while it was pending: what is listed with its unique-id next is other mail.
    pub(super) is_replaceable: bool,
    /// The inode number, the same in every session.
    pub inode: u64,
    /// When this machine first listed the message, in Unix seconds; none where an older version did.
    pub first_listed: Option<i64>,
    /// When a listing first lacked the message, in Unix seconds, if the index was told so.
    departed: Option<i64>,
    /// LIST's octets: a hint.
    pub(super) listed: u64,
    pub(super) exact: Option<u64>,
    /// The same with LF line ends; none where only an index of an older version has told of the body, or it is empty.
    pub(super) exact_lf: Option<NonZeroU64>,
    /// Unix seconds: the mtime, once it was shown.
    pub arrived: Option<i64>,
    /// What LIST says of the content since the headers were last seen. They tell whether the arrival still holds.
    pub(super) content: ContentSince,
    /// A user was given the body.
    pub(in crate::maildrop) read: bool,
    /// What its headers were when they were last seen.
    pub(super) digests: Digests,
    /// Of its whole body, where it shared its unique-id when the body was seen.
    pub(super) twin_body: Option<HeaderDigest>,
    /// Who wrote and about what, once the headers were seen.
    pub title: Option<Box<str>>,
    /// What a mail reader noted of it.
    pub mark: Option<Box<str>>,
    /// Where it stands.
    pub standing: Standing,
    /// The sizes shown before, with each end of lines.
    pub(super) sizes_before: [Option<NonZeroU64>; 2],
}

impl Message {
    /// One that was never listed before; it is not listed yet.
    pub(super) fn new(listed: Listed, inode: u64) -> Message {
        Message {
            uidl: listed.uidl,
            ordinal: listed.ordinal,
            twins: listed.twins,
            is_replaceable: false,
            inode,
            first_listed: Some(unix_now()),
            departed: None,
            listed: listed.octets,
            exact: None,
            exact_lf: None,
            arrived: None,
            content: ContentSince::Unchanged,
            read: false,
            digests: Digests::default(),
            twin_body: None,
            title: None,
            mark: None,
            standing: Standing::Departed,
            sizes_before: [None; 2],
        }
    }

    /// As the index remembers it; it is not listed yet.
    pub(super) fn remembered(row: &Row) -> Message {
        let extent = row.size.map(|octets| Extent {
            octets,
            crlfs: row.crlfs,
        });
        let digests = Digests {
            by_top: row.top_digest.map(HeaderDigest),
            by_body: row.body_digest.map(HeaderDigest),
        };
        Message {
            uidl: UniqueId::from_wire(&row.uidl),
            ordinal: row.ordinal,
            twins: row.twins,
            is_replaceable: row.twins == 0,
            inode: row.inode,
            first_listed: row.first_listed,
            departed: row.departed,
            listed: row.listed,
            exact: row.size,
            exact_lf: extent.and_then(Extent::with_lf),
            arrived: row.arrived,
            content: match row.title.is_none() && digests.is_known() {
                true => ContentSince::Altered,
                false => ContentSince::Unchanged,
            },
            read: row.read,
            digests,
            twin_body: None,
            title: row.title.clone(),
            mark: row.mark.clone(),
            standing: Standing::Departed,
            sizes_before: [None; 2],
        }
    }

    /// The file name.
    #[must_use]
    pub fn name(&self) -> String {
        file_name(&self.uidl, self.ordinal)
    }

    /// The unique-id as the server gives it, any octets; none where it gives none.
    #[must_use]
    pub fn unique_id(&self) -> Option<&[u8]> {
        Some(self.uidl.as_bytes()).filter(|id| identity::is_of_uidl(id))
    }

    /// The octets of the body: exact once it was seen, LIST's hint before, and never 0 for a body not seen, since
    /// tools do not read a file of size 0. At most 2^42.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.exact.unwrap_or(self.listed.max(1)).min(LARGEST)
    }

    /// As [`Message::size`], of the body with these line ends. With LF it is exact once its lines were counted.
    #[must_use]
    pub fn size_with(&self, eol: Eol) -> u64 {
        match (eol, self.exact_lf) {
            (Eol::Lf, Some(octets)) => octets.get().min(LARGEST),
            _ => self.size(),
        }
    }

    /// The size shown before with these line ends, if it was another in this mount: the kernel may still hold it.
    #[must_use]
    pub fn size_before(&self, eol: Eol) -> Option<u64> {
        self.sizes_before[eol as usize].map(NonZeroU64::get)
    }

    fn extent(&self) -> Option<Extent> {
        let octets = self.exact?;
        let crlfs = self.exact_lf.map(|lf| octets.saturating_sub(lf.get()));
        Some(Extent { octets, crlfs })
    }

    pub(super) fn set_extent(&mut self, extent: Option<Extent>) {
        self.exact = extent.map(|extent| extent.octets);
        self.exact_lf = extent.and_then(Extent::with_lf);
    }

    pub(super) fn sizes(&self) -> [u64; 2] {
        Eol::ALL.map(|eol| self.size_with(eol))
    }

    /// The octets of the body, once it was seen.
    pub(crate) fn exact_size(&self) -> Option<u64> {
        self.exact
    }

    /// How many shared the unique-id when the message was listed last.
    pub(crate) fn twins(&self) -> u32 {
        self.twins
    }

    pub(crate) fn is_twin_of(&self, other: &Message) -> bool {
        self.uidl == other.uidl
    }

    /// What RETR is expected to send.
    pub(crate) fn announced(&self) -> Announced {
        Announced {
            listed: self.listed,
            exact: self.exact,
        }
    }

    /// The octets that RETR is expected to send.
    pub(crate) fn expected_octets(&self) -> u64 {
        self.announced().octets()
    }

    /// What a session has to show of the message before it deletes it.
    pub(super) fn shown(&self) -> ShownBefore {
        ShownBefore {
            headers: self.digests,
            twin_body: self.twin_body,
        }
    }

    /// Whether the arrival is known, and LIST has given the same octets since.
    pub(crate) fn is_arrival_known(&self) -> bool {
        self.arrived.is_some() && self.content == ContentSince::Unchanged
    }

    /// Whether the headers were seen since LIST last gave the message other octets.
    pub(crate) fn are_headers_known(&self) -> bool {
        self.title.is_some()
    }

    /// Whether the index takes the message for departed, though it is listed again.
    pub(crate) fn has_come_back(&self) -> bool {
        self.departed.is_some() && self.standing != Standing::Departed
    }

    /// Notes where the message stands now.
    pub(super) fn set_standing(&mut self, standing: Standing) -> Standing {
        let before = std::mem::replace(&mut self.standing, standing);
        if before != Standing::Departed && standing == Standing::Departed {
            self.departed = Some(unix_now());
        }
        before
    }

    /// Forgets what the content told. The digests stay: they tell whether it still is the message.
    pub(super) fn forget_content(&mut self) {
        self.title = None;
        self.content = ContentSince::Altered;
        self.twin_body = None;
        self.set_extent(None);
    }

    /// Forgets all that was known of other mail with this unique-id.
    pub(super) fn forget_identity(&mut self) {
        self.forget_content();
        self.digests = Digests::default();
        self.content = ContentSince::Unchanged;
        self.arrived = None;
        self.mark = None;
        self.read = false;
    }

    /// What tells it from others in a name for people: made of its identity alone, so the same for good.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag(self.body_key().prefix())
    }

    /// Its place in the cache on disk.
    pub(crate) fn body_key(&self) -> BodyKey {
        BodyKey::new(self.uidl.as_bytes(), self.ordinal)
    }

    pub(crate) fn row(&self) -> Row {
        Row {
            uidl: self.uidl.as_bytes().into(),
            ordinal: self.ordinal,
            inode: self.inode,
            size: self.exact,
            crlfs: self.extent().and_then(|extent| extent.crlfs),
            arrived: self.arrived,
            listed: self.listed,
            twins: match self.is_replaceable {
                true => 0,
                false => self.twins,
            },
            read: self.read,
            title: self.title.clone(),
            // Kept where it was learnt.
            outline: None,
            // Another mount's mark may be newer than what we know.
            mark: None,
            first_listed: self.first_listed,
            departed: match self.standing {
                Standing::Departed => self.departed.or_else(|| Some(unix_now())),
                Standing::Listed | Standing::Unlinked => None,
            },
            top_digest: self.digests.by_top.map(|digest| digest.0),
            body_digest: self.digests.by_body.map(|digest| digest.0),
        }
    }
}

/// Now, in Unix seconds.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
