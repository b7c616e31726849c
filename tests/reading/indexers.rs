//! Programs that index mail in `.maildir`. They read each message once, over all runs, mounts and
//! changes of flags.
//!
//! The caches hold only a part of the messages, so a program that reads all of them again asks the
//! server.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::common::{Liar, Mount, corpus, eventually, output_within, stderr, stdout};
use super::{in_clear, read};

/// More than twice what the caches hold.
const COUNT: usize = 600;
const SMALL_CACHES: [&str; 2] = ["memory=1M", "cache_size=1M"];

const LIMIT: Duration = Duration::from_secs(120);

fn maildrop() -> (Liar, Mount) {
    let messages = corpus::realistic(49, COUNT);
    let octets: usize = messages.iter().map(Vec::len).sum();
    assert!(octets > 5 << 19, "{octets}");
    let liar = Liar::start(&messages);
    let mount = in_clear(&liar.source(), &SMALL_CACHES);
    (liar, mount)
}

/// Commands that ask for a body or a part of one.
fn fetched(liar: &Liar) -> (usize, usize) {
    (liar.count("RETR"), liar.count("TOP"))
}

fn succeeded(command: &mut Command) -> String {
    let output = output_within(LIMIT, command);
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        stdout(&output),
        stderr(&output)
    );
    stdout(&output)
}

/// notmuch, with its database and configuration in a folder of its own.
struct Notmuch(TempDir);

impl Notmuch {
    fn over(mount: &Mount) -> Self {
        let home = tempfile::tempdir().expect("a folder for notmuch");
        let database = home.path().join("database");
        fs::create_dir(&database).expect("a folder for the database");
        let configuration = format!(
            "[database]\npath={}\nmail_root={}/.maildir\n[user]\nprimary_email=user@example.net\n\
             [maildir]\nsynchronize_flags=true\n",
            database.display(),
            mount.arg()
        );
        fs::write(home.path().join("config"), configuration).expect("notmuch's configuration");
        Self(home)
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut notmuch = Command::new("notmuch");
        notmuch
            .env("HOME", self.0.path())
            .env("NOTMUCH_CONFIG", self.0.path().join("config"));
        succeeded(notmuch.args(arguments))
    }

    fn count(&self, query: &str) -> usize {
        let shown = self.run(&["count", query]);
        shown.trim().parse().expect("a count")
    }

    /// The only file of the message with this subject.
    fn file(&self, query: &str) -> PathBuf {
        let shown = self.run(&["search", "--output=files", query]);
        let [file] = shown.lines().collect::<Vec<_>>()[..] else {
            panic!("one file: {shown}");
        };
        PathBuf::from(file)
    }
}

/// mu, with its database in a folder of its own.
struct Mu(TempDir);

impl Mu {
    fn over(mount: &Mount) -> Self {
        let mu = Self(tempfile::tempdir().expect("a folder for mu"));
        mu.run("init", &[&format!("--maildir={}/.maildir", mount.arg())]);
        mu
    }

    fn run(&self, subcommand: &str, arguments: &[&str]) -> String {
        let mut mu = Command::new("mu");
        mu.env("HOME", self.0.path()).arg(subcommand);
        mu.arg(format!("--muhome={}", self.0.path().display()));
        succeeded(mu.arg("--nocolor").args(arguments))
    }

    /// How many messages a run has read.
    fn index(&self) -> usize {
        let shown = self.run("index", &[]);
        let (_, behind) = shown.rsplit_once("updated/new:").expect("what was read");
        let digits = behind
            .trim_start()
            .split(|next: char| !next.is_ascii_digit());
        digits
            .map(str::parse)
            .next()
            .expect("a number")
            .expect("a number")
    }

    fn count(&self, query: &str) -> usize {
        self.run("find", &["--fields=l", query]).lines().count()
    }
}

/// An indexer that looked into a directory in the second of its last change looks into it again.
fn wait_until_the_second_of_the_last_change_is_over(mount: &Mount) {
    let changed = fs::metadata(mount.join(".maildir/cur"))
        .expect("stat")
        .mtime();
    let changed = u64::try_from(changed).expect("a time after 1970");
    eventually("the next second", || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
        (now.as_secs() > changed).then_some(())
    });
}

/// Checks that reading all messages again asks the server, so that these tests can fail.
fn assert_who_reads_again_asks_again(liar: &Liar, mount: &Mount) {
    let before = liar.count("RETR");
    for entry in fs::read_dir(mount.join(".maildir/new")).expect("new") {
        read(&entry.expect("a message").path());
    }
    assert!(liar.count("RETR") > before + COUNT / 5);
}

