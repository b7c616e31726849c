//! What the callers' threads and the engine's thread share.

pub(crate) mod change;
pub(crate) mod history;
pub(crate) mod orders;
pub(crate) mod read_ahead;
pub(crate) mod received;
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
use std::sync::OnceLock;
use std::time::Duration;

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) index: Index,
    pub(crate) disk: Disk,
    pub(crate) wake_up: WakeUp,
    pub(crate) state: Mutex<State>,
    pub(crate) last_heard: LastHeard,
    pub(crate) on_change: OnceLock<Box<dyn Fn(Change) + Send + Sync>>,
    pub(crate) on_body: OnceLock<Box<dyn Fn(MessageId) + Send + Sync>>,
}

impl Shared {
    /// The longest silence of the server.
    pub(crate) fn timeout(&self) -> Duration {
        self.settings.login.timeout
    }

    /// Wakes the engine for what the state asks of it now. Once the engine has ended, all of that fails.
    pub(crate) fn ring(&self, state: MutexGuard<'_, State>) {
        let phase = state.phase;
        drop(state);
        match phase {
            Phase::Serving | Phase::Ending => self.wake_up.ring(),
            Phase::Over => self.fail_everything(&Fault::Ending),
        }
    }

    /// Answers everybody who waits for a transfer or a new listing. The last commit answers those who wait for it.
    pub(crate) fn fail_everything(&self, fault: &Fault) {
        let mut state = self.state.lock();
        let refresh = std::mem::take(&mut state.orders.refresh);
        let wants = state.wants.all();
        drop(state);
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
