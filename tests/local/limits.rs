//! With too few descriptors or processes the mount works, or is refused with a sentence and leaves
//! nothing behind.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};

use nix::errno::Errno;

use pop3fs::cli::Failure;

use crate::common::{Liar, corpus, eventually, output_within, stdout_of};
use crate::{
    Ground, LIMIT, assert_reads_all, assert_says, errno, listed, mounted, name, sentence, stderr,
    stdout,
};

#[test]
fn with_too_few_descriptors_a_mount_is_refused() {
    let liar = Liar::start(&corpus::realistic(67, 1));
    for most in [16, 32, 63] {
        let ground = Ground::new();
        let limit = format!("--nofile={most}:{most}");
        let output = output_within(LIMIT, &mut ground.through(&["prlimit", &limit], &liar));
        let said = format!("this process may have {most} files open and needs at least 64");
        assert_says(&sentence(&output), &[&said, "ulimit -n"]);
        assert!(!ground.0.is_mounted());
    }
    assert_eq!(liar.server().connections(), 0);
}

#[test]
fn a_mount_works_with_few_descriptors() {
    let mut messages = corpus::realistic(67, 30);
    // More than the mount keeps open.
    messages.extend((0..18).map(|number| corpus::large(4_200_000 + number)));
    for limit in ["--nofile=64:64", "--nofile=20:1024"] {
        let (ground, liar) = (Ground::new(), Liar::start(&messages));
        let output = output_within(LIMIT, &mut ground.through(&["prlimit", limit], &liar));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_reads_all(ground.0.mount_point(), &messages);
        fs::remove_file(ground.0.mount_point().join(name(7))).expect("to remove a file");
        let output = ground.pop3fs(&["umount", ground.dir()]);
        assert_says(&stdout(&output), &["1 message deleted"]);
        ground.0.wait_until_no_process_is_left();
        assert_eq!(liar.left().len(), messages.len() - 1);
    }
}

#[test]
fn an_open_without_a_descriptor_fails_and_harms_no_other() {
    const COUNT: u64 = 12;
    let message = corpus::large(4_200_000);
    let liar = Liar::start(&vec![message.clone(); COUNT as usize]);
    let mount = mounted(&liar.source(), &["cache=off", "poll=off"]);
    let pid = mount.pid();
    // The last descriptor that a mount opens for as long as it lasts is that of the mount table.
    let open = eventually("the descriptors of a mount that has started", || {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors");
        let open: Vec<PathBuf> = open
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .collect();
        let has_started = open.iter().any(|path| path.ends_with("mountinfo"));
        has_started.then_some(open.len())
    });
    let (pid, limit) = (
        format!("--pid={pid}"),
        format!("--nofile={0}:{0}", open + 5),
    );
    stdout_of(&["prlimit", &pid, &limit]);
    let opened: Vec<io::Result<File>> = (1..=COUNT)
        .map(|serial| File::open(mount.join(name(serial))))
        .collect();
    assert!(opened.iter().filter(|file| file.is_ok()).count() >= 3);
    let refused: Vec<Errno> = opened
        .into_iter()
        .filter(io::Result::is_err)
        .map(errno)
        .collect();
    assert!(!refused.is_empty());
    assert!(
        refused.iter().all(|&errno| errno == Errno::EMFILE),
        "{refused:?}"
    );
    // The mount keeps files of what was read open, but closes them when new readers need
    // descriptors.
    assert_eq!(listed(mount.path()).len(), COUNT as usize);
    let output = mount.subcommand(&["status", mount.arg()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// The user `uucp` of Debian. No other processes belong to it.
const USER: u32 = 10;

/// The program $1 mounts $4 on $5 as the user, who may have $3 processes. If that works, the script
/// reads and unmounts. The status is 99 if a mount is left. /dev/fuse is open to all in this
/// namespace, and all its processes end with it.
const WITH_FEW_PROCESSES: &str = "\
    mount -t tmpfs none $2; mknod -m 666 $2/fuse c 10 229; mount --bind $2/fuse /dev/fuse; umount $2; \
    user='setpriv --reuid=10 --regid=10 --clear-groups'; \
    if $user prlimit --nproc=$3:$3 $1 -o tls=off $4 $5; then \
        $user grep -q ^Subject: $5/liar-2.eml; $user $1 umount $5; code=0; \
    else code=$?; fi; \
    ! findmnt $5 >/dev/null || exit 99; exit $code";

#[test]
fn with_few_processes_a_mount_works_or_is_refused() {
    const MOST: usize = 20;
    let liar = Liar::start(&corpus::realistic(68, 3));
    let mut said = Vec::new();
    for most in 1..=MOST {
        let (ground, program) = Ground::given_to(USER);
        let mut command = ground.0.at_home(Command::new("unshare"));
        command
            .args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child"])
            .args(["sh", "-euc", WITH_FEW_PROCESSES, "sh", &program])
            .arg(ground.0.folder().join("config"))
            .args([&most.to_string(), &liar.source(), ground.dir()])
            .env("POP3FS_PASSWORD", "secret");
        let output = output_within(LIMIT, &mut command);
        said.push(match output.status.success() {
            true => stdout(&output),
            false => last_sentence(&output),
        });
    }
    assert_says(&said[0], &["cannot fork"]);
    assert_says(&said[1], &["cannot start a thread"]);
    assert_eq!(said[MOST - 1], "nothing to delete\n", "{said:#?}");
}

/// What the launcher says. The daemon, which still has the terminal, may have printed warnings
/// before.
fn last_sentence(output: &Output) -> String {
    let known = Failure::ALL.map(|failure| Some(failure.status().into()));
    assert!(known.contains(&output.status.code()), "{output:?}");
    let said = stderr(output);
    let sentence = said
        .lines()
        .last()
        .and_then(|line| line.strip_prefix("pop3fs: "));
    sentence
        .unwrap_or_else(|| panic!("no sentence: {said}"))
        .to_owned()
}
