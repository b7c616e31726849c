//! What a search index needs of the maildrop: which messages there are, and their bodies as far as
//! they are here.

use std::sync::Arc;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Message, Standing};
use crate::maildrop::handle::Maildrop;
use crate::store::{Body, Disk, FoundMessage, Indexed};

impl Maildrop {
    /// Says who is told when a body has come from the server. To be called once; later calls are
    /// without effect. The engine waits until `tell` returns.
    pub fn on_body(&self, tell: impl Fn(MessageId) + Send + Sync + 'static) {
        let _only_the_first = self.shared.on_body.set(Box::new(tell));
    }

    /// All messages that an index may have: those that are listed, and those that wait to be
    /// deleted. In directory order.
    #[must_use]
    pub fn searchable(&self) -> Vec<Indexed> {
        let state = self.shared.state.lock();
        let standings = [Standing::Listed, Standing::Unlinked];
        let messages = standings.map(|standing| state.catalogue.after(0, standing));
        let mut searchable: Vec<Indexed> = messages
            .into_iter()
            .flatten()
            .map(|(_, message)| indexed(message))
            .collect();
        searchable.sort_unstable_by_key(|message| message.inode);
        searchable
    }

    /// The message, as an index knows it.
    #[must_use]
    pub fn indexed(&self, id: MessageId) -> Indexed {
        indexed(self.shared.state.lock().catalogue.get(id))
    }

    /// The message that a search has found. None where the index is not up to date: the message has
    /// left the directory, or its content may be another.
    #[must_use]
    pub fn locate(&self, found: &FoundMessage) -> Option<MessageId> {
        let state = self.shared.state.lock();
        let id = state.catalogue.by_inode(found.indexed.inode)?;
        let message = state.catalogue.get(id);
        let is_same = message.exact_size() == Some(found.octets);
        (is_same && message.body_key() == found.indexed.key).then_some(id)
    }

    /// The inode numbers of the listed messages that a user has read.
    #[must_use]
    pub fn read_inodes(&self) -> Vec<u64> {
        let state = self.shared.state.lock();
        let listed = state.catalogue.after(0, Standing::Listed);
        let read = listed.filter(|(_, message)| message.read);
        read.map(|(_, message)| message.inode).collect()
    }

    /// The body, if it is in memory or on disk. This is no access: nothing is fetched for it, and
    /// nothing is read ahead.
    #[must_use]
    pub fn peek_body(&self, id: MessageId) -> Option<Arc<Body>> {
        self.shared.peek_body(id, Disk::load)
    }
}

fn indexed(message: &Message) -> Indexed {
    Indexed {
        inode: message.inode,
        key: message.body_key(),
    }
}
