//! What keeps the memory of this process, and so the password, from disk and from other processes.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps of this process and its children, and lets only root read this one's memory and first environment
/// (`/proc/PID/environ` shows POP3FS_PASSWORD for as long as the process lives). To be called before there is a secret.
///
/// # Errors
/// A sandbox's, if it refuses the calls.
pub fn keep_memory_secret() -> nix::Result<()> {
    // Not enough where /proc/sys/kernel/core_pattern names a program: that gets its core whatever the limit is (core(5)).
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // It holds for the fork that serves too, and ends at exec(2): fusermount3 is a process as always.
    set_dumpable(false)
}
