//! What a program has written.

use std::process::Output;

use pop3fs::cli::Failure;

/// What it wrote to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It ended with this failure's status.
pub fn assert_failed(output: &Output, failure: Failure) {
    let status = Some(failure.status().into());
    assert_eq!(output.status.code(), status, "{failure:?}: {output:?}");
}

/// The one line of a refusal, behind our name; whatever else the program writes, and a status of no failure, fails the test.
pub fn sentence(output: &Output) -> String {
    let known = Failure::ALL.map(|failure| Some(failure.status().into()));
    assert!(known.contains(&output.status.code()), "{output:?}");
    assert_eq!(stdout(output), "");
    let said = stderr(output);
    let line = said.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "more than one line:\n{said}");
    let sentence = line.strip_prefix("pop3fs: ").expect("our name in front");
    for of_debug in ["Some(", "Err(", "Os {", "Error {", "\\u{", "Kind("] {
        assert!(!sentence.contains(of_debug), "{sentence}");
    }
    sentence.to_owned()
}

/// All of the parts are in what was said.
pub fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}
