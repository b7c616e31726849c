//! A mount whose server is away: it begins with the last listing, and removals outlive it.
//!
//! | event, with `OfflineMode::Auto` | what the index keeps |
//! |---|---|
//! | the server goes away, or the last commit fails | every removal that is pending |
//! | the user removes a message while the server is away | that removal |
//! | a commit or a listing settles a removal, or the user takes it back | nothing of it any more |
//!
//! The next mount of the account begins with these removals pending, as if it had always been
//! there. What was known of each message when it was removed is kept with it, so the commit that
//! deletes it compares the message with that.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::unix_now;
use crate::maildrop::fault::Fault;
use crate::maildrop::settings::OfflineMode;
use crate::maildrop::shared::Shared;
use crate::maildrop::shared::state::State;
use crate::net::BootTime;
use crate::store::{LastListing, Removal, RemovedMessage, StoreError};

impl Shared {
    /// Shows the last listing of an earlier mount. Returns false if the index has none.
    ///
    /// # Errors
    /// The index cannot be read.
    pub(crate) fn begin_with_last_listing(&self) -> Result<bool, StoreError> {
        let Some(listing) = self.index.last_listing()? else {
            return Ok(false);
        };
        let has_begun = self.state.lock().begin_with(&listing);
        self.forget_settled();
        Ok(has_begun)
    }

    /// Makes the removals pending that earlier mounts have left. To be called before the first
    /// listing, which then treats them as its own.
    ///
    /// # Errors
    /// The index cannot be read.
    pub(crate) fn resume_removals(&self) -> Result<(), StoreError> {
        let removals = self.index.removals()?;
        let mut remembered = self.remembered.lock();
        let outdated = self.change(|state, _| {
            let mut outdated: Vec<RemovedMessage> = Vec::new();
            for removal in removals {
                match state.catalogue.resume(&removal) {
                    Some(id) => {
                        remembered.insert(id);
                    }
                    None => outdated.push((removal.uidl, removal.ordinal)),
                }
            }
            outdated
        });
        warn_if_kept(self.index.forget_removals(outdated));
        Ok(())
    }

    /// Notes that no session could be opened.
    pub(crate) fn note_absence(&self, fault: &Fault) {
        if self.settings.offline == OfflineMode::Off || !fault.is_absence() {
            return;
        }
        let is_news = self.change(|state, _| {
            let is_news = state.offline.is_none();
            state.offline.get_or_insert_with(SystemTime::now);
            is_news
        });
        if is_news {
            self.remember_pending();
        }
    }

    /// Has the index keep all pending removals for the next mount. Waits for the disk. A removal
    /// that cannot be stored is not remembered, and the next call tries to store it again.
    pub(crate) fn remember_pending(&self) {
        let mut remembered = self.remembered.lock();
        let (ids, removals) = self.state.lock().pending_but(&remembered);
        match self.index.remember_removals(removals) {
            Ok(()) => remembered.extend(ids),
            Err(error) => log::warn!(
                "{error}; if the mount ends without its server, the removal is forgotten"
            ),
        }
    }

    /// Forgets the removals that are not pending any more. Waits for the disk if there are any. The
    /// next call tries again to forget one that the disk keeps.
    pub(crate) fn forget_settled(&self) {
        let mut remembered = self.remembered.lock();
        let (ids, settled) = self.state.lock().settled(&remembered);
        let forgotten = self.index.forget_removals(settled);
        if forgotten.is_ok() {
            for id in &ids {
                remembered.remove(id);
            }
        }
        warn_if_kept(forgotten);
    }

    /// Forgets the removal of a message that its user takes back. Waits for the disk.
    ///
    /// # Errors
    /// The disk keeps it, so the next mount would have it.
    pub(crate) fn forget_removal(&self, id: MessageId) -> Result<(), StoreError> {
        let mut remembered = self.remembered.lock();
        if !remembered.contains(&id) {
            return Ok(());
        }
        let message = self.look(|state| state.catalogue.get(id).identity());
        self.index.forget_removals(vec![message])?;
        remembered.remove(&id);
        Ok(())
    }

    /// Forgets all removals that the index keeps, because the user discards them. Waits for the
    /// disk.
    pub(crate) fn forget_removals(&self) {
        let mut remembered = self.remembered.lock();
        let messages = self.look(|state| {
            let identity = |id| state.catalogue.get(id).identity();
            remembered.drain().map(identity).collect()
        });
        warn_if_kept(self.index.forget_removals(messages));
    }
}

impl State {
    /// Whether the server is away. The engine tries to reach it by itself then, so nobody who reads
    /// the directory has to wait for that.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline.is_some()
    }

    /// The messages that the server has, as far as is known.
    pub(crate) fn last_listing(&self) -> LastListing {
        LastListing {
            taken: self.listing_taken,
            unnamed: u32::try_from(self.catalogue.unnamed).unwrap_or(u32::MAX),
            inodes: self.catalogue.on_server(),
        }
    }

    fn begin_with(&mut self, listing: &LastListing) -> bool {
        if !self.catalogue.begin_with(listing) {
            return false;
        }
        self.listing_taken = listing.taken;
        let age = u64::try_from(unix_now().saturating_sub(listing.taken)).unwrap_or(0);
        self.listed_at = BootTime::now().before(Duration::from_secs(age));
        true
    }

    /// The pending removals, except those that are remembered.
    fn pending_but(&self, remembered: &HashSet<MessageId>) -> (Vec<MessageId>, Vec<Removal>) {
        let unlinked = self.catalogue.unlinked().into_iter();
        unlinked
            .filter(|id| !remembered.contains(id))
            .filter_map(|id| Some((id, self.catalogue.removal(id)?)))
            .unzip()
    }

    /// The remembered removals that are not pending any more.
    fn settled(&self, remembered: &HashSet<MessageId>) -> (Vec<MessageId>, Vec<RemovedMessage>) {
        let is_settled = |id: &MessageId| self.catalogue.pending(*id).is_none();
        let settled = remembered.iter().copied().filter(is_settled);
        settled
            .map(|id| (id, self.catalogue.get(id).identity()))
            .unzip()
    }
}

fn warn_if_kept(forgotten: Result<(), StoreError>) {
    if let Err(error) = forgotten {
        log::warn!("{error}; removals stay in it, and may be pending again in the next mount");
    }
}
