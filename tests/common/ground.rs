//! A mount point on which the test itself runs pop3fs, fstab or a script.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Uid, chown};

use super::command::{output_within, stdout_of};
use super::mount::{PROGRAM, Place};

/// Time limit of one command.
const LIMIT: Duration = Duration::from_secs(60);

/// A mount point on which the test mounts. Dropping this kills the process that serves it.
pub struct Ground(pub Place);

impl Ground {
    pub fn new() -> Self {
        Self(Place::create())
    }

    /// A mount point that belongs to this user and to the group with the same number, and the path
    /// of a copy of the program there: the user may have no access to the build directory.
    pub fn given_to(user: u32) -> (Self, String) {
        let ground = Self::new();
        let program = ground.0.folder().join("pop3fs");
        let program = program.to_str().expect("a path in ASCII").to_owned();
        // cp, not fs::copy: a process that another thread starts meanwhile would inherit the file
        // open for writing, and then the kernel refuses to run it (ETXTBSY).
        stdout_of(&["cp", PROGRAM, &program]);
        give_away(ground.0.folder(), user);
        for entry in fs::read_dir(ground.0.folder()).expect("a folder") {
            give_away(&entry.expect("an entry").path(), user);
        }
        (ground, program)
    }

    /// The mount point as an argument.
    pub fn dir(&self) -> &str {
        self.0.mount_point().to_str().expect("a path in ASCII")
    }

    /// Runs the program with these arguments and the password `secret`.
    pub fn pop3fs(&self, arguments: &[&str]) -> Output {
        let mut command = self.0.program();
        command.args(arguments).env("POP3FS_PASSWORD", "secret");
        output_within(LIMIT, &mut command)
    }

    /// Runs `sh -c SCRIPT sh POP3FS ARGUMENT…` in a new mount namespace with the password `secret`.
    pub fn in_a_namespace(&self, script: &str, arguments: &[&str]) -> Output {
        let mut command = self.0.at_home(Command::new("unshare"));
        command
            .args(["--mount", "sh", "-euc", script, "sh", PROGRAM])
            .args(arguments)
            .env("POP3FS_PASSWORD", "secret");
        output_within(LIMIT, &mut command)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        while let Some(pid) = self.0.daemon() {
            // An error means that the process has just ended.
            let _ = kill(pid, Signal::SIGKILL);
        }
        self.0.detach();
    }
}

fn give_away(path: &Path, user: u32) {
    chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(user))).expect("chown");
}
