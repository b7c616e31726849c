//! The daemon: when its launcher returns, what it keeps open, and how mount(8) calls it.

use std::fs;
use std::path::Path;

use nix::unistd::{Pid, getsid};

use crate::common::{MountBuilder, corpus, stdout_of};
use crate::{Ground, assert_says, liar, stderr};

#[test]
fn the_launcher_returns_with_the_mount_and_umount_ends_it() {
    let liar = liar(3);
    let mut mount = MountBuilder::new(&liar.source())
        .option("tls=off")
        .daemon()
        .mount();
    assert_eq!(fs::read_dir(mount.path()).expect("the root").count(), 3);
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    let output = mount.umount();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(crate::stdout(&output), "1 message deleted on the server\n");
    mount.wait();
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn the_daemon_leaves_the_terminal_its_session_and_the_directory() {
    let liar = liar(1);
    let mount = MountBuilder::new(&liar.source())
        .option("tls=off")
        .daemon()
        .mount();
    let pid = mount.pid();
    assert_eq!(getsid(Some(pid)), Ok(pid));
    assert_eq!(terminal_of(pid), 0);
    for descriptor in 0..=2 {
        assert_eq!(link_of(pid, &format!("fd/{descriptor}")), "/dev/null");
    }
    assert_eq!(link_of(pid, "cwd"), "/");
}

/// The number of the controlling terminal, 0 for none: the fifth field after the name in
/// /proc/PID/stat.
fn terminal_of(pid: Pid) -> i64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let terminal = fields.split_whitespace().nth(4).expect("a terminal");
    terminal.parse().expect("a number")
}

fn link_of(pid: Pid, name: &str) -> String {
    let path = fs::read_link(format!("/proc/{pid}/{name}")).expect("a link");
    path.to_str().expect("a path in ASCII").to_owned()
}

#[test]
fn a_lost_terminal_leaves_the_daemon_serving() {
    let (ground, liar) = (Ground::new(), liar(3));
    let line = format!(
        "{} -o tls=off {} {}",
        crate::PROGRAM,
        liar.source(),
        ground.dir()
    );
    let mut command = ground.0.at_home(std::process::Command::new("script"));
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("POP3FS_PASSWORD", "secret");
    let output = crate::common::output_within(crate::LIMIT, &mut command);
    assert_eq!(output.status.code(), Some(0), "{}", crate::stdout(&output));
    assert_eq!(fs::read_dir(ground.dir()).expect("the root").count(), 3);
    let read = fs::read(Path::new(ground.dir()).join("liar-2.eml")).expect("a message");
    assert!(read == corpus::realistic(21, 3)[1]);
}

#[test]
fn mount_fuse_may_call_it_with_its_own_words() {
    let (ground, liar) = (Ground::new(), liar(2));
    let words = "rw,nosuid,nodev,noatime,user=root,_netdev,x-systemd.automount,tls=off";
    let output = ground.pop3fs(&[&liar.source(), ground.dir(), "-o", words]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout_of(&["findmnt", "-n", "-o", "FSTYPE,SOURCE,OPTIONS", ground.dir()]);
    assert_says(
        &shown,
        &["fuse.pop3fs ", &liar.source(), "rw,", "nosuid", "nodev"],
    );
    let output = ground.pop3fs(&["umount", ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    ground.0.wait_until_no_process_is_left();
}

#[test]
fn a_read_only_mount_is_shown_as_one() {
    let (ground, liar) = (Ground::new(), liar(2));
    let output = ground.pop3fs(&[&liar.source(), ground.dir(), "-o", "ro,tls=off"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout_of(&["findmnt", "-n", "-o", "OPTIONS", ground.dir()]);
    assert!(shown.starts_with("ro,"), "{shown}");
}
