//! The reference: what the mount must show, derived from the server's listings and the operations.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::mail::{self, Mail};

/// Whether a message is listed, unlinked or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Listed,
    Unlinked,
    Departed,
}

/// What the reference knows about a file name.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The message behind the name in the last listing that has it.
    pub(crate) mail: Mail,
    twins: usize,
    pub(crate) standing: Standing,
    /// The message behind the name when it was last unlinked.
    pub(crate) unlinked: Mail,
    /// The inode number, once the mount has shown it.
    pub(crate) inode: Option<u64>,
    /// Whether the body was read since the message last changed.
    pub(crate) is_seen: bool,
    /// The mtime, once the mount has shown it.
    pub(crate) arrived: Option<SystemTime>,
    /// The messages behind the name since the operation began.
    pub(crate) lately: Vec<Mail>,
    /// Earlier messages behind the name with the same unique-id and size as the current one. The
    /// mount may still show one of them, because nothing but the headers tells them apart.
    pub(crate) former: Vec<Mail>,
    /// The same when the operation began: what was read may be older than the last listing.
    former_at_begin: Vec<Mail>,
    /// Whether the name has meant different messages. The mount then shows the date of one of them,
    /// and that of the current one once it knows it.
    pub(crate) may_redate: bool,
    /// The message whose headers the mount has shown last under this name, since its twins last
    /// changed.
    pub(crate) shown: Option<Mail>,
    /// Whether the name was gone before the operation or in a listing since then.
    pub(crate) was_absent: bool,
}

/// Everything that the mount has ever shown, by name.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) known: BTreeMap<String, Known>,
    /// The messages on the server now.
    pub(crate) mailbox: Vec<Mail>,
    /// The last listing.
    pub(crate) last_listing: Vec<Mail>,
}

impl Reference {
    /// Starts an operation: what happened during the one before no longer counts.
    pub(crate) fn begin_operation(&mut self) {
        for known in self.known.values_mut() {
            known.lately = vec![known.mail.clone()];
            known.former_at_begin.clone_from(&known.former);
            known.was_absent = known.standing == Standing::Departed;
        }
    }

    /// Applies a complete listing. If a name may now mean another message with the same unique-id,
    /// its deletion is no longer pending.
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
                .and_modify(|known| known.take_listed(mail, twins, shifted.contains(&mail.uidl)))
                .or_insert_with(|| Known::new(mail, twins));
        }
    }

    /// A mount ended, so no deletion is pending any more.
    pub(crate) fn end_mount(&mut self) {
        for known in self.known.values_mut() {
            if known.standing == Standing::Unlinked {
                known.standing = Standing::Listed;
            }
        }
    }

    /// The next mount may know nothing about the messages.
    pub(crate) fn forget_what_was_learnt(&mut self) {
        for known in self.known.values_mut() {
            known.inode = None;
            known.is_seen = false;
            known.arrived = None;
            known.shown = None;
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

    /// The pending deletions: each name with the message that it meant when it was unlinked.
    pub(crate) fn pending(&self) -> BTreeMap<String, Mail> {
        let pending = |(_, known): &(&String, &Known)| known.standing == Standing::Unlinked;
        let entries = self.known.iter().filter(pending);
        entries
            .map(|(name, known)| (name.clone(), known.unlinked.clone()))
            .collect()
    }

    /// Whether another name has this inode number.
    pub(crate) fn inode_is_anothers(&self, name: &str, inode: u64) -> bool {
        self.known
            .iter()
            .any(|(other, known)| other != name && known.inode == Some(inode))
    }

    /// The message becomes another one on the server.
    pub(crate) fn replace(&mut self, serial: u32, by: &Mail) {
        let is_it = |old: &&mut Mail| old.serial == serial;
        self.mailbox
            .iter_mut()
            .filter(is_it)
            .for_each(|old| *old = by.clone());
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
            former: Vec::new(),
            former_at_begin: Vec::new(),
            may_redate: false,
            shown: None,
            was_absent: true,
        }
    }

    /// A listing has the name. If twins have shifted, each name may now mean another one of them.
    fn take_listed(&mut self, mail: &Mail, twins: usize, is_shifted: bool) {
        let is_regrouped = self.twins != twins;
        let is_altered = is_regrouped || is_shifted || self.mail.listed != mail.listed;
        self.is_seen &= !is_altered;
        self.twins = twins;
        if self.mail.serial != mail.serial {
            self.may_redate = true;
            self.former.push(self.mail.clone());
            self.former.retain(|former| former.is_twin_of(mail));
        }
        self.mail = mail.clone();
        self.lately.push(mail.clone());
        if self.standing == Standing::Departed || is_regrouped {
            self.standing = Standing::Listed;
        }
        if is_regrouped || is_shifted {
            // Which of the twins the name means now, only a new look at its headers tells.
            self.arrived = None;
            self.shown = None;
        }
    }

    /// A listing lacks the name. If it was unlinked, a later message with this name is a different
    /// one.
    fn depart(&mut self) {
        if self.standing == Standing::Unlinked {
            self.twins = 0;
        }
        self.standing = Standing::Departed;
        self.was_absent = true;
    }

    /// A commit that included the name is over. If the message is gone, a later message with this
    /// name is a different one.
    pub(crate) fn retire(&mut self) {
        if self.standing == Standing::Departed {
            self.twins = 0;
        }
    }

    /// The name now means another message, so body and date are unknown again.
    pub(crate) fn mark_replaced(&mut self) {
        self.is_seen = false;
        self.arrived = None;
    }

    /// Records which message the user unlinked: only this one may be deleted.
    pub(crate) fn unlink(&mut self) {
        self.unlinked = self.mail.clone();
    }

    /// The sizes that the mount may show.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        // The mount forgets the body once it notices that the message was replaced.
        match self.is_seen && self.former.is_empty() {
            true => vec![self.exact()],
            false => self.sizes_if_doubted(),
        }
    }

    /// The sizes that the mount may show if it has dropped what it had learnt.
    pub(crate) fn sizes_if_doubted(&self) -> Vec<u64> {
        vec![self.exact(), self.mail.listed.max(1)]
    }

    fn exact(&self) -> u64 {
        self.mail.content.len() as u64
    }

    /// The recent version of the message with this content.
    pub(crate) fn version(&self, octets: &[u8]) -> Option<&Mail> {
        let of = |mail: &&Mail| *mail.content == *octets;
        self.possible().find(of)
    }

    /// The messages that the mount may show under this name.
    pub(crate) fn possible(&self) -> impl Iterator<Item = &Mail> {
        let former = self.former.iter().chain(&self.former_at_begin);
        self.lately.iter().chain(former)
    }

    /// Whether the mount may show this date, as Unix time, in place of the one that it has shown.
    /// Until it sees the headers of the message, that is the date of those that it has seen last.
    pub(crate) fn may_arrive(&self, seconds: u64) -> bool {
        let is_it = |mail: &Mail| mail.arrived() as u64 == seconds;
        self.may_redate && self.possible().chain(&self.shown).any(is_it)
    }

    /// Whether the user can have meant this message when they removed the name: what the mount
    /// showed and what is deleted must have the same headers, as far as the server can show them.
    pub(crate) fn can_mean(&self, mail: &Mail, has_top: bool) -> bool {
        let is_as_shown = |shown: &Mail| shown.headers() == mail.headers();
        self.unlinked.serial == mail.serial
            || self.unlinked.is_twin_of(mail)
                && (!has_top || self.shown.as_ref().is_none_or(is_as_shown))
    }
}
