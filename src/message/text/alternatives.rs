//! Which of the alternatives of a text is shown (RFC 2046 section 5.1.4).
//!
//! The plain text is, if it says what the HTML says. Some senders write a plain text that only says
//! that the reader should use another program, so both are compared by their words.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::message::file_name::prefix;

/// How many octets of each text are compared.
const COMPARED: usize = 256 * 1024;
/// A text with fewer different words than this is not enough to tell.
const ENOUGH: usize = 5;

/// What to show of a plain text and an HTML text that stand for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Plain,
    Html,
    /// They have hardly a word in common, and neither is much longer.
    Both,
}

impl Choice {
    /// By the readable form of both.
    pub(super) fn between(plain: &str, html: &str) -> Self {
        let hasher = RandomState::new();
        let (plain, html) = (words(plain, &hasher), words(html, &hasher));
        let shared = html.intersection(&plain).count();
        if html.len() < ENOUGH || shared * 2 >= html.len() {
            return Self::Plain;
        }
        // A plain text that the HTML contains is a shorter form of it.
        let is_contained = shared * 2 >= plain.len();
        if html.len() >= plain.len() * 2 || (is_contained && html.len() > plain.len()) {
            Self::Html
        } else {
            Self::Both
        }
    }
}

/// The different words of a text, as hashes: links and words of one letter tell nothing.
fn words(text: &str, hasher: &RandomState) -> HashSet<u64> {
    let text = prefix(text, COMPARED);
    let without_links = text
        .split_whitespace()
        .filter(|word| !word.contains("://") && !word.contains('@'));
    let mut hashes = HashSet::new();
    for word in without_links.flat_map(|word| word.split(|c: char| !c.is_alphanumeric())) {
        // Scripts without spaces between words begin with Thai; lines are broken anywhere in them.
        let has_no_spaces = |letter: &char| *letter >= '\u{e00}';
        let letters = word.chars().filter(has_no_spaces);
        hashes.extend(letters.map(|letter| hasher.hash_one(letter)));
        if word.chars().nth(1).is_some() && !word.contains(|letter| has_no_spaces(&letter)) {
            hashes.insert(hasher.hash_one(word.to_lowercase()));
        }
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_shown_if_it_says_what_the_html_says() {
        for (plain, html) in [
            (
                "You are invited to the party.",
                "You are invited to the party.\n",
            ),
            (
                "Dear Bob, the invoice is due.",
                "Dear Bob, the invoice is due. Unsubscribe here\n",
            ),
            ("See https://a.example/very/long", "See our shop\n"),
            (
                "A long text with many words in it, and more of them.",
                "Only a few\n",
            ),
        ] {
            assert_eq!(Choice::between(plain, html), Choice::Plain, "{plain}");
        }
    }

    #[test]
    fn html_is_shown_if_plain_text_only_points_to_it() {
        let html = "Your order 4711 left our house this morning. The parcel comes on Thursday, \
            and the invoice for it is attached. We thank you for buying boots from us.\n";
        for plain in [
            "Your client shows no HTML.",
            "To view this email, please open it in a browser: https://a.example/",
        ] {
            assert_eq!(Choice::between(plain, html), Choice::Html, "{plain}");
        }
    }

    #[test]
    fn both_are_shown_if_they_say_different_things() {
        assert_eq!(
            Choice::between(
                "This message is in HTML. Your client shows none.",
                "The meeting moves to Thursday at noon\n"
            ),
            Choice::Both
        );
    }
}
