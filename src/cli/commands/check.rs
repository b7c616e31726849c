//! `pop3fs check SOURCE`: reports what the server can do, and whether a mount would work.

use std::process::ExitCode;

use crate::cli::account::password;
use crate::cli::account::server_access::ServerAccess;
use crate::cli::account::target::Target;
use crate::cli::commands::stdout;
use crate::cli::daemon::mount::ServeError;
use crate::cli::daemon::setup::maildrop_settings;
use crate::cli::failure::{Advice, Failure, refuse};
use crate::cli::options::OptionArguments;
use crate::maildrop::{Finding, Rating, Remedy, Report, probe};

/// Prints a line after each step. Succeeds if a mount would work.
pub fn check(source: &str, options: &OptionArguments) -> ExitCode {
    match report(source, options) {
        Ok(Report::Works) => {
            stdout::line("A mount would work.");
            ExitCode::SUCCESS
        }
        Ok(Report::Fails(fault)) => {
            if let Some(advice) = fault.advice() {
                stdout::line(columns("help", "remedy", &advice));
            }
            stdout::line("A mount would not work.");
            Failure::from(&fault).into()
        }
        Err(error) => refuse(&error),
    }
}

fn report(source: &str, options: &OptionArguments) -> Result<Report, ServeError> {
    let Target { source, options } = Target::resolve(source, options.as_slice())?;
    let access = ServerAccess::obtain(&options)?;
    let password = password::obtain(&options, &source, || Ok::<(), ServeError>(()))?;
    let settings = maildrop_settings(&source, &options, &access, password)?;
    Ok(probe(&settings, &mut |finding| {
        stdout::line(line(finding));
    }))
}

fn line(finding: &Finding) -> String {
    let rating = match finding.rating {
        Rating::Good => "ok",
        Rating::Warning => "warning",
        Rating::Failure => "FAILED",
    };
    let told = match finding.remedy {
        None => finding.told.clone(),
        Some(Remedy::NoDates) => format!("{}, unless -o mtime=none", finding.told),
        Some(Remedy::NoPipelining) => format!("{}: mount with -o pipeline=off", finding.told),
    };
    columns(rating, finding.step, &told)
}

fn columns(rating: &str, step: &str, told: &str) -> String {
    format!("{rating:<8} {step:<12} {told}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line() {
        let finding = Finding {
            step: "TLS",
            rating: Rating::Warning,
            told: "none".to_owned(),
            remedy: None,
        };
        assert_eq!(line(&finding), "warning  TLS          none");
    }
}
