//! Folding: letters that readers take for the same become the same.

use unicode_normalization::UnicodeNormalization;

/// The text without case and diacritics. A letter loses its marks by Unicode's compatibility
/// decomposition, which also makes full-width letters plain and ligatures several;
/// `plain_letters` has those that do not decompose. Vowel signs of Indic scripts and the voicing
/// marks of kana make other letters, so they stay. What is invisible (soft hyphens, joiners, marks
/// of direction) goes.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.bytes().take_while(u8::is_ascii).count();
        folded.extend(rest[..plain].chars().map(|c| c.to_ascii_lowercase()));
        rest = &rest[plain..];
        let other = rest.find(|c: char| c.is_ascii()).unwrap_or(rest.len());
        fold_others(&rest[..other], &mut folded);
        rest = &rest[other..];
    }
    folded
}

fn fold_others(text: &str, folded: &mut String) {
    let letters = text.nfkd().filter(|&c| !is_dropped(c));
    let lower = letters.flat_map(char::to_lowercase);
    // Lower case can have a mark of its own: that of U+0130 is a dot above.
    let lower = lower.filter(|&c| !is_dropped(c));
    folded.extend(Spelt::new(lower).nfc());
}

/// Characters, with those that stand for plain letters replaced.
struct Spelt<I> {
    characters: I,
    /// What is left of the letters that the last one stands for.
    pending: std::str::Chars<'static>,
}

impl<I> Spelt<I> {
    fn new(characters: I) -> Self {
        Self {
            characters,
            pending: "".chars(),
        }
    }
}

impl<I: Iterator<Item = char>> Iterator for Spelt<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if let Some(letter) = self.pending.next() {
            return Some(letter);
        }
        let character = self.characters.next()?;
        let Some(letters) = plain_letters(character) else {
            return Some(character);
        };
        self.pending = letters.chars();
        self.pending.next()
    }
}

/// Lower-case letters that Unicode does not decompose, as people type them without their own
/// keyboard.
fn plain_letters(character: char) -> Option<&'static str> {
    Some(match character {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ƀ' | 'ɓ' => "b",
        'đ' | 'ð' | 'ɖ' | 'ɗ' => "d",
        'ƒ' => "f",
        'ħ' => "h",
        'ı' | 'ɨ' => "i",
        'ĸ' | 'ƙ' => "k",
        'ł' | 'ƚ' => "l",
        'ŋ' => "n",
        'ø' | 'ɵ' => "o",
        'ŧ' => "t",
        'ʉ' => "u",
        'ƶ' => "z",
        'ς' => "σ",
        // Persian and Urdu keyboards write these where Arabic ones write the others.
        'ی' | 'ى' => "ي",
        'ک' => "ك",
        _ => return None,
    })
}

fn is_dropped(character: char) -> bool {
    is_diacritic(character) || is_invisible(character)
}

/// A mark that readers leave out: accents, Hebrew points, Arabic vowels.
fn is_diacritic(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}' | '\u{6e7}' | '\u{6e8}' | '\u{6ea}'..='\u{6ed}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// Characters that no reader sees and that part no word: U+0640 only stretches Arabic ones.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200c}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_diacritics_do_not_matter() {
        for (written, folded) in [
            ("Café ÀÉÎÕÜ", "cafe aeiou"),
            ("cafe\u{301}", "cafe"),
            (
                "Łódź Ørsted Straße STRASSE ẞ",
                "lodz orsted strasse strasse ss",
            ),
            ("Æther Œuvre Þór Đà", "aether oeuvre thor da"),
            ("İstanbul ısı", "istanbul isi"),
            ("ΟΔΟΣ οδός", "οδοσ οδοσ"),
            ("Ёлка ЙОД", "елка иод"),
            ("ｆｕｌｌ ﬁne №", "full fine no"),
            ("שָׁלוֹם", "שלום"),
            ("مُحَمَّد مـحمد", "محمد محمد"),
        ] {
            assert_eq!(fold(written), folded);
        }
    }

    #[test]
    fn marks_that_make_other_letters_stay() {
        assert_eq!(fold("が か ﾀﾞ"), "が か ダ");
        assert_eq!(fold("한국어"), "한국어");
        assert_eq!(fold("हिन्दी"), "हिन्दी");
        assert_eq!(fold("ที่"), "ที่");
    }

    #[test]
    fn invisible_characters_part_no_word() {
        assert_eq!(fold("Rech\u{ad}nung"), "rechnung");
        assert_eq!(fold("\u{202b}abc\u{202c}\u{feff}"), "abc");
    }

    proptest! {
        #[test]
        fn what_is_folded_stays_as_it_is(text in any::<String>()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn case_is_folded_wherever_it_is(text in "[a-zA-ZäÖüßœŁå ]{0,20}") {
            prop_assert_eq!(fold(&text.to_uppercase()), fold(&text));
        }
    }
}
