//! Processes, as the kernel's requests name them: by the id of one of their threads.

use std::fs;
use std::time::{Duration, Instant};

use lru::LruCache;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// How long a looked-up thread is believed to belong to the same process. The kernel gives the id
/// of a thread that has ended to another one only after it has used up all others.
const KNOWN: Duration = Duration::from_secs(1);
/// How many threads are remembered.
const THREADS: usize = 256;

/// A thread group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::fs) struct ProcessId(u32);

/// What was looked up of threads.
#[derive(Debug)]
pub(in crate::fs) struct ThreadTable {
    threads: LruCache<u32, (ProcessId, Instant)>,
    /// Whether /proc shows the pid namespace of this process, in which the kernel names threads.
    is_proc_ours: bool,
}

impl ThreadTable {
    pub(in crate::fs) fn new() -> Self {
        let own = fs::read_link("/proc/self").ok();
        let is_proc_ours =
            own.is_some_and(|own| own.as_os_str() == &*std::process::id().to_string());
        Self {
            threads: LruCache::unbounded(),
            is_proc_ours,
        }
    }

    /// The process of a thread. None for a process that cannot be identified: one in a pid
    /// namespace that this process does not see (the kernel names it 0), or one that /proc hides.
    pub(in crate::fs) fn process_of(&mut self, thread: u32) -> Option<ProcessId> {
        if thread == 0 || !self.is_proc_ours {
            return None;
        }
        let now = Instant::now();
        if let Some(&(process, since)) = self.threads.get(&thread)
            && now.duration_since(since) < KNOWN
        {
            return Some(process);
        }
        let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
        let process = thread_group(&status)?;
        self.threads.put(thread, (process, now));
        if self.threads.len() > THREADS {
            self.threads.pop_lru();
        }
        Some(process)
    }
}

fn thread_group(status: &str) -> Option<ProcessId> {
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    group.trim().parse().ok().map(ProcessId)
}

/// The time since the machine was booted.
pub(in crate::fs) fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// When the process that has this id now was started, since boot. It may be another process than
/// before.
pub(in crate::fs) fn started(process: ProcessId) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0)).ok()?;
    let ticks_a_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let ticks = start_ticks(&stat)?;
    let millis = ticks.checked_mul(1000)?.checked_div(ticks_a_second)?;
    Some(Duration::from_millis(millis))
}

/// The 22nd field (proc_pid_stat(5)). The second, the name, is in parentheses and may have any
/// characters in it.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_threads_of_a_process_belong_to_it() {
        let mut table = ThreadTable::new();
        let own = Some(ProcessId(std::process::id()));
        assert_eq!(table.process_of(std::process::id()), own);
        let other = thread::spawn(|| nix::unistd::gettid().as_raw())
            .join()
            .unwrap();
        let here = nix::unistd::gettid().as_raw();
        assert_eq!(table.process_of(u32::try_from(here).unwrap()), own);
        assert_ne!(here, other);
    }

    #[test]
    fn what_cannot_be_looked_up_is_no_process() {
        let mut table = ThreadTable::new();
        assert_eq!(table.process_of(0), None);
        assert_eq!(table.process_of(u32::MAX), None);
        assert_eq!(thread_group("Name:\tcat\nPid:\t7\n"), None);
        assert_eq!(thread_group("Name:\tcat\nTgid:\t7\n"), Some(ProcessId(7)));
    }

    #[test]
    fn this_process_was_started_before_now() {
        let started = started(ProcessId(std::process::id())).unwrap();
        assert!(started <= since_boot() && started > Duration::ZERO);
    }

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_start() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 2";
        assert_eq!(start_ticks(stat), Some(4711));
        assert_eq!(start_ticks("7 (a"), None);
    }
}
