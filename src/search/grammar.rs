//! Reads a query; the grammar is in [`search`](super).

use super::error::QueryError;
use super::period::{Period, Relation, Time};
use super::query::{Clause, Condition, Field, Query, Reading, Sense, SizeBound, Term, TextTerm};
use super::tokens::{Phrase, PhraseEnd};

/// What can stand before a colon.
#[derive(Debug, Clone, Copy)]
enum TermName {
    Text(Field),
    Arrived(Relation),
    Size,
    Has,
    Is,
}

/// A name as it is written, and what it is.
type NamedTerm = (&'static str, TermName);

const NAMES: [NamedTerm; 12] = [
    ("from", TermName::Text(Field::From)),
    ("to", TermName::Text(Field::To)),
    ("cc", TermName::Text(Field::Cc)),
    ("subject", TermName::Text(Field::Subject)),
    ("attachment", TermName::Text(Field::Attachment)),
    ("list", TermName::Text(Field::List)),
    ("after", TermName::Arrived(Relation::After)),
    ("before", TermName::Arrived(Relation::Before)),
    ("date", TermName::Arrived(Relation::During)),
    ("size", TermName::Size),
    ("has", TermName::Has),
    ("is", TermName::Is),
];

/// The most words that can be given by their beginnings. Each is looked for in a large part of the
/// index.
const BEGINNINGS_MAX: usize = 8;

/// A term as it was written.
struct WrittenTerm<'a> {
    /// All of it.
    whole: &'a str,
    sense: Sense,
    name: Option<NamedTerm>,
    value: TermValue<'a>,
}

#[derive(Clone, Copy)]
enum TermValue<'a> {
    Bare(&'a str),
    Quoted(&'a str, PhraseEnd),
}

/// Reads all of it.
pub(super) fn parse(text: &str) -> Result<Query, QueryError> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut joins = Joins::All;
    let mut rest = skip_blanks(text);
    while !rest.is_empty() {
        let (written, behind) = WrittenTerm::read(rest)?;
        rest = skip_blanks(behind);
        match written.word() {
            Some("OR") if clauses.is_empty() || rest.is_empty() || joins == Joins::Any => {
                return Err(QueryError::LoneOr);
            }
            Some("OR") => joins = Joins::Any,
            Some("AND") => (),
            Some("NOT") => return Err(QueryError::Not),
            _ => {
                if let Some(term) = written.term()? {
                    joins.add(term, &mut clauses);
                }
                joins = Joins::All;
            }
        }
    }
    if clauses.is_empty() {
        return Err(QueryError::Empty);
    }
    let query = Query { clauses };
    match query.beginnings() > BEGINNINGS_MAX {
        true => Err(QueryError::ManyBeginnings),
        false => Ok(query),
    }
}

/// One letter begins so many words that looking for them takes a second in a large maildrop.
fn begins_too_much(phrase: &Phrase) -> bool {
    let last = phrase
        .tokens
        .last()
        .map_or(0, |token| token.chars().count());
    phrase.ending == PhraseEnd::Open && phrase.tokens.len() == 1 && last < 2
}

/// What the next term is to the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joins {
    All,
    Any,
}

impl Joins {
    fn add(self, term: Term, clauses: &mut Vec<Clause>) {
        match (self, clauses.last_mut()) {
            (Self::Any, Some(clause)) => clause.terms.push(term),
            _ => clauses.push(Clause { terms: vec![term] }),
        }
    }
}

impl<'a> WrittenTerm<'a> {
    /// The term at the start of the text, and what follows it.
    fn read(text: &'a str) -> Result<(Self, &'a str), QueryError> {
        let (sense, positive) = match text.strip_prefix('-') {
            Some(rest) if rest.starts_with(|c| !is_blank(c)) => (Sense::Fails, rest),
            _ => (Sense::Holds, text),
        };
        if positive.starts_with('(') {
            return Err(QueryError::Parenthesis);
        }
        let (name, start) = read_name(positive)?;
        let (value, rest) = read_value(start)?;
        let written = Self {
            whole: &text[..text.len() - rest.len()],
            sense,
            name,
            value,
        };
        Ok((written, rest))
    }

    /// The term itself, if it is nothing but a word.
    fn word(&self) -> Option<&str> {
        match self.value {
            TermValue::Bare(word) if word == self.whole => Some(word),
            _ => None,
        }
    }

    /// None where it is a word without letters, such as `&`, which says nothing.
    fn term(&self) -> Result<Option<Term>, QueryError> {
        let condition = match self.name {
            None => self.text(None)?,
            Some((_, TermName::Text(field))) => self.text(Some(field))?,
            Some((name, TermName::Arrived(relation))) => Some(self.arrived(name, relation)?),
            Some((_, TermName::Size)) => Some(Condition::Size(read_size(self.value.text())?)),
            Some((_, TermName::Has)) => Some(read_has(self.value.text())?),
            Some((_, TermName::Is)) => Some(read_is(self.value.text())?),
        };
        match condition {
            None if self.name.is_none() && self.sense == Sense::Holds => Ok(None),
            None => Err(QueryError::NoLetters {
                term: self.whole.trim_end().into(),
            }),
            Some(condition) => Ok(Some(Term {
                sense: self.sense,
                condition,
            })),
        }
    }

