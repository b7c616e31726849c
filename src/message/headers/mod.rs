//! The header block of a message, and what its fields say.

mod arrival;
pub(super) mod block;
pub(super) mod date;
mod encoded_words;
mod envelope;
pub(super) mod fields;
mod name;
pub(super) mod parameters;
mod summary;

pub use arrival::{DatePreference, arrival};
pub use block::header_block;
pub use envelope::{Envelope, envelope};
pub use name::{UNKNOWN_SENDER, Zone, name, tag, title};
pub use summary::{Outlined, Summary, outline, summary};
