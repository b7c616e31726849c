//! Where in a message the words of a query are.

use super::tokens::PhraseEnd;
use super::{Document, Query, fold};

/// The most characters of a snippet.
const LENGTH: usize = 120;
/// How many of these stand before what was found.
const BEFORE: usize = 30;

/// A line of the message around the first place where the query's first word is: from the text,
/// else from the start of it. On one line, with `…` where something is left out; empty for a
/// message without text.
pub fn snippet(document: &Document, query: &Query) -> String {
    let text = &document.text;
    let found = query.wanted().find_map(|wanted| {
        let tokens = &wanted.phrase.tokens;
        let first = tokens.first()?;
        if !first.is_ascii() {
            return find(text, &tokens.concat(), PhraseEnd::Open);
        }
        match tokens.len() {
            1 => find(text, first, wanted.phrase.ending),
            _ => find(text, first, PhraseEnd::Whole),
        }
    });
    around(text, found.unwrap_or(0))
}

/// Where a word of the text is the token, or has it in it.
fn find(text: &str, token: &str, ending: PhraseEnd) -> Option<usize> {
    let mut start = None;
    let ends = text.char_indices().chain([(text.len(), ' ')]);
    for (at, character) in ends {
        // Marks belong to the letter before them.
        let is_gap = !character.is_alphanumeric()
            && fold(character.encode_utf8(&mut [0; 4])) == character.to_string();
        match (start, is_gap) {
            (None, false) => start = Some(at),
            (Some(word), true) => {
                let folded = fold(&text[word..at]);
                let is_it = match ending {
                    PhraseEnd::Whole => folded == token,
                    PhraseEnd::Open => folded.contains(token),
                };
                if is_it {
                    return Some(word);
                }
                start = None;
            }
            _ => (),
        }
    }
    None
}

fn around(text: &str, found: usize) -> String {
    let before = text[..found].char_indices().rev().take(BEFORE).last();
    let start = before.map_or(found, |(at, _)| at);
    // Not in the middle of a word.
    let start = match text[start..found].find(char::is_whitespace) {
        Some(blank) if start > 0 => start + blank,
        _ => start,
    };
    let mut words = String::new();
    let mut left = LENGTH;
    let mut is_cut = false;
    for character in text[start..].chars() {
        let is_blank = character.is_whitespace();
        if is_blank && (words.is_empty() || words.ends_with(' ')) {
            continue;
        }
        if left == 0 {
            is_cut = true;
            break;
        }
        words.push(if is_blank { ' ' } else { character });
        left -= 1;
    }
    let front = if text[..start].trim().is_empty() {
        ""
    } else {
        "… "
    };
    let end = if is_cut { " …" } else { "" };
    format!("{front}{}{end}", words.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, query: &str) -> String {
        let document = Document {
            text: text.into(),
            ..Document::default()
        };
        snippet(&document, &Query::parse(query).unwrap())
    }

    #[test]
    fn a_snippet_is_around_what_was_found() {
        let long = format!(
            "{}the naïve\nInvoice is {}",
            "word ".repeat(50),
            "more ".repeat(50)
        );
        let snippet = of(&long, "subject:x -y invoice");
        assert!(snippet.starts_with("… word"), "{snippet}");
        assert!(snippet.contains("the naïve Invoice is more"), "{snippet}");
        assert!(snippet.ends_with(" …"), "{snippet}");
        assert!(snippet.chars().count() <= LENGTH + 4, "{snippet}");
        assert!(of(&long, "naive").contains("naïve Invoice"));
    }

    #[test]
    fn without_the_word_it_is_the_start() {
        assert_eq!(
            of("\n Dear Bob,\n\nsee you\n", "size:>1"),
            "Dear Bob, see you"
        );
        assert_eq!(of("", "x"), "");
    }

    #[test]
    fn a_run_without_spaces_is_found_in_its_middle() {
        assert!(of(&format!("{} 私は東京都に", "あ".repeat(200)), "東京").contains("東京都"));
    }
}
