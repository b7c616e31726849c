//! The fields of a header block, by name. Every text that is returned is decoded (RFC 2047, RFC
//! 2231) and one line without control characters.

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address, HeaderValue};
use memchr::{memchr, memrchr};

use super::block::{BYTE_ORDER_MARK, HEADERS_MAX, field_name};
use super::date::{self, WrittenDate};
use super::encoded_words;
use super::parameters::Parameterized;
use crate::message::visible;

/// The fields of one message or part.
#[derive(Debug, Clone)]
pub(in crate::message) struct Fields<'a> {
    block: &'a [u8],
    /// The charset of the message, in which raw octets are read.
    charset: Option<String>,
}

/// A person or a machine that writes or gets mail; has a name or an address, neither empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::message) struct Correspondent {
    pub(in crate::message) name: Option<String>,
    pub(in crate::message) address: Option<String>,
}

impl<'a> Fields<'a> {
    /// Of a header block, with or without the blank line. Raw octets are of the charset that
    /// Content-Type states.
    pub(in crate::message) fn of(block: &'a [u8]) -> Self {
        let mut fields = Self {
            block: within_limit(block.strip_prefix(BYTE_ORDER_MARK).unwrap_or(block)),
            charset: None,
        };
        let is_seven_bit = fields.block.is_ascii() && memchr(0x1b, fields.block).is_none();
        if !is_seven_bit {
            let media = fields.parameterized("content-type");
            fields.charset = media.and_then(|media| media.parameter("charset").map(str::to_owned));
        }
        fields
    }

    /// Raw octets are of this charset, unless Content-Type states another.
    pub(in crate::message) fn or_charset(mut self, charset: Option<&str>) -> Self {
        self.charset = self.charset.or_else(|| charset.map(str::to_owned));
        self
    }

    /// The text of the first field of the name that has any.
    pub(in crate::message) fn text(&self, name: &str) -> Option<String> {
        self.values(name).find_map(|value| self.line(value))
    }

