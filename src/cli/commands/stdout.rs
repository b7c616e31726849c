//! What is told on standard output, where nothing depends on who reads it.

use std::fmt::Display;
use std::io::{self, Write};

/// Whoever has closed the pipe has read enough, and what was done is done. (`println!` would panic.)
pub(in crate::cli) fn line(text: impl Display) {
    let _closed = writeln!(io::stdout(), "{text}");
}
