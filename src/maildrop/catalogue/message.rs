//! One message: what is known of it, and the size and name that are shown for it.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::maildrop::catalogue::digest::{ContentSince, Digests, HeaderDigest};
use crate::maildrop::catalogue::id::{ListingSerial, Tag};
use crate::maildrop::catalogue::identity;
use crate::maildrop::catalogue::listing::{Entry, Group, Listed};
use crate::maildrop::catalogue::name::file_name;
use crate::maildrop::catalogue::pending::{PendingDeletion, ShownBefore};
use crate::pop3::UniqueId;
use crate::store::{Body, BodyKey, Eol, RemovedMessage, Row};

/// The largest size that is shown, even if LIST gives a greater one. The kernel accepts no file of
/// 2^63 octets, and with this limit the sizes of a whole maildrop add up to less than that.
const LARGEST: u64 = 1 << 42;

/// Whether a message is on the server, and whether the user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On the server, and shown in the directory.
    Listed,
    /// On the server, and not shown: the user has removed it, and the next commit deletes it.
    Unlinked,
    /// Not on the server: the last listing did not have it, or a commit has deleted it since.
    Departed,
}

/// How many octets RETR is expected to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// LIST's octets.
    pub(crate) listed: u64,
    /// The exact octets of the body, if it was fetched and LIST's octets have not changed since.
    pub(crate) exact: Option<u64>,
}

impl Announced {
    /// The best estimate of the octets.
    pub(crate) fn octets(self) -> u64 {
        self.exact.unwrap_or(self.listed)
    }

    /// Whether a body of this many octets matches the announcement.
    pub(crate) fn is(self, octets: u64) -> bool {
        self.exact.unwrap_or(self.listed) == octets || self.listed == octets
    }

    /// Whether the two bodies may have the same size.
    pub(crate) fn may_have_the_size_of(self, other: Self) -> bool {
        self.is(other.listed) || other.exact.is_some_and(|exact| self.is(exact))
    }
}

/// The measured size of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) octets: u64,
    /// How many lines end in CRLF. `None` if an older version wrote the index, without this number.
    pub(crate) crlfs: Option<u64>,
}

impl Extent {
    pub(crate) fn of(body: &Body) -> Self {
        Self {
            octets: body.len(),
            crlfs: Some(body.crlfs()),
        }
    }

    /// The octets with LF line ends. `None` if they are unknown or 0.
    fn with_lf(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.octets.checked_sub(self.crlfs?)?)
    }
}

/// Why a listing does not name a message that it was expected in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WhyMissing {
    /// The server does not have it any more.
    #[default]
    Gone,
    /// The same, or the server gives it another unique-id: the listing has a new message of its size.
    PerhapsRenamed,
}

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) uidl: UniqueId,
    ordinal: u32,
    /// How many messages had this unique-id when the message was last listed.
    pub(super) twins: u32,
    /// This machine has deleted the message, or it went while its deletion was pending. If its
    /// unique-id is listed again, that is other mail.
    pub(super) is_replaceable: bool,
    /// The inode number, the same in every session.
    pub inode: u64,
    /// When this machine first listed the message, in Unix seconds. `None` if an older version did,
    /// which did not record it.
    pub first_listed: Option<i64>,
    /// When the message was first found missing, in Unix seconds, as the index has it.
    pub(super) departed: Option<i64>,
    /// LIST's octets: an estimate.
    pub(super) listed: u64,
    /// The exact octets of the body, once it was fetched.
    pub(super) exact: Option<u64>,
    /// The exact octets with LF line ends. `None` if they are 0, or if the size comes from the
    /// index of an older version, which did not count the lines.
    pub(super) exact_lf: Option<NonZeroU64>,
    /// When the message arrived, in Unix seconds: the mtime. It does not change once it was shown.
    pub arrived: Option<i64>,
    /// Whether LIST has changed the size since the headers were last seen. If it has, the arrival
    /// is valid only if the headers are seen again and are the same.
    pub(super) content: ContentSince,
    /// A user has been given the body.
    pub(in crate::maildrop) read: bool,
    /// Digests of the headers when they were last seen.
    pub(super) digests: Digests,
    /// The digest of the whole body, if the message had twins when the body was fetched.
    pub(super) twin_body: Option<HeaderDigest>,
    /// The sender and the subject for people, once the headers were seen.
    pub title: Option<Box<str>>,
    /// The flags that a mail reader has set.
    pub mark: Option<Box<str>>,
    /// Whether it is on the server and in the directory.
    pub standing: Standing,
    /// While it is unlinked.
    pub(super) pending: Option<Box<PendingDeletion>>,
    /// It departed while its deletion was pending.
    pub(super) has_gone_unlinked: bool,
    /// Why the last listing that it was expected in has not named it.
    pub(super) why_missing: WhyMissing,
    /// The sizes shown before, by line ends.
    pub(super) sizes_before: [Option<NonZeroU64>; 2],
}

