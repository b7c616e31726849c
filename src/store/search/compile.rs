//! A query as SQL. What a user wrote reaches SQLite as bound parameters only, and in a MATCH as
//! tokens in quotes: these are letters, digits, marks and signs, cut by [`crate::search`].

use rusqlite::types::Value;

use crate::search::{
    Clause, Clock, Condition, Field, Phrase, PhraseEnd, Query, Reading, Sense, SizeBound, Term,
    TextTerm,
};

/// A statement with what its question marks stand for, in order. Its rows are inode, key and
/// octets, in directory order.
#[derive(Debug, PartialEq)]
pub(super) struct Compiled {
    pub(super) sql: String,
    pub(super) parameters: Vec<Value>,
}

/// Texts alone are one MATCH, in which FTS5 intersects the lists of messages itself. Where a text
/// is an alternative to a fact, or nothing but an exclusion, it is a condition of its own.
pub(super) fn compile(query: &Query, clock: &Clock, read: &[u64]) -> Compiled {
    let (matched, others) = split(query);
    let mut compiled = Compiled {
        sql: "SELECT document.inode, document.key, document.octets FROM document".into(),
        parameters: Vec::new(),
    };
    let mut conditions = Vec::new();
    if let Some(expression) = matched {
        // CROSS: of the words first, whose list is the shorter one.
        compiled.sql =
            "SELECT document.inode, document.key, document.octets FROM words CROSS JOIN document \
            ON document.id = words.rowid"
                .into();
        conditions.push("words MATCH ?".to_owned());
        compiled.parameters.push(Value::Text(expression));
    }
    for clause in others {
        let terms = clause.terms.iter();
        let terms: Vec<String> = terms
            .map(|term| compiled.condition(term, clock, read))
            .collect();
        conditions.push(format!("({})", terms.join(" OR ")));
    }
    compiled.sql.push_str(" WHERE ");
    compiled.sql.push_str(&conditions.join(" AND "));
    compiled.sql.push_str(" ORDER BY document.inode");
    compiled
}

