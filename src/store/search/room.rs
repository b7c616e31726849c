//! How much may wait to be indexed.

use parking_lot::{Condvar, Mutex};

/// The most messages that wait.
const MESSAGES: usize = 256;
/// The most octets of memory that they keep. One message alone may have more.
const OCTETS: u64 = 8 << 20;

/// The room that is left in the queue.
#[derive(Debug, Default)]
pub(super) struct QueueRoom {
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    messages: usize,
    octets: u64,
}

impl QueueRoom {
    /// Takes room for a message that keeps this many octets in memory; false where there is none.
    pub(super) fn take(&self, octets: u64) -> bool {
        self.taken.lock().take(octets)
    }

    /// Takes room as soon as there is some.
    pub(super) fn wait(&self, octets: u64) {
        let mut taken = self.taken.lock();
        while !taken.take(octets) {
            self.freed.wait(&mut taken);
        }
    }

    /// Gives the room of a message back.
    pub(super) fn leave(&self, octets: u64) {
        let mut taken = self.taken.lock();
        taken.messages = taken.messages.saturating_sub(1);
        taken.octets = taken.octets.saturating_sub(octets);
        self.freed.notify_all();
    }
}

impl Taken {
    fn take(&mut self, octets: u64) -> bool {
        let is_room = self.messages < MESSAGES && self.octets.saturating_add(octets) <= OCTETS;
        if is_room || self.messages == 0 {
            self.messages += 1;
            self.octets = self.octets.saturating_add(octets);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_by_messages_and_by_octets() {
        let room = QueueRoom::default();
        assert!((0..MESSAGES).all(|_| room.take(1)));
        assert!(!room.take(0));
        room.leave(1);
        assert!(room.take(1));
        let room = QueueRoom::default();
        assert!(room.take(OCTETS + 1), "one alone may have any size");
        assert!(!room.take(1));
        room.leave(OCTETS + 1);
        room.wait(1);
    }
}
