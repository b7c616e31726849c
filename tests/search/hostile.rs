//! Queries that are made to break something.

use pop3fs::search::{Clock, Query};

use super::{Account, NONE, NOW, message};

const QUERIES: &[&str] = &[
    "\"",
    "\"\"",
    "\"\"\"",
    "a\"",
    "'",
    "''; DROP TABLE words;--",
    "Robert'); DROP TABLE document;--",
    "NEAR(a b, 3)",
    "NEAR(",
    "a NEAR b",
    "NEAR/2",
    "*",
    "**",
    "a**",
    "* *",
    "^a",
    "a^",
    "{text} : a",
    "text:a",
    "rowid:1",
    "rank:1",
    "words:a",
    "a:b:c",
    "-",
    "--",
    "-a",
    "--a",
    "-\"a\"",
    "-*",
    "a -",
    "OR",
    "OR OR",
    "a OR",
    "OR a",
    "AND",
    "AND AND",
    "a AND OR b",
    "NOT",
    "a NOT b",
    "(",
    ")",
    "()",
    "(a",
    "a)",
    "((((((((((",
    "[a]",
    "{a}",
    "a\0b",
    "\0",
    "\0\0\0",
    "\u{1}\u{1b}[31m",
    "\u{202e}cba",
    "\u{202e}\u{202d}",
    "\u{feff}",
    "\u{301}",
    "e\u{301}*",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{e000}",
    "%",
    "%00",
    "%2",
    "%ff",
    "%2F",
    "_",
    "\\",
    "\\\"",
    "a\\\"b",
    "`",
    "``",
    "?",
    "?1",
    ":a",
    "@a",
    "$a",
    "#a",
    ";",
    "--;",
    "/*",
    "*/",
    "from:",
    "from:\"",
    "from:\"\"",
    "from:*",
    "from:-a",
    "-from:",
    "size:",
    "size:>",
    "size:>1e308",
    "size:>-1",
    "size:<0",
    "size:>0x10",
    "size:>1K1",
    "size:>NaN",
    "size:>inf",
    "after:",
    "after:0000",
    "after:9999-12-31",
    "after:99999d",
    "before:99999y",
    "date:2024-02-30",
    "after:-1d",
    "has:",
    "is:",
    "has:attachment OR is:unread OR -a OR size:>1",
    "東",
    "東*",
    "\"東\"*",
    "-東",
    "ß",
    "ﷺ",
    "🎉",
];

fn letters() -> Account {
    Account::with(&[
        message("From: a@example.org\n", "a b c near or not and"),
        message("", "東京 drop table words document"),
    ])
}

#[test]
fn hostile_queries_are_harmless() {
    let account = letters();
    for query in QUERIES {
        if let Ok(parsed) = Query::parse(query) {
            let found = account.index.search(&parsed, &Clock::utc(NOW), Vec::new);
            assert!(found.is_ok_and(|found| found.len() <= 2), "{query:?}");
        }
    }
    assert_eq!(account.found("a OR drop"), [1, 2]);
}

#[test]
fn a_query_of_255_octets_is_answered() {
    let account = letters();
    for part in [
        "a ",
        "a OR ",
        "-a ",
        "a* ",
        "東 ",
        "is:read ",
        "-a OR ",
        "\"\" ",
        "a. ",
        "size:>1 OR a ",
    ] {
        let query = part.repeat(255 / part.len());
        let query = query.trim_end().trim_end_matches(" OR");
        if let Ok(parsed) = Query::parse(query) {
            let found = account.index.search(&parsed, &Clock::utc(NOW), Vec::new);
            assert!(found.is_ok(), "{query}: {found:?}");
        }
    }
}

#[test]
fn words_of_the_query_language_of_fts5_are_words() {
    let account = letters();
    assert_eq!(account.found("near"), [1]);
    assert_eq!(account.found("\"or not and\""), [1]);
    assert_eq!(account.found("\"NOT\" \"AND\" \"OR\""), [1]);
    assert_eq!(account.found("text:a"), NONE);
    assert_eq!(account.found("drop' table"), [2]);
}

/// Seeded pieces of the language and of SQL, put together by chance.
#[test]
fn queries_made_by_chance_are_answered() {
    let account = letters();
    let mut random = fastrand::Rng::with_seed(18);
    for _ in 0..3000 {
        let pieces = random.usize(1..8);
        let query: String = (0..pieces)
            .map(|_| random.choice(QUERIES).copied().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(
                random
                    .choice(["", " ", " OR ", "\"", " -"])
                    .unwrap_or_default(),
            );
        if let Ok(parsed) = Query::parse(&query) {
            let found = account.index.search(&parsed, &Clock::utc(NOW), Vec::new);
            assert!(found.is_ok(), "{query:?}: {found:?}");
        }
    }
}
