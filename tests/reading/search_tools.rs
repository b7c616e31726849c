//! Programs in the directory of a query: mutt, cp, rm, and a shell that stays there while mail
//! comes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::common::{Liar, Mount, eventually, run_on_a_terminal, stderr, stdout, stdout_of};
use super::{in_clear, listed, read};

/// Three messages; the second and the third are about a budget.
fn letters() -> Vec<Vec<u8>> {
    [
        letter("Carol", "Lunch", "At noon."),
        letter("Alice", "Budget", "The budget review is on Monday."),
        letter("Bob", "Re: Budget", "The budget is spent."),
    ]
    .to_vec()
}

fn letter(from: &str, subject: &str, text: &str) -> Vec<u8> {
    let date = "Mon, 1 Jan 2024 10:00:00 +0000";
    format!(
        "From: {from} <{from}@example.org>\r\nSubject: {subject}\r\nDate: {date}\r\n\r\n{text}\r\n"
    )
    .into_bytes()
}

/// A mount whose messages can all be searched.
fn searchable(liar: &Liar, options: &[&str]) -> Mount {
    let mount = in_clear(&liar.source(), &[&["index=full"], options].concat());
    eventually("an index of all messages", || {
        (mount.status()["indexed"] == 3).then_some(())
    });
    mount
}

fn result(mount: &Mount, query: &str) -> PathBuf {
    mount.join(".search").join(query)
}

fn names(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().expect("UTF-8");
    stdout_of(&["ls", directory])
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn mutt_reads_a_result() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &[]);
    let folder = result(&mount, "budget review").join(".maildir");
    let line = format!(
        "mutt -n -F /dev/null -e 'set folder=\"{}\" quit=yes move=no' -e 'push <exit>' -f '{}'",
        mount.arg(),
        folder.display()
    );
    let mutt = run_on_a_terminal(&line);
    assert!(mutt.status.success(), "{mutt:?}");
    let screen = stdout(&mutt);
    assert!(
        screen.contains("Alice") && screen.contains("Budget"),
        "{screen}"
    );
    assert!(
        !screen.contains("Bob") && !screen.contains("Lunch"),
        "{screen}"
    );
}

#[test]
fn cp_of_a_result_copies_the_messages() {
    let (liar, out) = (
        Liar::start(&letters()),
        tempfile::tempdir().expect("a folder"),
    );
    let mount = searchable(&liar, &[]);
    let script = "cp \"$0\"/.search/budget/* \"$1\"; cd \"$1\"; for name in *; do cmp \"$name\" \"$0/$name\"; done";
    let to = out.path().to_str().expect("UTF-8");
    stdout_of(&["sh", "-euc", script, mount.arg(), to]);
    assert_eq!(names(out.path()), listed(&mount)[1..]);
}

#[test]
fn what_rm_takes_from_a_result_comes_back_to_it() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &[]);
    let root = listed(&mount);
    let directory = result(&mount, "budget");
    let name = directory.join(&root[2]);
    stdout_of(&["rm", "-f", name.to_str().expect("UTF-8")]);
    assert_eq!(names(&directory), root[1..2]);
    assert_eq!(names(&mount.join(".deleted")), root[2..]);
    let restored = mount.subcommand(&["restore", mount.arg(), &root[2]]);
    assert!(restored.status.success(), "{}", stderr(&restored));
    assert_eq!(names(&directory), root[1..]);
    assert_eq!(read(&name), letters()[2]);
}

#[test]
fn new_mail_appears_in_a_result_in_which_a_shell_stays() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &["refresh=1s"]);
    let directory = result(&mount, "budget");
    let stays = File::open(&directory).expect("a directory");
    assert_eq!(names(&directory).len(), 2);
    liar.add(&letter("Dave", "New", "Another budget."));
    // Nothing but the result is listed.
    let shown = eventually("the new message", || {
        let shown = names(&directory);
        (shown.len() == 3).then_some(shown)
    });
    assert_eq!(shown, listed(&mount)[1..]);
    drop(stays);
}

#[test]
fn a_result_has_the_form_of_the_root() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &["view=text"]);
    let directory = result(&mount, "budget review");
    let [name] = &names(&directory)[..] else {
        panic!("{:?}", names(&directory));
    };
    assert!(listed(&mount).contains(name), "{name}");
    let text = fs::read_to_string(directory.join(name)).expect("a text");
    assert!(text.contains("The budget review is on Monday."), "{text}");
    assert_eq!(text, fs::read_to_string(mount.join(name)).expect("a text"));
}

/// A shell whose working directory is a result.
struct Visitor {
    shell: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Visitor {
    fn enter(directory: &Path) -> Self {
        let mut shell = Command::new("sh")
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let lines = BufReader::new(shell.stdout.take().expect("its output"));
        Self { shell, lines }
    }

    /// What `ls` shows where the shell is.
    fn ls(&mut self) -> Vec<String> {
        let stdin = self.shell.stdin.as_mut().expect("its input");
        writeln!(stdin, "ls; echo end").expect("a living shell");
        let lines = self.lines.by_ref().lines();
        lines
            .map(|line| line.expect("a line"))
            .take_while(|line| line != "end")
            .collect()
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("the end of the shell");
    }
}

#[test]
fn a_shell_in_a_result_sees_what_comes_and_goes() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &["refresh=1s"]);
    let mut visitor = Visitor::enter(&result(&mount, "budget"));
    let before = visitor.ls();
    assert_eq!(before, listed(&mount)[1..]);
    liar.add(&letter("Dave", "New", "Another budget."));
    liar.remove(2);
    let after = eventually("another result", || {
        let shown = visitor.ls();
        (shown.len() == 2 && shown != before).then_some(shown)
    });
    assert_eq!(after[0], before[1]);
    assert_eq!(after, listed(&mount)[1..]);
    let departed = result(&mount, "budget").join(&before[0]);
    assert!(!departed.exists());
}

#[test]
fn new_mail_appears_in_a_result_in_the_form_of_the_root() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &["refresh=1s", "view=text"]);
    let mut visitor = Visitor::enter(&result(&mount, "budget"));
    assert_eq!(visitor.ls().len(), 2);
    liar.add(&letter("Dave", "New", "Another budget."));
    let shown = eventually("the new message", || {
        let shown = visitor.ls();
        (shown.len() == 3).then_some(shown)
    });
    assert_eq!(shown, listed(&mount)[1..]);
}

#[test]
fn queries_that_differ_in_case_and_blanks_find_the_same() {
    let liar = Liar::start(&letters());
    let mount = searchable(&liar, &[]);
    let root = listed(&mount);
    for query in [
        "budget review",
        "BUDGET Review",
        "budget+review",
        "  budget   review ",
        "Review+Budget",
        "FROM:alice Budget",
    ] {
        assert_eq!(names(&result(&mount, query)), root[1..2], "{query}");
    }
    for query in ["budget", "Budget", "budget "] {
        stdout_of(&["touch".as_ref(), result(&mount, query).as_os_str()]);
    }
    assert_eq!(names(&mount.join(".search")).len(), 3);
    fs::remove_dir(result(&mount, "Budget")).expect("to unpin it");
    assert_eq!(names(&mount.join(".search")), ["budget", "budget "]);
}
