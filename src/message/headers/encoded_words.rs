//! Encoded words (RFC 2047), and raw octets among them.
//!
//! RFC 2047 section 5 wants whole characters in each word. Many mailers cut their text wherever a
//! word is full, within a character or within four digits of base64. So neighbours of one charset
//! are decoded together.

use std::borrow::Cow;

use memchr::memmem;

use crate::message::{base64, charset};

/// How far the end of a word is searched, in octets: RFC 2047 section 2 allows 75, mailers have
/// written thousands.
const LOOK: usize = 8 * 1024;

/// `=?charset?encoding?text?=`
#[derive(Clone, Copy)]
struct Word<'a> {
    /// Without the language of RFC 2231 section 5; may be empty.
    charset: &'a str,
    is_base64: bool,
    text: &'a [u8],
}

/// A stretch of a value.
enum Stretch<'a> {
    Plain(&'a [u8]),
    /// Words of one charset that only white space separates.
    Words(Vec<Word<'a>>),
}

/// The text of a field's value. Raw octets are read in the charset of the message.
pub(in crate::message) fn text(value: &[u8], message: Option<&str>) -> String {
    let value = unfolded(value);
    let stretches = stretches(&value).into_iter().map(|stretch| match stretch {
        Stretch::Plain(octets) => charset::decode_unlabelled(message, octets),
        Stretch::Words(words) => decoded(&words),
    });
    stretches.collect()
}

/// The value for a parser of the rest of the syntax: one line of UTF-8, in which all encoded words
/// are of UTF-8 and whole.
pub(super) fn rewritten(value: &[u8], message: Option<&str>) -> Vec<u8> {
    let value = unfolded(value);
    let mut rewritten = Vec::with_capacity(value.len() + 1);
    let mut stretches = stretches(&value).into_iter().peekable();
    while let Some(stretch) = stretches.next() {
        match stretch {
            Stretch::Plain(octets) => {
                rewritten.extend_from_slice(charset::decode_unlabelled(message, octets).as_bytes());
            }
            Stretch::Words(words) => {
                let text = decoded(&words);
                let behind = match stretches.peek() {
                    Some(Stretch::Plain(octets)) => octets.first(),
                    _ => None,
                };
                let is_within_word = is_of_word(rewritten.last()) || is_of_word(behind);
                if is_within_word && !text.contains(SPECIALS) {
                    // mail-parser reads no encoded word there.
                    rewritten.extend_from_slice(text.as_bytes());
                } else if !text.is_empty() {
                    let word = format!("=?utf-8?B?{}?=", base64::encode(text.as_bytes()));
                    rewritten.extend_from_slice(word.as_bytes());
                }
            }
        }
    }
    // mail-parser takes a value without a line end for unfinished.
    rewritten.push(b'\n');
    rewritten
}

/// Characters that mean something in an address (RFC 5322 section 3.2.3).
const SPECIALS: [char; 12] = ['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '"'];

fn is_of_word(octet: Option<&u8>) -> bool {
    octet.is_some_and(|octet| {
        !octet.is_ascii_whitespace() && !SPECIALS.contains(&char::from(*octet))
    })
}

/// RFC 5322 section 2.2.3: a fold is the line end before white space.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut unfolded = Vec::with_capacity(value.len());
    for line in value.split_inclusive(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        unfolded.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    Cow::Owned(unfolded)
}

fn stretches(value: &[u8]) -> Vec<Stretch<'_>> {
    let mut stretches = Vec::new();
    let mut words: Vec<Word<'_>> = Vec::new();
    // Where the text begins that is in no stretch yet.
    let mut plain = 0;
    let mut from = 0;
    while let Some(found) = memmem::find(&value[from..], b"=?") {
        let at = from + found;
        let Some((word, length)) = Word::read(&value[at..]) else {
            from = at + 2;
            continue;
        };
        let gap = &value[plain..at];
        let follows = !words.is_empty() && gap.trim_ascii().is_empty();
        if !(follows && charset::are_of_one(words[0].charset, word.charset)) {
            end_run(&mut words, &mut stretches);
            if !follows && !gap.is_empty() {
                stretches.push(Stretch::Plain(gap));
            }
        }
        words.push(word);
        from = at + length;
        plain = from;
    }
    end_run(&mut words, &mut stretches);
    if plain < value.len() {
        stretches.push(Stretch::Plain(&value[plain..]));
    }
    stretches
}

fn end_run<'a>(words: &mut Vec<Word<'a>>, stretches: &mut Vec<Stretch<'a>>) {
    if !words.is_empty() {
        stretches.push(Stretch::Words(std::mem::take(words)));
    }
}

