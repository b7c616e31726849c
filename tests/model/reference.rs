//! The reference: what a mount has to show, told by what the server listed and what was asked of the mount.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::mail::{self, Mail};

/// Where a message has to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Listed,
    Unlinked,
    Departed,
}

/// A message by its name.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What the last listing that has the name says it is.
    pub(crate) mail: Mail,
    twins: usize,
    pub(crate) standing: Standing,
    /// What it was when it was unlinked last.
    pub(crate) unlinked: Mail,
    /// The inode number, once it was shown.
    pub(crate) inode: Option<u64>,
    /// The body was read since the message last changed.
    pub(crate) is_seen: bool,
    /// The mtime, once it was shown.
    pub(crate) arrived: Option<SystemTime>,
    /// What it was since the operation began.
    pub(crate) lately: Vec<Mail>,
    /// A listing since the operation began lacks it, or it had departed before.
    pub(crate) was_absent: bool,
}

/// All messages that the mount has ever shown, by name.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) known: BTreeMap<String, Known>,
    /// What is on the server now.
    pub(crate) mailbox: Vec<Mail>,
    /// What was listed last.
    pub(crate) last_listing: Vec<Mail>,
}

impl Reference {
    /// Forgets what was for the sake of the operation before.
    pub(crate) fn begin_operation(&mut self) {
        for known in self.known.values_mut() {
            known.lately = vec![known.mail.clone()];
            known.was_absent = known.standing == Standing::Departed;
        }
    }

    /// A session was told all that is in the maildrop. A message that may be another of its unique-id by now is no longer
    /// to be deleted.
    pub(crate) fn take_listing(&mut self, listing: &[Mail]) {
        self.last_listing = listing.to_vec();
        let mut twins: HashMap<&str, usize> = HashMap::new();
        for mail in listing {
            *twins.entry(&mail.uidl).or_default() += 1;
        }
        let mut ordinals: HashMap<&str, u32> = HashMap::new();
        let mut present = Vec::new();
        for mail in listing {
            let ordinal = ordinals.entry(&mail.uidl).or_default();
            *ordinal += 1;
            present.push((mail::name(&mail.uidl, *ordinal), mail, twins[&*mail.uidl]));
        }
        let is_altered = |name: &str, mail: &Mail, twins: usize| {
            let known = self.known.get(name);
            known.is_some_and(|known| known.mail.listed != mail.listed || known.twins != twins)
        };
        let altered = present
            .iter()
            .filter(|(name, mail, twins)| *twins > 1 && is_altered(name, mail, *twins));
        let shifted: HashSet<Arc<str>> =
            altered.map(|(_, mail, _)| Arc::clone(&mail.uidl)).collect();
        for (name, known) in &mut self.known {
            if !present.iter().any(|(listed, ..)| listed == name) {
                known.depart();
            }
        }
        for (name, mail, twins) in present {
            self.known
                .entry(name)
                .and_modify(|known| known.is_listed(mail, twins, shifted.contains(&mail.uidl)))
                .or_insert_with(|| Known::new(mail, twins));
        }
    }

    /// A mount ended: nothing is to be deleted any more.
    pub(crate) fn end_mount(&mut self) {
        for known in self.known.values_mut() {
            if known.standing == Standing::Unlinked {
                known.standing = Standing::Listed;
            }
        }
    }

    /// What the mount knew may be lost.
    pub(crate) fn forget_what_was_learnt(&mut self) {
        for known in self.known.values_mut() {
            known.inode = None;
            known.is_seen = false;
            known.arrived = None;
        }
    }

    pub(crate) fn names(&self, standing: Standing) -> Vec<String> {
        let standing = |(_, known): &(&String, &Known)| known.standing == standing;
        self.known
            .iter()
            .filter(standing)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What is to be deleted, by name: what it was when it was unlinked.
    pub(crate) fn pending(&self) -> BTreeMap<String, Mail> {
        let pending = |(_, known): &(&String, &Known)| known.standing == Standing::Unlinked;
        let entries = self.known.iter().filter(pending);
        entries
            .map(|(name, known)| (name.clone(), known.unlinked.clone()))
            .collect()
    }

    /// The name's record, and whether another name has the inode number.
    pub(crate) fn inode_is_anothers(&self, name: &str, inode: u64) -> bool {
        self.known
            .iter()
            .any(|(other, known)| other != name && known.inode == Some(inode))
    }

    pub(crate) fn remove(&mut self, serial: u32) {
        self.mailbox.retain(|mail| mail.serial != serial);
    }
}

impl Known {
    fn new(mail: &Mail, twins: usize) -> Known {
        Known {
            mail: mail.clone(),
            twins,
            standing: Standing::Listed,
            unlinked: mail.clone(),
            inode: None,
            is_seen: false,
            arrived: None,
            lately: vec![mail.clone()],
            was_absent: true,
        }
    }

    /// Of twins that are shifted, each may be another of them by now.
    fn is_listed(&mut self, mail: &Mail, twins: usize, is_shifted: bool) {
        let is_regrouped = self.twins != twins;
        let is_altered = is_regrouped || is_shifted || self.mail.listed != mail.listed;
        self.is_seen &= !is_altered;
        self.twins = twins;
        self.mail = mail.clone();
        self.lately.push(mail.clone());
        if self.standing == Standing::Departed || is_regrouped {
            self.standing = Standing::Listed;
        }
        if is_regrouped || is_shifted {
            self.arrived = None;
        }
    }

    /// Of what was removed, what takes its name is another.
    fn depart(&mut self) {
        if self.standing == Standing::Unlinked {
            self.twins = 0;
        }
        self.standing = Standing::Departed;
        self.was_absent = true;
    }

    /// A commit is over that was to delete it: where it is gone, what takes its name is another.
    pub(crate) fn retire(&mut self) {
        if self.standing == Standing::Departed {
            self.twins = 0;
        }
    }

    /// What was learnt was another's.
    pub(crate) fn is_another(&mut self) {
        self.is_seen = false;
        self.arrived = None;
    }

    /// From here on it is this that may be deleted.
    pub(crate) fn unlink(&mut self) {
        self.unlinked = self.mail.clone();
    }

    /// The sizes that may be shown.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let exact = self.mail.content.len() as u64;
        match self.is_seen {
            true => vec![exact],
            false => vec![exact, self.mail.listed.max(1)],
        }
    }

    /// The version of the message that has these octets.
    pub(crate) fn version(&self, octets: &[u8]) -> Option<Arc<[u8]>> {
        let of = |mail: &&Mail| *mail.content == *octets;
        self.lately
            .iter()
            .find(of)
            .map(|mail| Arc::clone(&mail.content))
    }
}
