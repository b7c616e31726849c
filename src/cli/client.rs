//! The commands that talk to a running pop3fs and ask nothing back: restore, status.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::control::{Outcome, Request, Response, Session, Status, ask};

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
    let response = ask(dir, request).unwrap_or_else(|error| Response::failed(error.to_string()));
    print(&response, format)
}

/// Success goes to standard output, everything else to standard error.
pub(super) fn print(response: &Response, format: Format) -> ExitCode {
    let printed = match response.outcome {
        Outcome::Done => print_done(response, format, &mut io::stdout().lock()),
        Outcome::Failed | Outcome::Held | Outcome::Going => {
            print_failed(response, &mut io::stderr().lock())
        }
    };
    match (response.outcome, printed) {
        (Outcome::Done, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn print_done(response: &Response, format: Format, out: &mut impl Write) -> io::Result<()> {
    for line in &response.lines {
        writeln!(out, "{line}")?;
    }
    match (&response.status, format) {
        (Some(status), Format::Json) => writeln!(out, "{}", serde_json::to_string(status)?),
        (Some(status), Format::Text) => print_status(status, out),
        (None, _) => Ok(()),
    }
}

fn print_failed(response: &Response, out: &mut impl Write) -> io::Result<()> {
    for line in &response.lines {
        writeln!(out, "pop3fs: {line}")?;
    }
    Ok(())
}

fn print_status(status: &Status, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{} on {} (process {})",
        status.source,
        status.mountpoint.display(),
        status.pid
    )?;
    writeln!(
        out,
        "listing   {} messages, {} octets{}",
        status.messages,
        status.octets,
        age(status)
    )?;
    writeln!(out, "session   {}", session(status))?;
    writeln!(
        out,
        "cached    {} messages, {} octets",
        status.cached.messages, status.cached.octets
    )?;
    writeln!(out, "pending   {} deletions", status.pending.len())?;
    for name in &status.pending {
        writeln!(out, "          {}", name.escape_debug())?;
    }
    Ok(())
}

fn age(status: &Status) -> String {
    match status.listing_age_seconds {
        Some(seconds) => format!(", {seconds} s old"),
        None => String::new(),
    }
}

fn session(status: &Status) -> String {
    match (status.session, &status.tls) {
        (Session::Closed, _) => match &status.fault {
            Some(fault) => format!("closed: {fault}"),
            None => "closed".to_owned(),
        },
        (Session::Open, Some(tls)) => format!("open, {tls}"),
        (Session::Open, None) => "open, in clear".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::control::Cached;

    fn example() -> Response {
        Response::status(Status {
            source: "pops://al@h".to_owned(),
            mountpoint: "/mnt".into(),
            pid: 7,
            messages: 3,
            octets: 4096,
            listing_age_seconds: Some(12),
            session: Session::Open,
            fault: None,
            tls: Some("TLSv1.3".to_owned()),
            pending: vec!["a\x1b.eml".to_owned()],
            cached: Cached {
                messages: 1,
                octets: 99,
            },
        })
    }

    fn printed(response: &Response, format: Format) -> String {
        let mut out = Vec::new();
        print_done(response, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_status_reads_as_lines() {
        assert_eq!(
            printed(&example(), Format::Text),
            "pops://al@h on /mnt (process 7)\n\
             listing   3 messages, 4096 octets, 12 s old\n\
             session   open, TLSv1.3\n\
             cached    1 messages, 99 octets\n\
             pending   1 deletions\n          a\\u{1b}.eml\n"
        );
    }

    #[test]
    fn a_session_that_cannot_be_opened_is_told_with_the_reason() {
        let mut response = example();
        if let Some(status) = &mut response.status {
            status.session = Session::Closed;
            status.fault = Some("the server is away".to_owned());
        }
        let shown = printed(&response, Format::Text);
        assert!(shown.contains("session   closed: the server is away\n"));
        let shown = printed(&response, Format::Json);
        assert!(shown.contains("\"fault\":\"the server is away\""));
    }

    #[test]
    fn a_status_is_one_line_of_json_with_stable_names() {
        assert_eq!(
            printed(&example(), Format::Json),
            "{\"source\":\"pops://al@h\",\"mountpoint\":\"/mnt\",\"pid\":7,\"messages\":3,\"octets\":4096,\
             \"listing_age_seconds\":12,\"session\":\"open\",\"tls\":\"TLSv1.3\",\"pending\":[\"a\\u001b.eml\"],\
             \"cached\":{\"messages\":1,\"octets\":99}}\n"
        );
    }

    #[test]
    fn failures_carry_our_name() {
        let mut out = Vec::new();
        print_failed(&Response::failed("busy"), &mut out).unwrap();
        assert_eq!(out, b"pop3fs: busy\n");
    }
}
