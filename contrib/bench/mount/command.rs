//! Other programs, none of which can hang the bench.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::started::{Group, Role};

/// What a program wrote, and how long it took.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) stdout: Vec<u8>,
    pub(crate) seconds: f64,
    /// Seconds of CPU time.
    pub(crate) cpu: f64,
}

impl Finished {
    /// How many lines it wrote.
    pub(crate) fn lines(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.stdout).count()
    }
}

/// Runs the command, which must succeed within `limit`.
///
/// Its output goes to a file: for `/dev/null` grep stops at the first match, and a pipe would cost
/// our time, too.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    let cpu_before = cpu_of_children()?;
    let begun = Instant::now();
    let mut running = Running::start(command)?;
    let status = running.group.wait(limit)?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = cpu_of_children()? - cpu_before;
    let stderr = contents(&mut running.stderr)?;
    ensure!(
        status.success(),
        "{command:?} ended with {status}: {}",
        String::from_utf8_lossy(&stderr).trim_end()
    );
    let stdout = contents(&mut running.stdout)?;
    Ok(Finished {
        stdout,
        seconds,
        cpu,
    })
}

/// Of the children that have ended.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e6)
}

/// A command that works while something else is measured. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    group: Group,
    stdout: File,
    stderr: File,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let stdout = tempfile::tempfile().context("a file for output")?;
        let stderr = tempfile::tempfile().context("a file for errors")?;
        command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            // Sorting and matching by octets is what is measured, not somebody's language.
            .env("LC_ALL", "C");
        let group = Group::start(command, Role::Command)?;
        Ok(Self {
            group,
            stdout,
            stderr,
        })
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.group.ended()?.is_some())
    }
}

fn contents(file: &mut File) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut octets)?;
    Ok(octets)
}
