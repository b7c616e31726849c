//! Control characters made visible: what a terminal or a pager would obey, it shows instead.

/// A text of several lines, each ended by LF: CRLF and CR become LF, tabs stay, and so does the text itself. Other controls
/// become the pictures of Unicode's block U+2400, and the C1 ones, which have none, `<U+009B>`.
pub(super) fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => (),
            '\r' => shown.push('\n'),
            '\n' | '\t' => shown.push(character),
            _ => push_visible(&mut shown, character),
        }
    }
    shown
}

/// A text of one line: runs of white space, line ends among them, become one space, and there is none at either end.
pub(super) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        for character in word.chars() {
            push_visible(&mut shown, character);
        }
    }
    shown
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

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_is_left(text in any::<String>()) {
            prop_assert!(lines(&text).chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            prop_assert!(!line(&text).contains(char::is_control));
        }
    }
}
