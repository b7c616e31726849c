//! Looks for the words of each text of the program among the texts of the tests.
//!
//! A text of the program is a string of its sources that has words of its own: it may reach a
//! person as an error, an answer of a command, a question or a line of the log. The few that reach
//! nobody are told apart by where they stand, and each such rule has its reason. The test writes
//! the list of all messages, each with its test, into `target/tmp/messages.txt`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// A text of a test that is shorter than this could belong to anything.
const SHORTEST: usize = 7;

/// The sources whose strings are no messages, and what they are.
const NOT_MESSAGES: &[(&str, &str)] = &[
    (
        "src/cli/arguments/completions.rs",
        "scripts of shells, which tests/manual.rs runs",
    ),
    (
        "src/cli/arguments/manual.rs",
        "the manual, which tests/manual.rs reads",
    ),
    (
        "src/cli/arguments/pages.rs",
        "the manual, which tests/manual.rs reads",
    ),
    (
        "src/cli/options/table.rs",
        "the help of the options, which tests/manual.rs reads",
    ),
    (
        "src/cli/failure/mod.rs",
        "exit statuses in the manual, which tests/manual.rs reads",
    ),
    ("src/maildrop/fault/in_use.rs", "words of servers"),
    ("src/maildrop/fault/passing.rs", "words of servers"),
    ("src/maildrop/fault/unknown_command.rs", "words of servers"),
    ("src/fs/reply/deferred.rs", "for programmers, by Debug"),
    ("src/search/name.rs", "names that programs look for"),
    ("src/store/index/schema.rs", "SQL"),
    ("src/store/search/compile.rs", "SQL"),
];

/// What stands before a string that is no message, and what the string is.
const NOT_MESSAGES_BEHIND: &[(&str, &str)] = &[
    ("log::debug!(", "of the log, with -d"),
    ("#[must_use = ", "for the compiler"),
    (", reason = ", "for the compiler"),
    (".name(", "the name of a thread"),
    ("StoreError::io(", "what failed, in an error that is tested"),
    ("system(", "what failed, in an error that is tested"),
    ("refused(", "what failed, in an error that is tested"),
];

/// Messages that no test brings about, and why not.
const NOT_BROUGHT_ABOUT: &[(&str, &str)] = &[
    (
        "{error}; inode numbers of new messages may change",
        "the index writes what it could read before",
    ),
    (
        "searches miss what comes from now on: {}: {error}",
        "the search index writes what it could read before",
    ),
    (
        "the writer of the search index has panicked",
        "it does not panic",
    ),
    (
        "the connection is not encrypted, so the password was not sent",
        "the last guard: STLS was demanded before",
    ),
    (
        "a large message goes through a temporary file elsewhere",
        "the cache was writable when it was opened",
    ),
    (
        "cannot remove {}: {error}",
        "the cache was writable when it was opened",
    ),
    ("nothing is mirrored: {error}", "the system gives a thread"),
    (
        "cannot stop polling the device: {error}",
        "the kernel takes a flag that it gave",
    ),
    (
        "cannot tell signals that came twice: {errno}",
        "the kernel tells pending signals",
    ),
    (
        "the FUSE device failed: {error}",
        "the kernel ends a session without an error",
    ),
    (
        "the launcher has gone ({error}): unmounting",
        "Ctrl-C would have to come within the last step",
    ),
    (
        "the service manager was not told: {error}",
        "a service manager listens as long as its services run",
    ),
    (
        "{} is left behind: {error}",
        "a directory was empty before the demo was mounted on it",
    ),
    (
        "the terminal",
        "a terminal gives a line that is short enough for a password",
    ),
];

/// How a string begins that is no message: SQL.
const SQL: &[&str] = &["SELECT ", "INSERT ", "DELETE FROM ", "CREATE ", "PRAGMA "];

/// A string of a source.
struct Literal {
    text: String,
    /// The end of the code before it.
    before: String,
}

/// A message of the program.
struct Message {
    text: String,
    source: String,
}

/// Whether the text is a sentence, and not only what it wraps or a single word.
fn has_own_words(text: &str) -> bool {
    let own: String = parts(text).concat();
    own.trim().contains(' ') && own.chars().filter(|c| c.is_alphabetic()).count() > 6
}

/// The fixed parts of a format, between its `{}`.
fn parts(format: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in format.replace("{{", "(").replace("}}", ")").chars() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                parts.push(String::new());
            }
            other if depth == 0 => parts.last_mut().expect("a part").push(other),
            _ => {}
        }
    }
    parts
}

