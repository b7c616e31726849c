//! The data that the handlers' threads and the engine's thread share.

pub(crate) mod away;
pub(crate) mod change;
pub(crate) mod effects;
pub(crate) mod history;
pub(crate) mod orders;
pub(crate) mod read_ahead;
pub(crate) mod received;
pub(crate) mod size_estimate;
pub(crate) mod state;
pub(crate) mod waiter;
pub(crate) mod wants;
pub(crate) mod window;

use crate::maildrop::catalogue::id::MessageId;
use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::fault::Fault;
use crate::maildrop::settings::Settings;
use crate::maildrop::shared::change::Change;
use crate::maildrop::shared::state::{Phase, State};
use crate::maildrop::shared::waiter::answer_all;
use crate::net::WakeUp;
use crate::store::Disk;
use crate::store::Index;
use parking_lot::Mutex;
use parking_lot::MutexGuard;
use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::Duration;

/// The shared data. Everything that changes is in [`State`], behind one lock.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) index: Index,
    pub(crate) disk: Disk,
    pub(crate) wake_up: WakeUp,
    pub(crate) state: Mutex<State>,
    /// The unlinked messages whose removal the index keeps for the next mount. It is locked before
    /// the state, and until the disk has what the index is told to keep or to forget.
    pub(crate) remembered: Mutex<HashSet<MessageId>>,
    pub(crate) last_heard: LastHeard,
    pub(crate) on_change: OnceLock<Box<dyn Fn(Change) + Send + Sync>>,
    pub(crate) on_body: OnceLock<Box<dyn Fn(MessageId) + Send + Sync>>,
}

impl Shared {
    /// The longest time that the server may be silent.
    pub(crate) fn timeout(&self) -> Duration {
        self.settings.login.timeout
    }

    /// How long a commit waits for LOGIN-DELAY. Two more timeouts are left for its session, so that
    /// an unmount ends within five.
    pub(crate) fn commit_patience(&self) -> Duration {
        self.timeout() * 3
    }

    /// Unlocks the state and wakes the engine, which then looks at the wants and orders. If the
    /// engine has ended, this fails all of them instead.
    pub(crate) fn wake_engine(&self, state: MutexGuard<'_, State>) {
        let phase = state.phase;
        drop(state);
        match phase {
            Phase::Serving | Phase::Ending => self.wake_up.ring(),
            Phase::Over => self.fail_everything(&Fault::Ending),
        }
    }

    /// Answers all waiters for transfers and new listings with this fault. Waiters for a commit are
    /// not included; the last commit answers them.
    pub(crate) fn fail_everything(&self, fault: &Fault) {
        let (refresh, wants) = self.change(|state, _| {
            let refresh = std::mem::take(&mut state.orders.refresh);
            (refresh, state.wants.all())
        });
        answer_all(refresh, &Err(fault.clone()));
        for want in wants {
            self.fail(want, fault);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
