//! `pop3fs restore`: takes pending deletions back.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::commands::answer::{print, respond};
use crate::cli::control::{Request, ask};

/// `pop3fs restore DIR [NAME…]`: all pending deletions if none is named.
pub fn restore(dir: &Path, names: &[String]) -> ExitCode {
    let names = names.to_vec();
    print(&respond(ask(dir, &Request::Restore { names })))
}
