//! A terminal of a size that users have, for programs that draw on it.

use std::process::{Command, Output};

use super::command::{LIMIT, output_within};

/// Gives a terminal 24 rows of 80 columns. One that script(1) makes has none of either, and mutt
/// with ncurses 6.5 refuses to draw there.
pub const SET_SIZE: &str = "stty rows 24 columns 80";

/// Runs a line of the shell on a terminal, for at most 60 s. Its output is all that was shown.
pub fn run_on_a_terminal(line: &str) -> Output {
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{SET_SIZE} && {line}"))
        .arg("/dev/null")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm");
    output_within(LIMIT, &mut command)
}
