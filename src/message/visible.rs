//! Characters that nobody sees. What a terminal or a pager would obey becomes visible; what has
//! neither a shape nor an effect that a text needs is removed.

/// A text of several lines, each ended by LF: CRLF and CR become LF; tabs stay. Other control
/// characters become pictures (Unicode block U+2400), those of C1, which have none, `<U+009B>`.
/// Characters that reorder the text or hide in it are removed.
pub(super) fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => (),
            '\r' => shown.push('\n'),
            '\n' | '\t' => shown.push(character),
            _ if is_deceptive(character) => (),
            _ => push_visible(&mut shown, character),
        }
    }
    shown
}

/// A text of one line: runs of white space, including line ends, become one space; none is at
/// either end. Invisible characters are removed.
pub(super) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let mut is_first = true;
        for character in word.chars().filter(|character| !is_invisible(*character)) {
            if std::mem::take(&mut is_first) && !shown.is_empty() {
                shown.push(' ');
            }
            push_visible(&mut shown, character);
        }
    }
    shown
}

/// Characters without a shape, control characters excepted: soft hyphens, spaces and joiners
/// without width, bidi controls, fillers, and tags. They make two names look the same, or `exe.fdp`
/// look like a PDF.
pub(super) fn is_invisible(character: char) -> bool {
    is_deceptive(character)
        || matches!(
            character,
            '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200c}'..='\u{200f}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// Characters that a text of several lines does not need either. Joiners and marks of direction
/// stay there: some scripts need them.
fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{200b}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn push_visible(shown: &mut String, character: char) {
    match picture(character) {
        Some(picture) => shown.push(picture),
        None if character.is_control() => {
            shown.push_str(&format!("<U+{:04X}>", u32::from(character)));
        }
        None => shown.push(character),
    }
}

/// U+2400 to U+241F for the C0 controls, U+2421 for DEL.
fn picture(character: char) -> Option<char> {
    match character {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)),
        '\x7f' => Some('\u{2421}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_become_pictures() {
        assert_eq!(lines("a\x1b[31m\0\x7f\u{9b}z"), "a␛[31m␀␡<U+009B>z");
        assert_eq!(line("a\x1b[31m\0\x7f\u{9b}z"), "a␛[31m␀␡<U+009B>z");
    }

    #[test]
    fn every_line_end_is_a_newline() {
        assert_eq!(lines("a\r\nb\rc\nd\r\r\ne\tf\r"), "a\nb\nc\nd\n\ne\tf\n");
    }

    #[test]
    fn a_line_is_one_line_whatever_is_in_it() {
        assert_eq!(line(" a\r\n\tb \u{2028}c\x0b\x0c\u{85} "), "a b c");
        assert_eq!(line(""), "");
    }

    #[test]
    fn invisible_characters_are_removed() {
        let text = "a\u{202e}b\u{2066}c\u{ad}d\u{200b}e\u{e0041}f\u{feff}g";
        assert_eq!(lines(text), "abcdefg");
        assert_eq!(line(text), "abcdefg");
        assert_eq!(lines("a\u{200d}b\u{200f}c"), "a\u{200d}b\u{200f}c");
        assert_eq!(line("a\u{200d}b\u{200f}c \u{200b} d"), "abc d");
        assert_eq!(line("\u{200b} \u{202e}"), "");
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_is_left(text in any::<String>()) {
            prop_assert!(lines(&text).chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            prop_assert!(!line(&text).contains(char::is_control));
        }
    }
}
