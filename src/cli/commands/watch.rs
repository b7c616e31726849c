//! `pop3fs watch`: tells of each message that arrives or departs, as a line of JSON or by a
//! command.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::cli::commands::answer::{print, respond};
use crate::cli::control::{
    ChangeKind, ControlResponse, MessageChange, RequestOutcome, ask_to_watch,
};

/// `pop3fs watch DIR [--exec COMMAND]`: until the mount ends, or the reader of standard output
/// leaves.
pub fn watch(dir: &Path, command: Option<&str>) -> ExitCode {
    let answered = ask_to_watch(dir, &mut |change| match command {
        Some(command) => {
            run(command, dir, &change);
            ControlFlow::Continue(())
        }
        None => match print_line(&change) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_the_reader_has_left) => ControlFlow::Break(()),
        },
    });
    match respond(answered) {
        ControlResponse {
            outcome: RequestOutcome::Done,
            ..
        } => ExitCode::SUCCESS,
        failed => print(&failed),
    }
}

fn print_line(change: &MessageChange) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(change)?)?;
    out.flush()
}

/// Runs the command, and waits for it. A failure of one message does not keep the others from being
/// told.
fn run(command: &str, dir: &Path, change: &MessageChange) {
    let status = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .envs(variables(change))
        .env("POP3FS_PATH", dir.join(&change.name))
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("pop3fs: --exec: {status} ({})", change.name),
        Err(error) => eprintln!("pop3fs: --exec: sh cannot be run ({error})"),
    }
}

/// The environment of the command. What is not known is empty.
fn variables(change: &MessageChange) -> [(&'static str, String); 7] {
    let text = |text: &Option<String>| {
        // A value of the environment ends at a NUL.
        let text = text.as_deref().unwrap_or_default();
        text.replace('\0', "\u{fffd}")
    };
    let event = match change.event {
        ChangeKind::Arrived => "arrived",
        ChangeKind::Departed => "departed",
    };
    let arrival = change.arrival.map(|seconds| seconds.to_string());
    [
        ("POP3FS_EVENT", event.to_owned()),
        ("POP3FS_NAME", change.name.clone()),
        ("POP3FS_UNIQUE_ID", text(&change.unique_id)),
        ("POP3FS_OCTETS", change.octets.to_string()),
        ("POP3FS_ARRIVAL", text(&arrival)),
        ("POP3FS_FROM", text(&change.from)),
        ("POP3FS_SUBJECT", text(&change.subject)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> MessageChange {
        MessageChange {
            event: ChangeKind::Arrived,
            name: "a.eml".to_owned(),
            unique_id: Some("a\0".to_owned()),
            octets: 9,
            arrival: None,
            from: Some("Łucja <l@example.org>".to_owned()),
            subject: None,
        }
    }

    #[test]
    fn a_change_is_one_line_of_json_with_stable_names() {
        assert_eq!(
            serde_json::to_string(&change()).unwrap(),
            "{\"event\":\"arrived\",\"name\":\"a.eml\",\"unique_id\":\"a\\u0000\",\"octets\":9,\
             \"arrival\":null,\"from\":\"Łucja <l@example.org>\",\"subject\":null}"
        );
    }

    #[test]
    fn the_environment_of_a_command_has_no_nul() {
        let variables = variables(&change());
        assert!(variables.iter().all(|(_, value)| !value.contains('\0')));
        assert!(variables.contains(&("POP3FS_ARRIVAL", String::new())));
    }
}