    /// None where there is no letter.
    fn text(&self, field: Option<Field>) -> Result<Option<Condition>, QueryError> {
        let phrase = match self.value {
            TermValue::Quoted(words, ending) => Phrase::new(words, ending),
            TermValue::Bare(word) if word.ends_with('*') => Phrase::new(word, PhraseEnd::Open),
            TermValue::Bare(word) => Phrase::new(word, PhraseEnd::Whole),
        };
        if phrase.as_ref().is_some_and(begins_too_much) {
            return Err(QueryError::ShortBeginning {
                term: self.whole.into(),
            });
        }
        Ok(phrase.map(|phrase| Condition::Text(TextTerm { field, phrase })))
    }

    fn arrived(&self, field: &'static str, relation: Relation) -> Result<Condition, QueryError> {
        let value = self.value.text();
        let time = Time::read(value).ok_or_else(|| QueryError::Time {
            field,
            value: value.into(),
        })?;
        Ok(Condition::Arrived(Period { relation, time }))
    }
}

impl<'a> TermValue<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Bare(text) | Self::Quoted(text, _) => text,
        }
    }
}

/// The name before the colon, if there is one, and what is behind it. A word with a colon in it is
/// a word, unless it looks as if a name was misspelt.
fn read_name(text: &str) -> Result<(Option<NamedTerm>, &str), QueryError> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (given, behind) = text.split_at(letters);
    let Some(value) = behind.strip_prefix(':').filter(|_| letters > 0) else {
        return Ok((None, text));
    };
    let lower = given.to_ascii_lowercase();
    if let Some(&known) = NAMES.iter().find(|(name, _)| *name == lower) {
        return Ok((Some(known), value));
    }
    let is_near = |name: &str| lower.len() > 2 && strsim::osa_distance(name, &lower) == 1;
    match NAMES.iter().find(|(name, _)| is_near(name)) {
        Some(&(near, _)) => Err(QueryError::UnknownField {
            given: given.into(),
            near,
        }),
        None => Ok((None, text)),
    }
}

/// Up to the closing quote, or up to a blank or a quote.
fn read_value(text: &str) -> Result<(TermValue<'_>, &str), QueryError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c| is_blank(c) || c == '"').unwrap_or(text.len());
        return Ok((TermValue::Bare(&text[..end]), &text[end..]));
    };
    let Some((words, behind)) = quoted.split_once('"') else {
        return Err(QueryError::OpenQuote {
            rest: quoted.into(),
        });
    };
    Ok(match behind.strip_prefix('*') {
        Some(behind) => (TermValue::Quoted(words, PhraseEnd::Open), behind),
        None => (TermValue::Quoted(words, PhraseEnd::Whole), behind),
    })
}

/// `>1M`, `<10k`, `>1.5MiB`, in units of 1024.
fn read_size(value: &str) -> Result<SizeBound, QueryError> {
    let refused = || QueryError::Size {
        value: value.into(),
    };
    let bound: fn(u64) -> SizeBound = match value.chars().next() {
        Some('>') => SizeBound::Above,
        Some('<') => SizeBound::Below,
        _ => return Err(refused()),
    };
    octets(&value[1..]).map(bound).ok_or_else(refused)
}

fn octets(text: &str) -> Option<u64> {
    let digits = text
        .bytes()
        .take_while(|c| c.is_ascii_digit() || *c == b'.')
        .count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1_u64 << 30,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    // A number that is too large becomes the largest one.
    Some((number * factor as f64) as u64)
}

fn read_has(value: &str) -> Result<Condition, QueryError> {
    match value.to_ascii_lowercase().as_str() {
        "attachment" | "attachments" => Ok(Condition::HasAttachment),
        _ => Err(QueryError::Has {
            value: value.into(),
        }),
    }
}

