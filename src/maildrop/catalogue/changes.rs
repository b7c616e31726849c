//! What a new listing changed.

use crate::maildrop::catalogue::id::MessageId;

/// What a new listing changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// In the maildrop now, and new to the directory.
    pub(crate) appeared: Vec<MessageId>,
    /// No longer in the maildrop.
    pub(crate) vanished: Vec<MessageId>,
    /// In the maildrop, but nothing known of the content holds.
    pub(crate) altered: Vec<MessageId>,
    /// Those of them that may be another of those with their unique-id: nothing holds that was known of them.
    pub(crate) confused: Vec<MessageId>,
    /// Unlinked before, altered since: listed again, for deleting it might delete another.
    pub(crate) reprieved: Vec<MessageId>,
    /// Unlinked before, and no longer in the maildrop.
    pub(crate) gone: Vec<MessageId>,
    /// Unlinked before, and gone meanwhile: listed again, for it may be another.
    pub(crate) returned: Vec<MessageId>,
    /// Never seen by this index before.
    pub(crate) unknown: Vec<MessageId>,
}

impl Changes {
    /// Whether the directory lists something else now.
    pub(crate) fn change_the_directory(&self) -> bool {
        !(self.appeared.is_empty() && self.vanished.is_empty() && self.reprieved.is_empty())
    }
}
