//! HTML as readable text.
//!
//! Tags are processed one by one, without a tree: time and memory grow linearly with the document,
//! however deep its elements are nested. Links are kept: `our shop <https://example.org/>`.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{EndTag, HtmlString, StartTag, Token, Tokenizer};

/// The most levels of quotation that lines show.
const QUOTED: usize = 8;

/// The text of the document. Each block begins on a new line, each paragraph after a blank line,
/// each table cell after a tab.
pub(super) fn readable(document: &str) -> String {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    for token in Tokenizer::new_with_emitter(document, emitter).flatten() {
        match token {
            Token::StartTag(tag) => page.start(&tag),
            Token::EndTag(tag) => page.end(&tag),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => (),
        }
    }
    page.finish()
}

/// The space to write before the next words; a larger gap replaces a smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Gap {
    #[default]
    None,
    Space,
    Tab,
    Line,
    Paragraph,
}

#[derive(Default)]
struct Page {
    shown: String,
    gap: Gap,
    quoted: usize,
    /// How many `pre` are open.
    preformatted: usize,
    /// The open element whose text is not shown.
    unseen: Option<Vec<u8>>,
    link: Option<Hyperlink>,
}

struct Hyperlink {
    target: String,
    /// Where its words begin in the shown text.
    start: usize,
}

impl Page {
    fn start(&mut self, tag: &StartTag<()>) {
        if self.unseen.is_some() {
            return;
        }
        self.gap = self.gap.max(gap_around(&tag.name));
        match tag.name.as_slice() {
            b"style" | b"script" | b"title" | b"template" if !tag.self_closing => {
                self.unseen = Some(tag.name.to_vec());
            }
            b"br" => self.line_break(),
            b"pre" => self.preformatted += 1,
            b"blockquote" => self.quoted += 1,
            b"li" => self.words("- "),
            b"img" => self.text(&attribute(tag, "alt")),
            b"a" => self.open_link(attribute(tag, "href")),
            _ => (),
        }
    }

    fn end(&mut self, tag: &EndTag<()>) {
        if let Some(unseen) = &self.unseen {
            if *unseen == tag.name.as_slice() {
                self.unseen = None;
            }
            return;
        }
        match tag.name.as_slice() {
            b"pre" => self.preformatted = self.preformatted.saturating_sub(1),
            b"blockquote" => self.quoted = self.quoted.saturating_sub(1),
            b"a" => self.close_link(),
            _ => (),
        }
        self.gap = self.gap.max(gap_around(&tag.name));
    }

    fn text(&mut self, text: &str) {
        if self.unseen.is_some() {
            return;
        }
        if self.preformatted > 0 {
            return self.preformatted_text(text);
        }
        for (at, word) in text
            .split(|character: char| character.is_ascii_whitespace())
            .enumerate()
        {
            if at > 0 {
                self.gap = self.gap.max(Gap::Space);
            }
            self.words(word);
        }
    }

    fn preformatted_text(&mut self, text: &str) {
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.line_break();
            }
            self.words(line.trim_end_matches('\r'));
        }
    }

    /// Soft hyphens and spaces without width only mark where a word may be broken.
    fn words(&mut self, words: &str) {
        let seen = words.replace(['\u{ad}', '\u{200b}', '\u{feff}'], "");
        if seen.is_empty() {
            return;
        }
        self.fill_gap();
        self.shown.push_str(&seen.replace('\u{a0}', " "));
    }

    fn fill_gap(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        let at_start = self.shown.is_empty() || self.shown.ends_with('\n');
        match gap {
            Gap::Paragraph if self.shown.is_empty() => (),
            Gap::Paragraph if self.shown.ends_with("\n\n") => (),
            Gap::Paragraph if at_start => self.shown.push('\n'),
            Gap::Paragraph => self.shown.push_str("\n\n"),
            _ if at_start => (),
            Gap::Line => self.shown.push('\n'),
            Gap::Tab => self.shown.push('\t'),
            Gap::Space if !self.shown.ends_with([' ', '\t']) => self.shown.push(' '),
            Gap::Space | Gap::None => (),
        }
        if self.shown.is_empty() || self.shown.ends_with('\n') {
            self.shown.push_str(&"> ".repeat(self.quoted.min(QUOTED)));
        }
    }

    fn line_break(&mut self) {
        if self.gap < Gap::Line {
            self.gap = Gap::None;
        }
        self.fill_gap();
        self.shown.push('\n');
    }

    /// Only links that lead out of the message.
    fn open_link(&mut self, target: String) {
        self.close_link();
        let leads = ["http://", "https://", "ftp://", "mailto:", "tel:"]
            .iter()
            .any(|scheme| {
                target.len() > scheme.len() && target.to_ascii_lowercase().starts_with(scheme)
            });
        self.link = leads.then_some(Hyperlink {
            target,
            start: self.shown.len(),
        });
    }

    fn close_link(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        let words = self.shown[link.start..].trim();
        let bare = link.target.strip_prefix("mailto:").unwrap_or(&link.target);
        if words != bare && words != link.target {
            let gap = std::mem::replace(&mut self.gap, Gap::Space);
            let target = link.target.replace(char::is_whitespace, "");
            self.words(&format!("<{target}>"));
            self.gap = gap;
        }
    }

    fn finish(mut self) -> String {
        self.close_link();
        let mut shown = self.shown;
        shown.truncate(shown.trim_end().len());
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown
    }
}

