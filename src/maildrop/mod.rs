//! The maildrop as it stands across sessions: what is listed, what is wanted, what is to be deleted.
//!
//! # Theory of operation
//!
//! ```text
//!  any thread                    state (one lock)               the engine's thread
//!  ──────────                    ────────────────               ───────────────────
//!  look up, list, unlink ──────▶ catalogue
//!  want a body, headers ───────▶ wants ─────────ring──────────▶ Session: window of commands ──▶ server
//!  commit, refresh, close ─────▶ orders ────────ring──────────▶ ...
//!                                catalogue, bodies ◀──────────── what came; then the waiters are answered
//! ```
//!
//! The lock is held for moments, never over input or output; nothing here waits for the network but the engine. A
//! [`Waiter`] is answered by the engine's thread with no lock held.
//!
//! A [`MessageId`] is a message for as long as the mount. A message number is known to the session alone: after each
//! log-in UIDL maps the messages anew, and a DELE is sent only for a message that is [`Standing::Unlinked`], by the
//! number that this session's UIDL gave it, with QUIT right behind. Where there is no UIDL the headers do its work.
//!
//! What servers do that the standards do not say is listed in quirks.rs.

mod access;
mod catalogue;
mod connection;
mod deletion;
mod engine;
mod fault;
mod fetch;
mod handle;
mod login;
mod probe;
mod removal;
mod search;
mod session;
mod settings;
mod shared;

pub use catalogue::Totals;
pub use catalogue::id::{MessageId, Tag};
pub use catalogue::message::{Message, Standing};
/// Public for the fuzzer alone: any octets of a server become the name of a file here.
#[doc(hidden)]
pub use catalogue::name::file_name;
pub use catalogue::name::{NAME_MAX, SUFFIX};
pub use catalogue::pending::Remover;
pub use connection::pipelining::Pipeline;
pub use deletion::limit::{Consent, Excess, Held};
pub use deletion::verdict::{Farewell, Kept, Verdict};
pub use fault::Fault;
pub use fetch::{Depth, FetchError, Fetched, Progress};
pub use handle::{Maildrop, OpenError};
pub use login::{
    AuthenticationError, Credential, Login, Mechanism, Method, Renewal, SaslMechanism, Secret,
    Security,
};
pub use probe::{Finding, Outlook, Rating, probe, reach};
pub use session::terms::{Connection, Terms};
pub use settings::{Dating, Settings};
pub use shared::change::Change;
pub use shared::history::History;
pub use shared::waiter::Waiter;
