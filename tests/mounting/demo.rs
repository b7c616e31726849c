//! `pop3fs demo`: a maildrop to try things on, without an account.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::common::{Background, eventually, run, stdout_of};
use crate::{Ground, LIMIT, PROGRAM, assert_says, stderr, stdout, without_a_reader};

/// A demo that has printed its suggestions.
fn started(ground: &Ground, arguments: &[&str]) -> Background {
    let mut command = ground.0.program();
    command.arg("demo").args(arguments);
    started_by(&mut command, ground)
}

fn started_by(command: &mut Command, ground: &Ground) -> Background {
    let demo = Background::spawn(command.env("TMPDIR", ground.0.folder()));
    eventually("the demo's last word", || {
        demo.stdout().contains("Ctrl-C").then_some(())
    });
    demo
}

#[test]
fn demo_mails_can_be_searched_removed_and_committed() {
    let ground = Ground::new();
    let demo = started(&ground, &[ground.dir()]);
    assert_says(
        &demo.stdout(),
        &[
            "The demo maildrop is mounted at ",
            ground.dir(),
            "Try, in another terminal:\n  ls -l ",
            "# every message is a file\n  grep -r invoice ",
            "# a file holds what the server sent\n  grep -r invoice ",
            "# the same as a person would read it\n  ls ",
            "# a query is a directory\n  rsync -a ",
            "# the second time, nothing is left to copy\n  rm ",
            "# nothing happens on the server yet\n  pop3fs umount ",
            "# now it does, and you see what the server answers\n",
            "Ctrl-C ends it.\n",
        ],
    );
    let before = stdout_of(&["ls", ground.dir()]).lines().count();
    assert!(before >= 10, "{before} mails");
    let found = stdout_of(&["grep", "-rl", "invoice", ground.dir()]);
    assert_says(&found, &["04-invoice.eml"]);
    assert!(
        run(&["rm", &format!("{}/15-raffle.eml", ground.dir())])
            .status
            .success()
    );
    assert_eq!(stdout_of(&["ls", ground.dir()]).lines().count(), before - 1);
    let output = ground.pop3fs(&["umount", ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
    let ended = demo.output_within(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(!ground.0.is_mounted());
}

#[test]
fn an_interrupt_ends_the_demo_and_leaves_the_given_directory() {
    let ground = Ground::new();
    let demo = started(&ground, &[ground.dir()]);
    demo.signal(Signal::SIGINT);
    let ended = demo.output_within(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(stderr(&ended), "");
    assert!(!ground.0.is_mounted());
    assert_eq!(
        fs::read_dir(ground.dir()).expect("the directory").count(),
        0
    );
}

#[test]
fn a_demo_without_a_directory_makes_one_and_removes_it() {
    let ground = Ground::new();
    let demo = started(&ground, &[]);
    let shown = demo.stdout();
    let place = shown.split_once("is mounted at ").expect("a place").1;
    let dir = PathBuf::from(place.lines().next().expect("a line").trim_end_matches('.'));
    assert!(dir.starts_with(ground.0.folder()), "{}", dir.display());
    assert!(fs::read_dir(&dir).expect("the demo").count() > 0);
    demo.signal(Signal::SIGINT);
    let ended = demo.output_within(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(!dir.exists());
}

/// Where each user has a group of their own, `su` may set 002.
#[test]
fn a_demo_works_under_any_umask() {
    for umask in ["000", "002", "027", "077"] {
        let ground = Ground::new();
        let mut command = ground.0.at_home(Command::new("sh"));
        let script = "umask \"$0\"; exec \"$@\"";
        command.args(["-c", script, umask, PROGRAM, "demo", ground.dir()]);
        let demo = started_by(&mut command, &ground);
        let found = stdout_of(&["grep", "-rl", "invoice", ground.dir()]);
        assert_says(&found, &["04-invoice.eml"]);
        let output = ground.pop3fs(&["umount", ground.dir()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let ended = demo.output_within(LIMIT);
        assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    }
}

#[test]
fn a_demo_in_a_directory_that_is_no_directory_is_refused() {
    let ground = Ground::new();
    let file = ground.0.folder().join("file");
    fs::write(&file, "").expect("a file");
    let path = file.to_str().expect("a path in ASCII");
    assert_says(
        &crate::sentence(&ground.pop3fs(&["demo", path])),
        &["not a directory"],
    );
    assert!(file.exists());
}

#[test]
fn a_demo_serves_although_nobody_reads_its_output() {
    let ground = Ground::new();
    let mut command = without_a_reader(&ground, &["demo", ground.dir()]);
    let demo = Background::spawn(&mut command);
    eventually("the mount", || ground.0.is_mounted().then_some(()));
    stdout_of(&["rm", "-f", &format!("{}/15-raffle.eml", ground.dir())]);
    let output = ground.pop3fs(&["umount", ground.dir()]);
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
    let ended = demo.output_within(LIMIT);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(stderr(&ended), "");
}
