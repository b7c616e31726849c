//! Why a query was not understood.

/// The user's, all of them: each sentence says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// More octets than a file's name can have.
    #[error(
        "the query has {octets} octets, and at most {} are possible",
        super::query::QUERY_MAX
    )]
    TooLong {
        /// How many it has.
        octets: usize,
    },
    /// Octets that are no UTF-8.
    #[error("the query is not UTF-8")]
    NotText,
    /// A name that programs look for in every folder.
    #[error("programs look for '{name}' in every folder, so it is no query; put it in quotes")]
    Probe {
        /// The name.
        name: String,
    },
    /// No letter, no digit, no condition.
    #[error("nothing to look for: write a word, or a condition such as from:alice")]
    Empty,
    /// A quote that is not closed.
    #[error("the quote before '{rest}' is not closed: another \" is missing")]
    OpenQuote {
        /// What follows it.
        rest: String,
    },
    /// `OR` without a neighbour.
    #[error("OR needs a term on either side; the word itself is written \"or\"")]
    LoneOr,
    /// `NOT`, which other languages have.
    #[error("NOT is not known: write -word; the word itself is written \"not\"")]
    Not,
    /// A parenthesis before a term.
    #[error(
        "parentheses do not group: OR joins the terms on either side of it, blanks join the rest"
    )]
    Parenthesis,
    /// `from:` with nothing to look for behind it.
    #[error("'{term}' has no letter or digit to look for")]
    NoLetters {
        /// The term as it was written.
        term: String,
    },
    /// `a*`
    #[error("'{term}' begins too many words: write two letters before the *")]
    ShortBeginning {
        /// The term as it was written.
        term: String,
    },
    /// `aa* OR ab* OR ac* …`
    #[error("too many words end in *: at most eight are possible")]
    ManyBeginnings,
    /// `form:alice`
    #[error("'{given}:' is not known: did you mean '{near}:'? If not, put it in quotes")]
    UnknownField {
        /// As it was written.
        given: String,
        /// What looks like it.
        near: &'static str,
    },
    /// A day that no calendar has, or something else.
    #[error(
        "'{value}' is no time for {field}: expected 2024, 2024-05, 2024-05-01 or 7d (h, d, w, m, y)"
    )]
    Time {
        /// `after`, `before` or `date`.
        field: &'static str,
        /// As it was written.
        value: String,
    },
    /// Not a size.
    #[error("'{value}' is no size: expected >1M or <10K (K, M, G)")]
    Size {
        /// As it was written.
        value: String,
    },
    /// `has:` and something else than `attachment`.
    #[error("'has:{value}' is not known: expected has:attachment")]
    Has {
        /// As it was written.
        value: String,
    },
    /// `is:` and something else than `unread` or `read`.
    #[error("'is:{value}' is not known: expected is:unread or is:read")]
    Is {
        /// As it was written.
        value: String,
    },
}