impl<'a> Word<'a> {
    /// At the start of the octets, with its length.
    fn read(octets: &'a [u8]) -> Option<(Self, usize)> {
        let inner = octets.strip_prefix(b"=?")?;
        let mut pieces = inner.splitn(3, |octet| *octet == b'?');
        let (charset, encoding, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
        let name = charset.trim_ascii();
        let is_token = name.iter().all(u8::is_ascii_graphic);
        let is_base64 = match encoding {
            [b'b' | b'B'] => true,
            [b'q' | b'Q'] => false,
            _ => return None,
        };
        let text = &text[..memmem::find(&text[..text.len().min(LOOK)], b"?=")?];
        let label = std::str::from_utf8(name).ok().filter(|_| is_token)?;
        let word = Self {
            charset: label.split('*').next().unwrap_or_default(),
            is_base64,
            text,
        };
        Some((word, charset.len() + text.len() + 7))
    }

    fn octets(&self) -> Vec<u8> {
        if self.is_base64 {
            let runs = self.text.split_inclusive(|octet| *octet == b'=');
            return runs
                .flat_map(|run| base64::decode(base64::sextets(run).collect()))
                .collect();
        }
        q_decoded(self.text)
    }

    /// The digits of base64 behind the last padding.
    fn open_sextets(&self) -> Vec<u8> {
        if !self.is_base64 || self.text.contains(&b'=') {
            return Vec::new();
        }
        base64::sextets(self.text).collect()
    }
}

/// The text of words of one charset.
fn decoded(words: &[Word<'_>]) -> String {
    let label = words.first().map_or("", |word| word.charset);
    let mut pieces: Vec<Cow<'_, [u8]>> = Vec::with_capacity(words.len());
    let mut words = words.iter().peekable();
    // Digits of base64 that belong to the first octet of the next word.
    let mut carried: Vec<u8> = Vec::new();
    while let Some(word) = words.next() {
        let mut sextets = std::mem::take(&mut carried);
        let open = word.open_sextets();
        if sextets.is_empty() && open.len() % 4 == 0 {
            pieces.push(Cow::Owned(word.octets()));
            continue;
        }
        sextets.extend(if open.is_empty() {
            base64::sextets(word.text).collect()
        } else {
            open
        });
        if let Some(next) = words.peek()
            && goes_on(label, &sextets, next)
        {
            carried = sextets.split_off(sextets.len() / 4 * 4);
        }
        pieces.push(Cow::Owned(base64::decode(sextets)));
    }
    charset::decode_pieces(label, &pieces)
}

/// Whether four digits of base64 were cut between the words. Where the digits alone do not tell,
/// the reading counts that gives fewer broken characters.
fn goes_on(label: &str, sextets: &[u8], next: &Word<'_>) -> bool {
    if sextets.len().is_multiple_of(4) || !next.is_base64 {
        return false;
    }
    if base64::is_cut(sextets) {
        return true;
    }
    let whole = sextets.len() / 4 * 4;
    let next_sextets: Vec<u8> = base64::sextets(next.text).collect();
    let broken = |pieces: [Vec<u8>; 2]| {
        let text = charset::decode_pieces(label, &pieces.map(Cow::Owned));
        text.matches(char::REPLACEMENT_CHARACTER).count()
    };
    let apart = [base64::decode(sextets.to_vec()), next.octets()];
    let together = [
        base64::decode(sextets[..whole].to_vec()),
        base64::decode([&sextets[whole..], &next_sextets].concat()),
    ];
    broken(together) < broken(apart)
}

/// RFC 2047 section 4.2.
fn q_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, hexadecimal(behind)) {
            (b'=', Some(escaped)) => {
                decoded.push(escaped);
                rest = &behind[2..];
            }
            (b'_', _) => decoded.push(b' '),
            _ => decoded.push(octet),
        }
    }
    decoded
}

