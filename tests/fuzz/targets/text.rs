//! The text view: nothing in it moves a terminal's cursor, and it is as long as the message times a constant.

use pop3fs::message;

/// The most octets of text for one of the message: eight for a C1 control, as much again for the line that names a part.
const GROWTH: usize = 24;

pub fn check(octets: &[u8]) {
    let text = message::text(octets);
    let steers = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    assert!(!text.contains(steers), "{text:?}");
    assert!(
        text.len() <= 1024 + GROWTH * octets.len(),
        "{} of {}",
        text.len(),
        octets.len()
    );
}
