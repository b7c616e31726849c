//! Where the messages are kept, and which of the departed ones are forgotten.

use std::cmp::Reverse;
use std::ops::{Index, IndexMut};

use slotmap::SlotMap;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::catalogue::message::{Message, Standing};
use crate::store::{DEPARTED_MOST, DEPARTED_OCTETS_MOST};

/// The messages by [`MessageId`].
///
/// A message that is forgotten leaves its place to another one, which has another [`MessageId`].
/// Whoever still has the old one finds a message that departed and has no inode number, and changes
/// nothing by it.
#[derive(Debug)]
pub(super) struct Messages {
    kept: SlotMap<MessageId, Message>,
    forgotten: Message,
}

impl Messages {
    pub(super) fn new(messages: impl Iterator<Item = Message>) -> Self {
        let mut kept = SlotMap::with_key();
        for message in messages {
            kept.insert(message);
        }
        Self {
            kept,
            forgotten: Message::forgotten(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn push(&mut self, message: Message) -> MessageId {
        self.kept.insert(message)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MessageId, &Message)> {
        self.kept.iter()
    }

    /// Forgets the messages that departed first, if there are more departed ones than the index
    /// keeps. Returns their inode numbers.
    pub(super) fn forget_departed(&mut self) -> Vec<u64> {
        let mut departed: Vec<_> = self
            .iter()
            .filter(|(_, message)| message.standing == Standing::Departed)
            .map(|(id, message)| (Reverse((message.departed, message.inode)), id))
            .collect();
        departed.sort_unstable();
        let mut octets = 0;
        let newest = departed.iter().take(DEPARTED_MOST as usize);
        let kept = newest.take_while(|(_, id)| {
            octets += self.kept[*id].uidl.as_bytes().len();
            octets <= DEPARTED_OCTETS_MOST as usize
        });
        let too_many = departed.split_off(kept.count());
        let forgotten = too_many.into_iter();
        forgotten
            .filter_map(|(_, id)| Some(self.kept.remove(id)?.inode))
            .collect()
    }

    pub(super) fn is_kept(&self, id: MessageId) -> bool {
        self.kept.contains_key(id)
    }
}

impl Index<MessageId> for Messages {
    type Output = Message;

    fn index(&self, id: MessageId) -> &Message {
        self.kept.get(id).unwrap_or(&self.forgotten)
    }
}

impl IndexMut<MessageId> for Messages {
    fn index_mut(&mut self, id: MessageId) -> &mut Message {
        self.kept.get_mut(id).unwrap_or_else(|| {
            self.forgotten = Message::forgotten();
            &mut self.forgotten
        })
    }
}
