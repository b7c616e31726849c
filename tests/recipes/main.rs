//! The README's recipes, character by character as they stand there, by an ordinary user on a terminal.

#[path = "../common/mod.rs"]
mod common;

mod home;
mod pages;
mod sessions;

use std::fs;
use std::path::Path;

use common::corpus;
use home::{Home, succeeded};
use pages::{block, block_with, blocks, messages, recipes};
use sessions::{lasting, played};

const COUNT: usize = 12;

fn recipe(heading: &str) -> String {
    assert!(recipes().contains(&heading), "{heading}");
    block(heading, "sh")
}

/// How many of the messages hold the words.
fn holding(words: &str) -> usize {
    let holds = |octets: &Vec<u8>| String::from_utf8_lossy(octets).contains(words);
    corpus::realistic(77, COUNT)
        .iter()
        .filter(|octets| holds(octets))
        .count()
}

fn lines_with<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(words)).collect()
}

#[test]
fn every_recipe_of_the_readme_is_run_here() {
    let tests = include_str!("main.rs");
    for heading in recipes() {
        assert!(
            tests.contains(&format!("recipe(\"{heading}\")")),
            "{heading}"
        );
    }
}

/// The blocks that are not run here, by their first lines, and why not.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "$ pop3fs pops://alice@mail.example.org ~/mail",
        "a first glance; each of its commands is run further down",
    ),
    (
        "contrib/demo.sh     # builds, mounts a small maildrop of its own, and shows ls, grep, rsync, rm and umount on it",
        "the second of them runs this",
    ),
    (
        "sudo apt install fuse3 libssl-dev pkg-config     # fusermount3 for users who are not root; the rest to build",
        "installs: contrib/check.sh does; manual and completions are tests/manual.rs",
    ),
    (
        "$ getfattr -d 04-invoice.eml",
        "`pop3fs demo` takes no options: tests/reading/xattrs.rs shows the same",
    ),
    (
        "sudo apt install ./$(contrib/deb/build.sh)",
        "installs: contrib/deb/check.sh does",
    ),
];

#[test]
fn every_block_of_the_readme_is_run_here_or_has_a_reason_not_to_be() {
    let tests = include_str!("main.rs");
    let blocks = blocks();
    for (line, _) in NOT_RUN {
        assert!(
            blocks.iter().any(|block| block.first_line() == *line),
            "{line}"
        );
    }
    let mut seen = Vec::new();
    for block in &blocks {
        let line = block.first_line();
        let by_heading = (block.heading, block.language);
        let is_first = !seen.contains(&by_heading);
        seen.push(by_heading);
        let is_run = tests.contains(&format!("block_with(\"{line}\")"))
            || is_first
                && tests.contains(&format!(
                    "block(\"{}\", \"{}\")",
                    block.heading, block.language
                ))
            || is_first && tests.contains(&format!("recipe(\"{}\")", block.heading));
        let is_excused = NOT_RUN.iter().any(|(excused, _)| *excused == line);
        assert!(is_run != is_excused, "{line}");
    }
}

#[test]
fn what_it_looks_like_is_what_the_demo_looks_like() {
    let session = block("## What it looks like", "console");
    assert_eq!(lasting(&played(&session)), lasting(&session));
}

#[test]
fn the_views_show_what_the_readme_shows() {
    let session = block("## Views", "console");
    assert_eq!(lasting(&played(&session)), lasting(&session));
}

#[test]
fn an_account_of_the_configuration_is_mounted_by_its_name() {
    let home = Home::with_everyday_mail(3);
    home.write("config.toml", &block("## Your own mailbox", "toml"));
    let folder = home.folder().display();
    let before =
        format!("mkdir -p ~/mail ~/.config/pop3fs; cp {folder}/config.toml ~/.config/pop3fs; ");
    let after = "ls ~/mail | wc -l; pop3fs umount ~/mail";
    let shown = home.run_bare(&block_with("pop3fs work ~/mail"), &before, after);
    assert!(shown.contains("3\n"), "{shown}");
}

#[test]
fn one_mounts_looks_and_unmounts() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run_bare(&block("## Your own mailbox", "sh"), "", "ls ~/mail");
    assert_eq!(
        lines_with(&shown, ".eml").concat().matches(".eml").count(),
        COUNT
    );
    assert!(shown.contains("nothing was to be deleted"), "{shown}");
}

#[test]
fn mail_is_searched() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&recipe("### Search"), "true");
    assert_eq!(
        lines_with(&shown, "/home/alice/mail/").len(),
        holding("invoice")
    );
    assert!(holding("invoice") > 0);
}

#[test]
fn mail_is_copied_once() {
    let home = Home::with_everyday_mail(COUNT);
    let check = "diff -r ~/mail ~/backup; ls ~/backup | wc -l; rsync -ai ~/mail/ ~/backup/";
    assert_eq!(
        home.run(&recipe("### Copy what is new"), check),
        format!("{COUNT}\n")
    );
}

#[test]
fn a_backup_holds_every_octet() {
    let home = Home::with_everyday_mail(COUNT);
    let check = "mkdir ~/out; cd ~/out; borg extract ~/borg::second; diff -r home/alice/mail ~/mail; borg list --short ~/borg";
    let shown = home.run(&recipe("### Back up with history"), check);
    assert!(shown.ends_with("first\nsecond\n"), "{shown}");
}

