//! Tokens: what a text is cut into, to be found by.
//!
//! A word is a token. In scripts without spaces between words each character is one, and so is each
//! picture:
//!
//! ```text
//! 東京都 tokyo → 東 京 都 tokyo
//! ```
//! What was written together is looked for as a phrase, so whatever stands in the middle of a
//! sentence is found, one character too. (Pairs of characters as tokens would make the index
//! several times as large as the text: nearly each of them is another.) The tokenizer `unicode61`
//! of SQLite would make one token of a whole sentence, and does not fold ł, ø and ß: text and
//! queries are cut here, and SQLite only parts what it gets at the blanks.

use unicode_normalization::char::is_combining_mark;

use super::fold::fold;

/// The most octets of a token. A longer word is found by its beginning.
const TOKEN_MAX: usize = 64;

/// What is looked for: tokens that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// At least one; folded letters, digits, marks and signs only.
    pub(crate) tokens: Vec<String>,
    /// How the last token ends.
    pub(crate) ending: PhraseEnd,
}

/// Whether the last token of a phrase is one of the text, or begins one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PhraseEnd {
    /// The token ends where that of the text does.
    Whole,
    /// Any letters may follow.
    Open,
}

impl Phrase {
    /// Of the words as a user writes them; None where no letter, digit or sign is among them.
    pub(crate) fn new(words: &str, ending: PhraseEnd) -> Option<Self> {
        let mut tokens = Vec::new();
        cut(&fold(words), |token| tokens.push(token.to_owned()));
        let last = tokens.last()?.chars().next()?;
        let ending = match class(last) {
            CharacterClass::Letter => ending,
            // A character that is a token by itself begins no other.
            _ => PhraseEnd::Whole,
        };
        Some(Self { tokens, ending })
    }
}

/// The tokens of a text with blanks between them, in the order of the text.
pub fn spaced(text: &str) -> String {
    let folded = fold(text);
    let mut spaced = String::with_capacity(folded.len() + 1);
    cut(&folded, |token| {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(token);
    });
    spaced
}

/// What a character is to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CharacterClass {
    /// White space, punctuation and the like.
    Gap,
    /// A part of a word.
    Letter,
    /// A token by itself: a picture, or of a script that has no spaces between words.
    Alone,
}

/// Gives the tokens of a folded text.
fn cut(folded: &str, mut give: impl FnMut(&str)) {
    let mut rest = folded;
    while let Some(first) = rest.chars().next() {
        let class = class(first);
        let end = match class {
            CharacterClass::Alone => first.len_utf8(),
            CharacterClass::Letter | CharacterClass::Gap => end_of(rest, class),
        };
        let (token, behind) = rest.split_at(end);
        match class {
            CharacterClass::Gap => (),
            CharacterClass::Letter => give(shortened(token)),
            CharacterClass::Alone => give(token),
        }
        rest = behind;
    }
}

/// Where the characters of the class end, with which the text begins.
fn end_of(text: &str, of: CharacterClass) -> usize {
    text.find(|c| class(c) != of).unwrap_or(text.len())
}

fn shortened(word: &str) -> &str {
    let end = (0..=TOKEN_MAX.min(word.len())).rfind(|&end| word.is_char_boundary(end));
    &word[..end.unwrap_or(0)]
}

fn class(character: char) -> CharacterClass {
    if character.is_ascii() {
        return match character.is_ascii_alphanumeric() {
            true => CharacterClass::Letter,
            false => CharacterClass::Gap,
        };
    }
    if is_picture(character) {
        return CharacterClass::Alone;
    }
    if !character.is_alphanumeric() && !is_combining_mark(character) {
        return CharacterClass::Gap;
    }
    match is_dense(character) {
        true => CharacterClass::Alone,
        false => CharacterClass::Letter,
    }
}

/// Thai, Lao, Myanmar, Khmer, kana, Han, Hangul (which has spaces, but particles cling to its
/// words).
fn is_dense(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{e4f}'
        | '\u{e80}'..='\u{ecf}'
        | '\u{1000}'..='\u{103f}'
        | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17d3}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{1b000}'..='\u{1b16f}'
        | '\u{20000}'..='\u{3ffff}')
}

fn is_picture(character: char) -> bool {
    matches!(character, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_what_is_between_punctuation() {
        assert_eq!(
            spaced("Don't <alice.smith@example.org>, 1,234.56 €; snake_case"),
            "don t alice smith example org 1 234 56 snake case"
        );
        assert_eq!(spaced(" --- \0\r\n"), "");
    }

    #[test]
    fn characters_without_spaces_between_words_are_tokens() {
        assert_eq!(spaced("在東京都 a庁"), "在 東 京 都 a 庁");
        assert_eq!(spaced("회의를"), "회 의 를");
        assert_eq!(spaced("🎉🎉 ok"), "🎉 🎉 ok");
    }

    #[test]
    fn only_a_word_can_be_left_open() {
        let phrase = |words| Phrase::new(words, PhraseEnd::Open).unwrap();
        assert_eq!(phrase("東京").ending, PhraseEnd::Whole);
        assert_eq!(phrase("東 tok").ending, PhraseEnd::Open);
        assert_eq!(phrase("東 tok").tokens, ["東", "tok"]);
    }

    #[test]
    fn words_without_letters_are_no_phrase() {
        for words in ["", "-", "\"*(", "\u{301}", "\0"] {
            assert_eq!(Phrase::new(words, PhraseEnd::Open), None, "{words:?}");
        }
    }

    #[test]
    fn a_long_word_is_found_by_its_beginning() {
        let long = "äжx".repeat(100);
        let tokens = Phrase::new(&long, PhraseEnd::Whole).unwrap().tokens;
        assert_eq!(tokens, [spaced(&long)]);
        assert!(tokens[0].len() <= TOKEN_MAX);
    }

    proptest! {
        #[test]
        fn tokens_are_letters_of_bounded_length(text in any::<String>()) {
            let spaced = spaced(&text);
            for token in spaced.split(' ').filter(|_| !spaced.is_empty()) {
                prop_assert!(!token.is_empty() && token.len() <= TOKEN_MAX);
                prop_assert!(token.chars().all(|c| class(c) != CharacterClass::Gap));
                prop_assert_eq!(token.to_ascii_lowercase(), token);
            }
        }

        #[test]
        fn the_tokens_of_a_phrase_are_in_the_text_it_is_from(
            text in "[a-cé東京都 .]{1,12}", start in 0_usize..12, length in 1_usize..6,
        ) {
            // At the borders of words, or anywhere in a run.
            let part: String = text.chars().skip(start).take(length).collect();
            let before: Option<char> = text.chars().nth(start.wrapping_sub(1));
            let behind: Option<char> = text.chars().nth(start + length);
            let cuts = |c: Option<char>, edge: Option<char>| {
                c.is_some_and(|c| class(c) == CharacterClass::Letter) && edge.is_some_and(|c| class(c) == CharacterClass::Letter)
            };
            prop_assume!(!cuts(before, part.chars().next()) && !cuts(behind, part.chars().last()));
            if let Some(phrase) = Phrase::new(&part, PhraseEnd::Whole) {
                let (spaced, wanted) = (format!(" {} ", spaced(&text)), phrase.tokens.join(" "));
                let found = match phrase.ending {
                    PhraseEnd::Whole => spaced.contains(&format!(" {wanted} ")),
                    PhraseEnd::Open => spaced.contains(&format!(" {wanted}")),
                };
                prop_assert!(found, "{:?} in {:?}", phrase, spaced);
            }
        }
    }
}
