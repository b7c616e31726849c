//! Runs other programs with a time limit, so that a hung mount fails one test and not the whole
//! run.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};

use super::patience::before;
use super::process_group::pid_of;

/// The time limit of [`run`].
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Runs a program with its arguments and returns what it wrote and how it ended; fails the test
/// after 60 s.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    let (program, rest) = arguments.split_first().expect("a program's name");
    output_within(LIMIT, Command::new(program).args(rest))
}

/// Like [`run`], but the program must succeed. Returns its standard output, decoded lossily.
pub fn stdout_of<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = run(arguments);
    let shown: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    assert!(
        output.status.success(),
        "{shown:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the command as it is set up; fails the test if it runs longer than `limit`.
///
/// Then it is killed but not waited for: a process that hangs in a mount dies only with the mount.
pub fn output_within(limit: Duration, command: &mut Command) -> Output {
    let stdout = tempfile::tempfile().expect("a file for output");
    let stderr = tempfile::tempfile().expect("a file for errors");
    let mut child = command
        .process_group(0)
        .stdout(handle(&stdout))
        .stderr(handle(&stderr))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    let status = before(Instant::now() + limit, || {
        child.try_wait().expect("wait for a command")
    });
    let Some(status) = status else {
        kill_group(&child);
        panic!(
            "{command:?} did not end within {limit:?}; it wrote:\n{}",
            String::from_utf8_lossy(&contents(stderr))
        );
    };
    Output {
        status,
        stdout: contents(stdout),
        stderr: contents(stderr),
    }
}

pub(super) fn kill_group(child: &Child) {
    // An error means that the group has just ended.
    let _ = killpg(pid_of(child), Signal::SIGKILL);
}

pub(super) fn handle(file: &File) -> Stdio {
    Stdio::from(file.try_clone().expect("a second handle of an output file"))
}

pub(super) fn contents(mut file: File) -> Vec<u8> {
    let mut octets = Vec::new();
    file.rewind().expect("the start of an output file");
    file.read_to_end(&mut octets).expect("an output file");
    octets
}
