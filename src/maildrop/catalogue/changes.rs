//! The difference between a new listing and the one before.

use crate::maildrop::catalogue::id::MessageId;

/// The messages that a new listing affects, by how. One message may be in several lists.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Shown in the directory from now on. Before, they were departed or unknown.
    pub(crate) appeared: Vec<MessageId>,
    /// Listed before, and missing from the maildrop now.
    pub(crate) vanished: Vec<MessageId>,
    /// Listed in an earlier mount, and missing from the maildrop since.
    pub(crate) left: Vec<MessageId>,
    /// In the maildrop, but their content may have changed: the cached body and size are void.
    pub(crate) altered: Vec<MessageId>,
    /// Those of `altered` that may be other messages with the same unique-id: everything known
    /// of them is void.
    pub(crate) unidentified: Vec<MessageId>,
    /// Unlinked before, and listed again because their group of twins changed: deleting one might
    /// delete another message.
    pub(crate) reprieved: Vec<MessageId>,
    /// Unlinked before, and missing from the maildrop now.
    pub(crate) gone: Vec<MessageId>,
    /// Unlinked before, missing from a later listing, and in the maildrop again now. They are
    /// listed again because they may be other messages.
    pub(crate) returned: Vec<MessageId>,
    /// Not in the index before.
    pub(crate) unknown: Vec<MessageId>,
}

impl Changes {
    /// Whether the directory has other entries now.
    pub(crate) fn change_the_directory(&self) -> bool {
        !(self.appeared.is_empty() && self.vanished.is_empty() && self.reprieved.is_empty())
    }
}
