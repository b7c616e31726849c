//! One listing by the server: its entries, their names and ordinals.

use crate::maildrop::catalogue::name::file_name;
use crate::pop3::UniqueId;
use std::collections::HashMap;

/// One message as a session lists it. Entries are in maildrop order.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) uidl: UniqueId,
    pub(crate) octets: u64,
}

/// Whether a listing identifies every message in the maildrop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// A message that it does not name is not in the maildrop.
    Complete,
    /// The maildrop has this many more messages, and the server did not identify them.
    Partial(usize),
}

impl Coverage {
    /// How many messages the listing did not identify.
    pub(crate) fn unnamed(self) -> usize {
        match self {
            Self::Complete => 0,
            Self::Partial(unnamed) => unnamed,
        }
    }
}

/// An entry of a listing, with its identity.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// The position in the listing, from 0, in maildrop order.
    pub(crate) place: usize,
    pub(crate) uidl: UniqueId,
    /// The position among the messages with this unique-id, from 1.
    pub(crate) ordinal: u32,
    /// How many messages have this unique-id.
    pub(crate) twins: u32,
    pub(crate) group: Group,
    /// LIST's octets.
    pub(crate) octets: u64,
}

/// Whether a group of messages with the same unique-id may have changed its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// The listing shows no change in the group.
    Steady,
    /// LIST gives one message of the group another size, or one has come or gone. So each ordinal
    /// may belong to another message of the group now.
    Shifted,
}

/// Gives each entry its ordinal and its name; sorted by name.
pub(crate) fn listed_by_name(listing: Vec<Entry>) -> Vec<Listed> {
    let twins = twins(&listing);
    let identify = |(place, (entry, twin)): (usize, (Entry, Twin))| Listed {
        name: file_name(&entry.uidl, twin.ordinal),
        place,
        twins: twin.of,
        group: Group::Steady,
        uidl: entry.uidl,
        ordinal: twin.ordinal,
        octets: entry.octets,
    };
    let mut listed: Vec<Listed> = listing
        .into_iter()
        .zip(twins)
        .enumerate()
        .map(identify)
        .collect();
    listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    listed
}

/// The position of a message among those with the same unique-id, and their count.
pub(crate) struct Twin {
    /// From 1, in maildrop order.
    pub(crate) ordinal: u32,
    pub(crate) of: u32,
}

/// The [`Twin`] of each entry.
pub(crate) fn twins(listing: &[Entry]) -> Vec<Twin> {
    let mut seen: HashMap<&UniqueId, u32> = HashMap::with_capacity(listing.len());
    let mut twins = Vec::with_capacity(listing.len());
    for entry in listing {
        let ordinal = seen.entry(&entry.uidl).or_default();
        *ordinal += 1;
        twins.push(Twin {
            ordinal: *ordinal,
            of: 1,
        });
    }
    if seen.len() < listing.len() {
        for (twin, entry) in twins.iter_mut().zip(listing) {
            twin.of = seen[&entry.uidl];
        }
    }
    twins
}
