//! Encoded words that belong together (RFC 2047).
//!
//! Many mailers cut an encoded text wherever a word is full, in the middle of a character too, though section 5 forbids it.
//! mail-parser decodes each word for itself and has two U+FFFD for such a character. So neighbours of one charset and
//! encoding are made one word first.

use memchr::memmem;

/// How far the end of a word is looked for, in octets: RFC 2047 section 2 allows 75, mailers have written thousands.
const LOOK: usize = 8 * 1024;

/// `=?charset?encoding?text?=`
struct Word<'a> {
    /// `=?charset?encoding?`
    head: &'a [u8],
    text: &'a [u8],
}

impl<'a> Word<'a> {
    /// At the start of the octets.
    fn read(octets: &'a [u8]) -> Option<Self> {
        let inner = octets.strip_prefix(b"=?")?;
        let mut pieces = inner.splitn(3, |octet| *octet == b'?');
        let (charset, encoding, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let is_token = !charset.is_empty() && charset.iter().all(u8::is_ascii_graphic);
        let is_known = matches!(encoding, [b'q' | b'Q' | b'b' | b'B']);
        let text = &text[..memmem::find(&text[..text.len().min(LOOK)], b"?=")?];
        (is_token && is_known && !text.contains(&b'\n')).then(|| Self {
            head: &octets[..charset.len() + encoding.len() + 4],
            text,
        })
    }

    fn length(&self) -> usize {
        self.head.len() + self.text.len() + 2
    }

    fn goes_on(&self, next: &Self) -> bool {
        self.head.eq_ignore_ascii_case(next.head)
    }
}

/// The value of a field, with words of one charset and encoding that only white space parts as one word.
pub(in crate::message) fn joined(value: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(value.len() + 1);
    let mut open: Option<Word<'_>> = None;
    let mut rest = value;
    while let Some(at) = memmem::find(rest, b"=?") {
        let (gap, start) = rest.split_at(at);
        let Some(word) = Word::read(start) else {
            close(&mut open, &mut joined);
            joined.extend_from_slice(&rest[..at + 2]);
            rest = &start[2..];
            continue;
        };
        let follows = gap.trim_ascii().is_empty();
        if !(follows && open.as_ref().is_some_and(|open| open.goes_on(&word))) {
            close(&mut open, &mut joined);
            joined.extend_from_slice(gap);
            joined.extend_from_slice(word.head);
        }
        joined.extend_from_slice(word.text);
        rest = &start[word.length()..];
        open = Some(word);
    }
    close(&mut open, &mut joined);
    joined.extend_from_slice(rest);
    joined
}

fn close(open: &mut Option<Word<'_>>, joined: &mut Vec<u8>) {
    if open.take().is_some() {
        joined.extend_from_slice(b"?=");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_of_one_kind_become_one_word() {
        for (value, expected) in [
            ("=?utf-8?q?a=C3?= =?UTF-8?Q?=A9b?=", "=?utf-8?q?a=C3=A9b?="),
            (
                "=?utf-8?b?w6Q=?=\r\n\t=?utf-8?b?w7Y=?= x",
                "=?utf-8?b?w6Q=w7Y=?= x",
            ),
            ("=?a?q?1?= =?a?q?2?= =?a?q?3?=", "=?a?q?123?="),
        ] {
            assert_eq!(joined(value.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn what_is_no_neighbour_of_its_kind_stays() {
        for value in [
            "",
            "plain = ? text",
            "=?utf-8?q?a?= b =?utf-8?q?c?=",
            "=?utf-8?q?a?= =?utf-8?b?Yg==?=",
            "=?utf-8?q?a?= =?iso-8859-1?q?b?=",
            "=?utf-8?q?unfinished",
            "=?utf-8?x?a?= =?utf-8?x?b?=",
            "=?utf-8?q?a?= =?broken =?utf-8?q?b?=",
        ] {
            assert_eq!(joined(value.as_bytes()), value.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn text_outside_of_words_stays(value in "[a =?\r\n]{0,30}") {
            prop_assert_eq!(joined(value.as_bytes()), value.as_bytes());
        }
    }
}
