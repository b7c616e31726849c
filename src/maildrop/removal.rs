//! Taking messages out of the directory, and back, and having them deleted.

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::Standing;
use crate::maildrop::catalogue::pending::Remover;
use crate::maildrop::deletion::limit;
use crate::maildrop::deletion::limit::{Consent, Held};
use crate::maildrop::deletion::verdict::Verdict;
use crate::maildrop::fault::Fault;
use crate::maildrop::handle::Maildrop;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::waiter::Waiter;

impl Maildrop {
    /// Takes the message out of the directory; the next commit deletes it.
    ///
    /// # Errors
    /// [`Fault::Departed`] where it is not in the directory, [`Fault::Ending`] where no commit follows.
    pub fn unlink(&self, id: MessageId, remover: Remover) -> Result<(), Fault> {
        let mut state = self.shared.state.lock();
        state.stand(id, Standing::Listed, Standing::Unlinked)?;
        state.catalogue.note_remover(id, remover);
        Ok(())
    }

    /// As [`Maildrop::unlink`], by another way than the name in the root, of which the kernel must be told.
    ///
    /// # Errors
    /// As there.
    pub fn unlink_shown(&self, id: MessageId, remover: Remover) -> Result<(), Fault> {
        self.unlink(id, remover)?;
        let name = self.message(id).name();
        self.shared.tell(Change::Gone { name });
        self.shared.tell(Change::Directory);
        Ok(())
    }

    /// The names of the pending deletions, in directory order.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let state = self.shared.state.lock();
        state
            .catalogue
            .after(0, Standing::Unlinked)
            .map(|(_, message)| message.name())
            .collect()
    }

    /// How many of the pending deletions a commit is carrying out now.
    #[must_use]
    pub fn committing(&self) -> u64 {
        self.shared.state.lock().committing.len() as u64
    }

    /// Takes a pending deletion back.
    ///
    /// # Errors
    /// [`Fault::Departed`] where it is not pending, or being committed; [`Fault::Ending`] in the last commit.
    pub fn restore(&self, id: MessageId) -> Result<(), Fault> {
        self.shared
            .state
            .lock()
            .stand(id, Standing::Unlinked, Standing::Listed)?;
        self.shared.tell(Change::Directory);
        Ok(())
    }

    /// Whether a commit would be held back now.
    #[must_use]
    pub fn held_back(&self) -> Option<Held> {
        let max_delete = self.shared.settings.max_delete;
        let state = self.shared.state.lock();
        limit::check(&state.catalogue, max_delete, Consent::Unsaid).err()
    }

    /// Deletes what is unlinked on the server.
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
        self.shared.ring(state);
    }
}
