//! What is on its way in one direction.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The most that is on its way: what passes in 100 ms at 2.5 GB a second. A receiver that does not
/// read stops the sender.
const ROOM: usize = 256 << 20;

/// Octets, each with the time at which it arrives.
#[derive(Debug)]
pub(super) struct Line {
    one_way: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    under_way: VecDeque<(Instant, Vec<u8>)>,
    octets: usize,
    closed: bool,
}

impl Line {
    pub(super) fn new(one_way: Duration) -> Self {
        Self {
            one_way,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Sends octets off, as soon as there is room; false when nobody takes them any more.
    pub(super) fn put(&self, octets: &[u8]) -> bool {
        let due = Instant::now() + self.one_way;
        let mut state = self.state.lock();
        self.changed
            .wait_while(&mut state, |state| state.octets >= ROOM && !state.closed);
        if state.closed {
            return false;
        }
        state.octets += octets.len();
        state.under_way.push_back((due, octets.to_vec()));
        self.changed.notify_all();
        true
    }

    /// The next octets, when their time has come; none after the last ones.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| {
            state.under_way.is_empty() && !state.closed
        });
        let (due, octets) = state.under_way.pop_front()?;
        state.octets -= octets.len();
        self.changed.notify_all();
        drop(state);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        Some(octets)
    }

    /// Nothing more is put in. What is under way still arrives.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}
