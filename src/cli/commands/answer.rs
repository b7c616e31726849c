//! Printing the answer of a daemon.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::control::{ControlError, ControlResponse, RequestOutcome};
use crate::cli::failure::Failure;

/// The daemon's answer, or the error as one.
pub(super) fn respond(answered: Result<ControlResponse, ControlError>) -> ControlResponse {
    answered.unwrap_or_else(|error| ControlResponse::refused(&error))
}

/// Prints a success on standard output, everything else on standard error. Returns the exit status.
pub(super) fn print(response: &ControlResponse) -> ExitCode {
    let printed = match response.outcome {
        RequestOutcome::Done => print_done(response, &mut io::stdout().lock()),
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

fn print_done(response: &ControlResponse, out: &mut impl Write) -> io::Result<()> {
    for line in &response.lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
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
        print_done(&ControlResponse::done("all is well"), &mut out).unwrap();
        assert_eq!(out, b"all is well\n");
    }

    #[test]
    fn failures_carry_our_name() {
        let mut out = Vec::new();
        print_failed(&ControlResponse::failed(Failure::Busy, "busy"), &mut out).unwrap();
        assert_eq!(out, b"pop3fs: busy\n");
    }
}
