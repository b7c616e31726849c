//! Tokens: what a text is cut into, to be found by.
//!
//! A word is a token. Scripts without spaces between words give a token for each character and its neighbour, and for the last
//! character of a run one of its own:
//!
//! ```text
//! 東京都 → 東京 京都 都        to find 東京都: 東京 京都        to find 京: every token that begins with 京
//! ```
//! So whatever stands in the middle of a sentence is found, one character too, and a phrase is found exactly. The tokenizer
//! `unicode61` of SQLite would make one token of a whole sentence, and does not fold ł, ø and ß: text and queries are cut here,
//! and SQLite only parts what it gets at the blanks.

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
    pub(crate) ending: Ending,
}

/// Whether the last token of a phrase is one of the text, or begins one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The token ends where that of the text does.
    Whole,
    /// Any letters may follow.
    Open,
}

impl Phrase {
    /// Of the words as a user writes them; None where no letter, digit or sign is among them.
    pub(crate) fn new(words: &str, ending: Ending) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut last = Kind::Word;
        cut(&fold(words), |token, kind| {
            tokens.push(token.to_owned());
            last = kind;
        });
        let ending = match last {
            Kind::Word => ending,
            Kind::Pair | Kind::Sign => Ending::Whole,
            Kind::RunEnd { is_alone: true } => Ending::Open,
            Kind::RunEnd { is_alone: false } => {
                // The run may go on in the text.
                tokens.pop();
                Ending::Whole
            }
        };
        (!tokens.is_empty()).then_some(Self { tokens, ending })
    }
}

/// The tokens of a text with blanks between them, in the order of the text.
pub fn spaced(text: &str) -> String {
    let folded = fold(text);
    let mut spaced = String::with_capacity(folded.len() + 1);
    cut(&folded, |token, _| {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(token);
    });
    spaced
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    /// Two neighbours of a run.
    Pair,
    /// The last character of a run, which is also the first if it is alone.
    RunEnd {
        is_alone: bool,
    },
    Sign,
}

/// What a character is to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// White space, punctuation and the like.
    Gap,
    Letter,
    /// Of a script that has no spaces between words.
    Dense,
    /// A word by itself: a picture.
    Sign,
}

/// Gives the tokens of a folded text.
fn cut(folded: &str, mut give: impl FnMut(&str, Kind)) {
    let mut rest = folded;
    while let Some(first) = rest.chars().next() {
        let class = class(first);
        let end = match class {
            Class::Sign => first.len_utf8(),
            _ => end_of(rest, class),
        };
        let (run, behind) = rest.split_at(end);
        match class {
            Class::Gap => (),
            Class::Letter => give(shortened(run), Kind::Word),
            Class::Sign => give(run, Kind::Sign),
            Class::Dense => cut_run(run, &mut give),
        }
        rest = behind;
    }
}

/// Where the characters of the class end, with which the text begins.
fn end_of(text: &str, of: Class) -> usize {
    text.find(|c| class(c) != of).unwrap_or(text.len())
}

fn cut_run(run: &str, give: &mut impl FnMut(&str, Kind)) {
    let mut starts = run.char_indices().map(|(at, _)| at);
    let (Some(mut start), Some(mut middle)) = (starts.next(), starts.next()) else {
        return give(run, Kind::RunEnd { is_alone: true });
    };
    for end in starts.chain([run.len()]) {
        give(&run[start..end], Kind::Pair);
        (start, middle) = (middle, end);
    }
    give(&run[start..middle], Kind::RunEnd { is_alone: false });
}

fn shortened(word: &str) -> &str {
    let end = (0..=TOKEN_MAX.min(word.len())).rfind(|&end| word.is_char_boundary(end));
    &word[..end.unwrap_or(0)]
}

fn class(character: char) -> Class {
    if character.is_ascii() {
        return match character.is_ascii_alphanumeric() {
            true => Class::Letter,
            false => Class::Gap,
        };
    }
    if is_picture(character) {
        return Class::Sign;
    }
    if !character.is_alphanumeric() && !is_combining_mark(character) {
        return Class::Gap;
    }
    match is_dense(character) {
        true => Class::Dense,
        false => Class::Letter,
    }
}

/// Thai, Lao, Myanmar, Khmer, kana, Han, Hangul (which has spaces, but particles cling to its words).
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

    fn phrase(words: &str) -> (Vec<String>, Ending) {
        let phrase = Phrase::new(words, Ending::Whole).unwrap();
        (phrase.tokens, phrase.ending)
    }

    #[test]
    fn words_are_what_is_between_punctuation() {
        assert_eq!(
            spaced("Don't <alice.smith@example.org>, 1,234.56 €; snake_case"),
            "don t alice smith example org 1 234 56 snake case"
        );
        assert_eq!(spaced(" --- \0\r\n"), "");
    }

    #[test]
    fn a_run_without_spaces_gives_pairs() {
        assert_eq!(spaced("在東京都 a庁"), "在東 東京 京都 都 a 庁");
        assert_eq!(spaced("회의를"), "회의 의를 를");
        assert_eq!(spaced("🎉🎉 ok"), "🎉 🎉 ok");
    }

    #[test]
    fn what_is_looked_for_may_end_in_the_middle_of_a_run() {
        assert_eq!(
            phrase("東京都"),
            (vec!["東京".into(), "京都".into()], Ending::Whole)
        );
        assert_eq!(phrase("京"), (vec!["京".into()], Ending::Open));
        assert_eq!(
            phrase("a 京"),
            (vec!["a".into(), "京".into()], Ending::Open)
        );
        let before_a_word = ["東京", "京", "station"].map(str::to_owned).to_vec();
        assert_eq!(phrase("東京 station"), (before_a_word, Ending::Whole));
    }

    #[test]
    fn words_without_letters_are_no_phrase() {
        for words in ["", "-", "\"*(", "\u{301}", "\0"] {
            assert_eq!(Phrase::new(words, Ending::Open), None, "{words:?}");
        }
    }

    #[test]
    fn a_long_word_is_found_by_its_beginning() {
        let long = "äжx".repeat(100);
        let (tokens, _) = phrase(&long);
        assert_eq!(tokens, [spaced(&long)]);
        assert!(tokens[0].len() <= TOKEN_MAX);
    }

    proptest! {
        #[test]
        fn tokens_are_letters_of_bounded_length(text in any::<String>()) {
            let spaced = spaced(&text);
            for token in spaced.split(' ').filter(|_| !spaced.is_empty()) {
                prop_assert!(!token.is_empty() && token.len() <= TOKEN_MAX);
                prop_assert!(token.chars().all(|c| class(c) != Class::Gap));
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
                c.is_some_and(|c| class(c) == Class::Letter) && edge.is_some_and(|c| class(c) == Class::Letter)
            };
            prop_assume!(!cuts(before, part.chars().next()) && !cuts(behind, part.chars().last()));
            if let Some(phrase) = Phrase::new(&part, Ending::Whole) {
                let (spaced, wanted) = (format!(" {} ", spaced(&text)), phrase.tokens.join(" "));
                let found = match phrase.ending {
                    Ending::Whole => spaced.contains(&format!(" {wanted} ")),
                    Ending::Open => spaced.contains(&format!(" {wanted}")),
                };
                prop_assert!(found, "{:?} in {:?}", phrase, spaced);
            }
        }
    }
}
