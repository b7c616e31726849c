//! Refused mounts: one line says what is wrong and what to do, the exit status is 1, and nothing is
//! left behind.

use std::fs;
use std::process::{Command, Output};

use crate::common::{MountBuilder, PROGRAM, output_within};
use crate::{Ground, LIMIT, assert_says, in_clear, liar, sentence};

/// The error message of a refused mount. It must be the same in the foreground and as a daemon.
pub(crate) fn refusal(builder: &MountBuilder) -> String {
    let said = sentence(&builder.clone().refused());
    assert_eq!(sentence(&builder.clone().daemon().refused()), said);
    said
}

#[test]
fn a_mount_point_that_does_not_exist() {
    let (ground, liar) = (Ground::new(), liar(1));
    let missing = ground.0.folder().join("missing");
    let dir = missing.to_str().expect("a path in ASCII");
    let said = sentence(&ground.pop3fs(&["-o", "tls=off", &liar.source(), dir]));
    assert_says(&said, &[dir, "does not exist", "create it"]);
}

#[test]
fn a_mount_point_that_is_a_file() {
    let (ground, liar) = (Ground::new(), liar(1));
    let file = ground.0.folder().join("file");
    fs::write(&file, "").expect("a file");
    let path = file.to_str().expect("a path in ASCII");
    let said = sentence(&ground.pop3fs(&["-o", "tls=off", &liar.source(), path]));
    assert_says(&said, &[path, "is not a directory"]);
}

#[test]
fn a_mount_point_that_is_in_use() {
    let liar = liar(1);
    let mount = in_clear(&liar.source());
    let second = mount.subcommand_line(&["-o", "tls=off", &liar.source(), mount.arg()]);
    let said = sentence(&with_password(second));
    assert_says(&said, &["is already mounted", "pop3fs umount"]);
    assert!(mount.is_mounted());
    assert_eq!(fs::read_dir(mount.path()).expect("the root").count(), 1);
}

fn with_password(mut command: Command) -> Output {
    output_within(LIMIT, command.env("POP3FS_PASSWORD", "secret"))
}

#[test]
fn an_unknown_option() {
    let said = refusal(&MountBuilder::new("pops://al@h.invalid").option("timeuot=5s"));
    assert_says(&said, &["unknown option 'timeuot'", "timeout"]);
}

#[test]
fn a_value_that_is_out_of_range() {
    let said = refusal(&MountBuilder::new("pops://al@h.invalid").option("timeout=never"));
    assert_says(&said, &["timeout", "never", "expected"]);
}

#[test]
fn a_source_that_is_no_url() {
    for (source, what, remedy) in [
        ("mail.example.org", "is not the URL", "pops://USER@HOST"),
        (
            "imaps://al@h.invalid",
            "not a scheme of POP3",
            "pops://USER@HOST",
        ),
        ("pops://h.invalid", "no user", "pops://USER@HOST"),
        (
            "pops://al@h.invalid/INBOX",
            "nothing may follow",
            "no folders",
        ),
    ] {
        assert_says(&refusal(&MountBuilder::new(source)), &[what, remedy]);
    }
}

#[test]
fn a_password_in_the_url_is_refused_and_not_repeated() {
    let said = refusal(&MountBuilder::new("pops://al:hunter2@h.invalid"));
    assert_says(&said, &["must not contain a password", "password_command"]);
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn no_password_and_nobody_to_ask() {
    let ground = Ground::new();
    // Without a new session, the program would find the terminal of the tests.
    let mut command = ground.0.at_home(Command::new("setsid"));
    command.args(["--wait", PROGRAM, "pops://al@h.invalid", ground.dir()]);
    let said = sentence(&output_within(LIMIT, &mut command));
    assert_says(
        &said,
        &["no password", "password_command", "POP3FS_PASSWORD"],
    );
    ground.0.wait_until_no_process_is_left();
}

#[test]
fn a_kernel_without_fuse() {
    let (ground, liar) = (Ground::new(), liar(1));
    let source = liar.source();
    let without_device = "mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; \
         mknod -m 444 /dev/urandom c 1 9; exec \"$@\"";
    for mode in [&["-f"][..], &[]] {
        let arguments = [mode, &["-o", "tls=off", &source, ground.dir()]].concat();
        let said = sentence(&ground.in_a_namespace(without_device, &arguments));
        assert_says(&said, &["offers no /dev/fuse", "modprobe fuse"]);
        ground.0.wait_until_no_process_is_left();
    }
}