fn hexadecimal(octets: &[u8]) -> Option<u8> {
    let [high, low, ..] = *octets else {
        return None;
    };
    let digit = |octet: u8| char::from(octet).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(value: &str) -> String {
        text(value.as_bytes(), None)
    }

    #[test]
    fn neighbours_of_one_charset_are_one_text() {
        for (value, expected) in [
            ("=?utf-8?q?a=C3?= =?UTF-8?Q?=A9b?=", "aéb"),
            ("=?utf-8?q?a=C3?= =?UTF-8?b?qWI=?=", "aéb"),
            ("=?utf8?q?a=C3?= =?UTF-8?q?=A9b?=", "aéb"),
            ("=?gb2312?q?=C4=E3=BA?= =?GBK?q?=C3?=", "你好"),
            ("=?utf-8?b?w6Q=?=\r\n\t=?utf-8?b?w7Y=?= x", "äö x"),
            ("=?gb2312?b?xOM=?= =?gb2312?b?usM=?=", "你好"),
            ("=?gb2312?q?=C4=E3=BA?= =?gb2312?q?=C3?=", "你好"),
            ("=?big5?q?=A7A=A6?= =?big5?q?n?=", "你好"),
            ("=?koi8-r?b?8NLJ18U=?= =?koi8-r?b?1A==?=", "Привет"),
            ("=?utf-8?q?a?= =?iso-8859-1?q?=E9?= b", "aé b"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("x=?utf-8?q?=C3=A9?=y", "xéy"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn a_word_of_a_stateful_charset_begins_in_its_first_state() {
        for (value, expected) in [
            (
                "=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=\r\n =?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?=",
                "テストテスト",
            ),
            (
                "=?ISO-2022-JP?B?GyRCJUYlOSVI?= =?ISO-2022-JP?B?YWJj?=",
                "テストabc",
            ),
            (
                "=?ISO-2022-JP?Q?=1B$B%F?= =?ISO-2022-JP?Q?%9=1B(B?=",
                "テス",
            ),
            (
                "=?ISO-2022-JP?Q?=1B$B%F%?= =?ISO-2022-JP?Q?9=1B(B?=",
                "テス",
            ),
            (
                "=?iso-2022-kr?B?GyQpQw5HUQ8=?= =?iso-2022-kr?B?GyQpQw5HUQ8=?=",
                "한한",
            ),
            (
                "=?hz-gb-2312?Q?=7E{VP?= =?hz-gb-2312?Q?=7E{ND=7E}?=",
                "中文",
            ),
            ("=?utf-7?Q?+AOQ?= =?utf-7?Q?b+AOQ-?=", "äbä"),
            ("=?utf-7?Q?+AOQA?= =?utf-7?Q?9g-b?=", "äöb"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn base64_without_padding_loses_nothing() {
        for (value, expected) in [
            ("=?utf-8?B?R3LDvMOfZSBmw7xyIELDpHI?=", "Grüße für Bär"),
            ("=?utf-8?B?R3LDvA?= =?utf-8?B?w59l?=", "Grüße"),
            ("=?utf-8?B?w6Q?= =?utf-8?B?w7Y?= =?utf-8?B?w7w?=", "äöü"),
            ("=?utf-8?B?R3LDvMOfZ?= =?utf-8?B?SBmw7xy?=", "Grüße für"),
            ("=?utf-8?B?R3LDvMO?= =?utf-8?B?fZSBmw7xy?=", "Grüße für"),
            ("=?utf-8?B?R3LDvM?= =?utf-8?B?OfZSBmw7xy?=", "Grüße für"),
            ("=?utf-8?B?R3LDvA==w59l?=", "Grüße"),
            ("=?iso-8859-1?B?R3L8?= =?iso-8859-1?B?32U?=", "Grüße"),
            ("=?utf-8?B?YWI?= =?utf-8?Q?c?=", "abc"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_encoded_word_stays() {
        for value in [
            "",
            "plain = ? text",
            "=?utf-8?q?unfinished",
            "=?utf-8?x?a?= =?utf-8?x?b?=",
            "=?broken",
        ] {
            assert_eq!(shown(value), value);
        }
    }

    #[test]
    fn sloppy_words_are_read() {
        for (value, expected) in [
            ("=?utf-8?q?two words?=", "two words"),
            ("=?utf-8?q?two\r\n words?=", "two words"),
            ("=?us-ascii*en?q?Keith_Moore?=", "Keith Moore"),
            ("=??q?caf=C3=A9?=", "café"),
            ("=?utf-8 ?q?caf=C3=A9?= x", "café x"),
            ("=?x-unknown?q?caf=E9?=", "café"),
            ("=?utf-8?q?a=ZZ?=", "a=ZZ"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    #[test]
    fn raw_octets_take_the_charset_of_the_message() {
        assert_eq!(text(b"\xf0\xd2", Some("koi8-r")), "Пр");
        assert_eq!(text("Пр".as_bytes(), Some("koi8-r")), "Пр");
        assert_eq!(text(b"caf\xe9", Some("utf-8")), "café");
        assert_eq!(text(b"caf\xe9 =?utf-8?q?=C3=A9?=", None), "café é");
        assert_eq!(text(b"\x1b$B%F\x1b(B", None), "テ");
    }

    proptest! {
        #[test]
        fn text_outside_of_words_stays(value in "[a =?]{0,30}") {
            prop_assert_eq!(shown(&value), value);
        }

        #[test]
        fn a_rewritten_value_has_the_same_text(value in prop::collection::vec(prop::sample::select(b"=?utf-8QBb_=AC3 \xff".to_vec()), 0..60)) {
            let line = rewritten(&value, None);
            prop_assert_eq!(text(&line, None), text(&value, None));
        }
    }
}
