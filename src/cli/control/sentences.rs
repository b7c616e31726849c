//! The sentences about a finished request or mount, for the user, the log and the service manager.

use std::path::Path;
use std::time::Duration;

use crate::cli::control::{ControlResponse, RequestOutcome};
use crate::cli::failure::{Advice, Failure};
use crate::cli::shown::{self, counted, first};
use crate::maildrop::{
    Connection, Farewell, Fault, Fetched, Held, Kept, Maildrop, Verdict, Whereabouts,
};

/// How many failed messages a fetch names.
const MOST_FAILURES: usize = 10;
/// How many messages are named whose removal outlives a mount.
const MOST_REMEMBERED: usize = 10;
/// How many messages are named of a commit that is held back.
const MOST_NAMES: usize = 3;

/// The answer to `pop3fs fetch`.
pub(in crate::cli) fn fetched_in_words(fetched: &Fetched, mountpoint: &Path) -> ControlResponse {
    let mut response = ControlResponse::done(format!(
        "{} fetched, {} already cached",
        counted(fetched.fetched, "message"),
        fetched.present
    ));
    // The first failure decides the exit status: it causes the others.
    let mut fail = |failure: Failure, line: String| {
        if response.outcome == RequestOutcome::Done {
            response.outcome = RequestOutcome::Failed(failure);
        }
        response.lines.push(line);
    };
    if let Some(fault) = &fetched.stopped {
        fail(
            fault.into(),
            format!(
                "stopped: {}; what was fetched is kept: `pop3fs fetch {}` continues",
                fault.sentence(),
                shown::path(mountpoint)
            ),
        );
    }
    for (name, fault) in fetched.failed.iter().take(MOST_FAILURES) {
        fail(fault.into(), format!("{name}: {}", fault.sentence()));
    }
    if let Some(more @ 1..) = fetched.failed.len().checked_sub(MOST_FAILURES) {
        fail(Failure::Other, format!("{more} more failed"));
    }
    if let unkept @ 1.. = fetched.unkept {
        fail(
            Failure::System,
            format!(
                "{} could not be kept in the cache: is its disk full?",
                counted(unkept, "message")
            ),
        );
    }
    response
}

/// The answer to a commit that is held back. The client adds what the user can do.
pub(in crate::cli) fn held_in_words(held: &Held, pending: &[String]) -> ControlResponse {
    ControlResponse::held(vec![format!("{held}: {}", first(pending, MOST_NAMES))])
}

/// The answer to an unmount while the server allows no login that could delete.
pub(in crate::cli) fn delayed_in_words(delay: Duration, pending: usize) -> ControlResponse {
    let deletions = counted(pending, "deletion");
    let seconds = delay.as_secs() + 1;
    ControlResponse::failed(
        Failure::HeldBack,
        format!(
            "still mounted with {deletions} pending: the server allows the next login in {seconds} s (LOGIN-DELAY); umount again then, or with --discard, which keeps the messages"
        ),
    )
}

/// How many deletions were pending at the end of a mount.
#[derive(Clone, Copy)]
pub(in crate::cli) struct PendingCounts {
    pub(in crate::cli) before: usize,
    /// After the last commit, if there was one.
    pub(in crate::cli) left: usize,
    /// How many of those the next mount will know of.
    pub(in crate::cli) remembered: usize,
}

/// What becomes of the messages that a failed commit has not deleted.
#[derive(Clone, Copy)]
enum AfterFailure {
    /// The mount goes on, and a later commit deletes them.
    StayPending,
    /// The mount is over, and forgets the removals.
    Forgotten,
    /// The mount is over, and the next one knows of the removals.
    Remembered,
    /// The mount is over, and the next one knows of some of the removals.
    PartlyRemembered,
}

impl AfterFailure {
    fn sentence(self) -> &'static str {
        match self {
            Self::StayPending => {
                "what the server still has stays removed here: the next `pop3fs commit` or `pop3fs umount` deletes it"
            }
            Self::Remembered => {
                "what the server still has stays removed: the end of the next mount deletes it, `pop3fs restore` there takes it back"
            }
            Self::PartlyRemembered => {
                "what was removed here may still be on the server, and is shown at the next mount unless it is pending again there"
            }
            Self::Forgotten => {
                "what was removed here may still be on the server, and is shown at the next mount"
            }
        }
    }
}

