//! Printing the answer of a daemon; restore and status, which do nothing else.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::control::report::print_status;
use crate::cli::control::{ControlError, ControlResponse, Request, RequestOutcome, ask};
use crate::cli::failure::Failure;

/// How `status` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One line of JSON.
    Json,
}

/// `pop3fs restore DIR [NAME…]`: all pending ones if none is named.
pub fn restore(dir: &Path, names: &[String]) -> ExitCode {
    let names = names.to_vec();
    perform(dir, &Request::Restore { names }, Format::Text)
}

/// `pop3fs status DIR [--json]`.
pub fn status(dir: &Path, format: Format) -> ExitCode {
    perform(dir, &Request::Status, format)
}

fn perform(dir: &Path, request: &Request, format: Format) -> ExitCode {
    print(&respond(ask(dir, request)), format)
}

/// The daemon's answer, or the error as one.
pub(in crate::cli) fn respond(answered: Result<ControlResponse, ControlError>) -> ControlResponse {
    answered.unwrap_or_else(|error| ControlResponse::refused(&error))
}

/// Prints a success on standard output, everything else on standard error. Returns the exit status.
pub(in crate::cli) fn print(response: &ControlResponse, format: Format) -> ExitCode {
    let printed = match response.outcome {
        RequestOutcome::Done => print_done(response, format, &mut io::stdout().lock()),
        RequestOutcome::Failed(_) | RequestOutcome::Held | RequestOutcome::Going => {
            print_failed(response, &mut io::stderr().lock())
        }
    };
    match (response.failure(), printed) {
        (Some(failure), _) => failure.into(),
        (None, Err(error)) => Failure::from(&error).into(),
        (None, Ok(())) => ExitCode::SUCCESS,
    }
}

fn print_done(response: &ControlResponse, format: Format, out: &mut impl Write) -> io::Result<()> {
    for line in &response.lines {
        writeln!(out, "{line}")?;
    }
    match (&response.status, format) {
        (Some(status), Format::Json) => writeln!(out, "{}", serde_json::to_string(status)?),
        (Some(status), Format::Text) => print_status(status, out),
        (None, _) => Ok(()),
    }
}

fn print_failed(response: &ControlResponse, out: &mut impl Write) -> io::Result<()> {
    for line in &response.lines {
        writeln!(out, "pop3fs: {line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_its_lines() {
        let mut out = Vec::new();
        print_done(
            &ControlResponse::done("all is well"),
            Format::Text,
            &mut out,
        )
        .unwrap();
        assert_eq!(out, b"all is well\n");
    }

    #[test]
    fn failures_carry_our_name() {
        let mut out = Vec::new();
        print_failed(&ControlResponse::failed(Failure::Busy, "busy"), &mut out).unwrap();
        assert_eq!(out, b"pop3fs: busy\n");
    }
}
