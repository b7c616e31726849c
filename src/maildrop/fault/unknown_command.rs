//! The words in which servers say that they do not know a command.

/// Whether the words of an -ERR say that the server does not know the command.
pub(crate) fn speaks_of_an_unknown_command(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "unknown command",
        "command unknown",
        "unrecognized",
        "unrecognised",
        "invalid command",
        "bad command",
        "no such command",
        "illegal command",
        "not implemented",
        "unimplemented",
        "not supported",
        "unsupported",
        "syntax error",
    ]
    .iter()
    .any(|phrase| text.contains(phrase))
}
