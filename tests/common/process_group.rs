//! A server program with every process that it has started.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::patience::eventually;

/// A new process group. Dropping it kills every member and waits for their end.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    leader: Child,
}

impl ProcessGroup {
    pub(super) fn spawn(command: &mut Command) -> Self {
        let leader = command
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        Self { leader }
    }

    /// How the first process ended, or `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.leader.try_wait().expect("wait for a server")
    }

    /// Stops every member (SIGSTOP); returns once all of them have stopped.
    pub(super) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        eventually("every process of the server to stop", || {
            self.members()
                .iter()
                .all(|member| member.state == 'T')
                .then_some(())
        });
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Kills every member and waits until the last one is gone.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.leader.wait().expect("wait for a killed server");
        eventually("every process of the server to die", || {
            self.members().is_empty().then_some(())
        });
    }

    fn signal(&self, signal: Signal) {
        match killpg(self.id(), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => panic!("{signal} for process group {}: {errno}", self.id()),
        }
    }

    fn id(&self) -> Pid {
        pid_of(&self.leader)
    }

    fn members(&self) -> BTreeSet<Member> {
        let group = self.id().as_raw();
        fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Member::read)
            .filter(|member| member.group == group && !matches!(member.state, 'Z' | 'X'))
            .collect()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The process id of a child in the type that signal functions take.
pub(super) fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id is an i32"))
}

/// Whether the process exists and has not ended.
pub(super) fn is_alive(pid: Pid) -> bool {
    kill(pid, None).is_ok()
        && Member::read(pid.as_raw()).is_some_and(|member| !matches!(member.state, 'Z' | 'X'))
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    pid: i32,
    group: i32,
    state: char,
}

impl Member {
    /// Parses `/proc/PID/stat`, whose second field is in parentheses and may contain anything.
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let group = fields.nth(1)?.parse().ok()?;
        Some(Self { pid, group, state })
    }
}