#[test]
fn mail_is_found_by_its_date() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&recipe("### Find by date"), "true");
    // The first one came with the first second of the year, than which only the others are newer.
    assert_eq!(lines_with(&shown, "/home/alice/mail/").len(), COUNT - 1);
}

#[test]
fn notmuch_indexes_and_searches() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&recipe("### Index and search with notmuch"), "true");
    assert_eq!(
        lines_with(&shown, "thread:").len(),
        holding("Subject: Re: invoice")
    );
    assert!(
        shown.contains(&format!("Added {COUNT} new messages")),
        "{shown}"
    );
}

#[test]
fn mutt_reads_the_mount() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&recipe("### Read with mutt"), "true");
    for index in 0..COUNT {
        let subject = corpus::realistic_message(77, index).subject;
        assert!(shown.contains(&subject), "{subject}: {shown}");
    }
}

#[test]
fn mail_moves_off_the_server() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(
        &recipe("### Move mail off the server"),
        "ls ~/archive | wc -l",
    );
    assert!(
        shown.contains(&format!("{COUNT} messages deleted on the server")),
        "{shown}"
    );
    assert!(shown.ends_with(&format!("\n{COUNT}\n")), "{shown}");
    assert_eq!(home.left(), 0);
}

#[test]
fn old_mail_is_taken_away() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&recipe("### Take away what is old"), "ls ~/old | wc -l");
    assert!(shown.contains("pending   1 deletion\n"), "{shown}");
    assert!(shown.ends_with("\n1\n"), "{shown}");
    assert_eq!(home.left(), COUNT - 1);
}

#[test]
fn the_line_of_fstab_mounts_for_its_user() {
    let home = Home::with_everyday_mail(3);
    home.write_fstab(&block("## At boot, or at the first access", "fstab"));
    let folder = home.folder().display();
    let script = format!(
        "as_alice {folder} 'mkdir ~/mail'; mount /home/alice/mail; as_alice {folder} 'ls ~/mail | wc -l; stat -c %U ~/mail'; \
         umount /home/alice/mail; ! findmnt /home/alice/mail"
    );
    assert_eq!(succeeded(&home.run_as_root(&script)), "3\nalice\n");
}

#[test]
fn the_unit_serves_as_the_readme_says() {
    let home = Home::with_everyday_mail(3);
    home.write_block(&block("## At login", "sh"));
    let unit = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/contrib/systemd/pop3fs@.service"
    );
    let script = format!(
        "export HOME=/home/alice XDG_RUNTIME_DIR=/run/user; unset XDG_CONFIG_HOME XDG_CACHE_HOME; \
         [ -d /sys/fs/cgroup ] || mount -t sysfs none /sys; mount -t cgroup2 none /sys/fs/cgroup; \
         mkdir -p /run/systemd/system ~/.config/systemd/user ~/mail; mkdir -m 700 /run/user; \
         cp {unit} ~/.config/systemd/user; \
         /usr/lib/systemd/systemd --user --unit=basic.target >/dev/null 2>&1 & \
         until systemctl --user is-active --quiet basic.target 2>/dev/null; do kill -0 $!; done; \
         bash -euo pipefail \"$1/block\"; systemctl --user is-failed pop3fs@work || true"
    );
    let shown = succeeded(&home.run_as_root(&script));
    assert!(
        shown.contains("Status: \"3 messages of pops://alice@mail.example.org\""),
        "{shown}"
    );
    assert!(shown.ends_with("inactive\n"), "{shown}");
}

#[test]
fn with_its_helper_umount_tells_a_user_the_verdict() {
    let home = Home::with_everyday_mail(3);
    let folder = home.folder().display();
    let helper = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib");
    let script = format!(
        "mount -t overlay overlay -o lowerdir={helper}:/usr/sbin /usr/sbin; \
         as_alice {folder} 'mkdir ~/mail; pop3fs pops://alice@mail.example.org ~/mail 2>/dev/null; \
            rm -f ~/mail/*; umount ~/mail; ! findmnt ~/mail'"
    );
    assert_eq!(
        succeeded(&home.run_as_root(&script)),
        "3 messages deleted on the server\n"
    );
    assert_eq!(home.left(), 0);
}

#[test]
fn every_message_of_the_troubleshooting_is_one_that_is_said() {
    let sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    let of_the_system = [
        nix::errno::Errno::ENOTCONN,
        nix::errno::Errno::ETIMEDOUT,
        nix::errno::Errno::ESTALE,
    ];
    let of_the_system = of_the_system.map(nix::errno::Errno::desc);
    // As strerror(3) has them.
    let of_the_system = [of_the_system.as_slice(), &["Stale file handle"]].concat();
    assert!(messages().len() > 10);
    for message in messages()
        .into_iter()
        .filter(|message| !message.starts_with("pop3fs"))
    {
        let is_said = message.split('…').all(|part| sources.contains(part.trim()))
            || of_the_system.contains(&message);
        assert!(is_said, "{message}");
    }
}

/// All of the program's source.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
    text
}
