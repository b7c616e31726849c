//! Cache, control socket and mount belong to their owner, whatever the umask, and nobody else has
//! access.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::common::{Liar, Mount, MountBuilder, corpus, eventually, output_within, run};
use crate::{
    Ground, LIMIT, assert_reads_all, assert_says, messages, mounted, sentence, stderr, stdout,
};

/// The user `nobody` and the group `nogroup` of Debian.
const NOBODY: u32 = 65534;

fn as_nobody(arguments: &[&str]) -> Output {
    let user = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        // Outside of the system's folders, a program may be accessible only to root.
        "env",
        "PATH=/usr/bin:/bin",
    ];
    run(&[&user, arguments].concat())
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

/// Everything below the folder, with its permission bits.
fn below(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = path.symlink_metadata().expect("an entry");
        found.push((path.clone(), metadata.permissions().mode() & 0o7777));
        if metadata.is_dir() {
            found.extend(below(&path));
        }
    }
    found
}

/// The folders of cache and socket of a mount. Everybody can reach their parents.
fn exposed(folder: &Path) -> [PathBuf; 2] {
    chmod(folder, 0o755);
    ["cache", "run"].map(|name| {
        chmod(&folder.join(name), 0o755);
        folder.join(name).join("pop3fs")
    })
}

fn has_extension(found: &[(PathBuf, u32)], extension: &str) -> bool {
    found
        .iter()
        .any(|(path, _)| path.extension().is_some_and(|found| found == extension))
}

#[test]
fn cache_and_socket_are_closed_to_others_even_without_a_umask() {
    let (ground, messages) = (Ground::new(), messages(5));
    let liar = Liar::start(&messages);
    let mut command = ground.through(&["sh", "-c", "umask 0; exec \"$@\"", "sh"], &liar);
    let output = output_within(LIMIT, &mut command);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_reads_all(ground.0.mount_point(), &messages);
    let [cache, run] = ["cache", "run"].map(|name| ground.0.folder().join(name));
    eventually("both kinds of bodies on disk", || {
        let found = below(&cache);
        (has_extension(&found, "segment") && has_extension(&found, "large")).then_some(())
    });
    let found = [below(&cache), below(&run)].concat();
    assert!(has_extension(&found, "sqlite") && has_extension(&found, "sock"));
    for (path, mode) in found {
        let metadata = path.symlink_metadata().expect("an entry");
        let private = match metadata.is_dir() {
            true => 0o700,
            false => 0o600,
        };
        assert_eq!(mode, private, "{}", path.display());
    }
}

/// The control socket, which appears a moment after the mount.
fn socket_in(folder: &Path) -> PathBuf {
    eventually("the control socket", || {
        folder.exists().then(|| below(folder).pop()).flatten()
    })
    .0
}

#[test]
fn another_user_finds_nothing_of_cache_and_socket() {
    let messages = messages(5);
    let liar = Liar::start(&messages);
    let mount = mounted(&liar.source(), &[]);
    assert_reads_all(mount.path(), &messages);
    let cache = mount.cache_dir();
    let folder = cache.parent().expect("the mount's folder");
    socket_in(&folder.join("run/pop3fs"));
    for folder in exposed(folder) {
        let folder = folder.to_str().expect("a path in ASCII");
        let output = as_nobody(&["find", folder]);
        assert_eq!(stdout(&output), format!("{folder}\n"));
        assert_says(&stderr(&output), &["Permission denied"]);
    }
}

/// Asks for an unmount and prints the answer until the daemon closes the connection, which it may
/// do before it was asked.
const INTRUDER: &str = "
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
try:
    client.sendall(b'{\"umount\":{\"farewell\":\"discard\"}}\\n')
    print(client.makefile('rb').read())
except (BrokenPipeError, ConnectionResetError):
    print(b'')
";

#[test]
fn another_user_gets_no_answer_from_a_world_writable_socket() {
    let liar = Liar::start(&corpus::realistic(62, 2));
    let mount = mounted(&liar.source(), &[]);
    let cache = mount.cache_dir();
    let [_, folder] = exposed(cache.parent().expect("the mount's folder"));
    let socket = socket_in(&folder);
    // Once the daemon answers, it has set the modes.
    mount.status();
    chmod(&folder, 0o755);
    chmod(&socket, 0o666);
    let socket = socket.to_str().expect("a path in ASCII");
    let output = as_nobody(&["python3", "-c", INTRUDER, socket]);
    assert_eq!(stdout(&output), "b''\n", "{}", stderr(&output));
    assert!(mount.is_mounted());
    eventually("the log to tell of it", || {
        mount
            .stderr()
            .contains("user id 65534 may not control this mount")
            .then_some(())
    });
    // The owner gets an answer there.
    let output = run(&["python3", "-c", INTRUDER, socket]);
    assert_says(&stdout(&output), &["done"]);
}

fn refused_with(cache: &Path) -> String {
    let liar = Liar::start(&corpus::realistic(62, 1));
    let output = MountBuilder::new(&liar.source())
        .option("tls=off")
        .option(&format!("cache_dir={}", cache.display()))
        .refused();
    assert_eq!(liar.server().connections(), 0);
    sentence(&output)
}

#[test]
fn a_cache_that_others_could_change_is_refused() {
    let folder = TempDir::new().expect("a folder");
    for mode in [0o770, 0o707, 0o777] {
        chmod(folder.path(), mode);
        assert_says(&refused_with(folder.path()), &["others may write to"]);
    }
    chmod(folder.path(), 0o700);
    let link = folder.path().join("link");
    symlink(folder.path(), &link).expect("a link");
    assert_says(&refused_with(&link), &["a symbolic link is not followed"]);
    chown(folder.path(), Some(NOBODY), None).expect("chown");
    assert_says(&refused_with(folder.path()), &["belongs to user 65534"]);
}

fn given_to_nobody(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&corpus::realistic(62, 2));
    let mount = mounted(&liar.source(), &[&["uid=65534"], options].concat());
    let cache = mount.cache_dir();
    chmod(cache.parent().expect("the mount's folder"), 0o755);
    (liar, mount)
}

#[test]
fn another_user_sees_a_mount_only_where_that_was_asked_for() {
    let (_liar, mount) = given_to_nobody(&[]);
    let output = as_nobody(&["ls", mount.arg()]);
    assert_says(&stderr(&output), &["Permission denied"]);
    let (_liar, mount) = given_to_nobody(&["allow_other"]);
    let output = as_nobody(&["ls", mount.arg()]);
    assert_eq!(stdout(&output), "liar-1.eml\nliar-2.eml\n");
    let file = mount.join("liar-1.eml");
    let output = as_nobody(&["cat", file.to_str().expect("a path in ASCII")]);
    assert!(output.stdout == corpus::realistic(62, 1)[0]);
}

#[test]
fn a_mount_for_everyone_lets_in_only_whom_owner_and_mode_let_in() {
    let (_liar, mount) = given_to_nobody(&["allow_other", "uid=65533"]);
    let output = as_nobody(&["ls", mount.arg()]);
    assert_says(&stderr(&output), &["Permission denied"]);
}
