//! What the callers' threads and the engine's thread share.

pub(crate) mod history;
pub(crate) mod read_ahead;
pub(crate) mod received;
pub(crate) mod state;
pub(crate) mod wants;
