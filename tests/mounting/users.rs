//! Mounts of a user who is not root, through fusermount3.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use pop3fs::cli::Failure;

use crate::common::{Liar, assert_failed};
use crate::{Ground, assert_says, liar, sentence, stderr, stdout};

/// Debian's `nobody` and `nogroup`.
pub(crate) const NOBODY: u32 = 65534;

/// Runs the rest as that user. $1 is the program, $2 a folder; /dev/fuse has the mode $MODE in this
/// namespace.
const AS_NOBODY: &str = "\
    mount -t tmpfs none \"$2\"; mknod -m \"$MODE\" \"$2/fuse\" c 10 229; mount --bind \"$2/fuse\" /dev/fuse; \
    umount \"$2\"; shift 2; \
    exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";

pub(crate) fn as_nobody(ground: &Ground, mode: &str, arguments: &[&str]) -> std::process::Output {
    let scratch = ground.0.folder().join("config");
    let scratch = scratch.to_str().expect("a path in ASCII");
    let script = AS_NOBODY.replace("$MODE", mode);
    ground.in_a_namespace(&script, &[&[scratch], arguments].concat())
}

#[test]
fn a_user_mounts_reads_removes_and_unmounts() {
    let liar = liar(3);
    let (ground, program) = Ground::given_to(NOBODY);
    let script = "\
        \"$0\" -o tls=off \"$1\" \"$2\"; \
        grep -c ^Subject: \"$2\"/liar-1.eml; \
        ls \"$2\"; stat -c '%U %a %F' \"$2\"/liar-3.eml; \
        findmnt -n -o FSTYPE,SOURCE \"$2\"; \
        rm -f \"$2\"/liar-2.eml; \
        \"$0\" status \"$2\" >/dev/null; \
        \"$0\" umount \"$2\"; ! findmnt \"$2\"";
    let run = ["sh", "-euc", script, &program, &liar.source(), ground.dir()];
    let output = as_nobody(&ground, "666", &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = stdout(&output);
    let expected = format!(
        "1\nliar-1.eml\nliar-2.eml\nliar-3.eml\nnobody 400 regular file\nfuse.pop3fs {}\n1 message deleted on the server\n",
        liar.source()
    );
    assert_eq!(shown, expected);
    assert_eq!(liar.left_serials(), [1, 3]);
    ground.0.wait_until_no_process_is_left();
}

#[test]
fn a_user_without_a_runtime_folder_can_use_a_mount() {
    let liar = liar(3);
    let (ground, program) = Ground::given_to(NOBODY);
    let script = "\
        unset XDG_RUNTIME_DIR; \
        \"$0\" -o tls=off \"$1\" \"$2\"; ls \"$2\"; grep -c ^Subject: \"$2\"/liar-1.eml; rm -f \"$2\"/liar-2.eml; \
        \"$0\" status \"$2\" | grep pending; \"$0\" umount \"$2\"; ! findmnt \"$2\"; \
        rmdir /tmp/pop3fs-$(id -u) || true";
    let run = ["sh", "-euc", script, &program, &liar.source(), ground.dir()];
    let output = as_nobody(&ground, "666", &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "liar-1.eml\nliar-2.eml\nliar-3.eml\n1\npending      1 deletion, 2.3 KiB\n1 message deleted on the server\n"
    );
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn umount_takes_a_users_own_mount_away_and_fusermount_too() {
    for umount in ["umount", "fusermount3 -u"] {
        let liar = liar(3);
        let (ground, program) = Ground::given_to(NOBODY);
        let script = format!(
            "\"$0\" -o tls=off \"$1\" \"$2\"; rm -f \"$2\"/liar-2.eml; {umount} \"$2\"; ! findmnt \"$2\""
        );
        let run = [
            "sh",
            "-euc",
            &script,
            &program,
            &liar.source(),
            ground.dir(),
        ];
        let output = as_nobody(&ground, "666", &run);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{umount}: {}",
            stderr(&output)
        );
        ground.0.wait_until_no_process_is_left();
        assert_eq!(liar.left_serials(), [1, 3], "{umount}");
    }
}

#[test]
fn a_signal_commits_and_unmounts_for_a_user_too() {
    let liar = liar(3);
    let (ground, program) = Ground::given_to(NOBODY);
    let script = "\
        \"$0\" -f -o tls=off \"$1\" \"$2\" & \
        while ! findmnt \"$2\" >/dev/null; do kill -0 $!; done; \
        rm -f \"$2\"/liar-2.eml; kill -TERM $!; wait $!; ! findmnt \"$2\"";
    let run = ["sh", "-euc", script, &program, &liar.source(), ground.dir()];
    let output = as_nobody(&ground, "666", &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_user_whose_mount_is_busy_is_told_so() {
    let liar = liar(3);
    let (ground, program) = Ground::given_to(NOBODY);
    let script = "\
        \"$0\" -o tls=off \"$1\" \"$2\"; rm -f \"$2\"/liar-2.eml; \
        exec 3<\"$2\"/liar-1.eml; ! \"$0\" umount \"$2\"; cat <&3 >/dev/null; exec 3<&-; \"$0\" umount \"$2\"";
    let run = ["sh", "-euc", script, &program, &liar.source(), ground.dir()];
    let output = as_nobody(&ground, "666", &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_says(&stderr(&output), &["is busy", "nothing was committed"]);
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
}

#[test]
fn a_user_who_may_not_open_the_device_is_told_so() {
    let liar = liar(1);
    let (ground, program) = Ground::given_to(NOBODY);
    let run = [&program, "-o", "tls=off", &liar.source(), ground.dir()];
    let said = sentence(&as_nobody(&ground, "600", &run));
    assert_says(&said, &["no permission to open /dev/fuse", "chmod 666"]);
}

#[test]
fn a_user_without_fusermount_is_told_what_to_install() {
    let liar = liar(1);
    let (ground, program) = Ground::given_to(NOBODY);
    let run = [
        "env",
        "PATH=/nowhere",
        &program,
        "-o",
        "tls=off",
        &liar.source(),
        ground.dir(),
    ];
    let said = sentence(&as_nobody(&ground, "666", &run));
    assert_says(&said, &["fusermount3 is missing", "apt install fuse3"]);
}

#[test]
fn no_process_of_the_same_user_can_read_the_password() {
    let liar = liar(1);
    let (ground, program) = Ground::given_to(NOBODY);
    let script = "\
        \"$0\" -f -o tls=off \"$1\" \"$2\" & \
        while ! findmnt \"$2\" >/dev/null; do kill -0 $!; done; \
        cat /proc/$!/cmdline >/dev/null; \
        ! cat /proc/$!/environ; ! cat /proc/$!/mem; ! ls /proc/$!/fd; \
        \"$0\" umount \"$2\"; wait $!";
    let run = ["sh", "-euc", script, &program, &liar.source(), ground.dir()];
    let output = as_nobody(&ground, "666", &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    for file in ["environ", "mem", "fd"] {
        let denied = said
            .lines()
            .any(|line| line.contains(&format!("/{file}")) && line.ends_with("Permission denied"));
        assert!(denied, "{file}: {said}");
    }
}

#[test]
fn fusermount_sees_no_password() {
    let liar = liar(1);
    let (ground, program) = Ground::given_to(NOBODY);
    // Prints its arguments and calls the real program.
    let seen = ground.0.folder().join("seen");
    let wrapper = ground.0.folder().join("fusermount3");
    let script = format!(
        "#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ >>{}\nPATH=/usr/bin:/bin exec fusermount3 \"$@\"\n",
        seen.display()
    );
    fs::write(&wrapper, script).expect("a program");
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755)).expect("a mode");
    let script = "PATH=$3:$PATH; \"$0\" -o tls=off \"$1\" \"$2\"; \"$0\" umount \"$2\"";
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let run = [
        "sh",
        "-euc",
        script,
        &program,
        &liar.source(),
        ground.dir(),
        folder,
    ];
    let output = as_nobody(&ground, "666", &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = String::from_utf8_lossy(&fs::read(seen).expect("what it saw")).into_owned();
    assert_says(&seen, &["_FUSE_COMMFD=", "HOME=", ground.dir()]);
    assert!(
        !seen.contains("POP3FS_PASSWORD") && !seen.contains(Liar::PASSWORD),
        "{seen}"
    );
}

#[test]
fn another_user_may_neither_look_into_a_mount_nor_end_it() {
    let liar = liar(2);
    let mount = crate::in_clear(&liar.source());
    let (ground, program) = Ground::given_to(NOBODY);
    let output = as_nobody(&ground, "666", &["ls", mount.arg()]);
    assert_says(&stderr(&output), &["Permission denied"]);
    let output = as_nobody(&ground, "666", &[&program, "umount", mount.arg()]);
    assert_failed(&output, Failure::Usage);
    assert!(mount.is_mounted());
}
