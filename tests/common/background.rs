//! A program that runs while the test continues.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};

use super::command::{contents, handle, kill_group};
use super::patience::{before, eventually};
use super::process_group::pid_of;

/// A running program in its own process group. Dropping this kills the group.
#[derive(Debug)]
pub struct Background {
    child: Child,
    stdout: File,
    stderr: File,
}

impl Background {
    /// Starts a program with its arguments, without standard input.
    pub fn start<S: AsRef<OsStr>>(arguments: &[S]) -> Self {
        let (program, rest) = arguments.split_first().expect("a program's name");
        Self::spawn(Command::new(program).args(rest).stdin(Stdio::null()))
    }

    /// Starts the command with its environment and standard input as set.
    pub fn spawn(command: &mut Command) -> Self {
        let stdout = tempfile::tempfile().expect("a file for output");
        let stderr = tempfile::tempfile().expect("a file for errors");
        let child = command
            .process_group(0)
            .stdout(handle(&stdout))
            .stderr(handle(&stderr))
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        pid_of(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a signal for a program that runs");
    }

    /// Returns once the program waits in the kernel for a FUSE reply; fails the test after 20 s.
    pub fn wait_until_it_waits_for_the_mount(&self) {
        eventually("the program to wait for the mount", || {
            waits_for_fuse(&format!("/proc/{}", self.pid())).then_some(())
        });
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Waits for its end; fails the test when it outlives `limit`.
    pub fn output_within(mut self, limit: Duration) -> Output {
        let status = before(Instant::now() + limit, || {
            self.child.try_wait().expect("wait for a program")
        });
        let status = status.unwrap_or_else(|| {
            panic!(
                "{} did not end within {limit:?}; it wrote:\n{}{}",
                self.pid(),
                self.stdout(),
                self.stderr()
            )
        });
        Output {
            status,
            stdout: contents(handle_of(&self.stdout)),
            stderr: contents(handle_of(&self.stderr)),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        kill_group(&self.child);
        // A process that hangs in a mount dies only with the mount, so this does not wait for it.
        let _ = self.child.try_wait();
    }
}

/// Whether the process or thread with this /proc folder waits for a FUSE reply.
pub fn waits_for_fuse(folder: &str) -> bool {
    let place = fs::read_to_string(format!("{folder}/wchan")).unwrap_or_default();
    place.contains("request_wait_answer") || place.contains("fuse")
}

fn handle_of(file: &File) -> File {
    file.try_clone().expect("a second handle of an output file")
}

/// Reads by position because the program shares the file offset.
fn text(file: &File) -> String {
    let length = file.metadata().expect("an output file").len();
    let mut octets = vec![0; usize::try_from(length).expect("a short output")];
    file.read_exact_at(&mut octets, 0).expect("an output file");
    String::from_utf8_lossy(&octets).into_owned()
}

/// A thread that reads a file.
pub type Reading = JoinHandle<io::Result<Vec<u8>>>;

/// Starts a thread per file that reads it, and returns once all of them wait for the mount.
pub fn readers(paths: impl Iterator<Item = PathBuf>) -> Vec<Reading> {
    let (tell, told) = mpsc::channel();
    let readers: Vec<Reading> = paths
        .map(|path| {
            let tell = tell.clone();
            let thread = thread::Builder::new().stack_size(128 * 1024);
            let read = move || {
                tell.send(gettid()).expect("the test waits");
                fs::read(path)
            };
            thread.spawn(read).expect("a thread")
        })
        .collect();
    let threads: Vec<_> = told.iter().take(readers.len()).collect();
    eventually("every reader to wait for the mount", || {
        threads
            .iter()
            .all(|thread| waits_for_fuse(&format!("/proc/self/task/{thread}")))
            .then_some(())
    });
    readers
}