/// The sentences about the end of a mount.
pub(in crate::cli) fn farewell_in_words(
    farewell: Farewell,
    mountpoint: &Path,
    pending: PendingCounts,
    verdict: Result<Verdict, Fault>,
) -> ControlResponse {
    let PendingCounts {
        before,
        left,
        remembered,
    } = pending;
    let after_failure = match remembered {
        0 => AfterFailure::Forgotten,
        all if all == left => AfterFailure::Remembered,
        _ => AfterFailure::PartlyRemembered,
    };
    match (farewell, verdict) {
        (Farewell::Discard | Farewell::Abandon, _) if left < before => {
            ControlResponse::done(format!(
                "a commit was under way: {} deleted on the server, which keeps {} removed here",
                counted(before - left, "message"),
                counted(left, "message")
            ))
        }
        (Farewell::Discard | Farewell::Abandon, _) if before > 0 => ControlResponse::done(format!(
            "nothing was deleted: the server keeps {} removed here",
            counted(before, "message")
        )),
        (_, Err(Fault::HeldBack(held))) => ControlResponse::failed(
            Failure::HeldBack,
            format!(
                "{held}: nothing was deleted; `pop3fs umount --yes {}` would have deleted them, -o max_delete=NUMBER sets how many need no confirmation, and -o max_delete=off removes the limit",
                shown::path(mountpoint)
            ),
        ),
        (_, verdict) => in_words(verdict, after_failure),
    }
}

/// Adds to the sentences about the end of a mount which removals the next one will know of.
pub(in crate::cli) fn remembered_in_words(
    mut response: ControlResponse,
    remembered: &[String],
) -> ControlResponse {
    if !remembered.is_empty() {
        response.lines.push(format!(
            "{} pending again in the next mount: {}",
            counted_with_verb(remembered.len()),
            first(remembered, MOST_REMEMBERED)
        ));
    }
    response
}

/// What the user is to be told of a mount that has begun: that it shows an old listing, and which
/// removals of earlier mounts are pending.
pub(in crate::cli) fn cautions_in_words(maildrop: &Maildrop, mountpoint: &Path) -> Vec<String> {
    let mut cautions = Vec::new();
    if let Some(why) = offline_in_words(maildrop) {
        cautions.push(why);
    }
    let remembered = maildrop.remembered();
    if !remembered.is_empty() {
        cautions.push(format!(
            "{} pending since an earlier mount: {}; `pop3fs restore {}` takes them back",
            counted_with_verb(remembered.len()),
            first(&remembered, MOST_REMEMBERED),
            shown::path(mountpoint)
        ));
    }
    cautions
}

fn offline_in_words(maildrop: &Maildrop) -> Option<String> {
    maildrop.offline_since()?;
    let fault = match maildrop.connection() {
        Connection::Failed { fault, .. } => fault.sentence(),
        Connection::Closed | Connection::Open(_) => "the server is away".to_owned(),
    };
    let listed = shown::time(u64::try_from(maildrop.listing_taken()).unwrap_or(0));
    Some(format!(
        "offline: {fault}; what is shown is the listing of {listed}, and only cached messages can be read"
    ))
}

fn counted_with_verb(removals: usize) -> String {
    match removals {
        1 => "1 removal is".to_owned(),
        several => format!("{several} removals are"),
    }
}

