//! What a program has written.

use std::process::Output;

/// What it wrote to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it wrote to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one line of a refusal, behind our name; whatever else the program writes or returns fails the test.
pub fn sentence(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(stdout(output), "");
    let said = stderr(output);
    let line = said.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains('\n'), "more than one line:\n{said}");
    let sentence = line.strip_prefix("pop3fs: ");
    sentence.expect("our name in front").to_owned()
}

/// All of the parts are in what was said.
pub fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}