#[test]
fn notmuch_reads_each_message_once() {
    let (liar, mut mount) = maildrop();
    let notmuch = Notmuch::over(&mount);
    let shown = notmuch.run(&["new"]);
    assert!(
        shown.contains(&format!("Added {COUNT} new messages")),
        "{shown}"
    );
    assert_eq!(notmuch.count("*"), COUNT);
    assert_eq!(fetched(&liar), (COUNT, COUNT));
    assert!(notmuch.run(&["new"]).contains("No new mail."));
    assert!(
        notmuch
            .run(&["new", "--full-scan"])
            .contains("No new mail.")
    );
    mount.remount();
    assert!(notmuch.run(&["new"]).contains("No new mail."));
    assert_eq!(notmuch.count("*"), COUNT);
    assert_eq!(fetched(&liar), (COUNT, COUNT));
    assert_who_reads_again_asks_again(&liar, &mount);
}

#[test]
fn mu_reads_each_message_once() {
    let (liar, mut mount) = maildrop();
    let mu = Mu::over(&mount);
    assert_eq!(mu.index(), COUNT);
    assert_eq!(mu.count("\"\""), COUNT);
    assert_eq!(fetched(&liar), (COUNT, COUNT));
    assert_eq!(mu.index(), 0);
    mount.remount();
    assert_eq!(mu.index(), 0);
    assert_eq!(mu.count("\"\""), COUNT);
    assert_eq!(fetched(&liar), (COUNT, COUNT));
    assert_who_reads_again_asks_again(&liar, &mount);
}

#[test]
fn tags_of_notmuch_are_flags_of_the_maildir() {
    let subject = |at| corpus::realistic_message(50, at).subject;
    let liar = Liar::start(&corpus::realistic(50, 4));
    let mut mount = in_clear(&liar.source(), &[]);
    let notmuch = Notmuch::over(&mount);
    notmuch.run(&["new"]);
    assert_eq!(notmuch.count("tag:unread"), 4);
    let [first, second] = [0, 1].map(|at| format!("subject:\"{}\"", subject(at)));
    notmuch.run(&["tag", "-unread", "+flagged", "+replied", "--", &first]);
    notmuch.run(&["tag", "-unread", "--", &second]);
    let files = |notmuch: &Notmuch| [&first, &second].map(|query| notmuch.file(query));
    let flagged = files(&notmuch);
    let cur = mount.join(".maildir/cur");
    for (file, flags) in flagged.iter().zip([":2,FRS", ":2,S"]) {
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(file.starts_with(&cur) && name.ends_with(flags), "{file:?}");
        assert!(file.exists(), "{file:?}");
    }
    mount.remount();
    assert!(flagged.iter().all(|file| file.exists()), "{flagged:?}");
    assert!(notmuch.run(&["new"]).contains("No new mail."));
    assert_eq!(files(&notmuch), flagged);
    assert_eq!(notmuch.count("tag:unread"), 2);
    assert_eq!(liar.count("RETR"), 4);
}

/// When one mail reader moves or flags a message, the others see that something has changed.
#[test]
fn flags_of_another_reader_are_tags_of_notmuch_and_found_by_mu() {
    let liar = Liar::start(&corpus::realistic(51, 3));
    let mount = in_clear(&liar.source(), &[]);
    wait_until_the_second_of_the_last_change_is_over(&mount);
    let (notmuch, mu) = (Notmuch::over(&mount), Mu::over(&mount));
    notmuch.run(&["new"]);
    mu.index();
    let (new, cur) = (mount.join(".maildir/new"), mount.join(".maildir/cur"));
    let name = fs::read_dir(&new).expect("new").next().expect("a message");
    let name = name.expect("a message").file_name();
    let flagged = |flags: &str| cur.join(format!("{}:2,{flags}", name.to_string_lossy()));
    move_and_index(&new.join(&name), &flagged("S"), &mount, &notmuch, &mu);
    assert_eq!(
        (notmuch.count("tag:unread"), mu.count("flag:unread")),
        (2, 2)
    );
    move_and_index(&flagged("S"), &flagged("FS"), &mount, &notmuch, &mu);
    assert_eq!(
        (notmuch.count("tag:flagged"), mu.count("flag:flagged")),
        (1, 1)
    );
    assert_eq!((notmuch.count("*"), mu.count("\"\"")), (3, 3));
    assert_eq!(liar.count("RETR"), 3);
}

fn move_and_index(from: &Path, to: &Path, mount: &Mount, notmuch: &Notmuch, mu: &Mu) {
    fs::rename(from, to).expect("another name");
    wait_until_the_second_of_the_last_change_is_over(mount);
    notmuch.run(&["new"]);
    mu.index();
}
