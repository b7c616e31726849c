//! `pop3fs search`: the messages that a query finds.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::commands::answer::{print, respond};
use crate::cli::commands::status::Format;
use crate::cli::control::{Request, SearchDetail, SearchReport, ask};
use crate::cli::failure::Failure;

/// `pop3fs search DIR QUERY… [--json]`: prints names, and fails where nothing is found, as grep(1)
/// does.
pub fn search(dir: &Path, words: &[String], format: Format) -> ExitCode {
    let request = Request::Search {
        query: words.join(" "),
        detail: match format {
            Format::Text | Format::TextWithAllNames => SearchDetail::Names,
            Format::Json => SearchDetail::Everything,
        },
    };
    let response = respond(ask(dir, &request));
    let Some(report) = &response.search else {
        return print(&response);
    };
    warn_of_the_rest(report, dir);
    match print_report(report, format, &mut io::stdout().lock()) {
        Err(error) => Failure::from(&error).into(),
        Ok(()) if report.messages.is_empty() => Failure::Usage.into(),
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn print_report(report: &SearchReport, format: Format, out: &mut impl Write) -> io::Result<()> {
    if format == Format::Json {
        return writeln!(out, "{}", serde_json::to_string(report)?);
    }
    for message in &report.messages {
        writeln!(out, "{}", message.name)?;
    }
    Ok(())
}

fn warn_of_the_rest(report: &SearchReport, dir: &Path) {
    if report.indexed < report.listed {
        eprintln!(
            "pop3fs: {} of {} messages are indexed; `pop3fs fetch {}` fetches the others",
            report.indexed,
            report.listed,
            dir.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::control::FoundRow;

    #[test]
    fn a_report_is_names_or_one_line_of_json() {
        let report = SearchReport {
            indexed: 1,
            listed: 2,
            messages: vec![FoundRow {
                name: "a.eml".into(),
                octets: 9,
                subject: Some("Łódź".into()),
                ..FoundRow::default()
            }],
        };
        let printed = |format| {
            let mut out = Vec::new();
            print_report(&report, format, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(Format::Text), "a.eml\n");
        assert_eq!(
            printed(Format::Json),
            "{\"indexed\":1,\"listed\":2,\"messages\":[{\"name\":\"a.eml\",\"octets\":9,\"date\":null,\
             \"from\":null,\"subject\":\"Łódź\",\"snippet\":null}]}\n"
        );
    }
}
