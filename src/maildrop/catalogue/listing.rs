//! One listing of the server: entries, their names and ordinals.

use crate::maildrop::catalogue::name::file_name;
use crate::pop3::UniqueId;
use std::collections::HashMap;

/// One message as a session lists it, in maildrop order.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) uidl: UniqueId,
    pub(crate) octets: u64,
}

/// Whether a listing names all that is in the maildrop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// What it does not name is not there.
    Complete,
    /// There are so many messages of which the server did not tell which they are.
    Partial(usize),
}

impl Coverage {
    pub(crate) fn unnamed(self) -> usize {
        match self {
            Coverage::Complete => 0,
            Coverage::Partial(unnamed) => unnamed,
        }
    }
}

/// An entry of a listing with its identity.
pub(crate) struct Listed {
    pub(crate) name: String,
    /// From 0, in maildrop order.
    pub(crate) place: usize,
    pub(crate) uidl: UniqueId,
    pub(crate) ordinal: u32,
    pub(crate) twins: u32,
    pub(crate) group: Group,
    pub(crate) octets: u64,
}

/// How those that share a unique-id are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// As before.
    Steady,
    /// LIST gives one of them other octets, or was without one of them: each may be the one that was next to it before.
    Shifted,
}

/// Numbers the twins in maildrop order, then sorts by name.
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

/// The how-manieth of how many that share the unique-id.
pub(crate) struct Twin {
    pub(crate) ordinal: u32,
    pub(crate) of: u32,
}

/// Of each entry.
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