/// The string literals of a source, without its comments.
fn literals(source: &str) -> Vec<Literal> {
    let is_comment = |line: &&str| !line.trim_start().starts_with("//");
    let code: Vec<&str> = source.lines().filter(is_comment).collect();
    let (mut found, mut open, mut before) = (Vec::new(), None::<String>, String::new());
    let code = code.join("\n").replace("'\"'", "' '");
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        match (&mut open, character) {
            (None, '"') => open = Some(String::new()),
            (None, other) => before.push(other),
            (Some(_), '"') => {
                let (text, before) = (open.take(), std::mem::take(&mut before));
                found.extend(text.map(|text| Literal { text, before }));
            }
            (Some(text), '\\') => match characters.next() {
                Some('\n') => while characters.next_if(|next| next.is_whitespace()).is_some() {},
                Some('n') => text.push('\n'),
                Some(escaped) => text.push(escaped),
                None => {}
            },
            (Some(text), other) => text.push(other),
        }
    }
    found
}

/// A source, and what of it is only tested.
struct Source {
    path: String,
    code: String,
    test: String,
}

/// The Rust sources below a folder of the project.
fn sources(folder: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("UTF-8"));
        if entry.path().is_dir() {
            sources(&path, found);
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source");
            let begin = match path.starts_with("tests/") || path.ends_with("/tests.rs") {
                true => 0,
                false => {
                    let begin = text.find("#[cfg(test)]\nmod tests {");
                    begin.unwrap_or(text.len())
                }
            };
            let (code, test) = text.split_at(begin);
            found.push(Source {
                path,
                code: code.to_owned(),
                test: test.to_owned(),
            });
        }
    }
}

/// The messages in a source.
fn messages(source: &Source) -> Vec<Message> {
    let is_message = |literal: &Literal| {
        let before = literal.before.trim_end();
        let is_behind = |(code, _): &(&str, &str)| before.ends_with(code.trim_end());
        has_own_words(&literal.text)
            && !NOT_MESSAGES_BEHIND.iter().any(is_behind)
            && !SQL.iter().any(|begin| literal.text.starts_with(begin))
    };
    if NOT_MESSAGES.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let literals = literals(&source.code).into_iter().filter(is_message);
    let message = |literal: Literal| Message {
        text: literal.text,
        source: source.path.clone(),
    };
    literals.map(message).collect()
}

/// Whether a text of a test is a part of the message, or holds a part of it, or all of them.
fn is_in(message: &[String], text: &str) -> bool {
    let has = |part: &String| {
        let own = part.trim();
        part.contains(text) || (own.len() >= SHORTEST && text.contains(own))
    };
    message.iter().any(has) || holds_in_order(text, message)
}

fn holds_in_order(text: &str, parts: &[String]) -> bool {
    let behind = |rest: Option<_>, part: &String| {
        let rest: &str = rest?;
        Some(&rest[rest.find(part)? + part.len()..])
    };
    parts.iter().fold(Some(text), behind).is_some()
}

/// Each text of the tests, with one test where it stands.
fn tested(sources: &[Source]) -> BTreeMap<String, &str> {
    let mut texts = BTreeMap::new();
    for source in sources {
        let literals = literals(&source.test).into_iter();
        let texts_of_it = literals
            .map(|literal| literal.text)
            .filter(|text| text.len() >= SHORTEST && text.contains(' '));
        texts.extend(texts_of_it.map(|text| (text, source.path.as_str())));
    }
    texts
}

#[test]
fn every_message_is_in_a_test() {
    let mut all = Vec::new();
    sources("src", &mut all);
    for (path, what) in NOT_MESSAGES {
        assert!(
            all.iter().any(|source| source.path == *path),
            "{path}: {what}"
        );
    }
    let messages: Vec<Message> = all.iter().flat_map(messages).collect();
    sources("tests", &mut all);
    let texts = tested(&all);
    let (mut list, mut missing) = (String::new(), String::new());
    for (text, why) in NOT_BROUGHT_ABOUT {
        assert!(
            messages.iter().any(|message| message.text == *text),
            "{text}: {why}"
        );
        list.push_str(&format!("{text:?}\n    none: {why}\n"));
    }
    let is_brought_about = |message: &&Message| {
        NOT_BROUGHT_ABOUT
            .iter()
            .all(|(text, _)| *text != message.text)
    };
    for message in messages.iter().filter(is_brought_about) {
        let parts = parts(&message.text);
        // The longest says most about the message.
        let test = texts
            .iter()
            .filter(|(text, _)| is_in(&parts, text))
            .max_by_key(|(text, _)| text.len());
        let line = format!("{}: {:?}\n", message.source, message.text);
        match test {
            Some((_, test)) => list.push_str(&format!("{line}    {test}\n")),
            None => missing.push_str(&line),
        }
    }
    assert!(messages.len() > 500, "{}", messages.len());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages.txt");
    fs::write(path, list).expect("the list of messages");
    assert!(missing.is_empty(), "no test has:\n{missing}");
}