/// The sentences about a mount that is over although nobody has unmounted it: nothing is committed
/// then. `before` is how many deletions were pending, `left` the names of those that still are: a
/// commit may have been under way. The next mount knows of those in `remembered`.
pub(in crate::cli) fn still_mounted_in_words(
    mountpoint: &Path,
    before: usize,
    left: &[String],
    remembered: &[String],
) -> ControlResponse {
    let why = format!(
        "{} ended without an unmount (its FUSE connection was aborted, as `umount -f` does, or it could not be unmounted)",
        shown::path(mountpoint)
    );
    if before == 0 {
        return ControlResponse::done(format!("{why}; nothing to delete"));
    }
    let deleted = match before - left.len() {
        0 => "nothing was deleted".to_owned(),
        deleted => format!(
            "a commit was under way: {} deleted on the server",
            counted(deleted, "message")
        ),
    };
    let mut response = ControlResponse::failed(Failure::Uncommitted, format!("{why}: {deleted}"));
    let is_forgotten = |name: &&String| !remembered.contains(name);
    let forgotten: Vec<String> = left.iter().filter(is_forgotten).cloned().collect();
    if !forgotten.is_empty() {
        response.lines.push(format!(
            "{} removed here may still be on the server, and shown at the next mount: {}",
            counted(forgotten.len(), "message"),
            first(&forgotten, MOST_NAMES)
        ));
    }
    remembered_in_words(response, remembered)
}

/// The sentences about a commit of a mount that goes on.
pub(in crate::cli) fn verdict_in_words(verdict: Result<Verdict, Fault>) -> ControlResponse {
    let after_failure = match verdict {
        Err(Fault::Ending) => AfterFailure::Forgotten,
        _ => AfterFailure::StayPending,
    };
    in_words(verdict, after_failure)
}

fn in_words(verdict: Result<Verdict, Fault>, after_failure: AfterFailure) -> ControlResponse {
    match verdict {
        Ok(verdict) => success_in_words(&verdict),
        Err(fault) => failure_in_words(&fault, after_failure),
    }
}

fn failure_in_words(fault: &Fault, after_failure: AfterFailure) -> ControlResponse {
    let known = match fault {
        Fault::OutcomeUnknown(_) => "it is not known whether the deletions were committed",
        _ => "the deletions were not committed",
    };
    let mut response = ControlResponse::failed(
        Failure::Uncommitted,
        format!("{known}: {}", fault.sentence()),
    );
    response.lines.push(after_failure.sentence().to_owned());
    response
}

