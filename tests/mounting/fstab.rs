//! mount(8), umount(8) and fstab(5).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use pop3fs::cli::Failure;

use crate::common::{PROGRAM, Reply, assert_failed, output_within};
use crate::users::{NOBODY, as_nobody};
use crate::{Ground, LIMIT, assert_says, liar, stderr, stdout};

const UMOUNT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/umount.fuse.pop3fs");

/// Installs the program $1 and the helper $2 where mount(8) and umount(8) look regardless of PATH:
/// below the folder $3, and only in this namespace.
const INSTALLED: &str = "\
    mount -t tmpfs none /run; mount -t tmpfs none \"$3\"; mkdir \"$3/bin\" \"$3/sbin\"; cp \"$1\" \"$3/bin\"; cp \"$2\" \"$3/sbin\"; \
    for name in bin sbin; do mount -t overlay overlay -o lowerdir=\"$3/$name\":/usr/$name /usr/$name; done; shift 3; ";

/// A test folder with a password file.
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

#[test]
fn a_remount_takes_away_the_right_to_remove_and_gives_it_back() {
    let (ground, liar) = (ground(), liar(3));
    let options = format!("tls=off,password_file={}", password_file(&ground));
    let script = "\
        pop3fs -o \"$1\" \"$2\" \"$3\" 2>/dev/null; rm -f \"$3\"/liar-1.eml; \
        mount -o remount,ro \"$3\"; ! rm -f \"$3\"/liar-2.eml; ls \"$3\"; \
        mount -o remount,rw \"$3\"; rm -f \"$3\"/liar-3.eml; umount \"$3\" -c";
    let output = run(&ground, script, &[&options, &liar.source(), ground.dir()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_says(&stderr(&output), &["liar-2.eml", "Read-only file system"]);
    let shown = "liar-2.eml\nliar-3.eml\n2 messages deleted on the server\n";
    assert_eq!(stdout(&output), shown);
    assert_eq!(liar.left_serials(), [2]);
}

#[test]
fn a_remount_of_nothing_is_refused() {
    let ground = ground();
    let arguments = ["-o", "remount,ro", "pops://al@h", ground.dir()];
    let output = ground.pop3fs(&arguments);
    assert_failed(&output, Failure::NotMounted);
    assert_says(&stderr(&output), &["nothing is mounted at", ground.dir()]);
}

#[test]
fn only_root_can_remount() {
    let (ground, program) = Ground::given_to(NOBODY);
    let liar = liar(1);
    let mounted = format!("{program} -o tls=off {} {}", liar.source(), ground.dir());
    let remount = format!("{program} -o remount,ro {} {}", liar.source(), ground.dir());
    let script = format!("{mounted} 2>/dev/null; exec {remount}");
    let output = as_nobody(&ground, "666", &["sh", "-c", &script]);
    assert_failed(&output, Failure::Usage);
    assert_says(&stderr(&output), &["only root can remount"]);
}

/// Mounts, removes a message, and unmounts by a command that finds the helper.
fn unmounted_by(ground: &Ground, source: &str, umount: &str) -> Output {
    let options = format!("tls=off,password_file={}", password_file(ground));
    let script =
        format!("pop3fs -o \"$1\" \"$2\" \"$3\" 2>/dev/null; rm -f \"$3\"/liar-2.eml; {umount}");
    run(ground, &script, &[&options, source, ground.dir()])
}

/// Mounts as a .mount unit of systemd does.
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

/// Root mounts for the user games, whose home has the password. mount(8) leaves HOME as root's.
/// Then `"$@"` runs the rest as games.
const OF_ANOTHER: &str = "\
    chmod 755 \"$4\"; chown -R games \"$4\"; chown games \"$3\"; mount -t tmpfs -o mode=755 none /usr/games; chown games /usr/games; \
    mknod -m 666 /usr/games/fuse c 10 229; mount --bind /usr/games/fuse /dev/fuse; rm /usr/games/fuse; \
    mv \"$4/password\" /usr/games; mkdir -p /run/user; install -d -m 700 -o games \"/run/user/$(id -u games)\"; \
    export HOME=/root; unset XDG_CACHE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR; \
    mount -t fuse.pop3fs -o \"$1\" \"$2\" \"$3\"; dir=$3; set -- setpriv --reuid=games --regid=60 --clear-groups; ";

fn of_another(script: &str, source: &str) -> Output {
    let ground = ground();
    let options = "tls=off,setuid=games,password_file=~/password";
    let folder = ground.0.folder().to_str().expect("a path in ASCII");
    let script = format!("{OF_ANOTHER}{script}");
    run(&ground, &script, &[options, source, ground.dir(), folder])
}

#[test]
fn an_fstab_line_mounts_for_another_user_with_their_home() {
    let liar = liar(2);
    let script = "\"$@\" ls \"$dir\"; ls /usr/games/.cache; umount \"$dir\"";
    let output = of_another(script, &liar.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "liar-1.eml\nliar-2.eml\npop3fs\nnothing to delete\n"
    );
}

/// Even root cannot look into this mount.
#[test]
fn root_waits_for_the_verdict_on_what_another_user_removed() {
    let script = "\"$@\" rm -f \"$dir/liar-2.eml\"; umount \"$dir\" -c";
    let kind = liar(2);
    let output = of_another(script, &kind.source());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "1 message deleted on the server\n");
    let strict = liar(2);
    strict.once("QUIT", Reply::Err("cannot write the maildrop"));
    let output = of_another(script, &strict.source());
    assert_failed(&output, Failure::Uncommitted);
    assert_says(&stderr(&output), &["liar-2.eml is still on the server"]);
}

#[test]
fn a_mount_without_a_daemon_is_unmounted_silently() {
    let (ground, liar) = (ground(), liar(2));
    let kill = "\
        pid=$(pop3fs status --json \"$3\" | sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); kill -9 \"$pid\"; \
        while [ -e \"$3\" ]; do :; done; ";
    let output = unmounted_by(&ground, &liar.source(), &format!("{kill}{UNIT}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!([stdout(&output), stderr(&output)].concat(), "");
    assert_eq!(liar.left_serials(), [1, 2]);
}

#[test]
fn a_mount_whose_program_was_removed_is_unmounted_all_the_same() {
    let (ground, liar) = (ground(), liar(3));
    let output = unmounted_by(
        &ground,
        &liar.source(),
        &format!("umount -l /usr/bin; {UNIT}; ! findmnt \"$3\""),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(liar.left_serials(), [1, 3]);
}
