//! What the views make of a message, through the public functions of `pop3fs::message`: octets in,
//! text and trees out. No mount, no server.

mod attachments;
mod careless;
#[path = "../common/gathered.rs"]
mod gathered;
mod generated;
mod hostile;
mod kinds;
mod labels;
mod mails;
mod python;
#[path = "../fuzz/targets/mod.rs"]
mod targets;
mod texts;
mod trees;

use targets::mails::{self as corpus, wire};
use targets::parts::leaves;

/// The text view of a message given with LF.
fn text(message: &str) -> String {
    pop3fs::message::text(&wire(message))
}

/// The paths of all files of the message's tree.
fn paths(message: &[u8]) -> Vec<String> {
    leaves(message).into_iter().map(|leaf| leaf.path).collect()
}

/// The octets of one file.
fn file(message: &[u8], path: &str) -> Vec<u8> {
    let found = leaves(message).into_iter().find(|leaf| leaf.path == path);
    found
        .unwrap_or_else(|| panic!("{path} in {:?}", paths(message)))
        .octets
}

/// One file that is text.
fn text_file(message: &[u8], path: &str) -> String {
    String::from_utf8(file(message, path)).expect("UTF-8")
}
