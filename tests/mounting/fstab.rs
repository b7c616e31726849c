//! mount(8), umount(8) and fstab(5).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use pop3fs::cli::Failure;

use crate::common::{PROGRAM, Reply, assert_failed, output_within};
use crate::{Ground, LIMIT, assert_says, liar, stderr, stdout};

const UMOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/umount.fuse.pop3fs");

/// Installs the program $1 and the helper $2 where mount(8) and umount(8) look, whatever PATH says: below the folder $3, and
/// in this name space alone.
const INSTALLED: &str = "\
    mount -t tmpfs none /run; mount -t tmpfs none \"$3\"; mkdir \"$3/bin\" \"$3/sbin\"; cp \"$1\" \"$3/bin\"; cp \"$2\" \"$3/sbin\"; \
    for name in bin sbin; do mount -t overlay overlay -o lowerdir=\"$3/$name\":/usr/$name /usr/$name; done; shift 3; ";

/// A ground with a password file.
fn ground() -> Ground {
    let ground = Ground::new();
    let password = password_file(&ground);
    fs::write(&password, "secret\n").expect("a file");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("a mode");
    ground
}

fn password_file(ground: &Ground) -> String {
    let path = ground.0.folder().join("password");
    path.to_str().expect("a path in ASCII").to_owned()
}

/// `sh -c SCRIPT sh ARGUMENT…` where the program is installed.
fn run(ground: &Ground, script: &str, arguments: &[&str]) -> Output {
    let folder = ground.0.folder().join("config");
    let folder = folder.to_str().expect("a path in ASCII");
    let mut command = ground.0.at_home(Command::new("unshare"));
    command
        .args([
            "--mount",
            "sh",
            "-euc",
            &format!("{INSTALLED}{script}"),
            "sh",
        ])
        .args([PROGRAM, UMOUNT, folder])
        .args(arguments);
    let output = output_within(LIMIT, &mut command);
    ground.0.wait_until_no_process_is_left();
    output
}

#[test]
fn mount_finds_the_program_by_the_type() {
    let (ground, liar) = (ground(), liar(3));
    let options = format!(
        "nosuid,nofail,tls=off,password_file={}",
        password_file(&ground)
    );
    let script = "mount -t fuse.pop3fs -o \"$1\" \"$2\" \"$3\"; ls \"$3\"; rm -f \"$3\"/liar-1.eml; umount \"$3\"";
    let output = run(&ground, script, &[&options, &liar.source(), ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "liar-1.eml\nliar-2.eml\nliar-3.eml\n");
    assert_eq!(liar.left_serials(), [2, 3]);
}

#[test]
fn a_line_of_fstab_mounts_and_its_umount_waits_for_the_verdict() {
    let (ground, liar) = (ground(), liar(2));
    let fstab = ground.0.folder().join("fstab");
    let line = format!(
        "{} {} fuse.pop3fs noauto,nofail,_netdev,x-systemd.automount,x-systemd.idle-timeout=10min,tls=off,password_file={} 0 0\n",
        liar.source(),
        ground.dir(),
        password_file(&ground),
    );
    fs::write(&fstab, line).expect("a file");
    let fstab = fstab.to_str().expect("a path in ASCII");
    let script = "mount --fstab \"$1\" \"$2\"; ls \"$2\"; rm -f \"$2\"/liar-2.eml; umount \"$2\"; ! findmnt \"$2\"";
    let output = run(&ground, script, &[fstab, ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "liar-1.eml\nliar-2.eml\n1 message deleted on the server\n"
    );
}

/// Mounts, removes a message, and unmounts by a command that finds the helper.
fn unmounted_by(ground: &Ground, source: &str, umount: &str) -> Output {
    let options = format!("tls=off,password_file={}", password_file(ground));
    let script =
        format!("pop3fs -o \"$1\" \"$2\" \"$3\" 2>/dev/null; rm -f \"$3\"/liar-2.eml; {umount}");
    run(ground, &script, &[&options, source, ground.dir()])
}

/// As a .mount unit of systemd does it.
const UNIT: &str = "umount \"$3\" -c";

#[test]
fn a_mount_unit_waits_for_the_verdict() {
    let (ground, liar) = (ground(), liar(3));
    let output = unmounted_by(&ground, &liar.source(), UNIT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
    assert_eq!(liar.left_serials(), [1, 3]);
}

#[test]
fn a_mount_unit_fails_where_the_commit_does() {
    let (ground, liar) = (ground(), liar(3));
    liar.once("QUIT", Reply::Err("cannot write the maildrop"));
    let output = unmounted_by(&ground, &liar.source(), UNIT);
    assert_failed(&output, Failure::Uncommitted);
    assert_says(&stderr(&output), &["liar-2.eml is still on the server"]);
}

#[test]
fn mount_fails_as_the_program_does() {
    let mount = |reply, options: &str| {
        let (ground, liar) = (ground(), liar(1));
        liar.on("PASS", Reply::Err(reply));
        let options = format!("tls=off,{options}password_file={}", password_file(&ground));
        let script = "mount -t fuse.pop3fs -o \"$1\" \"$2\" \"$3\"";
        run(&ground, script, &[&options, &liar.source(), ground.dir()])
    };
    assert_failed(&mount("[AUTH] no", ""), Failure::LoginRefused);
    assert_failed(&mount("[IN-USE] locked", ""), Failure::Busy);
    assert_failed(&mount("", "timeuot=5s,"), Failure::Usage);
}

#[test]
fn a_lazy_umount_waits_for_nothing() {
    let (ground, liar) = (ground(), liar(3));
    let output = unmounted_by(&ground, &liar.source(), "umount -l \"$3\"");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert_eq!(liar.left_serials(), [1, 3]);
}

/// mount(8) leaves HOME as root's, and the mount is another's.
#[test]
fn a_line_of_fstab_mounts_for_another_user_with_the_home_of_that_user() {
    let (ground, liar) = (ground(), liar(2));
    let options = format!(
        "tls=off,setuid=games,password_file={}",
        password_file(&ground)
    );
    let script = "\
        chmod 755 \"$4\"; chown -R games \"$4\"; chown games \"$3\"; mount -t tmpfs -o mode=755 none /usr/games; chown games /usr/games; \
        mknod -m 666 /usr/games/fuse c 10 229; mount --bind /usr/games/fuse /dev/fuse; rm /usr/games/fuse; \
        export HOME=/root; unset XDG_CACHE_HOME XDG_CONFIG_HOME; \
        mount -t fuse.pop3fs -o \"$1\" \"$2\" \"$3\"; setpriv --reuid=games --regid=60 --clear-groups ls \"$3\"; \
        ls /usr/games/.cache; umount \"$3\"";
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let output = run(
        &ground,
        script,
        &[&options, &liar.source(), ground.dir(), folder],
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "liar-1.eml\nliar-2.eml\npop3fs\n");
}
