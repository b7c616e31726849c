//! Which of the alternatives of a text is shown (RFC 2046 section 5.1.4).
//!
//! The plain text is, if it says what the HTML says. Some senders write a plain text that only says
//! that the reader should use another program, and some write a text of other content. So both are
//! compared by their words. What is left out has no more than a sentence of its own, and no number
//! of its own; HTML is not left out either if only it has links.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::message::file_name::prefix;
use crate::message::visible;

/// How many octets of each text are compared.
const COMPARED: usize = 256 * 1024;
/// An HTML text with fewer different words than this is a short form of the plain text if it shares
/// any of them.
const ENOUGH: usize = 5;
/// How many different words may be left out: about a sentence, such as one that points to the other
/// alternative.
const SENTENCE: usize = 16;

/// What to show of a plain text and an HTML text that stand for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Plain,
    Html,
    /// Each says something that the other one does not.
    Both,
}

impl Choice {
    /// By the readable form of both.
    pub(super) fn between(plain: &str, html: &str) -> Self {
        if is_blank(plain) && !is_blank(html) {
            return Self::Html;
        }
        let hasher = RandomState::new();
        let (plain, html) = (Wording::of(plain, &hasher), Wording::of(html, &hasher));
        let shared = html.words.intersection(&plain.words).count();
        if plain.stands_for_html(&html, shared) {
            Self::Plain
        } else if html.stands_for_plain(&plain, shared) {
            Self::Html
        } else {
            Self::Both
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|character| character.is_whitespace() || visible::is_invisible(character))
}

/// What a text says.
#[derive(Default)]
struct Wording {
    /// The different words, as hashes. Links are none, since two forms of a text seldom have the
    /// same; words of one letter tell nothing.
    words: HashSet<u64>,
    /// Those of the words that have a digit: codes, amounts, dates.
    numbers: HashSet<u64>,
    has_link: bool,
}

impl Wording {
    fn of(text: &str, hasher: &RandomState) -> Self {
        let mut content = Self::default();
        for word in prefix(text, COMPARED).split_whitespace() {
            if word.contains("://") {
                content.has_link = true;
            } else if !word.contains('@') && !word.contains("tel:") {
                content.add(word, hasher);
            }
        }
        content
    }

    fn add(&mut self, written: &str, hasher: &RandomState) {
        let letters = written.chars().filter(is_of_script_without_spaces);
        self.words
            .extend(letters.map(|letter| hasher.hash_one(letter)));
        let is_between = |c: char| !c.is_alphanumeric() || is_of_script_without_spaces(&c);
        for word in written.split(is_between) {
            if word.chars().nth(1).is_none() {
                continue;
            }
            let hash = hasher.hash_one(word.to_lowercase());
            self.words.insert(hash);
            if word.contains(char::is_numeric) {
                self.numbers.insert(hash);
            }
        }
    }

    fn stands_for_html(&self, html: &Self, shared: usize) -> bool {
        let is_short_form = html.words.len() < ENOUGH && shared > 0;
        let has_link = self.has_link || !html.has_link;
        (is_short_form || shared * 2 >= html.words.len()) && has_link && self.lacks_little(html)
    }

    /// A plain text that the HTML contains is a shorter form of it.
    fn stands_for_plain(&self, plain: &Self, shared: usize) -> bool {
        let is_contained = shared * 2 >= plain.words.len();
        let is_longer = self.words.len() >= plain.words.len() * 2
            || (is_contained && self.words.len() >= plain.words.len());
        is_longer && self.lacks_little(plain)
    }

    /// Whether no more than a sentence without a number is only in the other text.
    fn lacks_little(&self, other: &Self) -> bool {
        other.words.difference(&self.words).count() <= SENTENCE
            && other.numbers.is_subset(&self.numbers)
    }
}

/// Scripts without spaces between words begin with Thai; lines are broken anywhere in them.
fn is_of_script_without_spaces(letter: &char) -> bool {
    *letter >= '\u{e00}'
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
                "Only a few words\n",
            ),
            (
                "Good news: our shop https://a.example/plain is open",
                "Good news: our shop <https://a.example/html?id=1> is open\n",
            ),
            ("\u{1f44d}", "\u{1f44d}\n"),
            ("Hello", ""),
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
    fn html_is_shown_if_it_says_more_than_the_plain_text() {
        let plain = "Dear Bob, the invoice is due.";
        for html in [
            "Dear Bob, the invoice is due. Number 4711\n",
            "Dear Bob, the invoice is due. Pay <https://a.example/>\n",
            "Dear Bob, the invoice is due. We have sent you two reminders in May and June, and have not \
                heard from you since then. Please call our office before noon tomorrow.\n",
        ] {
            assert_eq!(Choice::between(plain, html), Choice::Html, "{html}");
        }
    }

    #[test]
    fn a_plain_text_without_anything_visible_gives_way_to_html() {
        for plain in ["\u{a0}\n", "\u{200b}\u{200d}", "-- \n", ""] {
            assert_eq!(Choice::between(plain, "Zebra\n"), Choice::Html, "{plain}");
        }
        assert_eq!(Choice::between("\u{a0}", "\u{1f44d}\n"), Choice::Html);
        assert_eq!(Choice::between("\u{a0}", "\n"), Choice::Plain);
    }

    #[test]
    fn both_are_shown_if_they_say_different_things() {
        let viewer = "To view the message, please use an HTML compatible email viewer!";
        let guests = "Liebe Gäste, die Feier beginnt morgen um neun im großen Saal. Bringt bitte Schuhe, Schirm und \
            gute Laune mit, denn das Wetter bleibt schlecht.";
        for (plain, html) in [
            (
                "This message is in HTML. Your client shows none.",
                "The meeting moves to Thursday at noon\n",
            ),
            (
                "A long text with many words in it, and more of them.",
                "Only a few\n",
            ),
            (viewer, "Your code: 482913\n"),
            (viewer, "The message code: 482913\n"),
            (viewer, "<https://a.example/reset>\n"),
            (viewer, "View the ticket <https://a.example/ticket>\n"),
            ("このメールはHTML形式です。", "認証番号482913\n"),
            (
                "The gate code: ZEBRA77",
                "You get this mail because you are a member of our club. Please send no reply to it.\n",
            ),
            (
                guests,
                "Dear guests, the party begins tomorrow at nine in the large hall. Please bring shoes, an umbrella \
                    and good spirits along, because the weather stays bad. If you cannot come, write to our office \
                    before noon. Trains run every twenty minutes until midnight; dogs stay outside, lunch is free.\n",
            ),
        ] {
            assert_eq!(Choice::between(plain, html), Choice::Both, "{html}");
        }
    }
}
