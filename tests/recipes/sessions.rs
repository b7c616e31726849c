//! Sessions that a page shows, `$ command` and what it writes, on the maildrop of `pop3fs demo`.

use crate::home::{Home, succeeded};
use crate::pages::block;

/// Mounts the demo at ~/mail, where the machine's zone and the length of the log are the same
/// everywhere.
const DEMO: &str = "mkdir ~/mail; pop3fs demo ~/mail >~/said 2>&1 & \
                    until grep -q Ctrl-C ~/said 2>/dev/null; do kill -0 %1; done; \
                    until pop3fs status ~/mail | grep -q \"^indexed.*15 of 15\"; do kill -0 %1; done; export TZ=UTC; ";

#[test]
fn the_views_show_what_their_page_shows() {
    let session = block("views.md", "# Views", "console");
    assert_eq!(lasting(&played(&session)), lasting(&session));
}

#[test]
fn the_searches_find_what_their_page_shows() {
    let session = block("search.md", "# Search", "console");
    assert_eq!(played(&session).trim_end(), session.trim_end());
}

#[test]
fn the_demo_stands_as_the_page_of_commands_shows() {
    let session = block("reference.md", "## Commands", "console");
    assert_eq!(lasting(&played(&session)), lasting(&session));
}

/// What the commands of a session write, each below itself.
fn played(session: &str) -> String {
    let home = Home::with_everyday_mail(1);
    let script: Vec<String> = session
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .map(|command| format!("cat <<'END'\n$ {command}\nEND\n{command}\n"))
        .collect();
    home.write_block(&script.concat());
    let folder = home.folder().display();
    let run = format!("as_alice '{folder}' '{DEMO} bash -eu {folder}/block 2>&1'");
    succeeded(&home.run_as_root(&run))
}

/// The session without what differs each time: the port, the process, the age of a listing.
fn lasting(session: &str) -> String {
    let lines = session.lines().map(|line| {
        let words = line
            .split(' ')
            .map(|word| match word.split_once("127.0.0.1:") {
                Some((before, _port)) => format!("{before}127.0.0.1:PORT"),
                None => word.to_owned(),
            });
        let words: Vec<String> = words.collect();
        let line = without_number(&words.join(" "), "(process ", ")");
        without_number(&line, "KiB, ", " s old")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn without_number(line: &str, before: &str, after: &str) -> String {
    let Some((start, rest)) = line.split_once(before) else {
        return line.to_owned();
    };
    match rest.split_once(after) {
        Some((number, end)) if number.bytes().all(|octet| octet.is_ascii_digit()) => {
            format!("{start}{before}N{after}{end}")
        }
        _ => line.to_owned(),
    }
}
