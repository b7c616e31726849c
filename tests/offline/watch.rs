//! `pop3fs watch`: what arrives and departs, as lines of JSON or by a command.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::common::{Mount, eventually};
use crate::{Provider, message, name, read, remove, umount};

/// A running `pop3fs watch`. Dropping it ends it.
struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// Watches from now on.
    fn start(mount: &Mount, arguments: &[&str]) -> Self {
        let mut command = mount.subcommand_line(&[&["watch", mount.arg()], arguments].concat());
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("pop3fs watch");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        await_watches(mount, 1);
        Self { process, lines }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Waits until it has ended by itself. It must not have told anything more.
    fn end(mut self) {
        assert!(self.lines.next().is_none());
        let status = self.process.wait().expect("its end");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _has_ended = self.process.kill();
        let _is_gone = self.process.wait();
    }
}

fn await_watches(mount: &Mount, count: u64) {
    eventually("the daemon to know its watches", || {
        (mount.status()["watches"] == count).then_some(())
    });
}

#[test]
fn arrivals_and_departures_are_lines_of_json() {
    let provider = Provider::start(3);
    let mut mount = provider.mount(&["refresh=1s"]);
    read(&mount, [1]);
    let mut watch = Watch::start(&mount, &[]);
    provider.liar().add(&message(4));
    let change = watch.next();
    assert_eq!(change["event"], "arrived", "{change}");
    assert_eq!(change["name"], name(4).as_str());
    assert_eq!(change["unique_id"], "liar-4");
    assert_eq!(change["subject"], "message 0004");
    assert_eq!(change["from"], "alice@example.org");
    assert_eq!(change["octets"], message(4).len());
    assert_eq!(change["arrival"], 1_705_276_800 + 4 * 60);
    provider.liar().remove(2);
    let change = watch.next();
    assert_eq!(change["event"], "departed", "{change}");
    assert_eq!(change["name"], name(2).as_str());
    let output = mount.subcommand(&["umount", "--discard", mount.arg()]);
    assert!(output.status.success(), "{output:?}");
    mount.wait();
    watch.end();
}

#[test]
fn a_watch_logs_in_no_oftener_than_refresh_allows() {
    let provider = Provider::start(3);
    let mount = provider.mount(&["refresh=1h"]);
    let mut watch = Watch::start(&mount, &[]);
    provider.liar().add(&message(4));
    let logins = provider.liar().count("PASS");
    // Each change is told by a later look at the directory: the watch has looked three times.
    for serial in [2, 3] {
        remove(&mount, serial);
        assert_eq!(watch.next()["name"], name(serial).as_str());
    }
    assert_eq!(provider.liar().count("PASS"), logins);
}

#[test]
fn a_command_is_run_for_each_message() {
    let provider = Provider::start(2);
    let mut mount = provider.mount(&["refresh=1s"]);
    let told = tempfile::NamedTempFile::new().expect("a file");
    let file = told.path().to_str().expect("a path in ASCII");
    let line = "$POP3FS_EVENT $POP3FS_NAME $POP3FS_OCTETS $POP3FS_SUBJECT";
    let command = format!("echo \"{line}\" >>{file}; test -e \"$POP3FS_PATH\"");
    let watch = Watch::start(&mount, &["--exec", &command]);
    let text = || fs::read_to_string(told.path()).expect("what was told");
    provider.liar().add(&message(3));
    eventually("the command to be run", || {
        text().contains("arrived").then_some(())
    });
    let octets = message(3).len();
    assert_eq!(
        text(),
        format!("arrived {} {octets} message 0003\n", name(3))
    );
    umount(&mut mount);
    watch.end();
}

#[test]
fn what_is_removed_departs_and_what_is_taken_back_arrives() {
    let provider = Provider::start(3);
    let mount = provider.mount(&["refresh=1h"]);
    let mut watch = Watch::start(&mount, &[]);
    remove(&mount, 2);
    let change = watch.next();
    assert_eq!(
        (&change["event"], &change["name"]),
        (&"departed".into(), &name(2).into())
    );
    let back = mount.subcommand(&["restore", mount.arg()]);
    assert!(back.status.success(), "{back:?}");
    let change = watch.next();
    assert_eq!(
        (&change["event"], &change["name"]),
        (&"arrived".into(), &name(2).into())
    );
}

#[test]
fn the_daemon_forgets_a_watch_whose_program_has_gone() {
    let provider = Provider::start(2);
    let mount = provider.mount(&["refresh=1h"]);
    for _ in 0..3 {
        drop(Watch::start(&mount, &[]));
        await_watches(&mount, 0);
    }
}