fn success_in_words(verdict: &Verdict) -> ControlResponse {
    let mut response = ControlResponse::done(match (verdict.deleted, verdict.gone) {
        (0, 0) if verdict.is_complete() => "nothing to delete".to_owned(),
        (deleted, 0) => format!("{} deleted on the server", counted(deleted, "message")),
        (deleted, gone) => format!(
            "{} deleted on the server, {gone} already gone",
            counted(deleted, "message")
        ),
    });
    for kept in &verdict.kept {
        response.outcome = RequestOutcome::Failed(Failure::Uncommitted);
        let Kept { name, reason, .. } = kept;
        response.lines.push(match kept.whereabouts {
            Whereabouts::OnServer => format!("{name} is still on the server: {reason}"),
            Whereabouts::Unknown => format!("{name} is possibly still on the server: {reason}"),
        });
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildrop::Excess;
    use crate::pop3::ServerText;

    const DIR: &str = "/m";

    fn lines(response: &ControlResponse) -> Vec<&str> {
        response.lines.iter().map(String::as_str).collect()
    }

    fn names(count: usize) -> Vec<String> {
        (1..=count).map(|serial| format!("{serial}.eml")).collect()
    }

    #[test]
    fn a_fetch_says_what_failed_and_how_to_go_on() {
        let failed = names(12).into_iter().map(|name| (name, Fault::TooLarge));
        let fetched = Fetched {
            present: 2,
            fetched: 1,
            failed: failed.collect(),
            unkept: 1,
            stopped: Some(Fault::Ending),
        };
        let told = fetched_in_words(&fetched, Path::new(DIR));
        let told = lines(&told);
        assert_eq!(
            told[..3],
            [
                "1 message fetched, 2 already cached",
                "stopped: the mount is ending; what was fetched is kept: `pop3fs fetch /m` continues",
                "1.eml: the message is larger than max_message: -o max_message= allows larger ones",
            ]
        );
        assert_eq!(
            told[12..],
            [
                "2 more failed",
                "1 message could not be kept in the cache: is its disk full?",
            ]
        );
    }

    #[test]
    fn a_mount_that_waits_for_a_login_says_how_long() {
        let told = delayed_in_words(Duration::from_secs(9), 1);
        assert_eq!(
            lines(&told),
            [
                "still mounted with 1 deletion pending: the server allows the next login in 10 s (LOGIN-DELAY); umount again then, or with --discard, which keeps the messages"
            ]
        );
    }

    #[test]
    fn a_failed_commit_says_what_becomes_of_the_removals() {
        let pending = |remembered| PendingCounts {
            before: 2,
            left: 2,
            remembered,
        };
        let fault = || Err(Fault::OutcomeUnknown("why".to_owned()));
        let unmounted = |remembered| {
            let farewell = Farewell::Commit(crate::maildrop::Consent::Unsaid);
            farewell_in_words(farewell, Path::new(DIR), pending(remembered), fault())
        };
        for (told, last) in [
            (
                verdict_in_words(fault()),
                "what the server still has stays removed here: the next `pop3fs commit` or `pop3fs umount` deletes it",
            ),
            (
                unmounted(2),
                "what the server still has stays removed: the end of the next mount deletes it, `pop3fs restore` there takes it back",
            ),
            (
                unmounted(1),
                "what was removed here may still be on the server, and is shown at the next mount unless it is pending again there",
            ),
            (
                unmounted(0),
                "what was removed here may still be on the server, and is shown at the next mount",
            ),
        ] {
            let told = lines(&told);
            let why = "it is not known whether the deletions were committed: ";
            assert!(told[0].starts_with(why), "{told:?}");
            assert_eq!(told[1..], [last]);
        }
        let refused = verdict_in_words(Err(Fault::Departed));
        let why = "the deletions were not committed: the message is no longer on the server";
        assert_eq!(lines(&refused)[0], why);
    }

    #[test]
    fn an_unmount_that_holds_deletions_back_says_how_to_let_them_through() {
        let held = Held {
            pending: 2,
            unread: 2,
            excess: Excess::Many { max_delete: 1 },
        };
        let counts = PendingCounts {
            before: 2,
            left: 2,
            remembered: 0,
        };
        let farewell = Farewell::Commit(crate::maildrop::Consent::Unsaid);
        let told = farewell_in_words(farewell, Path::new(DIR), counts, Err(held.into()));
        let told = lines(&told)[0];
        let remedy = ": nothing was deleted; `pop3fs umount --yes /m` would have deleted them, -o max_delete=NUMBER sets how many need no confirmation, and -o max_delete=off removes the limit";
        assert!(told.ends_with(remedy), "{told}");
    }

    #[test]
    fn a_mount_that_nobody_unmounted_says_why_nothing_is_deleted() {
        let told = still_mounted_in_words(Path::new(DIR), 0, &[], &[]);
        assert_eq!(
            lines(&told),
            [
                "/m ended without an unmount (its FUSE connection was aborted, as `umount -f` does, or it could not be unmounted); nothing to delete"
            ]
        );
        let told = still_mounted_in_words(Path::new(DIR), 3, &names(2), &names(1));
        assert_eq!(
            lines(&told)[1..],
            [
                "1 message removed here may still be on the server, and shown at the next mount: 2.eml",
                "1 removal is pending again in the next mount: 1.eml",
            ]
        );
        assert!(
            lines(&told)[0].ends_with(": a commit was under way: 1 message deleted on the server")
        );
    }

    #[test]
    fn removals_of_an_earlier_mount_are_counted() {
        let told = remembered_in_words(ControlResponse::done("done"), &names(2));
        let pending = "2 removals are pending again in the next mount: 1.eml, 2.eml";
        assert_eq!(lines(&told), ["done", pending]);
    }

    #[test]
    fn a_verdict_names_what_was_kept_and_why() {
        let kept = |name: &str, whereabouts| Kept {
            name: name.to_owned(),
            whereabouts,
            reason: ServerText::from(&b"no"[..]),
        };
        let verdict = Verdict {
            deleted: 1,
            gone: 2,
            kept: vec![
                kept("a.eml", Whereabouts::OnServer),
                kept("b.eml", Whereabouts::Unknown),
            ],
        };
        let told = verdict_in_words(Ok(verdict));
        assert_eq!(
            lines(&told),
            [
                "1 message deleted on the server, 2 already gone",
                "a.eml is still on the server: no",
                "b.eml is possibly still on the server: no",
            ]
        );
    }
}