/// By the element's default display (HTML standard, section 15.3), for the elements that mail uses.
fn gap_around(name: &[u8]) -> Gap {
    match name {
        b"p" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol" | b"dl" | b"pre"
        | b"blockquote" | b"table" | b"hr" | b"figure" => Gap::Paragraph,
        b"div" | b"tr" | b"li" | b"dt" | b"dd" | b"body" | b"html" | b"head" | b"center"
        | b"address" | b"article" | b"aside" | b"header" | b"footer" | b"main" | b"nav"
        | b"section" | b"form" | b"fieldset" | b"caption" | b"thead" | b"tbody" | b"tfoot"
        | b"figcaption" | b"details" | b"summary" | b"option" => Gap::Line,
        b"td" | b"th" => Gap::Tab,
        _ => Gap::None,
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> String {
    let key = HtmlString::from(name.as_bytes().to_vec());
    let value = tag.attributes.get(&key);
    value.map_or_else(String::new, |value| {
        String::from_utf8_lossy(value).trim().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_within_a_word_leave_the_word() {
        for document in [
            "in<b>voi</b>ce",
            "in<span style='color:red'>voice</span>",
            "in<!-- no -->voice",
            "in&shy;voice",
            "in<wbr>voice",
            "in<a name=x></a>voice",
            "inv&#111;ice",
            "in<style>x{}</style>voice<script>if (a<b) {}</script>",
        ] {
            assert_eq!(readable(document), "invoice\n", "{document}");
        }
    }

    #[test]
    fn blocks_are_lines_and_paragraphs_have_a_blank_line_between() {
        for (document, text) in [
            ("<p>a</p><p>b</p>", "a\n\nb\n"),
            ("<div>a<div>b</div></div>c", "a\nb\nc\n"),
            ("a<br>b<br><br>c", "a\nb\n\nc\n"),
            ("  a \n\t b&nbsp;c  ", "a b c\n"),
            ("<b>a</b> <i>b</i>", "a b\n"),
            ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc\n"),
            ("<h1>a</h1>b<hr>c", "a\n\nb\n\nc\n"),
            ("<pre>a\n  b\n</pre>c", "a\n  b\n\nc\n"),
            (
                "<table><tr><td>Total</td><td> 5 </td></tr><tr><th>x</th></tr></table>",
                "Total\t5\nx\n",
            ),
            (
                "a<blockquote>b<p>c<blockquote>d</blockquote></blockquote>e",
                "a\n\n> b\n\n> c\n\n> > d\n\ne\n",
            ),
            ("<html><head><title>T</title></head><body>a", "a\n"),
            ("<img src=x alt='a cat'> <img src=y>", "a cat\n"),
            ("", ""),
        ] {
            assert_eq!(readable(document), text, "{document}");
        }
    }

    #[test]
    fn links_are_kept() {
        for (document, text) in [
            (
                "<a href='https://a.example/?x=1&amp;y=2'>here</a>.",
                "here <https://a.example/?x=1&y=2>.\n",
            ),
            (
                "<a href=http://a.example>http://a.example</a>",
                "http://a.example\n",
            ),
            (
                "<a href=mailto:a@b.example>a@b.example</a>",
                "a@b.example\n",
            ),
            (
                "<a href='#top'>up</a> <a href='javascript:x()'>run</a>",
                "up run\n",
            ),
            (
                "<a href=http://a.example><img alt=logo></a>",
                "logo <http://a.example>\n",
            ),
            (
                "<a href=http://a.example>one<a href=http://b.example>two",
                "one <http://a.example>two <http://b.example>\n",
            ),
            (
                "<a title='a>b' href=http://a.example><p>x</p></a>y",
                "x <http://a.example>\n\ny\n",
            ),
        ] {
            assert_eq!(readable(document), text, "{document}");
        }
    }

    #[test]
    fn an_element_without_end_hides_nothing_before_it() {
        assert_eq!(readable("a<style>b"), "a\n");
        assert_eq!(readable("a<!-- b"), "a\n");
        assert_eq!(readable("a<b"), "a\n");
    }

    #[test]
    fn a_quotation_has_a_bounded_margin() {
        let document = format!("{}<p>a<p>b", "<blockquote>".repeat(10_000));
        let margin = "> ".repeat(QUOTED);
        assert_eq!(readable(&document), format!("{margin}a\n\n{margin}b\n"));
    }

    proptest! {
        #[test]
        fn no_markup_makes_it_panic(document in "(<(/?(a|p|pre|td|li|br|style|blockquote|img)( href=\"http://x\"| alt=y)?)?>?|[a &;\n\u{a0}ü]|&[#a-z0-9]{0,4};?){0,30}") {
            readable(&document);
        }
    }
}
