//! What a message says: when it arrived, and all that the views show of it. Octets go in,
//! structures and text come out; no file, network or clock is used. mail-parser, html5gum and the
//! crates for charsets are used only here.
//!
//! | input | function | result |
//! |---|---|---|
//! | headers | [`arrival()`] | Unix seconds |
//! | headers | [`summary()`] | subject, author, identifier |
//! | headers | [`envelope()`] | all senders and recipients, subject, mailing list |
//! | headers | [`outline()`] | the summary in the form that the index keeps |
//! | headers | [`title()`], [`name()`] | a file name for people |
//! | message | [`text()`] | all its readable text, in UTF-8 |
//! | message | [`parts()`] | a tree of files, each with its size and the place of its octets |
//!
//! ```text
//! text  parts          what the views show
//! body                 the structure of a message, and what its parts are
//! headers              where headers end, and what their fields say
//! charset  base64  file_name  visible
//! ```
//! Each line uses only those below it.
//!
//! A message is hostile input: it may have any octets and any length. Nothing here fails or panics.
//! What cannot be read is left out. What is over a limit ([`parts`](mod@parts) has the limits) is
//! named but not read. Time and memory grow linearly with the message.

mod base64;
mod body;
mod charset;
mod file_name;
mod headers;
pub mod parts;
mod text;
mod visible;

pub use headers::{
    DatePreference, Envelope, Outlined, Summary, UNKNOWN_SENDER, Zone, arrival, envelope,
    header_block, name, outline, summary, tag, title,
};
pub use parts::parts;
pub use text::text;
