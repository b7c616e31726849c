//! Every message of the program is in a test: word by word here, or where a test makes it appear.

mod coverage;
mod sentences;
