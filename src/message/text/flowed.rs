//! Paragraphs that the sender's mailer broke into lines (RFC 3676).

use crate::message::body::mime::Media;

/// Whether a line that ends in a space continues in the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Lines stay as they are.
    Fixed,
    /// The space stays between the words.
    Flowed,
    /// The space is removed: `DelSp=yes`, for scripts without spaces.
    FlowedWithoutSpace,
}

impl Flow {
    /// By the parameters `format` and `delsp`.
    pub(super) fn of(media: &Media) -> Self {
        let says = |name, value| {
            media
                .parameter(name)
                .is_some_and(|is| is.eq_ignore_ascii_case(value))
        };
        match (says("format", "flowed"), says("delsp", "yes")) {
            (true, false) => Self::Flowed,
            (true, true) => Self::FlowedWithoutSpace,
            (false, _) => Self::Fixed,
        }
    }

    /// The text with each paragraph on one line, quotation marks in front: `>> text`. Lines end in
    /// LF.
    pub(super) fn joined(self, text: String) -> String {
        if self == Self::Fixed {
            return text;
        }
        let mut joined = String::with_capacity(text.len() + 1);
        let mut open: Option<usize> = None;
        for line in text.lines() {
            let (depth, content) = unquoted(line);
            // The separator of a signature (section 4.3) and a different depth (section 4.5) end a
            // paragraph. So does an empty line, which the RFC would join: mailers leave a space at
            // the end of a paragraph.
            let continues = open == Some(depth) && !matches!(content, "" | "-- ");
            if open.is_some() && !continues {
                joined.push('\n');
            }
            if !continues {
                quote(&mut joined, depth, content);
            }
            open = self.append(&mut joined, content).then_some(depth);
            if open.is_none() {
                joined.push('\n');
            }
        }
        if open.is_some() {
            joined.push('\n');
        }
        joined
    }

    /// True if the paragraph continues.
    fn append(self, joined: &mut String, content: &str) -> bool {
        let flows = content.ends_with(' ') && content != "-- ";
        match self {
            Self::FlowedWithoutSpace if flows => joined.push_str(&content[..content.len() - 1]),
            _ => joined.push_str(content),
        }
        flows
    }
}

/// The depth of the quotation, and the line without its marks and without the space that was
/// stuffed before what follows (section 4.4).
fn unquoted(line: &str) -> (usize, &str) {
    let content = line.trim_start_matches('>');
    let depth = line.len() - content.len();
    (depth, content.strip_prefix(' ').unwrap_or(content))
}

fn quote(joined: &mut String, depth: usize, content: &str) {
    joined.extend(std::iter::repeat_n('>', depth));
    if depth > 0 && !content.is_empty() {
        joined.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flowed(text: &str) -> String {
        Flow::Flowed.joined(text.to_owned())
    }

    #[test]
    fn a_paragraph_is_one_line() {
        assert_eq!(flowed("one \ntwo \nthree\nfour\n"), "one two three\nfour\n");
        assert_eq!(flowed("one \n\ntwo\n"), "one \n\ntwo\n");
        assert_eq!(flowed("open "), "open \n");
    }

    #[test]
    fn a_stuffed_space_is_removed() {
        assert_eq!(
            flowed(" From here\n >no quote\n  indented\n"),
            "From here\n>no quote\n indented\n"
        );
    }

    #[test]
    fn quotations_are_joined_at_their_own_depth() {
        assert_eq!(
            flowed("> a \n> b\n>> c \n>> d \n> e\nf \n> g\n>\n"),
            "> a b\n>> c d \n> e\nf \n> g\n>\n"
        );
    }

    #[test]
    fn the_separator_of_a_signature_ends_a_paragraph() {
        assert_eq!(flowed("text \n-- \nAlice\n"), "text \n-- \nAlice\n");
        assert_eq!(flowed("> -- \n> Bob\n"), "> -- \n> Bob\n");
    }

    #[test]
    fn with_delsp_the_space_is_removed() {
        let text = "日本 \n語\na  \nb\n".to_owned();
        assert_eq!(Flow::FlowedWithoutSpace.joined(text), "日本語\na b\n");
    }

    #[test]
    fn fixed_text_is_not_changed() {
        assert_eq!(Flow::Fixed.joined(" a \n> b \n".to_owned()), " a \n> b \n");
    }

    proptest! {
        #[test]
        fn no_word_is_lost(text in "[a >\n-]{0,40}") {
            let words = |text: &str| text.chars().filter(|c| *c == 'a' || *c == '-').count();
            for flow in [Flow::Flowed, Flow::FlowedWithoutSpace] {
                prop_assert_eq!(words(&flow.joined(text.clone())), words(&text));
            }
        }
    }
}
