//! Messages to a service manager by sd_notify(3). Without a service manager they do nothing.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::cli::control::ControlResponse;
use crate::cli::shown::counted;
use crate::maildrop::{Maildrop, Progress};

/// What a mount may need to begin once it is allowed to log in.
const SPARE: Duration = Duration::from_secs(90);

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

/// The mount waits this long for its first login. Returns whether there is a service manager.
pub(in crate::cli) fn waiting_for_login(delay: Duration) -> bool {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return false;
    }
    let seconds = delay.as_secs() + 1;
    let longest = delay + SPARE;
    tell(&[
        NotifyState::ExtendTimeoutUsec(u32::try_from(longest.as_micros()).unwrap_or(u32::MAX)),
        NotifyState::Status(&format!(
            "the server allows the next login in {seconds} s (LOGIN-DELAY)"
        )),
    ]);
    true
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
