//! The body of a message: its structure, what each part is to a reader, and how its octets are
//! encoded.

pub(super) mod contents;
mod embedded;
pub(super) mod mime;
mod sniff;
pub(super) mod transfer;
