//! Checks of what a program wrote and how it ended.

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

/// The program must have ended with the exit status of this failure.
pub fn assert_failed(output: &Output, failure: Failure) {
    let status = Some(failure.status().into());
    assert_eq!(output.status.code(), status, "{failure:?}: {output:?}");
}

/// The one line with which pop3fs refuses something, without "pop3fs: ". Any other output, or an
/// exit status that is not one of [`Failure`], fails the test.
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

/// `said` must contain all of the parts.
pub fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}