/// The expression for MATCH, and the clauses that it does not express.
fn split(query: &Query) -> (Option<String>, Vec<&Clause>) {
    let (mut required, mut excluded, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for clause in &query.clauses {
        match wanted(clause) {
            Some(alternatives) => required.push(format!("({})", alternatives.join(" OR "))),
            None => others.push(clause),
        }
    }
    if required.is_empty() {
        return (None, others);
    }
    others.retain(|clause| match unwanted(clause) {
        Some(text) => {
            excluded.push(text);
            false
        }
        None => true,
    });
    let required = required.join(" AND ");
    let expression = match excluded.is_empty() {
        true => required,
        false => format!("({required}) NOT ({})", excluded.join(" OR ")),
    };
    (Some(expression), others)
}

/// The texts of a clause that has nothing else.
fn wanted(clause: &Clause) -> Option<Vec<String>> {
    let terms = clause.terms.iter();
    terms
        .map(|term| expression_of(term, Sense::Holds))
        .collect()
}

/// The text of a clause that only excludes it.
fn unwanted(clause: &Clause) -> Option<String> {
    match clause.terms.as_slice() {
        [term] => expression_of(term, Sense::Fails),
        _ => None,
    }
}

fn expression_of(term: &Term, sense: Sense) -> Option<String> {
    match &term.condition {
        Condition::Text(text) if term.sense == sense => Some(expression(text)),
        _ => None,
    }
}

/// In the syntax of FTS5: `sender : "alice smith"`, `"inv" *`.
fn expression(text: &TextTerm) -> String {
    let column = match text.field {
        None => "",
        Some(Field::From) => "sender : ",
        Some(Field::To) => "recipient : ",
        Some(Field::Cc) => "copy : ",
        Some(Field::Subject) => "subject : ",
        Some(Field::Attachment) => "attachment : ",
        Some(Field::List) => "list : ",
    };
    format!("{column}{}", quoted(&text.phrase))
}

fn quoted(phrase: &Phrase) -> String {
    // A token has no quote in it; doubled, it would be one of the string.
    let words = phrase.tokens.join(" ").replace('"', "\"\"");
    match phrase.ending {
        PhraseEnd::Whole => format!("\"{words}\""),
        PhraseEnd::Open => format!("\"{words}\" *"),
    }
}

impl Compiled {
    fn condition(&mut self, term: &Term, clock: &Clock, read: &[u64]) -> String {
        let condition = match &term.condition {
            Condition::Text(text) => {
                self.parameters.push(Value::Text(expression(text)));
                "document.id IN (SELECT rowid FROM words WHERE words MATCH ?)"
            }
            Condition::Arrived(period) => {
                let seconds = period.seconds(clock);
                self.push_number(seconds.start);
                self.push_number(seconds.end);
                // A message whose arrival nobody knows has not arrived then: so NOT finds it.
                "(arrived IS NOT NULL AND arrived >= ? AND arrived < ?)"
            }
            Condition::Size(SizeBound::Above(octets)) => {
                self.push_octets(*octets);
                "octets > ?"
            }
            Condition::Size(SizeBound::Below(octets)) => {
                self.push_octets(*octets);
                "octets < ?"
            }
            Condition::HasAttachment => "attached",
            Condition::Is(reading) => {
                self.parameters.push(Value::Text(json(read)));
                match reading {
                    Reading::Read => "inode IN (SELECT value FROM json_each(?))",
                    Reading::Unread => "inode NOT IN (SELECT value FROM json_each(?))",
                }
            }
        };
        match term.sense {
            Sense::Holds => condition.into(),
            Sense::Fails => format!("NOT ({condition})"),
        }
    }

    fn push_octets(&mut self, octets: u64) {
        self.push_number(i64::try_from(octets).unwrap_or(i64::MAX));
    }

    fn push_number(&mut self, number: i64) {
        self.parameters.push(Value::Integer(number));
    }
}

/// One parameter for all of them: their number is not bounded by that of parameters.
fn json(inodes: &[u64]) -> String {
    let numbers: Vec<String> = inodes.iter().map(u64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(query: &str) -> Compiled {
        compile(
            &Query::parse(query).unwrap(),
            &Clock::utc(1_700_000_000),
            &[1, 7],
        )
    }

    fn texts(query: &str) -> Vec<String> {
        let text = |value| match value {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        compiled(query).parameters.into_iter().map(text).collect()
    }

    #[test]
    fn texts_become_one_match() {
        assert_eq!(
            texts("\"budget review\" from:alice OR from:bo* -draft"),
            ["((\"budget review\") AND (sender : \"alice\" OR sender : \"bo\" *)) NOT (\"draft\")"]
        );
        assert_eq!(texts("a"), ["(\"a\")"]);
    }

    #[test]
    fn an_alternative_of_text_and_fact_is_a_condition() {
        let compiled = compiled("a b OR is:unread");
        assert!(
            compiled.sql.contains("words MATCH ? AND (document.id IN ("),
            "{}",
            compiled.sql
        );
        assert!(
            compiled.sql.contains(" OR inode NOT IN ("),
            "{}",
            compiled.sql
        );
        assert_eq!(texts("is:read"), ["[1,7]"]);
        assert_eq!(texts("-a"), ["\"a\""]);
        assert_eq!(texts("-a -b OR -c").len(), 3);
    }

    #[test]
    fn nothing_of_a_user_is_in_the_statement() {
        for query in [
            "Robert'); DROP TABLE words;--",
            "NEAR(zebra zulu, 3)",
            "zebra} : \"zulu\" ^zebra {zebra",
            "from:zebra -zulu OR attachment:zebra*",
            "rowid:zebra rank zulu",
        ] {
            let compiled = compiled(query);
            for word in ["zebra", "zulu", "robert", "drop", "near", "rank"] {
                assert!(
                    !compiled.sql.to_lowercase().contains(word),
                    "{}",
                    compiled.sql
                );
            }
            let places = compiled.sql.matches('?').count();
            assert_eq!(places, compiled.parameters.len());
        }
        assert_eq!(
            texts("NEAR(zebra zulu, 3)"),
            ["(\"near zebra\") AND (\"zulu\") AND (\"3\")"]
        );
    }
}
