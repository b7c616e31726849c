//! Exit statuses, which scripts, mount(8) and service managers read. The tests provoke each failure
//! of the table.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pop3fs::cli::Failure;

use crate::common::{
    Background, Mount, MountBuilder, Peer, Reply, Scripted, assert_failed, stderr, stdout,
    stdout_of,
};
use crate::{Ground, LIMIT, in_clear, liar};

/// A mount in the foreground, one in the background, and `pop3fs check` all end with this failure.
fn assert_refused(source: &str, options: &[&str], failure: Failure) {
    let mut builder = MountBuilder::new(source);
    for option in options {
        builder = builder.option(option);
    }
    assert_failed(&builder.clone().refused(), failure);
    assert_failed(&builder.daemon().refused(), failure);
    let options = options.iter().flat_map(|option| ["-o", option]);
    let arguments: Vec<&str> = ["check", source].into_iter().chain(options).collect();
    assert_failed(&Ground::new().pop3fs(&arguments), failure);
}

#[test]
fn help_and_version_exit_with_success() {
    let ground = Ground::new();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["help", "umount"],
        &["man"],
    ] {
        let output = ground.pop3fs(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_ne!(stdout(&output), "");
    }
}

#[test]
fn a_wrong_command_line_is_the_caller_s_failure() {
    let ground = Ground::new();
    for arguments in [
        &[][..],
        &["-f"],
        &["umount"],
        &["umount", "--yse", "/mnt"],
        &["umount", "--yes", "--discard", "/mnt"],
        &["completions", "tcsh"],
        &["pops://al@h.invalid", "/mnt", "--timeuot", "5"],
    ] {
        let output = ground.pop3fs(arguments);
        assert_failed(&output, Failure::Usage);
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert_ne!(stderr(&output), "", "{arguments:?}");
    }
    assert_refused("pops://al@h.invalid", &["timeuot=5s"], Failure::Usage);
    assert_refused("pops://h.invalid", &[], Failure::Usage);
    let missing = ground.0.folder().join("missing.pem");
    let authority = format!("ca_file={}", missing.display());
    assert_refused("pops://al@127.0.0.1:1", &[&authority], Failure::Usage);
}

#[test]
fn a_machine_that_lacks_something_is_its_own_failure() {
    let (ground, liar) = (Ground::new(), liar(1));
    let file = ground.0.folder().join("file");
    fs::write(&file, "").expect("a file");
    let cache = format!("tls=off,cache_dir={}", file.display());
    let builder = MountBuilder::new(&liar.source()).option(&cache);
    assert_failed(&builder.clone().refused(), Failure::System);
    assert_failed(&builder.daemon().refused(), Failure::System);
}

#[test]
fn ctrl_c_before_there_is_a_mount_is_the_user_s_failure() {
    let ground = Ground::new();
    let server = Scripted::start(Peer::stay_silent);
    let source = format!("pop://alice@127.0.0.1:{}", server.port());
    let mut command = ground.0.program();
    command
        .args(["-o", "tls=off", &source, ground.dir()])
        .env("POP3FS_PASSWORD", "secret");
    let running = Background::spawn(&mut command);
    server.wait_for_connections(1);
    let launcher = running.pid().to_string();
    let daemon = stdout_of(&["pgrep", "--parent", &launcher]);
    let daemon = Pid::from_raw(daemon.trim().parse().expect("one process"));
    kill(daemon, Signal::SIGINT).expect("a signal for the daemon");
    assert_failed(&running.output_within(LIMIT), Failure::Interrupted);
}

#[test]
fn refused_login_unreachable_and_busy_have_own_statuses() {
    for (reply, failure) in [
        ("[AUTH] no", Failure::LoginRefused),
        ("no", Failure::LoginRefused),
        ("[IN-USE] locked", Failure::Busy),
        ("[LOGIN-DELAY] later", Failure::Busy),
        ("[SYS/TEMP] out of memory", Failure::Busy),
        ("[SYS/PERM] moved away", Failure::Other),
    ] {
        let liar = liar(1);
        liar.on("PASS", Reply::Err(reply));
        assert_refused(&liar.source(), &["tls=off"], failure);
    }
    let liar = liar(1);
    assert_refused(
        &liar.source(),
        &["tls=off,auth=scram-sha-256"],
        Failure::LoginRefused,
    );
    assert_refused(&liar.source(), &["tls=implicit"], Failure::Unreachable);
    let source = liar.source();
    drop(liar);
    assert_refused(&source, &["tls=off"], Failure::Unreachable);
    assert_refused("pops://al@h.invalid", &[], Failure::Unreachable);
}

/// A mount in which a message was removed that the server will not delete.
fn doomed(source: &str) -> Mount {
    let mount = in_clear(source);
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    mount
}

fn ended(mount: &mut Mount) -> Option<i32> {
    mount.wait().status.expect("our child").code()
}

#[test]
fn uncommitted_deletions_fail_commit_umount_and_the_mount() {
    let liar = liar(3);
    let mut mount = doomed(&liar.source());
    liar.on("DELE", Reply::Err("protected"));
    let commit = mount.subcommand(&["commit", mount.arg()]);
    assert_failed(&commit, Failure::Uncommitted);
    fs::remove_file(mount.join("liar-2.eml")).expect("to remove a file");
    let umount = mount.umount();
    assert_failed(&umount, Failure::Uncommitted);
    assert_eq!(ended(&mut mount), umount.status.code());
}

#[test]
fn deletions_held_back_have_their_own_exit_status() {
    let liar = liar(12);
    let mut mount = in_clear(&liar.source());
    for serial in 1..=12 {
        fs::remove_file(mount.join(format!("liar-{serial}.eml"))).expect("to remove a file");
    }
    for command in ["commit", "umount"] {
        let output = mount.subcommand(&[command, mount.arg()]);
        assert_failed(&output, Failure::HeldBack);
    }
    mount.signal(Signal::SIGTERM);
    assert_eq!(ended(&mut mount), Some(Failure::HeldBack.status().into()));
}

#[test]
fn a_mount_that_is_in_use_stays_and_umount_fails() {
    let liar = liar(1);
    let mount = in_clear(&liar.source());
    let _open = fs::File::open(mount.join("liar-1.eml")).expect("a message");
    assert_failed(&mount.umount(), Failure::Other);
}

#[test]
fn each_command_says_that_nothing_is_mounted() {
    let ground = Ground::new();
    for command in ["umount", "commit", "restore", "status", "fetch"] {
        assert_failed(
            &ground.pop3fs(&[command, ground.dir()]),
            Failure::NotMounted,
        );
        assert_failed(&ground.pop3fs(&[command, "/proc"]), Failure::NotMounted);
    }
}

#[test]
fn a_message_that_is_not_pending_cannot_be_restored() {
    let liar = liar(1);
    let mount = in_clear(&liar.source());
    let output = mount.subcommand(&["restore", mount.arg(), "liar-1.eml"]);
    assert_failed(&output, Failure::Usage);
}