    /// The mailboxes of all fields of the name in one line:
    /// `Alice Smith <alice@example.org>, friends: bob@example.net;`.
    pub(in crate::message) fn address_line(&self, name: &str) -> Option<String> {
        let lines = self.values(name).filter_map(|value| self.addresses(value));
        let lines: Vec<String> = lines.collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// The first mailbox in a field of the name. Names without an address belong to the next one:
    /// some mailers do not quote the comma in `Smith, Alice <alice@example.org>`.
    pub(in crate::message) fn first_mailbox(&self, name: &str) -> Option<Correspondent> {
        self.values(name).find_map(|value| {
            let value = self.rewritten(value);
            let HeaderValue::Address(address) = MessageStream::new(&value).parse_address() else {
                return None;
            };
            let mut first: Option<Correspondent> = None;
            for next in address.iter().filter_map(Correspondent::of) {
                first = Some(match first {
                    Some(before) => before.joined(next),
                    None => next,
                });
                if first.as_ref().is_some_and(|first| first.address.is_some()) {
                    break;
                }
            }
            first
        })
    }

    /// The first field of the name that has a date.
    pub(in crate::message) fn date(&self, name: &str) -> Option<WrittenDate> {
        self.dates(name).next()
    }

    /// The dates in the fields of the name. Some mailers encode even those.
    pub(super) fn dates(&self, name: &str) -> impl Iterator<Item = WrittenDate> {
        self.values(name).filter_map(|value| {
            let text = encoded_words::text(value, None);
            date::read(&text).or_else(|| date::find(&text))
        })
    }

    /// The first field of the name, as a value with parameters.
    pub(in crate::message) fn parameterized(&self, name: &str) -> Option<Parameterized> {
        let charset = self.charset.as_deref();
        self.values(name)
            .find_map(|value| Parameterized::read(value, charset))
    }

    /// The first identifier, without its angle brackets (RFC 5322 section 3.6.4).
    pub(in crate::message) fn identifier(&self, name: &str) -> Option<String> {
        self.values(name).find_map(|value| {
            let rewritten = self.rewritten(value);
            let id = match MessageStream::new(&rewritten).parse_id() {
                HeaderValue::Text(id) => Some(visible::line(&id)),
                HeaderValue::TextList(ids) => ids.first().map(|id| visible::line(id)),
                _ => None,
            };
            id.filter(|id| !id.is_empty()).or_else(|| self.line(value))
        })
    }

    /// What follows the colon, with folds and the line end.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        all(self.block)
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    fn line(&self, value: &[u8]) -> Option<String> {
        let text = encoded_words::text(value, self.charset.as_deref());
        Some(visible::line(&text)).filter(|line| !line.is_empty())
    }

    fn rewritten(&self, value: &[u8]) -> Vec<u8> {
        encoded_words::rewritten(value, self.charset.as_deref())
    }

    fn addresses(&self, value: &[u8]) -> Option<String> {
        let rewritten = self.rewritten(value);
        let line = match MessageStream::new(&rewritten).parse_address() {
            HeaderValue::Address(Address::List(list)) => mailboxes(&list),
            HeaderValue::Address(Address::Group(groups)) => {
                let groups = groups.iter().map(|group| {
                    let mailboxes = mailboxes(&group.addresses);
                    match &group.name {
                        Some(name) => format!("{}: {mailboxes};", visible::line(name)),
                        None => mailboxes,
                    }
                });
                groups.collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        };
        if line.is_empty() {
            self.line(value)
        } else {
            Some(line)
        }
    }
}

impl Correspondent {
    fn of(addr: &Addr<'_>) -> Option<Self> {
        let word = |word: Option<&str>| word.map(visible::line).filter(|word| !word.is_empty());
        let correspondent = Self {
            name: word(addr.name()),
            address: word(addr.address()),
        };
        (correspondent != Self::default()).then_some(correspondent)
    }

    fn joined(self, next: Self) -> Self {
        let names: Vec<String> = [self.name, next.name].into_iter().flatten().collect();
        Self {
            name: (!names.is_empty()).then(|| names.join(", ")),
            address: next.address,
        }
    }

    fn line(&self) -> String {
        match (&self.name, &self.address) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => String::new(),
        }
    }
}

/// The fields within the limit, without one that it cuts.
fn within_limit(block: &[u8]) -> &[u8] {
    if block.len() <= HEADERS_MAX {
        return block;
    }
    let mut end = HEADERS_MAX;
    while let Some(newline) = memrchr(b'\n', &block[..end]) {
        if !matches!(block.get(newline + 1), Some(b' ' | b'\t')) {
            return &block[..=newline];
        }
        end = newline;
    }
    &[]
}

/// Names and values of all fields (RFC 5322 section 2.2). A line that is no field is skipped.
fn all(block: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = block;
    std::iter::from_fn(move || {
        loop {
            let field = &rest[..field_length(rest)?];
            rest = &rest[field.len()..];
            if let Some(name) = field_name(field) {
                return Some((name.trim_ascii_end(), &field[name.len() + 1..]));
            }
        }
    })
}

/// Up to the first line that does not begin with white space; None at the end.
fn field_length(block: &[u8]) -> Option<usize> {
    let mut end = 0;
    while end < block.len() {
        end += memchr(b'\n', &block[end..]).map_or(block.len() - end, |newline| newline + 1);
        if !matches!(block.get(end), Some(b' ' | b'\t')) {
            return Some(end);
        }
    }
    None
}

fn mailboxes(list: &[Addr<'_>]) -> String {
    let lines = list.iter().filter_map(Correspondent::of);
    lines
        .map(|correspondent| correspondent.line())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject(field: &str) -> Option<String> {
        Fields::of(field.as_bytes()).text("subject")
    }

    fn from(field: &str) -> Option<String> {
        Fields::of(field.as_bytes()).address_line("From")
    }

    #[test]
    fn a_text_is_unfolded_and_decoded() {
        for (field, text) in [
            ("Subject: a b\r\n", "a b"),
            ("SUBJECT : a\r\n\tb\r\n c", "a b c"),
            (
                "X: 1\nSubject: =?utf-8?q?caf=C3=A9?= =?utf-8?B?IGNyw6htZQ==?=\n",
                "café crème",
            ),
            ("Subject: =?utf-8?q?a=0D=0ATo:=20b=1B?=\r\n", "a To: b␛"),
            ("Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?= x", "日本 x"),
            (
                "Subject: =?utf-8?q?caf=C3?=\r\n =?utf-8?q?=A9?= au =?utf-8?b?bA==?= =?utf-8?b?YWl0?=",
                "café au lait",
            ),
            ("Subject: caf\u{e9}\r\n", "café"),
            ("Subject:\r\nSubject: second\r\n", "second"),
            ("Subject: =?broken?=\r\n", "=?broken?="),
        ] {
            assert_eq!(subject(field).as_deref(), Some(text), "{field:?}");
        }
        assert_eq!(
            Fields::of(b"Subject: caf\xe9").text("subject").as_deref(),
            Some("café")
        );
    }

    #[test]
    fn what_is_no_field_has_no_text() {
        for block in [
            "",
            "Subject",
            "Subject:",
            "Subject: \r\n \r\n",
            "Sub ject: a\r\n",
            ": a",
            "\r\n",
        ] {
            assert_eq!(subject(block), None, "{block:?}");
        }
    }

    #[test]
    fn addresses_are_shown_with_their_names() {
        for (field, line) in [
            ("From: alice@example.org\r\n", "alice@example.org"),
            (
                "From: Alice Smith <alice@example.org>\r\n",
                "Alice Smith <alice@example.org>",
            ),
            (
                "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>,\r\n \"Smith, Bob\" <b@example.org>",
                "Jürgen <j@example.org>, Smith, Bob <b@example.org>",
            ),
            (
                "From: undisclosed-recipients:;\r\n",
                "undisclosed-recipients: ;",
            ),
            ("From: a@b\r\nFrom: c@d\r\n", "a@b, c@d"),
            ("From: nobody\r\n", "nobody"),
        ] {
            assert_eq!(from(field).as_deref(), Some(line), "{field:?}");
        }
        assert_eq!(from("From: \r\n"), None);
    }

    #[test]
    fn the_first_field_of_a_name_counts() {
        let block = b"Content-Type: text/HTML; Charset=KOI8-R\r\nContent-Type: image/png\r\n";
        let media = Fields::of(block).parameterized("content-type").unwrap();
        assert_eq!(media.value, "text/html");
        assert_eq!(media.parameter("charset"), Some("KOI8-R"));
        assert_eq!(media.parameter("name"), None);
    }

    #[test]
    fn an_identifier_has_no_brackets() {
        let block = b"Message-ID: <a.b@example.org> (c)\r\n";
        assert_eq!(
            Fields::of(block).identifier("message-id").as_deref(),
            Some("a.b@example.org")
        );
        assert_eq!(
            Fields::of(b"Message-ID: plain\r\n")
                .identifier("message-id")
                .as_deref(),
            Some("plain")
        );
    }

    proptest! {
        #[test]
        fn nothing_in_a_field_makes_it_panic(value in prop::collection::vec(prop::sample::select(b"=?utf-8QB_;:,<>()[]\"'*0%\\@/ \t\r\n\0\xff".to_vec()), 0..60)) {
            let block = [b"A: ", value.as_slice()].concat();
            let fields = Fields::of(&block);
            let shown = [fields.text("a"), fields.address_line("a"), fields.identifier("a")];
            for line in shown.into_iter().flatten() {
                prop_assert!(!line.contains(char::is_control));
            }
            fields.first_mailbox("a");
            fields.parameterized("a");
            fields.date("a");
        }
    }
}