fn read_is(value: &str) -> Result<Condition, QueryError> {
    match value.to_ascii_lowercase().as_str() {
        "unread" => Ok(Condition::Is(Reading::Unread)),
        "read" => Ok(Condition::Is(Reading::Read)),
        _ => Err(QueryError::Is {
            value: value.into(),
        }),
    }
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(is_blank)
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The clauses in words: `a|b` for two terms of one.
    fn read(query: &str) -> Vec<String> {
        let clauses = parse(query).unwrap().clauses;
        let clause = |clause: &Clause| clause.terms.iter().map(told).collect::<Vec<_>>().join("|");
        clauses.iter().map(clause).collect()
    }

    fn told(term: &Term) -> String {
        let sense = match term.sense {
            Sense::Holds => "",
            Sense::Fails => "-",
        };
        let condition = match &term.condition {
            Condition::Text(text) => {
                let field = text.field.map(|field| format!("{field:?}:"));
                let ending = match text.phrase.ending {
                    PhraseEnd::Whole => "",
                    PhraseEnd::Open => "*",
                };
                let tokens = text.phrase.tokens.join(" ");
                format!("{}{tokens}{ending}", field.unwrap_or_default())
            }
            other => format!("{other:?}"),
        };
        format!("{sense}{condition}")
    }

    #[test]
    fn words_are_joined_and_or_binds_its_neighbours() {
        assert_eq!(read("a b OR c d"), ["a", "b|c", "d"]);
        assert_eq!(read("a OR b OR c"), ["a|b|c"]);
        assert_eq!(read("a AND b and or"), ["a", "b", "and", "or"]);
        assert_eq!(read("a OR -b"), ["a|-b"]);
    }

    #[test]
    fn text_that_belongs_together_is_a_phrase() {
        assert_eq!(read("\"Budget  review\""), ["budget review"]);
        assert_eq!(read("a.b@c.org don't"), ["a b c org", "don t"]);
        assert_eq!(read("a\"b c\"d"), ["a", "b c", "d"]);
        assert_eq!(read("http:%2F%2Fx"), ["http 2f 2fx"]);
    }

    #[test]
    fn a_field_narrows_where_a_text_is_looked_for() {
        assert_eq!(
            read("from:Alice to:b -cc:c Subject:\"d e\" attachment:f.pdf list:g"),
            [
                "From:alice",
                "To:b",
                "-Cc:c",
                "Subject:d e",
                "Attachment:f pdf",
                "List:g"
            ]
        );
    }

    #[test]
    fn a_star_leaves_the_last_word_open() {
        assert_eq!(
            read("inv* \"a inv\"* from:al* a*b"),
            ["inv*", "a inv*", "From:al*", "a b"]
        );
        assert_eq!(read("東京*"), ["東 京"]);
    }

    #[test]
    fn facts_are_read() {
        for (query, condition) in [
            ("size:>1M", Condition::Size(SizeBound::Above(1 << 20))),
            ("size:<1.5kib", Condition::Size(SizeBound::Below(1536))),
            (
                "size:>99999999999999999999G",
                Condition::Size(SizeBound::Above(u64::MAX)),
            ),
            ("has:attachment", Condition::HasAttachment),
            ("is:Unread", Condition::Is(Reading::Unread)),
            ("is:read", Condition::Is(Reading::Read)),
        ] {
            assert_eq!(
                parse(query).unwrap().clauses[0].terms[0].condition,
                condition
            );
        }
        assert!(read("-after:7d")[0].starts_with("-Arrived"));
    }

    #[test]
    fn words_without_letters_say_nothing() {
        assert_eq!(read("black & decker -"), ["black", "decker"]);
        assert_eq!(parse(" & \0\t"), Err(QueryError::Empty));
        assert_eq!(parse(""), Err(QueryError::Empty));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let told = |query: &str| parse(query).unwrap_err();
        for query in ["OR", "a OR", "OR a", "a OR OR b"] {
            assert_eq!(told(query), QueryError::LoneOr, "{query}");
        }
        assert_eq!(told("a NOT b"), QueryError::Not);
        assert_eq!(told("(a OR b) c"), QueryError::Parenthesis);
        assert_eq!(told("a -(b)"), QueryError::Parenthesis);
        assert_eq!(
            told("a \"b c"),
            QueryError::OpenQuote { rest: "b c".into() }
        );
        for term in ["from:", "-&", "subject:\"\"", "cc:***"] {
            assert_eq!(
                told(&format!("a {term} ")),
                QueryError::NoLetters { term: term.into() }
            );
        }
        assert_eq!(told("a*"), QueryError::ShortBeginning { term: "a*".into() });
        assert_eq!(told(&"ab* ".repeat(9)), QueryError::ManyBeginnings);
        let given = "form".to_owned();
        assert_eq!(
            told("form:a"),
            QueryError::UnknownField {
                given,
                near: "from"
            }
        );
        let value = "may".to_owned();
        assert_eq!(
            told("after:may"),
            QueryError::Time {
                field: "after",
                value
            }
        );
        for value in ["1M", ">", ">x", ">1T", ">-1", "", ">é"] {
            let value = value.to_owned();
            assert_eq!(told(&format!("size:{value}")), QueryError::Size { value });
        }
        assert_eq!(told("has:x"), QueryError::Has { value: "x".into() });
        assert_eq!(
            told("is:flagged"),
            QueryError::Is {
                value: "flagged".into()
            }
        );
    }

    #[test]
    fn other_words_with_a_colon_are_words() {
        assert_eq!(
            read("re:invoice 12:30 :a x:"),
            ["re invoice", "12 30", "a", "x"]
        );
        assert_eq!(read("\"form:a\" \"or\" \"not\""), ["form a", "or", "not"]);
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "[a-z\"*():<>\\-+%éł東\u{202e} \\PC]{0,60}") {
            match parse(&query) {
                Ok(query) => prop_assert!(query.clauses.iter().all(|clause| !clause.terms.is_empty())),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
