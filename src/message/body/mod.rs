//! The body of a message: its structure, what each part is to a reader, and how its octets are encoded.

pub(super) mod contents;
pub(super) mod mime;
pub(super) mod transfer;
