//! Removes messages from the directory, restores them, and commits the deletions.

use std::sync::Arc;
use std::time::Duration;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::catalogue::pending::Remover;
use crate::maildrop::deletion::limit;
use crate::maildrop::deletion::limit::{Consent, Held};
use crate::maildrop::deletion::verdict::Verdict;
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::session::terms::Connection;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::waiter::Waiter;

impl Maildrop {
    /// Removes the message from the directory. The next commit deletes it. While the server is
    /// away, this waits until the removal is on disk.
    ///
    /// # Errors
    /// [`Fault::Departed`] if it is not in the directory, [`Fault::Ending`] if the mount is ending.
    pub fn unlink(&self, id: MessageId, remover: Remover) -> Result<(), Fault> {
        let is_offline = self.shared.change(|state, effects| {
            state.change_standing(id, Standing::Listed, Standing::Unlinked)?;
            state.catalogue.note_remover(id, remover);
            let inode = state.catalogue.get(id).inode;
            effects.told.push(Change::Unlisted { inode });
            Ok::<bool, Fault>(state.is_offline())
        })?;
        if is_offline {
            self.shared.remember_pending();
        }
        Ok(())
    }

    /// As [`Maildrop::unlink`], for a removal by a name that is not in the root. The kernel does
    /// not know that the name in the root is gone too, so this notifies it.
    ///
    /// # Errors
    /// As [`Maildrop::unlink`].
    pub fn unlink_shown(&self, id: MessageId, remover: Remover) -> Result<(), Fault> {
        self.unlink(id, remover)?;
        let name = self.message(id).name();
        self.shared.tell(Change::Gone { name });
        self.shared.tell(Change::Directory);
        Ok(())
    }

    /// The names of the messages with a pending deletion, in directory order.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let state = self.shared.state.lock();
        state
            .catalogue
            .after(0, Standing::Unlinked)
            .map(|(_, message)| message.name())
            .collect()
    }

    /// How many messages have a pending deletion.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        let state = self.shared.state.lock();
        state.catalogue.after(0, Standing::Unlinked).count()
    }

    /// Whether the server may still have a message that was removed here, or a commit has listed one
    /// again and its verdict is yet to come. What follows the server's last word may take long: the
    /// disk has to learn of the deletions.
    #[must_use]
    pub fn has_unconfirmed(&self) -> bool {
        let state = self.shared.state.lock();
        !state.has_no_deletions() || state.history.listed_again > 0
    }

    /// The names of the pending deletions that the next mount will know of, whatever happens to
    /// this one; in directory order. Waits for those that are being stored.
    #[must_use]
    pub fn remembered(&self) -> Vec<String> {
        let remembered = self.shared.remembered.lock();
        let state = self.shared.state.lock();
        let unlinked = state.catalogue.unlinked().into_iter();
        unlinked
            .filter(|id| remembered.contains(id))
            .map(|id| state.catalogue.get(id).name())
            .collect()
    }

    /// How many deletions the running commit is carrying out.
    #[must_use]
    pub fn committing(&self) -> u64 {
        self.shared.state.lock().committing.len() as u64
    }

    /// Cancels a pending deletion, and lists the message again. If the index keeps the removal for
    /// the next mount, this waits until it does not any more.
    ///
    /// # Errors
    /// [`Fault::Departed`] if no deletion is pending, or a commit is carrying it out;
    /// [`Fault::Ending`] if the mount is ending; [`Fault::Unforgotten`] if the index keeps it.
    pub fn restore(&self, id: MessageId) -> Result<(), Fault> {
        let forgotten = self.shared.forget_removal(id);
        forgotten.map_err(|error| Fault::Unforgotten(Arc::new(error)))?;
        self.shared
            .state
            .lock()
            .change_standing(id, Standing::Unlinked, Standing::Listed)?;
        self.shared.tell(Change::Directory);
        Ok(())
    }

    /// Why a commit without consent would be held back now. `None` if it would be carried out.
    #[must_use]
    pub fn held_back(&self) -> Option<Held> {
        let max_delete = self.shared.settings.max_delete;
        let state = self.shared.state.lock();
        limit::check(&state.catalogue, max_delete, Consent::Unsaid).err()
    }

    /// How long the server allows no login (LOGIN-DELAY), if deletions are pending and the last
    /// commit would not wait so long.
    #[must_use]
    pub fn commit_delay(&self) -> Option<Duration> {
        let state = self.shared.state.lock();
        if state.has_no_deletions() || matches!(state.connection, Connection::Open(_)) {
            return None;
        }
        let wait = state.login_allowed_at?.left();
        (wait > self.shared.commit_patience()).then_some(wait)
    }

    /// Orders a commit, which deletes all unlinked messages on the server.
    pub fn commit(&self, consent: Consent, waiter: Waiter<Verdict>) {
        let mut state = self.shared.state.lock();
        if state.has_no_deletions() {
            drop(state);
            return waiter.answer(Ok(Verdict::default()));
        }
        if let Err(ending) = state.check_serving() {
            drop(state);
            return waiter.answer(Err(ending));
        }
        state.orders.note_waiting();
        state
            .orders
            .commit
            .get_or_insert_default()
            .join(consent, waiter);
        self.shared.wake_engine(state);
    }
}