impl Message {
    /// What is left of a message that was forgotten. The index does not keep a message that
    /// departed in 1970.
    pub(super) fn forgotten() -> Self {
        let listed = Listed {
            name: String::new(),
            place: 0,
            uidl: UniqueId::from_wire(b""),
            ordinal: 0,
            twins: 0,
            group: Group::Steady,
            octets: 0,
        };
        Self {
            departed: Some(0),
            read: true,
            ..Self::new(listed, 0)
        }
    }

    /// A message that was never listed before. The caller sets its standing to listed.
    pub(super) fn new(listed: Listed, inode: u64) -> Self {
        Self {
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
            pending: None,
            has_gone_unlinked: false,
            why_missing: WhyMissing::default(),
            sizes_before: [None; 2],
        }
    }

    /// A message of the index. It counts as departed until a session lists it.
    pub(super) fn remembered(row: &Row) -> Self {
        let extent = row.size.map(|octets| Extent {
            octets,
            crlfs: row.crlfs,
        });
        let digests = Digests {
            by_top: row.top_digest.map(HeaderDigest),
            by_body: row.body_digest.map(HeaderDigest),
        };
        Self {
            uidl: UniqueId::from_octets(&row.uidl),
            ordinal: row.ordinal,
            twins: row.twins.map_or(0, NonZeroU32::get),
            is_replaceable: row.twins.is_none(),
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
            pending: None,
            has_gone_unlinked: false,
            why_missing: WhyMissing::default(),
            sizes_before: [None; 2],
        }
    }

    /// The file name.
    #[must_use]
    pub fn name(&self) -> String {
        file_name(&self.uidl, self.ordinal)
    }

    /// The unique-id as the server sends it, which may be any octets. `None` on a server without
    /// UIDL.
    #[must_use]
    pub fn unique_id(&self) -> Option<&[u8]> {
        Some(self.uidl.as_bytes()).filter(|id| identity::is_of_uidl(id))
    }

