//! A query that was understood.

use super::period::Period;
use super::tokens::{Phrase, PhraseEnd};

/// The most octets of a query: those of a file's name.
pub(super) const QUERY_MAX: usize = 255;

/// What to look for: all clauses hold of a message that is found. Always at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) clauses: Vec<Clause>,
}

/// Terms of which at least one holds; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) terms: Vec<Term>,
}

/// A condition that holds, or that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) sense: Sense,
    pub(crate) condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    Holds,
    Fails,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Text(TextTerm),
    Arrived(Period),
    Size(SizeBound),
    HasAttachment,
    Is(Reading),
}

/// Words that follow each other, in one field or in any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextTerm {
    pub(crate) field: Option<Field>,
    pub(crate) phrase: Phrase,
}

/// What a text can be looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    From,
    To,
    Cc,
    Subject,
    Attachment,
    List,
}

/// Octets of the whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SizeBound {
    Above(u64),
    Below(u64),
}

/// Whether the message was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Read,
    Unread,
}

impl Query {
    /// How many words are given by their beginnings.
    pub(super) fn beginnings(&self) -> usize {
        let terms = self.clauses.iter().flat_map(|clause| &clause.terms);
        let is_open = |term: &&Term| match &term.condition {
            Condition::Text(text) => text.phrase.ending == PhraseEnd::Open,
            _ => false,
        };
        terms.filter(is_open).count()
    }

    /// Whether it has a term `is:`.
    pub(crate) fn asks_what_was_read(&self) -> bool {
        let mut terms = self.clauses.iter().flat_map(|clause| &clause.terms);
        terms.any(|term| matches!(term.condition, Condition::Is(_)))
    }

    /// The texts that are looked for, those that must not be there left out.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &TextTerm> {
        let terms = self.clauses.iter().flat_map(|clause| &clause.terms);
        terms.filter_map(|term| match (&term.condition, term.sense) {
            (Condition::Text(text), Sense::Holds) => Some(text),
            _ => None,
        })
    }
}
