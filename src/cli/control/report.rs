//! `pop3fs status`: the daemon collects the state of the mount, and the client prints it.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cli::control::sentences::verdict_in_words;
use crate::cli::control::{
    Cached, ControlResponse, MountStatus, OfflineStatus, Opens, PastEvent, RequestOutcome,
    SessionStatus, StoredBodies,
};
use crate::cli::failure::Advice;
use crate::cli::shown::{self, counted, size};
use crate::fs::Searches;
use crate::maildrop::{Connection, Fault, Maildrop, Progress, Standing, Verdict};
use crate::net::BootTime;

/// Collects the state of the mount.
pub(in crate::cli) fn status(
    source: &str,
    mountpoint: &Path,
    maildrop: &Maildrop,
    searches: Option<&Searches>,
) -> MountStatus {
    let (totals, cached) = (maildrop.totals(), maildrop.cached());
    let history = maildrop.history();
    let pending = maildrop.pending();
    let of_session = of_connection(&maildrop.connection());
    MountStatus {
        source: source.to_owned(),
        mountpoint: mountpoint.to_string_lossy().into_owned(),
        pid: std::process::id(),
        messages: totals.messages,
        octets: totals.octets,
        listing_age_seconds: Some(maildrop.listing_age().as_secs()),
        offline: maildrop.offline_since().map(|since| OfflineStatus {
            since: unix_seconds(since),
            listed: u64::try_from(maildrop.listing_taken()).unwrap_or(0),
        }),
        in_flight: maildrop.in_flight(),
        pending_octets: pending_octets(maildrop, &pending),
        pending,
        committing: maildrop.committing(),
        held: maildrop.held_back().map(|held| held.to_string()),
        cached: Cached {
            messages: cached.messages,
            octets: cached.octets,
        },
        disk: maildrop.stored().map(|usage| StoredBodies {
            messages: usage.messages,
            octets: usage.octets,
            limit: usage.limit,
        }),
        indexed: searches
            .and_then(|searches| searches.coverage().ok())
            .map(|coverage| coverage.indexed),
        opens: Opens {
            total: history.opens,
            hits: history.hits,
        },
        last_commit: history
            .last_commit
            .map(|(at, result)| of_commit(at, result)),
        last_error: history.last_fault.map(|(at, fault)| of_fault(at, &fault)),
        ..of_session
    }
}

fn pending_octets(maildrop: &Maildrop, pending: &[String]) -> u64 {
    let ids = pending
        .iter()
        .filter_map(|name| maildrop.by_name(name, Standing::Unlinked));
    ids.map(|id| maildrop.message(id).size()).sum()
}

/// The fields about the session; the others have their defaults.
fn of_connection(connection: &Connection) -> MountStatus {
    match connection {
        Connection::Closed => MountStatus::default(),
        Connection::Failed { fault, retry } => MountStatus {
            fault: Some(format!("{}; {}", fault.sentence(), next_attempt(*retry))),
            ..MountStatus::default()
        },
        Connection::Open(terms) => MountStatus {
            session: SessionStatus::Open,
            tls: terms.tls.map(|version| version.to_string()),
            login: Some(terms.method.to_string()),
            capabilities: Some(terms.capabilities.to_string()),
            one_at_a_time: terms.is_one_at_a_time,
            ..MountStatus::default()
        },
    }
}

/// When the mount tries to log in again.
fn next_attempt(retry: Option<BootTime>) -> String {
    let Some(retry) = retry else {
        return "this mount does not log in again".to_owned();
    };
    match retry.left().as_secs() {
        0 => "the next request tries again".to_owned(),
        seconds => format!("the next attempt is in {seconds} s at the earliest"),
    }
}

fn of_commit(at: SystemTime, result: Result<Verdict, Fault>) -> PastEvent {
    let ControlResponse { outcome, lines, .. } = verdict_in_words(result);
    PastEvent {
        at: unix_seconds(at),
        failed: outcome != RequestOutcome::Done,
        lines,
    }
}

