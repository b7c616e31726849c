//! Messages to a service manager by sd_notify(3). Without a service manager they do nothing.

use sd_notify::NotifyState;

use crate::cli::control::ControlResponse;
use crate::cli::shown::counted;
use crate::maildrop::{Maildrop, Progress};

/// The mount works.
pub(in crate::cli) fn serving(source: &str, maildrop: &Maildrop) {
    let messages = counted(maildrop.totals().messages, "message");
    let offline = match maildrop.offline_since() {
        Some(_) => ", offline",
        None => "",
    };
    tell(&[
        NotifyState::Ready,
        NotifyState::Status(&format!("{messages} of {source}{offline}")),
    ]);
}

/// How far the mirror of a mount is.
pub(in crate::cli) fn mirroring(source: &str, progress: Progress) {
    let Progress {
        messages,
        total_messages,
        ..
    } = progress;
    tell(&[NotifyState::Status(&format!(
        "{messages} of {} of {source} mirrored",
        counted(total_messages, "message")
    ))]);
}

/// The mount has ended, and `pending` deletions are going to be committed.
pub(in crate::cli) fn stopping(pending: usize) {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status(&format!("unmounted; deletions to commit: {pending}")),
    ]);
}

/// The verdict on the deletions. systemd shows it after the end, too.
pub(in crate::cli) fn ended(verdict: &ControlResponse) {
    let said = verdict.lines.join("; ");
    tell(&[NotifyState::Status(&match verdict.failure() {
        None => said,
        Some(_) => format!("failed: {said}"),
    })]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("the service manager was not told: {error}");
    }
}
