//! Running a password_command: what it prints is bounded, and so is the time that it may take.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use zeroize::Zeroizing;

/// How often to check whether the command has ended while a process that it started holds its
/// output open, in milliseconds.
const BETWEEN_LOOKS: u16 = 50;
/// How many octets are read of standard output before it is closed.
const MOST_READ: usize = 64 * 1024;
/// How many octets are kept of standard error.
const MOST_SAID: usize = 4 * 1024;

/// What a command printed.
#[derive(Debug)]
pub(super) struct CommandOutput {
    pub(super) status: ExitStatus,
    /// The beginning of standard output.
    pub(super) printed: Zeroizing<Vec<u8>>,
    /// The beginning of standard error.
    pub(super) said: Vec<u8>,
    /// Whether standard output was closed before its end.
    is_cut: bool,
}

impl CommandOutput {
    /// Whether the command succeeded. One that we cut off ends by SIGPIPE, as in front of `head`.
    pub(super) fn is_success(&self) -> bool {
        const SIGPIPE_IN_A_SHELL: i32 = 128 + libc::SIGPIPE;
        let is_sigpipe = self.status.signal() == Some(libc::SIGPIPE)
            || self.status.code() == Some(SIGPIPE_IN_A_SHELL);
        self.status.success() || (self.is_cut && is_sigpipe)
    }
}

/// Runs the command until it ends. Processes that it leaves behind may hold its output open.
///
/// # Errors
/// `TimedOut` after `limit`. The process group of the command is then killed, so it must have one
/// of its own.
pub(super) fn run(command: &mut Command, limit: Option<Duration>) -> io::Result<CommandOutput> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut printed = Output::new(child.stdout.take().map(OwnedFd::from), MOST_READ)?;
    let mut said = Output::new(child.stderr.take().map(OwnedFd::from), MOST_SAID)?;
    let end = limit.map(|limit| Instant::now() + limit);
    let status = loop {
        wait(&printed, &said)?;
        let ended = child.try_wait()?;
        printed.read()?;
        if printed.kept.len() == MOST_READ {
            printed.cut();
        }
        said.read()?;
        if let Some(status) = ended {
            break status;
        }
        if end.is_some_and(|end| Instant::now() > end) {
            kill_group(child.id());
            child.wait()?;
            let seconds = limit.unwrap_or_default().as_secs();
            let why = format!("it did not end within {seconds} s");
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
    };
    Ok(CommandOutput {
        status,
        printed: printed.kept,
        said: said.kept.to_vec(),
        is_cut: printed.is_cut,
    })
}

fn kill_group(leader: u32) {
    if let Some(group) = i32::try_from(leader).ok().map(Pid::from_raw) {
        // An error means that the group has just ended.
        let _ = killpg(group, Signal::SIGKILL);
    }
}

/// Waits for output or the end of an output, and not for long.
fn wait(printed: &Output, said: &Output) -> io::Result<()> {
    let open = [printed, said].into_iter().filter_map(|output| {
        let file = output.file.as_ref()?;
        Some(PollFd::new(file.as_fd(), PollFlags::POLLIN))
    });
    match poll(&mut open.collect::<Vec<_>>(), BETWEEN_LOOKS) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// One end of a pipe from the command.
struct Output {
    /// None after the end.
    file: Option<File>,
    kept: Zeroizing<Vec<u8>>,
    room: usize,
    is_cut: bool,
}

impl Output {
    fn new(pipe: Option<OwnedFd>, room: usize) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Self {
            file: pipe.map(File::from),
            // A vector that grows would leave copies of the password in memory.
            kept: Zeroizing::new(Vec::with_capacity(room)),
            room,
            is_cut: false,
        })
    }

    /// Reads what is there. Keeps what has room.
    fn read(&mut self) -> io::Result<()> {
        let mut chunk = Zeroizing::new([0; 4096]);
        while let Some(file) = &mut self.file {
            match file.read(chunk.as_mut_slice()) {
                Ok(0) => self.file = None,
                Ok(count) => {
                    let room = self.room - self.kept.len();
                    self.kept.extend_from_slice(&chunk[..count.min(room)]);
                    if room <= count {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes the pipe: a command that goes on to write gets SIGPIPE.
    fn cut(&mut self) {
        self.is_cut = self.file.take().is_some() || self.is_cut;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(line).stdin(Stdio::null());
        shell
    }

    #[test]
    fn a_command_that_prints_for_ever_is_cut_off() {
        for line in ["yes", "yes; exit"] {
            let output = run(&mut shell(line), None).unwrap();
            assert!(output.is_success(), "{:?}", output.status);
            assert_eq!(output.printed.len(), MOST_READ);
        }
    }

    #[test]
    fn endless_words_on_stderr_are_not_kept() {
        let line = "yes >&2 & sleep 0.3; kill $!; echo secret";
        let output = run(&mut shell(line), None).unwrap();
        assert_eq!(output.said.len(), MOST_SAID);
        assert_eq!(output.printed.as_slice(), b"secret\n");
    }

    #[test]
    fn a_process_left_behind_with_the_output_keeps_nobody_waiting() {
        let output = run(&mut shell("echo secret; sleep 30 & echo $! >&2"), None).unwrap();
        assert_eq!(output.printed.as_slice(), b"secret\n");
        let left = String::from_utf8(output.said).unwrap();
        let left = Pid::from_raw(left.trim().parse().unwrap());
        // It must still run: otherwise the command was waited for.
        nix::sys::signal::kill(left, Signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_failure_is_no_success() {
        assert!(!run(&mut shell("exit 3"), None).unwrap().is_success());
        assert!(!run(&mut shell("kill -PIPE $$"), None).unwrap().is_success());
    }
}
