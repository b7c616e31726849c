//! What is in alice's mailbox, and what a command should find there.

use crate::common::corpus;
use crate::home::Home;

/// How many messages she has.
pub(crate) const COUNT: usize = 12;

const SEED: u64 = 77;

impl Home {
    /// A machine with everyday mail: the first messages of the corpus, an hour apart from the first
    /// second of 2024 on.
    pub(crate) fn with_everyday_mail(count: usize) -> Self {
        Self::new(&everyday(count))
    }
}

/// The messages of [`Home::with_everyday_mail`].
pub(crate) fn everyday(count: usize) -> Vec<Vec<u8>> {
    corpus::realistic(SEED, count)
}

/// The subject of the message at this index.
pub(crate) fn subject(index: usize) -> String {
    corpus::realistic_message(SEED, index).subject
}

/// How many of the messages hold the words; never none.
pub(crate) fn holding(words: &str) -> usize {
    let holds = |octets: &Vec<u8>| String::from_utf8_lossy(octets).contains(words);
    let found = everyday(COUNT)
        .iter()
        .filter(|octets| holds(octets))
        .count();
    assert!(found > 0, "{words}");
    found
}

/// The lines that hold the words.
pub(crate) fn lines_with<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(words)).collect()
}
