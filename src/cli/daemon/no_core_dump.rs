//! Keeps the memory of this process, and so the password, from the disk and from other processes.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps of this process and its children. Only root can then read the memory and
/// `/proc/PID/environ` of this process, which shows POP3FS_PASSWORD as long as the process lives.
/// Must be called before the password is known.
///
/// # Errors
/// A sandbox refuses the calls.
pub fn keep_memory_secret() -> nix::Result<()> {
    // Not enough where /proc/sys/kernel/core_pattern names a program, which gets the core whatever
    // the limit is (core(5)).
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // A fork keeps this, exec(2) ends it: fusermount3 is not affected.
    set_dumpable(false)
}