fn of_fault(at: SystemTime, fault: &Fault) -> PastEvent {
    PastEvent {
        at: unix_seconds(at),
        failed: true,
        lines: vec![fault.sentence()],
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}

/// One line about a mount, for a list of mounts.
pub(in crate::cli) fn summary(status: &MountStatus) -> String {
    let messages = counted(status.messages, "message");
    let pending = match status.pending.len() {
        0 => String::new(),
        _ => format!(", {} pending", deletions(status)),
    };
    let offline = match status.offline {
        Some(OfflineStatus { since, .. }) => format!(", offline since {}", shown::time(since)),
        None => String::new(),
    };
    format!(
        "{} on {}: {messages}{pending}{offline}",
        status.source, status.mountpoint
    )
}

/// Prints the state for people, with at most `most_names` pending deletions.
pub(in crate::cli) fn print_status(
    status: &MountStatus,
    most_names: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let (source, dir, pid) = (&status.source, &status.mountpoint, status.pid);
    writeln!(out, "{source} on {dir} (process {pid})")?;
    let mut line = |name: &str, text: &str| writeln!(out, "{name:<13}{text}");
    line("listing", &listing(status))?;
    if let Some(OfflineStatus { since, listed }) = status.offline {
        let (since, listed) = (shown::time(since), shown::time(listed));
        let text = format!("since {since}; the listing is of {listed}");
        line("offline", &text)?;
    }
    line("session", &session(status))?;
    if let Some(capabilities) = &status.capabilities {
        line("offers", capabilities)?;
    }
    if status.one_at_a_time {
        line(
            "pipeline",
            "one command at a time: the server's replies were out of step",
        )?;
    }
    line("in flight", &status.in_flight.to_string())?;
    let Cached { messages, octets } = status.cached;
    line("memory", &messages_and_size(messages, octets))?;
    line("disk", &disk(status.disk))?;
    if let Some(indexed) = status.indexed {
        line(
            "indexed",
            &format!("{indexed} of {}", counted(status.messages, "message")),
        )?;
    }
    if let Some(progress) = status.mirror {
        line("mirror", &mirrored(progress))?;
    }
    if status.watches > 0 {
        line(
            "watched",
            &format!("by {}", counted(status.watches, "program")),
        )?;
    }
    line("opened", &opened(status.opens))?;
    print_removals(status, most_names, &mut line)?;
    for (name, event) in [
        ("last commit", &status.last_commit),
        ("last error", &status.last_error),
    ] {
        if let Some(event) = event {
            line(name, &happened(event))?;
        }
    }
    Ok(())
}

/// Prints what was removed, by `line` with a name and a text.
fn print_removals(
    status: &MountStatus,
    most_names: usize,
    line: &mut impl FnMut(&str, &str) -> io::Result<()>,
) -> io::Result<()> {
    line("pending", &deletions(status))?;
    for name in status.pending.iter().take(most_names) {
        line("", &shown::name(name))?;
    }
    if let Some(more @ 1..) = status.pending.len().checked_sub(most_names) {
        line("", &format!("… and {more} more (--names shows them)"))?;
    }
    if status.committing > 0 {
        let deleting = counted(status.committing, "message");
        line("under way", &format!("a commit of {deleting}"))?;
    }
    if let Some(held) = &status.held {
        let dir = shown::path(Path::new(&status.mountpoint));
        let remedy = format!(
            "`pop3fs commit --yes {dir}` deletes them, `pop3fs restore {dir}` takes them back"
        );
        line("held back", &format!("{held}: {remedy}"))?;
    }
    Ok(())
}

/// `2 deletions, 24 KiB`.
fn deletions(status: &MountStatus) -> String {
    let count = counted(status.pending.len(), "deletion");
    match status.pending.len() {
        0 => count,
        _ => format!("{count}, {}", size(status.pending_octets)),
    }
}

fn listing(status: &MountStatus) -> String {
    let age = match status.listing_age_seconds {
        Some(seconds) => format!(", {seconds} s old"),
        None => String::new(),
    };
    messages_and_size(status.messages, status.octets) + &age
}

fn session(status: &MountStatus) -> String {
    let login = match &status.login {
        Some(login) => format!(", login by {login}"),
        None => String::new(),
    };
    match (status.session, &status.tls, &status.fault) {
        (SessionStatus::Closed, _, Some(fault)) => format!("closed: {fault}"),
        (SessionStatus::Closed, _, None) => "closed".to_owned(),
        (SessionStatus::Open, Some(tls), _) => format!("open, {tls}{login}"),
        (SessionStatus::Open, None, _) => format!("open, in the clear{login}"),
    }
}

fn mirrored(progress: Progress) -> String {
    let messages = counted(progress.total_messages, "message");
    let (octets, all) = (size(progress.octets), size(progress.total_octets));
    format!("{} of {messages}, {octets} of {all}", progress.messages)
}

fn messages_and_size(messages: u64, octets: u64) -> String {
    format!("{}, {}", counted(messages, "message"), size(octets))
}

fn disk(stored: Option<StoredBodies>) -> String {
    match stored {
        None => "nothing is kept (cache=off)".to_owned(),
        Some(StoredBodies {
            messages,
            octets,
            limit,
        }) => {
            let messages = counted(messages, "message");
            format!("{messages}, {} of {}", size(octets), size(limit))
        }
    }
}

fn opened(opens: Opens) -> String {
    match (opens.hits * 100).checked_div(opens.total) {
        None => "no message".to_owned(),
        Some(rate) => {
            let times = counted(opens.total, "time");
            format!("{times}, {rate}% from the cache")
        }
    }
}

fn happened(event: &PastEvent) -> String {
    format!("{} {}", shown::time(event.at), event.lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> MountStatus {
        MountStatus {
            source: "pops://al@h".to_owned(),
            mountpoint: "/mnt".into(),
            pid: 7,
            messages: 3,
            octets: 4096,
            listing_age_seconds: Some(12),
            offline: None,
            session: SessionStatus::Open,
            fault: None,
            tls: Some("TLSv1.3".to_owned()),
            login: Some("PLAIN".to_owned()),
            capabilities: Some("TOP, UIDL".to_owned()),
            one_at_a_time: false,
            in_flight: 2,
            pending: vec!["a\x1b.eml".to_owned()],
            pending_octets: 2048,
            committing: 0,
            held: None,
            cached: Cached {
                messages: 1,
                octets: 99,
            },
            disk: Some(StoredBodies {
                messages: 2,
                octets: 300,
                limit: 4000,
            }),
            indexed: Some(2),
            mirror: None,
            watches: 0,
            opens: Opens { total: 3, hits: 2 },
            last_commit: Some(PastEvent {
                at: 86_400,
                failed: false,
                lines: vec!["1 message deleted on the server".to_owned()],
            }),
            last_error: None,
        }
    }

    fn printed(status: &MountStatus) -> String {
        let mut out = Vec::new();
        print_status(status, 10, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_status_reads_as_lines() {
        assert_eq!(
            printed(&example()),
            "pops://al@h on /mnt (process 7)\n\
             listing      3 messages, 4 KiB, 12 s old\n\
             session      open, TLSv1.3, login by PLAIN\n\
             offers       TOP, UIDL\n\
             in flight    2\n\
             memory       1 message, 99 bytes\n\
             disk         2 messages, 300 bytes of 3.9 KiB\n\
             indexed      2 of 3 messages\n\
             opened       3 times, 66% from the cache\n\
             pending      1 deletion, 2 KiB\n             a\\u{1b}.eml\n\
             last commit  1970-01-02T00:00:00Z 1 message deleted on the server\n"
        );
    }

    #[test]
    fn a_session_that_cannot_be_opened_is_told_with_the_reason() {
        let status = MountStatus {
            fault: Some("the server is away".to_owned()),
            ..MountStatus::default()
        };
        let shown = printed(&status);
        assert!(shown.contains("session      closed: the server is away\n"));
        let disk = "disk         nothing is kept (cache=off)\n";
        assert!(shown.contains(disk), "{shown}");
        assert!(shown.contains("opened       no message\n"), "{shown}");
    }

    #[test]
    fn a_failed_login_says_when_the_next_attempt_is() {
        assert_eq!(next_attempt(None), "this mount does not log in again");
        let now = next_attempt(Some(BootTime::now()));
        assert_eq!(now, "the next request tries again");
        let later = next_attempt(Some(BootTime::now() + Duration::from_secs(3600)));
        assert!(later.ends_with(" s at the earliest"), "{later}");
    }

    #[test]
    fn a_commit_under_way_and_what_is_held_back_are_told() {
        let status = MountStatus {
            committing: 1,
            held: Some("too many".to_owned()),
            one_at_a_time: true,
            watches: 1,
            ..example()
        };
        let shown = printed(&status);
        for line in [
            "pipeline     one command at a time: the server's replies were out of step\n",
            "watched      by 1 program\n",
            "under way    a commit of 1 message\n",
            "held back    too many: `pop3fs commit --yes /mnt` deletes them, `pop3fs restore /mnt` takes them back\n",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }

    #[test]
    fn a_mirror_says_how_far_it_is() {
        let status = MountStatus {
            mirror: Some(Progress {
                messages: 2,
                total_messages: 3,
                octets: 1024,
                total_octets: 4096,
            }),
            ..example()
        };
        let expected = "mirror       2 of 3 messages, 1 KiB of 4 KiB\n";
        assert!(printed(&status).contains(expected));
    }

    #[test]
    fn an_offline_mount_says_since_when_and_of_when_its_listing_is() {
        let status = MountStatus {
            offline: Some(OfflineStatus {
                since: 86_400,
                listed: 3600,
            }),
            ..example()
        };
        let expected =
            "offline      since 1970-01-02T00:00:00Z; the listing is of 1970-01-01T01:00:00Z\n";
        assert!(printed(&status).contains(expected));
        assert!(summary(&status).ends_with(", offline since 1970-01-02T00:00:00Z"));
    }

    #[test]
    fn many_pending_deletions_are_cut_off() {
        let status = MountStatus {
            pending: (1..=12).map(|serial| format!("{serial}.eml")).collect(),
            ..example()
        };
        let shown = printed(&status);
        assert!(shown.contains("10.eml\n             … and 2 more (--names shows them)\n"));
        assert!(!shown.contains("11.eml"), "{shown}");
    }

    #[test]
    fn a_mount_in_a_list_is_one_line() {
        assert_eq!(
            summary(&example()),
            "pops://al@h on /mnt: 3 messages, 1 deletion, 2 KiB pending"
        );
    }

    #[test]
    fn a_status_is_one_line_of_json_with_stable_names() {
        assert_eq!(
            serde_json::to_string(&example()).unwrap(),
            "{\"source\":\"pops://al@h\",\"mountpoint\":\"/mnt\",\"pid\":7,\"messages\":3,\"octets\":4096,\
             \"listing_age_seconds\":12,\"session\":\"open\",\"tls\":\"TLSv1.3\",\"login\":\"PLAIN\",\
             \"capabilities\":\"TOP, UIDL\",\"in_flight\":2,\"pending\":[\"a\\u001b.eml\"],\"pending_octets\":2048,\"committing\":0,\"held\":null,\
             \"cached\":{\"messages\":1,\"octets\":99},\"disk\":{\"messages\":2,\"octets\":300,\"limit\":4000},\
             \"indexed\":2,\"watches\":0,\"opens\":{\"total\":3,\"hits\":2},\
             \"last_commit\":{\"at\":86400,\"failed\":false,\"lines\":[\"1 message deleted on the server\"]},\
             \"last_error\":null}"
        );
    }
}
