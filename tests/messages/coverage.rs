//! Looks for the words of each error of the sources among the texts of the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// A text of a test that is shorter than this could belong to anything.
const SHORTEST: usize = 7;

/// Whether the error is a sentence, and not only what it wraps or a single word.
fn has_own_words(sentence: &str) -> bool {
    let own: String = parts(sentence).concat();
    own.trim().contains(' ') && own.chars().filter(|c| c.is_alphabetic()).count() > 6
}

/// The fixed parts of a format, between its `{}`.
fn parts(sentence: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in sentence.replace("{{", "(").replace("}}", ")").chars() {
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
fn literals(source: &str) -> Vec<String> {
    let is_comment = |line: &&str| !line.trim_start().starts_with("//");
    let code: Vec<&str> = source.lines().filter(is_comment).collect();
    let (mut found, mut open) = (Vec::new(), None::<String>);
    let code = code.join("\n").replace("'\"'", "' '");
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        match (&mut open, character) {
            (None, '"') => open = Some(String::new()),
            (None, _) => {}
            (Some(_), '"') => found.extend(open.take()),
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

/// The formats of `#[error(…)]` in a source.
fn errors(source: &str) -> Vec<String> {
    let attributes = source.split("#[error(").skip(1);
    attributes
        .filter(|rest| rest.trim_start().starts_with('"'))
        .filter_map(|rest| literals(rest).into_iter().next())
        .collect()
}

/// The sources below a folder: what is compiled into the program, and what is only tested.
fn sources(folder: &Path, program: &mut Vec<String>, tests: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, program, tests);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let begin = text.find("#[cfg(test)]\nmod tests {");
            let (code, test) = text.split_at(begin.unwrap_or(text.len()));
            program.push(code.to_owned());
            tests.push(test.to_owned());
        }
    }
}

/// Whether a text of a test is a part of the sentence, or holds a part of it.
fn is_in(sentence: &[String], text: &str) -> bool {
    let has = |part: &String| {
        let own = part.trim();
        part.contains(text) || (own.len() >= SHORTEST && text.contains(own))
    };
    sentence.iter().any(has)
}

#[test]
fn every_error_is_in_a_test() {
    let (mut program, mut tests, mut none) = (Vec::new(), Vec::new(), Vec::new());
    sources(&Path::new(ROOT).join("src"), &mut program, &mut tests);
    sources(&Path::new(ROOT).join("tests"), &mut tests, &mut none);
    let texts: BTreeSet<String> = tests
        .iter()
        .flat_map(|test| literals(test))
        .filter(|text| text.len() >= SHORTEST && text.contains(' '))
        .collect();
    let all: Vec<String> = program.iter().flat_map(|source| errors(source)).collect();
    assert!(all.len() > 150, "{}", all.len());
    let missing: Vec<&String> = all
        .iter()
        .filter(|sentence| has_own_words(sentence))
        .filter(|sentence| {
            let sentence = parts(sentence);
            !texts.iter().any(|text| is_in(&sentence, text))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
