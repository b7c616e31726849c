//! The maildrop as it stands across sessions: what is listed, what is wanted, what is to be
//! deleted.
//!
//! # Theory of operation
//!
//! ```text
//!  any thread                     state (one lock)               the engine's thread
//!  ──────────                     ────────────────               ───────────────────
//!  look up, list, unlink ───────▶ catalogue
//!  want a body, headers ────────▶ wants ──────wakes────────────▶ Transfer: window of commands ──▶ server
//!  commit, refresh, close ──────▶ orders ─────wakes────────────▶ Commit, Sessions
//!                                 catalogue, bodies ◀─────────── what was confirmed; then the waiters are answered
//! ```
//!
//! The lock is held for moments, never over input or output. Only the engine waits for the network.
//! It answers a [`Waiter`] with no lock held.
//!
//! A [`MessageId`] is a message for as long as the mount. Only a session knows message numbers:
//! after each login UIDL maps the messages again. A DELE is sent only for a message that is
//! [`Standing::Unlinked`], by the number that this session's UIDL gave it, with QUIT right behind.
//! Where the server has no UIDL, the headers do its work.
//!
//! # Floors
//!
//! Each imports only what stands below it.
//!
//! | floor | what it does |
//! |---|---|
//! | `handle`, `access`, `headers`, `removal`, `fetch`, `search`, `probe` | what callers can do |
//! | `engine` | the loop; sessions, transfer, commit: each with its own data |
//! | `shared` | what callers and the engine share behind one lock; what is done with what came |
//! | `session` | one session in TRANSACTION state: its listing, numbers, TOP |
//! | `settings` | what a mount of the maildrop needs to know |
//! | `login` | from connect to TRANSACTION state |
//! | `connection` | commands out, events in; what this mount has learnt of the server (quirks.rs) |
//! | `fault` | why something failed, and whose fault that is |
//! | `deletion` | how many removals need a question, and what became of them: no input or output |
//! | `catalogue` | every message of the account, by name, inode number and unique-id |

mod access;
mod catalogue;
mod connection;
mod deletion;
mod engine;
mod fault;
mod fetch;
mod handle;
mod headers;
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
pub use deletion::verdict::{Farewell, Kept, Verdict, Whereabouts};
pub use fault::Fault;
pub use fetch::{Depth, FetchError, Fetched, Progress};
pub use handle::{Maildrop, OpenError};
pub use login::{
    AuthenticationError, Credential, Login, Mechanism, Method, Renewal, SaslMechanism, Secret,
    Security,
};
pub use probe::{Finding, Rating, Remedy, Report, probe, reach};
pub use session::terms::{Connection, Terms};
pub use settings::{Dating, LoginPatience, OfflineMode, Settings};
pub use shared::change::Change;
pub use shared::history::History;
pub use shared::waiter::Waiter;