    /// The octets of the body, at most 2^42. They are exact once the body was fetched. Before, they
    /// are LIST's estimate, but never 0, because tools do not read a file of size 0.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.exact.unwrap_or(self.listed.max(1)).min(LARGEST)
    }

    /// As [`Message::size`], with these line ends. With LF the size is exact once the lines of the
    /// body were counted.
    #[must_use]
    pub fn size_with(&self, eol: Eol) -> u64 {
        match (eol, self.exact_lf) {
            (Eol::Lf, Some(octets)) => octets.get().min(LARGEST),
            _ => self.size(),
        }
    }

    /// The size that this mount showed before the present one, if it was different. The kernel may
    /// still have it cached.
    #[must_use]
    pub fn size_before(&self, eol: Eol) -> Option<u64> {
        self.sizes_before[eol as usize].map(NonZeroU64::get)
    }

    /// The size of the body, once it was fetched.
    pub(crate) fn extent(&self) -> Option<Extent> {
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

    /// The exact octets of the body, once it was fetched.
    pub(crate) fn exact_size(&self) -> Option<u64> {
        self.exact
    }

    /// How many messages had this unique-id when the message was last listed.
    pub(crate) fn twins(&self) -> u32 {
        self.twins
    }

    /// Whether it is the first message with its unique-id, in maildrop order.
    pub(super) fn is_first_twin(&self) -> bool {
        self.ordinal == 1
    }

    /// Its entry in the last listing, with the position among its twins.
    pub(super) fn as_listed(&self) -> (u32, Entry) {
        let entry = Entry {
            uidl: self.uidl.clone(),
            octets: self.listed,
        };
        (self.ordinal, entry)
    }

    /// The size that LIST and earlier fetches announce.
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

    /// Digests of the headers when they were last seen.
    pub(crate) fn digests(&self) -> Digests {
        self.digests
    }

    /// What a session has to show again before it deletes the message.
    pub(super) fn shown(&self) -> ShownBefore {
        ShownBefore {
            headers: self.digests,
            twin_body: self.twin_body,
        }
    }

    /// Whether the arrival is known, and the headers were seen since LIST last changed the size.
    pub(crate) fn is_arrival_known(&self) -> bool {
        self.arrived.is_some() && self.content == ContentSince::Unchanged
    }

    /// Whether the headers were seen since LIST last changed the size.
    pub(crate) fn are_headers_known(&self) -> bool {
        self.title.is_some()
    }

    /// Whether the index has the message as departed although it is in the maildrop again.
    pub(crate) fn has_come_back(&self) -> bool {
        self.departed.is_some() && self.standing != Standing::Departed
    }

    /// Whether the server may have it under another unique-id, since a listing has a new message of
    /// its size in place of it.
    pub(crate) fn may_be_renamed(&self) -> bool {
        self.why_missing == WhyMissing::PerhapsRenamed
    }

    /// Sets the standing, and returns the one before. `serial` is that of the last listing.
    pub(super) fn set_standing(&mut self, standing: Standing, serial: ListingSerial) -> Standing {
        let before = std::mem::replace(&mut self.standing, standing);
        if standing != Standing::Unlinked {
            self.pending = None;
        } else if before != Standing::Unlinked {
            let pending = PendingDeletion::new(serial, self.shown());
            self.pending = Some(Box::new(pending));
        }
        if before != Standing::Departed && standing == Standing::Departed {
            self.departed = Some(unix_now());
        }
        before
    }

    /// Notes that other mail has the unique-id of a deleted message. The index takes it for other mail
    /// because it was first listed after the deletion, also within the same second.
    pub(super) fn begin_again(&mut self) {
        let earliest = self.departed.map_or(0, |at| at.saturating_add(1));
        self.first_listed = Some(unix_now().max(earliest));
    }

    /// Notes that a listing lacks a message that counts as departed. Returns whether that is new:
    /// an earlier mount listed it.
    pub(super) fn note_absence(&mut self) -> bool {
        let is_new = self.departed.is_none();
        self.departed.get_or_insert_with(unix_now);
        is_new
    }

    /// Forgets everything that was read from the content. The digests stay, because they show later
    /// whether it is still the same message.
    pub(super) fn forget_content(&mut self) {
        self.title = None;
        self.content = ContentSince::Altered;
        self.twin_body = None;
        self.set_extent(None);
    }

    /// Forgets everything, because other mail may have this unique-id and ordinal now.
    pub(super) fn forget_identity(&mut self) {
        self.forget_content();
        self.digests = Digests::default();
        self.content = ContentSince::Unchanged;
        self.arrived = None;
        self.mark = None;
        self.read = false;
    }

    /// Distinguishes the message from others with the same title. It is made from the unique-id and
    /// the ordinal, so it never changes.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag(self.body_key().prefix())
    }

    /// The unique-id and the ordinal, by which the index knows it.
    pub(crate) fn identity(&self) -> RemovedMessage {
        (self.uidl.octets(), self.ordinal)
    }

    /// LIST's octets.
    pub(crate) fn listed_octets(&self) -> u64 {
        self.listed
    }

    /// The key of its body in the cache on disk.
    pub(crate) fn body_key(&self) -> BodyKey {
        BodyKey::new(self.uidl.as_bytes(), self.ordinal)
    }

    /// The key of its headers in the cache on disk.
    pub(crate) fn headers_key(&self) -> BodyKey {
        BodyKey::of_headers(self.uidl.as_bytes(), self.ordinal)
    }

    /// Whether these are the headers that TOP showed last, except for fields that servers add.
    pub(crate) fn has_shown(&self, headers: &[u8]) -> bool {
        let known = self.digests.by_top;
        self.are_headers_known()
            && known.is_some()
            && known == HeaderDigest::of_complete_headers(headers)
    }

    /// The digests of the headers that the body must have, unless the server changes the message.
    /// Where LIST has already shown that it did, only those that the message is named by.
    pub(crate) fn headers_expected_of_body(&self) -> Digests {
        let known = match self.content {
            ContentSince::Unchanged => self.digests,
            ContentSince::Altered => Digests::default(),
        };
        let named_by = || identity::digest_in(&self.uidl).map(HeaderDigest);
        Digests {
            by_top: known.by_top.or_else(named_by),
            ..known
        }
    }

    pub(crate) fn row(&self) -> Row {
        Row {
            uidl: self.uidl.octets(),
            ordinal: self.ordinal,
            inode: self.inode,
            size: self.exact,
            crlfs: self.extent().and_then(|extent| extent.crlfs),
            arrived: self.arrived,
            listed: self.listed,
            twins: NonZeroU32::new(self.twins).filter(|_| !self.is_replaceable),
            read: self.read,
            title: self.title.clone(),
            // The catalogue has it, and adds it where it is new.
            outline: None,
            // Another mount may have written a newer mark to the index.
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

/// The present time in Unix seconds.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
