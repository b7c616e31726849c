//! Every message of the program is in a test: word by word here, or where a test makes it appear.

#[path = "../common/mod.rs"]
mod common;

mod coverage;
mod log;
mod sentences;
