//! Full-text search: what a query means, what of a message is found by it, and where the words are.
//! Pure functions; the index on disk is in [`store`](crate::store).
//!
//! # The language
//!
//! ```text
//! query   = clause *( [ "AND" ] clause )            ; all of them hold
//! clause  = term *( "OR" term )                     ; one of them holds
//! term    = [ "-" ] ( text / fact )                 ; "-": it does not hold
//! text    = [ field ":" ] ( word / quoted ) [ "*" ] ; "*": the last word only begins so, with two letters at least
//! field   = "from" / "to" / "cc" / "subject" / "attachment" / "list"
//! fact    = ( "after:" / "before:" / "date:" ) ( year [ "-" month [ "-" day ] ] / count ( "h" / "d" / "w" / "m" / "y" ) )
//!         / "size:" ( ">" / "<" ) number [ "K" / "M" / "G" ]
//!         / "has:attachment" / "is:unread" / "is:read"
//! ```
//! Terms are parted by blanks. `OR` binds its neighbours first: `invoice from:alice OR from:bob`
//! looks for invoices of either. A text without a field is looked for everywhere. Case and
//! diacritics do not matter, nor does punctuation: what is between letters and digits parts words,
//! and words that were written together (`alice@example.org`) or in quotes have to follow each
//! other. `after:D` begins where D does, `before:D` ends there, and `date:D` is all of D; `7d` is a
//! time so long ago. Days are those of the machine's time zone.
//!
//! In a name of the directory `+` is a blank, `%2F` a slash and `%2B` a plus; [`Query::from_name`]
//! reads those.

mod clock;
mod document;
mod error;
mod fold;
mod grammar;
mod name;
mod period;
mod query;
mod snippet;
mod tokens;

pub use clock::Clock;
pub use document::Document;
pub use error::QueryError;
pub use fold::fold;
pub use query::Query;
pub use snippet::snippet;
pub use tokens::{Phrase, spaced};

pub(crate) use query::{Clause, Condition, Field, Reading, Sense, SizeBound, Term, TextTerm};
pub(crate) use tokens::PhraseEnd;
