//! Printing to a standard output that its reader may close.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line. A closed pipe is not an error: the reader has enough. (`println!` would panic.)
pub(in crate::cli) fn line(text: impl Display) {
    let _closed = writeln!(io::stdout(), "{text}");
}
